//! Reads git's own bytes into a [`Patch`].

use crate::diff::bytes::Buffer;
use crate::diff::header::{Header, read_header};
use crate::diff::patch::{ChangeKind, Content, FilePatch, Hunk, Line, LineKind, Patch};
use std::collections::BTreeSet;

/// Says where the bytes are not what git writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A raw record is not a raw record.
    #[error("record {record} of the raw list is malformed")]
    RawRecord {
        /// Its place, from 0.
        record: usize,
    },
    /// The patch holds more or fewer sections than the raw list has files.
    #[error("the raw list names {listed} sections and the patch holds {found}")]
    SectionCount {
        /// Sections that the raw list promises.
        listed: usize,
        /// Sections in the patch.
        found: usize,
    },
    /// A section's header names no file.
    #[error("the section at byte {offset} names no file")]
    NoName {
        /// Where the section begins.
        offset: usize,
    },
    /// A hunk's header is not one, or the hunk is shorter than it says.
    #[error("the hunk at byte {offset} is malformed")]
    Hunk {
        /// Where the hunk begins.
        offset: usize,
    },
}

/// One file of a raw list together with the two object ids, so that sizes can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: FilePatch,
    /// Object id before, as git writes it; all zeros when there is none or it is not known.
    pub old_oid: String,
    /// Object id after.
    pub new_oid: String,
}

/// The mode of a submodule pointer.
pub(crate) const SUBMODULE_MODE: u32 = 0o160_000;

/// Reads the output of `git diff --raw -z -p --full-index --no-abbrev`.
///
/// Names, modes and kinds come from the raw list, whose names are bytes between NULs; hunks come from the patch, whose
/// sections stand in the same order. So no file name can be mistaken for a part of the patch.
///
/// The lines share the bytes they were read from, so that a large diff is in memory once.
pub fn parse_raw_and_patch(bytes: Vec<u8>) -> Result<Vec<Entry>, ParseError> {
    let buffer = Buffer::new(bytes);
    let (mut records, patch) = read_raw(buffer.whole())?;
    let sections = read_sections(patch, &buffer)?;
    let listed = records.iter().map(Record::sections).sum();
    let found = sections.len();
    if listed != found {
        return Err(ParseError::SectionCount { listed, found });
    }
    // An unmerged path has a record without a section. When the path has another record, that one says everything.
    let said: BTreeSet<Vec<u8>> = if records.iter().any(Record::is_unmerged) {
        let merged = records.iter().filter(|record| !record.is_unmerged());
        merged.map(|record| record.new_path.clone()).collect()
    } else {
        BTreeSet::new()
    };
    records.retain(|record| !(record.is_unmerged() && said.contains(&record.new_path)));
    let mut sections = sections.into_iter();
    let entries = records.into_iter().map(|record| {
        let mut hunks = Vec::new();
        let mut is_binary = false;
        for section in sections.by_ref().take(record.sections()) {
            is_binary |= section.header.is_binary;
            hunks.extend(section.hunks);
        }
        record.into_entry(hunks, is_binary)
    });
    Ok(entries.collect())
}

/// Reads the output of `git diff -p` alone, names from its headers.
pub fn parse_patch(bytes: &[u8]) -> Result<Patch, ParseError> {
    let mut files: Vec<FilePatch> = Vec::new();
    let buffer = Buffer::new(bytes.to_vec());
    for section in read_sections(buffer.whole(), &buffer)? {
        let header = section.header;
        let (Some(old_path), Some(new_path)) = (header.old_path, header.new_path) else {
            return Err(ParseError::NoName {
                offset: section.offset,
            });
        };
        let file = FilePatch {
            content: content(header.old_mode, header.new_mode, section.hunks, header.is_binary),
            old_path,
            new_path,
            kind: header.kind,
            old_mode: header.old_mode,
            new_mode: header.new_mode,
            untracked: false,
        };
        match files.last_mut() {
            Some(last) if is_type_change(last, &file) => join_type_change(last, file),
            _ => files.push(file),
        }
    }
    Ok(Patch { files })
}

/// Git writes a file that became a symlink as a deletion and a creation of the same path, one after the other.
fn is_type_change(deleted: &FilePatch, added: &FilePatch) -> bool {
    deleted.kind == ChangeKind::Deleted
        && added.kind == ChangeKind::Added
        && deleted.new_path == added.new_path
}

