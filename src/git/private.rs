//! A git directory of ours over somebody else's repository.
//!
//! It borrows the objects, holds a configuration that we wrote, a copy of the index and of the pattern files, and nothing
//! else: no hooks, no drivers, no remotes, no refs. It lives as long as one call; several may exist at once.

use crate::git::command::{Command, LIST, Output, QUERY, failure};
use crate::git::settings::Settings;
use crate::git::{Environment, GitError, Head, ObjectFormat, Oid, Repository};
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files beyond this size are not text for git, and are listed instead of shown.
pub(super) const BIG_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of a pattern file (ignore, attributes, sparse) that are copied; people write these by hand.
const PATTERN_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// What a diff compares with a commit. It decides what git can see, because git takes the bytes of a file that is like its
/// index entry from the working tree, and those of a filtered file are not what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The working tree.
    WorkingTree,
    /// The index; the working tree is an empty folder, and attributes are those in the index.
    Index,
    /// Another commit; there is no index, and attributes are those in the working tree.
    Commits,
}

/// Bytes of an index that are copied: some ten million files.
const INDEX_BYTES: u64 = 1024 * 1024 * 1024;

/// A private git directory, deleted when it is dropped. What cannot be deleted stays in the caller's scratch folder and
/// holds no content of the repository but its index and pattern files.
#[derive(Debug)]
pub(super) struct Private {
    folder: TempDir,
    environment: Environment,
    index_environment: Environment,
    commits_environment: Environment,
    program: PathBuf,
    work_tree: PathBuf,
    /// What of the repository's configuration is used.
    pub settings: Settings,
    /// Whether the repository is a partial clone.
    pub is_partial_clone: bool,
    /// Commits whose parents a shallow clone does not have.
    pub shallow: BTreeSet<String>,
    /// How large the index is, all its files together.
    pub index_bytes: u64,
}

