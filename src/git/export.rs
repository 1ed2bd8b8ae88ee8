//! The one way in which objects of ours enter the user's repository: a new local branch.
//!
//! Nothing is checked out, no hook runs, no commit is signed, and neither the index nor any existing ref changes.

use crate::domain::limits::PATCH_BYTES;
use crate::git::command::{Bounds, CHECKOUT, Command, LIST, Output, QUERY, failure};
use crate::git::normal::{Normal, Side};
use crate::git::raw_diff::GITLINK;
use crate::git::{Conflict, GitError, Merged, Oid, Renames, Repository, Vault};
use std::path::Path;

/// What to commit.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    /// The commit of the user's that it counts from, the parent of the new one.
    pub head: &'a Oid,
    /// The raw tree that the peer started from.
    pub base: &'a Oid,
    /// The raw tree that came of it.
    pub result: &'a Oid,
    /// The branch's short name.
    pub branch: &'a str,
    /// The commit's message.
    pub message: &'a str,
}

/// Why there is no branch.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No branch can have this name.
    #[error("it is no name of a branch")]
    BadName,
    /// There is one of this name, or one whose name leaves no room for it.
    #[error("the branch exists")]
    Exists,
    /// Files whose content Git LFS or another filter stores in another form, which we do not run.
    #[error("{} changed files are stored through a filter", paths.len())]
    Filtered {
        /// The files.
        paths: Vec<Vec<u8>>,
    },
    /// The peer built on uncommitted changes, and its edits do not fit the commit without them.
    #[error("the result does not fit the commit without the uncommitted changes")]
    Conflicts(Vec<Conflict>),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// For the objects of a branch, which are handed on whole.
const PACK: Bounds = Bounds {
    deadline: CHECKOUT.deadline,
    stdout_bytes: PATCH_BYTES,
};

/// Whose name stands on the commit where the user's is not configured.
const NOBODY: (&str, &str) = ("crosscheck", "crosscheck@localhost");

/// What of the user's configuration an export needs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    name: Option<String>,
    email: Option<String>,
    /// Who else may write to the repository's objects, as git writes it.
    shared: Option<String>,
}

impl Vault {
    /// Commits a result on a new branch of the user's repository and returns the commit. Files are brought into the form in
    /// which git stores them, by the attributes of the base tree. Nothing is checked out; no hook runs.
    ///
    /// Where the peer built on uncommitted changes, only its own edits are committed, or none if they do not fit.
    pub fn export(
        &self,
        repository: &Repository,
        export: &Export<'_>,
        scratch: &Path,
    ) -> Result<Oid, ExportError> {
        let name = self.check_branch(repository, export.branch)?;
        let tree = self.stored_tree(repository, export, scratch)?;
        let listed = repository.own("config").args(["--list", "-z"]).run_ok(&LIST)?;
        let settings = Settings::parse(&listed);
        let commit = self.commit_for_user(&tree, export, &settings)?;
        self.hand_over(repository, &commit, export.head, &settings)?;
        let made = repository
            .own("update-ref")
            .args(["-m", "crosscheck: a delegated result", "--no-deref", "--"])
            .args([&name, commit.as_str(), &"0".repeat(commit.as_str().len())])
            .run(&QUERY)?;
        match made {
            output if output.is_success() => Ok(commit),
            output if says_it_exists(&output) => Err(ExportError::Exists),
            output => Err(failure("update-ref", &output).into()),
        }
    }

