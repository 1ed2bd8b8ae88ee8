//! Takes standard input and output for the protocol, so that nobody else can write into it.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Result;
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};

/// Lowest number for the moved descriptors, so that a child which is given a few of its own cannot collide.
const LOWEST: i32 = 10;

/// Moves descriptors 0 and 1 out of everybody's reach and returns the reader and the writer.
///
/// Afterwards standard input is `/dev/null` and standard output is standard error: a stray `print` of a library or of a
/// child lands in the host's log and not between two messages. The moved descriptors are closed in every child.
///
/// Call it first in `main`, before any other thread runs. Fails only when the process has no such descriptors.
pub fn claim_stdio() -> Result<(File, File)> {
    let reader = rustix::io::fcntl_dupfd_cloexec(stdin(), LOWEST)?;
    let writer = rustix::io::fcntl_dupfd_cloexec(stdout(), LOWEST)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    dup2_stdout(stderr())?;
    make_blocking(&reader)?;
    make_blocking(&writer)?;
    Ok((File::from(reader), File::from(writer)))
}

/// Makes reads and writes wait. A host may hand over an end that it uses without blocking itself; the flag belongs to
/// the open file, not to the descriptor, so it came along.
fn make_blocking(end: &OwnedFd) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(end)?;
    if flags.contains(OFlags::NONBLOCK) {
        rustix::fs::fcntl_setfl(end, flags - OFlags::NONBLOCK)?;
    }
    Ok(())
}
