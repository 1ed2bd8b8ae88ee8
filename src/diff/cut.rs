//! Cuts hunks that are larger than a part, between lines.
//!
//! The pieces are hunks themselves, with their true numbers, so everything that works on hunks works on them. No line is
//! lost or shown twice. Git never writes two hunks of one file that touch each other, which is how pieces are known again.

use crate::diff::measure::{FileSize, Numbers, Room, Size};
use crate::diff::patch::{Content, Hunk, Line, LineKind, Patch};
use crate::diff::render::{has_crlf, hunk_header};

/// Bytes that the header of a piece may be longer than that of its hunk: the numbers grow, and all lines of a piece may end
/// in a carriage return where those of its hunk did not.
const HEADER_GROWTH: u32 = 64;

/// Tells whether a hunk of a file does not fit a part, so that [`cut`] has something to do.
pub fn needs_cut(size: &FileSize, room: Room) -> bool {
    let fits = |hunk: &Size| {
        let mut whole = size.header;
        whole += *hunk;
        room.weigh(whole) <= room.weight()
    };
    !size.hunks.iter().all(fits)
}

/// Returns the patch with every hunk cut that does not fit a part.
///
/// `sizes` are those of the patch. A line that fits no part is a piece of its own, which does not fit either.
#[must_use]
pub fn cut(patch: &Patch, sizes: &[FileSize], room: Room) -> Patch {
    let mut cut = patch.clone();
    for (file, size) in cut.files.iter_mut().zip(sizes) {
        if let Content::Text(hunks) = &mut file.content
            && needs_cut(size, room)
        {
            let whole = std::mem::take(hunks);
            hunks.extend(whole.into_iter().flat_map(|hunk| pieces(hunk, size.header, room)));
        }
    }
    cut
}

/// Tells whether `next` is the piece that follows `hunk` in the hunk that both were cut from.
pub fn continues(hunk: &Hunk, next: &Hunk) -> bool {
    // The number that the next line would have; the start of an empty side is the line before it.
    let behind = |start: u32, lines: u32| start.saturating_add(lines.max(1));
    let first = |start: u32, lines: u32| start.saturating_add(u32::from(lines == 0));
    behind(hunk.old_start, hunk.old_lines) == first(next.old_start, next.old_lines)
        && behind(hunk.new_start, hunk.new_lines) == first(next.new_start, next.new_lines)
}

fn pieces(hunk: Hunk, header: Size, room: Room) -> Vec<Hunk> {
    let crlf = has_crlf(&hunk);
    let mut frame = header;
    frame += Size::of(&hunk_header(&hunk, crlf));
    let mut scratch = String::new();
    let mut numbers = Numbers::of(&hunk);
    let mut weights = Vec::with_capacity(hunk.lines.len());
    let mut whole = frame;
    for line in &hunk.lines {
        let size = numbers.measure(line, crlf, &mut scratch);
        whole += size;
        weights.push(room.weigh(size));
    }
    if room.weigh(whole) <= room.weight() {
        return vec![hunk];
    }
    frame += Size {
        bytes: HEADER_GROWTH,
        chars: HEADER_GROWTH,
    };
    let (frame, total) = (room.weigh(frame), weights.iter().sum::<usize>());
    let most = room.weight().saturating_sub(frame).max(1);
    let even = total.div_ceil(total.div_ceil(most));
    let mut done: Vec<Hunk> = Vec::new();
    // The numbers of the first line of the open piece.
    let (mut old, mut new) = (
        next(hunk.old_start, hunk.old_lines),
        next(hunk.new_start, hunk.new_lines),
    );
    let mut open: Vec<Line> = Vec::new();
    let mut weight = 0;
    let mut close = |lines: &mut Vec<Line>| {
        let count = |is: fn(LineKind) -> bool| {
            u32::try_from(lines.iter().filter(|line| is(line.kind)).count()).unwrap_or(u32::MAX)
        };
        let (old_lines, new_lines) = (
            count(|kind| kind != LineKind::Added),
            count(|kind| kind != LineKind::Removed),
        );
        done.push(Hunk {
            old_start: start(old, old_lines),
            old_lines,
            new_start: start(new, new_lines),
            new_lines,
            section: hunk.section.clone(),
            lines: std::mem::take(lines),
        });
        old = old.saturating_add(old_lines);
        new = new.saturating_add(new_lines);
    };
    for (line, own) in hunk.lines.iter().zip(weights) {
        let is_full = weight + own > most || weight >= even;
        if is_full && !open.is_empty() {
            close(&mut open);
            weight = 0;
        }
        weight += own;
        open.push(line.clone());
    }
    close(&mut open);
    done
}

