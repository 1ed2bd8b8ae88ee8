//! Reads the change of a scope.

use crate::diff::patch::Patch;
use crate::diff::text::shown_path;
use crate::domain::coverage::Omission;
use crate::domain::scope::Revision;
use crate::domain::scope::Scope;
use crate::git::command::QUERY;
use crate::git::paths::pathspecs;
use crate::git::private::Private;
use crate::git::tracked::{Diff, End};
use crate::git::untracked::{list_untracked, read_untracked};
use crate::git::{Elsewhere, GitError, Head, Oid, Repository, RevisionRole, Untracked};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The scope that was really read; `auto` is one of these by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolvedScope {
    /// `HEAD` against the working tree.
    WorkingTree,
    /// `HEAD` against the index.
    Staged,
    /// The merge base against the tip.
    Branch,
    /// A commit against its first parent.
    Commit,
    /// Two commits.
    Range,
    /// What a delegate started from against what it left; never read from a repository.
    Job,
}

impl ResolvedScope {
    /// Returns the name used in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkingTree => "working_tree",
            Self::Staged => "staged",
            Self::Branch => "branch",
            Self::Commit => "commit",
            Self::Range => "range",
            Self::Job => "job",
        }
    }
}

/// A change with the facts that say what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was read.
    pub scope: ResolvedScope,
    /// The commit it starts from; nothing when it starts from an empty tree. For a branch it is the merge base.
    pub base: Option<Oid>,
    /// The name of what a branch was compared with, such as `origin/main`, or the caller's base.
    pub base_name: Option<String>,
    /// The commit it ends at; nothing when it ends in the working tree or the index.
    pub head: Option<Oid>,
    /// The paths it was narrowed to, relative to the repository root; empty means all.
    pub paths: Vec<String>,
    /// The files.
    pub patch: Patch,
    /// Untracked files that are part of the change and were not read; they are not in `patch`.
    pub left_out: Vec<Omission>,
    /// Where changes are instead, when there is neither a file in `patch` nor one left out.
    pub elsewhere: Option<Elsewhere>,
}

impl Change {
    /// Tells whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.patch.files.is_empty() && self.left_out.is_empty()
    }
}

impl Repository {
    /// Reads the change of a scope.
    ///
    /// `paths` are files or folders relative to the directory the repository was found from (or absolute and below
    /// it), taken literally; none means the whole repository. `scratch` is an existing folder of ours outside the
    /// repository; a private git directory lives in it as long as the call, so several calls may share it.
    pub fn read_change(
        &self,
        scope: &Scope,
        paths: &[String],
        untracked: Untracked,
        scratch: &Path,
    ) -> Result<Change, GitError> {
        let pathspecs = pathspecs(self.top_level(), self.directory(), paths)?;
        let private = Private::create(self, scratch)?;
        let reader = Reader {
            repository: self,
            private: &private,
            pathspecs: &pathspecs,
            untracked,
        };
        let mut change = reader.read(scope)?;
        if change.is_empty() {
            change.elsewhere = Some(self.elsewhere(&private, scratch)?);
        }
        Ok(change)
    }
}

/// One call, with what it looks at.
struct Reader<'a> {
    repository: &'a Repository,
    private: &'a Private,
    pathspecs: &'a [OsString],
    untracked: Untracked,
}

