//! Why a run of codex ended as it did.
//!
//! codex has one exit code for every failure and no error code in its events, so messages must be read. Only the
//! message of `turn.failed` and standard error are read, with anchored patterns; never anything the model wrote.

use std::sync::OnceLock;

use regex::Regex;

use crate::domain::fault::FaultCode;
use crate::peer::ended::{End, Failure, Pattern, compile, from_table, last_line};
use crate::peer::transcript::Transcript;

/// Seen with codex-cli 0.169.0; `every_failure_is_classified` replays each against the real program.
const TURN_FAILED: [Pattern; 17] = [
    // Up to 0.158 this one comes behind the words of a broken stream.
    Pattern {
        regex: r"^(stream disconnected before completion: )?Incomplete response returned",
        code: FaultCode::PeerBadOutput,
        message: "the model's answer was cut off",
    },
    Pattern {
        regex: r"^You(’|')ve hit your usage limit",
        code: FaultCode::PeerUsageLimit,
        message: "the account's usage limit is reached",
    },
    Pattern {
        regex: r"^Quota exceeded\.",
        code: FaultCode::PeerUsageLimit,
        message: "the account's quota is used up",
    },
    Pattern {
        regex: r"^unexpected status 401\b",
        code: FaultCode::PeerNotAuthenticated,
        message: "the model's service refused the key",
    },
    Pattern {
        regex: r"^unexpected status 403\b",
        code: FaultCode::PeerNotAuthenticated,
        message: "the model's service refused the account",
    },
    Pattern {
        regex: r"^Your access token could not be refreshed",
        code: FaultCode::PeerNotAuthenticated,
        message: "codex has no valid login",
    },
    Pattern {
        regex: r"^Missing environment variable: ",
        code: FaultCode::PeerNotAuthenticated,
        message: "codex's model provider wants a variable that it does not see; name it in [env] pass of the configuration file",
    },
    Pattern {
        regex: r"^exceeded retry limit, last status: 429\b",
        code: FaultCode::PeerRateLimited,
        message: "the model's service is limiting requests",
    },
    Pattern {
        regex: r"^(unexpected status 404 Not Found: )?The model `[^`]*` does not exist or you do not have access to it",
        code: FaultCode::PeerModelUnavailable,
        message: "the account cannot use this model",
    },
    Pattern {
        regex: r"^\{.*model is not supported when using Codex",
        code: FaultCode::PeerModelUnavailable,
        message: "the account cannot use this model",
    },
    Pattern {
        regex: r"^Codex ran out of room in the model's context window",
        code: FaultCode::PeerContextExceeded,
        message: "the input does not fit the model's context",
    },
    Pattern {
        regex: r#"(?s)^\{.*"invalid_json_schema""#,
        code: FaultCode::PeerContractChanged,
        message: "the model's service refused our answer schema",
    },
    Pattern {
        regex: r"^(Selected model is at capacity|We(’|')re currently experiencing high demand|exceeded retry limit, last status: 5\d\d|unexpected status 5\d\d)",
        code: FaultCode::PeerOverloaded,
        message: "the model's service is at capacity or failing",
    },
    Pattern {
        regex: r"^stream disconnected before completion: The .*(policy|flagged)",
        code: FaultCode::PeerRefused,
        message: "the model's service declined the request",
    },
    Pattern {
        regex: r"^stream disconnected before completion: (Transport error|stream closed|idle timeout|error sending|network)",
        code: FaultCode::PeerNetwork,
        message: "the connection to the model's service broke",
    },
    Pattern {
        regex: r"^(Connection failed: |error sending request)",
        code: FaultCode::PeerNetwork,
        message: "the model's service cannot be reached",
    },
    Pattern {
        regex: r"^stream disconnected before completion: ",
        code: FaultCode::PeerOverloaded,
        message: "the model's service failed in the middle of the answer",
    },
];

