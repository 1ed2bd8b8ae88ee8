//! What becomes of codex's configuration when our entry is put in, brought up to date, or taken out. Pure.

use serde_json::Value as Json;
use thiserror::Error;

use crate::peer::codex::host::{PLUGINS, SERVERS, key};
use crate::peer::codex::servers::toml_string;
use crate::service::setup::document::{Change, Document, Unreadable, filled};
use crate::service::setup::entry::{Entry, NOTE, is_ours};
use crate::service::setup::place::{Found, Place, Spelling, find};

/// The first line of a file that did not exist before: with nothing else left in it, the file goes again.
const MADE: &str = "# This file was made by `crosscheck setup`.";

/// Our plugin and its marketplace.
const PLUGIN: &str = "claude@crosscheck";

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it says what it should.
    Same,
    /// This is its new text.
    Text(Vec<u8>),
    /// It goes: it was made by a set-up, and nothing else came into it.
    Gone,
}

/// Whether an entry that is not ours gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It stays, and nothing is done.
    Kept,
    /// The person said that it is replaced.
    Replaced,
}

/// Why a file stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Somebody else's entry has the name.
    #[error("there is an entry `{0}` already, and it does not start this program")]
    Foreign(String),
    /// Our entry is spelled in a way that is not brought up to date.
    #[error("the entry `{0}` is spelled in a way that is not brought up to date")]
    Spelling(String),
    /// The table of the servers is no table, or spelled in a way that cannot be worked on.
    #[error("`{0}` is spelled in a way that cannot be edited")]
    Odd(&'static str),
    /// What would be written does not say what it should. Nothing is known that leads here.
    #[error("the edited text would say something else than it should")]
    Wrong,
}

/// Puts the entry in, or brings it up to date. `bytes` is absent for a file that does not exist.
///
/// What a person added to our entry stays, and so does a longer time-out.
pub fn put_in(bytes: Option<&[u8]>, name: &str, entry: &Entry, foreign: Foreign) -> Result<Outcome, Refused> {
    let document = Document::parse(bytes.unwrap_or_default())?;
    let changes = match find(&document, SERVERS, name) {
        Found::Absent => vec![appended(&document, bytes.is_none(), name, entry)],
        Found::AbsentWithin { at, follows } => vec![Change::insert(at, member(name, entry, follows))],
        Found::Odd => return Err(Refused::Odd(SERVERS)),
        Found::Entry(place) => {
            let ours = is_ours(&place.meaning);
            match (ours, &place.spelling, foreign) {
                (true, _, _) if lacks(&place.meaning, entry).is_empty() => return Ok(Outcome::Same),
                (true, Spelling::Header { body, values }, _) => {
                    match updated(&document, &place.meaning, *body, values, entry) {
                        Some(changes) => changes,
                        None if foreign == Foreign::Replaced => replaced(&document, &place, name, entry)?,
                        None => return Err(Refused::Spelling(name.to_owned())),
                    }
                }
                (true, _, Foreign::Kept) => return Err(Refused::Spelling(name.to_owned())),
                (false, _, Foreign::Kept) => return Err(Refused::Foreign(name.to_owned())),
                (_, _, Foreign::Replaced) => replaced(&document, &place, name, entry)?,
            }
        }
    };
    let new = document.changed(changes);
    check(&document, &new, name, |now| {
        now.is_some_and(|now| is_ours(now) && lacks(now, entry).is_empty())
    })?;
    Ok(Outcome::Text(new))
}

/// Takes our entry out; one that is not ours stays.
pub fn take_out(bytes: &[u8], name: &str) -> Result<Outcome, Refused> {
    let document = Document::parse(bytes)?;
    let place = match find(&document, SERVERS, name) {
        Found::Absent | Found::AbsentWithin { .. } => return Ok(Outcome::Same),
        Found::Odd => return Err(Refused::Odd(SERVERS)),
        Found::Entry(place) if !is_ours(&place.meaning) => return Err(Refused::Foreign(name.to_owned())),
        Found::Entry(place) => place,
    };
    let new = document.changed(cuts(&document, &place));
    check(&document, &new, name, |now| now.is_none())?;
    let is_left = std::str::from_utf8(&new).is_ok_and(|text| text.trim_end() == MADE);
    Ok(if is_left {
        Outcome::Gone
    } else {
        Outcome::Text(new)
    })
}

