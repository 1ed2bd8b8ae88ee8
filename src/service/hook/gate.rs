//! The stop gate: reviews what a turn changed, once, and says so only where something was found.
//!
//! It is the one hook that starts paid work, and only where the person switched it on. A review of its is a job like any
//! other, so a hook that is killed loses nothing. It never keeps a turn from ending but for findings, and it never asks
//! twice about the same files.

mod look;
mod review;
pub(in crate::service) mod told;

use std::time::Duration;

use crate::domain::autonomy::is_typed;
use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::fault::Fault;
use crate::domain::gate::change::{Delta, delta};
use crate::domain::gate::text::Voice;
use crate::domain::gate::{Background, Continued, Limit, Mode, Reason, Step, Turn, text};
use crate::domain::job::JobId;
use crate::domain::wake::{SessionName, Standing};
use crate::service::context::Service;
use crate::service::hook::Said;
use crate::service::hook::input::Input;
use crate::state::gates::{self, HeldGate};
use crate::state::notice;
use crate::state::sessions;
use crate::state::store::Store;
use crate::sys::signal::ProcessIdentity;

use review::Settled;
pub(super) use review::verdict;

/// The plugin's setting `gate` where the person made it; see `plugin_settings`.
pub(super) const OPTION: &str = "CROSSCHECK_PLUGIN_GATE";
/// The variable that admits less than was chosen.
const VARIABLE: &str = "CROSSCHECK_GATE";
/// How long a prompt is held up for a first look at a large working tree. Without one the first review is of everything
/// that is not committed.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Returns what the gate does. The person's own file is read each time, so it switches the gate off in a session that goes
/// on; the host tells a setting that was changed to its next session. Seen with 2.1.197 and 2.1.329.
fn mode(service: &Service) -> Mode {
    match chosen(service.environment()) {
        Mode::Off => Mode::Off,
        chosen => {
            let most = service.config().ok().and_then(|config| config.gate.value);
            most.map_or(chosen, |most| chosen.min(most))
        }
    }
}

fn chosen(environment: &Environment) -> Mode {
    // A peer that we started is looked at by whoever asked for it.
    if environment.get(DEPTH_VARIABLE).is_some() {
        return Mode::Off;
    }
    Mode::in_force(environment.text(OPTION), environment.text(VARIABLE))
}

/// What there is to say at a prompt.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// For the model.
    pub(super) context: Option<String>,
    /// For the person.
    pub(super) notice: Option<String>,
}

/// One conversation, held by this hook alone.
struct Watch<'a> {
    service: &'a Service,
    store: &'a Store,
    host: &'a ProcessIdentity,
    session: SessionName,
    /// The prompt that the person wrote last.
    prompt: String,
    held: HeldGate,
    notices: Vec<String>,
}

/// A prompt begins: what is there now is what its turn starts from.
pub(super) async fn prompt(
    service: &Service,
    store: &Store,
    host: &ProcessIdentity,
    input: &Input,
) -> Spoken {
    if mode(service) == Mode::Off {
        return Spoken::default();
    }
    let Some(session) = input.session() else {
        return Spoken::default();
    };
    let typed = input.prompt().is_none_or(is_typed);
    if let Some(id) = input.prompt_id().filter(|_| typed)
        && let Err(error) = gates::note_prompt(store, &session, id)
    {
        tracing::warn!(%error, "the prompt is not noted");
    }
    let Some(mut watch) = Watch::begin(service, store, host, session) else {
        return Spoken::default();
    };
    let context = match watch.settle().await {
        Ok(Settled::Findings(text)) => Some(text),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "the last review of the gate cannot be read");
            None
        }
    };
    match tokio::time::timeout(FIRST_LOOK, watch.first_look()).await {
        Ok(Err(fault)) => tracing::warn!(%fault, "the working tree cannot be looked at"),
        Err(_) => tracing::warn!("the working tree takes long to look at"),
        Ok(Ok(())) => {}
    }
    Spoken {
        context,
        notice: watch.end(),
    }
}

/// A turn is about to end.
pub(super) async fn stop(service: &Service, store: &Store, host: &ProcessIdentity, input: &Input) -> Said {
    let mode = mode(service);
    if mode == Mode::Off {
        return Said::Nothing;
    }
    let Some(session) = input.session() else {
        return Said::Nothing;
    };
    let Some(mut watch) = Watch::begin(service, store, host, session) else {
        return Said::Nothing;
    };
    let findings = match watch.look_at_turn(mode, input).await {
        Ok(findings) => findings,
        Err(fault) => {
            watch.could_not_run(Reason::Fault(fault.code), None);
            None
        }
    };
    let notice = watch.end();
    match (findings, notice) {
        (Some(findings), _) => Said::instead(&findings),
        (None, Some(notice)) => Said::notice(&notice),
        (None, None) => Said::Nothing,
    }
}

