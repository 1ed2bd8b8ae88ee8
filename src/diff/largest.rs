//! The files that make a change large.

use crate::diff::patch::{Content, LineKind, Patch};
use crate::diff::text::shown_path;

/// One file with its share of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeFile {
    /// Its path as it is shown, relative to the repository root.
    pub path: String,
    /// Bytes of its lines in the patch.
    pub bytes: u64,
    /// Added lines.
    pub added: u64,
    /// Removed lines.
    pub removed: u64,
}

/// Returns the `count` files with the most bytes, largest first, ties in the patch's order.
pub fn largest(patch: &Patch, count: usize) -> Vec<LargeFile> {
    let mut files: Vec<LargeFile> = patch
        .files
        .iter()
        .map(|file| {
            let mut large = LargeFile {
                path: shown_path(&file.new_path),
                bytes: 0,
                added: 0,
                removed: 0,
            };
            if let Content::Text(hunks) = &file.content {
                for line in hunks.iter().flat_map(|hunk| &hunk.lines) {
                    large.bytes += line.text.len() as u64 + 2;
                    match line.kind {
                        LineKind::Added => large.added += 1,
                        LineKind::Removed => large.removed += 1,
                        LineKind::Context => {}
                    }
                }
            }
            large
        })
        .collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    files.truncate(count);
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::added_file;

    #[test]
    fn the_largest_come_first() {
        let patch = Patch {
            files: vec![
                added_file(b"small", 0o100_644, b"1\n"),
                added_file(b"large", 0o100_644, b"123456\n123\n"),
                added_file(b"binary", 0o100_644, b"\0"),
            ],
        };
        let found = largest(&patch, 2);
        assert_eq!(
            found[0],
            LargeFile {
                path: "large".to_owned(),
                bytes: 13,
                added: 2,
                removed: 0
            }
        );
        assert_eq!((found.len(), found[1].path.as_str()), (2, "small"));
    }
}