/// Tells whether our plugin is installed and switched on.
pub fn has_plugin(bytes: &[u8]) -> bool {
    let meaning = Document::parse(bytes).map(|document| document.meaning());
    meaning.is_ok_and(|meaning| meaning[PLUGINS][PLUGIN][key::ENABLED] == true)
}

/// Reads every server of a text, in its order.
pub fn read_all(bytes: &[u8]) -> Result<Vec<(String, Json)>, Unreadable> {
    let meaning = Document::parse(bytes)?.meaning();
    let servers = meaning.get(SERVERS).and_then(Json::as_object);
    let pairs = servers.into_iter().flatten();
    Ok(pairs.map(|(name, entry)| (name.clone(), entry.clone())).collect())
}

/// Returns the keys in which an entry falls short of what is wanted.
fn lacks(entry: &Json, wanted: &Entry) -> Vec<&'static str> {
    let seconds = |key: &str| entry.get(key).and_then(Json::as_f64);
    // No time-out that anybody waits for comes near the numbers that a float cannot hold.
    #[expect(clippy::cast_precision_loss, reason = "both are some thousands of seconds")]
    let short = |key: &str, least: u64| seconds(key).is_none_or(|seconds| seconds < least as f64);
    let is = |key: &str, value: Json| entry.get(key) == Some(&value);
    let mut lacking = Vec::new();
    if !is(key::COMMAND, Json::from(wanted.command.clone())) {
        lacking.push(key::COMMAND);
    }
    if !is(key::ARGUMENTS, Json::from(wanted.arguments.clone())) {
        lacking.push(key::ARGUMENTS);
    }
    if short(key::STARTUP_TIMEOUT, wanted.startup_s) {
        lacking.push(key::STARTUP_TIMEOUT);
    }
    if short(key::TOOL_TIMEOUT, wanted.tool_s) {
        lacking.push(key::TOOL_TIMEOUT);
    }
    if !unnamed(entry, wanted).is_empty() {
        lacking.push(key::VARIABLES);
    }
    lacking
}

/// Returns the variables that an entry does not pass on.
fn unnamed(entry: &Json, wanted: &Entry) -> Vec<String> {
    let is_passed = |name: &String| {
        // A value in the entry itself is passed on too.
        let given = entry.get(key::VALUES).and_then(|values| values.get(name));
        let named = entry.get(key::VARIABLES).and_then(Json::as_array);
        given.is_some() || named.is_some_and(|names| names.iter().any(|known| known == name))
    };
    let missing = wanted.variables.iter().filter(|name| !is_passed(name));
    missing.cloned().collect()
}

fn member(name: &str, entry: &Entry, follows: bool) -> String {
    let before = if follows { ", " } else { "" };
    format!("{before}{} = {}", toml_string(name), entry.inline())
}

/// Returns the entry behind everything else, as a table of its own.
///
/// What is added has the line ends of the file, and a last line without an end where the file had none: so what is taken
/// out later leaves the bytes that were there before.
fn appended(document: &Document, is_new: bool, name: &str, entry: &Entry) -> Change {
    let text = document.text();
    let block = format!("{NOTE}\n{}", entry.toml(SERVERS, name));
    let lines = if is_new {
        format!("{MADE}\n\n{block}")
    } else if text.is_empty() {
        block
    } else if text.ends_with('\n') {
        format!("\n{block}")
    } else {
        format!("\n\n{}", block.trim_end())
    };
    Change::insert(text.len(), lines.replace('\n', document.newline()))
}

