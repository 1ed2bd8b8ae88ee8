//! Worktrees of a vault: made, reset, read back and taken away.
//!
//! A worktree is linked to the vault, so that the peer's own git works in it: its `.git` names `worktrees/<name>` of the
//! vault, which holds its `HEAD` and an index. Our git never reads that `.git`, which the peer may have replaced, nor that
//! index, which the peer may have written: it names the vault itself, the folder, and an index of ours beside the peer's.
//! Nothing appears in the user's repository.

use crate::domain::fingerprint::sha256_hex;
use crate::git::clearing::{Survey, Wanted, clear, make_readable, remove_tree, survey, unblock};
use crate::git::command::CHECKOUT;
use crate::git::private::{copy_index, first_oid};
use crate::git::room::Room;
use crate::git::working_tree::{Found, look};
use crate::git::{GitError, Oid, Vault};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Characters of a worktree's name in the vault: 64 bits of a hash of its place.
const NAME_CHARS: usize = 16;
/// Beginning of the folders with a copy of an index, for the time of one reading.
const READING: &str = "reading-";

/// What a worktree holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Its tree, raw bytes, without ignored files.
    pub tree: Oid,
    /// What is no part of it: repositories inside it, what is in the folder of a submodule, what is neither a file nor a
    /// link, names that git takes for its own, files too large to be read, and paths longer than the system takes. Sorted;
    /// paths relative to its top.
    pub left_out: Vec<Vec<u8>>,
}

/// A worktree's part of the vault: `HEAD`, `commondir`, `gitdir` and `index` for the peer's git, `own/index` for ours.
#[derive(Debug)]
struct Link {
    directory: PathBuf,
    /// The worktree's `.git`.
    git_file: PathBuf,
}

impl Link {
    /// Finds it by the worktree's place, the same for every spelling of the folder around that.
    fn of(git_directory: &Path, place: &Path) -> Self {
        let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // The place itself may be a link of the peer's.
        let whole = absolute(place.parent().unwrap_or(place)).join(place.file_name().unwrap_or_default());
        let name = sha256_hex(whole.as_os_str().as_bytes());
        Self {
            directory: absolute(git_directory)
                .join("worktrees")
                .join(&name[..NAME_CHARS]),
            git_file: whole.join(".git"),
        }
    }

    fn own_folder(&self) -> PathBuf {
        self.directory.join("own")
    }

    fn own_index(&self) -> PathBuf {
        self.own_folder().join("index")
    }

    /// Removes what a killed git left, which would keep the next one out. The caller holds the worktree, so nobody of ours
    /// is at it.
    fn tidy(&self) -> Result<(), GitError> {
        for lock in [
            self.directory.join("index.lock"),
            self.own_folder().join("index.lock"),
        ] {
            remove_tree(&lock).map_err(GitError::file("delete", lock))?;
        }
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(READING.as_bytes()) {
                remove_tree(&entry.path()).map_err(GitError::file("delete", entry.path()))?;
            }
        }
        Ok(())
    }

    /// Shows a commit and the index of ours to the peer's git.
    fn publish(&self, commit: &Oid) -> Result<(), GitError> {
        let index = self.directory.join("index");
        remove_tree(&index).map_err(GitError::file("delete", index))?;
        copy_index(&self.own_folder(), &self.directory)?;
        write(&self.directory.join("HEAD"), format!("{commit}\n").as_bytes())
    }

    /// Makes the worktree's `.git` name this, whatever is there now.
    fn write_git_file(&self) -> Result<(), GitError> {
        let path = &self.git_file;
        let line = [b"gitdir: ", self.directory.as_os_str().as_bytes(), b"\n"].concat();
        let is_file =
            fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.len() == line.len() as u64);
        if is_file && fs::read(path).is_ok_and(|found| found == line) {
            return Ok(());
        }
        remove_tree(path).map_err(GitError::file("delete", path))?;
        write(path, &line)
    }

    /// Returns the permissions of a file that was made when the worktree was, and with the same setting.
    fn plain_permissions(&self) -> Result<u32, GitError> {
        let head = self.directory.join("HEAD");
        let about = fs::symlink_metadata(&head).map_err(GitError::file("read", head))?;
        Ok(about.permissions().mode())
    }

    /// Tells whether its index was last made for this commit.
    fn is_of(&self, commit: &Oid) -> bool {
        fs::read(self.directory.join("HEAD")).is_ok_and(|head| head == format!("{commit}\n").as_bytes())
            && self.own_index().is_file()
    }
}

