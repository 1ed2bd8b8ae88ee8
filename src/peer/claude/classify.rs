//! Why a run of Claude Code ended as it did.
//!
//! It names its errors, so almost nothing has to be read from sentences; see [`crate::peer::claude::events`] for how a
//! failure is put into one line. Never anything that the model wrote is read.

use std::sync::OnceLock;

use regex::Regex;

use crate::domain::fault::FaultCode;
use crate::peer::ended::{End, Failure, Pattern, compile, from_table, last_line};
use crate::peer::transcript::Transcript;

/// Seen with 2.1.197 and 2.1.329; `every_failure_of_claude_is_classified` replays each against the real programs.
const TURN_FAILED: [Pattern; 17] = [
    Pattern {
        regex: r"^\S+( \d+)? until \d+: ",
        code: FaultCode::PeerUsageLimit,
        message: "the account's usage limit is reached",
    },
    Pattern {
        regex: r"^rate_limit( \d+)?: You(’|')(ve|re) ",
        code: FaultCode::PeerUsageLimit,
        message: "the account's usage limit is reached",
    },
    Pattern {
        regex: r"^billing_error\b",
        code: FaultCode::PeerUsageLimit,
        message: "the account's credit is used up",
    },
    Pattern {
        regex: r"^rate_limit\b",
        code: FaultCode::PeerRateLimited,
        message: "the model's service is limiting requests",
    },
    Pattern {
        regex: r"^authentication_failed: ",
        code: FaultCode::PeerNotAuthenticated,
        message: "claude is not logged in",
    },
    Pattern {
        regex: r"^(authentication_failed|oauth_org_not_allowed)\b",
        code: FaultCode::PeerNotAuthenticated,
        message: "the model's service refused the login or the key",
    },
    Pattern {
        regex: r"^model_not_found\b",
        code: FaultCode::PeerModelUnavailable,
        message: "the account cannot use this model",
    },
    Pattern {
        regex: r"^prompt_too_long\b",
        code: FaultCode::PeerContextExceeded,
        message: "the input does not fit the model's context",
    },
    Pattern {
        regex: r"^refusal\b",
        code: FaultCode::PeerRefused,
        message: "the model's service declined the request",
    },
    Pattern {
        regex: r"^(max_output_tokens|error_max_structured_output_retries)\b",
        code: FaultCode::PeerBadOutput,
        message: "the model's answer was cut off or never fitted the schema",
    },
    Pattern {
        regex: r"^error_max_budget_usd\b",
        code: FaultCode::BudgetExceeded,
        message: "the run cost more than options.budget_usd and was ended",
    },
    Pattern {
        regex: r"^error_max_turns\b",
        code: FaultCode::BudgetExceeded,
        message: "the run took more turns than options.max_turns and was ended",
    },
    Pattern {
        regex: r"^error_during_execution: No conversation found",
        code: FaultCode::InvalidArguments,
        message: "claude no longer has the thread that `resume` names",
    },
    // The older version tells a broken connection in words alone.
    Pattern {
        regex: r"^(connection_failed\b|(server_error|unknown): API Error: (Unable to connect|Connection|Request timed out))",
        code: FaultCode::PeerNetwork,
        message: "the model's service cannot be reached",
    },
    Pattern {
        regex: r"^(server_error|overloaded)\b",
        code: FaultCode::PeerOverloaded,
        message: "the model's service is at capacity or failing",
    },
    Pattern {
        regex: r"^invalid_request 400: .*(output_config|schema)",
        code: FaultCode::PeerContractChanged,
        message: "the model's service refused our answer schema",
    },
    Pattern {
        regex: r"^\S+ 40[13]\b",
        code: FaultCode::PeerNotAuthenticated,
        message: "the model's service refused the login or the key",
    },
];

/// What it writes to standard error when it does not even begin a turn.
const STARTUP: [Pattern; 6] = [
    Pattern {
        regex: r"(?m)^error: (unknown option|option '.*' argument|too many arguments|unknown command)",
        code: FaultCode::PeerContractChanged,
        message: "claude no longer knows an argument that is sent to it",
    },
    Pattern {
        regex: r"(?m)^Error: Session ID .* is already in use",
        code: FaultCode::PeerFailed,
        message: "the thread is in use by another run",
    },
    Pattern {
        regex: r"(?m)^No conversation found with session ID",
        code: FaultCode::InvalidArguments,
        message: "claude no longer has the thread that `resume` names",
    },
    Pattern {
        regex: r"(?m)^(Error processing settings|Error: Settings file|Error: Invalid settings)",
        code: FaultCode::PeerConfigRejected,
        message: "claude refuses its configuration",
    },
    Pattern {
        regex: r"(?m)^Error: Input must be provided",
        code: FaultCode::PeerFailed,
        message: "claude read no prompt",
    },
    Pattern {
        regex: r"(?m)^.*(No space left on device|ENOSPC)",
        code: FaultCode::DiskFull,
        message: "claude found no free space",
    },
];

/// Judges a run that ended by itself. `Ok` means that the last message is the answer.
pub fn classify(end: End, transcript: &Transcript, stderr: &str) -> Result<(), Failure> {
    if let Some(said) = &transcript.failure {
        return Err(from_table(turn_failed(), &TURN_FAILED, said).unwrap_or(Failure {
            code: FaultCode::PeerFailed,
            message: "the model's turn failed",
            said: Some(said.clone()),
        }));
    }
    let said_something = transcript
        .last_message
        .as_ref()
        .is_some_and(|text| !text.trim().is_empty());
    let failed = |code, message| Failure {
        code,
        message,
        said: last_line(stderr),
    };
    match end {
        _ if transcript.completed_turns > 0 && said_something => Ok(()),
        _ if transcript.too_long > 0 => Err(failed(
            FaultCode::PeerBadOutput,
            "claude printed a line of more bytes than are read, so its answer is not known",
        )),
        End::Exited(0) if transcript.completed_turns > 0 => Err(failed(
            FaultCode::PeerRefused,
            "the model ended its turn without an answer",
        )),
        End::Exited(code) => Err(from_table(startup(), &STARTUP, stderr).unwrap_or_else(|| {
            failed(
                FaultCode::PeerFailed,
                match code {
                    0 => "claude ended without completing a turn",
                    _ => "claude ended with an error",
                },
            )
        })),
        End::Signaled(_) => Err(failed(FaultCode::PeerFailed, "claude was killed by a signal")),
    }
}

