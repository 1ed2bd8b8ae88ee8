//! A git directory of ours that lasts: one for each repository of the user's, for everything that must outlive a call.
//!
//! It borrows the repository's objects and adds its own, never the other way round. Its refs hold what jobs started from
//! and what came of them; its worktrees are where peers work. Content is kept byte for byte: its attributes switch every
//! conversion off. Nothing of it is visible in the user's repository, and nothing that the repository names is in it.

use crate::git::command::{CHECKOUT, Command, LIST, Output, QUERY};
use crate::git::leftover::WAITS;
use crate::git::private::{
    BIG_FILE_BYTES, alternates_line, expand, explain, first_oid, quoted, read_regular,
};
use crate::git::settings::Settings;
use crate::git::{Environment, Git, GitError, ObjectFormat, Oid, Repository};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Attributes under which no byte changes between a working tree and the store. They stand where git looks first, so no
/// file of the tree overrides them. What they do not name, such as `merge`, stays as the tree says.
pub(super) const RAW_ATTRIBUTES: &[u8] = b"* -text -ident !eol !working-tree-encoding !filter\n";

/// Settings under which written objects survive a power cut.
pub(super) const DURABLE: &str = "[core]\n\tfsync = committed,loose-object\n\tfsyncMethod = batch\n";

/// The line of a vault's configuration that remembers what the repository is.
const PARTIAL_CLONE: &str = "[crosscheck]\n\tpartialClone = true\n";

/// Bytes of our own configuration, which is read to find that line.
const CONFIG_BYTES: u64 = 1024 * 1024;

/// Age at which a scratch folder of the vault has no owner any more: commands in it end after minutes.
const SWEPT_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Author and committer of our commits. They are never in the user's repository.
const IDENTITY: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "crosscheck"),
    ("GIT_AUTHOR_EMAIL", "crosscheck@localhost"),
    ("GIT_COMMITTER_NAME", "crosscheck"),
    ("GIT_COMMITTER_EMAIL", "crosscheck@localhost"),
];

/// The private git directory of one repository.
#[derive(Clone, Debug)]
pub struct Vault {
    pub(super) git: Git,
    pub(super) directory: PathBuf,
    /// Whether the user's repository is a partial clone, so that objects may be missing for a good reason.
    pub(super) is_partial_clone: bool,
    environment: Environment,
}

impl Vault {
    /// Opens the vault in a folder of ours, makes it when it is absent, and copies the repository's settings and patterns
    /// into it anew.
    ///
    /// Every step can be repeated and each file is replaced whole, so several processes may open it at once, and one that
    /// is killed half-way leaves what the next one completes.
    pub fn open(repository: &Repository, folder: &Path) -> Result<Self, GitError> {
        let listed = repository.own("config").args(["--list", "-z"]).run_ok(&LIST)?;
        let settings = Settings::parse(&listed);
        let directory = folder.join("git");
        for name in ["refs", "info", "objects/info", "objects/pack"] {
            let path = directory.join(name);
            let mut builder = fs::DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(&path);
            made.map_err(GitError::file("create", &path))?;
        }
        refuse_other_ids(&directory.join("config"), repository.object_format())?;
        let file = |name: &str, bytes: &[u8]| write_whole(&directory.join(name), bytes);
        file(
            "config",
            config_file(repository, &settings, &directory).as_bytes(),
        )?;
        let common = repository.common_directory();
        file(
            "objects/info/alternates",
            &alternates_line(&common.join("objects")),
        )?;
        file("info/attributes", RAW_ATTRIBUTES)?;
        file(
            "info/exclude",
            &read_regular(&common.join("info/exclude"))?.unwrap_or_default(),
        )?;
        if let Some(value) = &settings.excludes_file {
            let home = repository.git.environment().get("HOME").map(Path::new);
            let source = expand(value, home).map(|path| repository.top_level().join(path));
            let patterns = source.map_or(Ok(None), |path| read_regular(&path))?;
            file("info/user-excludes", &patterns.unwrap_or_default())?;
        }
        // Commits whose parents a shallow clone does not have; git takes an empty file for none.
        let shallow = read_regular(&common.join("shallow"))?;
        if shallow.is_some() || directory.join("shallow").exists() {
            file("shallow", &shallow.unwrap_or_default())?;
        }
        // Last, because git takes a folder without it for no repository at all.
        file("HEAD", b"ref: refs/heads/none\n")?;
        let vault = Self::at(&repository.git, directory, settings.is_partial_clone);
        vault.sweep();
        Ok(vault)
    }

