//! The order of a task: worktree, setup, peer, collection, checks.

use tokio::task::{JoinError, spawn_blocking};

use crate::domain::delegation::{CheckOutcome, Delegation, Work};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::peer::Peer;
use crate::peer::event::Event;
use crate::run::attempt::Attempt;
use crate::run::conclude;
use crate::run::control::{Control, Stop};
use crate::run::delegate::checks::{Sandbox, not_run};
use crate::run::delegate::collect::{self, CollectError, Kept};
use crate::run::delegate::scope;
use crate::run::delegate::worktree::{Prepare, Prepared};
use crate::run::masking::mask;
use crate::run::remains::Remains;
use crate::state::record::Answer;
use crate::sys::seam;

/// Files named when the setup itself changed some.
const SETUP_FILES: usize = 5;

impl Attempt<'_> {
    /// Does a task from the worktree to the checks. Whatever the end, what is in the files then is in `remains`.
    pub(in crate::run) async fn run_task(
        &self,
        delegation: &Delegation,
        control: &Control,
        remains: &mut Remains,
    ) -> Result<Answer, (JobState, Fault)> {
        self.stage("preparing the worktree");
        let prepared = self.prepare(delegation, control).await?;
        seam::point("task.prepared");
        remains.warnings.extend(prepared.warnings.iter().cloned());
        let mut setup = None;
        let mut outcome = match &delegation.setup {
            None => Ok(()),
            Some(line) => {
                self.stage("running the setup");
                let (told, outcome) = self.set_up(line, &prepared, control, remains).await;
                setup = Some(told);
                outcome
            }
        };
        let mut prepared = prepared;
        if outcome.is_ok() && setup.is_some() {
            prepared = self.tell_setup_files(prepared, delegation, remains).await?;
        }
        let mut answer = None;
        if outcome.is_ok() {
            match self.ask(&prepared.workplace, control, remains).await {
                Ok(told) => answer = Some(told),
                Err(ended) => outcome = Err(ended),
            }
        }
        seam::point("task.asked");
        self.stage("collecting the result");
        // Before the checks: what they write is no part of the result.
        let (prepared, kept) = self.collect(prepared, delegation).await?;
        seam::point("task.collected");
        match kept {
            Ok(kept) => {
                remains.warnings.extend(kept.warnings);
                let mut work = Work { setup, ..kept.work };
                work.scope.commands = scope::commands_outside(delegation, &remains.transcript);
                if answer.is_some() {
                    if work.is_empty() {
                        remains
                            .warnings
                            .push(format!("{} changed no file", self.spec.peer.name));
                    }
                    work.checks = self.check(delegation, &prepared, control, remains).await;
                }
                remains.work = Some(work);
                // Waited for, or a worker that ends would leave it to nobody. What is too many is put aside, which takes no
                // time, and deleted in the background.
                if let Err(error) = spawn_blocking(move || prepared.give_back()).await {
                    tracing::error!(%error, "giving the worktree back stopped unexpectedly");
                }
            }
            Err(error) => {
                let why = mask(&with_source(&error));
                remains
                    .warnings
                    .push(format!("the result could not be kept: {why}"));
                // What is in it may be all that there is of what was paid for.
                let left = prepared.leave();
                if let Some(place) = &left {
                    remains.warnings.push(format!(
                        "what {} did is still in `{}`",
                        self.spec.peer.name,
                        place.display()
                    ));
                }
                if outcome.is_ok() {
                    outcome = Err((JobState::Failed, not_kept(self.spec.peer.name, left.is_some())));
                }
            }
        }
        seam::point("task.checked");
        outcome?;
        answer.ok_or_else(|| (JobState::Failed, stopped_unexpectedly("the run")))
    }

    /// Makes the place ready, unless the run is ended before. What goes on then is not waited for.
    pub(super) async fn prepare(
        &self,
        delegation: &Delegation,
        control: &Control,
    ) -> Result<Prepared, (JobState, Fault)> {
        let prepare = Prepare {
            directory: self.directory.clone(),
            spec: self.spec.clone(),
            delegation: delegation.clone(),
            environment: self.environment.clone(),
            store: self.store.clone(),
        };
        let preparing = spawn_blocking(move || prepare.run());
        tokio::select! {
            biased;
            stop = control.stop() => Err(conclude::stopped(self.spec.peer.name, stop, self.spec.timeout_ms)),
            prepared = preparing => prepared
                .unwrap_or_else(|error| Err(lost(&error, "preparing the worktree")))
                .map_err(|fault| (JobState::Failed, fault)),
        }
    }

    /// Runs the setup. One that does not pass ends the run, since nothing is paid by then and the peer could not work.
    pub(super) async fn set_up(
        &self,
        line: &str,
        prepared: &Prepared,
        control: &Control,
        remains: &mut Remains,
    ) -> (CheckOutcome, Result<(), (JobState, Fault)>) {
        let outcomes = self
            .run_lines(&[line.to_owned()], prepared, control, remains)
            .await;
        let (told, stop) = match outcomes {
            Ok((mut outcomes, stop)) => (outcomes.pop().unwrap_or_else(|| not_run(line)), stop),
            Err(fault) => return (not_run(line), Err((JobState::Failed, fault))),
        };
        let outcome = match (stop, told.exit_code) {
            (Some(stop), _) => Err(conclude::stopped(self.spec.peer.name, stop, self.spec.timeout_ms)),
            (None, Some(0)) => Ok(()),
            (None, code) => {
                let how = code.map_or_else(
                    || "did not end by itself".to_owned(),
                    |code| format!("ended with exit code {code}"),
                );
                let last = told.tail.lines().last().unwrap_or_default();
                let message = format!(
                    "the setup {how}, so {} was not started and nothing was paid: {last}",
                    self.spec.peer.name
                );
                let hint = "read work.setup of the job, mend options.setup and repeat the call";
                let fault = Fault::new(FaultCode::ChecksFailed, message).hint(hint);
                Err((JobState::Failed, fault))
            }
        };
        (told, outcome)
    }

    /// Says which files the setup changed: they are part of the result, and no work of the peer's.
    async fn tell_setup_files(
        &self,
        prepared: Prepared,
        delegation: &Delegation,
        remains: &mut Remains,
    ) -> Result<Prepared, (JobState, Fault)> {
        let (wanted, directory) = (delegation.clone(), self.directory.clone());
        let looked = spawn_blocking(move || {
            let files = collect::changed_since_start(&prepared, &wanted, &directory);
            (prepared, files)
        });
        let (prepared, files) = looked
            .await
            .map_err(|error| (JobState::Failed, lost(&error, "looking at the setup's files")))?;
        if let Ok(files) = files
            && !files.is_empty()
        {
            let named = files.iter().take(SETUP_FILES).cloned().collect::<Vec<_>>();
            let more = if files.len() > SETUP_FILES { ", ..." } else { "" };
            remains.warnings.push(format!(
                "the setup changed {} files, which are part of the result: {}{more}",
                files.len(),
                named.join(", ")
            ));
        }
        Ok(prepared)
    }

    async fn collect(
        &self,
        prepared: Prepared,
        delegation: &Delegation,
    ) -> Result<(Prepared, Result<Kept, CollectError>), (JobState, Fault)> {
        let (wanted, directory, job) = (delegation.clone(), self.directory.clone(), self.spec.id.clone());
        let collecting = spawn_blocking(move || {
            let collect = || {
                let read = prepared.read(&wanted, &directory).map_err(CollectError::Git);
                read.and_then(|collected| {
                    let mut kept = collect::keep(prepared.vault(), &directory, &job, &wanted, &collected)?;
                    if let Err(error) = prepared.adopt(&wanted, &job, &collected.tree) {
                        kept.warnings.push(error.to_string());
                    }
                    Ok(kept)
                })
            };
            // A signal to everything that runs ends git and not us, and what the peer did is worth another try.
            let kept = collect().or_else(|_: CollectError| collect());
            (prepared, kept)
        });
        collecting
            .await
            .map_err(|error| (JobState::Failed, lost(&error, "collecting the result")))
    }

    /// Tells whoever follows the job what it does now.
    pub(in crate::run) fn stage(&self, what: &str) {
        let event = Event::Stage {
            what: what.to_owned(),
        };
        self.shared.log(self.seat.pass, &event);
    }

    /// Runs the checks in order, all of them: each says something of its own.
    pub(super) async fn check(
        &self,
        delegation: &Delegation,
        prepared: &Prepared,
        control: &Control,
        remains: &mut Remains,
    ) -> Vec<CheckOutcome> {
        if delegation.checks.is_empty() {
            return Vec::new();
        }
        self.stage("running checks");
        match self
            .run_lines(&delegation.checks, prepared, control, remains)
            .await
        {
            Ok((mut outcomes, stop)) => {
                if stop.is_some() {
                    let done = outcomes.len();
                    outcomes.extend(delegation.checks.iter().skip(done).map(|line| not_run(line)));
                    remains
                        .warnings
                        .push("the checks were ended before all of them had passed or failed".to_owned());
                }
                outcomes
            }
            Err(fault) => {
                let why = fault.message;
                remains.warnings.push(format!("the checks were not run: {why}"));
                delegation.checks.iter().map(|line| not_run(line)).collect()
            }
        }
    }

    /// Runs lines one after the other until one was ended from outside.
    async fn run_lines(
        &self,
        lines: &[String],
        prepared: &Prepared,
        control: &Control,
        remains: &mut Remains,
    ) -> Result<(Vec<CheckOutcome>, Option<Stop>), Fault> {
        // A home of ours, so that nothing of the user's configuration of codex takes part, and no key is near.
        let home = self.store.folder("sandbox-home")?;
        let environment = self
            .environment
            .for_peer(&[], &[])
            .with(self.spec.peer.name.checker().home_variable(), home)
            .with("TMPDIR", self.directory.tmp_path());
        let access = prepared.write_access();
        let sandbox = Sandbox {
            program: self.spec.peer.checker(),
            access: &access,
            environment: &environment,
            control,
        };
        let mut outcomes = Vec::new();
        for line in lines {
            let ran = sandbox.run(line).await;
            remains.leaked.extend(ran.leaked);
            outcomes.push(ran.outcome);
            if ran.stop.is_some() {
                return Ok((outcomes, ran.stop));
            }
        }
        Ok((outcomes, None))
    }
}

