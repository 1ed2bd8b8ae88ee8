//! The live view of jobs: rows become a picture that is redrawn in place, or lines for who cannot redraw. Pure.

use std::fmt::Write as _;

use crate::cli::render::page::{Page, Style, one_line};
use crate::domain::job::JobState;
use crate::domain::time::rfc3339;

/// Columns from which a job has one line; below, what it does stands on a second one.
const ONE_LINE: usize = 60;
/// Columns of the kind, the state, the time and the tokens.
const KIND: usize = 7;
const STATE: usize = 9;
const TIME: usize = 7;
const TOKENS: usize = 6;
/// Between two columns.
const GAP: usize = 2;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Enough of its id to name it.
    pub(crate) id: String,
    /// Its kind.
    pub(crate) kind: &'static str,
    /// Its state.
    pub(crate) state: JobState,
    /// How long it waits, runs or ran, in milliseconds.
    pub(crate) time_ms: u64,
    /// Its tokens so far, where anybody knows them.
    pub(crate) tokens: Option<u64>,
    /// What it does, or what came of it, and what it is about.
    pub(crate) doing: String,
}

/// How much a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns of a line.
    pub(crate) width: usize,
    /// Lines.
    pub(crate) height: usize,
}

/// What is drawn, and how wide each line is, so that it can be found again after the terminal was made narrower.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The text.
    pub(crate) page: Page,
    /// Columns of each line; a wide character counts two, and one that may be wide too.
    pub(crate) columns: Vec<usize>,
}

impl Picture {
    fn push(&mut self, parts: &[(Style, &str)]) {
        // A line that fills its last column makes some terminals begin another one.
        let mut room = self.page.width().saturating_sub(1);
        let whole = room;
        let mut kept = Vec::new();
        for (style, text) in parts {
            let text = cell(text, room);
            room -= columns(&text);
            kept.push((*style, text));
        }
        let parts: Vec<(Style, &str)> = kept.iter().map(|(style, text)| (*style, text.as_str())).collect();
        self.page.parts(&parts);
        self.columns.push(whole - room);
    }
}

/// Draws the jobs so that they fit. Those that are over make room for those that are not, the oldest first.
pub(crate) fn picture(rows: &[Row], size: Size, colour: bool) -> Picture {
    let mut picture = Picture {
        page: Page::new(size.width, colour),
        columns: Vec::new(),
    };
    let wide = size.width >= ONE_LINE;
    // The line below the picture is the cursor's, the last of the picture says how many there are.
    let lines = size.height.saturating_sub(2 + usize::from(wide));
    let shown = shown(rows, if wide { lines } else { lines / 2 }.max(1));
    let id = shown.iter().map(|row| row.id.len()).max().unwrap_or(0);
    let tokens = shown.iter().any(|row| row.tokens.is_some());
    if wide {
        let mut heading = format!(
            "{:id$}  {:KIND$}  {:STATE$}  {:>TIME$}  ",
            "ID", "KIND", "STATE", "TIME"
        );
        if tokens {
            let _ = write!(heading, "{:>TOKENS$}  ", "TOKENS");
        }
        picture.push(&[(Style::Dim, &heading), (Style::Dim, "DOING")]);
    }
    for row in &shown {
        let name = format!("{:id$}{:GAP$}{:KIND$}{:GAP$}", row.id, "", row.kind, "");
        let state = row.state.as_str().replace('_', " ");
        let state = format!("{state:STATE$}");
        let time = format!("{:GAP$}{:>TIME$}{:GAP$}", "", clock(row.time_ms), "");
        let used = row.tokens.map(short).unwrap_or_default();
        if wide {
            let used = if tokens {
                format!("{used:>TOKENS$}{:GAP$}", "")
            } else {
                String::new()
            };
            picture.push(&[
                (Style::Plain, &name),
                (style(row.state), &state),
                (Style::Plain, &time),
                (Style::Plain, &used),
                (Style::Plain, &row.doing),
            ]);
        } else {
            let name = name.replace("  ", " ");
            let time = time.split_at(1).1;
            picture.push(&[
                (Style::Plain, &name),
                (style(row.state), &state),
                (Style::Plain, time),
            ]);
            let used = if used.is_empty() {
                used
            } else {
                format!("{used} tokens, ")
            };
            picture.push(&[
                (Style::Plain, "  "),
                (Style::Dim, &used),
                (Style::Dim, &row.doing),
            ]);
        }
    }
    let mut last = counts(rows, rows.len() - shown.len());
    let hint = "; Ctrl-C leaves, the jobs go on";
    if rows.iter().any(|row| row.state.is_active()) && last.len() + hint.len() < size.width {
        last.push_str(hint);
    }
    picture.push(&[(Style::Dim, &last)]);
    picture
}

fn shown(rows: &[Row], most: usize) -> Vec<&Row> {
    let mut hide_over = rows.len().saturating_sub(most);
    let mut shown: Vec<&Row> = rows
        .iter()
        .filter(|row| {
            let hidden = hide_over > 0 && !row.state.is_active();
            hide_over -= usize::from(hidden);
            !hidden
        })
        .collect();
    shown.truncate(most);
    shown
}

