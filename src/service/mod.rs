//! Ring 4: one use case per file, between the doors and the supervised peer.

pub mod call;
pub mod options;
