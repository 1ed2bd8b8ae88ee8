//! Tests of the reader of claude's events, with lines as both versions print them.

use super::*;
use proptest::prelude::*;

fn read(lines: &[&str]) -> Vec<Event> {
    let mut reader = Reader::default();
    lines
        .iter()
        .filter_map(|line| reader.read(line.as_bytes()))
        .flatten()
        .collect()
}

fn tokens(input: u64, cached: u64, output: u64) -> Event {
    Event::Tokens {
        used: Usage {
            input,
            cached,
            output,
        },
    }
}

const INIT: &str = r#"{"type":"system","subtype":"init","session_id":"1111-a","tools":["Read"],"model":"m"}"#;
const PART: &str = r#"{"type":"assistant","message":{"id":"m1","content":[{"type":"thinking","thinking":"hm","signature":"s"}],
    "usage":{"input_tokens":100,"output_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":30}},"session_id":"x"}"#;
const TEXT: &str = r#"{"type":"assistant","message":{"id":"m1","content":[{"type":"text","text":"the answer"}],
    "usage":{"input_tokens":100,"output_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":30}}}"#;

#[test]
fn a_run_with_an_answer_tells_its_tokens_once_and_its_cost() {
    let result = r#"{"type":"result","subtype":"success","is_error":false,"result":"the answer","total_cost_usd":0.5,
        "usage":{"input_tokens":100,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":50},
        "permission_denials":[{"tool_name":"Read","tool_input":{"file_path":"/etc/passwd"}}]}"#;
    assert_eq!(
        read(&[INIT, PART, TEXT, result]),
        [
            Event::ThreadStarted {
                thread: "1111-a".into()
            },
            Event::TurnStarted,
            Event::Thinking { text: "hm".into() },
            tokens(150, 30, 1),
            Event::Message {
                text: "the answer".into()
            },
            tokens(150, 30, 50),
            Event::Cost { usd: 0.5 },
            Event::Warning {
                text: "claude was not allowed 1 calls of tools: Read".into()
            },
            Event::TurnCompleted { thread_usage: None },
        ]
    );
}

#[test]
fn a_structured_answer_is_the_last_message() {
    let call = r#"{"type":"assistant","message":{"id":"m1","content":[{"type":"tool_use","id":"t","name":"StructuredOutput","input":{"answer":"42"}}]}}"#;
    let result = r#"{"type":"result","subtype":"success","is_error":false,"result":"{\"answer\":\"42\"}","structured_output":{"answer":"42"}}"#;
    assert_eq!(
        read(&[call, result]),
        [
            Event::Message {
                text: r#"{"answer":"42"}"#.into()
            },
            Event::TurnCompleted { thread_usage: None },
        ]
    );
}

#[test]
fn the_output_of_a_message_is_counted_as_soon_as_it_is_told() {
    let delta = r#"{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":50}}}"#;
    let other = r#"{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}}"#;
    let next = TEXT.replace("m1", "m2");
    assert_eq!(
        read(&[PART, other, delta, &next]),
        [
            Event::Thinking { text: "hm".into() },
            tokens(150, 30, 1),
            tokens(150, 30, 50),
            Event::Message {
                text: "the answer".into()
            },
            tokens(300, 60, 51),
        ]
    );
}

