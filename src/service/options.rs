//! The rare knobs of a paid call as a table: what callers may write, and what `status topic=options` shows.

/// One knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRow {
    /// Its key in `options`.
    pub name: &'static str,
    /// Its type and bounds, in words.
    pub kind: &'static str,
    /// What holds when it is absent.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

/// Every knob there is, in the order in which people look for them. Any other key is refused.
pub const TABLE: &[OptionRow] = &[
    OptionRow {
        name: "timeout_s",
        kind: "integer, 10 to 14400",
        default: "1800",
        meaning: "Deadline of the run in seconds of awake time; waiting for a free slot does not count.",
    },
    OptionRow {
        name: "isolation",
        kind: "clean, ignore_config or ignore_rules",
        default: "clean",
        meaning: "How much of the user's own configuration of the peer takes part.",
    },
    OptionRow {
        name: "web_search",
        kind: "true or false",
        default: "false",
        meaning: "Lets the model search the web; the user's configuration must allow it.",
    },
    OptionRow {
        name: "ephemeral",
        kind: "true or false",
        default: "false",
        meaning: "Keeps no thread at the peer, so the run can be neither resumed nor repaired.",
    },
    OptionRow {
        name: "untracked",
        kind: "include or exclude",
        default: "include",
        meaning: "Whether a review of the working tree reads files that git does not track.",
    },
    OptionRow {
        name: "language",
        kind: "text, 1 to 64 characters",
        default: "the prompt's own",
        meaning: "The language of the answer, or the programming language of write_code.",
    },
    OptionRow {
        name: "instructions",
        kind: "text, 1 to 4096 bytes",
        default: "none",
        meaning: "More instructions for the peer, after ours.",
    },
    OptionRow {
        name: "idempotency_key",
        kind: "text, 1 to 200 characters",
        default: "none",
        meaning: "The same key with the same arguments returns the same job instead of a second one.",
    },
];

/// Characters of `options.language`: a name, not a text.
pub const LANGUAGE_CHARS: usize = 64;
/// Bytes of `options.instructions`: a page. More belongs into the prompt.
pub const INSTRUCTIONS_BYTES: usize = 4096;
/// Characters of `options.idempotency_key`: room for any id in use, and short enough to store.
pub const IDEMPOTENCY_KEY_CHARS: usize = 200;