fn join_type_change(file: &mut FilePatch, added: FilePatch) {
    file.kind = ChangeKind::TypeChanged;
    file.new_mode = added.new_mode;
    let removed = std::mem::replace(&mut file.content, Content::Unchanged);
    file.content = match (removed, added.content) {
        (Content::Text(mut hunks), Content::Text(more)) => {
            hunks.extend(more);
            Content::Text(hunks)
        }
        (Content::Unchanged, other) | (other, Content::Unchanged) => other,
        (Content::Submodule, _) | (_, Content::Submodule) => Content::Submodule,
        _ => Content::Binary,
    };
}

fn content(old_mode: Option<u32>, new_mode: Option<u32>, hunks: Vec<Hunk>, is_binary: bool) -> Content {
    if old_mode == Some(SUBMODULE_MODE) || new_mode == Some(SUBMODULE_MODE) {
        Content::Submodule
    } else if is_binary {
        Content::Binary
    } else if hunks.is_empty() {
        Content::Unchanged
    } else {
        Content::Text(hunks)
    }
}

/// One record of the raw list.
struct Record {
    old_mode: u32,
    new_mode: u32,
    old_oid: String,
    new_oid: String,
    status: u8,
    old_path: Vec<u8>,
    new_path: Vec<u8>,
}

impl Record {
    fn is_unmerged(&self) -> bool {
        self.status == b'U'
    }

    /// Sections that the patch has for it.
    fn sections(&self) -> usize {
        match self.status {
            b'U' => 0,
            b'T' => 2,
            _ => 1,
        }
    }

    fn into_entry(self, hunks: Vec<Hunk>, is_binary: bool) -> Entry {
        let old_mode = (self.old_mode != 0).then_some(self.old_mode);
        let new_mode = (self.new_mode != 0).then_some(self.new_mode);
        let content = if self.is_unmerged() {
            Content::Unreadable
        } else {
            content(old_mode, new_mode, hunks, is_binary)
        };
        let kind = match self.status {
            b'A' => ChangeKind::Added,
            b'D' => ChangeKind::Deleted,
            b'R' => ChangeKind::Renamed,
            b'C' => ChangeKind::Copied,
            b'T' => ChangeKind::TypeChanged,
            _ => ChangeKind::Modified,
        };
        Entry {
            file: FilePatch {
                old_path: self.old_path,
                new_path: self.new_path,
                kind,
                old_mode,
                new_mode,
                untracked: false,
                content,
            },
            old_oid: self.old_oid,
            new_oid: self.new_oid,
        }
    }
}

/// Reads the records and returns the rest behind the NUL that ends the list.
fn read_raw(bytes: &[u8]) -> Result<(Vec<Record>, &[u8]), ParseError> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while rest.first() == Some(&b':') {
        let malformed = ParseError::RawRecord {
            record: records.len(),
        };
        let Some((record, after)) = read_record(rest) else {
            return Err(malformed);
        };
        records.push(record);
        rest = after;
    }
    match rest.split_first() {
        None => Ok((records, rest)),
        Some((0, patch)) => Ok((records, patch)),
        Some(_) => Err(ParseError::RawRecord {
            record: records.len(),
        }),
    }
}

fn read_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (meta, rest) = split_at_byte(bytes, 0)?;
    let meta = std::str::from_utf8(meta.strip_prefix(b":")?).ok()?;
    let mut words = meta.split(' ');
    let old_mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let new_mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let old_oid = words.next()?.to_owned();
    let new_oid = words.next()?.to_owned();
    let status = *words.next()?.as_bytes().first()?;
    let (old_path, mut rest) = split_at_byte(rest, 0)?;
    let mut new_path = old_path;
    if matches!(status, b'R' | b'C') {
        (new_path, rest) = split_at_byte(rest, 0)?;
    }
    let record = Record {
        old_mode,
        new_mode,
        old_oid,
        new_oid,
        status,
        old_path: old_path.to_vec(),
        new_path: new_path.to_vec(),
    };
    Some((record, rest))
}

/// One `diff --git` section.
struct Section {
    offset: usize,
    header: Header,
    hunks: Vec<Hunk>,
}

/// The bytes of a patch and how far they are read.
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
    buffer: &'a Buffer,
}

impl<'a> Cursor<'a> {
    /// Returns the next line without its line feed, and does not move.
    fn peek(&self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.offset..)?;
        if rest.is_empty() {
            return None;
        }
        Some(split_at_byte(rest, b'\n').map_or(rest, |(line, _)| line))
    }

    /// Moves behind a line that [`Cursor::peek`] returned.
    fn pass(&mut self, line: &[u8]) {
        self.offset += line.len() + 1;
    }
}

