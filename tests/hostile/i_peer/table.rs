//! What a codex says in each case, as lines of shell, and what must come of it. `open`, `say` and `done_` print the usual
//! lines; `file` is the place that `-o` names.

/// What must come of a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// An answer that holds this.
    Says(&'static str),
    /// A fault with this code.
    Fails(&'static str),
}

use Outcome::{Fails, Says};

/// A name, what codex does, and what must come of it.
type Row = (&'static str, &'static str, Outcome);

pub(super) const SAYINGS: [Row; 44] = [
    ("nothing at all", "exit 0", Fails("peer_failed")),
    ("an end without a word", "open; done_", Fails("peer_refused")),
    (
        "an answer and no end of the turn",
        "say | head -n 3",
        Fails("peer_failed"),
    ),
    (
        "an end of the turn before its beginning",
        "done_; say",
        Says("Paid for."),
    ),
    ("every line twice", "say; say", Says("Paid for.")),
    (
        "a thousand ends of turns",
        "say; i=0; while [ $i -lt 1000 ]; do done_; i=$((i+1)); done",
        Says("Paid for."),
    ),
    (
        "an exit code of 1 after an answer",
        "say; exit 1",
        Says("Paid for."),
    ),
    (
        "an exit code of 255 after an answer",
        "say; exit 255",
        Says("Paid for."),
    ),
    (
        "an exit code of 3 before one",
        "open; exit 3",
        Fails("peer_failed"),
    ),
    (
        "a death by signal before an answer",
        "open; kill -SEGV $$",
        Fails("peer_failed"),
    ),
    (
        "lines that are no JSON",
        "printf 'hello\\n<html>\\n'; say",
        Says("Paid for."),
    ),
    (
        "bytes that are no text",
        "printf '\\377\\376\\303\\n'; say",
        Says("Paid for."),
    ),
    (
        "NULs between the lines",
        "head -c 100000 /dev/zero; echo; say",
        Says("Paid for."),
    ),
    (
        "escape sequences between the lines",
        "printf '\\033[2J\\033]0;x\\007\\n'; say",
        Says("Paid for."),
    ),
    (
        "a line of lists 10,000 deep",
        "head -c 10000 /dev/zero | tr '\\0' '['; echo; say",
        Says("Paid for."),
    ),
    (
        "an event with objects 10,000 deep",
        "printf '{\"type\":\"x\",\"a\":'; i=0; while [ $i -lt 10000 ]; do printf '{\"a\":'; i=$((i+1)); done; echo; say",
        Says("Paid for."),
    ),
    (
        "an event of eight million values",
        "printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"x\":['; yes '[],' | head -c 11000000 | tr -d '\\n'; printf '[]]}}\\n'; say",
        Says("Paid for."),
    ),
    (
        "an event of a million fields",
        "printf '{\"type\":\"x\"'; yes ',\"text\":\"a\"' | head -c 11000000 | tr -d '\\n'; printf '}\\n'; say",
        Says("Paid for."),
    ),
    (
        "a type that is a number",
        "echo '{\"type\":7}'; say",
        Says("Paid for."),
    ),
    (
        "an item that is a list",
        "echo '{\"type\":\"item.completed\",\"item\":[{\"type\":\"agent_message\"}]}'; say",
        Says("Paid for."),
    ),
    (
        "an answer that is a list",
        "open; echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":[\"x\"]}}'; done_",
        Fails("peer_refused"),
    ),
    (
        "usage that is a text",
        "say | head -n 3; echo '{\"type\":\"turn.completed\",\"usage\":\"much\"}'",
        Says("Paid for."),
    ),
    (
        "usage beyond all numbers",
        "say | head -n 3; echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":99999999999999999999,\"output_tokens\":-1}}'",
        Says("Paid for."),
    ),
    (
        "a field twice",
        "open; echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"x\",\"type\":\"agent_message\",\"text\":\"a\",\"text\":\"Paid for.\"}}'; done_",
        Says("Paid for."),
    ),
    (
        "events of the future",
        "open; i=0; while [ $i -lt 2000 ]; do echo '{\"type\":\"from.the.future\",\"x\":1}'; i=$((i+1)); done; say",
        Says("Paid for."),
    ),
    (
        "a thread that is no id",
        "echo '{\"type\":\"thread.started\",\"thread_id\":\"--dangerously \\u001b[2J\"}'; say | tail -n 2",
        Says("Paid for."),
    ),
    (
        "a thread of a megabyte",
        "printf '{\"type\":\"thread.started\",\"thread_id\":\"'; head -c 1000000 /dev/zero | tr '\\0' a; printf '\"}\\n'; say | tail -n 2",
        Says("Paid for."),
    ),
    (
        "half a character in an answer",
        "open; echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Paid for \\ud83d\"}}'; say | tail -n 2",
        Says("Paid for"),
    ),
    (
        "a line of 40 MB",
        "open; printf '{\"type\":\"x\",\"a\":\"'; head -c 40000000 /dev/zero | tr '\\0' x; printf '\"}\\n'; say",
        Says("Paid for."),
    ),
    (
        "a line without an end",
        "say; head -c 40000000 /dev/zero | tr '\\0' x",
        Says("Paid for."),
    ),
    (
        "an answer of 7 MB",
        "open; printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Paid for.'; head -c 7000000 /dev/zero | tr '\\0' x; printf '\"}}\\n'; done_",
        Says("Paid for."),
    ),
    (
        "an answer of nothing but escapes",
        "open; printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Paid for.'; yes '\\u0001' | head -c 7000000 | tr -d '\\n' | head -c 6000000; printf '\"}}\\n'; done_",
        Says("Paid for."),
    ),
    (
        "an answer of nothing but quotes and code",
        "open; printf '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Paid for.'; yes '\\n```\\nx\\n```' | tr -d '\\n' | head -c 5999994; printf '\"}}\\n'; done_",
        Says("Paid for."),
    ),
    (
        "20,000 short events",
        "open; yes '{\"type\":\"item.completed\",\"item\":{\"type\":\"reasoning\",\"text\":\"x\"}}' | head -n 20000; say",
        Says("Paid for."),
    ),
    (
        "5,000 commands",
        "open; yes '{\"type\":\"item.completed\",\"item\":{\"type\":\"command_execution\",\"command\":\"ls\",\"exit_code\":0,\"aggregated_output\":\"x\"}}' | head -n 5000; say",
        Says("Paid for."),
    ),
    (
        "40 MB of events",
        "open; line=$(head -c 90000 /dev/zero | tr '\\0' x); yes \"{\\\"type\\\":\\\"item.completed\\\",\\\"item\\\":{\\\"type\\\":\\\"reasoning\\\",\\\"text\\\":\\\"$line\\\"}}\" | head -n 440; say",
        Says("Paid for."),
    ),
    (
        "40 MB of standard error",
        "open; yes 'an error of many words that comes again and again' | head -c 40000000 >&2; say",
        Says("Paid for."),
    ),
    (
        "a line of 50 MB on standard error",
        "open; head -c 50000000 /dev/zero | tr '\\0' e >&2; say",
        Says("Paid for."),
    ),
    (
        "standard error that never ends",
        "open; yes >&2 & say; exit 0",
        Says("Paid for."),
    ),
    (
        "a last message that is a link",
        "ln -sf /etc/passwd \"$file\"; say",
        Says("Paid for."),
    ),
    (
        "a last message that is a FIFO",
        "mkfifo \"$file\"; say",
        Says("Paid for."),
    ),
    (
        "a last message of 2 GB",
        "truncate -s 2000000000 \"$file\"; say",
        Says("Paid for."),
    ),
    (
        "a last message that is a folder",
        "mkdir \"$file\"; say",
        Says("Paid for."),
    ),
    (
        "an output that is closed before the end",
        "say; exec >&- 2>&-; exit 0",
        Says("Paid for."),
    ),
];
