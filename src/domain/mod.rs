//! Ring 0: the words of this program as types, and the decisions that need nothing else.
//!
//! Everything here is pure: no clock, no environment, no file, no process. Times, paths and random bytes come in as
//! arguments. All other rings may use this one; this one uses none of them.

pub mod autonomy;
pub mod count;
pub mod coverage;
pub mod delegation;
pub mod envelope;
pub mod environment;
pub mod fault;
pub mod finding;
pub mod fingerprint;
pub mod gate;
pub mod globs;
pub mod hazard;
pub mod job;
pub mod limits;
pub mod peer;
pub mod request;
pub mod retention;
pub mod route;
pub mod schema;
pub mod scope;
pub mod score;
pub mod shell;
pub mod tier;
pub mod time;
pub mod tracking;
pub mod verdict;
pub mod visible;
pub mod wake;
