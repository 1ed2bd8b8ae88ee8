//! The bounds of this door, each with its reason.

use std::time::Duration;

/// Bytes of one line from the host. Four times the largest argument, so that escapes and a second argument fit.
pub(super) const LINE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes kept of each end of a longer line: the id of the request stands near one of them.
pub(super) const LINE_ENDS_BYTES: usize = 256;
/// Bytes of an id that is repeated in an error. Known hosts use numbers, or strings below 64 bytes.
pub(super) const ID_BYTES: usize = 200;
/// Errors written for one batch. Batches were in one protocol revision and no known host sends them.
pub(super) const BATCH_ANSWERS: usize = 64;
/// Messages that one thread hands to another at once. What they were read from is one chunk of the input.
pub(super) const BATCH_MESSAGES: usize = 64;
/// Such batches between two threads: one is worked on while the next is read.
pub(super) const QUEUE_BATCHES: usize = 2;
/// Lines between two threads. Enough to keep both busy; full means that the slower side holds the faster one back.
pub(super) const QUEUE_MESSAGES: usize = 64;
/// Bytes collected for one write: what a pipe takes at once.
pub(super) const WRITE_BYTES: usize = 64 * 1024;
/// Bytes of one result. An answer at its limit fits with its envelope; a defect does not fill the memory.
pub(super) const RESULT_BYTES: usize = 16 * 1024 * 1024;
/// Characters of one progress line: hosts show a single line of a terminal.
pub(super) const PROGRESS_CHARS: usize = 500;
/// Characters repeated of a tool name that does not exist.
pub(super) const TOOL_NAME_CHARS: usize = 64;
/// Bytes kept of what a host says about itself.
pub(super) const HOST_BYTES: usize = 128;
/// Bytes kept of an id in a call's `_meta`; a longer one is no id.
pub(super) const META_ID_BYTES: usize = 256;

/// Calls read and not yet answered. At this number reading stops until one is answered.
pub(super) const OPEN_CALLS: usize = 1024;
/// Calls of free, quick tools that run at once.
pub(super) const QUICK_CALLS: usize = 64;
/// Calls that may wait for a job at once; one more is refused. Below [`OPEN_CALLS`], so that waiting calls alone can
/// never stop the reading, and with it the cancels.
pub(super) const WAITING_CALLS: usize = 512;

/// Time for a person to answer a question. Longer than a look at a diff takes; the call waits as long.
pub(super) const APPROVAL_WAIT: Duration = Duration::from_secs(15 * 60);

/// Questions that wait for their calls to come back. A person answers one at a time; one that is forgotten is asked again.
pub(super) const OPEN_QUESTIONS: usize = 64;

/// Time for answers to be written after the host closed our input, before their calls are told to end.
pub(super) const INPUT_ENDED_GRACE: Duration = Duration::from_millis(200);
/// Time for answers to be written after that, or after a signal: Claude Code kills 400 ms after its second signal.
/// Seen with 2.1.197 and 2.1.329.
pub(super) const CLOSING_GRACE: Duration = Duration::from_millis(300);
