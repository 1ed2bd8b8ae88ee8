//! Every bound of the program with its reason, in one place.

use std::time::Duration;

/// Characters of a prompt that codex accepts; one more is refused by it after the thread was started.
pub const PROMPT_CHARS: usize = 1_048_576;
/// Bytes of a prompt that we send: a prompt of four-byte characters still fits a pipe write of moderate size.
pub const PROMPT_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of one caller-written text argument (prompt, context, focus, snippet).
pub const ARGUMENT_BYTES: usize = 1_048_576;
/// Files a caller may name for a consult.
pub const CONTEXT_FILES: usize = 50;
/// Bytes read of one file named for a consult.
pub const CONTEXT_FILE_BYTES: u64 = 256 * 1024;
/// Paths a caller may narrow a review to.
pub const REVIEW_PATHS: usize = 200;
/// Untracked files read for a review; the rest is listed as omitted.
pub const UNTRACKED_FILES: usize = 200;
/// Bytes read of one untracked file.
pub const UNTRACKED_FILE_BYTES: u64 = 64 * 1024;
/// Bytes of untracked files read in all.
pub const UNTRACKED_TOTAL_BYTES: u64 = 1024 * 1024;
/// Bytes of `git diff` output kept in memory; beyond it the change is refused with its largest files.
pub const DIFF_BYTES: usize = 64 * 1024 * 1024;
/// Lines of `git diff` output that are taken apart. A prompt holds an eighth of them; with the bytes that they share they
/// stay below the memory that planning may take.
pub const DIFF_LINES: usize = 2_000_000;
/// Bytes of a change's lines up to which it is searched for secrets before it is told as too large. Beyond it, and beyond
/// twice what its parts hold, it is divided by its sizes alone: masking does not halve a change.
pub const PLANNED_BYTES: usize = 4 * PROMPT_BYTES;
/// Parts of a review that run without being asked for: each is a prompt as large as the model takes.
pub const REVIEW_PARTS_DEFAULT: u32 = 6;
/// The most parts that can be asked for: about as many as the largest diff that is read has.
pub const REVIEW_PARTS_MAX: u32 = 64;
/// The part of a prompt, in hundredths, that may be told in it of the other parts: enough for a list of some hundred files, and
/// little beside what is reviewed.
pub const OTHER_PARTS_SHARE: usize = 4;
/// Bytes read of a change that is kept beside its job.
pub const CHANGE_BYTES: u64 = 256 * 1024 * 1024;
/// Omitted paths listed one by one in a result; the rest is counted.
pub const OMISSIONS_LISTED: usize = 50;
/// Findings kept of one answer. A reviewer that finds more is not read by anybody.
pub const FINDINGS: usize = 200;

/// Findings in one prompt of a verification: each gets a sentence, and its code is looked up.
pub const VERIFIED_AT_ONCE: usize = 30;
/// Prompts of a verification. Whoever has more findings than these hold, the worst first, has enough to do.
pub const VERIFY_GROUPS: usize = 4;

/// Deadline of a consult or review, in awake time.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// Shortest deadline that makes sense for a model call.
pub const TIMEOUT_MIN: Duration = Duration::from_secs(10);
/// Longest deadline.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(4 * 60 * 60);
/// Smallest budget of a run in tokens: codex's own instructions alone are more than this in a real run, so a smaller one
/// could only fail.
pub const BUDGET_TOKENS_MIN: u64 = 1000;
/// Largest budget of a run in tokens; no allowance of today's accounts lasts that long.
pub const BUDGET_TOKENS_MAX: u64 = 100_000_000;
/// Deadline of a delegate, in awake time.
pub const DELEGATE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60 * 60);
/// Changed files listed one by one in a result; the rest is counted.
pub const CHANGED_LISTED: usize = 200;
/// Longest run of one check or of the setup.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes kept of the end of what a check prints.
pub const CHECK_TAIL_BYTES: usize = 4 * 1024;
/// Bytes of a patch that is kept as a file; a larger change is kept as objects only.
pub const PATCH_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of one file that a snapshot or a result takes. Hashing and packing more takes minutes, no forge takes half as much, and a file of holes costs its
/// maker nothing; a larger one is told as left out.
pub const FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of all files together that a snapshot or a result reads anew; those beyond it are told as left out.
pub const FILES_BYTES: u64 = 1024 * 1024 * 1024;
/// Idle worktrees kept for each repository.
pub const IDLE_TREES: usize = 2;
/// Longest wait of one call for its job.
pub const WAIT_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// Awake time that a run which lost the network waits for it. A lift, a tunnel or a change of networks takes less.
pub const NETWORK_WAIT: Duration = Duration::from_secs(5 * 60);

