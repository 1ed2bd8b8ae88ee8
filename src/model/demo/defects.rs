//! The three defects of the demo's change, as data.

/// One defect with what a reviewer says about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defect {
    /// The file, as in the demo's files.
    pub(super) path: &'static str,
    /// The defective lines, which follow each other, without their indentation.
    pub(super) code: &'static [&'static str],
    pub(super) severity: &'static str,
    pub(super) title: &'static str,
    pub(super) risk: &'static str,
    pub(super) recommendation: &'static str,
}

/// The defects, the worst first.
pub(super) const DEFECTS: &[Defect] = &[
    Defect {
        path: "shop/orders.py",
        code: &[
            "query = f\"SELECT id, customer, total FROM orders WHERE customer = '{customer}' ORDER BY id DESC LIMIT \
             {limit}\"",
        ],
        severity: "critical",
        title: "The customer's name becomes part of the SQL text",
        risk: "A name such as `' OR '1'='1` returns every customer's orders, and a name with an apostrophe is an error. \
               The query took the name as a parameter before this change.",
        recommendation: "Keep `?` for the customer and for the limit, and pass both to `execute`.",
    },
    Defect {
        path: "shop/catalog.py",
        code: &["start = number * size"],
        severity: "high",
        title: "Every page shows the items of the next one",
        risk: "Pages are counted from 1, so page 1 now begins at item `size`: the first items are never shown and the \
               last page is empty. The new tests do not see it, since they ask only for an empty catalogue.",
        recommendation: "Start at `(number - 1) * size` again, and test a first page that holds items.",
    },
    Defect {
        path: "shop/export.py",
        code: &["except OSError:", "pass"],
        severity: "high",
        title: "A failed export looks like a finished one",
        risk: "When the disk is full or the path is wrong, the error is dropped and the caller gets a count as if all \
               was well. The file is not closed on any path, so the last rows may never reach the disk.",
        recommendation: "Open the file with `with` and let the error reach the caller.",
    },
];
