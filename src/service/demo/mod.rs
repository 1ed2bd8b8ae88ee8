//! The demo: a review without an account, through exactly the code that a paid one takes.
//!
//! Everything it makes lies below the state directory: a codex if none is installed, and a world with homes, a repository
//! and job records of its own, which is removed afterwards. Never touches the user's codex configuration or account.

mod codex;
mod showing;
mod world;

pub use showing::{DemoOptions, STATEMENT, run};
