//! Where an entry of a table of tables stands in a text, whichever of TOML's spellings it has.

use std::ops::Range;

use serde_json::Value as Json;
use toml_edit::{InlineTable, Item, Table, Value};

use crate::service::setup::document::{Document, meaning};

/// An entry as it stands in a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// What it says.
    pub(super) meaning: Json,
    /// How it is spelled.
    pub(super) spelling: Spelling,
    /// What has to go when it goes. Whole lines, unless it stands within a line.
    pub(super) ranges: Vec<Range<usize>>,
}

/// How an entry is spelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Spelling {
    /// A table with a header of its own.
    Header {
        /// Where the lines after the header begin.
        body: usize,
        /// The values that stand in it, by key.
        values: Vec<(String, Range<usize>)>,
    },
    /// As dotted keys, or as a table in braces on lines of its own.
    Lines,
    /// Within the braces of a table around it.
    Within,
}

/// What was found under the name of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// No entry of that name; a table of it may be added at the end.
    Absent,
    /// No entry of that name; one may be added at this place, within braces.
    AbsentWithin {
        /// Where.
        at: usize,
        /// Whether something stands before it.
        follows: bool,
    },
    /// An entry.
    Entry(Place),
    /// The outer name is something else than a table, or spelled in a way that cannot be worked on.
    Odd,
}

/// Looks for `name` in the table `outer`.
pub(super) fn find(document: &Document, outer: &str, name: &str) -> Found {
    match document.root().get(outer) {
        None => Found::Absent,
        Some(Item::Table(table)) => match table.get_key_value(name) {
            None => Found::Absent,
            Some((key, item)) => among_lines(document, key.span(), item).map_or(Found::Odd, Found::Entry),
        },
        Some(Item::Value(Value::InlineTable(table))) => within(table, name).unwrap_or(Found::Odd),
        Some(_) => Found::Odd,
    }
}

fn among_lines(document: &Document, key: Option<Range<usize>>, item: &Item) -> Option<Place> {
    let mut ranges = Vec::new();
    let spelling = match item {
        Item::Value(value) => {
            ranges.push(document.lines(&(key?.start..value.span()?.end)));
            Spelling::Lines
        }
        Item::Table(table) => {
            whole(document, table, &mut ranges)?;
            if has_header(table) {
                let body = document.lines(&table.span()?).end;
                let values = table.iter().filter_map(|(key, item)| {
                    let value = item.as_value()?;
                    Some((key.to_owned(), value.span()?))
                });
                Spelling::Header {
                    body,
                    values: values.collect(),
                }
            } else {
                Spelling::Lines
            }
        }
        Item::None | Item::ArrayOfTables(_) => return None,
    };
    Some(Place {
        meaning: meaning(item),
        spelling,
        ranges,
    })
}

fn has_header(table: &Table) -> bool {
    !table.is_implicit() && !table.is_dotted()
}

/// Collects the lines of a table and of everything below it.
fn whole(document: &Document, table: &Table, ranges: &mut Vec<Range<usize>>) -> Option<()> {
    let mut own = Vec::new();
    let mut further = Vec::new();
    leaves(table, &mut own, &mut further)?;
    if has_header(table) {
        // With the comments between its lines.
        let mut range = document.lines(&table.span()?);
        for leaf in own {
            range.end = range.end.max(document.lines(&leaf).end);
        }
        ranges.push(range);
    } else {
        ranges.extend(own.iter().map(|leaf| document.lines(leaf)));
    }
    for table in further {
        whole(document, table, ranges)?;
    }
    Some(())
}

/// Collects the lines that stand below a table's own header, and the tables below it that have one.
fn leaves<'a>(table: &'a Table, own: &mut Vec<Range<usize>>, further: &mut Vec<&'a Table>) -> Option<()> {
    for (name, item) in table {
        match item {
            Item::None => {}
            Item::Value(value) => {
                let key = table.get_key_value(name)?.0.span()?;
                own.push(key.start..value.span()?.end);
            }
            Item::Table(inner) if inner.is_dotted() => leaves(inner, own, further)?,
            Item::Table(inner) => further.push(inner),
            Item::ArrayOfTables(tables) => further.extend(tables.iter()),
        }
    }
    Some(())
}

