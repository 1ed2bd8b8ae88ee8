//! Codex Cloud, by the command line of the codex that is installed here.
//!
//! Owns how one of its commands is run: in an empty folder of ours, since each writes an `error.log` into the folder it runs in;
//! with the environment that every codex of ours gets; within a deadline and a bound of bytes. `codex cloud apply` is never run.

pub mod cancel;
pub mod fetch;
pub mod observe;
pub mod submit;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::peer::Peer;
use crate::peer::codex::cloud::{Printed, Trouble, TroubleKind};
use crate::peer::ended::End;
use crate::run::program::{find_path, peer_environment};
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::process::{CaptureError, Captured, Ended, Invocation, run_captured};

/// How long a question may take: one request, on a bad line.
pub(in crate::run) const QUESTION: Duration = Duration::from_secs(30);
/// Bytes that an answer to a question may have. A page of a list has some kilobytes; somebody's HTML has more.
pub(super) const QUESTION_BYTES: usize = 4 * 1024 * 1024;

/// What is needed to ask the service.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The codex that was checked.
    pub program: &'a Path,
    /// The configuration in force.
    pub config: &'a Config,
    /// Our environment.
    pub environment: &'a Environment,
    /// Where the scratch folder is made.
    pub store: &'a Store,
}

impl Asking<'_> {
    /// Makes a command with a folder of its own, which is deleted with the second value.
    fn invocation(
        &self,
        arguments: Vec<OsString>,
        home: Option<&PathBuf>,
    ) -> Result<(Invocation, TempDir), StateError> {
        let folder = self.store.folder("scratch")?;
        let scratch = tempfile::Builder::new()
            .prefix("cloud-")
            .tempdir_in(&folder)
            .map_err(StateError::io("make", folder))?;
        let variable = Peer::Codex.home_variable();
        let environment = peer_environment(Peer::Codex, self.config, self.environment);
        // The login of the call that made the job, whoever asks now.
        let environment = match home {
            Some(home) => environment.with(variable, home),
            None => environment.without(variable),
        };
        let invocation = Invocation {
            program: self.program.to_owned(),
            arguments,
            directory: scratch.path().to_owned(),
            environment,
        };
        Ok((invocation, scratch))
    }

    /// Returns the folder of codex that holds the login, where it is not the usual one.
    pub fn home(&self) -> Option<PathBuf> {
        self.environment
            .get(Peer::Codex.home_variable())
            .map(PathBuf::from)
    }

    /// Asks one question, and hands what was printed to a reader. Where the codex that was checked is gone, the one that is
    /// found now is asked.
    pub async fn ask<T>(
        &self,
        arguments: Vec<OsString>,
        home: Option<&PathBuf>,
        bounds: (Duration, usize),
        read: impl FnOnce(Printed<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let (mut invocation, scratch) = self
            .invocation(arguments, home)
            .map_err(|error| unanswered(error.to_string()))?;
        // An update may have moved it meanwhile, and whichever codex is there now asks the same service.
        if !invocation.program.exists()
            && let Ok(found) = find_path(Peer::Codex, self.config, self.environment)
        {
            invocation.program = found;
        }
        let (deadline, limit) = bounds;
        let captured = run_captured(&invocation, b"", deadline, limit).await;
        drop(scratch);
        match captured {
            Ok(captured) => read(printed(&captured)),
            Err(CaptureError::Deadline { .. }) => {
                Err(unanswered(format!("no answer within {} s", deadline.as_secs())))
            }
            Err(CaptureError::TooMuch { .. }) => Err(Trouble {
                kind: TroubleKind::Unreadable,
                said: "its answer is longer than is read".to_owned(),
            }),
            Err(error) => Err(unanswered(error.to_string())),
        }
    }
}

fn printed(captured: &Captured) -> Printed<'_> {
    Printed {
        end: end(captured.ended),
        stdout: &captured.stdout,
        stderr: &captured.stderr,
    }
}

fn end(ended: Ended) -> End {
    match ended {
        Ended::Exited(code) => End::Exited(code),
        Ended::Signaled(signal) => End::Signaled(signal),
    }
}

fn unanswered(said: String) -> Trouble {
    Trouble {
        kind: TroubleKind::Unanswered,
        said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::Fault;
    use crate::domain::job::{JobId, WorkspaceHash};
    use crate::domain::runner::CloudPlan;
    use crate::run::follow::remedy;
    use crate::run::runner::cloud::cancel::{GivenUp, given_up};
    use crate::run::runner::cloud::submit::{not_sent, unknown};
    use crate::state::record::tests::spec;
    use crate::state::remote::{RemoteTask, Sent};

    /// What a person reads when something is wrong with a task, as one text to be looked at as a whole.
    #[test]
    fn each_trouble_has_its_sentence_and_its_next_step() {
        let mut all: Vec<String> = Vec::new();
        let told = |what: &str, fault: &Fault| {
            let (code, message, hint) = (fault.code.as_str(), &fault.message, &fault.repair.hint);
            format!("{what}: {code}\n  {message}\n  {hint}\n")
        };
        let plan = CloudPlan {
            environment: "web".to_owned(),
            branch: "main".to_owned(),
            attempts: 1,
            attempt: 1,
            lead: None,
        };
        let kinds = [
            TroubleKind::SignedOut,
            TroubleKind::Refused,
            TroubleKind::NoEnvironment,
            TroubleKind::Gone,
            TroubleKind::Unanswered,
            TroubleKind::Unreadable,
        ];
        for kind in kinds {
            let said = "WHAT WAS SAID".to_owned();
            let fault = not_sent(&Trouble { kind, said }, &plan);
            all.push(told(&format!("not sent, {kind:?}"), &fault));
            all.push(format!(
                "a question without an answer, {kind:?}\n  {}\n",
                remedy(kind)
            ));
        }
        all.push(told("nobody can tell", &unknown("WHAT WAS SAID")));
        let id = JobId::new(1, WorkspaceHash::of(b"w"), 1);
        let task = RemoteTask {
            task: "task_e_1".parse().unwrap(),
            sent: Sent { at_ms: 1, home: None },
        };
        for why in [GivenUp::Asked, GivenUp::TooOld] {
            let result = given_up(&spec(&id), &task, why);
            let what = format!("given up, {why:?}: {}", result.state.as_str());
            all.push(told(&what, result.fault.as_ref().unwrap()));
        }
        insta::assert_snapshot!("sentences", all.join("\n"));
    }
}
