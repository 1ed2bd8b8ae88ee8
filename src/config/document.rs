//! A text of settings, taken apart into keys with the lines on which they stand.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::key::{self, Key};
use crate::config::problem::{Problem, TOLD, shown_key};

/// A key that is known, with its value.
pub(super) struct Entry<'a, 'i> {
    /// Which.
    pub(super) key: &'static Key,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Its value as it was written.
    pub(super) value: &'a DeValue<'i>,
}

/// Reads a text: each known key goes to `take`, and what is wrong comes back, in the order of the lines.
///
/// A text that is no TOML has no keys. Nesting beyond what a table of ours has is never followed.
pub(super) fn read(text: &str, mut take: impl FnMut(&Entry<'_, '_>) -> Result<(), String>) -> Vec<Problem> {
    let mut walk = Walk {
        line_ends: (0..text.len())
            .filter(|at| text.as_bytes()[*at] == b'\n')
            .collect(),
        problems: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(table) => walk.table("", table.get_ref(), &mut take),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            walk.problems.push(Problem {
                line: walk.line(at),
                key: None,
                // The library's own words may repeat what was written.
                message: "this is no TOML".to_owned(),
                valid: Vec::new(),
            });
        }
    }
    walk.problems.sort_by_key(|problem| problem.line);
    walk.problems.truncate(TOLD);
    walk.problems
}

struct Walk {
    /// Where each line ends, so that a text of a hundred thousand keys is not counted from its beginning for each.
    line_ends: Vec<usize>,
    problems: Vec<Problem>,
}

impl Walk {
    fn table<'i>(
        &mut self,
        path: &str,
        table: &DeTable<'i>,
        take: &mut impl FnMut(&Entry<'_, 'i>) -> Result<(), String>,
    ) {
        for (name, value) in table {
            let line = self.line(name.span().start);
            let whole = if path.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{path}.{}", name.get_ref())
            };
            // A quoted key may hold a dot; it is none of ours then.
            let known = !name.get_ref().contains('.');
            match key::find(&whole).filter(|_| known) {
                Some(key) => {
                    let value = value.get_ref();
                    if let Err(wrong) = take(&Entry { key, line, value }) {
                        self.problem(line, &whole, wrong, Vec::new());
                    }
                }
                None if known && key::is_table(&whole) => match value.get_ref() {
                    DeValue::Table(inner) => self.table(&whole, inner, take),
                    _ => self.problem(line, &whole, "must be a table", key::valid_in(&whole)),
                },
                None => {
                    self.problem(line, &whole, "is no key", key::valid_in(path));
                }
            }
        }
    }

    fn problem(&mut self, line: usize, key: &str, wrong: impl AsRef<str>, valid: Vec<&'static str>) {
        // A file may be nothing but mistakes; those on later lines are not kept.
        if self.problems.len() >= TOLD * 20 {
            return;
        }
        let key = shown_key(key);
        self.problems.push(Problem {
            line,
            message: format!("`{key}` {}", wrong.as_ref()),
            key: Some(key),
            valid,
        });
    }

    fn line(&self, at: usize) -> usize {
        self.line_ends.partition_point(|end| *end < at) + 1
    }
}

/// Returns a list of texts, each of which `admits`; nothing when the value is something else.
pub(super) fn texts(value: &DeValue<'_>, most: usize, admits: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let DeValue::Array(items) = value else {
        return None;
    };
    if items.len() > most {
        return None;
    }
    let text = |item: &Spanned<DeValue<'_>>| {
        let text = item.get_ref().as_str()?;
        admits(text).then(|| text.to_owned())
    };
    items.iter().map(text).collect()
}

/// Returns a whole number that is not negative.
pub(super) fn number(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
