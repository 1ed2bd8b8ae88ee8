//! The rare knobs of a paid call: the table of what callers may write, which `status topic=options` shows, and the one
//! strict way in that both doors use.
//!
//! A closed schema of them would cost every session more context than the knobs are worth, so the fault for an unknown
//! key lists the keys instead.

mod table;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::is_inside;
use crate::domain::delegation::CHECK_BYTES;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{Options, Untracked};
use crate::domain::runner::RunnerName;
use crate::domain::tier::Isolation;
use crate::service::choice;
use crate::service::options::table::{INSTEAD, PROFILES};
pub use crate::service::options::table::{LIST, OptionRow, SWITCH, TABLE};
use crate::service::whole::Whole;

/// What a run may be allowed to cost in US dollars: no model answers for less, and no single run should take more.
const BUDGET_USD: std::ops::RangeInclusive<f64> = 0.01..=1000.0;
/// The most turns that can be asked for; a run that needs more should be several.
const MAX_TURNS_MAX: u64 = 1000;
/// Folders of `options.roots`.
pub const ROOTS_MAX: usize = 5;
/// Characters of `options.group`.
pub const GROUP_CHARS: usize = 64;
/// Characters of `options.language`: a name, not a text.
pub const LANGUAGE_CHARS: usize = 64;
/// Bytes of `options.instructions`: a page. More belongs into the prompt.
pub const INSTRUCTIONS_BYTES: usize = 4096;
/// Characters of `options.idempotency_key`: room for any id in use, and short enough to store.
pub const IDEMPOTENCY_KEY_CHARS: usize = 200;
/// Bytes of `options.setup`: a line, as long as a check.
pub const SETUP_BYTES: usize = CHECK_BYTES;
/// Folders of `options.reuse`.
pub const REUSE_MAX: usize = 10;
/// Most that `options.max_files` can be: a change that nobody reads needs no bound.
pub const MAX_FILES_MAX: u64 = 10_000;
/// Entries of `options.allow_commands`.
pub const COMMANDS_MAX: usize = 50;
/// Characters of one entry of `options.allow_commands`: a command's beginning, not a script.
pub const COMMAND_CHARS: usize = 100;

const ISOLATIONS: [Isolation; Isolation::NAMES.len()] =
    [Isolation::Clean, Isolation::IgnoreConfig, Isolation::IgnoreRules];
const UNTRACKED: [Untracked; Untracked::NAMES.len()] = [Untracked::Include, Untracked::Exclude];

/// Reads the knobs of a call of `tool`.
pub(crate) fn parse(tool: &str, options: Map<String, Value>) -> Result<Options, Fault> {
    let mut read = Options::default();
    for (name, value) in options {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            if let Some((_, why)) = INSTEAD.iter().find(|(known, _)| *known == name) {
                let field = format!("options.{name}");
                return Err(
                    Fault::argument(field.clone(), format!("there is no `{field}`: {why}"))
                        .hint("leave it out; status topic=options lists what there is"),
                );
            }
            let known = TABLE.iter().filter(|row| row.tools.contains(&tool));
            return Err(choice::unknown(
                tool,
                "options.",
                &name,
                known.map(|row| row.name),
            ));
        };
        if !row.tools.contains(&tool) {
            return Err(misplaced(tool, row));
        }
        if !value.is_null() {
            set(&mut read, row, value)?;
        }
    }
    Ok(read)
}

/// Refuses a knob that would change nothing: whoever sets it believes that it does.
fn misplaced(tool: &str, row: &OptionRow) -> Fault {
    let field = format!("options.{}", row.name);
    let known = TABLE.iter().filter(|row| row.tools.contains(&tool));
    Fault::argument(field.clone(), format!("`{field}` means nothing to {tool}"))
        .allowing(known.map(|row| row.name))
        .hint(format!(
            "leave it out; it is a knob of {}",
            row.tools.join(" and ")
        ))
}