impl<'a> Watch<'a> {
    /// Begins; `None` where another hook looks after this conversation at the moment.
    fn begin(
        service: &'a Service,
        store: &'a Store,
        host: &'a ProcessIdentity,
        session: SessionName,
    ) -> Option<Self> {
        match HeldGate::try_take(store, &session) {
            Ok(held) => Some(Self {
                service,
                store,
                host,
                prompt: gates::prompt(store, &session),
                session,
                held: held?,
                notices: Vec::new(),
            }),
            Err(error) => {
                tracing::warn!(%error, "the gate cannot remember anything and does nothing");
                None
            }
        }
    }

    /// Writes down what is remembered, and returns what the person is told.
    fn end(self) -> Option<String> {
        self.save();
        (!self.notices.is_empty()).then(|| self.notices.join("\n"))
    }

    fn save(&self) -> bool {
        let saved = self.held.save();
        if let Err(error) = &saved {
            tracing::warn!(%error, "what the gate did is not remembered");
        }
        saved.is_ok()
    }

    fn voice(&self) -> Voice {
        Voice::of(self.service.peer())
    }

    fn could_not_run(&mut self, reason: Reason, job: Option<&JobId>) {
        if self.held.gate.say_once(reason) {
            self.notices.push(text::could_not_run(self.voice(), reason, job));
        }
    }

    /// Looks at a working tree that this conversation has not seen yet, so that only what changes from now on is its own.
    async fn first_look(&mut self) -> Result<(), Fault> {
        let Some(place) = look::find(self.service, self.store).await? else {
            return Ok(());
        };
        let top_level = place.top_level().to_owned();
        if self.held.gate.seen(&top_level).is_none() {
            let look = place.look().await?;
            self.held.gate.accept(&top_level, look);
        }
        Ok(())
    }

    /// Returns what keeps the turn from ending.
    async fn look_at_turn(&mut self, mode: Mode, input: &Input) -> Result<Option<String>, Fault> {
        match self.settle().await? {
            Settled::Running => return Ok(None),
            Settled::Findings(text) => return Ok(Some(text)),
            Settled::Quiet => {}
        }
        let turn = self.turn(input);
        if !turn.is_looked_at() {
            return Ok(None);
        }
        let Some(place) = look::find(self.service, self.store).await? else {
            return Ok(None);
        };
        let top_level = place.top_level().to_owned();
        let look = place.look().await?;
        let seen = self.held.gate.seen(&top_level);
        let Delta::Since { commit, paths } = delta(seen, &look) else {
            if seen.is_none_or(|seen| seen.tree != look.tree) {
                self.held.gate.accept(&top_level, look);
            }
            return Ok(None);
        };
        match turn.step() {
            Step::Leave => return Ok(None),
            Step::Reached(limit) => {
                self.reached(limit);
                return Ok(None);
            }
            Step::Review => {}
        }
        // Before anything is paid for: a hook that is killed now must not begin anew at every turn.
        self.held.gate.reviews += 1;
        self.held.gate.look(&top_level, &look);
        if !self.save() {
            return Ok(None);
        }
        let Some(job) = self.start(&top_level, look, commit, &paths).await? else {
            return Ok(None);
        };
        match mode {
            Mode::Hard => self.hold(&job).await,
            Mode::Soft | Mode::Off => Ok(None),
        }
    }

    fn turn(&self, input: &Input) -> Turn {
        let is_running = |id| notice::standing(self.store, id) == Standing::Running;
        let ours = sessions::jobs(self.store, self.host);
        let is_busy = input.has_background_tasks() || ours.iter().any(is_running);
        Turn {
            background: if is_busy {
                Background::Busy
            } else {
                Background::Quiet
            },
            continued: if input.is_continued() {
                Continued::ByAHook
            } else {
                Continued::No
            },
            rounds: self.held.gate.rounds.of(&self.prompt),
            reviews: self.held.gate.reviews,
        }
    }

    fn reached(&mut self, limit: Limit) {
        let gate = &mut self.held.gate;
        let is_new = match limit {
            Limit::Rounds => gate.rounds.tell(&self.prompt),
            Limit::Reviews => gate.say_reviews_are_used_up(),
        };
        if is_new {
            self.notices.push(text::reached(self.voice(), limit));
        }
    }
}
