//! The change that a review looks at: read from git, redacted, counted and rendered.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::json;

use crate::diff::count::coverage;
use crate::diff::largest::{LargeFile, largest};
use crate::diff::patch::{FilePatch, Patch};
use crate::diff::render::{LEGEND, render};
use crate::domain::coverage::{Coverage, CoverageStatus, OmissionReason, RedactionReport};
use crate::domain::envelope::Target;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::request::Untracked;
use crate::domain::scope::Scope;
use crate::git::{self, Change, Elsewhere, Git, GitError, Head, Oid};
use crate::redact::{Further, Redacted, Withheld, is_withheld_by_name, redact_patch, redact_patch_with};
use crate::run::conclude::mask;
use crate::service::context::Service;
use crate::service::git_fault::git_fault;
use crate::state::record::EgressFile;
use crate::state::store::Store;

/// Files named when a change is too large.
const LARGEST: usize = 5;

/// A change, ready for a prompt.
#[derive(Debug)]
pub struct ReviewInput {
    /// The repository's root.
    pub repo_root: PathBuf,
    /// What was looked at.
    pub target: Target,
    /// The name a branch was compared with.
    pub base_name: Option<String>,
    /// The rendered change.
    pub diff: Redacted<String>,
    /// How to read it.
    pub legend: &'static str,
    /// The change as it may be shown, for anchoring.
    pub patch: Redacted<Patch>,
    /// What of it is sent.
    pub coverage: Coverage,
    /// The files that are sent.
    pub files: Vec<EgressFile>,
    /// The largest files, for a fault.
    pub largest: Vec<LargeFile>,
    /// The bytes of its lines, when they are so many that nothing of it was written down.
    pub over: Option<usize>,
}

/// What to read.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The folder it is read from.
    pub directory: PathBuf,
    /// Which change.
    pub scope: Scope,
    /// Only these paths, relative to the folder.
    pub paths: Vec<String>,
    /// What to do with untracked files.
    pub untracked: Untracked,
}

/// What is kept back of it beyond our own rules.
#[derive(Clone, Debug)]
pub struct Held {
    /// Files and values.
    pub further: Further,
    /// Whether some of them are the project's own wish.
    pub has_project_patterns: bool,
}

impl Held {
    /// Takes care that a review over text which the project itself masked is no complete one: a repository must not be
    /// able to hide its lines behind a pattern and pass.
    pub fn bound(&self, coverage: &mut Coverage, configured: u32) {
        if self.has_project_patterns && configured > 0 && coverage.status == CoverageStatus::Complete {
            coverage.status = CoverageStatus::Partial;
        }
    }
}

/// Says why a file is not shown.
pub fn kept_back(file: &Withheld) -> OmissionReason {
    if file.denied {
        OmissionReason::Denied
    } else {
        OmissionReason::Secret
    }
}

/// Reads a change. An empty one is a fault that says where changes are instead.
pub async fn gather(
    service: &Service,
    store: &Store,
    wanted: Wanted,
    held: Held,
) -> Result<ReviewInput, Fault> {
    let environment = service.environment().clone();
    let scratch = store.folder("scratch")?;
    let gathering = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        let repository = git
            .discover(&wanted.directory)
            .map_err(|error| git_fault(&error))?;
        let untracked = match wanted.untracked {
            Untracked::Include => git::Untracked::Read,
            Untracked::Exclude => git::Untracked::Exclude,
        };
        let change = repository.read_change(&wanted.scope, &wanted.paths, untracked, &scratch);
        let change = change.map_err(|error| read_fault(&error, repository.head(), &wanted))?;
        if change.is_empty() {
            return Err(nothing(&change, &wanted));
        }
        Ok(input(repository.top_level().to_owned(), change, &held))
    };
    tokio::task::spawn_blocking(gathering).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "reading the change stopped unexpectedly",
        ))
    })
}

fn read_fault(error: &GitError, head: &Head, wanted: &Wanted) -> Fault {
    let fault = git_fault(error);
    match error {
        // In a repository without a commit no revision exists, and that is what there is to say.
        GitError::InvalidRevision { .. } if matches!(head, Head::Unborn { .. }) => {
            git_fault(&GitError::NoCommitYet)
        }
        GitError::DiffTooLarge { largest, .. } | GitError::DiffTooLong { largest, .. } => {
            match largest.last() {
                Some(smallest) => fault.call(
                    "review",
                    json!({"scope": wanted.scope.as_str(), "paths": [smallest.path]}),
                ),
                None => fault,
            }
        }
        _ => fault,
    }
}

/// Says what is reviewed, but for how many files it has.
fn target_of(change: &Change) -> Target {
    let named = |oid: &Option<Oid>| oid.as_ref().map(|oid| oid.as_str().to_owned());
    Target {
        scope: change.scope.as_str().to_owned(),
        base_oid: named(&change.base),
        head_oid: named(&change.head),
        paths: change.paths.clone(),
        files: 0,
    }
}

