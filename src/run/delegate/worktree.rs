//! Where the peer of a delegate works: taken and made ready before it, read and given back after it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::delegation::{Delegation, Place};
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobId;
use crate::git::{self, Collected, Git, GitError, Oid, Vault};
use crate::peer::checker::WriteAccess;
use crate::peer::exec::Access;
use crate::run::delegate::{CollectError, collect, live, reuse};
use crate::run::masking::mask;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::Spec;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::state::trees::{HeldTree, TreeError};
use crate::sys::{files, seam};

/// Bytes of a note; it holds one variable.
const NOTE_BYTES: u64 = 1024 * 1024;

/// Where a peer works, and what its commands may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workplace {
    /// Its directory.
    pub directory: PathBuf,
    /// The project of which that is a part: the top of the tree.
    pub project: PathBuf,
    /// What commands may do.
    pub access: Access,
}

impl Workplace {
    /// Returns the user's own folder, to be read.
    pub fn of(spec: &Spec) -> Self {
        Self {
            directory: spec.directory.clone(),
            project: spec.repo_root.as_ref().unwrap_or(&spec.directory).clone(),
            access: Access::Read,
        }
    }
}

/// Everything that is needed to begin with a task.
#[derive(Clone, Debug)]
pub(super) struct Prepare {
    /// The job's directory.
    pub(super) directory: JobDirectory,
    /// The job.
    pub(super) spec: Spec,
    /// What it was asked to do.
    pub(super) delegation: Delegation,
    /// Our environment, where git is found.
    pub(super) environment: Environment,
    /// Our state.
    pub(super) store: Store,
}

/// A place that is ready for the peer.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Where the peer works.
    pub(super) workplace: Workplace,
    /// What the caller should know.
    pub(super) warnings: Vec<String>,
    folder: RepositoryFolder,
    vault: Vault,
    git: Git,
    held: Option<HeldTree>,
}

impl Prepare {
    /// Takes a worktree, makes it what the job starts from and links into it what is reused. Blocks, for seconds in a large
    /// repository and as long as others make theirs.
    pub(super) fn run(&self) -> Result<Prepared, Fault> {
        let delegation = &self.delegation;
        let baseline = &delegation.baseline;
        let path = self.environment.get("PATH").unwrap_or_default().to_owned();
        let note = Note {
            path: path.to_string_lossy().into_owned(),
            place: delegation.place,
        };
        note.write(&self.directory)?;
        seam::point("worktree.noted");
        let variables = self
            .environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).map_err(|error| fault(&error))?;
        let folder = RepositoryFolder::of(&self.store, &baseline.common_directory);
        let vault = folder.vault(&git).map_err(|error| fault(&error))?;
        let (held, top, warnings) = match delegation.place {
            Place::Live => {
                self.check_unchanged(&vault, &git)?;
                (None, baseline.top_level.clone(), Vec::new())
            }
            Place::Worktree => {
                let start = baseline.start.as_ref().unwrap_or(&baseline.commit);
                let start = oid(start).map_err(|error| fault(&error))?;
                let continues = delegation.continues.as_ref();
                let held =
                    HeldTree::take(&folder, &vault, &self.spec.id, &start, continues).map_err(tree_fault)?;
                seam::point("worktree.taken");
                let top = held
                    .path()
                    .canonicalize()
                    .map_err(StateError::io("read", held.path()))?;
                let warnings = self.link(&git, &held, &top);
                (Some(held), top, warnings)
            }
        };
        if held.is_some() {
            // The folder may hold nothing but ignored files, and then no tree of git has it.
            reuse::make_folders(&top, &baseline.prefix)
                .map_err(StateError::io("create", top.join(&baseline.prefix)))?;
        }
        Ok(Prepared {
            workplace: Workplace {
                directory: top.join(&baseline.prefix),
                access: Access::Write {
                    top: top.clone(),
                    network: delegation.network,
                },
                project: top,
            },
            warnings,
            folder,
            vault,
            git,
            held,
        })
    }

    /// Links into a worktree what is reused, and remembers it with the worktree. Returns what the caller should know.
    fn link(&self, git: &Git, held: &HeldTree, top: &Path) -> Vec<String> {
        let delegation = &self.delegation;
        let baseline = &delegation.baseline;
        let scratch = self.directory.path().join("scratch");
        let mut repository = None;
        let mut is_ignored = |place: &Path| {
            // Asked of the user's files: it is they that are linked. What cannot be asked is not linked.
            files::create_private_dir(&scratch).is_ok()
                && repository
                    .get_or_insert_with(|| git.discover(&baseline.top_level))
                    .as_ref()
                    .is_ok_and(|repository| repository.ignores(place, &scratch).unwrap_or(false))
        };
        let mut linked = reuse::link(
            &baseline.top_level,
            &baseline.prefix,
            top,
            &delegation.reuse,
            &mut is_ignored,
        );
        let _ = std::fs::remove_dir_all(&scratch);
        // Those of the job that is gone on with too.
        let links = collect::links_in(delegation, held);
        if let Err(error) = held.set_linked(&links) {
            let place = top.display();
            linked.warnings.push(format!("`{place}`: {error}"));
        }
        linked.warnings
    }

    /// In place, what the caller did since the call would count as the peer's work, and an undo would take it back.
    fn check_unchanged(&self, vault: &Vault, git: &Git) -> Result<(), Fault> {
        let present =
            live::read(vault, git, &self.delegation, &self.directory).map_err(|error| fault(&error))?;
        if present.tree.as_str() == self.delegation.baseline.tree {
            return Ok(());
        }
        let message = "the workspace's files changed since the job was made; nothing was paid";
        Err(Fault::new(FaultCode::DirtyWorkspace, message).hint("repeat the call"))
    }
}

