//! Which unchanged files hold other bytes than their stored objects.
//!
//! Git may convert a file on its way into the store: ends of lines, `$Id$`, encodings, filters. It then calls the file
//! unchanged although its bytes are not those of its object. Whoever needs the user's bytes must read such files anew.
//! Nothing is converted here and no filter runs.

use crate::git::GitError;
use crate::git::command::CHECKOUT;
use crate::git::listed::Listed;
use crate::git::private::Private;
use crate::git::raw_diff::take_field;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// What attributes do to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Conversion {
    /// `text`, `crlf` or `eol` say yes, or maybe; absent when none of them says anything.
    ends_of_lines: Option<bool>,
    /// It is read anew whatever its size.
    may_keep_its_size: bool,
    /// Some program of the user's converts it.
    is_filtered: bool,
}

/// What attributes do to the files of an index.
#[derive(Debug, Default)]
pub(super) struct Conversions {
    by_path: BTreeMap<Vec<u8>, Conversion>,
    converts_unasked: bool,
}

impl Conversions {
    /// Asks the repository's attributes about all files.
    pub(super) fn read(private: &Private, entries: &[Listed]) -> Result<Self, GitError> {
        let mut question = Vec::with_capacity(entries.len() * 32);
        for entry in entries.iter().filter(|entry| entry.is_regular()) {
            question.extend(&entry.path);
            question.push(0);
        }
        // All attributes that are set, because a file without any is then not answered at all: 100,000 such files cost
        // 0.05 s of work.
        let output = private
            .command("check-attr")
            .args(["-z", "--stdin", "-a"])
            .stdin(question)
            .run_ok(&CHECKOUT)?;
        Ok(Self {
            by_path: parse_attributes(&output).ok_or(GitError::Output {
                command: "check-attr",
            })?,
            converts_unasked: private.settings.converts_unasked(),
        })
    }

    /// Tells whether a program of the user's converts a file.
    pub(super) fn is_filtered(&self, path: &[u8]) -> bool {
        self.by_path.get(path).is_some_and(|found| found.is_filtered)
    }

    /// Lists those of the unchanged files whose bytes may differ from their objects. Ends of lines change the size, so a
    /// file as long as its object is not among them.
    pub(super) fn list<'a>(
        &self,
        private: &Private,
        unchanged: impl Iterator<Item = &'a Listed>,
    ) -> Result<Vec<&'a Listed>, GitError> {
        let mut converted = Vec::new();
        let mut measured = Vec::new();
        for entry in unchanged.filter(|entry| entry.is_regular()) {
            let found = self.by_path.get(&entry.path).copied().unwrap_or_default();
            if found.may_keep_its_size {
                converted.push(entry);
            } else if found.ends_of_lines.unwrap_or(self.converts_unasked) {
                measured.push(entry);
            }
        }
        let sizes = read_sizes(private, &measured)?;
        for (entry, stored) in measured.into_iter().zip(sizes) {
            let path = private.work_tree().join(OsStr::from_bytes(&entry.path));
            let found = path.symlink_metadata().ok().map(|found| found.len());
            // An object that is not here has no size, and a file that is gone has none: both get a closer look.
            if found.is_none() || found != stored {
                converted.push(entry);
            }
        }
        Ok(converted)
    }
}

/// Reads `path NUL attribute NUL value NUL`, over and over.
fn parse_attributes(bytes: &[u8]) -> Option<BTreeMap<Vec<u8>, Conversion>> {
    let mut by_path: BTreeMap<Vec<u8>, Conversion> = BTreeMap::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let path = take_field(&mut rest)?;
        let (attribute, value) = (take_field(&mut rest)?, take_field(&mut rest)?);
        if !matches!(
            attribute,
            b"text" | b"crlf" | b"eol" | b"ident" | b"filter" | b"working-tree-encoding"
        ) {
            continue;
        }
        let conversion = by_path.entry(path.to_vec()).or_default();
        let is_off = value == b"unset";
        match attribute {
            // `text` decides; `eol` alone means text, and `crlf` is the name that `text` once had.
            b"text" => conversion.ends_of_lines = Some(!is_off),
            b"crlf" | b"eol" => {
                conversion.ends_of_lines = Some(conversion.ends_of_lines.unwrap_or(!is_off));
            }
            _ if is_off => {}
            _ => {
                conversion.may_keep_its_size = true;
                conversion.is_filtered |= attribute == b"filter";
            }
        }
    }
    Some(by_path)
}

/// Asks for the sizes of objects; one that is not here has none.
fn read_sizes(private: &Private, entries: &[&Listed]) -> Result<Vec<Option<u64>>, GitError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut question = Vec::with_capacity(entries.len() * 41);
    for entry in entries {
        question.extend(entry.oid.as_str().as_bytes());
        question.push(b'\n');
    }
    let output = private
        .command("cat-file")
        .args(["--batch-check=%(objectsize)", "--buffer"])
        .stdin(question)
        .run_ok(&CHECKOUT)?;
    let sizes: Vec<Option<u64>> = output
        .split(|&byte| byte == b'\n')
        .map(|line| std::str::from_utf8(line).ok()?.parse().ok())
        .take(entries.len())
        .collect();
    if sizes.len() == entries.len() {
        Ok(sizes)
    } else {
        Err(GitError::Output { command: "cat-file" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_say_what_may_be_converted() {
        let check = |attributes: &[(&str, &str)], ends_of_lines, may_keep_its_size, is_filtered| {
            let mut bytes = Vec::new();
            for (attribute, value) in attributes {
                bytes.extend(format!("a\nb\0{attribute}\0{value}\0").into_bytes());
            }
            let parsed = parse_attributes(&bytes).unwrap();
            let expected = Conversion {
                ends_of_lines,
                may_keep_its_size,
                is_filtered,
            };
            let found = parsed.get(&b"a\nb"[..]).copied().unwrap_or_default();
            assert_eq!(found, expected, "{attributes:?}");
        };
        check(&[], None, false, false);
        check(&[("diff", "rust")], None, false, false);
        check(&[("text", "set")], Some(true), false, false);
        check(&[("text", "auto"), ("eol", "crlf")], Some(true), false, false);
        check(&[("eol", "crlf")], Some(true), false, false);
        check(&[("text", "unset"), ("eol", "crlf")], Some(false), false, false);
        check(&[("eol", "crlf"), ("text", "unset")], Some(false), false, false);
        check(&[("crlf", "input")], Some(true), false, false);
        check(&[("ident", "set")], None, true, false);
        check(&[("ident", "unset")], None, false, false);
        check(&[("filter", "lfs"), ("text", "unset")], Some(false), true, true);
        check(&[("filter", "unset")], None, false, false);
        check(&[("working-tree-encoding", "UTF-16")], None, true, false);
        assert!(parse_attributes(b"a\0text\0").is_none());
    }
}