#[test]
fn what_failed_is_named_before_it_is_told() {
    let check = |before: &str, result: &str, expected: &str| {
        let events = read(&[before, result]);
        assert_eq!(
            events.last(),
            Some(&Event::TurnFailed {
                message: expected.into()
            }),
            "{result}"
        );
        // The program's words are never taken for the model's.
        assert!(!events.iter().any(Event::is_work), "{events:?}");
    };
    let said = |error: &str| {
        format!(
            r#"{{"type":"assistant","message":{{"content":[{{"type":"text","text":"words"}}]}},"error":"{error}"}}"#
        )
    };
    check(
        &said("authentication_failed"),
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":null,"result":"Not logged in"}"#,
        "authentication_failed: Not logged in",
    );
    check(
        &said("rate_limit"),
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"Rejected"}"#,
        "rate_limit 429: Rejected",
    );
    check(
        r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1900000000}}"#,
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"limit"}"#,
        "unknown 429 until 1900000000: limit",
    );
    check(
        r#"{"type":"rate_limit_event","rate_limit_info":{"status":"allowed","resetsAt":1900000000}}"#,
        r#"{"type":"result","subtype":"error_max_turns","is_error":true,"errors":["Reached maximum number of turns (1)"]}"#,
        "error_max_turns: Reached maximum number of turns (1)",
    );
    check(
        &said("invalid_request"),
        r#"{"type":"result","subtype":"success","is_error":true,"stop_reason":"refusal","result":"no"}"#,
        "refusal: no",
    );
    check(
        &said("invalid_request"),
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":400,"terminal_reason":"prompt_too_long","result":"long"}"#,
        "prompt_too_long 400: long",
    );
    check(
        &said("server_error"),
        r#"{"type":"result","subtype":"success","is_error":true,"api_error":"connection_failed","result":"refused"}"#,
        "connection_failed: refused",
    );
}

#[test]
fn a_cost_is_this_runs_alone() {
    let check = |result: &str, expected: Option<f64>| {
        let cost = read(&[result]).into_iter().find_map(|event| match event {
            Event::Cost { usd } => Some(usd),
            _ => None,
        });
        assert_eq!(cost, expected, "{result}");
    };
    check(r#"{"type":"result","total_cost_usd":0.25}"#, Some(0.25));
    check(
        r#"{"type":"result","total_cost_usd":7.0,"model_usage_since_last_result":{"a":{"costUSD":0.25},"b":{"costUSD":0.5}}}"#,
        Some(0.75),
    );
    check(r#"{"type":"result"}"#, None);
    check(r#"{"type":"result","total_cost_usd":-1}"#, None);
}

#[test]
fn tools_are_told_by_what_they_are_about() {
    let check = |name: &str, input: &str, expected: Option<Event>| {
        let line = format!(
            r#"{{"type":"assistant","message":{{"content":[{{"type":"tool_use","name":"{name}","input":{input}}}]}}}}"#
        );
        assert_eq!(read(&[&line]).pop(), expected, "{line}");
    };
    let tool = |text: &str| Some(Event::ToolCalled { tool: text.into() });
    check("Read", r#"{"file_path":"/w/a"}"#, tool("Read /w/a"));
    check("Grep", r#"{"pattern":"x"}"#, tool("Grep x"));
    check("Glob", "{}", tool("Glob"));
    check(
        "Edit",
        r#"{"file_path":"/w/a","old_string":"a","new_string":"b"}"#,
        Some(Event::FileChanged {
            path: "/w/a".into(),
            kind: "update".into(),
        }),
    );
    check(
        "WebSearch",
        r#"{"query":"q"}"#,
        Some(Event::Searched { query: "q".into() }),
    );
    check("StructuredOutput", "{}", None);
}

#[test]
fn a_retry_says_why() {
    let line =
        r#"{"type":"system","subtype":"api_retry","attempt":1,"error_status":529,"error":"overloaded"}"#;
    assert_eq!(
        read(&[line]),
        [Event::Retrying {
            reason: "overloaded (529)".into()
        }]
    );
}

#[test]
fn what_is_no_event_is_counted_and_what_is_unknown_is_kept() {
    let mut reader = Reader::default();
    for line in ["", "  ", "words", "[1]", "{}", r#"{"type":7}"#] {
        assert_eq!(reader.read(line.as_bytes()), None, "{line}");
    }
    let unknown = |kind: &str| vec![Event::Unknown { kind: kind.into() }];
    assert_eq!(reader.read(br#"{"type":"novel"}"#), Some(unknown("novel")));
    assert_eq!(
        reader.read(br#"{"type":"result","usage":"all of it"}"#),
        Some(unknown("result"))
    );
    assert_eq!(
        reader
            .read(br#"{"type":"system","subtype":"init","session_id":"--resume x"}"#)
            .unwrap()[0],
        unknown("init without a session")[0]
    );
}

proptest! {
    #[test]
    fn no_line_is_fatal(line in any::<Vec<u8>>()) {
        let _ = Reader::default().read(&line);
    }
}
