//! Files in the form in which git stores them, as the user's own `git add` would make them, without running anything.
//!
//! A vault keeps bytes as they are in the working tree. Before a commit enters the user's repository, ends of lines,
//! `$Id$` and encodings are converted by the attributes and settings of the user. A filter is never run; a file that has
//! one is refused by name.

use crate::git::command::{CHECKOUT, Command, LIST};
use crate::git::listed::parse_listed;
use crate::git::private::{Private, first_oid};
use crate::git::raw_diff::{GITLINK, take_field};
use crate::git::{Environment, ExportError, GitError, Oid, Repository, TreeChange, TreeEntry, Vault};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Mode of a symbolic link, whose text is stored as it is.
const LINK: u32 = 0o120_000;

/// Name of the files that decide about conversions.
const ATTRIBUTES: &[u8] = b".gitattributes";

/// Bytes of files that are laid out at once.
const BATCH_BYTES: usize = 64 * 1024 * 1024;

/// A place in which files are converted.
pub(super) struct Normal<'a> {
    vault: &'a Vault,
    private: Private,
    head: &'a Oid,
    changes: &'a [TreeChange],
    attributes: Vec<(Vec<u8>, Oid)>,
}

/// A working tree for the moment.
struct Place {
    top: PathBuf,
    environment: Environment,
}

/// Which side of the changes is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What the peer started from.
    Base,
    /// What came of it.
    Result,
}

