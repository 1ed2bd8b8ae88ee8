//! Ring 0: the words of this program as types, and the decisions that need nothing else.
//!
//! Everything here is pure: no clock, no environment, no file, no process. Times, paths and random bytes come in as
//! arguments. All other rings may use this one; this one uses none of them.

pub mod answer;
pub mod autonomy;
pub mod baseline;
pub mod count;
pub mod coverage;
pub mod day;
pub mod delegation;
pub mod envelope;
pub mod environment;
pub mod fault;
pub mod finding;
pub mod fingerprint;
pub mod following;
pub mod gate;
pub mod globs;
pub mod hazard;
pub mod job;
pub mod job_view;
pub mod limits;
pub mod pass;
pub mod peer;
pub mod request;
pub mod retention;
pub mod review_answer;
pub mod review_plan;
pub mod route;
pub mod runner;
pub mod schema;
pub mod scope;
pub mod score;
pub mod shell;
pub mod standing;
pub mod suppression;
pub mod tier;
pub mod time;
pub mod tracking;
pub mod usage;
pub mod verdict;
pub mod visible;
pub mod wake;
