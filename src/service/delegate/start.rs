//! What the peer starts from: the user's files as they are now, or a commit, as a commit of ours.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::domain::count::counted;
use crate::domain::delegation::{Baseline, Dirty};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobId;
use crate::domain::peer::Peer;
use crate::domain::request::DelegateRequest;
use crate::domain::scope::Revision;
use crate::git::{self, Git, GitError, Head, Keep, Oid, Repository, Snapshot, SnapshotOf, Vault};
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::git_fault::git_fault;
use crate::service::resume::Earlier;
use crate::state::landing;
use crate::state::record::{Expects, Spec};
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::sys::seam;

/// Uncommitted files named one by one.
pub(super) const NAMED: usize = 20;

/// What the peer starts from, with where it is kept.
#[derive(Debug)]
pub struct Start {
    /// The user's repository.
    pub repository: Repository,
    /// What is kept for it.
    pub folder: RepositoryFolder,
    /// Our private store of it.
    pub vault: Vault,
    /// For the jobs' records. Of a preview the commit is empty: none was made.
    pub baseline: Baseline,
    /// The first of the uncommitted files, for people.
    pub uncommitted: Vec<String>,
    /// The folder of the call below the top.
    pub prefix: PathBuf,
    /// The paths that it holds, relative to the top and sorted, where somebody wants to know and they could be listed.
    pub paths: Option<Vec<Vec<u8>>>,
}

/// What is to be taken.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The folder of the call.
    pub directory: PathBuf,
    /// What to do with uncommitted changes.
    pub dirty: Dirty,
    /// The commit to start from.
    pub base: Option<Revision>,
    /// The job to go on from.
    pub earlier: Option<Box<Earlier>>,
    /// Whether the objects are kept.
    pub keep: Keep,
    /// The peer that starts from it.
    pub peer: Peer,
    /// Whether its paths are listed: for globs, for files to read first, and for a preview.
    pub list: bool,
}

impl Wish {
    /// Returns what a call asks for.
    pub fn of(
        request: &DelegateRequest,
        directory: &Path,
        earlier: Option<&Earlier>,
        keep: Keep,
        peer: Peer,
    ) -> Self {
        Self {
            peer,
            directory: directory.to_owned(),
            dirty: request.dirty,
            base: request.base.clone(),
            earlier: earlier.map(|earlier| Box::new(earlier.clone())),
            keep,
            list: keep == Keep::Nothing
                || !request.files.is_empty()
                || request.tasks.iter().any(|task| !task.allowed_paths.is_empty()),
        }
    }
}

/// Takes it, on a thread that may block.
pub async fn take(service: &Service, store: &Store, wish: Wish) -> Result<Start, Fault> {
    let environment = service.environment().clone();
    let store = store.clone();
    let taking = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))?;
        taken(&git, &store, &wish)
    };
    tokio::task::spawn_blocking(taking).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "taking the snapshot stopped unexpectedly",
        ))
    })
}

/// Lets go of the commits that were kept for a job whose record was deleted. What landed keeps its own.
pub async fn release(service: &Service, store: &Store, spec: &Spec) {
    let Expects::Delegate { delegation } = &spec.expects else {
        return;
    };
    let folder = RepositoryFolder::of(store, &delegation.baseline.common_directory);
    let (environment, id) = (service.environment().clone(), spec.id.clone());
    let releasing = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables))?;
        folder.vault(&git)?.delete_refs(&format!("refs/jobs/{id}/"))
    };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(releasing).await {
        tracing::warn!(job = %spec.id, %error, "what was kept for a forgotten job is left");
    }
}

pub(super) fn taken(git: &Git, store: &Store, wish: &Wish) -> Result<Start, Fault> {
    let fault = |error: GitError| start_fault(wish.peer, &error);
    let repository = git.discover(&wish.directory).map_err(fault)?;
    let folder = RepositoryFolder::of(store, repository.common_directory());
    let prefix = repository.directory().strip_prefix(repository.top_level());
    let prefix = prefix.map(Path::to_owned).unwrap_or_default();
    let vault = folder.open_vault(&repository).map_err(fault)?;
    // A landing that was killed half-way is nobody's files.
    landing::recover(&folder)?;
    let scratch = store.folder("scratch")?;
    // What cannot be listed only makes a warning or a name in the prompt less exact.
    let list = |of: &SnapshotOf| wish.list.then(|| repository.list(of, &scratch).ok()).flatten();
    if let Some(earlier) = &wish.earlier {
        let baseline = going_on(earlier, &repository)?;
        // The earlier result holds about the same files as the workspace.
        let paths = list(&SnapshotOf::WorkingTree);
        return Ok(Start {
            baseline,
            paths,
            repository,
            folder,
            vault,
            uncommitted: Vec::new(),
            prefix,
        });
    }
    let of = wanted(wish, &repository)?;
    let snapshot = vault
        .snapshot(&repository, &of, wish.keep, &scratch)
        .map_err(fault)?;
    seam::point("delegate.snapped");
    let uncommitted: Vec<String> = snapshot
        .uncommitted
        .iter()
        .take(NAMED)
        .map(|path| crate::diff::text::shown_path(path))
        .collect();
    if wish.dirty == Dirty::Ask && !snapshot.uncommitted.is_empty() {
        return Err(dirty(wish.peer, &snapshot, &uncommitted));
    }
    let baseline = baseline(&repository, &prefix, &snapshot);
    let paths = list(&of);
    Ok(Start {
        repository,
        folder,
        vault,
        baseline,
        uncommitted,
        prefix,
        paths,
    })
}

