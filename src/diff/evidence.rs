//! Finds quoted code in the lines of a diff.

use crate::diff::patch::{Content, LineKind, Patch};
use crate::diff::text::push_shown;
use crate::domain::finding::Side;

/// A quote shorter than this must be a whole line; a longer one may be a part of it.
const FRAGMENT_CHARS: usize = 8;
/// Lines of a quote that are looked for; a place is found with fewer.
const QUOTE_LINES: usize = 12;
/// Lines of the diff that a quote may skip between two of its lines.
const SKIPPED_LINES: usize = 2;

/// One line of a diff, ready to be compared.
#[derive(Clone, Debug)]
struct Row {
    /// Its number on the old side.
    old: Option<u32>,
    /// Its number on the new side.
    new: Option<u32>,
    /// Which hunk of the searched files it stands in.
    hunk: usize,
    /// Its text as it is shown, blanks collapsed.
    text: String,
}

impl Row {
    fn number(&self, side: Side) -> Option<u32> {
        match side {
            Side::New => self.new,
            Side::Old => self.old,
        }
    }
}

/// The lines of one file's hunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows(Vec<Row>);

/// A place where a quote stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The side.
    pub side: Side,
    /// Its first line there.
    pub first: u32,
    /// Its last line there.
    pub last: u32,
    /// How many lines of the quote stand here, whole lines counted more than parts.
    pub score: u32,
    /// The text of its first line.
    pub text: String,
}

/// Lines that somebody quoted, without what does not belong to the code.
#[derive(Clone, Debug, Default)]
pub(super) struct Quote(Vec<QuoteLine>);

#[derive(Clone, Debug)]
struct QuoteLine {
    /// As quoted.
    whole: String,
    /// Without a leading `+` or `-`, which may be the diff's or the code's.
    bare: String,
}

impl Quote {
    /// Reads a quote. Prefixes of the rendered diff (`+12|`), fences and empty lines are dropped; so are lines such as
    /// `}` as long as a better one is there.
    pub(super) fn parse(evidence: &str) -> Self {
        let lines: Vec<QuoteLine> = evidence
            .lines()
            .filter(|line| !line.trim_start().starts_with("```"))
            .map(|line| {
                let whole = collapse(strip_number(line));
                let bare = collapse(whole.strip_prefix(['+', '-']).unwrap_or(&whole));
                QuoteLine { whole, bare }
            })
            .filter(|line| !line.bare.is_empty())
            .collect();
        let says_something =
            |line: &QuoteLine| line.bare.chars().filter(|c| c.is_alphanumeric()).count() >= 3;
        let telling: Vec<QuoteLine> = lines
            .iter()
            .filter(|line| says_something(line))
            .cloned()
            .collect();
        let mut lines = if telling.is_empty() { lines } else { telling };
        lines.truncate(QUOTE_LINES);
        Self(lines)
    }

    /// Returns its lines, blanks collapsed.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|line| line.bare.as_str())
    }

    /// Returns its first line, or nothing when it is empty.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.first().map(|line| line.bare.as_str())
    }
}

impl QuoteLine {
    /// Tells how well a line of the diff fits: 0 not at all, 2 as a part, 3 whole.
    fn fits(&self, text: &str) -> u32 {
        if text == self.whole || text == self.bare {
            3
        } else if self.bare.len() >= FRAGMENT_CHARS && text.contains(&self.bare) {
            2
        } else {
            0
        }
    }
}

impl Rows {
    /// Collects the lines of some files of a patch.
    pub(super) fn collect(patch: &Patch, files: &[usize]) -> Self {
        let mut rows = Vec::new();
        let mut count = 0;
        for file in files.iter().filter_map(|&index| patch.files.get(index)) {
            let Content::Text(hunks) = &file.content else {
                continue;
            };
            for hunk in hunks {
                let (mut old, mut new) = (hunk.old_start, hunk.new_start);
                for line in &hunk.lines {
                    let has_old = line.kind != LineKind::Added;
                    let has_new = line.kind != LineKind::Removed;
                    let mut shown = String::new();
                    push_shown(&mut shown, line.text.strip_suffix(b"\r").unwrap_or(&line.text));
                    rows.push(Row {
                        old: has_old.then_some(old),
                        new: has_new.then_some(new),
                        hunk: count,
                        text: collapse(&shown),
                    });
                    old = old.saturating_add(u32::from(has_old));
                    new = new.saturating_add(u32::from(has_new));
                }
                count += 1;
            }
        }
        Self(rows)
    }

