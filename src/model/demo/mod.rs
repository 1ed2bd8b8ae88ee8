//! The demo: a small repository with real defects, and a model that finds them.
//!
//! `crosscheck demo` commits what was there before, writes what changed, and reviews the change through the same code
//! as a review that is paid for. The model is honest in one respect: it reports a defect only where it sees the
//! defective code in the prompt, at the line where it sees it.

mod added;
mod defects;
mod script;

pub use script::DemoScript;

/// One file of the demo repository. A path stands relative to its root, with slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoFile {
    /// Where the file lies.
    pub path: &'static str,
    /// What was committed; nothing for a file that the change adds.
    pub before: Option<&'static str>,
    /// What the working tree holds; nothing for a file that the change deletes.
    pub after: Option<&'static str>,
}

const FILES: &[DemoFile] = &[
    DemoFile {
        path: "README.md",
        before: Some(include_str!("before/README.md")),
        after: Some(include_str!("before/README.md")),
    },
    DemoFile {
        path: "shop/catalog.py",
        before: Some(include_str!("before/shop/catalog.py")),
        after: Some(include_str!("after/shop/catalog.py")),
    },
    DemoFile {
        path: "shop/export.py",
        before: Some(include_str!("before/shop/export.py")),
        after: Some(include_str!("after/shop/export.py")),
    },
    DemoFile {
        path: "shop/old_export.py",
        before: Some(include_str!("before/shop/old_export.py")),
        after: None,
    },
    DemoFile {
        path: "shop/orders.py",
        before: Some(include_str!("before/shop/orders.py")),
        after: Some(include_str!("after/shop/orders.py")),
    },
    DemoFile {
        path: "tests/test_catalog.py",
        before: None,
        after: Some(include_str!("after/tests/test_catalog.py")),
    },
];

/// Returns the files of the demo repository, before and after the change that is reviewed.
pub fn files() -> &'static [DemoFile] {
    FILES
}
