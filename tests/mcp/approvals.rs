//! A question to the person, in both eras: what each answer means, and what is no answer.

use crosscheck::mcp::Eras;
use serde_json::{Value, json};

use crate::harness::{Host, PATIENCE, initialize};

const FORMS: &str = r#"{"elicitation":{"form":{}}}"#;

/// A call of a host that needs no handshake, with what it brings along from an earlier one.
fn call(id: u64, prompt: &str, capabilities: &str, brought: &Value) -> Value {
    let capabilities: Value = serde_json::from_str(capabilities).unwrap();
    let mut params = json!({"name": "consult", "arguments": {"prompt": prompt}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "2.1.329"},
    }});
    for (name, value) in brought.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn said(answer: &Value) -> &Value {
    &answer["result"]["structuredContent"]["said"]
}

/// Asks and returns the handle of the question.
fn question(host: &mut Host, prompt: &str, words: &str) -> Value {
    let answer = host.ask(&call(1, prompt, FORMS, &json!({})));
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let request = &result["inputRequests"]["approval"];
    assert_eq!(request["method"], "elicitation/create", "{answer}");
    assert_eq!(request["params"]["message"], words, "{answer}");
    assert_eq!(
        request["params"]["requestedSchema"],
        json!({"type": "object", "properties": {}}),
        "{answer}"
    );
    assert!(
        result["requestState"]
            .as_str()
            .is_some_and(|state| state.len() == 32),
        "{answer}"
    );
    result["requestState"].clone()
}

#[test]
fn the_newer_era_asks_by_answering() {
    let mut host = Host::silent(Eras::Both);
    for (action, expected) in [
        ("accept", "Given"),
        ("decline", "Withheld"),
        ("cancel", "Withheld"),
    ] {
        let state = question(&mut host, "ask 1", "Question 1?");
        let brought =
            json!({"requestState": state, "inputResponses": {"approval": {"action": action, "content": {}}}});
        let answer = host.ask(&call(2, "ask 1", FORMS, &brought));
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert_eq!(said(&answer), expected, "{action}");
        // The same answer again is none: the question is asked anew.
        let again = host.ask(&call(3, "ask 1", FORMS, &brought));
        assert_eq!(again["result"]["resultType"], "input_required", "{again}");
    }
}

#[test]
fn what_is_no_answer_to_this_question_is_asked_again() {
    let mut host = Host::silent(Eras::Both);
    let yes = json!({"approval": {"action": "accept"}});
    let check = |host: &mut Host, prompt: &str, what: &str, brought: &Value| {
        let answer = host.ask(&call(2, prompt, FORMS, brought));
        assert_eq!(
            answer["result"]["resultType"], "input_required",
            "{what}: {answer}"
        );
    };
    check(&mut host, "ask 1", "never asked", &json!({"inputResponses": yes}));
    check(
        &mut host,
        "ask 1",
        "made up",
        &json!({"inputResponses": yes, "requestState": "0".repeat(32)}),
    );
    for (what, responses) in [
        ("nothing", json!({})),
        ("another name", json!({"else": {"action": "accept"}})),
        ("no action", json!({"approval": {}})),
        ("no known action", json!({"approval": {"action": "perhaps"}})),
        ("no object", json!({"approval": 7})),
    ] {
        let state = question(&mut host, "ask 1", "Question 1?");
        check(
            &mut host,
            "ask 1",
            what,
            &json!({"requestState": state, "inputResponses": responses}),
        );
    }
    let state = question(&mut host, "ask 1", "Question 1?");
    check(
        &mut host,
        "ask 2",
        "other arguments",
        &json!({"requestState": state, "inputResponses": yes}),
    );
    let answer = host.ask(&call(1, "ask_anew", FORMS, &json!({})));
    let state = &answer["result"]["requestState"];
    check(
        &mut host,
        "ask_anew",
        "another question",
        &json!({"requestState": state, "inputResponses": yes}),
    );
}

#[test]
fn a_host_that_shows_no_forms_is_not_asked() {
    for capabilities in ["{}", r#"{"elicitation":{"url":{}}}"#] {
        let mut host = Host::silent(Eras::Both);
        let answer = host.ask(&call(1, "ask 1", capabilities, &json!({})));
        assert_eq!(said(&answer), "nobody", "{capabilities}");
        let mut host = Host::silent(Eras::Both);
        let mut hello = initialize("2025-11-25");
        hello["params"]["capabilities"] = serde_json::from_str(capabilities).unwrap();
        host.ask(&hello);
        assert_eq!(
            host.call("consult", &json!({"prompt": "ask 1"}))["structuredContent"]["said"],
            "nobody"
        );
    }
}

#[test]
fn the_older_era_asks_while_the_call_waits() {
    for (reply, expected) in [
        (json!({"result": {"action": "accept", "content": {}}}), "Given"),
        (json!({"result": {"action": "decline"}}), "Withheld"),
        (json!({"result": {"action": "cancel"}}), "Withheld"),
        (
            json!({"error": {"code": -32603, "message": "no window"}}),
            "Unheard",
        ),
    ] {
        let mut host = Host::legacy();
        let asked = host.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "consult", "arguments": {"prompt": "ask 3"}}}));
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        assert_eq!(asked["params"]["message"], "Question 3?");
        let mut reply = reply;
        reply["jsonrpc"] = json!("2.0");
        reply["id"] = asked["id"].clone();
        let answer = host.ask(&reply);
        assert_eq!(said(&answer), expected, "{answer}");
    }
}

#[test]
fn a_question_holds_no_place_among_the_calls() {
    let mut host = Host::silent(Eras::Both);
    // More than may wait at once: each of them ends with its question.
    for id in 0..600 {
        let answer = host.ask(&call(id, "ask 1", FORMS, &json!({})));
        assert_eq!(
            answer["result"]["resultType"], "input_required",
            "{id} within {PATIENCE:?}"
        );
    }
    assert_eq!(
        host.stub.done.load(std::sync::atomic::Ordering::SeqCst),
        0,
        "none of them went on"
    );
}