/// Returns the number of the first line of a side; that of an empty side is the one that a line there would have.
fn next(start: u32, lines: u32) -> u32 {
    start.saturating_add(u32::from(lines == 0))
}

/// Returns what stands in a header for a side whose first line would have this number.
fn start(number: u32, lines: u32) -> u32 {
    number.saturating_sub(u32::from(lines == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::added_file;
    use crate::diff::measure::measure;
    use crate::diff::parse::parse_patch;
    use proptest::prelude::*;

    const PATCH: &str = "diff --git a/a.rs b/a.rs\nindex 1..2 100644\n--- a/a.rs\n+++ b/a.rs\n\
        @@ -9,4 +9,4 @@ fn f() {\n one\n-two\n-three\n+zwei\n+drei\n four\n\
        @@ -20,1 +20,1 @@\n-x\n+y\n";

    fn hunks(patch: &Patch, file: usize) -> &[Hunk] {
        match &patch.files[file].content {
            Content::Text(hunks) => hunks,
            _ => &[],
        }
    }

    #[test]
    fn pieces_have_their_true_numbers() {
        let patch = parse_patch(PATCH.as_bytes()).unwrap();
        let cut = cut(&patch, &measure(&patch), Room::new(90, 90));
        let places: Vec<[u32; 4]> = hunks(&cut, 0)
            .iter()
            .map(|hunk| [hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines])
            .collect();
        assert_eq!(
            places,
            [
                [9, 1, 9, 1],
                [10, 1, 9, 0],
                [11, 1, 9, 0],
                [11, 0, 10, 1],
                [11, 0, 11, 1],
                [12, 1, 12, 1],
                [20, 1, 20, 1]
            ]
        );
        let pairs: Vec<bool> = hunks(&cut, 0)
            .windows(2)
            .map(|two| continues(&two[0], &two[1]))
            .collect();
        assert_eq!(pairs, [true, true, true, true, true, false]);
    }

    #[test]
    fn a_hunk_that_fits_is_not_cut() {
        let patch = parse_patch(PATCH.as_bytes()).unwrap();
        assert_eq!(cut(&patch, &measure(&patch), Room::new(4096, 4096)), patch);
        assert!(
            !measure(&patch)
                .iter()
                .any(|size| needs_cut(size, Room::new(4096, 4096)))
        );
    }

    proptest! {
        #[test]
        fn no_line_is_lost_and_every_piece_fits_or_is_one_line(
            lines in prop::collection::vec(("[ +-]", "[a-z\u{200b}\r]{0,12}"), 1..60),
            start in 1_u32..2000,
            weight in 60_usize..300,
        ) {
            let mut file = added_file(b"src/file.rs", 0o100_644, b"x\n");
            let lines: Vec<_> = lines.iter().map(|(kind, text)| Line {
                kind: match kind.as_str() {
                    "+" => LineKind::Added,
                    "-" => LineKind::Removed,
                    _ => LineKind::Context,
                },
                text: text.as_str().into(),
                no_newline: false,
            }).collect();
            let count = |not: LineKind| u32::try_from(lines.iter().filter(|line| line.kind != not).count()).unwrap();
            let (old_lines, new_lines) = (count(LineKind::Added), count(LineKind::Removed));
            file.content = Content::Text(vec![Hunk {
                old_start: start - u32::from(old_lines == 0),
                old_lines,
                new_start: start - u32::from(new_lines == 0),
                new_lines,
                section: "fn f()".into(),
                lines: lines.clone(),
            }]);
            let patch = Patch { files: vec![file] };
            let room = Room::new(weight, weight);
            let made = cut(&patch, &measure(&patch), room);
            let own = hunks(&made, 0);
            let joined: Vec<_> = own.iter().flat_map(|hunk| hunk.lines.clone()).collect();
            prop_assert_eq!(joined, lines);
            prop_assert!(own.windows(2).all(|two| continues(&two[0], &two[1])));
            let (mut old, mut new) = (start, start);
            for (hunk, size) in own.iter().zip(&measure(&made)[0].hunks) {
                prop_assert_eq!(next(hunk.old_start, hunk.old_lines), old);
                prop_assert_eq!(next(hunk.new_start, hunk.new_lines), new);
                old += hunk.old_lines;
                new += hunk.new_lines;
                let mut whole = measure(&made)[0].header;
                whole += *size;
                prop_assert!(room.weigh(whole) <= room.weight() || hunk.lines.len() == 1);
            }
        }
    }
}