#[expect(
    clippy::too_many_lines,
    reason = "a table, one arm for each knob in its order"
)]
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
        "budget_usd" => {
            let usd: f64 = typed(&field, row, value)?;
            options.budget_microusd = Some(microusd(usd).ok_or_else(|| wrong(&field, row))?);
        }
        "max_turns" => {
            let turns: Whole = typed(&field, row, value)?;
            let turns = turns.within(&field, 1..=MAX_TURNS_MAX)?;
            options.max_turns = u32::try_from(turns).ok();
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
        "setup" => {
            let text: String = typed(&field, row, value)?;
            let length = if text.contains('\0') {
                usize::MAX
            } else {
                text.len()
            };
            options.setup = Some(short(&field, row, text, length, SETUP_BYTES)?);
        }
        "reuse" => {
            let paths: Vec<String> = typed(&field, row, value)?;
            if paths.len() > REUSE_MAX || !paths.iter().all(|path| is_inside(path)) {
                return Err(wrong(&field, row));
            }
            options.reuse = Some(paths);
        }
        "max_files" => {
            let files: Whole = typed(&field, row, value)?;
            let files = files.within(&field, 1..=MAX_FILES_MAX)?;
            options.max_files = u32::try_from(files).ok();
        }
        "max_parts" => {
            let parts: Whole = typed(&field, row, value)?;
            let parts = parts.within(&field, 1..=u64::from(limits::REVIEW_PARTS_MAX))?;
            options.max_parts = u32::try_from(parts).ok();
        }
        "allow_commands" => {
            let texts: Vec<String> = typed(&field, row, value)?;
            let fits = |text: &String| !text.trim().is_empty() && text.chars().count() <= COMMAND_CHARS;
            if texts.len() > COMMANDS_MAX || !texts.iter().all(fits) {
                return Err(wrong(&field, row));
            }
            options.allow_commands.extend(texts);
        }
        "profile" => {
            let text: String = typed(&field, row, value)?;
            let at = PROFILES.iter().position(|(name, _)| *name == text);
            let lists = &PROFILES[..=at.ok_or_else(|| wrong(&field, row))?];
            let commands = lists.iter().flat_map(|(_, commands)| commands.iter());
            options
                .allow_commands
                .extend(commands.map(|command| (*command).to_owned()));
        }
        "fork" => options.fork = typed(&field, row, value)?,
        "roots" => {
            let paths: Vec<PathBuf> = typed(&field, row, value)?;
            if paths.len() > ROOTS_MAX || !paths.iter().all(|path| path.is_absolute()) {
                return Err(wrong(&field, row));
            }
            options.roots = paths;
        }
        "group" => {
            let text: String = typed(&field, row, value)?;
            if !is_group(&text) {
                return Err(wrong(&field, row));
            }
            options.group = Some(text);
        }
        "supersedes" => {
            let text: String = typed(&field, row, value)?;
            options.supersedes = Some(text.parse().map_err(|_| wrong(&field, row))?);
        }
        "since" => {
            let text: String = typed(&field, row, value)?;
            options.since = Some(text.parse().map_err(|_| wrong(&field, row))?);
        }
        "concurrency" => {
            let slots: Whole = typed(&field, row, value)?;
            let slots = slots.within(&field, 1..=limits::CONCURRENCY_MAX as u64)?;
            options.concurrency = usize::try_from(slots).ok();
        }
        "runner" => {
            let text: String = typed(&field, row, value)?;
            options.runner = choice::choose(&field, &text, &RunnerName::NAMES, &RunnerName::ALL)?;
        }
        "network" => options.network = typed(&field, row, value)?,
        "in_place" => options.in_place = typed(&field, row, value)?,
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

/// Tells whether a text can be a label of a caller's.
pub(crate) fn is_group(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=GROUP_CHARS).contains(&text.len()) && text.chars().all(fits)
}

/// Reads an amount of US dollars as millionths; `None` outside of the bounds.
fn microusd(usd: f64) -> Option<u64> {
    if !BUDGET_USD.contains(&usd) {
        return None;
    }
    // Rounded by its text: the digits that were written count, not the nearest fraction of two.
    format!("{usd:.6}").replace('.', "").parse().ok()
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
