//! The entries of an index, as `ls-files -z -s -v` lists them.

use crate::git::raw_diff::{GITLINK, take_field};
use crate::git::{GitError, Oid};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Git's mode.
    pub mode: u32,
    /// The stored object.
    pub oid: Oid,
    /// Whether it is one of several sides of a conflict.
    pub is_unmerged: bool,
    /// Whether the user's git does not look for the file, because only a part of the tree is checked out.
    pub is_skipped: bool,
    /// Whether the user's git takes the file for unchanged without a look.
    pub is_assumed: bool,
    /// The path.
    pub path: Vec<u8>,
}

impl Listed {
    /// Tells whether it stands for a submodule.
    pub(super) fn is_gitlink(&self) -> bool {
        self.mode == GITLINK
    }

    /// Tells whether its file is a regular one, whose bytes git may convert.
    pub(super) fn is_regular(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// Reads the list: `TAG SP mode SP oid SP stage TAB path NUL`.
pub(super) fn parse_listed(bytes: &[u8]) -> Result<Vec<Listed>, GitError> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        entries.push(read_entry(&mut rest).ok_or(GitError::Output { command: "ls-files" })?);
    }
    Ok(entries)
}

fn read_entry(rest: &mut &[u8]) -> Option<Listed> {
    let record = take_field(rest)?;
    let tab = record.iter().position(|&byte| byte == b'\t')?;
    let mut words = std::str::from_utf8(&record[..tab]).ok()?.split(' ');
    let tag = words.next()?;
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let oid = Oid::parse(words.next()?)?;
    Some(Listed {
        mode,
        oid,
        is_unmerged: words.next()? != "0",
        is_skipped: tag.eq_ignore_ascii_case("S"),
        is_assumed: tag.bytes().all(|byte| byte.is_ascii_lowercase()),
        path: record[tab + 1..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_stages_are_told_apart() {
        let oid = "1".repeat(40);
        let check = |tag: &str, stage: u8, expected: [bool; 3]| {
            let text = format!("{tag} 100755 {oid} {stage}\ta\tb\nc\0");
            let listed = parse_listed(text.as_bytes()).unwrap();
            let expected = Listed {
                mode: 0o100_755,
                oid: Oid::parse(&oid).unwrap(),
                is_unmerged: expected[0],
                is_skipped: expected[1],
                is_assumed: expected[2],
                path: b"a\tb\nc".to_vec(),
            };
            assert_eq!(listed, [expected], "{text:?}");
        };
        check("H", 0, [false, false, false]);
        check("M", 2, [true, false, false]);
        check("S", 0, [false, true, false]);
        check("s", 0, [false, true, true]);
        check("h", 0, [false, false, true]);
        for broken in ["H 100644 12 0\ta\0", "H 100644\0", "H"] {
            assert!(parse_listed(broken.as_bytes()).is_err(), "{broken:?}");
        }
    }
}