impl Private {
    /// Makes one in an existing folder of ours.
    pub(super) fn create(repository: &Repository, scratch: &Path) -> Result<Self, GitError> {
        let listed = repository.own("config").args(["--list", "-z"]).run_ok(&LIST)?;
        let settings = Settings::parse(&listed);
        let folder = tempfile::Builder::new()
            .prefix("git-")
            .tempdir_in(scratch)
            .map_err(GitError::file("create", scratch))?;
        let directory = folder.path();
        let empty = directory.join("empty");
        for name in ["refs", "info", "objects/info", "empty"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(GitError::file("create", &path))?;
        }
        write(&directory.join("HEAD"), head_file(repository.head()).as_bytes())?;
        write(
            &directory.join("config"),
            config_file(repository, &settings, directory)?.as_bytes(),
        )?;
        let objects = repository.common_directory().join("objects");
        write(
            &directory.join("objects/info/alternates"),
            &alternates_line(&objects),
        )?;
        let shallow = copy_patterns(repository, &settings, directory)?;
        let index_bytes = copy_index(repository.git_directory(), directory)?;
        let environment = repository.git.environment().with([
            ("GIT_DIR", directory.into()),
            ("GIT_WORK_TREE", repository.top_level().into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ]);
        Ok(Self {
            index_environment: environment.with([("GIT_WORK_TREE", empty.into())]),
            commits_environment: environment.with([("GIT_INDEX_FILE", directory.join("absent").into())]),
            environment,
            program: repository.git.program().to_owned(),
            work_tree: repository.top_level().to_owned(),
            is_partial_clone: settings.is_partial_clone,
            settings,
            shallow,
            index_bytes,
            folder,
        })
    }

    /// Makes a git command that runs at the top of the working tree and sees all of it.
    pub(super) fn command(&self, name: &'static str) -> Command<'_> {
        Command::new(&self.program, name, &self.work_tree, &self.environment)
    }

    /// Makes a `git diff` that sees what the view has.
    pub(super) fn diff(&self, view: View) -> Command<'_> {
        let (directory, environment) = match view {
            View::WorkingTree => (self.work_tree.as_path(), &self.environment),
            View::Index => (self.folder.path(), &self.index_environment),
            View::Commits => (self.work_tree.as_path(), &self.commits_environment),
        };
        Command::new(&self.program, "diff", directory, environment)
    }

    /// Returns the folder that it is.
    pub(super) fn directory(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the top of the working tree.
    pub(super) fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// Returns the git it runs.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the best common ancestor of two commits.
    pub(super) fn merge_base(&self, one: &Oid, other: &Oid) -> Result<Option<Oid>, GitError> {
        let output = self
            .command("merge-base")
            .args([one.as_str(), other.as_str()])
            .run(&QUERY)?;
        match output.exit_code {
            Some(0) => first_oid(&output.stdout).map(Some).ok_or(GitError::Output {
                command: "merge-base",
            }),
            Some(1) => Ok(None),
            _ => Err(self.explain("merge-base", &output)),
        }
    }

    /// Turns a failure into an error, and knows the words for an object that is not here.
    pub(super) fn explain(&self, command: &'static str, output: &Output) -> GitError {
        explain(command, output, self.is_partial_clone)
    }
}

/// Turns a failure into an error, and knows the words for an object that is not here.
pub(super) fn explain(command: &'static str, output: &Output, partial_clone: bool) -> GitError {
    if says_missing_object(&output.stderr) {
        return GitError::MissingObjects { partial_clone };
    }
    failure(command, output)
}

/// Reads the object id at the beginning of git's output.
pub(super) fn first_oid(bytes: &[u8]) -> Option<Oid> {
    let word = bytes.split(u8::is_ascii_whitespace).next()?;
    Oid::parse(std::str::from_utf8(word).ok()?)
}

/// Knows the messages of git 2.39.5 and 2.47.3 about an object that should be there and is not.
fn says_missing_object(stderr: &[u8]) -> bool {
    const WORDS: [&str; 9] = [
        "fatal: unable to read",
        "error: unable to read",
        "fatal: bad object",
        "fatal: bad tree object",
        "fatal: unable to find",
        "error: unable to find",
        "error: Could not read",
        "fatal: failed to read object",
        "fatal: could not fetch",
    ];
    stderr
        .split(|&byte| byte == b'\n')
        .any(|line| WORDS.iter().any(|words| line.starts_with(words.as_bytes())))
}

fn head_file(head: &Head) -> String {
    match head {
        Head::Born { oid, .. } => format!("{oid}\n"),
        Head::Unborn { .. } => "ref: refs/heads/unborn\n".to_owned(),
    }
}

impl ObjectFormat {
    /// Returns the first lines of a git directory's configuration.
    pub(super) fn config_lines(self) -> &'static str {
        match self {
            Self::Sha1 => "[core]\n\trepositoryformatversion = 0\n",
            Self::Sha256 => "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n",
        }
    }
}

fn config_file(repository: &Repository, settings: &Settings, directory: &Path) -> Result<String, GitError> {
    let mut text = repository.object_format().config_lines().to_owned();
    text.push_str(&settings.to_config());
    // `core.safecrlf` only warns; `bigFileThreshold` keeps huge files out of memory.
    text.push_str(
        "[core]\n\tbare = false\n\tfsmonitor = false\n\thooksPath = /dev/null\n\tsafecrlf = false\n",
    );
    let _ = writeln!(text, "\tbigFileThreshold = {BIG_FILE_BYTES}");
    text.push_str("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n");
    let home = repository.git.environment().get("HOME").map(Path::new);
    for (key, value, name) in [
        ("excludesFile", &settings.excludes_file, "excludes"),
        ("attributesFile", &settings.attributes_file, "attributes"),
    ] {
        let Some(value) = value else { continue };
        // The copy is named, not the file, so that git never opens a FIFO or a device. Without a copy the setting names
        // nothing, which is what an unreadable file means to git. A relative path counts from the top of the working
        // tree, where git runs.
        let copy = directory.join("info").join(format!("user-{name}"));
        if let Some(source) = expand(value, home) {
            copy_file(&repository.top_level().join(source), &copy)?;
        }
        let _ = writeln!(text, "[core]\n\t{key} = {}", quoted(&copy));
    }
    Ok(text)
}

/// Expands `~/`; other homes (`~name/`) are not looked up.
pub(super) fn expand(value: &[u8], home: Option<&Path>) -> Option<PathBuf> {
    if value.is_empty() {
        return None;
    }
    match value.strip_prefix(b"~/") {
        Some(rest) => home.map(|home| home.join(OsStr::from_bytes(rest))),
        None => Some(PathBuf::from(OsStr::from_bytes(value))),
    }
}

/// Quotes a path for a configuration file. Paths of ours are given as text; other bytes are lost, and the file is then
/// not found, which means no patterns.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// Writes the line of `objects/info/alternates`; git reads a quoted line as a C string.
pub(super) fn alternates_line(objects: &Path) -> Vec<u8> {
    let bytes = objects.as_os_str().as_bytes();
    if !bytes.contains(&b'\n') {
        return [bytes, b"\n"].concat();
    }
    let mut line = vec![b'"'];
    for &byte in bytes {
        match byte {
            b'\n' => line.extend(b"\\n"),
            b'"' | b'\\' => line.extend([b'\\', byte]),
            _ => line.push(byte),
        }
    }
    line.extend(b"\"\n");
    line
}

/// Copies ignore, attribute and sparse patterns and the list of shallow commits, and returns the latter.
fn copy_patterns(
    repository: &Repository,
    settings: &Settings,
    directory: &Path,
) -> Result<BTreeSet<String>, GitError> {
    let common = repository.common_directory();
    copy_file(&common.join("info/exclude"), &directory.join("info/exclude"))?;
    // Attributes may name drivers; the configuration here has none of them, so the names mean nothing.
    copy_file(
        &common.join("info/attributes"),
        &directory.join("info/attributes"),
    )?;
    if settings.is_sparse {
        copy_file(
            &repository.git_directory().join("info/sparse-checkout"),
            &directory.join("info/sparse-checkout"),
        )?;
    }
    let Some(shallow) = read_regular(&common.join("shallow"))? else {
        return Ok(BTreeSet::new());
    };
    write(&directory.join("shallow"), &shallow)?;
    Ok(String::from_utf8_lossy(&shallow)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Copies the index with its time of change. Git compares that time with those of the files to find edits made within
/// the same tick of the clock; with a newer time such an edit is lost. Returns how large it is.
pub(super) fn copy_index(from: &Path, to: &Path) -> Result<u64, GitError> {
    let mut left_bytes = INDEX_BYTES;
    copy_with_time(&from.join("index"), &to.join("index"), &mut left_bytes)?;
    // A split index has its larger half in files of their own.
    let entries = fs::read_dir(from).map_err(GitError::file("read", from))?;
    for entry in entries {
        let name = entry.map_err(GitError::file("read", from))?.file_name();
        if name.as_bytes().starts_with(b"sharedindex.") {
            copy_with_time(&from.join(&name), &to.join(&name), &mut left_bytes)?;
        }
    }
    Ok(INDEX_BYTES - left_bytes)
}

fn copy_with_time(from: &Path, to: &Path, left_bytes: &mut u64) -> Result<(), GitError> {
    // No index yet: nothing was ever added.
    let Some(mut source) = open_regular(from)? else {
        return Ok(());
    };
    let found = source.metadata().map_err(GitError::file("read", from))?;
    let Some(left) = left_bytes.checked_sub(found.len()) else {
        return Err(too_large(from));
    };
    *left_bytes = left;
    let mut copy = || -> std::io::Result<()> {
        let mut target = File::create_new(to)?;
        // Git replaces its index by another file, so this one does not grow.
        std::io::copy(&mut source, &mut target)?;
        target.set_modified(found.modified()?)
    };
    copy().map_err(GitError::file("copy", from))
}

/// Copies a file if it is a regular one; says whether it was.
fn copy_file(from: &Path, to: &Path) -> Result<bool, GitError> {
    match read_regular(from)? {
        Some(bytes) => write(to, &bytes).map(|()| true),
        None => Ok(false),
    }
}

/// Reads a regular file; anything else at its place, or nothing, is none. Git too ignores patterns it cannot read.
pub(super) fn read_regular(path: &Path) -> Result<Option<Vec<u8>>, GitError> {
    let Ok(Some(file)) = open_regular(path) else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(PATTERN_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(GitError::file("read", path))?;
    if bytes.len() as u64 > PATTERN_FILE_BYTES {
        return Err(too_large(path));
    }
    Ok(Some(bytes))
}

/// Opens a regular file; anything else at its place, or nothing, is none.
fn open_regular(path: &Path) -> Result<Option<File>, GitError> {
    // Not blocking, because a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(GitError::file("read", path)(error.into())),
    };
    let found = file.metadata().map_err(GitError::file("read", path))?;
    Ok(found.is_file().then_some(file))
}

fn too_large(path: &Path) -> GitError {
    GitError::file("read", path)(std::io::ErrorKind::FileTooLarge.into())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    fs::write(path, bytes).map_err(GitError::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_line_feed_is_one_alternate() {
        let check = |path: &str, expected: &[u8]| assert_eq!(alternates_line(Path::new(path)), expected);
        check("/a/objects", b"/a/objects\n");
        check("/a \"b\"/objects", b"/a \"b\"/objects\n");
        check("/a\n\"b\"/objects", b"\"/a\\n\\\"b\\\"/objects\"\n");
    }

    #[test]
    fn a_missing_object_is_told_from_other_failures() {
        let check =
            |text: &str, expected| assert_eq!(says_missing_object(text.as_bytes()), expected, "{text}");
        check("fatal: unable to read 0123\n", true);
        check("warning: x\nfatal: bad object 0123\n", true);
        check("fatal: not a git repository\n", false);
    }
}
