//! Clears away what is idle, kept or empty. A dry run unless told otherwise.
//!
//! Nothing is deleted that is not kept or empty: what a killed run left in a worktree is read and kept under a ref of ours
//! before the worktree goes. The user's repositories are not touched.

use std::fs;

use crate::domain::count::counted;
use crate::domain::envelope::Envelope;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobName};
use crate::git::{self, Git, Vault};
use crate::run::delegate::links_in;
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::git_fault::git_fault;
use crate::service::group::{self, Found};
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;
use crate::service::worktrees::{
    Holding, Holdings, Part, TreeState, base_ref, is_unreachable, kept_ref, result_ref,
};
use crate::state::groups;
use crate::state::record::Expects;
use crate::state::store::Store;
use crate::state::trees;
use crate::sys::clock::Stopwatch;

/// The name of this use case in envelopes.
const NAME: &str = "clean";

/// Whether anything is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is told what would be.
    Look,
    /// It is.
    Remove,
}

/// Cleans and wraps what came of it: everything, or what belongs to the job or the group of this name.
pub async fn call(service: &Service, mode: Mode, name: Option<&JobName>, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service, mode, name).await;
    service.wrap(NAME, outcome, call, watch)
}

/// Tells what is there: `status topic=worktrees`.
pub async fn worktrees(service: &Service) -> Outcome {
    let (store, git) = (service.store()?, git(service)?);
    let (holdings, store) = blocking(move || Ok((Holdings::look(&store, &git)?, store))).await?;
    let trees = holdings
        .repositories
        .iter()
        .map(|holding| holding.trees.len())
        .sum::<usize>();
    Ok(Reply {
        summary: format!(
            "{} for {}, {} bytes in all.",
            counted(trees, "worktree"),
            match holdings.repositories.len() {
                1 => "1 repository".to_owned(),
                many => format!("{many} repositories"),
            },
            bytes(&holdings)
        ),
        body: object(holdings.told(&store)),
        next_steps: vec!["`crosscheck clean` in a terminal says what can go".to_owned()],
        ..Reply::default()
    })
}

/// Cleans: everything, or what belongs to the job or the group of this name.
pub(super) async fn run(service: &Service, mode: Mode, name: Option<&JobName>) -> Outcome {
    let (store, git) = (service.store()?, git(service)?);
    let part = match name {
        Some(name) => Some(part(service, &store, name)?),
        None => None,
    };
    let look = {
        let (store, git, part) = (store.clone(), git.clone(), part.clone());
        move || look(&store, &git, part.as_ref())
    };
    let holdings = blocking(look).await?;
    if mode == Mode::Look {
        return Ok(planned(&store, &holdings));
    }
    // A killed run's result is collected by whoever looks at it first; that also ends what still runs of it.
    let uncollected = holdings
        .repositories
        .iter()
        .flat_map(|holding| &holding.trees)
        .filter(|tree| tree.state == TreeState::Uncollected)
        .filter_map(|tree| tree.view.job.clone());
    for job in uncollected.filter(|job| store.has(job)) {
        if let Err(error) = reap(&store.directory(&job)).await {
            tracing::warn!(%job, %error, "what a job left cannot be collected");
        }
    }
    blocking(move || Ok(removed(&store, &git, &holdings, part.as_ref())))
        .await
        .map_err(Into::into)
}

/// Finds what a name leaves of everything.
fn part(service: &Service, store: &Store, name: &JobName) -> Result<Part, Fault> {
    let workspace = Workspace::resolve(service, None, &service.config()?)?;
    Ok(match group::find(store, name, &workspace)? {
        Found::Job(job) => Part {
            jobs: vec![job.id().clone()],
            group: None,
        },
        Found::Group(group) => Part {
            jobs: group.members.into_iter().map(|member| member.job).collect(),
            group: Some(group.id),
        },
    })
}

fn look(store: &Store, git: &Git, part: Option<&Part>) -> Result<Holdings, Fault> {
    let holdings = Holdings::look(store, git)?;
    Ok(match part {
        Some(part) => holdings.only(part),
        None => holdings,
    })
}

/// Names what goes, without what there is nothing of.
fn things(trees: usize, landings: usize, groups: usize) -> String {
    let named: Vec<String> = [(trees, "worktree"), (landings, "landing"), (groups, "group")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, thing)| counted(count, thing))
        .collect();
    match named.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// A dry run: what would go.
fn planned(store: &Store, holdings: &Holdings) -> Reply {
    let trees = holdings
        .repositories
        .iter()
        .flat_map(|holding| &holding.trees)
        .filter(|tree| tree.state != TreeState::Held)
        .count();
    let landings = holdings
        .repositories
        .iter()
        .flat_map(|holding| &holding.landings)
        .filter(|landing| is_unreachable(store, landing))
        .count();
    let groups = holdings.empty_groups(store).count();
    let nothing = trees + landings + groups == 0;
    let mut body = object(holdings.told(store));
    body.insert("removed".to_owned(), false.into());
    Reply {
        summary: if nothing {
            "There is nothing to clear away.".to_owned()
        } else {
            format!(
                "{} can go. Nothing was removed yet.",
                things(trees, landings, groups)
            )
        },
        body,
        next_steps: if nothing {
            Vec::new()
        } else {
            vec!["`crosscheck clean --yes` removes them".to_owned()]
        },
        ..Reply::default()
    }
}

