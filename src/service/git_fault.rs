//! Tells git's errors to callers.

use serde_json::json;

use crate::diff::largest::LargeFile;
use crate::domain::fault::{Fault, FaultCode};
use crate::git::{GitError, RevisionRole};

/// Turns an error of git into a fault with a next step.
pub fn git_fault(error: &GitError) -> Fault {
    let message = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let fault = |code| Fault::new(code, message.clone());
    match error {
        GitError::NotFound => fault(FaultCode::GitFailed).hint("install git 2.39.5 or newer"),
        GitError::VersionUnknown { .. } => {
            fault(FaultCode::GitFailed).hint("put a working git first on PATH")
        }
        GitError::TooOld { .. } => fault(FaultCode::GitTooOld),
        GitError::Spawn { .. }
        | GitError::Failed { .. }
        | GitError::Output { .. }
        | GitError::Diff(_)
        | GitError::File { .. } => fault(FaultCode::GitFailed),
        GitError::Deadline { .. } => fault(FaultCode::GitFailed)
            .hint("name fewer paths, or look whether the repository's disk is slow"),
        GitError::Fifo { .. } => fault(FaultCode::GitFailed)
            .hint("find it with `find . -type p` and remove it: git itself waits there for ever"),
        GitError::OutputTooLarge { .. } => fault(FaultCode::InputTooLarge).hint("name fewer paths"),
        GitError::NotARepository { .. } | GitError::Bare { .. } | GitError::NoWorkingTree { .. } => {
            fault(FaultCode::NotAGitRepository)
        }
        GitError::LeadsElsewhere { .. } => fault(FaultCode::NotAGitRepository).hint(
            "if both are yours: `git worktree repair` mends a moved worktree, and for a git directory of your own elsewhere \
             `git config core.worktree` with this folder's path says that they belong together",
        ),
        GitError::NotOwned { .. } => fault(FaultCode::GitFailed)
            .hint("if you trust it, run `git config --global --add safe.directory` with the folder"),
        GitError::InvalidRevision { role } => fault(FaultCode::InvalidRevision).field(field(*role)),
        GitError::NoCommitYet => {
            fault(FaultCode::NoCommitYet).call("review", json!({"scope": "working_tree"}))
        }
        GitError::NoBase { .. } => fault(FaultCode::InvalidRevision)
            .field("base")
            .hint("pass base: the branch or commit to compare with"),
        GitError::NoMergeBase { .. } => fault(FaultCode::InvalidRevision)
            .field("base")
            .hint("pass a base that shares history with the branch"),
        GitError::PathOutside { index } => {
            fault(FaultCode::PathOutsideWorkspace).field(format!("paths[{index}]"))
        }
        GitError::MissingObjects { .. } => {
            fault(FaultCode::GitFailed).hint("fetch them first, for example with `git fetch --refetch`")
        }
        GitError::DiffTooLarge { largest, .. } | GitError::DiffTooLong { largest, .. } => {
            too_large(message.clone(), largest)
        }
    }
}

/// The fault of a change that does not fit one prompt, with the largest files and a narrower call.
pub fn too_large(message: String, largest: &[LargeFile]) -> Fault {
    let names: Vec<String> = largest
        .iter()
        .map(|file| format!("{} ({} changed lines)", file.path, file.added + file.removed))
        .collect();
    Fault::new(FaultCode::InputTooLarge, message)
        .field("paths")
        .hint(format!(
            "review it in pieces with paths; the largest files are {}",
            names.join(", ")
        ))
}

fn field(role: RevisionRole) -> &'static str {
    match role {
        RevisionRole::Revision => "revision",
        RevisionRole::Base => "base",
        RevisionRole::Head => "head",
        RevisionRole::Commit | RevisionRole::From | RevisionRole::To => "commit",
    }
}
