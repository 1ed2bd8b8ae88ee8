//! The exit codes of the command line.

use serde_json::Value;

use crate::cli::commands::review::FailOn;
use crate::cli::signals::Signal;
use crate::domain::envelope::{Envelope, Success};
use crate::domain::fault::FaultCode;
use crate::domain::finding::Severity;

/// A verdict as bad as `--fail-on` says.
const VERDICT: u8 = 8;
/// Output that could not be written.
pub(super) const UNWRITTEN: u8 = 1;

/// Decides the exit code.
///
/// `worst` is the worst severity among the review's findings that point into the change, as far as anybody looked for it.
/// A signal counts unless the answer was there all the same. An unfinished review is no passed one: with `--fail-on` it is
/// an end without an answer.
pub(super) fn exit_code(
    envelope: &Envelope,
    fail_on: FailOn,
    worst: Option<Severity>,
    signal: Option<Signal>,
) -> u8 {
    match envelope {
        Envelope::Failure(failure) => match signal {
            Some(Signal::Interrupt) if failure.error.code == FaultCode::Cancelled.as_str() => {
                Signal::Interrupt.exit_code()
            }
            _ => code_of(failure.error.code),
        },
        Envelope::Success(success) => {
            let unfinished = success.job.as_ref().is_some_and(|job| job.state.is_active());
            match signal {
                Some(signal) if unfinished => signal.exit_code(),
                _ if success.body.get("passed") == Some(&Value::Bool(false)) => {
                    FaultCode::PeerContractChanged.exit_code()
                }
                _ if success.body.get("valid") == Some(&Value::Bool(false)) => {
                    FaultCode::ConfigInvalid.exit_code()
                }
                _ if success.body.get("ready") == Some(&Value::Bool(false)) => not_ready_code(success),
                _ => verdict_code(success, fail_on, worst),
            }
        }
    }
}

/// A script that asks whether everything is ready learns what is not: codex, git, or this machine.
fn not_ready_code(success: &Success) -> u8 {
    let first = success
        .body
        .get("blocked_by")
        .and_then(|names| names.get(0))
        .and_then(Value::as_str);
    match first {
        Some("codex" | "claude" | "contract") => FaultCode::PeerNotFound.exit_code(),
        Some("git") => FaultCode::GitFailed.exit_code(),
        _ => FaultCode::ConfigInvalid.exit_code(),
    }
}

fn code_of(name: &str) -> u8 {
    FaultCode::ALL
        .iter()
        .find(|code| code.as_str() == name)
        .map_or(1, |code| code.exit_code())
}