impl Vault {
    /// Makes a worktree of a commit at a path that does not exist, in a folder that does. Slow for many files; callers do
    /// one at a time. When it fails, nothing is left.
    pub fn check_out(&self, place: &Path, commit: &Oid) -> Result<(), GitError> {
        fs::create_dir(place).map_err(GitError::file("create", place))?;
        let made = self.fill(place, commit);
        if made.is_err() {
            let _ = self.forget(place);
            let _ = remove_tree(place);
        }
        made
    }

    fn fill(&self, place: &Path, commit: &Oid) -> Result<(), GitError> {
        self.forget(place)?;
        let link = self.link(place);
        let own = link.own_folder();
        fs::create_dir_all(&own).map_err(GitError::file("create", own))?;
        write(&link.directory.join("commondir"), b"../..\n")?;
        let git_file = [link.git_file.as_os_str().as_bytes(), b"\n"].concat();
        write(&link.directory.join("gitdir"), &git_file)?;
        self.read_tree(place, &link, commit)?;
        link.publish(commit)?;
        link.write_git_file()
    }

    /// Makes an existing worktree equal to a commit, byte for byte and mode for mode: other files, ignored ones too, are
    /// deleted, and so is a `.git` that is not ours. What cannot be made so is an error; then the worktree is good for
    /// nothing but removal.
    pub fn reset(&self, place: &Path, commit: &Oid) -> Result<(), GitError> {
        let link = self.link(place);
        link.tidy()?;
        let listed = self
            .command("ls-tree")
            .args(["-r", "-z", "--full-tree", "--end-of-options", commit.as_str()])
            .run(&CHECKOUT)?;
        self.expect("ls-tree", &listed)?;
        let wanted = Wanted::parse(&listed.stdout).ok_or(GitError::Output { command: "ls-tree" })?;
        // First of all: git asks for a file by its whole path, and would find one behind a link in the place of a folder.
        let plain = link.plain_permissions()?;
        clear(place, &wanted, plain).map_err(GitError::file("clear", place))?;
        // Git rewrites what differs from the index in content, size, mode or any time. A file written within the same tick
        // of the clock as the index is compared by its bytes, because the index keeps its time.
        self.read_tree(place, &link, commit)?;
        link.publish(commit)?;
        link.write_git_file()
    }

    /// Declares that a worktree, which is left as it is, stands for this commit from now on: the peer's git compares with
    /// it. For a worktree whose content was found to be the commit's.
    pub fn adopt(&self, place: &Path, commit: &Oid) -> Result<(), GitError> {
        let link = self.link(place);
        link.tidy()?;
        let read = self.command_in(place, &link.own_index(), "read-tree");
        let read = read.args(["--reset", commit.as_str()]).run(&CHECKOUT)?;
        self.expect("read-tree", &read)?;
        // Its exit code says whether something differs, which nobody asks here.
        self.command_in(place, &link.own_index(), "update-index")
            .args(["-q", "--ignore-submodules", "--refresh"])
            .run(&CHECKOUT)?;
        link.publish(commit)?;
        link.write_git_file()
    }

