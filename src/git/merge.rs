//! Three trees made one.
//!
//! Nothing of the repository runs: a vault has no merge drivers, and no attributes of the tree reach its merges. Two
//! attributes are asked for all the same. A file that must not be merged by lines (`-merge`, `binary`, or a driver by name)
//! and that both sides changed is a conflict. `merge=union` is read as plain text, because a union keeps both sides of a
//! conflict without a word, and a person should see it.

use crate::git::command::{CHECKOUT, LIST};
use crate::git::merge_hunks::{Sides, hunks};
use crate::git::raw_diff::{GITLINK, take_field};
use crate::git::{GitError, Oid, Renames, Vault};
use std::collections::{BTreeMap, BTreeSet};

/// Conflicting files whose lines are looked up; nobody settles more by hand, and each costs two small processes.
const HUNKED_FILES: usize = 50;

/// Mode of a symbolic link.
const LINK: u32 = 0o120_000;

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Everything fits.
    Clean {
        /// The merged tree.
        tree: Oid,
    },
    /// Something does not. Sorted by path.
    Conflicts(Vec<Conflict>),
}

/// A path on which two trees disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: Vec<u8>,
    /// Why, in a few words, such as `both changed the same lines`.
    pub reason: String,
    /// The lines of the present file on which they disagree, first and last, from 1; empty when it is not about lines, and
    /// for files beyond the first 50.
    pub hunks: Vec<(u32, u32)>,
}

/// What merge-tree says about one path: mode and object of the base, of ours and of theirs.
type Stages = BTreeMap<Vec<u8>, [Option<(u32, Oid)>; 3]>;

/// One message of merge-tree.
struct Message {
    paths: Vec<Vec<u8>>,
    kind: Vec<u8>,
}

impl Vault {
    /// Merges what changed from `base` to `theirs` into `ours`. All three are trees in the vault. Renames are followed as
    /// git follows them.
    pub fn merge(&self, base: &Oid, ours: &Oid, theirs: &Oid) -> Result<Merged, GitError> {
        let unmergeable = self.unmergeable(base, ours, theirs)?;
        if !unmergeable.is_empty() {
            return Ok(Merged::Conflicts(unmergeable));
        }
        // Commits of ours tell git the base; `--merge-base` is newer than the oldest git that will do.
        let root = self.commit(base, &[], "base\n")?;
        let one = self.commit(ours, &[&root], "ours\n")?;
        let other = self.commit(theirs, &[&root], "theirs\n")?;
        let output = self
            .command("merge-tree")
            .args(["--write-tree", "-z", "--messages", "--end-of-options"])
            .args([one.as_str(), other.as_str()])
            .run(&CHECKOUT)?;
        let broken = || GitError::Output {
            command: "merge-tree",
        };
        match output.exit_code {
            Some(0) => {
                let tree = take_field(&mut output.stdout.as_slice())
                    .and_then(|field| Oid::parse(std::str::from_utf8(field).ok()?));
                Ok(Merged::Clean {
                    tree: tree.ok_or_else(broken)?,
                })
            }
            Some(1) => {
                let (stages, messages) = parse(&output.stdout).ok_or_else(broken)?;
                let conflicts = self.conflicts(&stages, &messages, [&one, &other])?;
                if conflicts.is_empty() {
                    return Err(broken());
                }
                Ok(Merged::Conflicts(conflicts))
            }
            _ => Err(self.explain("merge-tree", &output)),
        }
    }

    fn conflicts(
        &self,
        stages: &Stages,
        messages: &[Message],
        commits: [&Oid; 2],
    ) -> Result<Vec<Conflict>, GitError> {
        let mut reasons: BTreeMap<Vec<u8>, &'static str> = BTreeMap::new();
        for message in messages
            .iter()
            .filter(|message| message.kind.starts_with(b"CONFLICT"))
        {
            // The present file where there is one: a file that both renamed has three names.
            let present = |path: &&Vec<u8>| stages.get(*path).is_some_and(|stages| stages[1].is_some());
            let path = message.paths.iter().find(present).or(message.paths.first());
            if let Some(path) = path {
                let of_path = stages.get(path);
                // The first reason is the closest one.
                reasons
                    .entry(plain_path(path, commits))
                    .or_insert_with(|| reason(&message.kind, of_path));
            }
        }
        for path in stages.keys() {
            let is_told = messages.iter().any(|message| message.paths.contains(path));
            if !is_told {
                reasons
                    .entry(plain_path(path, commits))
                    .or_insert("both sides changed it in ways that do not fit");
            }
        }
        let mut conflicts = Vec::with_capacity(reasons.len());
        for (path, reason) in reasons {
            let hunks = match stages.get(&path) {
                Some(stages) if conflicts.len() < HUNKED_FILES => self.lines(stages)?,
                _ => Vec::new(),
            };
            conflicts.push(Conflict {
                path,
                reason: reason.to_owned(),
                hunks,
            });
        }
        Ok(conflicts)
    }

