//! How large a patch is once it is rendered, hunk by hunk, without rendering it.
//!
//! A change of 50 MB is divided by these numbers alone; only what is sent is ever written down. They are exact: what
//! [`crate::diff::render`] writes has these sizes.

use crate::diff::patch::{Content, FilePatch, Hunk, Line, LineKind, Patch};
use crate::diff::render::{NO_NEWLINE, file_header, has_crlf, hunk_header};
use crate::diff::text::push_shown;
use std::ops::AddAssign;

/// The size of a text. A prompt is bounded in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of UTF-8.
    pub bytes: u32,
    /// Characters.
    pub chars: u32,
}

impl Size {
    /// Measures a text.
    pub fn of(text: &str) -> Self {
        Self {
            bytes: short(text.len()),
            chars: short(text.chars().count()),
        }
    }

    fn plain(length: usize) -> Self {
        let length = short(length);
        Self {
            bytes: length,
            chars: length,
        }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.chars = self.chars.saturating_add(other.chars);
    }
}

/// The sizes of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSize {
    /// Its header, which stands once in each part that shows some of it.
    pub header: Size,
    /// Its hunks; empty for a file without lines.
    pub hunks: Vec<Size>,
    /// The longest of its lines with the header of its hunk: the least that can be shown of it at once.
    pub longest: Size,
}

/// How much text a part of a change may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    bytes: usize,
    chars: usize,
}

impl Room {
    /// Makes room for so many bytes and so many characters, whichever is reached first.
    pub fn new(bytes: usize, chars: usize) -> Self {
        let bytes = bytes.max(1);
        Self {
            bytes,
            // There are never more characters than bytes.
            chars: chars.clamp(1, bytes),
        }
    }

    /// Returns the bytes and the characters that fit.
    pub fn bounds(self) -> (usize, usize) {
        (self.bytes, self.chars)
    }

    /// Returns the room that is left beside a text.
    #[must_use]
    pub fn beside(self, size: Size) -> Self {
        Self::new(
            self.bytes.saturating_sub(size.bytes as usize),
            self.chars.saturating_sub(size.chars as usize),
        )
    }

    /// Returns the weight that fits.
    pub fn weight(self) -> usize {
        self.chars
    }

    /// Returns one number for a size, such that texts whose weights fit together fit in bytes and in characters.
    pub fn weigh(self, size: Size) -> usize {
        let bytes = size.bytes as usize;
        (size.chars as usize).max((bytes * self.chars).div_ceil(self.bytes))
    }

    /// Returns the same room with a part of it only, in hundredths.
    #[must_use]
    pub fn hundredths(self, part: usize) -> Self {
        Self::new(self.bytes / 100 * part, self.chars / 100 * part)
    }
}

/// Measures a whole patch.
pub fn measure(patch: &Patch) -> Vec<FileSize> {
    let mut scratch = String::new();
    patch
        .files
        .iter()
        .map(|file| measure_file(file, &mut scratch))
        .collect()
}

fn measure_file(file: &FilePatch, scratch: &mut String) -> FileSize {
    let mut measured = FileSize {
        header: Size::of(&file_header(file)),
        ..FileSize::default()
    };
    if let Content::Text(hunks) = &file.content {
        measured.hunks.reserve_exact(hunks.len());
        for hunk in hunks {
            let has_crlf = has_crlf(hunk);
            let header = Size::of(&hunk_header(hunk, has_crlf));
            let mut whole = header;
            let mut numbers = Numbers::of(hunk);
            for line in &hunk.lines {
                let size = numbers.measure(line, has_crlf, scratch);
                let mut least = header;
                least += size;
                if least.bytes > measured.longest.bytes {
                    measured.longest = least;
                }
                whole += size;
            }
            measured.hunks.push(whole);
        }
    }
    measured
}

/// The numbers that the next line of a hunk has on the two sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) old: u32,
    pub(super) new: u32,
}

impl Numbers {
    pub(super) fn of(hunk: &Hunk) -> Self {
        Self {
            old: hunk.old_start,
            new: hunk.new_start,
        }
    }

    /// Returns the size of a line as it is rendered, and goes on to the next.
    pub(super) fn measure(&mut self, line: &Line, has_crlf: bool, scratch: &mut String) -> Size {
        let number = match line.kind {
            LineKind::Context | LineKind::Added => self.new,
            LineKind::Removed => self.old,
        };
        self.pass(line.kind);
        let text = &line.text[..line.text.len() - usize::from(has_crlf)];
        // The marker, the number, the bar and the line feed.
        let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut size = Size::plain(digits + 3);
        if line.no_newline {
            size += Size::plain(NO_NEWLINE.len());
        }
        if text
            .iter()
            .all(|&byte| byte == b'\t' || (0x20..0x7f).contains(&byte))
        {
            size += Size::plain(text.len());
        } else {
            scratch.clear();
            push_shown(scratch, text);
            size += Size::of(scratch);
        }
        size
    }

    pub(super) fn pass(&mut self, kind: LineKind) {
        self.old = self.old.saturating_add(u32::from(kind != LineKind::Added));
        self.new = self.new.saturating_add(u32::from(kind != LineKind::Removed));
    }
}

/// A text of 4 GB is in no diff that is read.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::{added_file, untracked_file};
    use crate::diff::render::render;
    use proptest::prelude::*;

    fn total(files: &[FileSize]) -> Size {
        let mut sum = Size::default();
        for file in files {
            sum += file.header;
            file.hunks.iter().for_each(|hunk| sum += *hunk);
        }
        sum
    }

    #[test]
    fn one_number_stands_for_both_bounds() {
        let check = |room: Room, bytes, chars, expected| {
            assert_eq!(room.weigh(Size { bytes, chars }), expected, "{room:?}");
        };
        check(Room::new(200, 100), 100, 100, 100);
        check(Room::new(200, 100), 300, 100, 150);
        check(Room::new(50, 100), 30, 20, 30);
        assert_eq!(Room::new(50, 100).weight(), 50);
        assert_eq!(Room::new(200, 100).hundredths(50), Room::new(100, 50));
    }

    proptest! {
        #[test]
        fn what_is_measured_is_what_is_rendered(
            texts in prop::collection::vec("([a-z\t ]{0,9}|[\u{200b}ü漢\r\u{1}]{0,3}|\n){1,30}", 0..6),
            bytes in prop::collection::vec(any::<u8>().prop_filter("text", |b| *b != 0), 0..40),
        ) {
            let mut files: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(at, text)| added_file(format!("ü{at}").as_bytes(), 0o100_755, text.as_bytes()))
                .collect();
            files.push(added_file(b"bytes", 0o100_644, &bytes));
            files.push(untracked_file(b"binary", None, Content::Binary));
            let patch = Patch { files };
            prop_assert_eq!(total(&measure(&patch)), Size::of(&render(&patch).text));
        }
    }
}