    /// Reads what a worktree holds, through an index of ours: new files, deletions, modes, links, and what the peer
    /// committed itself. `base` is the commit it was made of. Paths in `without`, relative to its top, take no part.
    ///
    /// Nothing is missed in silence: closed folders are opened first, and a file that cannot be read is an error that names
    /// it. Nothing is read through a link.
    pub fn collect(&self, place: &Path, base: &Oid, without: &[Vec<u8>]) -> Result<Collected, GitError> {
        let link = self.link(place);
        // A peer that may write around it can remove the folder itself, which leaves as much as removing everything in it.
        match fs::create_dir(place) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(GitError::file("create", place)(error));
            }
            _ => {}
        }
        let survey = survey(place, without).map_err(GitError::file("read", place))?;
        unblock(place, &survey).map_err(GitError::file("change", place))?;
        let folder = tempfile::Builder::new()
            .prefix(READING)
            .tempdir_in(&link.directory)
            .map_err(GitError::file("create", &link.directory))?;
        let index = folder.path().join("index");
        if link.is_of(base) {
            copy_index(&link.own_folder(), folder.path())?;
        } else {
            let read = self.command_in(place, &index, "read-tree");
            let read = read.args(["--reset", base.as_str()]).run(&CHECKOUT)?;
            self.expect("read-tree", &read)?;
        }
        let mut edits = Edits::read(self, place, &index, without)?;
        edits.put_aside(&survey);
        let mut refused = edits.put_large_aside(place);
        if edits.put(self, place, &index, base)? == Put::InPart {
            // What still differs is what git did not take.
            let mut again = Edits::read(self, place, &index, without)?;
            again.put_aside(&survey);
            refused = again.written;
        }
        let written = self.command_in(place, &index, "write-tree").run(&CHECKOUT)?;
        self.expect("write-tree", &written)?;
        Ok(Collected {
            tree: first_oid(&written.stdout).ok_or(GitError::Output {
                command: "write-tree",
            })?,
            left_out: self.left_out(place, &index, survey, refused)?,
        })
    }

    /// Tells what the index does not hold now that it has all it can hold: what a walk met, or the whole repository around
    /// it, without what is ignored. What git refused is never ignored.
    fn left_out(
        &self,
        place: &Path,
        index: &Path,
        survey: Survey,
        refused: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, GitError> {
        let mut met = survey.specials;
        met.extend(survey.too_long);
        met.extend(
            refused
                .into_iter()
                .filter(|path| !is_in_any(path, &survey.git_names)),
        );
        let mut repositories = self.filled_modules(place, index)?;
        if !survey.git_names.is_empty() {
            let other = self.command_in(place, index, "ls-files");
            let other = other.args(["-o", "--exclude-standard", "-z"]).run(&CHECKOUT)?;
            self.expect("ls-files", &other)?;
            repositories.extend(
                paths(&other.stdout)
                    .filter_map(|path| path.strip_suffix(b"/"))
                    .map(<[u8]>::to_vec),
            );
        }
        met.extend(survey.git_names);
        met.retain(|path| !is_in_any(path, &repositories));
        if !met.is_empty() {
            let ignored = self.command_in(place, index, "ls-files");
            let arguments = ["-o", "-i", "--exclude-standard", "--directory", "-z"];
            let ignored = ignored.args(arguments).run(&CHECKOUT)?;
            self.expect("ls-files", &ignored)?;
            let ignored: Vec<Vec<u8>> = paths(&ignored.stdout)
                .map(|path| path.strip_suffix(b"/").unwrap_or(path).to_vec())
                .collect();
            met.retain(|path| !is_in_any(path, &ignored));
        }
        repositories.append(&mut met);
        repositories.sort();
        repositories.dedup();
        Ok(repositories)
    }

    /// Lists the folders of submodules in which something is. They are empty in a worktree of ours, and git looks into none
    /// of them.
    fn filled_modules(&self, place: &Path, index: &Path) -> Result<Vec<Vec<u8>>, GitError> {
        let listed = self.command_in(place, index, "ls-files");
        let listed = listed.args(["-s", "-z"]).run(&CHECKOUT)?;
        self.expect("ls-files", &listed)?;
        let mut filled = Vec::new();
        for entry in paths(&listed.stdout).filter(|entry| entry.starts_with(b"160000 ")) {
            let tab = entry.iter().position(|&byte| byte == b'\t');
            let path = &entry[tab.ok_or(GitError::Output { command: "ls-files" })? + 1..];
            let folder = place.join(OsStr::from_bytes(path));
            if look(place, path)? == Found::Folder {
                let mut inside = fs::read_dir(&folder).map_err(GitError::file("read", &folder))?;
                if inside.next().is_some() {
                    filled.push(path.to_vec());
                }
            }
        }
        Ok(filled)
    }

    /// Forgets a worktree whose folder is gone or about to go.
    pub fn forget(&self, place: &Path) -> Result<(), GitError> {
        forget_worktree(self.directory(), place)
    }

    fn link(&self, place: &Path) -> Link {
        Link::of(self.directory(), place)
    }

    /// Writes the files of a commit that are not there yet, and the index for them.
    fn read_tree(&self, place: &Path, link: &Link, commit: &Oid) -> Result<(), GitError> {
        let command = self.command_in(place, &link.own_index(), "read-tree");
        let read = command.args(["--reset", "-u", commit.as_str()]).run(&CHECKOUT)?;
        self.expect("read-tree", &read)
    }
}

/// Whether git took all edits into the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Whole,
    /// It passed over names that are its own on some system.
    InPart,
}

/// What git 2.39.5 and 2.47.3 write for each name that they pass over without an error.
const PASSED_OVER: &[u8] = b"Ignoring path ";

/// What the peer changed, as git tells it.
struct Edits {
    deleted: Vec<Vec<u8>>,
    written: Vec<Vec<u8>>,
}