/// Decides what is taken.
fn wanted(wish: &Wish, repository: &Repository) -> Result<SnapshotOf, Fault> {
    if let Some(base) = &wish.base {
        let resolved = repository.resolve(base);
        return resolved.map(SnapshotOf::Commit).map_err(|error| match error {
            GitError::InvalidRevision { .. } => start_fault(wish.peer, &error).field("base"),
            error => start_fault(wish.peer, &error),
        });
    }
    match (wish.dirty, repository.head()) {
        (Dirty::Snapshot | Dirty::Ask, _) => Ok(SnapshotOf::WorkingTree),
        (Dirty::Committed, Head::Born { oid, .. }) => Ok(SnapshotOf::Commit(oid.clone())),
        (Dirty::Committed, Head::Unborn { .. }) => Err(start_fault(wish.peer, &GitError::NoCommitYet)),
    }
}

/// Tells git's errors in the words of this tool.
fn start_fault(peer: Peer, error: &GitError) -> Fault {
    let fault = git_fault(error);
    match error {
        GitError::NoCommitYet => Fault::new(fault.code, fault.message).field("dirty").hint(format!(
            "leave out dirty: then {peer} starts from the files as they are"
        )),
        _ => fault,
    }
}

/// The start of a job that goes on from another one: the same baseline, and the result on top of it.
fn going_on(earlier: &Earlier, repository: &Repository) -> Result<Baseline, Fault> {
    let baseline = &earlier.delegation.baseline;
    if baseline.common_directory != repository.common_directory() {
        let message = "the job to resume belongs to another repository";
        return Err(Fault::argument("resume", message)
            .hint("pass workspace: a folder of the repository that the job worked in"));
    }
    Ok(Baseline {
        start: Some(earlier.commit.clone()),
        ..baseline.clone()
    })
}

fn baseline(repository: &Repository, prefix: &Path, snapshot: &Snapshot) -> Baseline {
    let text = |oid: &Oid| oid.as_str().to_owned();
    Baseline {
        top_level: repository.top_level().to_owned(),
        common_directory: repository.common_directory().to_owned(),
        prefix: prefix.to_owned(),
        head: snapshot.head.as_ref().map(text),
        commit: snapshot.commit.as_ref().map(text).unwrap_or_default(),
        tree: text(&snapshot.tree),
        start: None,
        uncommitted: u32::try_from(snapshot.uncommitted.len()).unwrap_or(u32::MAX),
        files: snapshot.files,
        left_out: snapshot
            .left_out
            .iter()
            .map(|path| crate::diff::text::shown_path(path))
            .collect(),
    }
}

/// The caller asked to be told of uncommitted changes, and there are some.
fn dirty(peer: Peer, snapshot: &Snapshot, named: &[String]) -> Fault {
    let count = snapshot.uncommitted.len();
    let more = if count > named.len() { ", ..." } else { "" };
    let message = format!(
        "the workspace has {}: {}{more}",
        counted(count, "uncommitted file"),
        named.join(", ")
    );
    Fault::new(FaultCode::DirtyWorkspace, message)
        .field("dirty")
        .allowing(["snapshot", "committed"])
        .hint(format!(
            "say `snapshot` to have {peer} start from the files as they are, or `committed` to have it start from the last \
             commit"
        ))
}

impl Start {
    /// Tells whether it holds a file, named relative to the folder of the call. Where that is not known it is taken to.
    pub fn has(&self, inside: &Path) -> bool {
        let path = self.prefix.join(inside);
        let path = path.as_os_str().as_encoded_bytes();
        self.paths
            .as_ref()
            .is_none_or(|paths| paths.binary_search_by(|held| held.as_slice().cmp(path)).is_ok())
    }

    /// Says what is no part of what the peer gets.
    pub fn warnings(&self, peer: Peer) -> Vec<String> {
        let left_out = &self.baseline.left_out;
        if left_out.is_empty() {
            return Vec::new();
        }
        let named: Vec<&str> = left_out.iter().take(NAMED).map(String::as_str).collect();
        let more = if left_out.len() > named.len() { ", ..." } else { "" };
        vec![format!(
            "submodules and repositories inside this one are left alone, so {peer} sees empty folders or nothing there: {}{more}",
            named.join(", ")
        )]
    }

    /// Names the commits that a job needs by refs of ours, so that they are kept as long as its record.
    pub fn root(&self, id: &JobId) -> Result<(), Fault> {
        let commits = [
            ("base", Some(&self.baseline.commit)),
            ("start", self.baseline.start.as_ref()),
        ];
        for (name, commit) in commits {
            let Some(commit) = commit else { continue };
            let oid = Oid::parse(commit)
                .ok_or_else(|| Fault::new(FaultCode::Internal, "the snapshot has no commit"))?;
            self.vault
                .set_ref(&format!("refs/jobs/{id}/{name}"), &oid)
                .map_err(|error| git_fault(&error))?;
        }
        seam::point("delegate.rooted");
        Ok(())
    }

    /// Lets go of what a job needed that was not started after all.
    pub fn unroot(&self, id: &JobId) {
        if let Err(error) = self.vault.delete_refs(&format!("refs/jobs/{id}/")) {
            tracing::warn!(job = %id, %error, "the refs of a job that was not started are left");
        }
    }

    /// Tells it in a preview.
    pub fn shown(&self) -> serde_json::Value {
        let baseline = &self.baseline;
        let mut shown = object(json!({
            "top_level": baseline.top_level.display().to_string(),
            "prefix": baseline.prefix.display().to_string(),
            "tree": baseline.tree,
            "files": baseline.files,
            "uncommitted": {"count": baseline.uncommitted, "first": self.uncommitted},
            "left_out": baseline.left_out,
        }));
        if let Some(head) = &baseline.head {
            shown.insert("head".to_owned(), head.clone().into());
        }
        if let Some(start) = &baseline.start {
            shown.insert("start".to_owned(), start.clone().into());
        }
        serde_json::Value::Object(shown)
    }
}
