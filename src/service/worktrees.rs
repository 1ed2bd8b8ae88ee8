//! What of ours lies on the disk for the user's repositories: worktrees, landings, groups. Looked at, never changed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::domain::fault::Fault;
use crate::domain::job::JobId;
use crate::domain::limits;
use crate::git::{Git, Vault};
use crate::state::groups::{self, Group};
use crate::state::landing::{self, Landing, LandingState};
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::state::trees::{self, TreeView};
use crate::sys::files;

/// Landings of one repository that are told one by one.
const LANDINGS: usize = 100;
/// Bytes of the file that names a repository: a path.
const ORIGIN_BYTES: u64 = 8 * 1024;
/// Files that are counted in one folder of ours; a number beyond it is a lower bound.
const COUNTED: usize = 1_000_000;

/// What a worktree is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeState {
    /// A run works in it.
    Held,
    /// What was done in it is kept under a ref, or nothing was.
    Kept,
    /// Its run was killed before what it did was read.
    Uncollected,
    /// The job that had it is gone with all that was kept of it.
    Orphaned,
}

/// One worktree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) view: TreeView,
    pub(super) state: TreeState,
}

/// What lies there for one repository.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) folder: RepositoryFolder,
    /// The user's repository, as it was called when its first job was made.
    pub(super) origin: Option<String>,
    pub(super) trees: Vec<Tree>,
    pub(super) landings: Vec<Landing>,
    /// All of it, in bytes.
    pub(super) bytes: u64,
}

/// What one name leaves of everything.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The jobs.
    pub(super) jobs: Vec<JobId>,
    /// Their group, where the name was its.
    pub(super) group: Option<JobId>,
}

/// Everything of all repositories.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    pub(super) repositories: Vec<Holding>,
    pub(super) groups: Vec<Group>,
}

impl Holdings {
    /// Looks. Blocks.
    pub(super) fn look(store: &Store, git: &Git) -> Result<Self, Fault> {
        let mut holdings = Self::default();
        for folder in RepositoryFolder::all(store)? {
            holdings.repositories.push(Holding::look(store, git, folder)?);
        }
        for id in groups::ids(store)? {
            // A damaged record is told by whoever asks for the group.
            holdings.groups.extend(groups::read(store, &id).ok().flatten());
        }
        Ok(holdings)
    }

    /// Keeps what belongs to these jobs.
    pub(super) fn only(mut self, part: &Part) -> Self {
        for holding in &mut self.repositories {
            let is_its = |tree: &Tree| tree.view.job.as_ref().is_some_and(|job| part.jobs.contains(job));
            holding.trees.retain(is_its);
            holding
                .landings
                .retain(|landing| part.jobs.contains(&landing.job));
            holding.bytes = holding.trees.iter().map(|tree| tree.view.bytes).sum();
        }
        self.repositories
            .retain(|holding| !holding.trees.is_empty() || !holding.landings.is_empty());
        self.groups.retain(|group| Some(&group.id) == part.group.as_ref());
        self
    }

    /// Returns the groups of which no job is left.
    pub(super) fn empty_groups<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a Group> {
        self.groups
            .iter()
            .filter(|group| !group.members.iter().any(|member| store.has(&member.job)))
    }

    /// Tells it, each thing with what clean does with it.
    pub(super) fn told(&self, store: &Store) -> Value {
        let empty: Vec<&JobId> = self.empty_groups(store).map(|group| &group.id).collect();
        json!({
            "repositories": self.repositories.iter().map(|holding| holding.told(store)).collect::<Vec<_>>(),
            "groups": self.groups.iter().map(|group| json!({
                "id": group.id,
                "label": group.label,
                "jobs": group.members.len(),
                "done": if empty.contains(&&group.id) { "goes" } else { "stays" },
            })).collect::<Vec<_>>(),
        })
    }
}

