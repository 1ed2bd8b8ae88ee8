//! Which of a change is sent, and in which parts: decided by sizes, before anything is written down.

use crate::diff::cut::{continues, cut, needs_cut};
use crate::diff::measure::{FileSize, Room, Size, measure};
use crate::diff::parts::{self, Part};
use crate::diff::patch::{Content, FilePatch, Patch};
use crate::diff::render::Run;
use crate::diff::text::shown_path;
use crate::diff::{count, generated};
use crate::domain::coverage::{Coverage, OmissionReason};
use crate::domain::review_plan::{Needs, Slice};
use crate::redact::Redacted;
use crate::run::masking::mask;
use crate::service::review_input::ReviewInput;

/// How much room prompts have for a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rooms {
    /// In a prompt that shows all of it.
    pub(super) whole: Room,
    /// In one of several, which tells of the others too.
    pub(super) part: Room,
}

/// A change as it is sent.
#[derive(Debug)]
pub(super) struct Division {
    /// The change, without the lines of what is left out.
    pub(super) patch: Redacted<Patch>,
    /// What of it is sent.
    pub(super) coverage: Coverage,
    /// What each prompt shows.
    pub(super) parts: Vec<Vec<Run>>,
    /// How many files were left out as generated.
    pub(super) generated: usize,
}

/// Why a change is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has more parts than may run.
    Parts(Needs),
    /// Not a line of it fits a prompt.
    Lines,
}

/// What becomes of files that a rule knows as generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generated {
    /// They are sent like any other.
    Sent,
    /// They are left out, and told.
    LeftOut,
}

/// Divides a change. One that fits a prompt is one part with everything in it, and one that fits the parts that may run is so
/// many of them. Only where it would be more, its generated files are left out.
pub(super) fn divide(input: &ReviewInput, rooms: Rooms, most: u32) -> Result<Division, Refused> {
    if may_be_sent_whole(input, rooms, most)
        && let Ok(division) = divide_with(input, rooms, most, Generated::Sent)
    {
        return Ok(division);
    }
    divide_with(input, rooms, most, Generated::LeftOut)
}

/// Tells by the sum of its sizes whether a change with generated files may fit the parts that may run.
fn may_be_sent_whole(input: &ReviewInput, rooms: Rooms, most: u32) -> bool {
    let files: Vec<usize> = (0..input.sizes.len()).collect();
    let weight = rooms.part.weigh(sum(&input.sizes, &files).0);
    input.lines_known
        && input.generated == 0
        && input.aside.contains(&true)
        && weight <= rooms.part.weight().saturating_mul(most as usize)
}

fn divide_with(
    input: &ReviewInput,
    rooms: Rooms,
    most: u32,
    generated: Generated,
) -> Result<Division, Refused> {
    let whole: Vec<usize> = (0..input.sizes.len()).collect();
    // What was left out already is said, and not shown.
    if input.lines_known && input.generated == 0 && fits(&input.sizes, &whole, rooms.whole) {
        return Ok(Division {
            parts: vec![runs_of(input.patch.get(), &whole)],
            patch: input.patch.clone(),
            coverage: input.coverage.clone(),
            generated: 0,
        });
    }
    let mut left_out: Vec<(usize, bool)> = Vec::new();
    for (file, size) in input.sizes.iter().enumerate() {
        let mut least = size.header;
        least += size.longest;
        if count::omission(&input.patch.get().files[file]).is_some() {
            continue;
        }
        if input.aside[file] && generated == Generated::LeftOut {
            left_out.push((file, true));
        } else if rooms.part.weigh(least) > rooms.part.weight() {
            left_out.push((file, false));
        }
    }
    let mut coverage = input.coverage.clone();
    let own = input.patch.get();
    for &(file, is_generated) in &left_out {
        let file = &own.files[file];
        let reason = if is_generated {
            OmissionReason::Generated
        } else {
            OmissionReason::TooLarge
        };
        // It was counted as sent until now.
        coverage.leave_out(mask(&shown_path(&file.new_path)), reason, count::hunks(file));
    }
    if coverage.hunks.sent == 0 {
        return Err(Refused::Lines);
    }
    let (mut patch, mut sizes) = (input.patch.clone(), input.sizes.clone());
    if !left_out.is_empty() {
        patch = patch.derive_with(left_out.as_slice(), Patch::leaving_out);
        for (file, _) in &left_out {
            sizes[*file].hunks.clear();
        }
    }
    let is_shown = |file: usize| !is_left_out(&patch.get().files[file]);
    let shown: Vec<usize> = whole.into_iter().filter(|file| is_shown(*file)).collect();
    let generated = input.generated + left_out.iter().filter(|(_, generated)| *generated).count();
    if input.lines_known && fits(&sizes, &shown, rooms.whole) {
        return Ok(Division {
            parts: vec![runs_of(patch.get(), &shown)],
            patch,
            coverage,
            generated,
        });
    }
    let room = rooms.part;
    if input.lines_known && sizes.iter().any(|size| needs_cut(size, room)) {
        patch = patch.derive_with(room.bounds(), |patch, (bytes, chars)| {
            cut(patch, &measure(patch), Room::new(bytes, chars))
        });
        sizes = measure(patch.get());
    }
    let parts = parts::divide(patch.get(), &sizes, room, &|file| {
        !is_left_out(&patch.get().files[file])
    });
    let needed = u32::try_from(parts::least(&parts, room)).unwrap_or(u32::MAX);
    if needed > most || !input.lines_known {
        return Err(Refused::Parts(needs(&sizes, &shown, needed, most)));
    }
    Ok(Division {
        parts: parts.into_iter().map(|Part { runs, .. }| runs).collect(),
        patch,
        coverage,
        generated,
    })
}