    /// Finds the lines of the present file on which two versions of a text disagree.
    fn lines(&self, stages: &[Option<(u32, Oid)>; 3]) -> Result<Vec<(u32, u32)>, GitError> {
        let [base, Some((our_mode, ours)), Some((their_mode, theirs))] = stages else {
            return Ok(Vec::new());
        };
        if [our_mode, their_mode]
            .iter()
            .any(|mode| [LINK, GITLINK].contains(mode))
        {
            return Ok(Vec::new());
        }
        let mut wanted = vec![ours, theirs];
        wanted.extend(base.as_ref().map(|(_, oid)| oid));
        let mut blobs = self.blobs(&wanted)?;
        let base = if base.is_some() { blobs.pop() } else { None };
        let (Some(theirs), Some(ours)) = (blobs.pop(), blobs.pop()) else {
            return Ok(Vec::new());
        };
        hunks(
            self,
            &Sides {
                base: base.unwrap_or_default(),
                ours,
                theirs,
            },
        )
    }

    /// Lists what both sides changed in different ways and what no merge by lines may touch.
    fn unmergeable(&self, base: &Oid, ours: &Oid, theirs: &Oid) -> Result<Vec<Conflict>, GitError> {
        let their_changes = self.changes(base, theirs, Renames::Split)?;
        let mut both: BTreeMap<Vec<u8>, _> = their_changes
            .into_iter()
            .map(|change| (change.path, change.new))
            .collect();
        let our_changes = self.changes(base, ours, Renames::Split)?;
        let changed: BTreeSet<Vec<u8>> = our_changes
            .into_iter()
            .filter(|change| change.new.is_some())
            .filter(|change| {
                both.remove(&change.path)
                    .is_some_and(|new| new.is_some() && new != change.new)
            })
            .map(|change| change.path)
            .collect();
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let marked = self.merge_attributes(ours, &changed)?;
        Ok(marked
            .into_iter()
            .map(|path| Conflict {
                path,
                reason: "both changed it, and its attributes say not to merge it by lines".to_owned(),
                hunks: Vec::new(),
            })
            .collect())
    }

    /// Returns those of the paths that the attributes of a tree keep from a merge by lines.
    fn merge_attributes(&self, tree: &Oid, paths: &BTreeSet<Vec<u8>>) -> Result<Vec<Vec<u8>>, GitError> {
        let (_scratch, index) = self.index_of(tree)?;
        let mut list = Vec::new();
        for path in paths {
            list.extend([path.as_slice(), b"\0"].concat());
        }
        let output = self
            .command("check-attr")
            .args(["--cached", "-z", "--stdin", "merge"])
            .variable("GIT_INDEX_FILE", &index)
            .stdin(list)
            .run(&LIST)?;
        self.expect("check-attr", &output)?;
        let mut rest = output.stdout.as_slice();
        let mut marked = Vec::new();
        while let (Some(path), Some(_), Some(value)) = (
            take_field(&mut rest),
            take_field(&mut rest),
            take_field(&mut rest),
        ) {
            if !matches!(value, b"unspecified" | b"set" | b"text" | b"union") {
                marked.push(path.to_vec());
            }
        }
        Ok(marked)
    }
}

