//! A text of TOML with the places of its keys, and changes to it that leave every other byte alone.
//!
//! The parser says where things stand; the text itself is only ever cut and filled at such places. So comments, order,
//! quoting, line ends and a byte order mark stay what they were, which writing a parsed document anew does not promise.

use std::ops::Range;

use serde_json::{Map, Value as Json};
use thiserror::Error;
use toml_edit::{Document as Parsed, Item, Value};

use crate::peer::codex::servers::toml_string;

/// The byte order mark, which the parser does not see.
const MARK: char = '\u{feff}';

/// Columns of a line of an array.
const COLUMNS: usize = 100;

/// Why a text is not worked on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// It is no TOML. The parser's own words may repeat what was written, which may be a secret.
    #[error("line {line} is no valid TOML")]
    Syntax {
        /// The line, from 1.
        line: usize,
    },
}

/// A text of TOML.
#[derive(Debug)]
pub(super) struct Document {
    /// Whether it begins with a byte order mark.
    marked: bool,
    parsed: Parsed<String>,
}

impl Document {
    /// Reads a text.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Encoding)?;
        let plain = text.strip_prefix(MARK).unwrap_or(text);
        let parsed = Parsed::parse(plain.to_owned()).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(plain.len());
            let before = String::from_utf8_lossy(&plain.as_bytes()[..at]);
            Unreadable::Syntax {
                line: 1 + before.matches('\n').count(),
            }
        })?;
        Ok(Self {
            marked: plain.len() < text.len(),
            parsed,
        })
    }

    /// Returns the text without its mark; the places of keys are places in it.
    pub(super) fn text(&self) -> &str {
        self.parsed.raw()
    }

    /// Returns its top table.
    pub(super) fn root(&self) -> &toml_edit::Table {
        self.parsed.as_table()
    }

    /// Returns how its lines end: as the first one does.
    pub(super) fn newline(&self) -> &'static str {
        match self.text().split_once('\n') {
            Some((first, _)) if first.ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// Returns what the text says.
    pub(super) fn meaning(&self) -> Json {
        Json::Object(table(self.root()))
    }

    /// Returns the whole lines that a range touches, with the end of the last one.
    pub(super) fn lines(&self, range: &Range<usize>) -> Range<usize> {
        let text = self.text();
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[range.end..]
            .find('\n')
            .map_or(text.len(), |at| range.end + at + 1);
        start..end
    }

    /// Returns the text with these changes, which do not overlap, as bytes.
    pub(super) fn changed(&self, mut changes: Vec<Change>) -> Vec<u8> {
        changes.sort_by_key(|change| (change.place.start, change.place.end));
        let text = self.text();
        let mut new = String::with_capacity(text.len() + 1024);
        if self.marked {
            new.push(MARK);
        }
        let mut at = 0;
        for change in changes {
            // Two cuts that touch are one.
            let start = change.place.start.max(at);
            new.push_str(&text[at..start]);
            new.push_str(&change.text);
            at = change.place.end.max(at);
        }
        new.push_str(&text[at..]);
        new.into_bytes()
    }
}

/// What stands in a place from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The bytes that go.
    pub(super) place: Range<usize>,
    /// What comes.
    pub(super) text: String,
}

impl Change {
    /// Something new at this place.
    pub(super) fn insert(at: usize, text: String) -> Self {
        Self { place: at..at, text }
    }

    /// Takes something away.
    pub(super) fn cut(place: Range<usize>) -> Self {
        Self {
            place,
            text: String::new(),
        }
    }
}

/// Returns what an item says.
pub(super) fn meaning(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => of_value(value),
        Item::Table(inner) => Json::Object(table(inner)),
        Item::ArrayOfTables(tables) => tables.iter().map(|inner| Json::Object(table(inner))).collect(),
    }
}

fn table(table: &toml_edit::Table) -> Map<String, Json> {
    let keys = table.iter();
    keys.map(|(key, item)| (key.to_owned(), meaning(item))).collect()
}

fn of_value(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::String(text.value().clone()),
        Value::Integer(number) => Json::from(*number.value()),
        Value::Float(number) => Json::from(*number.value()),
        Value::Boolean(flag) => Json::Bool(*flag.value()),
        // Enough to tell two of them apart, which is all that is done with one.
        Value::Datetime(time) => Json::String(time.value().to_string()),
        Value::Array(items) => items.iter().map(of_value).collect(),
        Value::InlineTable(inner) => inner
            .iter()
            .map(|(key, value)| (key.to_owned(), of_value(value)))
            .collect(),
    }
}

/// Writes texts as an array of TOML on one line.
pub(super) fn array(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| toml_string(text)).collect();
    format!("[{}]", items.join(", "))
}

/// Writes texts as an array of TOML on as few lines as are read with ease.
pub(super) fn filled(texts: &[String]) -> String {
    let mut out = String::from("[\n");
    let mut line = String::from(" ");
    for text in texts {
        let item = format!(" {},", toml_string(text));
        if line.len() + item.len() > COLUMNS && line.len() > 1 {
            out.push_str(&line);
            out.push('\n');
            line = String::from(" ");
        }
        line.push_str(&item);
    }
    if line.len() > 1 {
        out.push_str(&line);
        out.push('\n');
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_read_names_its_line_and_nothing_of_it() {
        let check = |bytes: &[u8], expected: &str| {
            let error = Document::parse(bytes).unwrap_err();
            assert_eq!(error.to_string(), expected, "{}", String::from_utf8_lossy(bytes));
        };
        check(b"a = 1\nb = \n", "line 2 is no valid TOML");
        check(b"a = 1\r\n\r\na = 2\r\n", "line 3 is no valid TOML");
        check(
            "\u{feff}a = 1\nkey = 'sk-secret".as_bytes(),
            "line 2 is no valid TOML",
        );
        check(b"\xff\xfe", "it is not UTF-8");
    }

    #[test]
    fn a_text_means_what_it_says() {
        let document = Document::parse(b"a.b = [1, {c = 'd'}]\n[[e]]\nf = true\n").unwrap();
        assert_eq!(
            document.meaning(),
            json!({"a": {"b": [1, {"c": "d"}]}, "e": [{"f": true}]})
        );
    }

    proptest! {
        #[test]
        fn any_text_is_quoted_so_that_it_is_read_back(text in "\\PC*|[\\x00-\\x7f\u{80}-\u{9f}]*") {
            let document = Document::parse(format!("a = {}", toml_string(&text)).as_bytes()).unwrap();
            prop_assert_eq!(document.meaning(), json!({"a": text}));
        }
    }
}
