//! What is the user's stays as it is, and what a peer left is kept: the rules of delegates.

use std::path::{Path, PathBuf};

use crosscheck::domain::limits;
use crosscheck::state::record::Expects;

use super::ledger::Note;
use super::{Audit, Job, Memory, Rule, entries, files, name_of};

impl Audit {
    pub(super) fn untouched(&mut self) {
        let is_other = |note: &&Note| {
            let path = Path::new(note.get("path").unwrap_or_default());
            note.get("sha256") != Some(files::everything(path).as_str())
        };
        let found = self.ledger.untouched.iter().filter(is_other);
        let found = found
            .map(|note| {
                format!(
                    "`{}` is not as the user had it",
                    note.get("path").unwrap_or_default()
                )
            })
            .collect();
        self.all_broken(Rule::Untouched, found);
    }

    pub(super) fn results(&mut self, memory: &mut Memory) {
        let vaults: Vec<Vault> = vaults(&self.state)
            .map(|path| Vault {
                refs: files::refs(&path),
                path,
            })
            .collect();
        let (mut found, mut compared) = (Vec::new(), 0);
        for (id, job) in self.jobs.iter().filter(|(_, job)| is_delegate(job)) {
            let kept = |name: &str| {
                let name = format!("refs/jobs/{id}/{name}");
                vaults.iter().find_map(|vault| {
                    let (_, object) = vault.refs.iter().find(|(found, _)| *found == name)?;
                    Some((vault, object))
                })
            };
            if kept("base").is_none() {
                found.push(format!("what {id} started from is not kept"));
            }
            let Some(record) = &job.record else { continue };
            let left = self.ledger.left.get(id).and_then(|note| note.get("sha256"));
            let Some(work) = &record.work else {
                if left.is_some() {
                    found.push(format!(
                        "{id} ended as {:?} without what its peer had left: {:?}",
                        record.state, record.warnings
                    ));
                }
                continue;
            };
            let Some((vault, _)) = kept("result").filter(|(_, object)| **object == work.commit) else {
                found.push(format!("the result of {id} is not kept"));
                continue;
            };
            let Some(left) = left else { continue };
            compared += 1;
            let content = memory.contents.entry(work.commit.clone()).or_insert_with(|| {
                files::kept(&vault.path, &work.commit).unwrap_or_else(|| "cannot be read".to_owned())
            });
            if content != left {
                found.push(format!("the result of {id} is not what its peer left"));
            }
        }
        self.report.counts.results = compared;
        self.all_broken(Rule::Result, found);
    }
}

/// One private store of a repository.
struct Vault {
    path: PathBuf,
    refs: Vec<(String, String)>,
}

fn is_delegate(job: &Job) -> bool {
    let expects = job.spec.as_ref().map(|spec| &spec.expects);
    matches!(expects, Some(Expects::Delegate { .. }))
}

fn repositories(state: &Path) -> impl Iterator<Item = PathBuf> {
    entries(&state.join("repos")).into_iter()
}

fn vaults(state: &Path) -> impl Iterator<Item = PathBuf> {
    repositories(state)
        .map(|folder| folder.join("git"))
        .filter(|path| path.is_dir())
}

/// Tells of worktrees that are half made, half deleted, more than are kept, or that nobody gave back.
pub(super) fn worktrees(state: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in repositories(state) {
        let mut kept = 0;
        for path in entries(&folder.join("trees")) {
            let has = |name: &str| path.join(name).exists();
            if name_of(&path).starts_with(".gone-") {
                found.push(format!("`{}` is half deleted", path.display()));
            } else if has("tree") && !has("ready") {
                found.push(format!("`{}` is half made", path.display()));
            } else if has("tree") && !has("idle") {
                found.push(format!("`{}` was never given back", path.display()));
            }
            kept += usize::from(has("tree"));
        }
        if kept > limits::IDLE_TREES {
            found.push(format!("{kept} worktrees are kept in `{}`", folder.display()));
        }
    }
    found
}