/// Tells whether a run without a prompt ended for want of one: an unknown flag is found before (seen with 2.1.197 and
/// 2.1.329). A thread that there is not is found before too, and after the flags.
pub fn misses_only_a_prompt(stderr: &str) -> bool {
    [
        "Error: Input must be provided",
        "No conversation found with session ID",
    ]
    .iter()
    .any(|words| stderr.lines().any(|line| line.starts_with(words)))
}

/// Returns when a used-up allowance is back, in seconds since 1970, where the run was told.
pub fn back_at(said: &str) -> Option<u64> {
    let (head, _) = said.split_once(": ")?;
    let (_, at) = head.split_once(" until ")?;
    at.parse().ok()
}

fn turn_failed() -> &'static [Regex] {
    static COMPILED: OnceLock<Vec<Regex>> = OnceLock::new();
    COMPILED.get_or_init(|| compile(&TURN_FAILED))
}

fn startup() -> &'static [Regex] {
    static COMPILED: OnceLock<Vec<Regex>> = OnceLock::new();
    COMPILED.get_or_init(|| compile(&STARTUP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_turn_is_classified_by_its_name() {
        let check = |said: &str, expected: FaultCode| {
            let transcript = Transcript {
                failure: Some(said.to_owned()),
                ..Transcript::default()
            };
            let failure = classify(End::Exited(1), &transcript, "").unwrap_err();
            assert_eq!(failure.code, expected, "{said}");
        };
        check(
            "rate_limit 429 until 1900000000: You've hit your 5-hour limit",
            FaultCode::PeerUsageLimit,
        );
        check(
            "rate_limit 429: You've hit your session limit",
            FaultCode::PeerUsageLimit,
        );
        check(
            "rate_limit 429: API Error: Request rejected (429)",
            FaultCode::PeerRateLimited,
        );
        check(
            "billing_error 400: Credit balance is too low",
            FaultCode::PeerUsageLimit,
        );
        check(
            "authentication_failed: Not logged in",
            FaultCode::PeerNotAuthenticated,
        );
        check(
            "authentication_failed 401: Invalid API key",
            FaultCode::PeerNotAuthenticated,
        );
        check(
            "oauth_org_not_allowed 403: Your organization",
            FaultCode::PeerNotAuthenticated,
        );
        check(
            "model_not_found 404: There's an issue",
            FaultCode::PeerModelUnavailable,
        );
        check(
            "prompt_too_long 400: Prompt is too long",
            FaultCode::PeerContextExceeded,
        );
        check(
            "refusal: API Error: Claude Code is unable",
            FaultCode::PeerRefused,
        );
        check("max_output_tokens: API Error", FaultCode::PeerBadOutput);
        check(
            "server_error 529: API Error: 529 Overloaded",
            FaultCode::PeerOverloaded,
        );
        check(
            "server_error: API Error: Unable to connect to API (ConnectionRefused)",
            FaultCode::PeerNetwork,
        );
        check(
            "connection_failed: API Error: Connection refused",
            FaultCode::PeerNetwork,
        );
        check(
            "error_max_budget_usd: Reached maximum budget",
            FaultCode::BudgetExceeded,
        );
        check(
            "error_max_turns: Reached maximum number",
            FaultCode::BudgetExceeded,
        );
        check(
            "error_during_execution: No conversation found with session ID: x",
            FaultCode::InvalidArguments,
        );
        check("something_new 418: words", FaultCode::PeerFailed);
    }

    #[test]
    fn a_run_that_never_began_is_classified_by_its_standard_error() {
        let check = |stderr: &str, expected: FaultCode| {
            let failure = classify(End::Exited(1), &Transcript::default(), stderr).unwrap_err();
            assert_eq!(failure.code, expected, "{stderr}");
        };
        check(
            "error: unknown option '--safe-mode'\n",
            FaultCode::PeerContractChanged,
        );
        check(
            "No conversation found with session ID: x\n",
            FaultCode::InvalidArguments,
        );
        check("Error: Session ID x is already in use.\n", FaultCode::PeerFailed);
        check("words", FaultCode::PeerFailed);
    }

    #[test]
    fn the_end_of_a_limit_is_read_where_it_was_told() {
        let check = |said: &str, expected: Option<u64>| assert_eq!(back_at(said), expected, "{said}");
        check(
            "rate_limit 429 until 1900000000: words until 7: x",
            Some(1_900_000_000),
        );
        check("rate_limit 429: until 7: x", None);
        check("rate_limit", None);
    }

    #[test]
    fn an_empty_answer_is_no_answer_and_a_whole_one_survives_any_end() {
        let mut transcript = Transcript {
            completed_turns: 1,
            ..Transcript::default()
        };
        let failure = classify(End::Exited(0), &transcript, "").unwrap_err();
        assert_eq!(failure.code, FaultCode::PeerRefused);
        transcript.last_message = Some("yes".to_owned());
        assert_eq!(classify(End::Signaled(9), &transcript, ""), Ok(()));
    }
}
