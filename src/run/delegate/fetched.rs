//! A patch that was made elsewhere, taken as a result: applied to the base in the vault, kept, and judged by the checks here.

use tokio::task::spawn_blocking;

use crate::domain::delegation::{Delegation, Work};
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::git::{self, Collected, Git, GitError, Patched};
use crate::run::attempt::Attempt;
use crate::run::control::Control;
use crate::run::delegate::collect::{self, CollectError, Kept};
use crate::run::delegate::worktree;
use crate::run::masking::mask;
use crate::run::remains::Remains;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;
use crate::sys::seam;

/// What a patch came to.
enum Became {
    Kept(Box<Kept>),
    Misfit(String),
}

impl Attempt<'_> {
    /// Takes a patch as the result. An empty one is a result without a change. Returns git's words where it does not fit the
    /// base, and then keeps nothing.
    pub(in crate::run) async fn take_patch(
        &self,
        delegation: &Delegation,
        patch: &[u8],
        control: &Control,
        remains: &mut Remains,
    ) -> Result<Option<String>, Fault> {
        self.stage("applying the diff to its base");
        let (wanted, directory, job) = (delegation.clone(), self.directory.clone(), self.spec.id.clone());
        let (environment, store, patch) = (self.environment.clone(), self.store.clone(), patch.to_vec());
        let taking = spawn_blocking(move || {
            let (vault, tree) = match applied(&environment, &store, &wanted, &patch)? {
                (vault, Patched::Tree(tree)) => (vault, tree),
                (_, Patched::Refused(said)) => return Ok(Became::Misfit(said)),
            };
            let collected = Collected {
                tree,
                left_out: Vec::new(),
            };
            let kept = collect::keep(&vault, &directory, &job, &wanted, &collected)?;
            Ok::<_, CollectError>(Became::Kept(Box::new(kept)))
        });
        let became = taking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a thread ended unexpectedly");
            Err(CollectError::Git(GitError::Output { command: "apply" }))
        });
        let kept = match became {
            Ok(Became::Kept(kept)) => *kept,
            Ok(Became::Misfit(said)) => return Ok(Some(said)),
            Err(error) => {
                let message = format!("the result could not be kept: {}", mask(&error.to_string()));
                return Err(Fault::new(FaultCode::WorktreeFailed, message));
            }
        };
        seam::point("task.collected");
        remains.warnings.extend(kept.warnings);
        let mut work = kept.work;
        if work.is_empty() {
            remains
                .warnings
                .push(format!("{} changed no file", self.spec.peer.name));
        }
        self.judge_by_lines(delegation, &mut work, control, remains).await;
        remains.work = Some(work);
        seam::point("task.checked");
        Ok(None)
    }

    /// Runs set-up and checks in a worktree that holds the result. What cannot be run is told; the result stays.
    async fn judge_by_lines(
        &self,
        delegation: &Delegation,
        work: &mut Work,
        control: &Control,
        remains: &mut Remains,
    ) {
        if delegation.checks.is_empty() && delegation.setup.is_none() {
            return;
        }
        self.stage("preparing the worktree");
        let mut placed = delegation.clone();
        placed.baseline.start = Some(work.commit.clone());
        let prepared = match self.prepare(&placed, control).await {
            Ok(prepared) => prepared,
            Err((_, fault)) => {
                remains
                    .warnings
                    .push(format!("the checks were not run: {}", fault.message));
                work.checks = delegation
                    .checks
                    .iter()
                    .map(|line| super::checks::not_run(line))
                    .collect();
                return;
            }
        };
        remains.warnings.extend(prepared.warnings.iter().cloned());
        let mut outcome: Result<(), (JobState, Fault)> = Ok(());
        if let Some(line) = &delegation.setup {
            self.stage("running the setup");
            let (told, ended) = self.set_up(line, &prepared, control, remains).await;
            work.setup = Some(told);
            outcome = ended;
        }
        work.checks = if outcome.is_ok() {
            self.check(delegation, &prepared, control, remains).await
        } else {
            remains
                .warnings
                .push("the checks were not run, since the setup did not pass".to_owned());
            delegation
                .checks
                .iter()
                .map(|line| super::checks::not_run(line))
                .collect()
        };
        if let Err(error) = spawn_blocking(move || prepared.give_back()).await {
            tracing::error!(%error, "giving the worktree back stopped unexpectedly");
        }
    }
}

/// Applies a patch to the base of a job. Blocks.
fn applied(
    environment: &Environment,
    store: &Store,
    delegation: &Delegation,
    patch: &[u8],
) -> Result<(git::Vault, Patched), GitError> {
    let variables = environment
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let git = Git::locate(git::Environment::new(variables))?;
    let vault = RepositoryFolder::of(store, &delegation.baseline.common_directory).vault(&git)?;
    let base = worktree::oid(&delegation.baseline.tree)?;
    if patch.is_empty() {
        return Ok((vault, Patched::Tree(base)));
    }
    let patched = vault.patched(&base, patch)?;
    Ok((vault, patched))
}
