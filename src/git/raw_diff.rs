//! Git's raw list of what differs, `--raw -z`, record by record.

use crate::git::{GitError, Oid};

/// Mode of a submodule's entry.
pub(super) const GITLINK: u32 = 0o160_000;

/// What a list is asked for. Which submodules are looked into is said beside it: their configuration names programs.
pub(super) const RAW_ARGUMENTS: [&str; 6] = [
    "--raw",
    "-z",
    "--no-abbrev",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
];

/// One record. Ids are absent where git writes zeros: nothing is there, or it was not hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawRecord {
    /// Mode before; 0 when nothing was there.
    pub old_mode: u32,
    /// Mode after, likewise.
    pub new_mode: u32,
    /// Object before.
    pub old_oid: Option<Oid>,
    /// Object after.
    pub new_oid: Option<Oid>,
    /// The earlier path of a rename.
    pub from: Option<Vec<u8>>,
    /// The path, the later one of a rename.
    pub path: Vec<u8>,
}

/// Reads the records at the beginning of `bytes` and returns what stands behind them. `command` is whose output it is.
pub(super) fn parse_raw<'a>(
    bytes: &'a [u8],
    command: &'static str,
) -> Result<(Vec<RawRecord>, &'a [u8]), GitError> {
    let mut rest = bytes;
    let mut records = Vec::new();
    while rest.first() == Some(&b':') {
        let record = read_record(&mut rest).ok_or(GitError::Output { command })?;
        records.push(record);
    }
    Ok((records, rest))
}

fn read_record(rest: &mut &[u8]) -> Option<RawRecord> {
    let head = std::str::from_utf8(take_field(rest)?).ok()?.strip_prefix(':')?;
    let mut words = head.split(' ');
    let mut mode = || u32::from_str_radix(words.next()?, 8).ok();
    let (old_mode, new_mode) = (mode()?, mode()?);
    let mut oid = || Oid::parse(words.next()?);
    let (old_oid, new_oid) = (oid()?, oid()?);
    let is_pair = words.next()?.starts_with(['R', 'C']);
    let first = take_field(rest)?.to_vec();
    let (from, path) = if is_pair {
        (Some(first), take_field(rest)?.to_vec())
    } else {
        (None, first)
    };
    Some(RawRecord {
        old_mode,
        new_mode,
        old_oid: known(old_oid),
        new_oid: known(new_oid),
        from,
        path,
    })
}

/// Takes zeros for no id.
fn known(oid: Oid) -> Option<Oid> {
    let is_known = oid.as_str().bytes().any(|digit| digit != b'0');
    is_known.then_some(oid)
}

/// Takes what stands before the next NUL.
pub(super) fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let at = rest.iter().position(|&byte| byte == 0)?;
    let field = &rest[..at];
    *rest = &rest[at + 1..];
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oid(digit: &str) -> String {
        digit.repeat(40)
    }

    #[test]
    fn records_are_read_and_the_rest_is_handed_back() {
        let text = format!(
            ":100644 120000 {} {} T\0a\nb\0:100755 000000 {} {} R087\0old\0new\x000\t1\t",
            oid("1"),
            oid("0"),
            oid("2"),
            oid("3")
        );
        let (records, rest) = parse_raw(text.as_bytes(), "diff").unwrap();
        let expected = [
            RawRecord {
                old_mode: 0o100_644,
                new_mode: 0o120_000,
                old_oid: Oid::parse(&oid("1")),
                new_oid: None,
                from: None,
                path: b"a\nb".to_vec(),
            },
            RawRecord {
                old_mode: 0o100_755,
                new_mode: 0,
                old_oid: Oid::parse(&oid("2")),
                new_oid: Oid::parse(&oid("3")),
                from: Some(b"old".to_vec()),
                path: b"new".to_vec(),
            },
        ];
        assert_eq!((records.as_slice(), rest), (&expected[..], &b"0\t1\t"[..]));
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for text in [":", ":100644\0a\0", ":100644 100644 12 34 M\0a\0"] {
            assert!(
                matches!(
                    parse_raw(text.as_bytes(), "diff"),
                    Err(GitError::Output { command: "diff" })
                ),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in "[:0-7 a-f\\x00MR]{0,120}") {
            let _ = parse_raw(bytes.as_bytes(), "diff");
        }
    }
}
