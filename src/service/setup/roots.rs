//! What becomes of the user's own configuration when a folder is added to those that calls may be about. Pure.

use serde_json::Value as Json;
use toml_edit::{Array, InlineTable, Item, Table, Value};

use crate::peer::codex::servers::toml_string;
use crate::service::setup::document::{Change, Document};
use crate::service::setup::registration::{Outcome, Refused};

/// The table and its key.
const TABLE: &str = "policy";
const KEY: &str = "roots";

/// Adds a folder. `bytes` is absent for a file that does not exist.
pub fn admit(bytes: Option<&[u8]>, folder: &str) -> Result<Outcome, Refused> {
    let document = Document::parse(bytes.unwrap_or_default())?;
    let odd = || Refused::Odd("policy.roots");
    let one = format!("[{}]", toml_string(folder));
    let change = match document.root().get(TABLE) {
        None => appended(&document, &one),
        Some(Item::Table(table)) => match table.get(KEY) {
            None => in_table(&document, table, &one).ok_or_else(odd)?,
            Some(Item::Value(Value::Array(roots))) => {
                if has(roots, folder) {
                    return Ok(Outcome::Same);
                }
                in_array(roots, folder).ok_or_else(odd)?
            }
            Some(_) => return Err(odd()),
        },
        Some(Item::Value(Value::InlineTable(table))) => match table.get(KEY) {
            None => in_braces(table, &one).ok_or_else(odd)?,
            Some(Value::Array(roots)) => {
                if has(roots, folder) {
                    return Ok(Outcome::Same);
                }
                in_array(roots, folder).ok_or_else(odd)?
            }
            Some(_) => return Err(odd()),
        },
        Some(_) => return Err(odd()),
    };
    let new = document.changed(vec![change]);
    check(&document, &new, folder)?;
    Ok(Outcome::Text(new))
}

/// Returns the folders that a text admits; none means that every harmless one is.
pub fn read(bytes: &[u8]) -> Vec<String> {
    let meaning = Document::parse(bytes).map(|document| document.meaning());
    meaning.map_or_else(|_| Vec::new(), |meaning| listed(&meaning))
}

fn listed(meaning: &Json) -> Vec<String> {
    let roots = meaning.get(TABLE).and_then(|policy| policy.get(KEY));
    let roots = roots.and_then(Json::as_array).into_iter().flatten();
    roots.filter_map(Json::as_str).map(str::to_owned).collect()
}

fn has(roots: &Array, folder: &str) -> bool {
    roots.iter().any(|root| root.as_str() == Some(folder))
}

fn appended(document: &Document, value: &str) -> Change {
    let text = document.text();
    let before = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let lines = format!("{before}[{TABLE}]\n{KEY} = {value}\n");
    Change::insert(text.len(), lines.replace('\n', document.newline()))
}

fn in_table(document: &Document, table: &Table, value: &str) -> Option<Change> {
    let newline = document.newline();
    if table.is_implicit() {
        return None;
    }
    if table.is_dotted() {
        // Above the first of its lines, in the same spelling.
        let name = table.iter().next()?.0;
        let line = document.lines(&table.get_key_value(name)?.0.span()?);
        let text = format!("{TABLE}.{KEY} = {value}{newline}");
        return Some(Change::insert(line.start, text));
    }
    let at = document.lines(&table.span()?).end;
    let ends = document.text()[..at].ends_with('\n');
    let before = if ends { "" } else { newline };
    Some(Change::insert(at, format!("{before}{KEY} = {value}{newline}")))
}

fn in_array(roots: &Array, folder: &str) -> Option<Change> {
    let folder = toml_string(folder);
    Some(match roots.iter().last() {
        Some(last) => Change::insert(last.span()?.end, format!(", {folder}")),
        None => Change::insert(roots.span()?.start + 1, folder),
    })
}

fn in_braces(table: &InlineTable, value: &str) -> Option<Change> {
    // Behind the opening brace, so that no key of a spelling that has no place is looked at.
    let comma = if table.is_empty() { " " } else { "," };
    let at = table.span()?.start + 1;
    Some(Change::insert(at, format!(" {KEY} = {value}{comma}")))
}

fn check(before: &Document, after: &[u8], folder: &str) -> Result<(), Refused> {
    let after = Document::parse(after).map_err(|_| Refused::Wrong)?;
    let (mut old, mut new) = (before.meaning(), after.meaning());
    let mut wanted = listed(&old);
    wanted.push(folder.to_owned());
    if listed(&new) != wanted {
        return Err(Refused::Wrong);
    }
    for meaning in [&mut old, &mut new] {
        let policy = meaning.get_mut(TABLE).and_then(Json::as_object_mut);
        let is_empty = policy.is_none_or(|policy| {
            policy.shift_remove(KEY);
            policy.is_empty()
        });
        if is_empty && let Some(all) = meaning.as_object_mut() {
            all.shift_remove(TABLE);
        }
    }
    if old == new { Ok(()) } else { Err(Refused::Wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_added_once_and_nothing_else_changes() {
        let check = |text: &str, expected: &str| {
            let new = admit(Some(text.as_bytes()), "/w");
            assert_eq!(new, Ok(Outcome::Text(expected.as_bytes().to_vec())), "{text}");
            assert_eq!(
                admit(Some(expected.as_bytes()), "/w"),
                Ok(Outcome::Same),
                "{text}"
            );
            assert!(read(expected.as_bytes()).contains(&"/w".to_owned()));
        };
        check("", "[policy]\nroots = [\"/w\"]\n");
        check("# c\r\n", "# c\r\n\r\n[policy]\r\nroots = [\"/w\"]\r\n");
        check("a = 1", "a = 1\n\n[policy]\nroots = [\"/w\"]\n");
        check("[policy] # p", "[policy] # p\nroots = [\"/w\"]\n");
        check("[policy]\n[b]\n", "[policy]\nroots = [\"/w\"]\n[b]\n");
        check("[policy]\nroots = []\n", "[policy]\nroots = [\"/w\"]\n");
        check(
            "[policy]\nroots = [\n  '/v', # mine\n]\n",
            "[policy]\nroots = [\n  '/v', \"/w\", # mine\n]\n",
        );
        check("policy.roots = ['/v']\n", "policy.roots = ['/v', \"/w\"]\n");
        check(
            "policy = { roots = ['/v'] }\n",
            "policy = { roots = ['/v', \"/w\"] }\n",
        );
        check("policy = {}\n", "policy = { roots = [\"/w\"] }\n");
        assert_eq!(
            admit(Some(b"policy = 1"), "/w"),
            Err(Refused::Odd("policy.roots"))
        );
        assert_eq!(
            admit(Some(b"[policy]\nroots = '/v'"), "/w"),
            Err(Refused::Odd("policy.roots"))
        );
    }
}
