//! Rows in columns. The last column gets the rest of the line and is wrapped.

use std::fmt::Write as _;

use crate::cli::render::page::{Page, Style, one_line, wrap};

/// Between two columns.
const GAP: &str = "  ";

/// The least that is left for a last column beside the others; with less it stands below them.
const BESIDE: usize = 24;

/// Writes rows below a heading; without rows it writes nothing.
pub(super) fn table(page: &mut Page, heading: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let widths: Vec<usize> = (0..heading.len().saturating_sub(1))
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(heading[column].len())
        })
        .collect();
    let before = widths.iter().map(|width| width + GAP.len()).sum::<usize>();
    let room = page.width().saturating_sub(before);
    let heading: Vec<String> = heading.iter().map(|name| (*name).to_owned()).collect();
    if heading.iter().any(|name| !name.is_empty()) {
        write(page, Style::Dim, &heading, &widths, room);
    }
    for row in &rows {
        write(page, Style::Plain, row, &widths, room);
    }
}

fn write(page: &mut Page, style: Style, row: &[String], widths: &[usize], room: usize) {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let _ = write!(line, "{cell:<width$}{GAP}");
    }
    let before = line.chars().count();
    let last = row.get(widths.len()).map_or("", String::as_str);
    if room < BESIDE && last.chars().count() > room {
        page.styled(style, &line);
        page.indented("    ", "", style, last);
        return;
    }
    for (at, piece) in wrap(last, room).iter().enumerate() {
        if at > 0 {
            line = " ".repeat(before);
        }
        line.push_str(piece);
        page.styled(style, &line);
    }
}

/// Writes facts: names on the left, values beside them. Facts without a value are left out.
pub(super) fn facts(page: &mut Page, facts: &[(&str, Option<String>)]) {
    let rows: Vec<Vec<String>> = facts
        .iter()
        .filter_map(|(name, value)| Some(vec![(*name).to_owned(), value.clone()?]))
        .collect();
    table(page, &["", ""], &rows);
}
