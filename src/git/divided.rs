//! A diff of many files is read by several gits at once, each below folders of its own.
//!
//! What comes of it is what one git would have said: files that git could take for the two ends of a rename are always read
//! by the same one.

use crate::git::raw_diff::RawRecord;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::thread::available_parallelism;

/// Changed files from which on it is worth it. A git reads so many in a tenth of a second, and is started in some
/// milliseconds.
const FILES: usize = 1_000;
/// Gits at once. Each of them reads the whole index.
const MOST: usize = 4;
/// Folders that are told apart, all gits together: each file is compared with each of its git's.
const PLACES: usize = 512;
/// The largest folder is taken apart until it is so small a part of its git's share.
const GRAIN: usize = 4;

/// A file or a folder, and what differs in it.
#[derive(Debug, Default)]
struct Place<'a> {
    children: BTreeMap<&'a [u8], Place<'a>>,
    files: usize,
    /// Whether a file came or went here.
    is_fixed: bool,
    /// Whether it has a name of its own in the list: a file, which may have become a folder.
    is_file: bool,
}

impl<'a> Place<'a> {
    fn add(&mut self, record: &'a RawRecord) {
        // A changed file is no end of a rename. What is unmerged has neither mode nor another name for it.
        let is_fixed = record.old_mode == 0 || record.new_mode == 0;
        self.count(is_fixed);
        let mut place = self;
        for name in record.path.split(|&byte| byte == b'/') {
            place = place.children.entry(name).or_default();
            place.count(is_fixed);
        }
        place.is_file = true;
    }

    fn is_divisible(&self) -> bool {
        !self.is_file && !self.children.is_empty()
    }

    fn count(&mut self, is_fixed: bool) {
        self.files += 1;
        self.is_fixed |= is_fixed;
    }
}

/// Divides what differs among as many gits as this machine runs at once. Returns the paths for each; fewer than two lists
/// say that one git reads it all.
pub(super) fn divide(records: &[RawRecord]) -> Vec<Vec<OsString>> {
    if records.len() < FILES {
        return Vec::new();
    }
    let gits = available_parallelism().map_or(1, |count| count.get().min(MOST));
    divide_among(records, gits)
}

fn divide_among(records: &[RawRecord], gits: usize) -> Vec<Vec<OsString>> {
    let mut root = Place::default();
    for record in records {
        root.add(record);
    }
    let share = (root.files / gits.max(1) / GRAIN).max(1);
    let mut places = vec![(Vec::new(), root)];
    // The largest folder first, so that what cannot be told apart any more is small.
    while let Some(at) = (0..places.len())
        .filter(|at| places[*at].0.is_empty() || places[*at].1.files > share)
        .filter(|at| places[*at].1.is_divisible())
        .filter(|at| places.len() + places[*at].1.children.len() <= PLACES)
        .max_by_key(|at| places[*at].1.files)
    {
        let (path, place) = places.swap_remove(at);
        for (name, child) in place.children {
            let path = if path.is_empty() {
                name.to_vec()
            } else {
                [&path, name].join(&b'/')
            };
            places.push((path, child));
        }
    }
    if places.iter().any(|(path, _)| path.is_empty()) {
        return Vec::new();
    }
    places.sort_by(|one, other| one.0.cmp(&other.0));
    let (fixed, mut free): (Vec<_>, Vec<_>) = places.into_iter().partition(|(_, place)| place.is_fixed);
    free.sort_by_key(|(_, place)| Reverse(place.files));
    let mut shares: Vec<(usize, Vec<OsString>)> = vec![(0, Vec::new()); gits];
    for (at, (path, place)) in fixed
        .into_iter()
        .map(|place| (Some(0), place))
        .chain(free.into_iter().map(|place| (None, place)))
    {
        let least = (0..shares.len()).min_by_key(|at| shares[*at].0);
        let Some(share) = at.or(least).and_then(|at| shares.get_mut(at)) else {
            return Vec::new();
        };
        share.0 += place.files;
        share.1.push(OsString::from_vec(path));
    }
    shares.retain(|share| share.0 > 0);
    shares.into_iter().map(|share| share.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(path: &str, status: char) -> RawRecord {
        let mode = |is_there| if is_there { 0o100_644 } else { 0 };
        RawRecord {
            old_mode: mode(status != 'A'),
            new_mode: mode(status != 'D'),
            old_oid: None,
            new_oid: None,
            from: None,
            path: path.as_bytes().to_vec(),
        }
    }

    fn shares(files: &[(&str, char)], gits: usize) -> Vec<Vec<String>> {
        let records: Vec<_> = files.iter().map(|(path, status)| record(path, *status)).collect();
        let text = |path: OsString| path.into_string().unwrap();
        let shares = divide_among(&records, gits).into_iter();
        shares
            .map(|paths| paths.into_iter().map(text).collect())
            .collect()
    }

    #[test]
    fn the_larger_folders_are_taken_apart_and_what_came_or_went_stays_together() {
        let check = |files: &[(&str, char)], gits, expected: &[&[&str]]| {
            assert_eq!(shares(files, gits), expected, "{files:?}");
        };
        check(
            &[("a/1", 'M'), ("a/2", 'M'), ("b", 'M')],
            2,
            &[&["a/1", "b"], &["a/2"]],
        );
        check(
            &[
                ("x/came", 'A'),
                ("x/1", 'M'),
                ("y/went", 'D'),
                ("y/1", 'M'),
                ("z", 'M'),
            ],
            2,
            &[&["x/came", "y/went", "z"], &["x/1", "y/1"]],
        );
        check(&[("a", 'D'), ("a/b", 'A')], 2, &[&["a"]]);
        check(&[("a", 'M')], 1, &[&["a"]]);
    }

    #[test]
    fn a_folder_of_too_many_files_stays_whole() {
        let names: Vec<String> = (0..PLACES).map(|at| format!("flat/{at}")).collect();
        let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), 'M')).collect();
        assert_eq!(shares(&files, 2), [["flat"]]);
        files.push(("other", 'M'));
        assert_eq!(shares(&files, 2), [["flat"], ["other"]]);
    }

    #[test]
    fn few_files_are_left_to_one_git() {
        let records = vec![record("a", 'M'); FILES - 1];
        assert!(divide(&records).is_empty());
    }

    proptest! {
        #[test]
        fn each_file_is_below_one_share_alone(
            files in prop::collection::btree_map("[a-c](/[a-c]){0,4}", prop::sample::select(vec!['A', 'D', 'M']), 1..60),
            gits in 2_usize..5,
        ) {
            let files: Vec<_> = files.iter().map(|(path, status)| (path.as_str(), *status)).collect();
            let shares = shares(&files, gits);
            prop_assert!(shares.len() <= gits);
            let is_below = |path: &str, place: &str| {
                path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let mut fixed = None;
            for (path, status) in files {
                let found: Vec<_> = (0..shares.len())
                    .filter(|at| shares[*at].iter().any(|place| is_below(path, place)))
                    .collect();
                prop_assert_eq!(found.len(), 1, "{} in {:?}", path, shares);
                if status != 'M' {
                    prop_assert_eq!(*fixed.get_or_insert(found[0]), found[0], "{} in {:?}", path, shares);
                }
            }
        }
    }
}
