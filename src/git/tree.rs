//! What differs between two trees of a vault, to the byte.

use crate::diff::largest::LargeFile;
use crate::diff::text::shown_path;
use crate::domain::limits::PATCH_BYTES;
use crate::git::command::{Bounds, CHECKOUT, LIST};
use crate::git::raw_diff::{GITLINK, RawRecord, parse_raw, take_field};
use crate::git::untracked::names;
use crate::git::{GitError, Oid, Vault};
use std::collections::{BTreeMap, BTreeSet};

/// One side of a changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Git's mode: `0o100644`, `0o100755`, `0o120000` or `0o160000`.
    pub mode: u32,
    /// Its object.
    pub oid: Oid,
}

/// One changed path. A rename is a change of its new path that names the old one, and no change of the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeChange {
    /// The path, its later one.
    pub path: Vec<u8>,
    /// The earlier path of a renamed file.
    pub from: Option<Vec<u8>>,
    /// What was there before; absent for a new file.
    pub old: Option<TreeEntry>,
    /// What is there now; absent for a deleted file.
    pub new: Option<TreeEntry>,
    /// Lines added and removed; absent for what is not text.
    pub lines: Option<(u64, u64)>,
}

/// Whether a moved file is one change or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renames {
    /// One, for people.
    Found,
    /// Two, a deletion and an addition, for whatever works path by path.
    Split,
}

/// For a patch, or blobs, which are handed on whole.
const PATCH: Bounds = Bounds {
    deadline: CHECKOUT.deadline,
    stdout_bytes: PATCH_BYTES,
};

/// Files named when a patch is too large.
const LARGEST: usize = 20;

