//! Kinds of defects, and the words in which different reviewers tell of one: `{f}` is the function, `{v}` what it is about.

/// A kind of defect.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) severity: &'static str,
    /// Titles of the same defect.
    pub(crate) titles: [&'static str; 5],
    /// What goes wrong, of the same defect.
    pub(crate) risks: [&'static str; 4],
}

/// All kinds; each language has one function with each of them.
pub(crate) const KINDS: [Kind; 10] = [
    Kind {
        severity: "high",
        titles: [
            "Off-by-one: `{f}` goes one past the end of `{v}`",
            "`{f}` reads beyond the last element of {v}",
            "Index out of bounds in {f}",
            "The upper bound for {v} is inclusive and must be exclusive",
            "Boundary error when reaching the end of `{v}`",
        ],
        risks: [
            "With the index equal to the length, {f} accesses an element that does not exist.",
            "Every call that reaches the end of {v} fails or reads garbage.",
            "The last iteration uses an index that is out of range.",
            "An array of n elements has indices up to n-1; here n is used.",
        ],
    },
    Kind {
        severity: "high",
        titles: [
            "`{v}` may be absent and is used without a check",
            "Missing null check for {v} in `{f}`",
            "{f} dereferences `{v}` when nothing was found",
            "No guard against a missing {v}",
            "The check that {v} exists was dropped",
        ],
        risks: [
            "When {v} is not there, {f} crashes instead of telling the caller.",
            "A lookup that finds nothing leads to a null dereference.",
            "An absent {v} is an ordinary case and ends in an exception here.",
            "Callers with an unknown key bring the process down.",
        ],
    },
    Kind {
        severity: "medium",
        titles: [
            "`{v}` is never closed in {f}",
            "Resource leak: {f} does not release {v}",
            "{f} leaks the handle of `{v}` on this path",
            "Missing close of {v}",
            "The clean-up of `{v}` was removed",
        ],
        risks: [
            "Each call keeps a descriptor open until the process runs out of them.",
            "{v} stays open after {f} returns, so the resource is exhausted under load.",
            "Handles accumulate because nothing releases {v}.",
            "Long-running processes will leak one handle per call of {f}.",
        ],
    },
    Kind {
        severity: "high",
        titles: [
            "The condition on {v} is inverted",
            "`{f}` does the opposite for {v}",
            "Negation is wrong: {f} accepts what it should reject",
            "Comparison of `{v}` points the wrong way round",
            "Logic flipped in {f}",
        ],
        risks: [
            "Valid {v} is refused and invalid {v} passes.",
            "{f} takes the branch for the opposite case.",
            "Everything that should be let through is rejected, and the reverse.",
            "The check is reversed, so the feature works only for wrong {v}.",
        ],
    },
    Kind {
        severity: "medium",
        titles: [
            "The error of {v} is ignored",
            "`{f}` swallows a failed {v}",
            "Failure of {v} is silently discarded in {f}",
            "{f} reports success although {v} failed",
            "Unchecked result of `{v}`",
        ],
        risks: [
            "When {v} fails nobody hears of it, and data is lost silently.",
            "The caller believes that {v} worked.",
            "An unhandled failure leaves a half-written state behind.",
            "{f} goes on with stale data after an error that it drops.",
        ],
    },
    Kind {
        severity: "critical",
        titles: [
            "`{v}` goes into the query unescaped",
            "Injection through {v} in `{f}`",
            "{f} interpolates untrusted {v} into a statement",
            "Query is built by concatenation with {v}",
            "Unsanitized {v} reaches the database",
        ],
        risks: [
            "A caller who controls {v} can run statements of their own.",
            "A quote in {v} breaks out of the literal; this is an SQL injection.",
            "An attacker reads or deletes other rows by a crafted {v}.",
            "The parameter used to be bound; now untrusted text becomes part of the SQL.",
        ],
    },
    Kind {
        severity: "high",
        titles: [
            "`{v}` is changed without the lock",
            "Data race on {v} in {f}",
            "{f} updates {v} while others read it",
            "Lock was removed around `{v}`",
            "Unsynchronized access to {v}",
        ],
        risks: [
            "Two threads in {f} at once lose an update of {v}.",
            "Concurrent callers see or write a torn {v}.",
            "Without mutual exclusion, updates from several threads overwrite each other.",
            "The read-modify-write of {v} is not atomic.",
        ],
    },
    Kind {
        severity: "medium",
        titles: [
            "`{v}` is narrowed and can overflow",
            "Integer overflow of {v} in {f}",
            "{f} truncates {v} to fewer bits",
            "Large {v} wraps around",
            "Narrowing cast loses the upper bits of `{v}`",
        ],
        risks: [
            "Values beyond the smaller type wrap around and become wrong or negative.",
            "A large {v} is truncated silently.",
            "For big inputs the result of {f} is a small, wrong number.",
            "The product does not fit the narrow type.",
        ],
    },
    Kind {
        severity: "high",
        titles: [
            "The wrong variable is used for {v}",
            "Copy-paste error: {f} takes the other operand for `{v}`",
            "`{f}` mixes up its parameters",
            "{v} is computed from the wrong input",
            "Arguments swapped in {f}",
        ],
        risks: [
            "{v} ends up with the value that belongs to something else.",
            "{f} returns the same for inputs that differ in {v}.",
            "The second input has no effect on {v} at all.",
            "Source and target are exchanged, so {v} is wrong for every caller.",
        ],
    },
    Kind {
        severity: "critical",
        titles: [
            "{v} is written to the log in clear text",
            "Secret `{v}` leaks into the log",
            "{f} logs a credential",
            "Sensitive {v} is disclosed by this message",
            "Plaintext {v} ends up in log files",
        ],
        risks: [
            "Whoever reads the logs can use {v} to log in.",
            "{f} discloses {v} to everybody with access to the log.",
            "Credentials in log files are copied to backups and third parties.",
            "The message used to hold an id; now it holds the secret {v} itself.",
        ],
    },
];

/// What reviewers report where nothing is wrong: a title and a risk, `{f}` as above.
pub(crate) const NOISE: [(&str, &str, &str); 14] = [
    (
        "low",
        "`{f}` lacks documentation",
        "Readers cannot tell what it does.",
    ),
    (
        "nit",
        "Consider a better name than `{f}`",
        "The name does not say what happens.",
    ),
    (
        "medium",
        "{f} may be slow for large inputs",
        "The loop could become a bottleneck.",
    ),
    ("low", "No test covers {f}", "A regression would go unnoticed."),
    (
        "medium",
        "Possible encoding problem in {f}",
        "Text that is not ASCII may be mangled.",
    ),
    (
        "high",
        "{f} might time out without a retry",
        "A slow network could make callers fail.",
    ),
    (
        "medium",
        "Time zone is not considered in {f}",
        "Around midnight the date may be wrong.",
    ),
    ("low", "Magic number in {f}", "A named constant would be clearer."),
    (
        "medium",
        "{f} changes a public signature",
        "Callers outside of this repository may break.",
    ),
    (
        "nit",
        "Formatting differs from the rest of the file",
        "It is harder to read.",
    ),
    (
        "high",
        "Recursion in {f} may never end",
        "A cycle in the input would hang it.",
    ),
    (
        "medium",
        "Division by zero is possible in {f}",
        "An empty input would make the average fail.",
    ),
    (
        "medium",
        "Default argument may be shared between calls of {f}",
        "A mutated default would be seen by later calls.",
    ),
    (
        "low",
        "{f} duplicates code that exists elsewhere",
        "Two copies drift apart.",
    ),
];
