//! The files of a change with their sizes and the parts that show them, for the reader of one part.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::diff::patch::{FilePatch, Patch};
use crate::diff::render::Run;
use crate::diff::text::shown_path;

/// What is told of a file, or of all files of a folder.
#[derive(Clone, Copy, Debug)]
struct Entry {
    files: usize,
    bytes: usize,
    /// The first and the last part, from 1; `None` where no part shows any of it.
    parts: Option<(usize, usize)>,
}

impl Entry {
    fn join(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.parts = match (self.parts, other.parts) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (own, other) => own.or(other),
        };
    }
}

/// Lists all files of a change within `most_bytes`: each with its size, or else folder by folder, or else the largest folders
/// at the top; what does not fit even so is counted.
pub fn list(patch: &Patch, parts: &[Vec<Run>], most_bytes: usize) -> String {
    let mut shown: Vec<Option<(usize, usize)>> = vec![None; patch.files.len()];
    for (runs, number) in parts.iter().zip(1..) {
        for (file, _, _) in runs {
            if let Some(place) = shown.get_mut(*file) {
                *place = Some((place.map_or(number, |(first, _)| first), number));
            }
        }
    }
    let entry = |(file, parts): (&FilePatch, &Option<(usize, usize)>)| Entry {
        files: 1,
        bytes: file.shown_bytes(),
        parts: *parts,
    };
    let entries = || patch.files.iter().zip(&shown);
    let mut text = String::new();
    for file in entries() {
        line(&mut text, &shown_path(&file.0.new_path), entry(file));
        if text.len() > most_bytes {
            break;
        }
    }
    if text.len() <= most_bytes {
        return text;
    }
    let folders = |depth: usize| {
        let mut folders: BTreeMap<&[u8], Entry> = BTreeMap::new();
        for file in entries() {
            let own = entry(file);
            folders
                .entry(folder(&file.0.new_path, depth))
                .and_modify(|folder| folder.join(own))
                .or_insert(own);
        }
        folders
    };
    let whole = folders(usize::MAX);
    let top = folders(1);
    let lines = |folders: &BTreeMap<&[u8], Entry>| {
        let mut lines: Vec<(usize, String)> = Vec::new();
        for (path, entry) in folders {
            let mut text = String::new();
            line(&mut text, &format!("{}/", shown_path(path)), *entry);
            lines.push((entry.bytes, text));
        }
        lines
    };
    let mut lines: Vec<(usize, String)> = match lines(&whole) {
        fits if fits.iter().map(|(_, line)| line.len()).sum::<usize>() <= most_bytes => fits,
        _ => lines(&top),
    };
    if lines.iter().map(|(_, line)| line.len()).sum::<usize>() > most_bytes {
        lines.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    }
    let mut text = String::new();
    for (at, (_, line)) in lines.iter().enumerate() {
        if text.len() + line.len() > most_bytes {
            let _ = writeln!(text, "and {} more folders", lines.len() - at);
            break;
        }
        text.push_str(line);
    }
    text
}

/// Returns the folder of a path, down to a depth.
fn folder(path: &[u8], depth: usize) -> &[u8] {
    let mut ends = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    let end = if depth == usize::MAX {
        ends.next_back()
    } else {
        ends.nth(depth - 1)
    };
    &path[..end.unwrap_or(0)]
}

fn line(text: &mut String, name: &str, entry: Entry) {
    let _ = write!(text, "{name} (");
    if entry.files > 1 {
        let _ = write!(text, "{} files, ", entry.files);
    }
    let _ = write!(text, "{} bytes, ", entry.bytes);
    let _ = match entry.parts {
        None => writeln!(text, "not shown)"),
        Some((first, last)) if first == last => writeln!(text, "part {first})"),
        Some((first, last)) => writeln!(text, "parts {first}-{last})"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::added_file;

    #[test]
    fn files_are_listed_one_by_one_or_by_folder() {
        let paths = ["a/x.rs", "a/y.rs", "b/c/z.rs", "top"];
        let patch = Patch {
            files: paths
                .iter()
                .map(|path| added_file(path.as_bytes(), 0o100_644, b"12345\n"))
                .collect(),
        };
        let parts = [vec![(0, 0, 1), (1, 0, 1)], vec![(1, 0, 1), (2, 0, 1)]];
        let check = |most, expected: &str| assert_eq!(list(&patch, &parts, most), expected);
        check(
            1000,
            "a/x.rs (6 bytes, part 1)\na/y.rs (6 bytes, parts 1-2)\nb/c/z.rs (6 bytes, part 2)\ntop (6 bytes, not shown)\n",
        );
        check(
            100,
            "/ (6 bytes, not shown)\na/ (2 files, 12 bytes, parts 1-2)\nb/c/ (6 bytes, part 2)\n",
        );
        check(
            79,
            "/ (6 bytes, not shown)\na/ (2 files, 12 bytes, parts 1-2)\nb/ (6 bytes, part 2)\n",
        );
        check(40, "a/ (2 files, 12 bytes, parts 1-2)\nand 2 more folders\n");
    }
}