/// What was removed, and what could not be.
#[derive(Debug, Default)]
struct Done {
    trees: usize,
    landings: usize,
    groups: usize,
    bytes: u64,
    warnings: Vec<String>,
}

/// Removes what can go. What cannot be removed is told and hinders nothing else.
fn removed(store: &Store, git: &Git, holdings: &Holdings, part: Option<&Part>) -> Reply {
    let mut done = Done::default();
    for holding in &holdings.repositories {
        done.trees_of(store, git, holding);
        for landing in holding
            .landings
            .iter()
            .filter(|landing| is_unreachable(store, landing))
        {
            match fs::remove_dir_all(&landing.folder) {
                Ok(()) => done.landings += 1,
                Err(error) => done.warn(&landing.folder, &error),
            }
        }
    }
    for group in holdings.empty_groups(store) {
        match groups::delete(store, &group.id) {
            Ok(()) => done.groups += 1,
            Err(error) => done.warnings.push(format!("group {} stays: {error}", group.id)),
        }
    }
    let left = look(store, git, part).unwrap_or_default();
    let mut body = object(left.told(store));
    body.insert("removed".to_owned(), true.into());
    body.insert("freed_bytes".to_owned(), done.bytes.into());
    Reply {
        summary: format!(
            "Removed {}, {} bytes in all.",
            things(done.trees, done.landings, done.groups),
            done.bytes
        ),
        body,
        warnings: done.warnings,
        ..Reply::default()
    }
}

impl Done {
    fn warn(&mut self, place: &std::path::Path, why: &dyn std::fmt::Display) {
        self.warnings.push(format!("`{}` stays: {why}", place.display()));
    }

    fn trees_of(&mut self, store: &Store, git: &Git, holding: &Holding) {
        let idle = || holding.trees.iter().filter(|tree| tree.state != TreeState::Held);
        if idle().next().is_none() {
            return;
        }
        let vault = match holding.folder.vault(git) {
            Ok(vault) => vault,
            Err(error) => return self.warn(holding.folder.path(), &error),
        };
        for tree in idle() {
            if let (TreeState::Uncollected, Some(job)) = (tree.state, &tree.view.job) {
                match keep(store, &vault, holding, job) {
                    Ok(Some(note)) => self.warnings.push(note),
                    Ok(None) => {}
                    Err(fault) => {
                        self.warn(&tree.view.folder, &fault.message);
                        continue;
                    }
                }
            }
            match trees::remove(&holding.folder, &vault, &tree.view.folder) {
                Ok(true) => {
                    self.trees += 1;
                    self.bytes += tree.view.bytes;
                }
                // Somebody took it since.
                Ok(false) => {}
                Err(error) => self.warn(&tree.view.folder, &error),
            }
        }
    }
}

/// Makes sure that what a killed run left in its worktree is kept under a ref. Returns what to tell about it.
fn keep(store: &Store, vault: &Vault, holding: &Holding, job: &JobId) -> Result<Option<String>, Fault> {
    let fault = |error| git_fault(&error);
    if vault.read_ref(&result_ref(job)).map_err(fault)?.is_some() {
        return Ok(None);
    }
    let Some(held) = trees::left_by(&holding.folder, job) else {
        return Ok(None);
    };
    let Some(base) = vault.read_ref(&base_ref(job)).map_err(fault)? else {
        let message = format!("what job {job} started from is not known, so it cannot be kept");
        return Err(Fault::new(FaultCode::StateUnavailable, message));
    };
    // Links that we made ourselves are no work of the peer's.
    let links = match store.directory(job).read_spec().map(|spec| spec.expects) {
        Ok(Expects::Delegate { delegation }) => links_in(&delegation, &held),
        _ => held.linked(),
    };
    let collected = vault.collect(&held.path(), &base, &links).map_err(fault)?;
    if collected.tree == vault.tree_of(&base).map_err(fault)? {
        return Ok(None);
    }
    let commit = vault
        .commit(&collected.tree, &[&base], &format!("left by job {job}"))
        .map_err(fault)?;
    vault.keep_change(&base, &commit).map_err(fault)?;
    vault.set_ref(&kept_ref(job), &commit).map_err(fault)?;
    Ok(Some(format!(
        "what the killed job {job} left is kept as {} in `{}`",
        kept_ref(job),
        vault.directory().display()
    )))
}

fn bytes(holdings: &Holdings) -> u64 {
    holdings.repositories.iter().map(|holding| holding.bytes).sum()
}

fn git(service: &Service) -> Result<Git, Fault> {
    let variables = service.environment().iter();
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Git::locate(git::Environment::new(variables)).map_err(|error| git_fault(&error))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::Internal,
            "the look at the disk stopped unexpectedly",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::things;

    #[test]
    fn what_there_is_nothing_of_is_not_named() {
        let check = |counts: (usize, usize, usize), expected: &str| {
            assert_eq!(things(counts.0, counts.1, counts.2), expected);
        };
        check((0, 0, 0), "nothing");
        check((2, 0, 0), "2 worktrees");
        check((1, 0, 1), "1 worktree and 1 group");
        check((1, 2, 3), "1 worktree, 2 landings and 3 groups");
    }
}
