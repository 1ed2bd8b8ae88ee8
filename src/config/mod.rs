//! What the user decided, and what a project may take away from it.
//!
//! Three layers: a built-in floor, then the user's file, then the server's environment. A project's own file comes last
//! and can only narrow. Pure: text and variables come in; nothing here opens a file, and nothing here repeats a rejected
//! value, which may be a secret.

mod document;
mod key;
mod layer;
mod narrowing;
mod origin;
mod problem;
mod settings;

pub use key::{KEYS, Key};
pub(crate) use layer::is_inside;
pub use narrowing::{Ignored, Narrowing};
pub use origin::{Origin, Setting};
pub use problem::Problem;
pub use settings::{Config, problems};

pub use layer::Confirm;
