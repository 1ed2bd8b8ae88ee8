//! A copy of the user's index under which files are taken byte for byte.
//!
//! It is a second private git directory beside the one with the user's attributes: same index, other conversions, namely
//! none. What is hashed goes to the vault, or for a mere look to a folder that is deleted with it.

use crate::git::command::{CHECKOUT, Command};
use crate::git::listed::{Listed, parse_listed};
use crate::git::private::{BIG_FILE_BYTES, Private, alternates_line, explain, first_oid};
use crate::git::vault::{DURABLE, RAW_ATTRIBUTES};
use crate::git::{Environment, GitError, Keep, ObjectFormat, Oid, Repository, Vault};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The index, changed by nobody but us.
pub(super) struct RawIndex<'a> {
    private: &'a Private,
    object_format: ObjectFormat,
    environment: Environment,
}

impl<'a> RawIndex<'a> {
    /// Makes one inside a private git directory. Both must see the same index, so nothing has run under it yet.
    pub(super) fn create(
        private: &'a Private,
        repository: &Repository,
        vault: &Vault,
        keep: Keep,
    ) -> Result<Self, GitError> {
        let directory = private.directory().join("raw");
        for name in ["refs", "info", "objects/info"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(GitError::file("create", &path))?;
        }
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.join(name);
            fs::write(&path, bytes).map_err(GitError::file("write", &path))
        };
        let config = format!(
            "{}{}[core]\n\tbare = false\n\tfsmonitor = false\n\thooksPath = /dev/null\n\tautocrlf = false\n\
             \tsafecrlf = false\n\tsplitIndex = false\n\tbigFileThreshold = {BIG_FILE_BYTES}\n\
             [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n",
            repository.object_format().config_lines(),
            private.settings.to_config_raw(),
        );
        let durable = match keep {
            Keep::Objects => DURABLE,
            Keep::Nothing => "",
        };
        write("config", format!("{config}{durable}").as_bytes())?;
        write("HEAD", b"ref: refs/heads/none\n")?;
        write("info/attributes", RAW_ATTRIBUTES)?;
        let kept = vault.directory.join("objects");
        write("objects/info/alternates", &alternates_line(&kept))?;
        link_index(private.directory(), &directory)?;
        let objects = match keep {
            Keep::Objects => kept,
            Keep::Nothing => directory.join("objects"),
        };
        let environment = repository.git.environment().with([
            ("GIT_DIR", directory.into()),
            ("GIT_WORK_TREE", repository.top_level().into()),
            ("GIT_OBJECT_DIRECTORY", objects.into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ]);
        Ok(Self {
            private,
            object_format: repository.object_format(),
            environment,
        })
    }

    fn command(&self, name: &'static str) -> Command<'_> {
        Command::new(
            self.private.program(),
            name,
            self.private.work_tree(),
            &self.environment,
        )
    }

    /// Runs a command that reads `input` and returns what it writes.
    fn run(&self, name: &'static str, arguments: &[&str], input: Vec<u8>) -> Result<Vec<u8>, GitError> {
        let output = self.command(name).args(arguments).stdin(input).run(&CHECKOUT)?;
        if output.is_success() {
            Ok(output.stdout)
        } else {
            Err(explain(name, &output, self.private.is_partial_clone))
        }
    }

    /// Lists all entries, sorted by path.
    pub(super) fn list(&self) -> Result<Vec<Listed>, GitError> {
        parse_listed(&self.run("ls-files", &["-z", "-s", "-v"], Vec::new())?)
    }

    /// Makes the index forget what it knows of files besides their objects, so that they are read anew, and takes
    /// `removed` paths out.
    pub(super) fn forget(&self, entries: &[&Listed], removed: &[&[u8]]) -> Result<(), GitError> {
        if entries.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let mut orders = Vec::new();
        for path in removed {
            // The mode 0 means removal; the id is not looked at, but must be one.
            let zeros = "0".repeat(self.object_format.empty_tree().len());
            orders.extend(format!("0 {zeros}\t").into_bytes());
            orders.extend([*path, b"\0"].concat());
        }
        for entry in entries {
            orders.extend(format!("{:06o} {}\t", entry.mode, entry.oid).into_bytes());
            orders.extend([&entry.path[..], b"\0"].concat());
        }
        self.run("update-index", &["-z", "--index-info"], orders)
            .map(drop)
    }

    /// Takes files into the index as they are now; those that are gone are taken out.
    pub(super) fn take(&self, paths: &[&[u8]]) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut list = Vec::new();
        for path in paths {
            list.extend([*path, b"\0"].concat());
        }
        let arguments = ["--add", "--remove", "--replace", "-z", "--stdin"];
        self.run("update-index", &arguments, list).map(drop)
    }

    /// Makes the index that of a commit, and keeps what it knows of files that are the same.
    pub(super) fn become_commit(&self, commit: &Oid) -> Result<(), GitError> {
        self.run("read-tree", &["--reset", commit.as_str()], Vec::new())
            .map(drop)
    }

    /// Writes the tree.
    pub(super) fn write_tree(&self) -> Result<Oid, GitError> {
        // A partial clone promises objects that are elsewhere, such as those of files that are not checked out.
        let arguments: &[&str] = if self.private.is_partial_clone {
            &["--missing-ok"]
        } else {
            &[]
        };
        let output = self.run("write-tree", arguments, Vec::new())?;
        first_oid(&output).ok_or(GitError::Output {
            command: "write-tree",
        })
    }
}

/// Gives the copied index a second name. Git never changes an index in place, so each of the two may be replaced alone.
fn link_index(from: &Path, to: &Path) -> Result<(), GitError> {
    let entries = fs::read_dir(from).map_err(GitError::file("read", from))?;
    for entry in entries {
        let name = entry.map_err(GitError::file("read", from))?.file_name();
        if name == "index" || name.as_bytes().starts_with(b"sharedindex.") {
            let source = from.join(&name);
            fs::hard_link(&source, to.join(&name)).map_err(GitError::file("copy", source))?;
        }
    }
    Ok(())
}