fn within(table: &InlineTable, name: &str) -> Option<Found> {
    let mut before: Option<Range<usize>> = None;
    let mut found: Option<(Range<usize>, &Value)> = None;
    let mut after = None;
    for (key, value) in table {
        // The place of a dotted key is that of its last part alone.
        if value.as_inline_table().is_some_and(InlineTable::is_dotted) {
            return None;
        }
        let span = table.get_key_value(key)?.0.span()?.start..value.span()?.end;
        if key == name {
            found = Some((span, value));
        } else if found.is_none() {
            before = Some(span);
        } else if after.is_none() {
            after = Some(span);
        }
    }
    let Some((span, value)) = found else {
        let at = before
            .as_ref()
            .map_or(table.span()?.start + 1, |before| before.end);
        let follows = before.is_some();
        return Some(Found::AbsentWithin { at, follows });
    };
    let range = match (before, after) {
        (Some(before), _) => before.end..span.end,
        (None, Some(after)) => span.start..after.start,
        (None, None) => span,
    };
    Some(Found::Entry(Place {
        meaning: meaning(&Item::Value(value.clone())),
        spelling: Spelling::Within,
        ranges: vec![range],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::setup::document::Change;

    #[test]
    fn an_entry_is_found_in_every_spelling_and_goes_without_the_rest() {
        let check = |text: &str, expected: &str| {
            let document = Document::parse(text.as_bytes()).unwrap();
            let Found::Entry(place) = find(&document, "s", "x") else {
                panic!("{text}");
            };
            assert!(
                place.meaning.get("a").is_some() || place.meaning.get("t").is_some(),
                "{text}"
            );
            let cuts = place.ranges.into_iter().map(Change::cut).collect();
            let left = document.changed(cuts);
            assert_eq!(String::from_utf8(left).unwrap(), expected, "{text}");
        };
        check("[s.x]\na = 1\n", "");
        check(
            "b = 1 # c\n[s.x]\n# d\na = [ 1,\n 2 ] # e\n\n[f]\n",
            "b = 1 # c\n\n[f]\n",
        );
        check("[s]\nx = { a = 1 }\ny = 2", "[s]\ny = 2");
        check("[s]\nx.a = 1\n x . \"b\" . c = 2\ny.a = 1\n", "[s]\ny.a = 1\n");
        check("s.x.a = 1\ns.y.a = 2\n", "s.y.a = 2\n");
        check("\"s\" . 'x'.a = 1\n", "");
        check("[s.x]\na = 1\n[s.y]\n[s.x.b]\nc = 1\n[s.x.d.e]\nf = 1", "[s.y]\n");
        check("[s.x.t]\na = 1\n[b]\n", "[b]\n");
        check("[s.x]\na = 1\n[[s.x.b]]\nc = 1\n[[s.x.b]]\nc = 2\n[d]\n", "[d]\n");
        check("[s.x]\na = '''\n[no]\n'''\n", "");
        check("s = { x = { a = 1 } }", "s = {  }");
        check("s = { x = { a = 1 }, y = 2 }", "s = { y = 2 }");
        check("s = { y = 2, x = { a = 1 } }", "s = { y = 2 }");
        check("s = { y = 2, x = { a = 1 }, z = 3 }", "s = { y = 2, z = 3 }");
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_what_cannot_be_worked_on() {
        let check = |text: &str, expected: Found| {
            let document = Document::parse(text.as_bytes()).unwrap();
            assert_eq!(find(&document, "s", "x"), expected, "{text}");
        };
        check("", Found::Absent);
        check("[s]\ny = 1", Found::Absent);
        check("s.y = 1", Found::Absent);
        check(
            "s = {}",
            Found::AbsentWithin {
                at: 5,
                follows: false,
            },
        );
        check(
            "s = { y = 1 }",
            Found::AbsentWithin {
                at: 11,
                follows: true,
            },
        );
        check("s = 1", Found::Odd);
        check("[[s]]", Found::Odd);
        check("s = { x.a = 1 }", Found::Odd);
        check("[[s.x]]", Found::Odd);
    }
}