/// What a patch is made with. Without renames, so that each path of it stands for itself.
const PATCH_ARGUMENTS: [&str; 11] = [
    "-r",
    "-p",
    "--binary",
    "--full-index",
    "--no-renames",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

impl Vault {
    /// Lists the changed paths, sorted by path. `from` and `to` are trees or commits.
    pub fn changes(&self, from: &Oid, to: &Oid, renames: Renames) -> Result<Vec<TreeChange>, GitError> {
        let renames = match renames {
            Renames::Found => "--find-renames",
            Renames::Split => "--no-renames",
        };
        let output = self
            .command("diff-tree")
            .args(["-r", "-z", "--raw", "--numstat", "--no-abbrev", renames])
            .args(["--no-ext-diff", "--no-textconv", "--end-of-options"])
            .args([from.as_str(), to.as_str()])
            .run(&CHECKOUT)?;
        self.expect("diff-tree", &output)?;
        let (records, counts) = parse_raw(&output.stdout, "diff-tree")?;
        let mut lines = parse_counts(counts)?;
        let mut changes: Vec<TreeChange> = records
            .into_iter()
            .map(|record| {
                let lines = lines.remove(&record.path).flatten();
                change(record, lines)
            })
            .collect();
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(changes)
    }

    /// Writes the patch from one tree to another: binary, with full ids, byte-exact; only these paths, all when empty. More
    /// than [`PATCH_BYTES`] is [`GitError::DiffTooLarge`].
    pub fn patch(&self, from: &Oid, to: &Oid, paths: &[Vec<u8>]) -> Result<Vec<u8>, GitError> {
        // Any number of paths fits into a tree, and not into the arguments of a process.
        let part = if paths.is_empty() {
            to.clone()
        } else {
            self.pick(from, to, paths)?
        };
        self.refuse_huge(from, &part)?;
        let outcome = self
            .command("diff-tree")
            .args(PATCH_ARGUMENTS)
            .args(["--end-of-options", from.as_str(), part.as_str()])
            .run(&PATCH);
        match outcome {
            Err(GitError::OutputTooLarge { limit, .. }) => Err(GitError::DiffTooLarge {
                limit,
                largest: largest(&self.changes(from, &part, Renames::Split)?),
            }),
            Err(error) => Err(error),
            Ok(output) => self.expect("diff-tree", &output).map(|()| output.stdout),
        }
    }

    /// Returns the sizes of objects in bytes, in this order; nothing for one that is not here.
    pub fn sizes(&self, oids: &[&Oid]) -> Result<Vec<Option<u64>>, GitError> {
        if oids.is_empty() {
            return Ok(Vec::new());
        }
        let mut question = Vec::new();
        for oid in oids {
            question.extend(format!("{oid}\n").into_bytes());
        }
        let output = self
            .command("cat-file")
            .args(["--batch-check=%(objectsize)", "--buffer"])
            .stdin(question)
            .run(&CHECKOUT)?;
        self.expect("cat-file", &output)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let sizes: Vec<Option<u64>> = text.lines().map(|line| line.parse().ok()).collect();
        if sizes.len() == oids.len() {
            Ok(sizes)
        } else {
            Err(GitError::Output { command: "cat-file" })
        }
    }

    /// Refuses a patch of a file larger than any patch may be: git holds both sides of a binary one whole, and zeros, of which
    /// a sparse file has any number, would come out small.
    fn refuse_huge(&self, from: &Oid, to: &Oid) -> Result<(), GitError> {
        let output = self
            .command("diff-tree")
            .args(["-r", "-z", "--raw", "--no-abbrev", "--no-renames"])
            .args(["--end-of-options", from.as_str(), to.as_str()])
            .run(&CHECKOUT)?;
        self.expect("diff-tree", &output)?;
        let (records, _) = parse_raw(&output.stdout, "diff-tree")?;
        let mut sides = Vec::new();
        for record in &records {
            let both = [
                (record.old_mode, &record.old_oid),
                (record.new_mode, &record.new_oid),
            ];
            let files = both.into_iter().filter(|(mode, _)| *mode != GITLINK);
            sides.extend(files.filter_map(|(_, oid)| Some((oid.as_ref()?, &record.path))));
        }
        let oids: Vec<&Oid> = sides.iter().map(|(oid, _)| *oid).collect();
        let lengths = self.sizes(&oids)?;
        let mut huge: Vec<LargeFile> = sides
            .iter()
            .zip(lengths)
            .filter_map(|((_, path), size)| Some((path, size?)))
            .filter(|(_, size)| *size > PATCH_BYTES as u64)
            .map(|(path, bytes)| LargeFile {
                path: shown_path(path),
                bytes,
                added: 0,
                removed: 0,
            })
            .collect();
        huge.truncate(LARGEST);
        if huge.is_empty() {
            Ok(())
        } else {
            Err(GitError::DiffTooLarge {
                limit: PATCH_BYTES,
                largest: huge,
            })
        }
    }

    /// Reads the bytes of blobs, in order, at most [`PATCH_BYTES`] in all; one that is missing is
    /// [`GitError::MissingObjects`].
    pub fn blobs(&self, oids: &[&Oid]) -> Result<Vec<Vec<u8>>, GitError> {
        if oids.is_empty() {
            return Ok(Vec::new());
        }
        let mut question = Vec::new();
        for oid in oids {
            question.extend(oid.as_str().as_bytes());
            question.push(b'\n');
        }
        let output = self
            .command("cat-file")
            .args(["--batch", "--buffer"])
            .stdin(question)
            .run(&PATCH)?;
        self.expect("cat-file", &output)?;
        let mut rest = output.stdout.as_slice();
        oids.iter().map(|_| self.take_blob(&mut rest)).collect()
    }

    fn take_blob(&self, rest: &mut &[u8]) -> Result<Vec<u8>, GitError> {
        let broken = || GitError::Output { command: "cat-file" };
        let at = rest.iter().position(|&byte| byte == b'\n').ok_or_else(broken)?;
        let head = std::str::from_utf8(&rest[..at]).map_err(|_| broken())?;
        let bytes = &rest[at + 1..];
        if head.ends_with(" missing") {
            return Err(GitError::MissingObjects {
                partial_clone: self.is_partial_clone,
            });
        }
        let size = head.split_once(" blob ").and_then(|(_, size)| size.parse().ok());
        let size: usize = size.ok_or_else(broken)?;
        let blob = bytes.get(..size).ok_or_else(broken)?.to_vec();
        *rest = bytes.get(size + 1..).ok_or_else(broken)?;
        Ok(blob)
    }

    /// Lists all paths of a tree, those of submodules too.
    pub fn paths(&self, tree: &Oid) -> Result<Vec<Vec<u8>>, GitError> {
        let output = self
            .command("ls-tree")
            .args(["-r", "-z", "--full-tree", "--name-only", tree.as_str()])
            .run(&CHECKOUT)?;
        self.expect("ls-tree", &output)?;
        Ok(names(&output.stdout).iter().map(|name| name.to_vec()).collect())
    }

    /// Returns the tree that is `from` with the given paths as they are in `to`: what a landing of a part lands. A path that
    /// is alike in both, or in neither, changes nothing.
    pub fn pick(&self, from: &Oid, to: &Oid, paths: &[Vec<u8>]) -> Result<Oid, GitError> {
        let picked: BTreeSet<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let mut changes = self.changes(from, to, Renames::Split)?;
        changes.retain(|change| picked.contains(change.path.as_slice()));
        let scratch = self.scratch()?;
        let index = scratch.path().join("index");
        let read = self
            .command("read-tree")
            .args([from.as_str()])
            .variable("GIT_INDEX_FILE", &index)
            .run(&CHECKOUT)?;
        self.expect("read-tree", &read)?;
        let write = self
            .command("update-index")
            .args(["-z", "--index-info"])
            .variable("GIT_INDEX_FILE", &index)
            .stdin(index_orders(&changes))
            .run(&CHECKOUT)?;
        self.expect("update-index", &write)?;
        // All entries come from trees. That an object is not here any more is told when its bytes are asked for.
        let tree = self
            .command("write-tree")
            .args(["--missing-ok"])
            .variable("GIT_INDEX_FILE", &index)
            .run(&CHECKOUT)?;
        self.oid_of("write-tree", &tree)
    }

    /// Copies into a pack of ours all objects in which two commits' trees differ, both sides, with the commits, and the
    /// trees on the way: so that the user's own `git gc` cannot take them from a diff, a landing or an undo. `from` and
    /// `to` may be trees as well.
    pub fn keep_change(&self, from: &Oid, to: &Oid) -> Result<(), GitError> {
        let output = self
            .command("diff-tree")
            .args(["-r", "-t", "-z", "--raw", "--no-abbrev", "--no-renames"])
            .args(["--end-of-options", from.as_str(), to.as_str()])
            .run(&CHECKOUT)?;
        self.expect("diff-tree", &output)?;
        let (records, _) = parse_raw(&output.stdout, "diff-tree")?;
        let mut kept: BTreeSet<Oid> = BTreeSet::new();
        for end in [from, to] {
            kept.insert(self.tree_of(end)?);
            kept.insert(end.clone());
        }
        for record in records {
            let sides = [
                (record.old_mode, record.old_oid),
                (record.new_mode, record.new_oid),
            ];
            kept.extend(
                sides
                    .into_iter()
                    .filter(|(mode, _)| *mode != GITLINK)
                    .filter_map(|(_, oid)| oid),
            );
        }
        let list: Vec<&str> = kept.iter().map(Oid::as_str).collect();
        let output = self
            .command("pack-objects")
            .args(["-q", "--non-empty"])
            .args([self.directory.join("objects/pack/pack")])
            .stdin(format!("{}\n", list.join("\n")).into_bytes())
            .run(&Bounds {
                deadline: CHECKOUT.deadline,
                ..LIST
            })?;
        self.expect("pack-objects", &output)
    }
}

fn change(record: RawRecord, lines: Option<(u64, u64)>) -> TreeChange {
    let is_gitlink = record.old_mode == GITLINK || record.new_mode == GITLINK;
    let entry = |mode, oid: Option<Oid>| oid.map(|oid| TreeEntry { mode, oid });
    TreeChange {
        path: record.path,
        from: record.from,
        old: entry(record.old_mode, record.old_oid),
        new: entry(record.new_mode, record.new_oid),
        // Git counts the line that it shows for a submodule, which is in no file.
        lines: lines.filter(|_| !is_gitlink),
    }
}

/// Lines added and removed by path; absent for what is not text.
type Counts = BTreeMap<Vec<u8>, Option<Lines>>;

/// Lines added, and lines removed.
type Lines = (u64, u64);

/// Reads `--numstat -z`: `added TAB removed TAB path NUL`, or for a rename `added TAB removed TAB NUL old NUL new NUL`.
fn parse_counts(bytes: &[u8]) -> Result<Counts, GitError> {
    let mut rest = bytes;
    let mut counts = Counts::new();
    while !rest.is_empty() {
        let (path, lines) = read_count(&mut rest).ok_or(GitError::Output { command: "diff-tree" })?;
        counts.insert(path, lines);
    }
    Ok(counts)
}

fn read_count(rest: &mut &[u8]) -> Option<(Vec<u8>, Option<Lines>)> {
    let record = take_field(rest)?;
    let mut fields = record.splitn(3, |&byte| byte == b'\t');
    let mut number = || {
        let field = std::str::from_utf8(fields.next()?).ok()?;
        if field == "-" {
            Some(None)
        } else {
            field.parse::<u64>().ok().map(Some)
        }
    };
    let (added, removed) = (number()?, number()?);
    let path = match fields.next()? {
        b"" => {
            take_field(rest)?;
            take_field(rest)?
        }
        path => path,
    };
    Some((path.to_vec(), added.zip(removed)))
}

/// Writes what `update-index -z --index-info` reads. Deletions first, so that a file may take the place of a folder.
fn index_orders(changes: &[TreeChange]) -> Vec<u8> {
    let mut deletions = Vec::new();
    let mut additions = Vec::new();
    for change in changes {
        match (&change.old, &change.new) {
            (_, Some(new)) => {
                additions.extend(format!("{:06o} {}\t", new.mode, new.oid).into_bytes());
                additions.extend([&change.path[..], b"\0"].concat());
            }
            (Some(old), None) => {
                let zeros = "0".repeat(old.oid.as_str().len());
                deletions.extend(format!("0 {zeros}\t").into_bytes());
                deletions.extend([&change.path[..], b"\0"].concat());
            }
            (None, None) => {}
        }
    }
    deletions.extend(additions);
    deletions
}

fn largest(changes: &[TreeChange]) -> Vec<LargeFile> {
    let mut files: Vec<LargeFile> = changes
        .iter()
        .map(|change| {
            let (added, removed) = change.lines.unwrap_or_default();
            LargeFile {
                path: shown_path(&change.path),
                bytes: 0,
                added,
                removed,
            }
        })
        .collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.added + file.removed));
    files.truncate(LARGEST);
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_are_read_with_their_paths() {
        let check = |text: &str, expected: &[(&str, Option<(u64, u64)>)]| {
            let expected: Counts = expected
                .iter()
                .map(|(path, lines)| (path.as_bytes().to_vec(), *lines))
                .collect();
            assert_eq!(parse_counts(text.as_bytes()).unwrap(), expected, "{text:?}");
        };
        check("", &[]);
        check("1\t2\ta\tb\0", &[("a\tb", Some((1, 2)))]);
        check(
            "-\t-\tbinary\x000\t3\t\0old\0new\0",
            &[("binary", None), ("new", Some((0, 3)))],
        );
        for broken in ["1\t2\ta", "1\tx\ta\0", "1\0", "1\t2\t\0old\0"] {
            assert!(parse_counts(broken.as_bytes()).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in "[-0-9\\t\\x00a]{0,60}") {
            let _ = parse_counts(bytes.as_bytes());
        }
    }
}
