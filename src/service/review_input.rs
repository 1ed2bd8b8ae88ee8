//! The change that a review looks at: read from git, redacted, counted and rendered.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::json;

use crate::diff::attributes::Attributes;
use crate::diff::count::coverage;
use crate::diff::largest::{LargeFile, largest};
use crate::diff::measure::{FileSize, measure};
use crate::diff::patch::{Content, FilePatch, Patch};
use crate::domain::coverage::{Coverage, CoverageStatus, OmissionReason};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::request::Untracked;
use crate::domain::review_answer::Target;
use crate::domain::scope::Scope;
use crate::git::{self, Change, Elsewhere, Git, GitError, Head, Oid};
use crate::redact::{Further, Redacted, Withheld, is_withheld_by_name, redact_patch_with};
use crate::run::masking::mask;
use crate::service::base_files::BaseFiles;
use crate::service::context::Service;
use crate::service::git_fault::git_fault;
use crate::service::review::aside;
use crate::state::store::Store;

/// Bytes of a change's lines beyond which the attributes of its base are read. A smaller one fits a prompt, unless prompts
/// were made smaller, and then names and markers have to do.
const ATTRIBUTES_BYTES: usize = limits::PROMPT_CHARS / 4;
/// Files named when a change is too large.
const LARGEST: usize = 5;

/// A change, ready for a prompt.
#[derive(Clone, Debug)]
pub struct ReviewInput {
    /// The repository's root.
    pub repo_root: PathBuf,
    /// What was looked at.
    pub target: Target,
    /// The change as it may be shown, for prompts and for anchoring.
    pub patch: Redacted<Patch>,
    /// Whether the patch has its lines. One that is far too large has not: it is divided by its sizes alone, to say so.
    pub lines_known: bool,
    /// How large its files are once they are rendered.
    pub sizes: Vec<FileSize>,
    /// Which files are left out when it does not fit one prompt.
    pub aside: Vec<bool>,
    /// How many files were left out so already.
    pub generated: usize,
    /// What of it is sent when all of it is.
    pub coverage: Coverage,
    /// The largest files, for a fault.
    pub largest: Vec<LargeFile>,
    /// What an earlier review was shown of the change, and nobody changed since; no part of `patch` then.
    pub before: Option<Redacted<Patch>>,
    /// The project's files about its reviews, from before the change.
    pub(super) base: BaseFiles,
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
    /// Bytes of lines beyond which a change is divided by its sizes alone.
    pub planned_bytes: usize,
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
        let bytes = shown_bytes(&change.patch, &held);
        // Only a change that may not fit a prompt is looked at for what is generated. A file that says less is shown whole.
        let attributes = match &change.base {
            Some(base) if bytes > ATTRIBUTES_BYTES => repository.read_attributes(base, &scratch),
            _ => Ok(Vec::new()),
        };
        let attributes = Attributes::parse(&attributes.unwrap_or_default());
        let base = BaseFiles::read(&repository, &change, &wanted.directory, &scratch);
        let root = repository.top_level().to_owned();
        let mut input = input(root, change, &held, (&attributes, wanted.planned_bytes));
        input.base = base;
        Ok(input)
    };
    on_its_own_thread(gathering).await.unwrap_or_else(|| {
        Err(Fault::new(
            FaultCode::Internal,
            "reading the change stopped unexpectedly",
        ))
    })
}

/// Runs what takes a lot of memory for a short time on a thread that ends with it. The allocator of most systems gives the next
/// such thread the same memory again; of a pool's threads each would keep some.
async fn on_its_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("change".to_owned());
    // The receiver is gone when the call was given up.
    thread.spawn(move || drop(sender.send(work()))).ok()?;
    receiver.await.ok()
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
        base_name: change.base_name.clone(),
        head_oid: named(&change.head),
        paths: change.paths.clone(),
        files: 0,
    }
}

pub(super) fn input(
    repo_root: PathBuf,
    mut change: Change,
    held: &Held,
    (attributes, planned_bytes): (&Attributes, usize),
) -> ReviewInput {
    let target = target_of(&change);
    let mut largest = largest(&change.patch, LARGEST);
    for file in &mut largest {
        file.path = mask(&file.path);
    }
    let mut aside = aside(&change.patch, &change.paths, &|path| attributes.of(path));
    // Counted as it was read; its lines are not needed for that, and copying them would be.
    let read = change.patch.skeleton();
    let mut generated = 0;
    let mut bytes = shown_bytes(&change.patch, held);
    if bytes > limits::PLANNED_BYTES {
        // It fits no prompt as it is, so what is left out of it need not be searched for secrets.
        for (file, aside) in change.patch.files.iter_mut().zip(&mut aside) {
            if std::mem::take(aside) {
                file.content = Content::Generated;
                generated += 1;
            }
        }
        if generated > 0 {
            bytes = shown_bytes(&change.patch, held);
        }
    }
    let lines_known = bytes <= planned_bytes.max(limits::PLANNED_BYTES);
    let (sizes, patch) = if lines_known {
        (None, change.patch)
    } else {
        (Some(measure(&change.patch)), change.patch.without_lines())
    };
    let is_generated: Vec<bool> = patch
        .files
        .iter()
        .map(|file| file.content == Content::Generated)
        .collect();
    let redacted = redact_patch_with(patch, &held.further);
    let withheld: HashMap<(&[u8], &[u8]), OmissionReason> = redacted
        .withheld
        .iter()
        .map(|held| (ends(&read.files[held.file]), kept_back(held)))
        .chain(
            read.files
                .iter()
                .zip(is_generated)
                .filter(|(_, is_generated)| *is_generated)
                .map(|(file, _)| (ends(file), OmissionReason::Generated)),
        )
        .collect();
    let reason = |file: &FilePatch| withheld.get(&ends(file)).copied();
    let mut coverage = coverage(&read, &change.left_out, &reason, redacted.report);
    held.bound(&mut coverage, redacted.configured);
    // Counted on the change as it was read, told with names as they may be shown.
    coverage
        .omitted
        .iter_mut()
        .for_each(|omission| omission.path = mask(&omission.path));
    let sizes = match sizes {
        None => measure(redacted.patch.get()),
        Some(mut sizes) => {
            for (size, file) in sizes.iter_mut().zip(&redacted.patch.get().files) {
                if !matches!(file.content, Content::Text(_)) {
                    size.hunks.clear();
                }
            }
            sizes
        }
    };
    ReviewInput {
        repo_root,
        target: Target {
            files: coverage.files,
            ..target
        },
        patch: redacted.patch,
        lines_known,
        sizes,
        aside,
        generated,
        coverage,
        largest,
        before: None,
        base: BaseFiles::default(),
    }
}

/// The bytes of the lines of a change that could be sent.
fn shown_bytes(patch: &Patch, held: &Held) -> usize {
    let shown = patch.files.iter();
    let shown = shown.filter(|file| !is_withheld_by_name(file, &held.further));
    shown.map(FilePatch::shown_bytes).sum()
}

fn ends(file: &FilePatch) -> (&[u8], &[u8]) {
    (file.old_path.as_slice(), file.new_path.as_slice())
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