fn input(repo_root: PathBuf, change: Change, held: &Held) -> ReviewInput {
    let target = target_of(&change);
    let mut largest = largest(&change.patch, LARGEST);
    for file in &mut largest {
        file.path = mask(&file.path);
    }
    let shown = change.patch.files.iter();
    let shown = shown.filter(|file| !is_withheld_by_name(file, &held.further));
    let bytes: usize = shown.map(FilePatch::shown_bytes).sum();
    if bytes > limits::PLANNED_BYTES {
        return too_large(repo_root, target, &change, held, largest, bytes);
    }
    // Counted below as it was read; its lines are not needed for that, and copying them would be.
    let read = change.patch.skeleton();
    let redacted = redact_patch_with(change.patch, &held.further);
    let withheld: HashMap<(&[u8], &[u8]), OmissionReason> = redacted
        .withheld
        .iter()
        .map(|held| {
            let file = &read.files[held.file];
            (
                (file.old_path.as_slice(), file.new_path.as_slice()),
                kept_back(held),
            )
        })
        .collect();
    let reason = |file: &FilePatch| {
        let ends = (file.old_path.as_slice(), file.new_path.as_slice());
        withheld.get(&ends).copied()
    };
    let mut coverage = coverage(&read, &change.left_out, &reason, redacted.report);
    held.bound(&mut coverage, redacted.configured);
    // Counted on the change as it was read, told with names as they may be shown.
    coverage
        .omitted
        .iter_mut()
        .for_each(|omission| omission.path = mask(&omission.path));
    let files = redacted
        .patch
        .get()
        .files
        .iter()
        .filter(|file| crate::diff::count::omission(file).is_none());
    let files = files
        .map(|file| EgressFile {
            path: crate::diff::text::shown_path(&file.new_path),
            bytes: file.shown_bytes(),
            // Only a change that is sent is worth the time; see `hash_files`.
            sha256: String::new(),
        })
        .collect();
    ReviewInput {
        repo_root,
        target: Target {
            files: coverage.files,
            ..target
        },
        base_name: change.base_name,
        diff: redacted.patch.derive(|patch| render(patch).text),
        patch: redacted.patch,
        legend: LEGEND,
        coverage,
        files,
        largest,
        over: None,
    }
}

/// A change of which it is known, before it is searched for secrets and written down, that it fits no prompt. It tells its
/// files and their sizes, and none of its lines.
fn too_large(
    repo_root: PathBuf,
    target: Target,
    change: &Change,
    held: &Held,
    largest: Vec<LargeFile>,
    bytes: usize,
) -> ReviewInput {
    let shown = |file: &FilePatch| {
        crate::diff::count::omission(file).is_none() && !is_withheld_by_name(file, &held.further)
    };
    let files = change.patch.files.iter().filter(|file| shown(file));
    let files = files
        .map(|file| EgressFile {
            path: mask(&crate::diff::text::shown_path(&file.new_path)),
            bytes: file.shown_bytes(),
            // It is not sent.
            sha256: String::new(),
        })
        .collect();
    let coverage = coverage(
        &change.patch,
        &change.left_out,
        &|_| None,
        RedactionReport::default(),
    );
    ReviewInput {
        repo_root,
        target: Target {
            files: coverage.files,
            ..target
        },
        base_name: change.base_name.clone(),
        diff: Redacted::literal(""),
        patch: redact_patch(Patch::default()).patch,
        legend: LEGEND,
        coverage,
        files,
        largest,
        over: Some(bytes),
    }
}

/// The fault of an empty change: where changes are, and the call that reviews them.
fn nothing(change: &Change, wanted: &Wanted) -> Fault {
    let scope = change.scope.as_str();
    let narrowed = if wanted.paths.is_empty() {
        ""
    } else {
        " in these paths"
    };
    let message = format!(
        "there is nothing to review in {scope}{narrowed}: the change is empty, so the review was not run"
    );
    let absent = wanted
        .paths
        .iter()
        .position(|path| wanted.directory.join(path).symlink_metadata().is_err());
    let message = match absent {
        // Not by its name: what was rejected is not repeated.
        Some(index) => format!("{message}; `paths[{index}]` does not exist here"),
        None => message,
    };
    let fault = Fault::new(FaultCode::NothingToReview, message);
    let Some(elsewhere) = &change.elsewhere else {
        return fault;
    };
    let (places, call) = places(elsewhere, scope, !wanted.paths.is_empty());
    if places.is_empty() {
        return fault
            .hint("the working tree, the index and the branch have no changes; name a commit or a base");
    }
    let fault = fault.hint(format!("there are changes elsewhere: {}", places.join("; ")));
    match call {
        Some(arguments) => fault.call("review", arguments),
        None => fault,
    }
}

fn places(elsewhere: &Elsewhere, scope: &str, narrowed: bool) -> (Vec<String>, Option<serde_json::Value>) {
    let mut places = Vec::new();
    let mut call = None;
    let dirty = elsewhere.unstaged + elsewhere.untracked + elsewhere.staged;
    if dirty > 0 && (scope != "working_tree" || narrowed) {
        places.push(format!(
            "the working tree has {} staged, {} unstaged and {} untracked files",
            elsewhere.staged, elsewhere.unstaged, elsewhere.untracked
        ));
        call.get_or_insert(json!({"scope": "working_tree"}));
    }
    if let Some(ahead) = &elsewhere.ahead_of_base
        && (scope != "branch" || narrowed)
    {
        places.push(format!(
            "the branch is {} commits ahead of {}",
            ahead.commits, ahead.base
        ));
        call.get_or_insert(json!({"scope": "branch", "base": ahead.base}));
    }
    for other in &elsewhere.worktrees {
        places.push(format!(
            "the worktree {} has {} changed files",
            other.path.display(),
            other.changed
        ));
        call.get_or_insert(json!({"scope": "working_tree", "workspace": other.path.display().to_string()}));
    }
    (places, call)
}
