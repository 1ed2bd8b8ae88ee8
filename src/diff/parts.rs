//! Divides a change into parts of bounded size, on the borders of files and hunks.
//!
//! It works on sizes alone (see [`crate::diff::measure`]), so a change is divided before anything of it is written down.
//! Everything is in exactly one part; the parts are as few as they can be, then about equally large, then cut where most
//! belongs together: between folders rather than files, between files rather than hunks. It never cuts a line, and a hunk
//! only where it is larger than a part ([`crate::diff::cut`]).

use std::collections::HashMap;

use crate::diff::measure::{FileSize, Room};
use crate::diff::patch::{FilePatch, Patch};
use crate::diff::render::Run;

/// By how much, in hundredths, a part may be larger than the most even division has it, to end at a better border.
const SLACK: usize = 12;
/// How far back from its end, in hundredths of an even part, a better border is looked for.
const LOOK_BACK: usize = 25;

/// One part of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What it shows, in order.
    pub runs: Vec<Run>,
    /// Its weight in the room it was made for.
    pub weight: usize,
}

/// Divides a change whose files are `sizes`, leaving out those for which `is_sent` is false.
///
/// Deterministic: the same sizes and paths give the same parts. A hunk that is larger than the room by itself counts as so
/// many parts as it needs at least and is a part of its own, which does not fit; whoever sends it cuts it before.
pub fn divide(patch: &Patch, sizes: &[FileSize], room: Room, is_sent: &dyn Fn(usize) -> bool) -> Vec<Part> {
    let sent =
        |order: Vec<usize>| -> Vec<usize> { order.into_iter().filter(|file| is_sent(*file)).collect() };
    let plain = Sequence::new(patch, sizes, room, &sent((0..patch.files.len()).collect()));
    let related = Sequence::new(patch, sizes, room, &sent(related_order(patch)));
    let (most, kept) = (plain.count(0, room.weight()), related.count(0, room.weight()));
    // Keeping tests beside what they test costs nothing, or is not done.
    if kept <= most {
        related.divide(kept)
    } else {
        plain.divide(most)
    }
}

/// Returns how many parts are needed when a hunk that is too large by itself is cut.
pub fn least(parts: &[Part], room: Room) -> usize {
    let needed = |part: &Part| part.weight.div_ceil(room.weight()).max(1);
    parts.iter().map(needed).sum()
}

/// One thing that is not divided: a hunk, or the header of a file without hunks.
#[derive(Clone, Copy, Debug)]
struct Atom {
    file: u32,
    hunk: u32,
    /// The weight of everything before it, headers of files included.
    before: u64,
}

/// A change as a row of atoms.
struct Sequence<'a> {
    patch: &'a Patch,
    room: Room,
    atoms: Vec<Atom>,
    /// The weight of each file's header.
    headers: Vec<usize>,
    total: u64,
}

impl<'a> Sequence<'a> {
    fn new(patch: &'a Patch, sizes: &[FileSize], room: Room, order: &[usize]) -> Self {
        let hunks: usize = order.iter().map(|file| sizes[*file].hunks.len().max(1)).sum();
        let mut atoms = Vec::with_capacity(hunks);
        let mut total = 0_u64;
        for &file in order {
            let own = &sizes[file].hunks;
            let mut header = room.weigh(sizes[file].header) as u64;
            for hunk in 0..own.len().max(1) {
                atoms.push(Atom {
                    file: u32::try_from(file).unwrap_or(u32::MAX),
                    hunk: u32::try_from(hunk).unwrap_or(u32::MAX),
                    before: total,
                });
                total += header + own.get(hunk).map_or(0, |size| room.weigh(*size)) as u64;
                header = 0;
            }
        }
        Self {
            patch,
            room,
            atoms,
            headers: sizes.iter().map(|size| room.weigh(size.header)).collect(),
            total,
        }
    }

    /// Returns the weight of the atoms from `from` up to `to`, with the header that is repeated when they begin in a file.
    fn weight(&self, from: usize, to: usize) -> usize {
        let before = |at: usize| self.atoms.get(at).map_or(self.total, |atom| atom.before);
        let first = self.atoms[from];
        let repeated = if first.hunk > 0 {
            self.headers[first.file as usize]
        } else {
            0
        };
        usize::try_from(before(to) - before(from)).unwrap_or(usize::MAX) + repeated
    }

    /// Returns the end of the longest part that begins at `from` and weighs `cap` at most, one atom at least.
    fn reach(&self, from: usize, cap: usize) -> usize {
        let (mut fits, mut over) = (from + 1, self.atoms.len() + 1);
        while fits + 1 < over {
            let middle = usize::midpoint(fits, over);
            if self.weight(from, middle) <= cap {
                fits = middle;
            } else {
                over = middle;
            }
        }
        fits
    }

    /// Returns how many parts of at most `cap` the atoms from `from` on make. Filling each as far as it goes is the least:
    /// a part that begins later never weighs more.
    fn count(&self, mut from: usize, cap: usize) -> usize {
        let mut parts = 0;
        while from < self.atoms.len() {
            from = self.reach(from, cap);
            parts += 1;
        }
        parts
    }