/// Reads what merge-tree writes with `-z`: a tree, records of stages up to an empty one, then messages.
fn parse(bytes: &[u8]) -> Option<(Stages, Vec<Message>)> {
    let mut rest = bytes;
    take_field(&mut rest)?;
    let mut stages = Stages::new();
    loop {
        let record = take_field(&mut rest)?;
        if record.is_empty() {
            break;
        }
        let tab = record.iter().position(|&byte| byte == b'\t')?;
        let mut words = std::str::from_utf8(&record[..tab]).ok()?.split(' ');
        let mode = u32::from_str_radix(words.next()?, 8).ok()?;
        let oid = Oid::parse(words.next()?)?;
        let stage: usize = words.next()?.parse().ok()?;
        let of_path = stages.entry(record[tab + 1..].to_vec()).or_default();
        *of_path.get_mut(stage.checked_sub(1)?)? = Some((mode, oid));
    }
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let count: usize = std::str::from_utf8(take_field(&mut rest)?).ok()?.parse().ok()?;
        let mut paths = Vec::new();
        for _ in 0..count {
            paths.push(take_field(&mut rest)?.to_vec());
        }
        let kind = take_field(&mut rest)?.to_vec();
        // The message itself is for people, and full of ids.
        take_field(&mut rest)?;
        messages.push(Message { paths, kind });
    }
    Some((stages, messages))
}

/// Takes away what git adds to the name of a file that would have to move, `~` and the commit.
fn plain_path(path: &[u8], commits: [&Oid; 2]) -> Vec<u8> {
    for commit in commits {
        let added = format!("~{commit}");
        let found = path
            .windows(added.len())
            .rposition(|window| window == added.as_bytes());
        if let Some(at) = found {
            return path[..at].to_vec();
        }
    }
    path.to_vec()
}

/// Says why in plain words. The kinds are those of git 2.39.5 and 2.47.3, which are meant to be read by programs.
fn reason(kind: &[u8], stages: Option<&[Option<(u32, Oid)>; 3]>) -> &'static str {
    let is_link = stages.is_some_and(|stages| stages[1..].iter().flatten().any(|(mode, _)| *mode == LINK));
    let is_new = stages.is_some_and(|stages| stages[0].is_none());
    match kind {
        b"CONFLICT (contents)" if is_link => "both changed the link",
        b"CONFLICT (contents)" if is_new => "both added it",
        b"CONFLICT (contents)" => "both changed the same lines",
        b"CONFLICT (binary)" => "both changed it, and it is not text",
        b"CONFLICT (modify/delete)" | b"CONFLICT (rename/delete)" => {
            "one side deleted it, the other changed it"
        }
        b"CONFLICT (file/directory)" => "it is a file on one side and a folder on the other",
        b"CONFLICT (distinct modes)" | b"CONFLICT (distinct types)" => {
            "it is a file on one side and a link on the other"
        }
        b"CONFLICT (rename/rename)" | b"CONFLICT (rename involved in collision)" => "both renamed it",
        _ if kind.starts_with(b"CONFLICT (directory rename") || kind == b"CONFLICT (file location)" => {
            "its folder was renamed on one side"
        }
        _ if kind.starts_with(b"CONFLICT (submodule") => "it is a submodule that both changed",
        _ => "both sides changed it in ways that do not fit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_writes_about_a_conflict_is_read() {
        let oid = "0123456789012345678901234567890123456789";
        let text = format!(
            "{oid}\x00100644 {oid} 1\ta\tb\n\x00100755 {oid} 2\ta\tb\n\x00\x001\x00a\tb\n\x00CONFLICT (contents)\x00words\n\x00"
        );
        let (stages, messages) = parse(text.as_bytes()).unwrap();
        let oid = Oid::parse(oid).unwrap();
        let expected = [Some((0o100_644, oid.clone())), Some((0o100_755, oid)), None];
        assert_eq!(stages, BTreeMap::from([(b"a\tb\n".to_vec(), expected)]));
        assert_eq!(messages[0].paths, [b"a\tb\n"]);
        assert!(parse(b"").is_none());
        assert!(parse(b"x\x00100644 nonsense\x00\x00").is_none());
    }

    #[test]
    fn the_name_that_git_makes_up_is_taken_away() {
        let oid = Oid::parse(&"a".repeat(40)).unwrap();
        let check = |path: &str, expected: &str| {
            assert_eq!(plain_path(path.as_bytes(), [&oid, &oid]), expected.as_bytes());
        };
        check("a~b", "a~b");
        check(&format!("a~{oid}"), "a");
        check(&format!("a~{oid}_1"), "a");
    }
}
