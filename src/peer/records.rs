//! A peer's own record of a thread, of those peers that tell their tokens nowhere else.

pub use crate::peer::codex::rollout::{is_record_of, last_total};