    /// Opens a vault that is there, without its repository, which may be gone.
    pub fn existing(git: &Git, folder: &Path) -> Result<Self, GitError> {
        let directory = folder.join("git");
        let head = directory.join("HEAD");
        head.symlink_metadata().map_err(GitError::file("read", &head))?;
        let config = directory.join("config");
        let found = config.metadata().map_err(GitError::file("read", &config))?;
        if found.len() > CONFIG_BYTES {
            return Err(GitError::file("read", &config)(
                std::io::ErrorKind::FileTooLarge.into(),
            ));
        }
        let text = fs::read_to_string(&config).map_err(GitError::file("read", &config))?;
        Ok(Self::at(git, directory, text.contains(PARTIAL_CLONE)))
    }

    fn at(git: &Git, directory: PathBuf, is_partial_clone: bool) -> Self {
        let environment = git.environment().with([
            ("GIT_DIR", directory.clone().into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            // Our own configuration says so too. Here it holds whatever somebody wrote into that.
            ("GIT_CONFIG_COUNT", "2".into()),
            ("GIT_CONFIG_KEY_0", "core.hooksPath".into()),
            ("GIT_CONFIG_VALUE_0", "/dev/null".into()),
            ("GIT_CONFIG_KEY_1", "core.fsmonitor".into()),
            ("GIT_CONFIG_VALUE_1", "false".into()),
        ]);
        Self {
            git: git.clone(),
            directory,
            is_partial_clone,
            environment,
        }
    }

    /// Returns the git directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a git command that sees no working tree and no index.
    pub(super) fn command(&self, name: &'static str) -> Command<'_> {
        Command::new(self.git.program(), name, &self.directory, &self.environment)
    }

    /// Makes a git command that runs at the top of a working tree, under an index of ours.
    pub(super) fn command_in<'a>(
        &'a self,
        work_tree: &'a Path,
        index: &Path,
        name: &'static str,
    ) -> Command<'a> {
        Command::new(self.git.program(), name, work_tree, &self.environment)
            .variable("GIT_WORK_TREE", work_tree)
            .variable("GIT_INDEX_FILE", index)
    }

    /// Turns a failure into an error, and knows the words for an object that is not here.
    pub(super) fn explain(&self, command: &'static str, output: &Output) -> GitError {
        explain(command, output, self.is_partial_clone)
    }

    /// Points a ref of ours, such as `refs/jobs/ID/base`, to a commit; what it holds is kept until the ref is deleted.
    pub fn set_ref(&self, name: &str, commit: &Oid) -> Result<(), GitError> {
        let output = self.run_locking(&[name], || {
            self.command("update-ref")
                .args(["--no-deref", "--", name, commit.as_str()])
                .run(&QUERY)
        })?;
        self.expect("update-ref", &output)
    }