const SECTION: &[u8] = b"diff --git ";

/// `bytes` are a part of `buffer`.
fn read_sections(bytes: &[u8], buffer: &Buffer) -> Result<Vec<Section>, ParseError> {
    let mut cursor = Cursor {
        bytes,
        offset: 0,
        buffer,
    };
    let mut sections = Vec::new();
    while let Some(line) = cursor.peek() {
        let offset = cursor.offset;
        cursor.pass(line);
        // Lines between sections (`* Unmerged path`, the data of a binary patch) say nothing that is kept.
        let Some(names) = line.strip_prefix(SECTION) else {
            continue;
        };
        let mut lines = Vec::new();
        while let Some(line) = cursor.peek() {
            if line.starts_with(SECTION) || line.starts_with(b"@@ ") {
                break;
            }
            cursor.pass(line);
            lines.push(line);
        }
        let header = read_header(names, &lines);
        let mut hunks = Vec::new();
        while let Some(line) = cursor.peek().filter(|line| line.starts_with(b"@@ ")) {
            hunks.push(read_hunk(&mut cursor, line)?);
        }
        sections.push(Section {
            offset,
            header,
            hunks,
        });
    }
    Ok(sections)
}

/// Lines that a hunk may ask room for before they are there.
const RESERVED_LINES: u32 = 1024;

fn read_hunk(cursor: &mut Cursor<'_>, first: &[u8]) -> Result<Hunk, ParseError> {
    let malformed = ParseError::Hunk {
        offset: cursor.offset,
    };
    let Some(mut hunk) = read_hunk_header(first, cursor.buffer) else {
        return Err(malformed);
    };
    cursor.pass(first);
    let (mut old_left, mut new_left) = (hunk.old_lines, hunk.new_lines);
    // The longer side: the least that it holds, if it says the truth.
    let least = old_left.max(new_left).min(RESERVED_LINES);
    hunk.lines.reserve_exact(least as usize);
    loop {
        let line = cursor.peek();
        if let Some(line) = line.filter(|line| line.first() == Some(&b'\\')) {
            cursor.pass(line);
            if let Some(last) = hunk.lines.last_mut() {
                last.no_newline = true;
            }
            continue;
        }
        if old_left == 0 && new_left == 0 {
            // A million small hunks must not keep room for four lines each.
            hunk.lines.shrink_to_fit();
            return Ok(hunk);
        }
        let Some(line) = line else {
            return Err(malformed);
        };
        let (kind, text) = match line.split_first() {
            Some((b' ', text)) => (LineKind::Context, text),
            Some((b'+', text)) => (LineKind::Added, text),
            Some((b'-', text)) => (LineKind::Removed, text),
            // An empty context line whose blank was trimmed, as `diff.suppressBlankEmpty` does.
            None => (LineKind::Context, line),
            Some(_) => return Err(malformed),
        };
        let take = |left: u32, counts: bool| if counts { left.checked_sub(1) } else { Some(left) };
        match (
            take(old_left, kind != LineKind::Added),
            take(new_left, kind != LineKind::Removed),
        ) {
            (Some(old), Some(new)) => (old_left, new_left) = (old, new),
            _ => return Err(malformed),
        }
        cursor.pass(line);
        hunk.lines.push(Line {
            kind,
            text: cursor.buffer.share(text),
            no_newline: false,
        });
    }
}

/// Reads `@@ -1,2 +3,4 @@ section`.
fn read_hunk_header(line: &[u8], buffer: &Buffer) -> Option<Hunk> {
    let rest = line.strip_prefix(b"@@ -")?;
    let end = rest.windows(3).position(|three| three == b" @@")?;
    let (old, new) = std::str::from_utf8(&rest[..end]).ok()?.split_once(" +")?;
    let range = |text: &str| -> Option<(u32, u32)> {
        match text.split_once(',') {
            Some((start, lines)) => Some((start.parse().ok()?, lines.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    let (old_start, old_lines) = range(old)?;
    let (new_start, new_lines) = range(new)?;
    let section = &rest[end + 3..];
    Some(Hunk {
        old_start,
        old_lines,
        new_start,
        new_lines,
        section: buffer.share(section.strip_prefix(b" ").unwrap_or(section)),
        lines: Vec::new(),
    })
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
