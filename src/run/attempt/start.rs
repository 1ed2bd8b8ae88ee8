//! What a run of an attempt is started with.

use crate::domain::environment::DEPTH_VARIABLE;
use crate::domain::request::ThreadId;
use crate::peer::exec::{Access, Exec, Schema};
use crate::run::attempt::Attempt;
use crate::run::delegate::Workplace;
use crate::run::program::{Program, peer_environment};
use crate::run::usage::record_to_continue;
use crate::state::error::StateError;
use crate::sys::process::Invocation;

impl Attempt<'_> {
    pub(super) fn program(&self) -> Option<Program> {
        let path = self.spec.peer.program.clone();
        let version = semver::Version::parse(&self.spec.peer.version).ok()?;
        Some(Program {
            peer: self.peer(),
            identity: path.display().to_string(),
            path,
            version,
        })
    }

    /// Lets the next run continue a thread.
    pub(super) fn resume(&self, exec: &mut Exec, thread: ThreadId) {
        exec.record = record_to_continue(self.peer(), self.environment, thread.as_str());
        exec.resume = Some(thread);
        // The thread of this run is its own by now.
        exec.fork = false;
    }

    pub(super) fn exec(&self, place: &Workplace) -> Result<Exec, StateError> {
        let path = self.seat.schema.clone();
        let schema = if path.exists() {
            let text = Self::read_text(&path)?;
            Some(Schema { path, text })
        } else {
            None
        };
        let resume = self.spec.resume.as_ref();
        Ok(Exec {
            access: place.access.clone(),
            directory: place.directory.clone(),
            record: resume
                .and_then(|thread| record_to_continue(self.peer(), self.environment, thread.as_str())),
            resume: resume.cloned(),
            fork: self.spec.fork,
            roots: self.spec.roots.clone(),
            session: self.seat.session.clone(),
            model: self.spec.model.clone(),
            effort: self.spec.effort.clone(),
            schema,
            last_message: match place.access {
                Access::Read => self.seat.tmp.join("last-message"),
                Access::Write { .. } => self.directory.last_message_path(),
            },
            isolation: self.spec.isolation,
            project: place.project.clone(),
            servers: self.spec.peer.servers.clone(),
            tools: self.spec.tools,
            web_search: self.spec.web_search,
            ephemeral: self.spec.ephemeral,
            withheld: self.spec.withheld.clone(),
            budget_microusd: self.spec.budget_microusd,
            max_turns: self.spec.max_turns,
            counts_tokens: self.spec.budget_tokens.is_some(),
        })
    }

    pub(super) fn invocation(&self, exec: &Exec) -> Invocation {
        Invocation {
            program: self.spec.peer.program.clone(),
            arguments: self.peer().arguments(exec),
            directory: exec.directory.clone(),
            environment: peer_environment(self.peer(), self.config, self.environment)
                .with("TMPDIR", self.seat.tmp.as_os_str())
                .with(DEPTH_VARIABLE, self.spec.depth.saturating_add(1).to_string()),
        }
    }
}
