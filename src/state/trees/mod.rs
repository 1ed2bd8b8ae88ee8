//! The worktrees of one repository: who holds which, which are idle, and what a killed worker left in one.
//!
//! A worktree is `trees/<n>/{tree/, lock, owner, ready, idle, linked}`. Its holder is whoever holds its lock, and the numbered
//! folder with the lock stays for ever, so that a lock always means what it seems to. Everything else follows from what is
//! there while the lock is free:
//!
//! - without `ready` it is half made, and garbage;
//! - with `ready` and `idle` it was given back, its content is kept elsewhere, and the next job may have it;
//! - with `ready` alone its worker died, and it holds what `owner` left until that is collected.
//!
//! What is taken away is renamed to `trees/.gone-*` first, which takes no time, and deleted from there.

mod folder;

mod held;
pub use held::{HeldTree, TreeError};

mod removal;
pub use removal::{Removal, release, sweep};

mod view;
pub use view::{TreeView, left_behind, left_by, list, remove};