    /// Returns what a ref of ours points to.
    pub fn read_ref(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let output = self
            .command("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", name])
            .run(&QUERY)?;
        match output.exit_code {
            Some(0) => first_oid(&output.stdout)
                .map(Some)
                .ok_or(GitError::Output { command: "rev-parse" }),
            Some(1) => Ok(None),
            _ => Err(self.explain("rev-parse", &output)),
        }
    }

    /// Deletes all refs of ours below a prefix. Absent ones are no error.
    pub fn delete_refs(&self, prefix: &str) -> Result<(), GitError> {
        let names = self.list_refs(prefix)?;
        if names.is_empty() {
            return Ok(());
        }
        let mut orders = Vec::new();
        for name in &names {
            // Each order has two fields; the empty one means whatever it points to.
            orders.extend([&b"delete "[..], name.as_bytes(), b"\0\0"].concat());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let output = self.run_locking(&names, || {
            self.command("update-ref")
                .args(["--no-deref", "-z", "--stdin"])
                .stdin(orders.clone())
                .run(&LIST)
        })?;
        self.expect("update-ref", &output)
    }

    /// Lists the refs of ours below a prefix, sorted.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<String>, GitError> {
        let output = self
            .command("for-each-ref")
            .args(["--format=%(refname)", "--", prefix.trim_end_matches('/')])
            .run_ok(&LIST)?;
        let text = String::from_utf8_lossy(&output);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Makes a commit of ours.
    pub fn commit(&self, tree: &Oid, parents: &[&Oid], message: &str) -> Result<Oid, GitError> {
        let mut command = self
            .command("commit-tree")
            .args(["--no-gpg-sign", "-F", "-"])
            .stdin(message.as_bytes().to_vec());
        for parent in parents {
            command = command.args(["-p", parent.as_str()]);
        }
        for (name, value) in IDENTITY {
            command = command.variable(name, value);
        }
        self.oid_of("commit-tree", &command.args([tree.as_str()]).run(&CHECKOUT)?)
    }

    /// Returns the tree of a commit.
    pub fn tree_of(&self, commit: &Oid) -> Result<Oid, GitError> {
        let output = self
            .command("rev-parse")
            .args([
                "--verify",
                "--quiet",
                "--end-of-options",
                &format!("{commit}^{{tree}}"),
            ])
            .run(&QUERY)?;
        if output.is_success() {
            self.oid_of("rev-parse", &output)
        } else {
            Err(GitError::MissingObjects {
                partial_clone: self.is_partial_clone,
            })
        }
    }

    /// Reads the id that a command prints.
    pub(super) fn oid_of(&self, command: &'static str, output: &Output) -> Result<Oid, GitError> {
        self.expect(command, output)?;
        first_oid(&output.stdout).ok_or(GitError::Output { command })
    }

    /// Fails unless a command succeeded.
    pub(super) fn expect(&self, command: &'static str, output: &Output) -> Result<(), GitError> {
        if output.is_success() {
            Ok(())
        } else {
            Err(self.explain(command, output))
        }
    }

    /// Makes a folder for what is deleted again.
    pub(super) fn scratch(&self) -> Result<tempfile::TempDir, GitError> {
        let folder = self.directory.join("tmp");
        fs::create_dir_all(&folder).map_err(GitError::file("create", &folder))?;
        tempfile::tempdir_in(&folder).map_err(GitError::file("create", &folder))
    }

    /// Deletes what a killed process left of such folders.
    fn sweep(&self) {
        let entries = fs::read_dir(self.directory.join("tmp"));
        for entry in entries.into_iter().flatten().flatten() {
            let age = entry
                .metadata()
                .and_then(|found| found.modified())
                .ok()
                .and_then(|modified| modified.elapsed().ok());
            if age.is_some_and(|age| age > SWEPT_AFTER) {
                // What cannot be deleted now can be deleted later.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Refuses the vault of a repository that was made anew with ids of another length: what it holds has no meaning there.
fn refuse_other_ids(config: &Path, format: ObjectFormat) -> Result<(), GitError> {
    let Some(bytes) = read_regular(config)? else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&bytes);
    // A file that was cut off is written anew.
    let is_known =
        [ObjectFormat::Sha1, ObjectFormat::Sha256].map(|known| text.starts_with(known.config_lines()));
    let found = match is_known {
        [_, true] => ObjectFormat::Sha256,
        [true, _] => ObjectFormat::Sha1,
        [false, false] => return Ok(()),
    };
    if found == format {
        return Ok(());
    }
    let why = "its repository was made anew with object ids of another length";
    Err(GitError::file("use", config)(std::io::Error::new(
        std::io::ErrorKind::InvalidData,
        why,
    )))
}

fn config_file(repository: &Repository, settings: &Settings, directory: &Path) -> String {
    let mut text = repository.object_format().config_lines().to_owned();
    text.push_str(&settings.to_config_elsewhere());
    // No working tree of its own: a command without one must not take the folder it runs in for it. Worktrees that are
    // linked to it have theirs all the same.
    // What the disk of the worktrees does with names, not that of the user's files: git hides a file whose name differs from
    // another's by case alone where it is told that the two are one.
    let ignores_case = directory.join("OBJECTS").exists();
    let _ = writeln!(text, "[core]\n\tignorecase = {ignores_case}");
    text.push_str("[core]\n\tbare = true\n\tfsmonitor = false\n\thooksPath = /dev/null\n");
    text.push_str("\tautocrlf = false\n\tsafecrlf = false\n\tlogAllRefUpdates = false\n");
    text.push_str(WAITS);
    let _ = writeln!(text, "\tbigFileThreshold = {BIG_FILE_BYTES}");
    if settings.excludes_file.is_some() {
        let _ = writeln!(
            text,
            "\texcludesFile = {}",
            quoted(&directory.join("info/user-excludes"))
        );
    }
    // A job, a landing and an undo rely on these objects after a power cut; one sync serves all that a command writes.
    text.push_str(DURABLE);
    text.push_str("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[checkout]\n\tworkers = 0\n");
    if settings.is_partial_clone {
        text.push_str(PARTIAL_CLONE);
    }
    text
}

/// Makes a file hold these bytes, by a rename, and leaves one alone that does: whoever reads it meanwhile sees the one or
/// the other, whole.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    if read_regular(path)?.as_deref() == Some(bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    };
    write().map_err(GitError::file("write", path))
}
