//! The rare knobs of a paid call: the table of what callers may write, which `status topic=options` shows, and the one
//! strict way in that both doors use.
//!
//! A closed schema of them would cost every session more context than the knobs are worth, so the fault for an unknown
//! key lists the keys instead.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{Options, Untracked};
use crate::domain::tier::Isolation;
use crate::service::choice;
use crate::service::whole::Whole;

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

/// The kind of a knob that is on or off.
pub const SWITCH: &str = "true or false";

/// Every knob there is, in the order in which people look for them. Any other key is refused.
pub const TABLE: &[OptionRow] = &[
    OptionRow {
        name: "timeout_s",
        kind: "integer, 10 to 14400",
        default: "1800",
        meaning: "Deadline of the run in seconds of awake time; waiting for a free slot does not count.",
    },
    OptionRow {
        name: "budget_tokens",
        kind: "integer, 1000 to 100000000",
        default: "none",
        meaning: "Tokens of the run, input (cached ones too) and output; it is ended once it has used more. Not with ephemeral.",
    },
    OptionRow {
        name: "isolation",
        kind: "clean, ignore_config or ignore_rules",
        default: "clean",
        meaning: "How much of the user's own configuration of the peer takes part.",
    },
    OptionRow {
        name: "web_search",
        kind: SWITCH,
        default: "false",
        meaning: "Lets the model search the web; the user's configuration must allow it.",
    },
    OptionRow {
        name: "ephemeral",
        kind: SWITCH,
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

const ISOLATIONS: [Isolation; Isolation::NAMES.len()] =
    [Isolation::Clean, Isolation::IgnoreConfig, Isolation::IgnoreRules];
const UNTRACKED: [Untracked; Untracked::NAMES.len()] = [Untracked::Include, Untracked::Exclude];

/// Reads the knobs of a call of `tool`.
pub(crate) fn parse(tool: &str, options: Map<String, Value>) -> Result<Options, Fault> {
    let mut read = Options::default();
    for (name, value) in options {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            return Err(choice::unknown(
                tool,
                "options.",
                &name,
                TABLE.iter().map(|row| row.name),
            ));
        };
        if !value.is_null() {
            set(&mut read, row, value)?;
        }
    }
    Ok(read)
}

fn set(options: &mut Options, row: &OptionRow, value: Value) -> Result<(), Fault> {
    let field = format!("options.{}", row.name);
    match row.name {
        "timeout_s" => {
            let bounds = limits::TIMEOUT_MIN.as_secs()..=limits::TIMEOUT_MAX.as_secs();
            let seconds: Whole = typed(&field, row, value)?;
            options.timeout = Some(Duration::from_secs(seconds.within(&field, bounds)?));
        }
        "budget_tokens" => {
            let bounds = limits::BUDGET_TOKENS_MIN..=limits::BUDGET_TOKENS_MAX;
            let tokens: Whole = typed(&field, row, value)?;
            options.budget_tokens = Some(tokens.within(&field, bounds)?);
        }
        "isolation" => {
            let text: String = typed(&field, row, value)?;
            options.isolation = Some(choice::choose(&field, &text, &Isolation::NAMES, &ISOLATIONS)?);
        }
        "web_search" => options.web_search = typed(&field, row, value)?,
        "ephemeral" => options.ephemeral = typed(&field, row, value)?,
        "untracked" => {
            let text: String = typed(&field, row, value)?;
            options.untracked = choice::choose(&field, &text, &Untracked::NAMES, &UNTRACKED)?;
        }
        "language" => {
            let text: String = typed(&field, row, value)?;
            let length = text.chars().count();
            options.language = Some(short(&field, row, text, length, LANGUAGE_CHARS)?);
        }
        "instructions" => {
            let text: String = typed(&field, row, value)?;
            let length = text.len();
            options.instructions = Some(short(&field, row, text, length, INSTRUCTIONS_BYTES)?);
        }
        "idempotency_key" => {
            let text: String = typed(&field, row, value)?;
            let length = text.chars().count();
            options.idempotency_key = Some(short(&field, row, text, length, IDEMPOTENCY_KEY_CHARS)?);
        }
        // `every_knob_of_the_table_can_be_set` keeps the table and these arms equal.
        _ => {
            return Err(Fault::argument(
                field.clone(),
                format!("`{field}` is not supported"),
            ));
        }
    }
    Ok(())
}

fn typed<T: serde::de::DeserializeOwned>(field: &str, row: &OptionRow, value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|_| wrong(field, row))
}

fn short(field: &str, row: &OptionRow, text: String, length: usize, at_most: usize) -> Result<String, Fault> {
    if text.trim().is_empty() || length > at_most {
        return Err(wrong(field, row));
    }
    Ok(text)
}

fn wrong(field: &str, row: &OptionRow) -> Fault {
    Fault::argument(field, format!("`{field}` is not what it takes: {}", row.kind))
        .hint(format!("pass {}", row.kind))
}
