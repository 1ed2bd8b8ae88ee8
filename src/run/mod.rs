//! Ring 3: one supervised peer.
//!
//! Finds the peer's program, probes for free what a paid run relies on, starts the worker that owns a job, and turns
//! what a run left into the job's result. Knows nothing of tools, hosts or terminals.

pub mod attempt;
pub mod conclude;
pub mod contract;
pub mod control;
pub mod delegate;
pub mod follow;
pub mod import;
pub mod keep;
pub mod masking;
pub mod patience;
pub mod probe;
pub mod program;
pub mod reap;
pub mod remains;
pub mod review;
pub mod runner;
mod said;
pub mod sandbox_fix;
pub mod seat;
pub mod shared;
pub mod span;
pub mod start;
pub mod supervise;
pub mod tokens;
pub mod usage;
pub mod wait;
pub mod wake;
pub mod worker;