fn verdict_code(success: &Success, fail_on: FailOn, worst: Option<Severity>) -> u8 {
    let verdict = success.body.get("verdict").and_then(Value::as_str);
    // A lesser severity is a worse one.
    let is_reached = |mildest| worst.is_some_and(|worst| worst <= mildest);
    match (fail_on, verdict) {
        (FailOn::Never, _) | (FailOn::Concerns, Some("pass")) => 0,
        (FailOn::Fail, Some("fail")) | (FailOn::Concerns, Some(_)) => VERDICT,
        (FailOn::Fail, Some(_)) => 0,
        (FailOn::Critical | FailOn::High | FailOn::Medium | FailOn::Low, Some(_)) => {
            if fail_on.severity().is_some_and(is_reached) {
                VERDICT
            } else {
                0
            }
        }
        (_, None) => FaultCode::JobNotFinished.exit_code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::envelope::{ErrorView, Failure, Meta};
    use crate::domain::fault::Fault;
    use crate::domain::job::{JobId, JobKind, JobState, WorkspaceHash};
    use crate::domain::job_view::{JobLimits, JobView};
    use crate::service::deliver::object;
    use serde_json::json;

    fn success(state: JobState, body: Value) -> Envelope {
        Envelope::Success(Box::new(Success {
            ok: true,
            tool: "review",
            summary: String::new(),
            job: Some(JobView {
                id: JobId::new(1, WorkspaceHash::of(b"w"), 1),
                kind: JobKind::Review,
                label: String::new(),
                state,
                elapsed_ms: 0,
                deadline_at: None,
                remote: None,
                expires_at: None,
                poll_after_ms: None,
                phase: None,
                usage: None,
                plan_hash: None,
                limits: JobLimits {
                    timeout_s: 1800,
                    budget_tokens: None,
                },
                next: None,
            }),
            body: object(body),
            next_steps: Vec::new(),
            warnings: Vec::new(),
            meta: Meta::default(),
            fingerprint: String::new(),
        }))
    }

    fn failure(code: FaultCode) -> Envelope {
        Envelope::Failure(Box::new(Failure {
            ok: false,
            tool: "review",
            error: ErrorView::from(Fault::new(code, "m")),
            job: None,
            meta: Meta::default(),
            fingerprint: String::new(),
        }))
    }

    #[test]
    fn a_script_learns_from_the_exit_code_what_happened() {
        let check = |envelope: &Envelope, fail_on, signal, expected: u8| {
            let code = exit_code(envelope, fail_on, None, signal);
            assert_eq!(code, expected, "{envelope:?} {fail_on:?} {signal:?}");
        };
        let verdict = |verdict: &str| success(JobState::Succeeded, json!({"verdict": verdict}));
        for word in ["pass", "concerns", "unknown", "fail"] {
            check(&verdict(word), FailOn::Never, None, 0);
        }
        check(&verdict("fail"), FailOn::Fail, None, 8);
        check(&verdict("concerns"), FailOn::Fail, None, 0);
        check(&verdict("pass"), FailOn::Concerns, None, 0);
        check(&verdict("unknown"), FailOn::Concerns, None, 8);
        check(&verdict("concerns"), FailOn::Concerns, None, 8);
        let running = success(JobState::Running, json!({}));
        check(&running, FailOn::Never, None, 0);
        check(&running, FailOn::Fail, None, 4);
        check(&running, FailOn::Never, Some(Signal::Terminate), 143);
        check(&running, FailOn::Never, Some(Signal::Hangup), 129);
        check(&verdict("pass"), FailOn::Never, Some(Signal::Interrupt), 0);
        let contract = |passed: bool| success(JobState::Succeeded, json!({"passed": passed}));
        check(&contract(true), FailOn::Never, None, 0);
        check(&contract(false), FailOn::Never, None, 3);
        let settings = |valid: bool| success(JobState::Succeeded, json!({"valid": valid}));
        check(&settings(true), FailOn::Never, None, 0);
        check(&settings(false), FailOn::Never, None, 7);
        check(&failure(FaultCode::Cancelled), FailOn::Never, None, 4);
        check(
            &failure(FaultCode::Cancelled),
            FailOn::Never,
            Some(Signal::Interrupt),
            130,
        );
        check(
            &failure(FaultCode::PeerUsageLimit),
            FailOn::Fail,
            Some(Signal::Interrupt),
            3,
        );
        check(&failure(FaultCode::Internal), FailOn::Never, None, 1);
    }

    #[test]
    fn a_script_can_stop_at_a_severity() {
        use Severity as S;
        let check = |fail_on, worst, expected: u8| {
            let ended = success(JobState::Succeeded, json!({"verdict": "concerns"}));
            let code = exit_code(&ended, fail_on, worst, None);
            assert_eq!(code, expected, "{fail_on:?} {worst:?}");
        };
        check(FailOn::Critical, Some(S::Critical), 8);
        check(FailOn::Critical, Some(S::High), 0);
        check(FailOn::High, Some(S::Critical), 8);
        check(FailOn::High, Some(S::High), 8);
        check(FailOn::High, Some(S::Medium), 0);
        check(FailOn::Medium, Some(S::Medium), 8);
        check(FailOn::Low, Some(S::Low), 8);
        check(FailOn::Low, Some(S::Nit), 0);
        check(FailOn::Low, None, 0);
        check(FailOn::Never, Some(S::Critical), 0);
        let running = success(JobState::Running, json!({}));
        assert_eq!(exit_code(&running, FailOn::High, None, None), 4);
    }
}
