//! The table that is printed, a row as soon as it is known.

use std::fmt;

use crate::figure::Figure;

/// The first two lines of the table.
pub(crate) const HEAD: &str = "\n| what | budget | here | others, same run |\n|---|---|---|---|";

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    what: &'static str,
    budget: &'static str,
    here: String,
    others: Vec<String>,
}

impl Row {
    /// Makes a line; `budget` is empty for a figure that only explains another.
    pub(crate) fn new(what: &'static str, budget: &'static str, here: &Figure) -> Self {
        Self {
            what,
            budget,
            here: here.to_string(),
            others: Vec::new(),
        }
    }

    /// Adds a remark to our figure.
    pub(crate) fn remark(mut self, remark: &str) -> Self {
        self.here = format!("{}; {remark}", self.here);
        self
    }

    /// Adds another program's figure.
    pub(crate) fn beside(mut self, name: &str, figure: &impl fmt::Display) -> Self {
        self.others.push(format!("{name} {figure}"));
        self
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = if self.others.is_empty() {
            "-".to_owned()
        } else {
            self.others.join("; ")
        };
        write!(
            out,
            "| {} | {} | {} | {others} |",
            self.what, self.budget, self.here
        )
    }
}
