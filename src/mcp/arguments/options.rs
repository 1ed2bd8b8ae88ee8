//! The rare knobs: one plain object on the wire, checked strictly here.
//!
//! A closed schema of it would cost every session more context than the knobs are worth, so the fault for an unknown
//! key lists the keys instead, and `status topic=options` explains them.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{Options, Untracked};
use crate::domain::tier::Isolation;
use crate::mcp::arguments::whole::Whole;
use crate::mcp::arguments::{choice, decode};
use crate::service::options::{IDEMPOTENCY_KEY_CHARS, INSTRUCTIONS_BYTES, LANGUAGE_CHARS};
pub use crate::service::options::{OptionRow, TABLE};

const ISOLATIONS: [Isolation; Isolation::NAMES.len()] =
    [Isolation::Clean, Isolation::IgnoreConfig, Isolation::IgnoreRules];
const UNTRACKED: [Untracked; Untracked::NAMES.len()] = [Untracked::Include, Untracked::Exclude];

/// Reads the knobs of a call of `tool`.
pub(super) fn parse(tool: &str, options: Map<String, Value>) -> Result<Options, Fault> {
    let mut read = Options::default();
    for (name, value) in options {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            return Err(decode::unknown(
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