    /// Tells whether a line stands in a hunk on a side, and if so returns the last line of that hunk there.
    pub(super) fn hunk_end(&self, side: Side, line: u32) -> Option<u32> {
        let row = self.0.iter().find(|row| row.number(side) == Some(line))?;
        let same_hunk = self.0.iter().filter(|other| other.hunk == row.hunk);
        same_hunk.filter_map(|row| row.number(side)).max()
    }

    /// Finds the best place of a quote: most of its lines, then the stated side, then nearest to the stated lines.
    pub(super) fn find(&self, quote: &Quote, side: Side, lines: (u32, u32)) -> Option<Hit> {
        let other = match side {
            Side::New => Side::Old,
            Side::Old => Side::New,
        };
        let mut best: Option<(Hit, bool, u32)> = None;
        for (candidate_side, is_stated) in [(side, true), (other, false)] {
            let rows: Vec<&Row> = self
                .0
                .iter()
                .filter(|row| row.number(candidate_side).is_some())
                .collect();
            // The quote begins with the first of its lines that is in the diff at all.
            let starts = (0..quote.0.len())
                .map(|skip| (skip, starts(&rows, &quote.0[skip])))
                .find(|(_, starts)| !starts.is_empty());
            let Some((skip, starts)) = starts else { continue };
            for start in starts {
                let Some(hit) = follow(&rows, start, &quote.0[skip..], candidate_side) else {
                    continue;
                };
                let distance = distance((hit.first, hit.last), lines);
                let is_better = best.as_ref().is_none_or(|(known, known_stated, known_distance)| {
                    (hit.score, is_stated, std::cmp::Reverse(distance))
                        > (known.score, *known_stated, std::cmp::Reverse(*known_distance))
                });
                if is_better {
                    best = Some((hit, is_stated, distance));
                }
            }
        }
        best.map(|(hit, _, _)| hit)
    }
}

fn starts(rows: &[&Row], line: &QuoteLine) -> Vec<usize> {
    (0..rows.len())
        .filter(|&at| line.fits(&rows[at].text) > 0)
        .collect()
}

/// Follows a quote from its first line down the same hunk.
fn follow(rows: &[&Row], start: usize, quote: &[QuoteLine], side: Side) -> Option<Hit> {
    let mut score = 0;
    let mut last = start;
    let mut next = start;
    for line in quote {
        let window = rows.iter().enumerate().skip(next).take(1 + SKIPPED_LINES);
        let found = window
            .filter(|(_, row)| row.hunk == rows[start].hunk)
            .map(|(at, row)| (at, line.fits(&row.text)))
            .find(|&(_, fits)| fits > 0);
        if let Some((at, fits)) = found {
            score += fits;
            last = at;
            next = at + 1;
        }
    }
    Some(Hit {
        side,
        first: rows.get(start)?.number(side)?,
        last: rows.get(last)?.number(side)?,
        score,
        text: rows[start].text.clone(),
    })
}

/// Lines between two ranges; 0 when they overlap.
fn distance(one: (u32, u32), other: (u32, u32)) -> u32 {
    other.0.saturating_sub(one.1).max(one.0.saturating_sub(other.1))
}

/// Drops the marker and number that the rendered diff puts before a line.
fn strip_number(line: &str) -> &str {
    let trimmed = line.trim_start();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix('|') {
        Some(code) if rest.len() < digits.len() => code,
        _ => line,
    }
}

/// Joins the words of a line with single blanks.
pub(super) fn collapse(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_freed_of_what_is_not_code() {
        let check = |evidence: &str, expected: &[&str]| {
            let lines: Vec<String> = Quote::parse(evidence)
                .0
                .into_iter()
                .map(|line| line.bare)
                .collect();
            assert_eq!(lines, expected, "{evidence}");
        };
        check("let a = 1;", &["let a = 1;"]);
        check("+12|  let a   = 1;", &["let a = 1;"]);
        check(" 12|let a = 1;\n-13|let b = 2;", &["let a = 1;", "let b = 2;"]);
        check("```rust\nlet a = 1;\n```", &["let a = 1;"]);
        check("if x {\n    yes()\n}", &["if x {", "yes()"]);
        check("}", &["}"]);
        check("- item one", &["item one"]);
        check("|| call()", &["|| call()"]);
        check("", &[]);
    }
}