impl Edits {
    fn read(vault: &Vault, place: &Path, index: &Path, without: &[Vec<u8>]) -> Result<Self, GitError> {
        let changed = vault.command_in(place, index, "diff-files").args([
            "--name-status",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--ignore-submodules=all",
        ]);
        let changed = changed.run(&CHECKOUT)?;
        vault.expect("diff-files", &changed)?;
        let new = vault
            .command_in(place, index, "ls-files")
            .args(["-o", "--exclude-standard", "-z"])
            .run(&CHECKOUT)?;
        vault.expect("ls-files", &new)?;
        let mut edits = Self {
            deleted: Vec::new(),
            written: Vec::new(),
        };
        let mut fields = paths(&changed.stdout);
        while let Some(status) = fields.next() {
            let path = fields.next().ok_or(GitError::Output {
                command: "diff-files",
            })?;
            if !is_in_any(path, without) {
                let list = if status == b"D" {
                    &mut edits.deleted
                } else {
                    &mut edits.written
                };
                list.push(path.to_vec());
            }
        }
        // A path that ends so is a repository of the peer's, told as a whole.
        let new = paths(&new.stdout).filter(|path| !path.ends_with(b"/") && !is_in_any(path, without));
        edits.written.extend(new.map(<[u8]>::to_vec));
        Ok(edits)
    }

    /// Takes a file that became a pipe or the like for deleted, and passes over what is too deep: git would fail to add it.
    fn put_aside(&mut self, survey: &Survey) {
        if !survey.too_long.is_empty() {
            self.written.retain(|path| !is_in_any(path, &survey.too_long));
        }
        if survey.specials.is_empty() {
            return;
        }
        let specials: HashSet<&[u8]> = survey.specials.iter().map(Vec::as_slice).collect();
        let is_special = |path: &mut Vec<u8>| specials.contains(path.as_slice());
        self.deleted.extend(self.written.extract_if(.., is_special));
    }

    /// Passes over files that are too large to be read; returns them. A tracked one stays as it was.
    fn put_large_aside(&mut self, place: &Path) -> Vec<Vec<u8>> {
        let mut room = Room::below(place);
        self.written.extract_if(.., |path| !room.take(path)).collect()
    }

    /// Brings them into the index.
    fn put(&self, vault: &Vault, place: &Path, index: &Path, base: &Oid) -> Result<Put, GitError> {
        let update = |arguments: &[&str], stdin: Vec<u8>| {
            vault
                .command_in(place, index, "update-index")
                .args(arguments)
                .stdin(stdin)
                .run(&CHECKOUT)
        };
        // Not by name: git refuses to look for a file behind a link, even to find that it is gone.
        if !self.deleted.is_empty() {
            let zero = "0".repeat(base.as_str().len());
            let mut orders = Vec::new();
            for path in &self.deleted {
                orders.extend([b"0 ", zero.as_bytes(), b"\t", path, b"\0"].concat());
            }
            vault.expect("update-index", &update(&["-z", "--index-info"], orders)?)?;
        }
        if self.written.is_empty() {
            return Ok(Put::Whole);
        }
        let names: Vec<u8> = self
            .written
            .iter()
            .flat_map(|path| [path.as_slice(), b"\0"].concat())
            .collect();
        let arguments = ["--add", "--remove", "--replace", "-z", "--stdin"];
        let mut output = update(&arguments, names.clone())?;
        if !output.is_success() {
            // Most likely the peer closed a file of its own; what is still wrong then is told.
            make_readable(place).map_err(GitError::file("read", place))?;
            output = update(&arguments, names)?;
            vault.expect("update-index", &output)?;
        }
        let passed_over = output
            .stderr
            .windows(PASSED_OVER.len())
            .any(|words| words == PASSED_OVER);
        Ok(if passed_over { Put::InPart } else { Put::Whole })
    }
}

/// Forgets a worktree of the vault with this git directory. An absent one is no error.
pub fn forget_worktree(git_directory: &Path, place: &Path) -> Result<(), GitError> {
    let directory = Link::of(git_directory, place).directory;
    remove_tree(&directory).map_err(GitError::file("delete", directory))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    fs::write(path, bytes).map_err(GitError::file("write", path))
}

/// Splits a list of paths.
fn paths(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == 0).filter(|path| !path.is_empty())
}

/// Tells whether a path is one of these or below one.
fn is_in_any(path: &[u8], folders: &[Vec<u8>]) -> bool {
    folders.iter().any(|folder| {
        path.strip_prefix(folder.as_slice())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}
