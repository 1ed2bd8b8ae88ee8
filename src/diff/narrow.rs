//! Which folders and files of a change to ask for, when all of it is too much.

use std::ops::Range;

/// Chooses folders and files that have at most `room` bytes together, at most `most` of them, whole folders where they fit.
///
/// `files` are paths with the bytes that would be sent of each. What has no bytes is not asked for by itself.
pub fn narrow<'a>(mut files: Vec<(&'a [u8], usize)>, room: usize, most: usize) -> Vec<Vec<u8>> {
    // Name by name: what is below a folder stands together.
    let names = |path: &'a [u8]| path.split(|&byte| byte == b'/');
    files.sort_by(|one, other| names(one.0).cmp(names(other.0)));
    let mut chosen = Chosen {
        files: &files,
        room,
        most,
        paths: Vec::new(),
    };
    chosen.choose(0..files.len(), 0);
    chosen.paths
}

struct Chosen<'a> {
    files: &'a [(&'a [u8], usize)],
    room: usize,
    most: usize,
    paths: Vec<Vec<u8>>,
}

impl Chosen<'_> {
    /// Chooses among files whose paths are the same up to `depth`, the byte behind a slash.
    fn choose(&mut self, files: Range<usize>, depth: usize) {
        let mut next = files.start;
        while next < files.end && self.paths.len() < self.most {
            let first = self.files[next].0;
            let end = first[depth..]
                .iter()
                .position(|&byte| byte == b'/')
                .map_or(first.len(), |at| depth + at);
            let place = &first[..end];
            let is_below = |path: &[u8]| {
                path.strip_prefix(place)
                    .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            };
            let below = self.files[next..files.end]
                .iter()
                .take_while(|(path, _)| is_below(path))
                .count();
            let own = next..next + below;
            let bytes: usize = self.files[own.clone()].iter().map(|file| file.1).sum();
            next = own.end;
            if bytes == 0 {
                continue;
            }
            if bytes <= self.room {
                self.room -= bytes;
                self.paths.push(place.to_vec());
            } else if end < first.len() && self.paths.is_empty() {
                // Once there is something to ask for, some files of another folder would only make the call longer.
                self.choose(own, end + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn narrowed(files: &[(&str, usize)], room: usize, most: usize) -> Vec<String> {
        let files = files
            .iter()
            .map(|(path, bytes)| (path.as_bytes(), *bytes))
            .collect();
        let text = |path| String::from_utf8(path).unwrap();
        narrow(files, room, most).into_iter().map(text).collect()
    }

    #[test]
    fn whole_folders_are_asked_for_where_they_fit() {
        let files = [
            ("a/x/1", 10),
            ("a/x/2", 10),
            ("a/y", 50),
            ("b/1", 5),
            ("b/2", 5),
            ("c", 0),
            ("d", 1),
        ];
        let check = |room, most, expected: &[&str]| {
            assert_eq!(narrowed(&files, room, most), expected, "{room} {most}");
        };
        check(100, 9, &["a", "b", "d"]);
        check(40, 9, &["a/x", "b", "d"]);
        check(15, 9, &["a/x/1", "d"]);
        check(40, 2, &["a/x", "b"]);
        check(0, 9, &[]);
    }

    proptest! {
        #[test]
        fn what_is_asked_for_fits(
            files in prop::collection::btree_map("[a-c!](/[a-c]){0,3}", 0_usize..20, 0..30),
            room in 0_usize..100,
            most in 0_usize..6,
        ) {
            let files: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
            let paths = narrowed(&files, room, most);
            prop_assert!(paths.len() <= most);
            let asked = |path: &str| paths.iter().filter(|place| {
                path.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }).count();
            let bytes: usize = files.iter().filter(|(path, _)| asked(path) > 0).map(|(_, bytes)| bytes).sum();
            prop_assert!(bytes <= room, "{paths:?}");
            prop_assert!(files.iter().all(|(path, _)| asked(path) <= 1), "{paths:?}");
        }
    }
}