impl Prepared {
    /// Returns what commands of the peer, and the checks, may reach.
    pub(super) fn write_access(&self) -> WriteAccess {
        let network = match self.workplace.access {
            Access::Write { network, .. } => network,
            Access::Read => false,
        };
        WriteAccess {
            top: self.workplace.project.clone(),
            directory: self.workplace.directory.clone(),
            network,
        }
    }

    /// Returns the store of what is kept.
    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Reads what is there now. Blocks.
    pub(super) fn read(
        &self,
        delegation: &Delegation,
        directory: &JobDirectory,
    ) -> Result<Collected, GitError> {
        match &self.held {
            Some(held) => collect::read(&self.vault, held, delegation),
            None => live::read(&self.vault, &self.git, delegation, directory),
        }
    }

    /// Keeps what a run in place changed so that it can be undone; nothing of a worktree is in the user's files. Blocks.
    pub(super) fn adopt(&self, delegation: &Delegation, job: &JobId, tree: &Oid) -> Result<(), CollectError> {
        match self.held {
            Some(_) => Ok(()),
            None => live::adopt(&self.folder, &self.vault, delegation, job, tree),
        }
    }

    /// Leaves the worktree as a killed worker does: nobody gets it before what is in it was collected. Tells where it is, if
    /// there is one.
    pub(super) fn leave(self) -> Option<PathBuf> {
        self.held.map(|held| held.path())
    }

    /// Lets others have the worktree. What is in it is lost at any time from now on. Blocks.
    pub(super) fn give_back(self) {
        if let Some(held) = self.held {
            held.give_back();
        }
    }
}

/// What whoever collects after a killed worker has to know: written into the job's directory before the worktree is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The `PATH` on which git was found.
    path: String,
    /// Where the peer worked.
    place: Place,
}

impl Note {
    fn write(&self, directory: &JobDirectory) -> Result<(), StateError> {
        let path = directory.worktree_path();
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        files::write_atomic(&path, &bytes).map_err(StateError::io("write", path))
    }

    /// Reads the note; `None` when the worker did not come so far.
    pub(super) fn read(directory: &JobDirectory) -> Option<Self> {
        let bytes = files::read_bounded(&directory.worktree_path(), NOTE_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Tells whether the peer worked in the user's own files.
    pub(super) fn is_live(&self) -> bool {
        self.place == Place::Live
    }

    /// Finds the git that the worker used.
    pub(super) fn git(&self) -> Result<Git, GitError> {
        Git::locate(git::Environment::new([("PATH".into(), self.path.clone().into())]))
    }

    /// Opens what is kept for the repository.
    pub(super) fn open(
        &self,
        directory: &JobDirectory,
        delegation: &Delegation,
    ) -> Result<(RepositoryFolder, Vault), GitError> {
        let store = directory.path().parent().and_then(Path::parent);
        let store = Store::at(store.unwrap_or(Path::new("/")));
        let folder = RepositoryFolder::of(&store, &delegation.baseline.common_directory);
        let vault = folder.vault(&self.git()?)?;
        Ok((folder, vault))
    }
}

/// Reads an id that we wrote ourselves.
pub(super) fn oid(text: &str) -> Result<Oid, GitError> {
    Oid::parse(text).ok_or(GitError::Output { command: "job" })
}

/// Says that there is no worktree, which happens before anything is paid.
fn fault(error: &GitError) -> Fault {
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let message = format!(
        "the worktree could not be made, so nothing was paid: {}",
        mask(&why)
    );
    let code = match error {
        GitError::TooOld { .. } => FaultCode::GitTooOld,
        _ => FaultCode::WorktreeFailed,
    };
    Fault::new(code, message)
}

fn tree_fault(error: TreeError) -> Fault {
    match error {
        TreeError::Git(error) => fault(&error),
        TreeError::State(error) => error.into(),
    }
}
