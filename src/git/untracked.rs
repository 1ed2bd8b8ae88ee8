//! Files that git does not track, read by us.

/// What to do with untracked files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untracked {
    /// They are part of the change.
    Read,
    /// They are named as left out, and not read.
    Exclude,
}
