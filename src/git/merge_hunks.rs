//! The lines of a file on which two versions of it disagree.
//!
//! Git merges the three texts with markers that are in none of them. Where a conflict stands in the merged text is known
//! then; where that is in the present file follows from what else the merge changed.

use crate::git::command::{CHECKOUT, Output};
use crate::git::private::BIG_FILE_BYTES;
use crate::git::{GitError, Vault};
use std::fs;

/// Shortest marker, git's own.
const MARKER: usize = 7;
/// Longest marker; a text with longer rows of these characters has no lines told.
const MARKER_MAX: usize = 1000;

/// Three versions of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides {
    /// What both began with.
    pub base: Vec<u8>,
    /// The present one.
    pub ours: Vec<u8>,
    /// The other.
    pub theirs: Vec<u8>,
}

/// Returns the ranges of lines of `ours`, first and last, from 1. A conflict about lines that are not in `ours` any more is
/// the line at which they were. Nothing for what is no text.
pub(super) fn hunks(vault: &Vault, sides: &Sides) -> Result<Vec<(u32, u32)>, GitError> {
    let texts = [&sides.ours, &sides.base, &sides.theirs];
    let marker = MARKER.max(1 + texts.iter().map(|text| longest_row(text)).max().unwrap_or(0));
    let is_text = |text: &&Vec<u8>| !text.contains(&0) && text.len() as u64 <= BIG_FILE_BYTES;
    if marker > MARKER_MAX || !texts.iter().all(is_text) {
        return Ok(Vec::new());
    }
    let scratch = vault.scratch()?;
    let write = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes)
            .map_err(GitError::file("write", &path))
            .map(|()| path)
    };
    let (ours, base, theirs) = (
        write("ours", &sides.ours)?,
        write("base", &sides.base)?,
        write("theirs", &sides.theirs)?,
    );
    let output = vault
        .command("merge-file")
        .args(["-p", "-q", &format!("--marker-size={marker}"), "--"])
        .args([&ours, &base, &theirs])
        .run(&CHECKOUT)?;
    // The exit code is the number of conflicts, at most 127.
    if !matches!(output.exit_code, Some(0..=127)) {
        return Err(vault.explain("merge-file", &output));
    }
    let (settled, conflicts) = settle(&output.stdout, marker);
    if conflicts.is_empty() {
        return Ok(Vec::new());
    }
    let settled = write("settled", &settled)?;
    let output = vault
        .command("diff")
        .args([
            "--no-index",
            "--text",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
        ])
        .args(["--unified=0", "--"])
        .args([&ours, &settled])
        .run(&CHECKOUT)?;
    let moves = moves(vault, &output)?;
    let last = u32::try_from(line_count(&sides.ours)).unwrap_or(u32::MAX).max(1);
    let back = |line: u32| map_back(&moves, line).clamp(1, last);
    Ok(conflicts
        .into_iter()
        .map(|(first, count)| {
            let start = back(first);
            (
                start,
                if count == 0 {
                    start
                } else {
                    back(first + count - 1).max(start)
                },
            )
        })
        .collect())
}

/// The longest row of one character of which markers are made.
fn longest_row(text: &[u8]) -> usize {
    let mut longest = 0;
    let mut row = 0;
    let mut last = 0;
    for &byte in text {
        row = match byte {
            b'<' | b'=' | b'>' | b'|' if byte == last => row + 1,
            b'<' | b'=' | b'>' | b'|' => 1,
            _ => 0,
        };
        last = byte;
        longest = longest.max(row);
    }
    longest
}

fn line_count(text: &[u8]) -> usize {
    text.split_inclusive(|&byte| byte == b'\n').count()
}

/// Takes our side of every conflict; returns the text, and for each conflict its first line in it, from 1, and its lines.
fn settle(merged: &[u8], marker: usize) -> (Vec<u8>, Vec<(u32, u32)>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Side {
        Both,
        Ours,
        Theirs,
    }
    let is_marker = |line: &[u8], byte: u8| line.len() >= marker && line[..marker].iter().all(|b| *b == byte);
    let mut text = Vec::new();
    let mut conflicts = Vec::new();
    let (mut side, mut line_number, mut first) = (Side::Both, 1_u32, 1_u32);
    for line in merged.split_inclusive(|&byte| byte == b'\n') {
        match side {
            Side::Both if is_marker(line, b'<') => {
                side = Side::Ours;
                first = line_number;
            }
            Side::Ours if is_marker(line, b'=') => {
                side = Side::Theirs;
                conflicts.push((first, line_number - first));
            }
            Side::Theirs if is_marker(line, b'>') => side = Side::Both,
            Side::Theirs => {}
            Side::Both | Side::Ours => {
                text.extend(line);
                line_number += 1;
            }
        }
    }
    (text, conflicts)
}

/// One change between two texts: lines of the first and lines of the second, each with where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    old_lines: u32,
    new_start: u32,
    new_lines: u32,
}

fn moves(vault: &Vault, output: &Output) -> Result<Vec<Move>, GitError> {
    if !matches!(output.exit_code, Some(0 | 1)) {
        return Err(vault.explain("diff", output));
    }
    let mut moves = Vec::new();
    for line in output.stdout.split(|&byte| byte == b'\n') {
        if line.starts_with(b"@@ ") {
            moves.push(read_move(line).ok_or(GitError::Output { command: "diff" })?);
        }
    }
    Ok(moves)
}

/// Reads `@@ -1,2 +3,4 @@`, in which a count of 1 is left out.
fn read_move(line: &[u8]) -> Option<Move> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split(' ').skip(1);
    let mut range = |sign: char| {
        let word = words.next()?.strip_prefix(sign)?;
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse::<u32>().ok()?, count.parse::<u32>().ok()?))
    };
    let (_, old_lines) = range('-')?;
    let (new_start, new_lines) = range('+')?;
    Some(Move {
        old_lines,
        new_start,
        new_lines,
    })
}

/// Says where a line of the second text is in the first.
fn map_back(moves: &[Move], line: u32) -> u32 {
    let mut mapped = i64::from(line);
    for change in moves {
        // Of a change without new lines, git names the line before it.
        let end = if change.new_lines == 0 {
            change.new_start
        } else {
            change.new_start + change.new_lines - 1
        };
        if end < line {
            mapped += i64::from(change.old_lines) - i64::from(change.new_lines);
        }
    }
    u32::try_from(mapped.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_side_of_a_conflict_is_found() {
        let merged = b"0\n1\n<<<<<<<< a\nours\n<<<<<<<\n========\ntheirs\n>>>>>>>> b\n4\n<<<<<<<<\n========\nx\n>>>>>>>>\n";
        let (text, conflicts) = settle(merged, 8);
        assert_eq!(text, b"0\n1\nours\n<<<<<<<\n4\n");
        assert_eq!(conflicts, [(3, 2), (6, 0)]);
    }

    #[test]
    fn markers_are_longer_than_any_row() {
        let check = |text: &str, expected| assert_eq!(longest_row(text.as_bytes()), expected, "{text}");
        check("", 0);
        check("a<b==c", 2);
        check("=====<<<<<<<\n=", 7);
    }

    #[test]
    fn a_line_is_found_behind_what_the_merge_added() {
        let moves = [
            read_move(b"@@ -0,0 +1,2 @@").unwrap(),
            read_move(b"@@ -5,3 +6,0 @@ fn x").unwrap(),
        ];
        assert_eq!(map_back(&moves, 3), 1);
        assert_eq!(map_back(&moves, 7), 8);
        assert!(read_move(b"@@ nonsense @@").is_none());
    }
}