/// What codex writes to standard error when it does not even begin a turn.
const STARTUP: [Pattern; 9] = [
    Pattern {
        regex: r"(?m)^(Error loading config\.toml|Error loading configuration|Error: .*config\.toml|Error finding codex home|error loading config)",
        code: FaultCode::PeerConfigRejected,
        message: "codex refuses its configuration",
    },
    Pattern {
        regex: r"(?m)^error: (unexpected argument|invalid value|unrecognized subcommand|the argument)",
        code: FaultCode::PeerContractChanged,
        message: "codex no longer knows an argument that is sent to it",
    },
    Pattern {
        regex: r"Input exceeds the maximum length of",
        code: FaultCode::InputTooLarge,
        message: "the prompt is longer than codex accepts",
    },
    Pattern {
        regex: r"(?m)^.*thread/resume failed: .*already has an active writer",
        code: FaultCode::PeerFailed,
        message: "the thread is in use by another run",
    },
    Pattern {
        regex: r"(?m)^.*(thread/resume failed: no rollout found|no rollout found for thread|No saved session found|thread not found)",
        code: FaultCode::InvalidArguments,
        message: "codex no longer has the thread that `resume` names",
    },
    Pattern {
        regex: r"(?m)^.*required MCP servers failed to initialize",
        code: FaultCode::PeerConfigRejected,
        message: "an MCP server that codex requires could not start",
    },
    Pattern {
        regex: r"(?m)^.*failed to initialize in-process app-server client",
        code: FaultCode::PeerConfigRejected,
        message: "codex cannot use its own home folder",
    },
    Pattern {
        regex: r"(?m)^Error: No such file or directory",
        code: FaultCode::InvalidWorkspace,
        message: "the workspace vanished before codex started",
    },
    Pattern {
        regex: r"(?m)^.*(No space left on device|os error 28\b)",
        code: FaultCode::DiskFull,
        message: "codex found no free space",
    },
];

/// Judges a run that ended by itself. `Ok` means that the last message is the answer.
///
/// Exit code 0 and a completed turn are not enough: a refusal or an empty response is a success to codex. Nor are they
/// needed: an answer whose turn was completed is paid for, however the process ended after it.
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
    match end {
        _ if transcript.completed_turns > 0 && said_something => Ok(()),
        _ if transcript.too_long > 0 => Err(Failure {
            code: FaultCode::PeerBadOutput,
            message: "codex printed a line of more bytes than are read, so its answer is not known",
            said: None,
        }),
        End::Exited(0) if transcript.completed_turns > 0 => Err(Failure {
            code: FaultCode::PeerRefused,
            message: "the model ended its turn without an answer, as it does when it declines",
            said: None,
        }),
        End::Exited(code) => Err(
            from_table(startup(), &STARTUP, stderr).unwrap_or_else(|| Failure {
                code: FaultCode::PeerFailed,
                message: match code {
                    0 => "codex ended without completing a turn",
                    101 => "codex crashed",
                    _ => "codex ended with an error",
                },
                said: last_line(stderr),
            }),
        ),
        End::Signaled(_) => Err(Failure {
            code: FaultCode::PeerFailed,
            message: "codex was killed by a signal",
            said: last_line(stderr),
        }),
    }
}

/// Tells whether a start failed because an override named an MCP server that is not configured.
///
/// Then the list of servers was stale: it is read again and the run is started once more.
pub fn names_an_absent_server(transcript: &Transcript, stderr: &str) -> bool {
    transcript.thread.is_none() && stderr.contains("mcp_servers") && stderr.contains("invalid transport")
}

/// Tells whether a run that failed for want of network had reached the model before, so that going on is worth a wait.
///
/// A model that only thinks is silent, but codex says that its stream broke before it says that nobody listens any more
/// (seen with codex-cli 0.169.0; `a_run_whose_network_comes_back_goes_on_in_its_thread` pins it). A run that never
/// reached anybody cost nothing: whoever asked hears of it at once and may ask again.
pub fn reached_the_model(transcript: &Transcript) -> bool {
    const BROKEN: &str = "stream disconnected before completion: ";
    transcript.worked
        || transcript
            .retries
            .iter()
            .chain(&transcript.failure)
            .any(|said| said.contains(BROKEN) && !said.contains(NOT_SENT))
}