    /// Divides into exactly `parts`, the fewest there can be.
    fn divide(&self, parts: usize) -> Vec<Part> {
        let even = self.even(parts);
        let cap = (even + even * SLACK / 100).min(self.room.weight()).max(even);
        let mut divided = Vec::with_capacity(parts);
        let mut from = 0;
        while from < self.atoms.len() {
            let left = parts.saturating_sub(divided.len() + 1);
            let to = self.end(from, left, even, cap);
            divided.push(self.part(from, to));
            from = to;
        }
        divided
    }

    /// Returns the smallest weight of parts of which so many are enough.
    fn even(&self, parts: usize) -> usize {
        let (mut low, mut high) = (0, self.room.weight());
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            if self.count(0, middle) <= parts {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    /// Returns where the part that begins at `from` ends, so that `left` parts are enough for the rest.
    fn end(&self, from: usize, left: usize, even: usize, cap: usize) -> usize {
        let most = self.reach(from, cap);
        if most == self.atoms.len() || left == 0 {
            return most;
        }
        let usual = self.reach(from, even);
        let mut first = self.reach(from, even - even * LOOK_BACK / 100).min(usual);
        if self.count(first, cap) > left {
            // The more is taken the fewer are left, so the first end that is far enough is found by halving.
            let (mut short, mut enough) = (first, most);
            while short + 1 < enough {
                let middle = usize::midpoint(short, enough);
                if self.count(middle, cap) <= left {
                    enough = middle;
                } else {
                    short = middle;
                }
            }
            first = enough;
        }
        let better = |at: &usize| (self.border(*at), std::cmp::Reverse(at.abs_diff(usual)));
        (first..=most).max_by_key(better).unwrap_or(most)
    }

    /// Says how well the change can be cut before an atom: the higher, the less is torn apart.
    fn border(&self, at: usize) -> u8 {
        let (before, after) = (self.atoms[at - 1], self.atoms[at]);
        if before.file == after.file {
            return 0;
        }
        let path = |atom: Atom| &self.patch.files[atom.file as usize].new_path;
        let (before, after) = (path(before), path(after));
        let top = |path: &'a [u8]| path.split(|byte| *byte == b'/').next();
        match (folder(before) == folder(after), top(before) == top(after)) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    fn part(&self, from: usize, to: usize) -> Part {
        let mut runs: Vec<Run> = Vec::new();
        for atom in &self.atoms[from..to] {
            let (file, hunk) = (atom.file as usize, atom.hunk as usize);
            match runs.last_mut() {
                Some((open, _, end)) if *open == file => *end = hunk + 1,
                _ => runs.push((file, hunk, hunk + 1)),
            }
        }
        Part {
            runs,
            weight: self.weight(from, to),
        }
    }
}

fn folder(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/');
    &path[..end.unwrap_or(0)]
}

/// Returns the files in the order of the change, each test behind the one file that it is the test of by its name.
fn related_order(patch: &Patch) -> Vec<usize> {
    let names: Vec<Option<Name>> = patch.files.iter().map(Name::of).collect();
    let mut tested: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (file, name) in names.iter().enumerate() {
        if let Some(name) = name.as_ref().filter(|name| !name.is_test) {
            tested.entry((name.stem, name.extension)).or_default().push(file);
        }
    }
    let mut behind: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut moved = vec![false; names.len()];
    for (file, name) in names.iter().enumerate() {
        let Some(name) = name.as_ref().filter(|name| name.is_test) else {
            continue;
        };
        if let Some([only]) = tested.get(&(name.stem, name.extension)).map(Vec::as_slice) {
            behind.entry(*only).or_default().push(file);
            moved[file] = true;
        }
    }
    let mut order = Vec::with_capacity(names.len());
    for (file, moved) in moved.into_iter().enumerate() {
        if !moved {
            order.push(file);
            order.extend(behind.remove(&file).unwrap_or_default());
        }
    }
    order
}

/// What the name of a file says about what it is for.
struct Name<'a> {
    stem: &'a str,
    extension: &'a str,
    is_test: bool,
}

impl<'a> Name<'a> {
    fn of(file: &'a FilePatch) -> Option<Self> {
        const BEFORE: [&str; 1] = ["test_"];
        const BEHIND: [&str; 9] = [
            "_test", "_tests", ".test", ".spec", "_spec", "-test", "Test", "Tests", "Spec",
        ];
        const FOLDERS: [&str; 4] = ["test", "tests", "__tests__", "spec"];
        let path = std::str::from_utf8(&file.new_path).ok()?;
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, extension) = name.rsplit_once('.')?;
        let bare = BEFORE
            .iter()
            .find_map(|word| stem.strip_prefix(word))
            .or_else(|| BEHIND.iter().find_map(|word| stem.strip_suffix(word)));
        let in_folder = folders.split('/').any(|folder| FOLDERS.contains(&folder));
        Some(Self {
            is_test: in_folder || bare.is_some_and(|bare| !bare.is_empty()),
            stem: bare.filter(|bare| !bare.is_empty()).unwrap_or(stem),
            extension,
        })
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