impl Holding {
    fn look(store: &Store, git: &Git, folder: RepositoryFolder) -> Result<Self, Fault> {
        let vault = folder.vault(git).ok();
        let views = trees::list(&folder)?;
        let trees_bytes: u64 = views.iter().map(|view| view.bytes).sum();
        let trees = views
            .into_iter()
            .map(|view| Tree {
                state: state(store, vault.as_ref(), &view),
                view,
            })
            .collect();
        let mut left = COUNTED;
        let rest: u64 = ["git", "landings"]
            .iter()
            .map(|name| bytes_below(&folder.path().join(name), &mut left))
            .sum();
        let origin = files::read_bounded(&folder.path().join("origin"), ORIGIN_BYTES).ok();
        Ok(Self {
            origin: origin.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()),
            landings: landing::list(&folder, LANDINGS)?.found,
            bytes: trees_bytes + rest,
            trees,
            folder,
        })
    }

    fn told(&self, store: &Store) -> Value {
        json!({
            "repository": self.origin,
            "directory": self.folder.path().display().to_string(),
            "bytes": self.bytes,
            "worktrees": self.trees.iter().take(limits::LIST_DEFAULT).map(Tree::told).collect::<Vec<_>>(),
            "landings": self.landings.iter().take(limits::LIST_DEFAULT).map(|landing| json!({
                "what": "landing",
                "job": landing.job,
                "state": landing_state(landing.state),
                "files": landing.sides.len(),
                "at": crate::domain::time::rfc3339(landing.at_ms),
                "working_tree": landing.top_level.display().to_string(),
                "done": if is_unreachable(store, landing) { "goes" } else { "stays" },
            })).collect::<Vec<_>>(),
        })
    }
}

impl Tree {
    fn told(&self) -> Value {
        let (state, done) = match self.state {
            TreeState::Held => ("in use", "stays"),
            TreeState::Kept => ("idle", "goes"),
            TreeState::Uncollected => ("left by a killed run", "goes, kept under a ref"),
            TreeState::Orphaned => ("of a deleted job", "goes"),
        };
        json!({
            "what": "worktree",
            "directory": self.view.folder.display().to_string(),
            "job": self.view.job,
            "state": state,
            "bytes": self.view.bytes,
            "done": done,
        })
    }
}

/// A landing whose job is gone can be named by nobody, so nobody can undo it; one that was begun is never touched here.
pub(super) fn is_unreachable(store: &Store, landing: &Landing) -> bool {
    landing.state != LandingState::Begun && !store.has(&landing.job)
}

fn landing_state(state: LandingState) -> &'static str {
    match state {
        LandingState::Begun => "begun",
        LandingState::Landed => "landed",
        LandingState::Undone => "undone",
    }
}

/// Says what a worktree is good for. Without an owner no run ever began in it.
fn state(store: &Store, vault: Option<&Vault>, view: &TreeView) -> TreeState {
    if view.is_held {
        return TreeState::Held;
    }
    let Some(job) = &view.job else {
        return TreeState::Kept;
    };
    let has = |name: &str| vault.is_some_and(|vault| vault.read_ref(name).is_ok_and(|found| found.is_some()));
    if has(&result_ref(job)) || has(&kept_ref(job)) {
        TreeState::Kept
    } else if store.has(job) || has(&base_ref(job)) {
        TreeState::Uncollected
    } else {
        TreeState::Orphaned
    }
}

/// Where the result of a job is kept.
pub(super) fn result_ref(job: &JobId) -> String {
    format!("refs/jobs/{job}/result")
}

/// Where the start of a job is kept.
pub(super) fn base_ref(job: &JobId) -> String {
    format!("refs/jobs/{job}/base")
}

/// Where clean keeps what a killed run left.
pub(super) fn kept_ref(job: &JobId) -> String {
    format!("refs/kept/{job}")
}

/// Counts the bytes below a folder, at most so many files.
fn bytes_below(folder: &Path, left: &mut usize) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(rest) = left.checked_sub(1) else { break };
        *left = rest;
        match entry.metadata() {
            Ok(about) if about.is_dir() => bytes += bytes_below(&entry.path(), left),
            Ok(about) => bytes += about.len(),
            Err(_) => {}
        }
    }
    bytes
}
