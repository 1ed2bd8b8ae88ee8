//! Crosscheck: a second model at your side.
//!
//! The rings, from the inside out; a module may use those before it and never those after it:
//!
//! 1. [`domain`]: the words of the program, pure. [`config`] reads the user's configuration from text, pure too.
//! 2. [`diff`], [`redact`], [`prompt`], [`peer`], [`report`]: pure knowledge about diffs, secrets, prompts, the other
//!    program and the forms of a review.
//! 3. [`sys`], [`git`], [`state`], [`model`]: the machine: processes and files, git, the job directories, the demo model.
//! 4. [`run`]: one supervised peer, and the worker that holds a job.
//! 5. [`service`]: one use case per file.
//! 6. [`mcp`], [`cli`]: the two doors.

#[cfg(not(unix))]
compile_error!("native Windows is not supported: build and run crosscheck inside WSL");

pub mod cli;
pub mod config;
pub mod diff;
pub mod domain;
pub mod entry;
pub mod git;
pub mod mcp;
pub mod model;
pub mod peer;
pub mod prompt;
pub mod redact;
pub mod report;
pub mod run;
pub mod service;
pub mod standing;
pub mod state;
pub mod sys;