fn counts(rows: &[Row], hidden: usize) -> String {
    let count = |fits: fn(JobState) -> bool| rows.iter().filter(|row| fits(row.state)).count();
    let counts: Vec<String> = [
        (count(|state| state == JobState::Running), "running"),
        (count(|state| state == JobState::Queued), "queued"),
        (count(|state| !state.is_active()), "over"),
        (hidden, "not shown"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    counts.join(", ")
}

/// Writes one change of a job as a line: when, which, its state and what it does.
pub(crate) fn change(page: &mut Page, at_ms: u64, row: &Row) {
    let at = rfc3339(at_ms);
    let time = at.get(11..19).unwrap_or_default();
    let used = row
        .tokens
        .map(|tokens| format!(" ({} tokens)", short(tokens)))
        .unwrap_or_default();
    let state = row.state.as_str().replace('_', " ");
    page.parts(&[
        (Style::Dim, &format!("{time}  ")),
        (Style::Plain, &format!("{}  {:KIND$}  ", row.id, row.kind)),
        (style(row.state), &format!("{state:STATE$}")),
        (Style::Plain, &format!("  {}{used}", row.doing)),
    ]);
}

fn style(state: JobState) -> Style {
    match state {
        JobState::Queued => Style::Dim,
        JobState::Running => Style::Bold,
        JobState::Succeeded => Style::Green,
        JobState::Cancelled => Style::Yellow,
        JobState::Failed | JobState::TimedOut | JobState::Lost => Style::Red,
    }
}

/// Returns a text as one line of at most so many columns in which nothing moves the cursor.
fn cell(text: &str, room: usize) -> String {
    let line = one_line(text).replace('\t', " ");
    if columns(&line) <= room {
        return line;
    }
    let (mut kept, mut used) = (String::new(), 0);
    for character in line.chars() {
        used += width(character);
        // The sign that something is missing needs two, as it does where it is drawn wide.
        if used + 2 > room {
            break;
        }
        kept.push(character);
    }
    if room >= 2 {
        kept.push('…');
    }
    kept
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Returns the most columns that a terminal may give a character. Terminals differ; too much only wastes room.
fn width(character: char) -> usize {
    if u32::from(character) < 0x1100 { 1 } else { 2 }
}

/// Writes a time as a clock that runs.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Writes a number of tokens in at most six columns.
fn short(tokens: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", tokens / unit, tokens % unit * 10 / unit);
    match tokens {
        0..1000 => tokens.to_string(),
        1000..1_000_000 => format!("{}k", tenths(1000)),
        _ => format!("{}M", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(id: &str, state: JobState, time_ms: u64, tokens: Option<u64>, doing: &str) -> Row {
        Row {
            id: id.to_owned(),
            kind: if id.ends_with('r') { "review" } else { "consult" },
            state,
            time_ms,
            tokens,
            doing: doing.to_owned(),
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(
                "01k9zt3r",
                JobState::Succeeded,
                252_000,
                Some(1_250_000),
                "what differs from HEAD",
            ),
            row(
                "01k9zt4c",
                JobState::Running,
                62_500,
                Some(12_499),
                "running cargo test --all --no-fail-fast: 設計は安全ですか、それとも危険ですか",
            ),
            row(
                "01k9zt5c",
                JobState::Running,
                3_725_000,
                None,
                "thinking: tab\there \u{1b}[2J and\nthere",
            ),
            row(
                "01k9zt6r",
                JobState::TimedOut,
                600_000,
                Some(999),
                "the staged changes",
            ),
            row(
                "01k9zt7r",
                JobState::Queued,
                900,
                None,
                "waiting for a free slot: staged",
            ),
        ]
    }

    fn text(picture: &Picture) -> &str {
        std::str::from_utf8(picture.page.as_bytes()).unwrap()
    }

    #[test]
    fn the_picture_fits_its_terminal() {
        for (width, height) in [(80, 24), (120, 24), (40, 15), (40, 6), (80, 5), (30, 24)] {
            let picture = picture(&rows(), Size { width, height }, false);
            insta::assert_snapshot!(format!("watch_{width}x{height}"), text(&picture));
        }
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let size = Size {
            width: 80,
            height: 24,
        };
        let (plain, colour) = (picture(&rows(), size, false), picture(&rows(), size, true));
        let mut stripped = text(&colour).to_owned();
        for code in ["0", "1", "2", "32", "33", "1;31"] {
            stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
        }
        let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, text(&plain).lines().collect::<Vec<_>>());
        assert_eq!(plain.columns, colour.columns);
    }

    #[test]
    fn a_change_is_one_line() {
        let mut page = Page::new(40, false);
        for row in rows() {
            change(&mut page, 1_795_244_455_000, &row);
        }
        insta::assert_snapshot!("watch_changes", std::str::from_utf8(page.as_bytes()).unwrap());
    }

    #[test]
    fn numbers_are_short() {
        let check = |tokens, expected: &str| assert_eq!(short(tokens), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1.0k");
        check(999_999, "999.9k");
        check(1_250_000, "1.2M");
        assert_eq!(clock(59_999), "0:59");
        assert_eq!(clock(3_600_000), "1:00:00");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_layout(doing in any::<String>(), width in 1usize..130, height in 1usize..12, jobs in 0usize..9) {
            let rows = vec![row("01k9zt3r", JobState::Running, 1, Some(7), &doing); jobs];
            let picture = picture(&rows, Size { width, height }, false);
            let lines: Vec<&str> = text(&picture).lines().collect();
            prop_assert_eq!(lines.len(), picture.columns.len());
            prop_assert!(lines.len() < height.max(5));
            for line in lines {
                prop_assert!(columns(line) < width.max(2), "{}: {}", width, line);
                prop_assert!(line.chars().all(|c| !c.is_control()));
            }
        }
    }
}
