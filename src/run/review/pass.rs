//! One pass: a run of its own thread in its own seat, and its record.

use std::path::PathBuf;

use crate::domain::fault::Fault;
use crate::domain::fingerprint::sha256_hex;
use crate::domain::job::JobState;
use crate::domain::pass::{Pass, Purpose};
use crate::prompt::AnswerError;
use crate::run::attempt::Attempt;
use crate::run::delegate::Workplace;
use crate::run::masking::{mask, masked_text};
use crate::run::remains::{Remains, tokens};
use crate::run::seat::Seat;
use crate::state::error::StateError;
use crate::state::passes::{self, PassRecord};
use crate::state::record::{Egress, Spec, VERSION};
use crate::sys::clock::Stopwatch;
use crate::sys::seam;

/// Why a pass has no answer: as what it ended, and the reason.
pub(super) type Failure = (JobState, Fault);

/// What a pass came to.
#[derive(Debug)]
pub(super) struct Ended<T> {
    /// Which it was.
    pub(super) pass: Pass,
    /// Its answer, or why it has none.
    pub(super) outcome: Result<T, Failure>,
    /// What else it left.
    pub(super) remains: Remains,
}

/// What a pass is to do.
pub(super) struct Task<'r, T> {
    /// Its number, counted from 1.
    pub(super) number: u32,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// Where its prompt lies.
    pub(super) prompt: PathBuf,
    /// The schema of its answer.
    pub(super) schema: PathBuf,
    /// Into how many shares what the review may cost is divided, one of which is its own.
    pub(super) sharers: u32,
    /// How its answer is read.
    pub(super) read: &'r dyn Fn(&str) -> Result<T, AnswerError>,
}

impl Attempt<'_> {
    /// Runs one pass and writes what came of it.
    pub(super) async fn pass<T>(&self, task: Task<'_, T>) -> Ended<T> {
        seam::point("pass.begun");
        let watch = Stopwatch::start();
        let mut remains = Remains::default();
        let spec = spec_of(self.spec, task.number, task.sharers);
        let mut pass = Pass {
            number: task.number,
            purpose: task.purpose,
            state: JobState::Failed,
            code: None,
            elapsed_ms: 0,
            thread: None,
            usage: None,
            cost_usd: None,
            prompt_bytes: 0,
            prompt_sha256: String::new(),
        };
        let outcome = match self.prepared(&task) {
            Err(error) => Err((JobState::Failed, error.into())),
            Ok((seat, prompt)) => {
                pass.prompt_bytes = prompt.len();
                pass.prompt_sha256 = sha256_hex(prompt.as_bytes());
                let own = Attempt {
                    spec: &spec,
                    seat,
                    ended: self.ended.clone(),
                    ..*self
                };
                let place = Workplace::of(&spec);
                let control = own.control();
                own.converse(&place, &control, &mut remains, &prompt, task.read)
                    .await
            }
        };
        let transcript = &mut remains.transcript;
        pass.elapsed_ms = watch.elapsed_ms();
        pass.thread = transcript.thread.clone().filter(|_| !spec.ephemeral);
        pass.usage = tokens(&spec, transcript).0;
        pass.cost_usd = transcript.cost_usd;
        remains.counted = Some(tokens(&spec, transcript));
        match &outcome {
            Ok(_) => pass.state = JobState::Succeeded,
            Err((state, fault)) => {
                pass.state = *state;
                pass.code = Some(fault.code);
            }
        }
        let record = PassRecord {
            version: VERSION,
            pass: pass.clone(),
            // Taken, not copied: each may have megabytes, and all passes go on in one process.
            text: transcript.last_message.take().map(masked_text),
            message: outcome.as_ref().err().map(|(_, fault)| mask(&fault.message)),
            warnings: remains.warnings.iter().map(|text| mask(text)).collect(),
        };
        // What was read of the answer goes on in memory, and where the disk fails now its text does too.
        if let Err(error) = passes::write(self.directory, &record) {
            tracing::warn!(%error, "a pass has no record");
            remains.transcript.last_message = record.text;
        }
        seam::point("pass.written");
        Ended {
            pass,
            outcome,
            remains,
        }
    }

    fn prepared<T>(&self, task: &Task<'_, T>) -> Result<(Seat, String), StateError> {
        let seat = Seat::of_pass(self.directory, self.spec, task.number, task.schema.clone())?;
        Ok((seat, Self::read_text(&task.prompt)?))
    }
}

/// The job as one of its passes sees it. Only the first goes on in a thread that was to be continued: the others would
/// repeat what was said there instead of looking for themselves.
///
/// What may be spent in dollars is a matter of the peer's own, which counts one process: each pass gets an equal share.
fn spec_of(job: &Spec, number: u32, sharers: u32) -> Spec {
    let mut spec = job.clone();
    spec.egress = Egress::default();
    spec.warnings = Vec::new();
    spec.budget_microusd = job
        .budget_microusd
        .map(|budget| budget / u64::from(sharers.max(1)));
    if number > 1 {
        spec.resume = None;
        spec.usage_before = None;
        spec.fork = false;
    }
    spec
}
