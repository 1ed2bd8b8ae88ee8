//! A command line under construction: flags, and flags with a value.

use std::ffi::OsString;

/// The arguments so far.
pub(super) struct Line(pub(super) Vec<OsString>);

impl Line {
    /// Adds a flag.
    pub(super) fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    /// Adds a flag and its value, as two arguments.
    pub(super) fn pair(&mut self, flag: &str, value: impl Into<OsString>) {
        self.0.push(flag.into());
        self.0.push(value.into());
    }
}
