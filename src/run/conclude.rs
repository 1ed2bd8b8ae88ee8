//! Turns what a run left into the job's result.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diff::anchor::anchor;
use crate::diff::patch::Patch;
use crate::domain::envelope::{ReviewAnswer, Usage};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Finding;
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::verdict::{ReviewStatus, conclude};
use crate::peer::transcript::{Transcript, truncate};
use crate::prompt::{AnswerError, parse_consult, parse_review};
use crate::redact::Redactor;
use crate::run::control::Stop;
use crate::state::record::{Answer, CommandRecord, Expects, ResultRecord, Spec, VERSION};
use crate::sys::clock;

/// Reads an answer. Places are checked against the change as it was sent, since that is what the reviewer saw.
pub fn read_answer(
    spec: &Spec,
    change: Option<&Patch>,
    text: &str,
) -> Result<(Answer, Vec<String>), AnswerError> {
    match &spec.expects {
        Expects::Consult { kind } => {
            let answer = parse_consult(*kind, text)?;
            Ok((Answer::Consult(masked(answer)), Vec::new()))
        }
        Expects::Review { target, coverage } => {
            let raw = parse_review(text)?;
            let root = spec
                .repo_root
                .as_deref()
                .unwrap_or(&spec.workspace)
                .to_string_lossy();
            let empty = Patch::default();
            let mut findings = anchor(change.unwrap_or(&empty), &root, raw.claims);
            findings.sort_by(|a, b| (a.severity, &a.file, a.line).cmp(&(b.severity, &b.file, b.line)));
            let (verdict, confidence) = conclude(raw.verdict, raw.confidence, &findings, coverage.status);
            let mut warnings = Vec::new();
            if raw.malformed > 0 {
                warnings.push(format!(
                    "{} findings were left out because they had no severity, title or file",
                    raw.malformed
                ));
            }
            if raw.surplus > 0 {
                warnings.push(format!(
                    "{} findings beyond the first {} were left out",
                    raw.surplus,
                    limits::FINDINGS
                ));
            }
            let answer = ReviewAnswer {
                target: target.as_ref().clone(),
                score: raw.score,
                verdict,
                confidence,
                review_status: ReviewStatus::Completed,
                findings: findings.into_iter().map(masked::<Finding>).collect(),
                coverage: coverage.as_ref().clone(),
                overview: raw.summary,
                questions: raw.questions,
                assumptions: raw.assumptions,
            };
            Ok((Answer::Review(masked(answer)), warnings))
        }
    }
}

/// Masks the secrets in every text of a value.
///
/// It is done after parsing: masking the peer's JSON itself could break it.
pub fn masked<T: Serialize + DeserializeOwned>(value: T) -> T {
    let Ok(mut tree) = serde_json::to_value(&value) else {
        return value;
    };
    if !mask_tree(&mut tree) {
        return value;
    }
    serde_json::from_value(tree).unwrap_or(value)
}