impl<'a> Normal<'a> {
    /// Prepares for some changes from the raw tree `base`, with whose attributes files are converted.
    pub(super) fn prepare(
        vault: &'a Vault,
        repository: &Repository,
        (head, base): (&'a Oid, &Oid),
        changes: &'a [TreeChange],
        scratch: &Path,
    ) -> Result<Self, GitError> {
        Ok(Self {
            vault,
            private: Private::create(repository, scratch)?,
            head,
            changes,
            attributes: attributes(vault, base, changes)?,
        })
    }

    /// Lists the changed files that a filter keeps in another form.
    pub(super) fn filtered(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let place = self.lay_out_attributes("attributes")?;
        let mut list = Vec::new();
        for change in self.changes {
            let is_file = |entry: &&TreeEntry| !matches!(entry.mode, LINK | GITLINK);
            if [&change.old, &change.new]
                .into_iter()
                .flatten()
                .any(|entry| is_file(&entry))
            {
                list.extend([change.path.as_slice(), b"\0"].concat());
            }
        }
        let output = self
            .command("check-attr", &place)
            .args(["-z", "--stdin", "filter"])
            .stdin(list)
            .run(&LIST)?;
        self.expect("check-attr", &output)?;
        let mut rest = output.stdout.as_slice();
        let mut filtered = Vec::new();
        while let (Some(path), Some(_), Some(value)) = (
            take_field(&mut rest),
            take_field(&mut rest),
            take_field(&mut rest),
        ) {
            if !matches!(value, b"unspecified" | b"unset") {
                filtered.push(path.to_vec());
            }
        }
        Ok(filtered)
    }

    /// Returns the tree of the user's commit with the changed paths as one side has them, in stored form.
    pub(super) fn tree(&self, side: Side) -> Result<Oid, ExportError> {
        let entries: Vec<(&[u8], Option<&TreeEntry>)> = self
            .changes
            .iter()
            .map(|change| {
                let entry = match side {
                    Side::Base => change.old.as_ref(),
                    Side::Result => change.new.as_ref(),
                };
                (change.path.as_slice(), entry)
            })
            .collect();
        let stored = self.convert(side, &entries)?;
        let place = self.place("tree", side)?;
        let read = self
            .command("read-tree", &place)
            .args([self.head.as_str()])
            .run(&CHECKOUT)?;
        self.expect("read-tree", &read)?;
        // Deletions first, so that a folder may take the place of a file.
        let mut orders = Vec::new();
        let zeros = "0".repeat(self.head.as_str().len());
        for (path, _) in entries.iter().filter(|(_, entry)| entry.is_none()) {
            orders.extend(format!("0 {zeros}\t").into_bytes());
            orders.extend([path, &b"\0"[..]].concat());
        }
        for (path, entry) in &entries {
            if let Some(entry) = entry {
                let oid = stored.get(*path).unwrap_or(&entry.oid);
                orders.extend(format!("{:06o} {oid}\t", entry.mode).into_bytes());
                orders.extend([path, &b"\0"[..]].concat());
            }
        }
        let write = self
            .command("update-index", &place)
            .args(["--replace", "-z", "--index-info"])
            .stdin(orders)
            .run(&CHECKOUT)?;
        self.expect("update-index", &write)?;
        let tree = self
            .command("write-tree", &place)
            .args(["--missing-ok"])
            .run(&CHECKOUT)?;
        self.expect("write-tree", &tree)?;
        let broken = GitError::Output {
            command: "write-tree",
        };
        Ok(first_oid(&tree.stdout).ok_or(broken)?)
    }

    /// Converts the files and returns their stored objects. Links are stored as they are.
    fn convert(
        &self,
        side: Side,
        entries: &[(&[u8], Option<&TreeEntry>)],
    ) -> Result<BTreeMap<Vec<u8>, Oid>, GitError> {
        let files: Vec<(&[u8], &Oid)> = entries
            .iter()
            .filter_map(|(path, entry)| entry.map(|entry| (*path, entry)))
            .filter(|(_, entry)| !matches!(entry.mode, LINK | GITLINK))
            .map(|(path, entry)| (path, &entry.oid))
            .collect();
        let place = self.place("files", side)?;
        // With what is committed in the index: of a file that has CRLF there, git leaves them.
        let read = self
            .command("read-tree", &place)
            .args([self.head.as_str()])
            .run(&CHECKOUT)?;
        self.expect("read-tree", &read)?;
        self.write_attributes(&place.top, &files)?;
        // Files of attributes come last: the others are converted by those of the base.
        let (attributes, others): (Vec<_>, Vec<_>) =
            files.iter().copied().partition(|(path, _)| is_attributes(path));
        self.add(&place, &others)?;
        self.add(&place, &attributes)?;
        let listed = self
            .command("ls-files", &place)
            .args(["-z", "-s", "-v"])
            .run(&CHECKOUT)?;
        self.expect("ls-files", &listed)?;
        let wanted: BTreeSet<&[u8]> = files.iter().map(|(path, _)| *path).collect();
        let stored: BTreeMap<Vec<u8>, Oid> = parse_listed(&listed.stdout)?
            .into_iter()
            .filter(|entry| wanted.contains(entry.path.as_slice()))
            .map(|entry| (entry.path, entry.oid))
            .collect();
        if stored.len() == wanted.len() {
            Ok(stored)
        } else {
            // Git leaves out, without an error, names that are dangerous on other systems.
            Err(GitError::Output {
                command: "update-index",
            })
        }
    }

    /// Takes files into the index, some at a time, so that a large change does not need the room twice.
    fn add(&self, place: &Place, files: &[(&[u8], &Oid)]) -> Result<(), GitError> {
        let oids: Vec<&Oid> = files.iter().map(|(_, oid)| *oid).collect();
        // One that is missing is told when its bytes are asked for.
        let sizes: Vec<usize> = self
            .vault
            .sizes(&oids)?
            .into_iter()
            .map(|size| usize::try_from(size.unwrap_or(0)).unwrap_or(usize::MAX))
            .collect();
        let mut at = 0;
        while at < files.len() {
            let mut bytes = 0;
            let mut fits = |size: &&usize| {
                bytes = usize::saturating_add(bytes, **size);
                bytes <= BATCH_BYTES
            };
            let count = sizes[at..].iter().take_while(&mut fits).count().max(1);
            let batch = &files[at..at + count];
            let oids: Vec<&Oid> = batch.iter().map(|(_, oid)| *oid).collect();
            let mut list = Vec::new();
            for ((path, _), bytes) in batch.iter().zip(self.vault.blobs(&oids)?) {
                write_file(&place.top, path, &bytes)?;
                list.extend([*path, b"\0"].concat());
            }
            let added = self
                .command("update-index", place)
                .args(["--add", "--replace", "-z", "--stdin"])
                .stdin(list)
                .run(&CHECKOUT)?;
            self.expect("update-index", &added)?;
            for (path, _) in batch {
                // What stays is deleted with the scratch folder.
                let _ = fs::remove_file(place.top.join(OsStr::from_bytes(path)));
            }
            at += count;
        }
        Ok(())
    }

    /// Writes the attributes, but not where a changed file of the side stands in their way.
    fn write_attributes(&self, top: &Path, files: &[(&[u8], &Oid)]) -> Result<(), GitError> {
        let taken: BTreeSet<&[u8]> = files.iter().map(|(path, _)| *path).collect();
        let fitting: Vec<&(Vec<u8>, Oid)> = self
            .attributes
            .iter()
            .filter(|(path, _)| !folders(path).any(|folder| taken.contains(folder)))
            .collect();
        let oids: Vec<&Oid> = fitting.iter().map(|(_, oid)| oid).collect();
        for ((path, _), bytes) in fitting.iter().zip(self.vault.blobs(&oids)?) {
            write_file(top, path, &bytes)?;
        }
        Ok(())
    }

    fn lay_out_attributes(&self, name: &str) -> Result<Place, GitError> {
        let place = self.place(name, Side::Base)?;
        self.write_attributes(&place.top, &[])?;
        Ok(place)
    }

    /// Makes an empty working tree with an index of its own, under our git directory with the user's conversions; what is
    /// written goes to the vault.
    fn place(&self, name: &str, side: Side) -> Result<Place, GitError> {
        let folder = self.private.directory().join(format!("normal-{name}-{side:?}"));
        let top = folder.join("top");
        fs::create_dir_all(&top).map_err(GitError::file("create", &top))?;
        let environment = self.vault.git.environment().with([
            ("GIT_DIR", self.private.directory().into()),
            ("GIT_WORK_TREE", top.clone().into()),
            ("GIT_INDEX_FILE", folder.join("index").into()),
            (
                "GIT_OBJECT_DIRECTORY",
                self.vault.directory.join("objects").into(),
            ),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ]);
        Ok(Place { top, environment })
    }

    fn command<'c>(&'c self, name: &'static str, place: &'c Place) -> Command<'c> {
        Command::new(self.private.program(), name, &place.top, &place.environment)
    }

    fn expect(&self, command: &'static str, output: &crate::git::command::Output) -> Result<(), GitError> {
        if output.is_success() {
            Ok(())
        } else {
            Err(self.private.explain(command, output))
        }
    }
}