/// Returns what brings a table of ours up to date; `None` when a value in it is not what it should be made of.
fn updated(
    document: &Document,
    meaning: &Json,
    body: usize,
    values: &[(String, std::ops::Range<usize>)],
    entry: &Entry,
) -> Option<Vec<Change>> {
    let lacking = lacks(meaning, entry);
    let mut changes = Vec::new();
    let mut lines = String::new();
    for (key, value) in entry.values() {
        if !lacking.contains(&key) {
            continue;
        }
        let place = values
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, place)| place.clone());
        match place {
            None if meaning.get(key).is_some() => return None,
            None => {
                let line = [key, " = ", &value, document.newline()];
                lines.extend(line);
            }
            Some(place) if key == key::VARIABLES => {
                let known = meaning.get(key)?.as_array()?;
                let mut names: Vec<String> = Vec::new();
                for name in known {
                    names.push(name.as_str()?.to_owned());
                }
                names.extend(unnamed(meaning, entry));
                let text = filled(&names).replace('\n', document.newline());
                changes.push(Change { place, text });
            }
            Some(place) => changes.push(Change { place, text: value }),
        }
    }
    if !lines.is_empty() {
        changes.push(Change::insert(body, lines));
    }
    Some(changes)
}

/// Returns what puts our entry in the place of another one.
fn replaced(document: &Document, place: &Place, name: &str, entry: &Entry) -> Result<Vec<Change>, Refused> {
    // Cut first and looked at again: what is added depends on what is left.
    let left = document.changed(cuts(document, place));
    let without = Document::parse(&left)?;
    let added = match find(&without, SERVERS, name) {
        Found::Absent => appended(&without, false, name, entry),
        Found::AbsentWithin { at, follows } => Change::insert(at, member(name, entry, follows)),
        Found::Entry(_) | Found::Odd => return Err(Refused::Odd(SERVERS)),
    };
    let new = without.changed(vec![added]);
    let new = Document::parse(&new)?;
    let all = 0..document.text().len();
    Ok(vec![Change {
        place: all,
        text: new.text().to_owned(),
    }])
}

/// Returns the cuts that take an entry out, with what set-up had put around it.
fn cuts(document: &Document, place: &Place) -> Vec<Change> {
    let text = document.text();
    let mut ranges = place.ranges.clone();
    if let (Spelling::Header { .. }, Some(first)) = (&place.spelling, ranges.first_mut()) {
        let line_above = |at: usize| {
            let end = at.checked_sub(1)?;
            let line = document.lines(&(end..end));
            Some((
                text[line.clone()].trim_end_matches(['\n', '\r']).to_owned(),
                line.start,
            ))
        };
        if let Some((line, start)) = line_above(first.start)
            && line == NOTE
        {
            first.start = start;
            if let Some((line, start)) = line_above(first.start)
                && line.is_empty()
            {
                first.start = start;
            }
            if first.end == text.len() && !text.ends_with('\n') {
                let before = &text[..first.start];
                let before = before.strip_suffix('\n').unwrap_or(before);
                first.start = before.strip_suffix('\r').unwrap_or(before).len();
            }
        }
    }
    ranges.into_iter().map(Change::cut).collect()
}

/// Looks at what came of an edit: nothing but the entry says something else than before.
fn check(
    before: &Document,
    after: &[u8],
    name: &str,
    is_right: impl FnOnce(Option<&Json>) -> bool,
) -> Result<(), Refused> {
    let after = Document::parse(after).map_err(|_| Refused::Wrong)?;
    let (mut old, mut new) = (before.meaning(), after.meaning());
    let take = |meaning: &mut Json| {
        let servers = meaning.get_mut(SERVERS)?.as_object_mut()?;
        let entry = servers.shift_remove(name);
        if servers.is_empty()
            && let Some(all) = meaning.as_object_mut()
        {
            all.shift_remove(SERVERS);
        }
        entry
    };
    take(&mut old);
    let entry = take(&mut new);
    if old == new && is_right(entry.as_ref()) {
        Ok(())
    } else {
        Err(Refused::Wrong)
    }
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