/// Jobs that run at once for one user.
pub const CONCURRENCY_DEFAULT: usize = 3;
/// The most that may be configured.
pub const CONCURRENCY_MAX: usize = 10;
/// Jobs that may wait for a slot; one more is refused instead of piling up.
pub const QUEUE_MAX: usize = 100;
/// Jobs that are done elsewhere and followed at once: a page of the list has 20 of them, and a look reads a file of each.
pub const FOLLOWED_MAX: usize = 1000;

/// How long a task that is done elsewhere is followed. What is not done by then is told with its address; a finished job's record is
/// kept no longer.
pub const FOLLOWED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long handing a task over may take: two requests, the second with the prompt. Whoever has not said by then what became of
/// it is ended.
pub const HAND_OVER: Duration = Duration::from_secs(120);

/// Bytes of one line of a peer's event stream. Measured: a 5 MB answer is one line of 5 MB. The longest answer that is kept
/// fits with its escapes, and two such lines in the worker's memory with what is made of them.
pub const PEER_LINE_BYTES: usize = 12 * 1024 * 1024;
/// Bytes of a peer's whole event stream before the run is ended.
pub const PEER_OUTPUT_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes kept of a peer's standard error, the first and the last half of it.
pub const PEER_STDERR_BYTES: usize = 64 * 1024;
/// Bytes kept of a peer's final text.
pub const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a job's event log; later events are counted, not kept.
pub const EVENT_LOG_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of one entry of the event log.
pub const EVENT_BYTES: usize = 16 * 1024;

/// Bytes of one envelope that are handed to a host inline; more goes to a file.
pub const INLINE_BYTES: usize = 40 * 1024;
/// Events shown by `tail` when nobody says how many.
pub const TAIL_DEFAULT: usize = 50;
/// The most events one call shows.
pub const TAIL_MAX: usize = 1000;
/// Jobs listed when nobody says how many.
pub const LIST_DEFAULT: usize = 20;
/// The most jobs one call lists.
pub const LIST_MAX: usize = 1000;

/// Time between an interrupt and a harder signal. Codex needs 30 ms; a stuck one must not hold a slot.
pub const INTERRUPT_GRACE: Duration = Duration::from_secs(2);
/// Time between TERM and KILL.
pub const TERM_GRACE: Duration = Duration::from_secs(1);
/// Time after KILL in which the kernel must have ended the process.
pub const KILL_GRACE: Duration = Duration::from_secs(2);
/// Time to read the pipes to their end after the peer exited; a grandchild may hold them open.
pub const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// Deadline of a probe of the peer or of git facts, none of which talks to a model.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Progress is told at least this often while a call waits.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// Time after which a result that was read, or a job that ended before anything was paid, may be deleted.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Read results kept at most.
pub const RETENTION_JOBS: usize = 500;
/// Jobs whose size and reading `status` looks at: some ten looks at the disk for each must not be felt.
pub const STATUS_JOBS: usize = 1000;
/// Free bytes the state directory must have before a job starts: its logs, its answer and room for others.
pub const FREE_BYTES: u64 = 64 * 1024 * 1024;