fn lost(error: &JoinError, what: &str) -> Fault {
    tracing::error!(%error, what, "a thread ended unexpectedly");
    stopped_unexpectedly(what)
}

fn stopped_unexpectedly(what: &str) -> Fault {
    Fault::new(FaultCode::Internal, format!("{what} stopped unexpectedly"))
}

/// The fault of a run whose result could not be kept.
fn not_kept(peer: Peer, is_left: bool) -> Fault {
    let (message, hint) = if is_left {
        (
            "did its work, and the result could not be kept; it is still in its worktree, which nobody else gets",
            "see to the cause, then run `crosscheck clean --yes`, which keeps what is in the worktree under a ref of ours",
        )
    } else {
        (
            "did its work, and the result could not be kept; it is in the workspace's files",
            "see to the cause, and look at the files with `git status`",
        )
    };
    Fault::new(FaultCode::WorktreeFailed, format!("{peer} {message}")).hint(hint)
}

/// Says an error with what lies behind it.
fn with_source(error: &CollectError) -> String {
    match error {
        CollectError::Git(git) => match std::error::Error::source(git) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
        CollectError::Landing(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::GitError;

    #[test]
    fn an_error_is_told_with_its_cause() {
        let error = CollectError::Git(GitError::File {
            action: "read",
            path: "/gone".into(),
            source: std::io::ErrorKind::NotFound.into(),
        });
        assert!(
            with_source(&error).ends_with("entity not found"),
            "{}",
            with_source(&error)
        );
    }
}