/// Lists the attribute files of a tree that can speak about the changed paths: those of the folders on the way to them.
fn attributes(vault: &Vault, tree: &Oid, changes: &[TreeChange]) -> Result<Vec<(Vec<u8>, Oid)>, GitError> {
    let mut wanted: BTreeSet<Vec<u8>> = BTreeSet::from([ATTRIBUTES.to_vec()]);
    for change in changes {
        for folder in folders(&change.path) {
            wanted.insert([folder, b"/", ATTRIBUTES].concat());
        }
    }
    let output = vault
        .command("ls-tree")
        .args(["-r", "-z", "--full-tree", tree.as_str()])
        .run(&CHECKOUT)?;
    vault.expect("ls-tree", &output)?;
    let mut rest = output.stdout.as_slice();
    let mut found = Vec::new();
    while let Some(record) = take_field(&mut rest) {
        let read = || {
            let tab = record.iter().position(|&byte| byte == b'\t')?;
            let head = std::str::from_utf8(&record[..tab]).ok()?;
            let oid = Oid::parse(head.split(' ').nth(2)?)?;
            Some((head.starts_with("100"), record[tab + 1..].to_vec(), oid))
        };
        let (is_file, path, oid) = read().ok_or(GitError::Output { command: "ls-tree" })?;
        if is_file && wanted.contains(&path) {
            found.push((path, oid));
        }
    }
    Ok(found)
}

fn is_attributes(path: &[u8]) -> bool {
    path.rsplit(|&byte| byte == b'/').next() == Some(ATTRIBUTES)
}

/// The folders on the way to a path.
fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(move |(at, _)| &path[..at])
}

fn write_file(top: &Path, path: &[u8], bytes: &[u8]) -> Result<(), GitError> {
    let target = top.join(OsStr::from_bytes(path));
    let write = || -> std::io::Result<()> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, bytes)
    };
    write().map_err(GitError::file("write", &target))
}
