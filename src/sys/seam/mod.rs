//! The one place where the fault harness reaches into the program: steps of a job's life, operations on the disk, and
//! the clocks.
//!
//! All of it is empty and compiled away without the feature `faults`, which no release has. With the feature it is
//! still asleep until [`arm`] is called, which only the harness's own program does.

#[cfg(feature = "faults")]
mod plan;

#[cfg(feature = "faults")]
pub use plan::{POINTS, arm};

use std::io;

/// One kind of operation that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening or making a file.
    Open,
    /// Writing, or allocating room.
    Write,
    /// Syncing a file or a directory.
    Sync,
    /// Renaming.
    Rename,
    /// Making a directory.
    MakeDirectory,
    /// Taking a lock.
    Lock,
    /// Starting a process.
    Spawn,
}

/// Marks a step of a job's life, at which the harness can halt the process and kill whom it likes.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// Marks a step of a job's life, at which the harness can halt the process and kill whom it likes.
#[cfg(feature = "faults")]
pub fn point(name: &'static str) {
    plan::point(name);
}

/// Asks whether an operation may go on; the harness makes the n-th one fail.
#[cfg(not(feature = "faults"))]
#[inline(always)]
#[expect(clippy::unnecessary_wraps, reason = "the harness's side of it can fail")]
pub fn before(_operation: Operation) -> io::Result<()> {
    Ok(())
}

/// Asks whether an operation may go on; the harness makes the n-th one fail.
#[cfg(feature = "faults")]
pub fn before(operation: Operation) -> io::Result<()> {
    plan::before(operation)
}

/// Writes all bytes. The harness's disk is full in the middle of them.
pub fn write_all(out: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    if let Err(error) = before(Operation::Write) {
        // As a full disk does: some of it is there.
        let _ = out.write_all(&bytes[..bytes.len() / 2]);
        return Err(error);
    }
    out.write_all(bytes)
}

/// Returns the milliseconds by which the harness moved the wall clock.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn clock_skew_ms() -> i64 {
    0
}

/// Returns the milliseconds by which the harness moved the wall clock.
#[cfg(feature = "faults")]
pub fn clock_skew_ms() -> i64 {
    plan::clock_skew_ms()
}

/// Returns the name of the boot that the harness pretends, if it does.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn pretended_boot() -> Option<String> {
    None
}

/// Returns the name of the boot that the harness pretends, if it does.
#[cfg(feature = "faults")]
pub fn pretended_boot() -> Option<String> {
    plan::pretended_boot()
}