/// codex's words for a request that never left.
const NOT_SENT: &str = "error sending request";

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

    fn failed(message: &str) -> FaultCode {
        let transcript = Transcript {
            failure: Some(message.to_owned()),
            ..Transcript::default()
        };
        classify(End::Exited(1), &transcript, "").unwrap_err().code
    }

    #[test]
    fn messages_of_codex_are_classified() {
        use FaultCode as C;
        let check = |message: &str, expected: C| assert_eq!(failed(message), expected, "{message}");
        check(
            "unexpected status 401 Unauthorized: Incorrect API key provided: sk-x, url: http://h/responses",
            C::PeerNotAuthenticated,
        );
        check(
            "Your access token could not be refreshed because your refresh token has expired. Please log out and sign in again.",
            C::PeerNotAuthenticated,
        );
        check("Missing environment variable: `NOPE`.", C::PeerNotAuthenticated);
        check(
            "exceeded retry limit, last status: 429 Too Many Requests",
            C::PeerRateLimited,
        );
        check(
            "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro) or try again at 6:42 AM.",
            C::PeerUsageLimit,
        );
        check(
            "Quota exceeded. Check your plan and billing details.",
            C::PeerUsageLimit,
        );
        check(
            "We’re currently experiencing high demand, which may cause temporary errors.",
            C::PeerOverloaded,
        );
        check(
            "stream disconnected before completion: The fake model failed.",
            C::PeerOverloaded,
        );
        check(
            "Selected model is at capacity. Please try a different model.",
            C::PeerOverloaded,
        );
        check(
            "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying.",
            C::PeerContextExceeded,
        );
        check(
            "Incomplete response returned, reason: max_output_tokens",
            C::PeerBadOutput,
        );
        check(
            "stream disconnected before completion: Transport error: network error: error decoding response body",
            C::PeerNetwork,
        );
        check(
            "stream disconnected before completion: stream closed before response.completed",
            C::PeerNetwork,
        );
        check(
            "stream disconnected before completion: idle timeout waiting for SSE",
            C::PeerNetwork,
        );
        check("Connection failed: error sending request", C::PeerNetwork);
        check(
            "The model `x` does not exist or you do not have access to it.",
            C::PeerModelUnavailable,
        );
        check(
            r#"{"detail":"The 'x' model is not supported when using Codex with a ChatGPT account."}"#,
            C::PeerModelUnavailable,
        );
        check(
            r#"{"error":{"message":"Invalid schema","code":"invalid_json_schema"}}"#,
            C::PeerContractChanged,
        );
        check("Something new.", C::PeerFailed);
    }

    #[test]
    fn a_run_that_reached_nobody_is_told_from_one_that_lost_the_model() {
        use crate::peer::event::Event;
        let check = |events: &[Event], expected: bool| {
            let mut transcript = Transcript::default();
            for event in events {
                transcript.push(event);
            }
            assert_eq!(reached_the_model(&transcript), expected, "{events:?}");
        };
        let retrying = |reason: &str| Event::Retrying {
            reason: reason.into(),
        };
        let failed = |message: &str| Event::TurnFailed {
            message: message.into(),
        };
        let refused = failed("Connection failed: error sending request");
        let broken = "stream disconnected before completion: Transport error: network error: error decoding response body";
        check(std::slice::from_ref(&refused), false);
        check(
            &[
                retrying("Reconnecting... 1/5 (Connection failed: error sending request)"),
                refused.clone(),
            ],
            false,
        );
        check(
            &[
                retrying(&format!("Reconnecting... 1/5 ({broken})")),
                refused.clone(),
            ],
            true,
        );
        check(&[failed(broken)], true);
        // 0.140.0 says so of a refused connection.
        let unsent =
            "stream disconnected before completion: error sending request for url (http://h/v1/responses)";
        check(
            &[
                retrying(&format!("Reconnecting... 1/5 ({unsent})")),
                failed(unsent),
            ],
            false,
        );
        check(&[Event::Message { text: "x".into() }, refused], true);
    }

    #[test]
    fn what_the_model_wrote_is_never_read_as_an_error() {
        let transcript = Transcript {
            completed_turns: 1,
            last_message: Some("unexpected status 401 Unauthorized".to_owned()),
            ..Transcript::default()
        };
        assert_eq!(
            classify(End::Exited(0), &transcript, "Error loading config.toml"),
            Ok(())
        );
    }

    #[test]
    fn success_needs_an_answer() {
        let empty = Transcript {
            completed_turns: 1,
            last_message: Some(" \n".to_owned()),
            ..Transcript::default()
        };
        assert_eq!(
            classify(End::Exited(0), &empty, "").unwrap_err().code,
            FaultCode::PeerRefused
        );
        let nothing = Transcript::default();
        assert_eq!(
            classify(End::Exited(0), &nothing, "").unwrap_err().code,
            FaultCode::PeerFailed
        );
        assert_eq!(
            classify(End::Signaled(9), &nothing, "").unwrap_err().code,
            FaultCode::PeerFailed
        );
    }

    #[test]
    fn failures_before_the_first_event_are_read_from_standard_error() {
        use FaultCode as C;
        let check = |stderr: &str, code: i32, expected: C| {
            let found = classify(End::Exited(code), &Transcript::default(), stderr)
                .unwrap_err()
                .code;
            assert_eq!(found, expected, "{stderr}");
        };
        check("Error loading config.toml: bad\n", 1, C::PeerConfigRejected);
        check(
            "error: unexpected argument '--json' found\n",
            2,
            C::PeerContractChanged,
        );
        check(
            "turn/start failed: Input exceeds the maximum length of 1048576 characters. (code -32602)",
            1,
            C::InputTooLarge,
        );
        check(
            "Error: thread/resume failed: thread x already has an active writer (code -32600)",
            1,
            C::PeerFailed,
        );
        check(
            "Error: thread/resume failed: no rollout found for thread id x",
            1,
            C::InvalidArguments,
        );
        check("boom", 1, C::PeerFailed);
    }
}
