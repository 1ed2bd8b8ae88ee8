//! Both ways to begin a session, and what is and is not offered.

use crosscheck::mcp::Eras;
use serde_json::{Value, json};

use crate::harness::{Host, initialize};

fn modern(id: &Value, method: &str, mut params: Value, version: &str) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        "io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "2.1.329"},
        "claudecode/toolUseId": "toolu_9",
    });
    params["_meta"] = meta;
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

const NOW: &str = "2026-07-28";

#[test]
fn every_version_is_negotiated_as_published() {
    let check = |asked: &str, answered: &str| {
        let mut host = Host::silent(Eras::Both);
        let answer = host.ask(&initialize(asked));
        assert_eq!(answer["result"]["protocolVersion"], answered, "{asked}");
        assert_eq!(answer["result"]["serverInfo"]["name"], "crosscheck");
        assert_eq!(answer["result"]["capabilities"], json!({"tools": {}}));
        assert!(
            answer["result"]["instructions"]
                .as_str()
                .is_some_and(|text| text.starts_with("Codex, a second model"))
        );
        host.is_well();
    };
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        check(version, version);
    }
    for version in ["2026-07-28", "1999-01-01", "2099-01-01"] {
        check(version, "2025-11-25");
    }
}

#[test]
fn a_session_without_a_handshake_works() {
    let mut host = Host::silent(Eras::Both);
    let answer = host.ask(&modern(
        &json!("server-discover-probe-1"),
        "server/discover",
        json!({}),
        NOW,
    ));
    let result = &answer["result"];
    assert!(
        result["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!(NOW)),
        "{answer}"
    );
    assert!(result["instructions"].is_string());
    assert_eq!(result["capabilities"], json!({"tools": {}}));
    let answer = host.ask(&modern(&json!(1), "tools/list", json!({}), NOW));
    assert_eq!(answer["result"]["resultType"], "complete");
    assert!(
        answer["result"]["ttlMs"].is_number() && answer["result"]["cacheScope"].is_string(),
        "{answer}"
    );
    assert_eq!(answer["result"]["tools"].as_array().map(Vec::len), Some(8));
    let call = json!({"name": "consult", "arguments": {"prompt": "hi"}});
    let answer = host.ask(&modern(&json!(2), "tools/call", call, NOW));
    let result = &answer["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["structuredContent"]["said"], "hi");
    assert_eq!(result["structuredContent"]["tool_use_id"], "toolu_9");
    assert_eq!(result["structuredContent"]["meta"]["host"], "claude-code 2.1.329");
    // Gone from this revision, or never offered.
    for method in [
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "completion/complete",
        "ping",
        "logging/setLevel",
        "subscriptions/listen",
        "tasks/get",
        "resources/subscribe",
    ] {
        let params = json!({"level": "info", "notifications": {}, "taskId": "t", "uri": "x:y",
            "ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "v"}});
        let answer = host.ask(&modern(&json!(3), method, params, NOW));
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
    let answer = host.ask(&json!({"jsonrpc": "2.0", "id": 4, "method": "tools/list"}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = host.ask(&initialize("2025-11-25"));
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_probe_leaves_both_ways_open() {
    let mut host = Host::silent(Eras::Both);
    let answer = host.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover"}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = host.ask(&modern(&json!(2), "tools/list", json!({}), "2099-01-01"));
    assert_eq!(answer["error"]["code"], -32022, "{answer}");
    let answer = host.ask(&modern(&json!(3), "server/discover", json!({}), NOW));
    assert!(answer["result"].is_object(), "{answer}");
    let answer = host.ask(&json!({"jsonrpc": "2.0", "id": 4, "method": "no/such"}));
    assert!(answer["error"]["code"].is_number(), "{answer}");
    let answer = host.ask(&initialize("2025-11-25"));
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    host.is_well();
}

#[test]
fn a_notification_before_the_session_is_dropped() {
    let mut host = Host::silent(Eras::Both);
    let stray = [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"server-discover-probe-1"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/unknown"}"#,
        r#"{"jsonrpc":"2.0","id":5,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/list","params":7}"#,
    ];
    for line in stray {
        host.send(line);
    }
    // None of these opens the session, so the strays after each of them must be dropped too.
    for opener in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
        modern(&json!(1), "server/discover", json!({}), NOW),
        modern(&json!(1), "tools/list", json!({}), "2099-01-01"),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "status"}}),
    ] {
        assert_eq!(host.ask(&opener)["id"], 1, "{opener}");
        for line in stray {
            host.send(line);
        }
    }
    assert_eq!(host.ask(&initialize("2025-11-25"))["id"], 0);
    for line in stray {
        host.send(line);
    }
    host.is_well();
}

#[test]
fn pipelined_openers_are_all_answered() {
    let mut host = Host::silent(Eras::Both);
    host.send(&modern(&json!("probe"), "server/discover", json!({}), NOW).to_string());
    host.send(&initialize("2025-11-25").to_string());
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    host.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let ids: Vec<Value> = (0..3).map(|_| host.read().unwrap()["id"].clone()).collect();
    assert_eq!(ids, [json!("probe"), json!(0), json!(1)]);
}

#[test]
fn the_way_out_serves_only_the_older_revisions() {
    let mut host = Host::silent(Eras::Legacy);
    let answer = host.ask(&modern(&json!("p"), "server/discover", json!({}), NOW));
    assert_eq!(answer["error"]["code"], -32022, "{answer}");
    let answer = host.ask(&initialize("2025-11-25"));
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    host.is_well();
}

#[test]
fn a_second_handshake_is_answered() {
    let mut host = Host::legacy();
    assert_eq!(host.ask(&initialize("2025-06-18"))["id"], 0);
    host.is_well();
}

#[test]
fn what_is_not_offered_is_not_found() {
    let mut host = Host::legacy();
    let params = json!({"uri": "x:y", "name": "n", "level": "info", "taskId": "t",
        "ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "v"}});
    for method in [
        "resources/list",
        "resources/templates/list",
        "prompts/list",
        "completion/complete",
        "resources/read",
        "resources/subscribe",
        "prompts/get",
        "logging/setLevel",
        "tasks/get",
        "tasks/list",
        "no/such/method",
    ] {
        let answer = host.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
}

#[test]
fn a_host_that_knows_tasks_gets_a_plain_result() {
    let mut host = Host::silent(Eras::Both);
    let mut hello = initialize("2025-11-25");
    hello["params"]["capabilities"] =
        json!({"extensions": {"io.modelcontextprotocol/tasks": {}}, "tasks": {}});
    host.ask(&hello);
    let answer = host.ask(
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "status", "arguments": {}, "task": {"ttl": 60000}}}),
    );
    assert_eq!(answer["result"]["structuredContent"]["ok"], true, "{answer}");
}
