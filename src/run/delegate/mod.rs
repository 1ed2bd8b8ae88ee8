//! The delegate's part of a run: the worktree before the peer, what is in it afterwards, and what the checks say of it.
//!
//! Whatever the end of a run, what the peer left in the files is collected before the worktree goes to somebody else. The
//! user's own repository is read and never written, except by a run in place, which the user's configuration allowed.

mod task;

mod worktree;
pub use worktree::Workplace;

mod live;

mod reuse;
pub use reuse::places as reuse_places;

mod checks;

mod collect;
pub use collect::{CollectError, collect_left, links_in};

mod fetched;

mod scope;
pub use scope::commands_outside;