impl Reader<'_> {
    fn read(&self, scope: &Scope) -> Result<Change, GitError> {
        match scope {
            Scope::Auto => self.read_auto(),
            Scope::WorkingTree => self.read_working_tree(self.head_commit()),
            Scope::Since { commit } => {
                let commit = self.repository.resolve_as(commit, RevisionRole::Commit)?;
                self.read_working_tree(Some(commit))
            }
            Scope::Onward { base, name } => self.read_onward(base, name.as_ref()),
            Scope::Staged => self.read_staged(),
            Scope::Branch { base, head } => self.read_branch(base.as_ref(), head.as_ref()),
            Scope::Commit { commit } => self.read_commit(commit),
            Scope::Range { from, to } => {
                let from = self.repository.resolve_as(from, RevisionRole::From)?;
                let to = self.repository.resolve_as(to, RevisionRole::To)?;
                self.read_commits(ResolvedScope::Range, Some(from), to)
            }
        }
    }

    fn read_auto(&self) -> Result<Change, GitError> {
        let change = self.read_working_tree(self.head_commit())?;
        // Untracked files that must not be read are nothing to review.
        if !change.patch.files.is_empty() || (self.untracked == Untracked::Read && !change.is_empty()) {
            return Ok(change);
        }
        match self.read_branch(None, None) {
            // There is no branch to speak of, so the answer is that the working tree is clean.
            Err(GitError::NoBase { .. } | GitError::NoMergeBase { .. } | GitError::NoCommitYet) => Ok(change),
            other => other,
        }
    }

    /// Reads the branch since it left a commit, up to the working tree where that differs from `HEAD`. Where nobody can tell any
    /// more, nothing was said.
    fn read_onward(&self, base: &Revision, name: Option<&Revision>) -> Result<Change, GitError> {
        let Some(branch) = self.repository.branch_onward(self.private, base, name)? else {
            return self.read_auto();
        };
        let base_name = Some(branch.base_name).filter(|found| found != base.as_str());
        let present = self.read_working_tree(self.head_commit())?;
        let change = if present.base.as_ref() == Some(&branch.base) && !present.is_empty() {
            present
        } else if present.patch.files.is_empty() {
            self.read_commits(ResolvedScope::Branch, Some(branch.base), branch.head)?
        } else {
            self.read_working_tree(Some(branch.base))?
        };
        Ok(Change { base_name, ..change })
    }

    /// Reads what differs from a commit, or from nothing where there is none.
    fn read_working_tree(&self, base: Option<Oid>) -> Result<Change, GitError> {
        let from = base.as_ref().map_or(self.empty_tree(), Oid::as_str);
        let patch = self.diff(OsStr::new(from), End::WorkingTree)?;
        let mut change = self.change(ResolvedScope::WorkingTree, patch);
        change.base = base;
        let listed = list_untracked(self.private, self.pathspecs)?;
        let read = read_untracked(self.repository.top_level(), &listed, self.untracked)?;
        change.patch.files.extend(read.files);
        change.left_out = read.left_out;
        Ok(change)
    }

    fn read_staged(&self) -> Result<Change, GitError> {
        let head = self.repository.head_tree();
        let patch = self.diff(&head, End::Index)?;
        let mut change = self.change(ResolvedScope::Staged, patch);
        change.base = self.head_commit();
        Ok(change)
    }

    fn read_branch(&self, base: Option<&Revision>, head: Option<&Revision>) -> Result<Change, GitError> {
        let branch = self.repository.branch(self.private, base, head)?;
        let mut change = self.read_commits(ResolvedScope::Branch, Some(branch.base), branch.head)?;
        change.base_name = Some(branch.base_name);
        Ok(change)
    }

    fn read_commit(&self, commit: &Revision) -> Result<Change, GitError> {
        let commit = self.repository.resolve_as(commit, RevisionRole::Commit)?;
        if self.private.shallow.contains(commit.as_str()) {
            // Its parents exist somewhere else. Shown against nothing it would be the whole tree.
            return Err(GitError::MissingObjects { partial_clone: false });
        }
        let output = self
            .private
            .command("rev-list")
            .args(["--parents", "--max-count=1", commit.as_str()])
            .run(&QUERY)?;
        if !output.is_success() {
            return Err(self.private.explain("rev-list", &output));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let parent = text.split_whitespace().nth(1).and_then(Oid::parse);
        self.read_commits(ResolvedScope::Commit, parent, commit)
    }

    fn read_commits(&self, scope: ResolvedScope, from: Option<Oid>, to: Oid) -> Result<Change, GitError> {
        let from_tree = from.as_ref().map_or(self.empty_tree(), Oid::as_str);
        let patch = self.diff(OsStr::new(from_tree), End::Commit(OsStr::new(to.as_str())))?;
        let mut change = self.change(scope, patch);
        change.base = from;
        change.head = Some(to);
        Ok(change)
    }

    fn change(&self, scope: ResolvedScope, patch: Patch) -> Change {
        Change {
            scope,
            base: None,
            base_name: None,
            head: None,
            paths: self
                .pathspecs
                .iter()
                .map(|path| shown_path(path.as_bytes()))
                .collect(),
            patch,
            left_out: Vec::new(),
            elsewhere: None,
        }
    }

    fn head_commit(&self) -> Option<Oid> {
        match self.repository.head() {
            Head::Born { oid, .. } => Some(oid.clone()),
            Head::Unborn { .. } => None,
        }
    }

    fn empty_tree(&self) -> &'static str {
        self.repository.object_format().empty_tree()
    }

    fn diff(&self, from: &OsStr, to: End<'_>) -> Result<Patch, GitError> {
        let diff = Diff {
            private: self.private,
            top_level: self.repository.top_level(),
            from,
            to,
            pathspecs: self.pathspecs,
        };
        diff.read()
    }
}
