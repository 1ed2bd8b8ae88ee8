//! Ring 2: the only way to git.
//!
//! Git runs as a child with an explicit directory, a cleared environment, a deadline and bounded pipes, and it runs
//! nothing that a repository names. Four commands see the repository's own configuration, because only they must:
//! `rev-parse`, `for-each-ref`, `config --list`, and `update-ref` when a result becomes a branch. Everything else runs
//! under a private git directory of ours, which borrows the repository's objects, copies its index and holds a configuration written from an allow-list. So hooks,
//! filters, diff drivers, fsmonitor and remotes do not exist where the work is done.
//!
//! All functions block; an asynchronous caller puts them on a blocking thread.

mod command;

mod environment;
pub use environment::Environment;

mod error;
pub use error::{GitError, RevisionRole};

mod locate;
pub use locate::{Git, MINIMUM_VERSION};

mod belonging;
pub use belonging::common_directory;

mod repository;
pub use repository::{Head, ObjectFormat, Oid, Repository};

mod settings;

mod private;

mod attributes;
mod base;

mod divided;
mod oversized;
mod paths;

mod threads;
mod tracked;

mod filtered;

mod ignored;

mod untracked;
pub use untracked::Untracked;

mod change;
pub use change::{Change, ResolvedScope};

mod elsewhere;
pub use elsewhere::{Ahead, Elsewhere, OTHER_WORKTREES, OtherWorktree};

mod raw_diff;

mod listed;

mod converted;

mod raw_index;

mod room;

mod working_tree;

mod leftover;
mod vault;
pub use vault::Vault;

mod snapshot;
pub use snapshot::{Keep, Snapshot, SnapshotOf};

mod files_at;
pub use files_at::FileAt;

mod listing;

mod tree;
pub use tree::{Renames, TreeChange, TreeEntry};

mod clearing;
pub use clearing::remove_tree;

mod retention;

mod checkout;
pub use checkout::{Collected, forget_worktree};

mod patched;
pub use patched::Patched;

mod pushed;
pub use pushed::{Pushed, Upstream};

mod merge_hunks;

mod merge;
pub use merge::{Conflict, Merged};

mod normal;

mod export;
pub use export::{Export, ExportError};