    /// Returns the full name of a new branch.
    fn check_branch(&self, repository: &Repository, branch: &str) -> Result<String, ExportError> {
        // A vault has no earlier branch, so `@{-1}` means none here.
        let output = self
            .command("check-ref-format")
            .args(["--branch", branch])
            .run(&QUERY)?;
        // Git would take a whole name for a short one and make `refs/heads/refs/heads/x` of it.
        let is_whole = branch.starts_with("refs/");
        let is_plain = output.stdout.strip_suffix(b"\n") == Some(branch.as_bytes());
        if !output.is_success() || !is_plain || is_whole {
            return Err(ExportError::BadName);
        }
        let name = format!("refs/heads/{branch}");
        let found = repository
            .own("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", &name])
            .run(&QUERY)?;
        if found.is_success() {
            return Err(ExportError::Exists);
        }
        Ok(name)
    }

    /// Returns the tree to commit.
    fn stored_tree(
        &self,
        repository: &Repository,
        export: &Export<'_>,
        scratch: &Path,
    ) -> Result<Oid, ExportError> {
        let mut changes = self.changes(export.base, export.result, Renames::Split)?;
        // A submodule is no part of a result.
        changes.retain(|change| {
            let sides = [&change.old, &change.new];
            sides.into_iter().flatten().all(|entry| entry.mode != GITLINK)
        });
        let head_tree = self.tree_of(export.head)?;
        if changes.is_empty() {
            return Ok(head_tree);
        }
        let normal = Normal::prepare(self, repository, (export.head, export.base), &changes, scratch)?;
        let filtered = normal.filtered()?;
        if !filtered.is_empty() {
            return Err(ExportError::Filtered { paths: filtered });
        }
        let result = normal.tree(Side::Result)?;
        let base = normal.tree(Side::Base)?;
        if base == head_tree {
            return Ok(result);
        }
        match self.merge(&base, &head_tree, &result)? {
            Merged::Clean { tree } => Ok(tree),
            Merged::Conflicts(conflicts) => Err(ExportError::Conflicts(conflicts)),
        }
    }

    fn commit_for_user(&self, tree: &Oid, export: &Export<'_>, settings: &Settings) -> Result<Oid, GitError> {
        let (name, email) = settings.identity();
        let output = self
            .command("commit-tree")
            .args([
                "--no-gpg-sign",
                "-F",
                "-",
                "-p",
                export.head.as_str(),
                tree.as_str(),
            ])
            .variable("GIT_AUTHOR_NAME", name)
            .variable("GIT_AUTHOR_EMAIL", email)
            .variable("GIT_COMMITTER_NAME", name)
            .variable("GIT_COMMITTER_EMAIL", email)
            .stdin(export.message.as_bytes().to_vec())
            .run(&QUERY)?;
        self.oid_of("commit-tree", &output)
    }

    /// Copies what the user's repository does not have of a commit into its objects. It is our git directory that the
    /// writing git sees, so nothing of the repository's configuration has a say.
    fn hand_over(
        &self,
        repository: &Repository,
        commit: &Oid,
        head: &Oid,
        settings: &Settings,
    ) -> Result<(), GitError> {
        let packed = self
            .command("pack-objects")
            .args(["-q", "--revs", "--stdout"])
            .stdin(format!("{commit}\n^{head}\n").into_bytes())
            .run(&PACK)?;
        self.expect("pack-objects", &packed)?;
        let objects = repository.common_directory().join("objects");
        let mut command: Command<'_> = self
            .command("unpack-objects")
            .args(["-q"])
            .variable("GIT_OBJECT_DIRECTORY", objects)
            .stdin(packed.stdout);
        if let Some(shared) = &settings.shared {
            command = command
                .variable("GIT_CONFIG_COUNT", "1")
                .variable("GIT_CONFIG_KEY_0", "core.sharedRepository")
                .variable("GIT_CONFIG_VALUE_0", shared);
        }
        self.expect("unpack-objects", &command.run(&CHECKOUT)?)
    }
}

impl Settings {
    /// Reads the output of `git config --list -z`. Later entries win, as they do for git.
    fn parse(bytes: &[u8]) -> Self {
        let mut settings = Self::default();
        for entry in bytes.split(|&byte| byte == 0) {
            let mut parts = entry.splitn(2, |&byte| byte == b'\n');
            let key = parts.next().unwrap_or_default();
            let value = parts
                .next()
                .and_then(|value| std::str::from_utf8(value).ok())
                .map(str::to_owned);
            match key {
                b"user.name" => settings.name = value.filter(|name| is_a_name(name)),
                b"user.email" => settings.email = value.filter(|email| is_a_name(email)),
                b"core.sharedrepository" => {
                    // Without a value it means true.
                    settings.shared =
                        Some(value.unwrap_or_else(|| "true".to_owned())).filter(|value| is_sharing(value));
                }
                _ => {}
            }
        }
        settings
    }

    fn identity(&self) -> (&str, &str) {
        match (&self.name, &self.email) {
            (Some(name), Some(email)) => (name, email),
            _ => NOBODY,
        }
    }
}

/// Git takes away some signs at the ends of a name, and refuses one of which nothing is left.
fn is_a_name(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The values that git knows for it; any other would end its run.
fn is_sharing(value: &str) -> bool {
    let words = [
        "umask",
        "group",
        "all",
        "world",
        "everybody",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
    ];
    let is_octal =
        !value.is_empty() && value.len() <= 5 && value.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    words.contains(&value) || is_octal
}

/// Knows what git 2.39.5 and 2.47.3 say when a branch, or one in its way, was made meanwhile.
fn says_it_exists(output: &Output) -> bool {
    let text = String::from_utf8_lossy(&output.stderr);
    // The last one is said of two names in one transaction, as of a table of refs.
    [
        "reference already exists",
        "exists; cannot create",
        "cannot process",
    ]
    .iter()
    .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_an_address_is_nobodys() {
        let check = |config: &[u8], expected: (&str, &str)| {
            assert_eq!(Settings::parse(config).identity(), expected);
        };
        check(b"user.name\nA B\0user.email\na@b\0", ("A B", "a@b"));
        check(b"user.name\nA B\0", NOBODY);
        check(b"user.name\n<>\0user.email\na@b\0", NOBODY);
        check(b"user.name\nA\0user.name\nB\0user.email\na@b\0", ("B", "a@b"));
        check(b"user.name\0user.email\na@b\0", NOBODY);
    }

    #[test]
    fn only_a_sharing_that_git_knows_is_handed_on() {
        let check = |config: &[u8], expected: Option<&str>| {
            assert_eq!(Settings::parse(config).shared.as_deref(), expected);
        };
        check(b"core.sharedrepository\ngroup\0", Some("group"));
        check(b"core.sharedrepository\0", Some("true"));
        check(b"core.sharedrepository\n0660\0", Some("0660"));
        check(b"core.sharedrepository\n; touch x\0", None);
        check(b"", None);
    }
}
