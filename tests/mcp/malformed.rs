//! Lines that are no requests: each one that somebody may wait for is answered, and the next line works.

use serde_json::{Value, json};

use crate::harness::{Host, initialize};

const STATUS: &str = r#""method":"tools/call","params":{"name":"status","arguments":{}}"#;

/// Sends a line and checks the code and id of its answer; `None` as an id means that it is left out.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a value of the table, written where it is checked"
)]
fn check(host: &mut Host, line: &[u8], code: i64, id: Option<Value>) {
    let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    host.send_bytes(line);
    host.send_bytes(b"\n");
    let answer = host.read().expect("an answer");
    assert_eq!(answer["error"]["code"], code, "{shown}: {answer}");
    assert_eq!(answer.get("id").cloned(), id, "{shown}: {answer}");
    assert_eq!(answer["jsonrpc"], "2.0");
    host.is_well();
}

#[test]
fn json_that_is_no_request_is_refused_with_its_id() {
    let mut host = Host::legacy();
    let mut refused = |line: &str, id: Option<Value>| check(&mut host, line.as_bytes(), -32600, id);
    refused(
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/list","params":[]}"#,
        Some(json!(4)),
    );
    refused(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None);
    refused(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Some(json!(1.5)));
    refused(r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, None);
    refused(r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#, None);
    refused(
        r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}"#,
        Some(json!(9_223_372_036_854_775_808_u64)),
    );
    refused(r#"{"jsonrpc":"1.0","id":5,"method":"ping"}"#, Some(json!(5)));
    refused(r#"{"id":"six","method":"ping"}"#, Some(json!("six")));
    refused(
        r#"{"jsonrpc":"2.0","id":7,"id":7,"method":"ping"}"#,
        Some(json!(7)),
    );
    refused(r#"{"jsonrpc":"2.0","id":8}"#, Some(json!(8)));
    refused(r#"[{"jsonrpc":"2.0","id":9,"method":"ping"}]"#, Some(json!(9)));
    refused("[]", None);
    refused("42", None);
}

#[test]
fn an_id_beyond_every_number_is_repeated_digit_by_digit() {
    use std::io::BufRead;
    let mut host = Host::legacy();
    host.send(r#"{"jsonrpc":"2.0","id":18446744073709551617,"method":"ping"}"#);
    let mut line = String::new();
    host.output.as_mut().unwrap().read_line(&mut line).unwrap();
    assert!(line.contains("\"id\":18446744073709551617,"), "{line}");
}

#[test]
fn what_is_no_json_is_refused_with_its_id() {
    let mut host = Host::legacy();
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"jsonrpc":"2.0","id":15,"method":"ping","params":{{"x":{open}{close}}}}}"#)
    };
    let mut refused = |line: &[u8], id: Option<Value>| check(&mut host, line, -32700, id);
    refused(br#"{"jsonrpc":"2.0","id":1,"method":"ping""#, Some(json!(1)));
    refused(br#"{"jsonrpc":"2.0","method":"ping","id":2} x"#, Some(json!(2)));
    refused(
        br#"{"jsonrpc":"2.0","id":3,"method":"ping"}{"jsonrpc":"2.0","id":4,"method":"ping"}"#,
        Some(json!(3)),
    );
    refused(
        br#"{"jsonrpc":"2.0","method":"ping","params":{"x":1e400},"id":"q"}"#,
        Some(json!("q")),
    );
    refused(
        b"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"params\":{\"x\":\"\xff\xfe\"},\"id\":5}",
        Some(json!(5)),
    );
    refused(nested(200).as_bytes(), Some(json!(15)));
    refused(nested(100_000).as_bytes(), Some(json!(15)));
    refused(b"hello", None);
    refused(b"\x00\x01", None);
}

#[test]
fn half_an_emoji_is_repaired_and_the_call_goes_on() {
    let mut host = Host::legacy();
    host.send(
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"consult","arguments":{"prompt":"a \ud83d"}},"id":1}"#,
    );
    let answer = host.read().unwrap();
    assert_eq!(
        answer["result"]["structuredContent"]["said"], "a \u{fffd}",
        "{answer}"
    );
}

#[test]
fn a_long_line_works_and_one_over_the_limit_is_refused_with_its_id() {
    let mut host = Host::legacy();
    let text = "x".repeat(1_000_000);
    let result = host.call("consult", &json!({"prompt": text, "context": text}));
    assert_eq!(
        result["structuredContent"]["said"].as_str().map(str::len),
        Some(1_000_000)
    );
    let text = "x".repeat(5 * 1024 * 1024);
    let params = format!(r#""params":{{"name":"consult","arguments":{{"prompt":"{text}","id":0}}}}"#);
    let last = format!(r#"{{"method":"tools/call",{params},"jsonrpc":"2.0","id":17}}"#);
    check(&mut host, last.as_bytes(), -32600, Some(json!(17)));
    let first = format!(r#"{{"jsonrpc":"2.0","id":"one","method":"tools/call",{params}}}"#);
    check(&mut host, first.as_bytes(), -32600, Some(json!("one")));
}

#[test]
fn blanks_and_line_ends_are_no_part_of_a_message() {
    let mut host = Host::silent(crosscheck::mcp::Eras::Both);
    host.send_bytes(b"\xef\xbb\xbf");
    host.send(&format!("{}\r", initialize("2025-11-25")));
    assert_eq!(host.read().unwrap()["id"], 0);
    host.send_bytes(b"\n\r\n   \n\t {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}  \r\n");
    assert_eq!(host.read().unwrap()["id"], 2);
    host.is_well();
}

#[test]
fn a_last_line_without_an_end_is_answered() {
    let mut host = Host::legacy();
    host.send_bytes(format!(r#"{{"jsonrpc":"2.0","id":20,{STATUS}}}"#).as_bytes());
    let said = host.hang_up();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["id"], 20);
}

#[test]
fn messages_that_nobody_waits_for_are_ignored() {
    let mut host = Host::legacy();
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/whatever","params":{"a":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody","reason":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","id":77,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":78,"error":{"code":-1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":[1],"result":{}}"#,
    ] {
        host.send(line);
        host.is_well();
    }
}

#[test]
fn a_whole_float_is_an_id() {
    let mut host = Host::legacy();
    host.send(r#"{"jsonrpc":"2.0","id":99.0,"method":"ping"}"#);
    let answer = host.read().unwrap();
    assert_eq!(answer["id"].as_f64(), Some(99.0), "{answer}");
}

#[test]
fn a_malformed_tool_call_says_what_is_wrong() {
    let mut host = Host::legacy();
    let mut refused = |params: &str| {
        let line = format!(r#"{{"jsonrpc":"2.0","id":6,"method":"tools/call"{params}}}"#);
        check(&mut host, line.as_bytes(), -32602, Some(json!(6)));
    };
    refused("");
    refused(r#","params":{}"#);
    refused(r#","params":{"arguments":{}}"#);
    refused(r#","params":{"name":7}"#);
    refused(r#","params":{"name":"status","arguments":[]}"#);
    refused(r#","params":{"name":"status","arguments":"{\"topic\":\"errors\"}"}"#);
}