fn is_left_out(file: &FilePatch) -> bool {
    matches!(file.content, Content::Generated) || matches!(file.content, Content::TooLarge { .. })
}

fn sum(sizes: &[FileSize], files: &[usize]) -> (Size, u64, u64) {
    let (mut total, mut bytes, mut chars) = (Size::default(), 0, 0);
    for file in files {
        let size = &sizes[*file];
        for part in std::iter::once(&size.header).chain(&size.hunks) {
            total += *part;
            bytes += u64::from(part.bytes);
            chars += u64::from(part.chars);
        }
    }
    (total, bytes, chars)
}

fn fits(sizes: &[FileSize], files: &[usize], room: Room) -> bool {
    room.weigh(sum(sizes, files).0) <= room.weight()
}

fn needs(sizes: &[FileSize], files: &[usize], parts: u32, unasked: u32) -> Needs {
    let (_, bytes, chars) = sum(sizes, files);
    Needs {
        parts,
        unasked,
        bytes,
        about_tokens: chars / 4,
    }
}

fn runs_of(patch: &Patch, files: &[usize]) -> Vec<Run> {
    let end = |file: usize| count::hunks(&patch.files[file]) as usize;
    files.iter().map(|file| (*file, 0, end(*file))).collect()
}

/// Returns what of a change these runs show, as it is written down: only what has something to show, and each piece of a
/// hunk by itself.
pub(super) fn slices(patch: &Patch, runs: &[Run]) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for &(index, first, end) in runs {
        let Some(file) = patch
            .files
            .get(index)
            .filter(|file| count::omission(file).is_none())
        else {
            continue;
        };
        let hunks = match &file.content {
            Content::Text(hunks) => hunks.as_slice(),
            _ => &[],
        };
        let joins = |at: usize| at > 0 && at < hunks.len() && continues(&hunks[at - 1], &hunks[at]);
        for at in first..end {
            let is_piece = joins(at) || joins(at + 1);
            match slices.last_mut() {
                Some(last) if at > first && !is_piece && !joins(at - 1) => last.hunks += 1,
                _ => slices.push(Slice {
                    file: number(index),
                    first: number(at),
                    hunks: 1,
                    continues: joins(at),
                }),
            }
        }
    }
    slices
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Returns which files are left out of a change that has too many parts with them: those that a rule knows as generated, unless
/// the caller named them, or there is nothing else.
pub fn aside(patch: &Patch, asked: &[String], attributes: generated::Attributes<'_>) -> Vec<bool> {
    let mut has_other = false;
    let aside: Vec<bool> = patch
        .files
        .iter()
        .map(|file| {
            if count::omission(file).is_some() {
                return false;
            }
            let known = generated::rule(file, attributes).is_some();
            let aside = known && !generated::is_asked_for(&file.new_path, asked);
            has_other |= !aside;
            aside
        })
        .collect();
    if has_other {
        aside
    } else {
        vec![false; aside.len()]
    }
}