fn mask_tree(tree: &mut Value) -> bool {
    match tree {
        Value::String(text) => match Redactor::shared().mask_found(text) {
            Some(found) => {
                *text = found.text;
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |any, item| mask_tree(item) | any),
        Value::Object(fields) => fields
            .values_mut()
            .fold(false, |any, field| mask_tree(field) | any),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What is known when a job ends, whatever its end.
#[derive(Debug, Default)]
pub struct Remains {
    /// What the peer reported.
    pub transcript: Transcript,
    /// Processes that outlived the run.
    pub leaked: Vec<u32>,
    /// Awake time in milliseconds.
    pub elapsed_ms: u64,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

impl Remains {
    /// Begins with what the caller was told when the job was made.
    pub fn of(spec: &Spec) -> Self {
        Self {
            warnings: spec.warnings.clone(),
            ..Self::default()
        }
    }

    /// Writes the result of a job that has an answer.
    pub fn succeeded(self, spec: &Spec, answer: Answer) -> ResultRecord {
        let raw = self.transcript.last_message.as_deref().map(mask);
        ResultRecord {
            answer: Some(answer),
            raw,
            ..self.record(spec, JobState::Succeeded)
        }
    }

    /// Writes the result of a job that has none. What the model had said is kept as the partial answer.
    pub fn failed(self, spec: &Spec, state: JobState, mut fault: Fault) -> ResultRecord {
        let partial = self.transcript.last_message.as_deref().map(mask);
        if fault.code == FaultCode::BudgetExceeded
            && let (Some(used), Some(budget)) = (tokens(spec, &self.transcript).0, spec.budget_tokens)
        {
            let used = used.total();
            fault.message = format!("the run was ended: it used {used} tokens, and its budget was {budget}");
        }
        ResultRecord {
            fault: Some(fault),
            partial,
            ..self.record(spec, state)
        }
    }

    /// Adds what codex warned of. Each envelope carries it, so it is kept short; the event log holds all of it.
    fn tell_codex_warnings(&mut self) {
        const TOLD: usize = 5;
        const BYTES: usize = 300;
        let all = &self.transcript.warnings;
        for text in all.iter().take(TOLD) {
            let mut text = mask(text);
            truncate(&mut text, BYTES);
            self.warnings.push(format!("codex warns: {text}"));
        }
        if all.len() > TOLD {
            let more = all.len() - TOLD;
            self.warnings.push(format!(
                "codex gave {more} more warnings; see job with detail=log"
            ));
        }
    }

    /// Everything but the answer or the reason why there is none.
    fn record(mut self, spec: &Spec, state: JobState) -> ResultRecord {
        self.tell_codex_warnings();
        if self.transcript.cut_from > 0 {
            self.warnings.push(format!(
                "the answer was cut to {} of its {} bytes",
                limits::ANSWER_BYTES,
                self.transcript.cut_from
            ));
        }
        let unread = self.transcript.malformed;
        if unread > 0 {
            self.warnings
                .push(format!("{unread} lines of codex's output could not be read"));
        }
        if !self.leaked.is_empty() {
            self.warnings.push(format!(
                "{} processes outlived the run: {:?}",
                self.leaked.len(),
                self.leaked
            ));
        }
        let (usage, thread_usage) = tokens(spec, &self.transcript);
        if let Some(warning) = budget_warning(spec, state, usage, &self.transcript) {
            self.warnings.push(warning);
        }
        ResultRecord {
            version: VERSION,
            state,
            ended_ms: clock::now_ms(),
            elapsed_ms: self.elapsed_ms,
            answer: None,
            fault: None,
            partial: None,
            raw: None,
            thread: self.transcript.thread.filter(|_| !spec.ephemeral),
            usage,
            thread_usage,
            commands: self
                .transcript
                .commands
                .iter()
                .map(|run| CommandRecord {
                    command: mask(&run.command),
                    exit_code: run.exit_code,
                })
                .collect(),
            more_commands: self.transcript.more_commands,
            leaked: self.leaked,
            warnings: self.warnings,
        }
    }
}

/// The tokens of this run: the thread's total less what it had before. Unknown when that is unknown.
fn own_usage(spec: &Spec, total: Option<Usage>) -> Option<Usage> {
    match (&spec.resume, spec.usage_before) {
        (None, _) => total,
        (Some(_), Some(before)) => total.map(|total| total.since(before)),
        (Some(_), None) => None,
    }
}

/// The tokens of this run and of its thread: what the last turn told when it was over, or what was counted meanwhile
/// where that is more, as in a run that was ended in the middle of a turn.
fn tokens(spec: &Spec, transcript: &Transcript) -> (Option<Usage>, Option<Usage>) {
    let told = own_usage(spec, transcript.thread_usage);
    match transcript.used {
        Some(used) if told.is_none_or(|told| told.total() < used.total()) => (
            Some(used),
            Some(used.after(spec.usage_before.unwrap_or_default())),
        ),
        _ => (told, transcript.thread_usage),
    }
}

/// Says what became of a budget that did not end its run.
fn budget_warning(
    spec: &Spec,
    state: JobState,
    usage: Option<Usage>,
    transcript: &Transcript,
) -> Option<String> {
    let budget = spec.budget_tokens?;
    let over = usage.map_or(0, Usage::total).saturating_sub(budget);
    if over > 0 && state == JobState::Succeeded {
        return Some(format!(
            "the run exceeded its budget of {budget} tokens by {over}; its answer was complete before that was seen"
        ));
    }
    (transcript.completed_turns > 0 && transcript.used.is_none())
        .then(|| "codex told no tokens while it ran, so the budget could not be kept".to_owned())
}

/// Says how a run that was ended is told.
pub fn stopped(stop: Stop, timeout_ms: u64) -> (JobState, Fault) {
    match stop {
        Stop::Deadline => (
            JobState::TimedOut,
            Fault::new(
                FaultCode::TimedOut,
                format!(
                    "the run was ended at its deadline of {}",
                    crate::domain::time::spoken(timeout_ms)
                ),
            ),
        ),
        Stop::Cancelled => (
            JobState::Cancelled,
            Fault::new(FaultCode::Cancelled, "the run was cancelled"),
        ),
        Stop::WorkerSignal => (
            JobState::Cancelled,
            Fault::new(
                FaultCode::Cancelled,
                "the run's worker was told to end by a signal",
            ),
        ),
        Stop::Budget => (
            JobState::Failed,
            Fault::new(
                FaultCode::BudgetExceeded,
                "the run used more tokens than its budget and was ended",
            ),
        ),
        Stop::OutputLimit => (
            JobState::Failed,
            Fault::new(
                FaultCode::PeerFailed,
                "codex printed more than is read and was ended",
            ),
        ),
        Stop::ClosedOutput => (
            JobState::Failed,
            Fault::new(
                FaultCode::PeerFailed,
                "codex closed its output without completing a turn, lived on and was ended",
            ),
        ),
    }
}

/// Masks the secrets of one text.
pub fn mask(text: &str) -> String {
    Redactor::shared().mask(text).text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(input: u64) -> Usage {
        Usage {
            input,
            ..Usage::default()
        }
    }

    /// A run that continues a thread which had used 100 tokens before.
    fn spec() -> Spec {
        let spec = json!({"version": VERSION, "id": "01m7yxd0xn-g5wdnx-gn725tsw59", "kind": "consult", "label": "l",
            "created_ms": 1, "workspace": "/w", "workspace_source": "cwd", "directory": "/w", "tier": "consult",
            "isolation": "clean", "tools": "sandboxed", "web_search": false, "ephemeral": false, "timeout_ms": 1000,
            "budget_tokens": 50, "resume": "019a0000-0000-7000-8000-000000000000", "usage_before": usage(100),
            "expects": {"expects": "consult", "kind": "answer"},
            "peer": {"program": "/codex", "version": "0.169.0", "servers": []}, "request_id": "r", "warnings": [],
            "egress": {"prompt_bytes": 0, "prompt_sha256": "", "files": [], "withheld": [], "masked": 0}});
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn the_larger_count_is_the_true_one() {
        let check = |thread: Option<u64>, used: Option<u64>, expected: Option<(u64, u64)>| {
            let transcript = Transcript {
                thread_usage: thread.map(usage),
                used: used.map(usage),
                ..Transcript::default()
            };
            let (run, thread) = tokens(&spec(), &transcript);
            assert_eq!(
                run.zip(thread),
                expected.map(|(run, thread)| (usage(run), usage(thread)))
            );
        };
        check(None, None, None);
        check(Some(130), None, Some((30, 130)));
        check(None, Some(30), Some((30, 130)));
        check(Some(130), Some(30), Some((30, 130)));
        // A first turn that was completed, and a second one that was ended.
        check(Some(130), Some(70), Some((70, 170)));
        check(Some(170), Some(30), Some((70, 170)));
    }

    #[test]
    fn a_budget_that_ended_no_run_is_spoken_of_where_it_matters() {
        let check = |state: JobState, run: u64, counted: bool, expected: Option<&str>| {
            let transcript = Transcript {
                completed_turns: 1,
                used: counted.then(|| usage(run)),
                ..Transcript::default()
            };
            let warning = budget_warning(&spec(), state, Some(usage(run)), &transcript);
            match expected {
                None => assert_eq!(warning, None),
                Some(part) => assert!(
                    warning.as_deref().is_some_and(|text| text.contains(part)),
                    "{warning:?}"
                ),
            }
        };
        check(JobState::Succeeded, 50, true, None);
        check(
            JobState::Succeeded,
            51,
            true,
            Some("its budget of 50 tokens by 1"),
        );
        check(JobState::Failed, 51, true, None);
        check(JobState::Succeeded, 50, false, Some("could not be kept"));
    }
}
