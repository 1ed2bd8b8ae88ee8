//! Calls of tools: results, refusals, panics, cancels, progress, and many at once.

use std::collections::HashSet;
use std::io::{BufRead, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crosscheck::service::call::CancelReason;
use serde_json::{Value, json};

use crate::harness::{Host, eventually, tool_call};

fn cancel(id: &Value, reason: &str) -> String {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": reason}})
        .to_string()
}

#[test]
fn a_success_is_structured_with_a_line_of_text() {
    let mut host = Host::legacy();
    let result = host.call("consult", &json!({"prompt": "why?"}));
    assert_eq!(
        result["content"],
        json!([{"type": "text", "text": "consult is \"done\""}])
    );
    assert_eq!(result["structuredContent"]["said"], "why?");
    assert_eq!(result["structuredContent"]["meta"]["host"], "claude-code 2.1.197");
    assert_eq!(result["isError"], false);
    assert!(result.get("resultType").is_none());
}

#[test]
fn a_wrong_argument_is_a_failure_in_both_forms() {
    let mut host = Host::legacy();
    let mut check = |tool: &str, arguments: Value, field: &str| {
        let result = host.call(tool, &arguments);
        assert_eq!(result["isError"], true, "{tool} {arguments}");
        let structured = &result["structuredContent"];
        assert_eq!(
            structured["error"]["code"], "invalid_arguments",
            "{tool} {arguments}"
        );
        assert_eq!(structured["error"]["field"], field, "{tool} {arguments}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(&text, structured);
    };
    check("consult", json!({}), "prompt");
    check("consult", json!({"prompt": 7}), "prompt");
    check("consult", json!({"prompt": "p", "c": 1}), "c");
    check("job", json!({"limit": 100_000}), "limit");
    check(
        "dry_run",
        json!({"tool": "review", "arguments": {"scope": "x"}}),
        "arguments.scope",
    );
}

#[test]
fn absent_and_null_arguments_are_none() {
    let mut host = Host::legacy();
    for arguments in [
        "",
        r#","arguments":null"#,
        r#","arguments":{}"#,
        r#","arguments":{"topic":null}"#,
    ] {
        host.send(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"status"{arguments}}}}}"#
        ));
        let answer = host.read().unwrap();
        assert_eq!(answer["result"]["isError"], false, "{arguments}: {answer}");
    }
}

#[test]
fn the_last_of_two_equal_arguments_counts() {
    let mut host = Host::legacy();
    host.send(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"consult","arguments":{"prompt":"a","prompt":"b"}}}"#,
    );
    assert_eq!(host.read().unwrap()["result"]["structuredContent"]["said"], "b");
}

#[test]
fn an_unknown_tool_is_named_with_those_that_exist() {
    let mut host = Host::legacy();
    let answer = host.ask(&tool_call(&json!(1), "codex\nreview", &json!({})));
    assert_eq!(answer["error"]["code"], -32602);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`codex review`") && message.contains("consult, delegate, dry_run, job"),
        "{message}"
    );
    assert_eq!(answer["error"]["data"]["tools"].as_array().map(Vec::len), Some(8));
}

#[test]
fn the_list_on_the_wire_is_within_its_budget() {
    let mut host = Host::legacy();
    host.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let mut line = String::new();
    host.output.as_mut().unwrap().read_line(&mut line).unwrap();
    assert!(line.len() <= 12_000, "{} bytes", line.len());
    let answer: Value = serde_json::from_str(&line).unwrap();
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "apply", "cancel", "consult", "delegate", "dry_run", "job", "review", "status"
        ]
    );
    assert!(tools.iter().all(|tool| tool.get("outputSchema").is_none()));
}

#[test]
fn a_panic_is_answered_and_stays_alone() {
    let mut host = Host::legacy();
    for prompt in ["panic", "panic_later"] {
        let result = host.call("consult", &json!({"prompt": prompt}));
        assert_eq!(result["isError"], true);
        assert_eq!(result["structuredContent"]["error"]["code"], "internal");
        assert!(!result.to_string().contains("told to"));
        host.is_well();
    }
}

#[test]
fn a_result_over_the_limit_becomes_a_failure() {
    let mut host = Host::legacy();
    let result = host.call("consult", &json!({"prompt": format!("big {}", 17 * 1024 * 1024)}));
    assert_eq!(result["structuredContent"]["error"]["code"], "internal");
    host.is_well();
}

#[test]
fn a_cancelled_call_learns_why_and_is_not_answered() {
    let check = |id: Value, named: Value, reason: &str, expected: Option<CancelReason>| {
        let mut host = Host::legacy();
        host.send(&tool_call(&id, "consult", &json!({"prompt": "wait"})).to_string());
        host.send(&cancel(&named, reason));
        let stub = host.stub.clone();
        if let Some(expected) = expected {
            eventually("the call is given up", || {
                stub.cancelled.lock().unwrap().as_slice() == [expected]
            });
        }
        host.is_well();
        let said = host.hang_up();
        let answered = said.iter().any(|message| message["id"] == id);
        assert_eq!(answered, expected.is_none(), "{said:?}");
    };
    check(
        json!(7),
        json!(7),
        "AbortError: user-cancel",
        Some(CancelReason::User),
    );
    check(
        json!("a"),
        json!("a"),
        "McpError: MCP error -32001: Request timed out",
        Some(CancelReason::Other),
    );
    // A number and a text are different ids.
    check(json!(7), json!("7"), "AbortError: user-cancel", None);
}

#[test]
fn progress_rises_in_order_before_the_answer_and_never_after() {
    let check = |token: Value| {
        let mut host = Host::legacy();
        let mut call = tool_call(&json!(1), "consult", &json!({"prompt": "progress 20"}));
        call["params"]["_meta"] = json!({"progressToken": token});
        host.send(&call.to_string());
        for step in 1..=20 {
            let told = host.read().unwrap();
            assert_eq!(told["method"], "notifications/progress", "{told}");
            assert_eq!(told["params"]["progressToken"], token);
            assert_eq!(told["params"]["progress"], step);
            assert_eq!(told["params"]["message"], format!("step {} of \"20\"", step - 1));
            assert!(told["params"].get("total").is_none());
        }
        assert_eq!(host.read().unwrap()["id"], 1);
        let sink = host.stub.sink.lock().unwrap().clone().expect("a sink");
        sink.send("too late");
        host.is_well();
    };
    check(json!(5));
    check(json!("token"));
}

#[test]
fn nobody_asked_means_no_progress() {
    let mut host = Host::legacy();
    host.call("consult", &json!({"prompt": "progress 3"}));
    assert!(host.stub.sink.lock().unwrap().is_none());
}

#[test]
fn what_the_host_says_about_a_call_reaches_it() {
    let mut host = Host::legacy();
    let mut call = tool_call(&json!(1), "status", &json!({}));
    call["params"]["_meta"] =
        json!({"claudecode/toolUseId": "toolu_1", "threadId": "t-1", "traceparent": "00-x"});
    let answer = host.ask(&call);
    let structured = &answer["result"]["structuredContent"];
    assert_eq!(structured["tool_use_id"], "toolu_1");
    assert_eq!(structured["host_thread"], "t-1");
}

#[test]
fn request_ids_differ() {
    let mut host = Host::legacy();
    let ids: HashSet<String> = (0..10)
        .map(|_| host.call("status", &json!({}))["structuredContent"]["meta"]["request_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 10);
}

#[test]
fn waiting_calls_run_side_by_side() {
    let mut host = Host::legacy();
    let start = Instant::now();
    for id in 0..64 {
        host.send(&tool_call(&json!(id), "consult", &json!({"prompt": "sleep 200"})).to_string());
    }
    let ids: HashSet<u64> = (0..64)
        .map(|_| host.read().unwrap()["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), 64);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn waiting_calls_never_keep_a_quick_one_waiting() {
    let mut host = Host::legacy();
    for id in 0..600 {
        host.send(&tool_call(&json!(id), "consult", &json!({"prompt": "wait"})).to_string());
    }
    // 512 wait; the others are refused at once.
    for _ in 512..600 {
        let answer = host.read().unwrap();
        assert_eq!(
            answer["result"]["structuredContent"]["error"]["code"], "too_many_jobs",
            "{answer}"
        );
    }
    let answer = host.ask(&tool_call(&json!("quick"), "status", &json!({})));
    assert_eq!(answer["id"], "quick");
    host.is_well();
}

#[test]
fn two_calls_with_one_id_break_nothing() {
    let mut host = Host::legacy();
    host.send(&tool_call(&json!(1), "consult", &json!({"prompt": "sleep 50"})).to_string());
    host.send(&tool_call(&json!(1), "consult", &json!({"prompt": "sleep 100"})).to_string());
    let answer = host.read().unwrap();
    assert_eq!(
        (&answer["id"], &answer["result"]["structuredContent"]["said"]),
        (&json!(1), &json!("sleep"))
    );
    host.is_well();
}

#[test]
fn a_flood_of_calls_is_answered_one_by_one() {
    const CALLS: u64 = 10_000;
    const IN_FLIGHT: u64 = 64;
    let mut host = Host::legacy();
    let line = |id: u64| {
        format!(
            "{}\n",
            tool_call(&json!(id), "status", &json!({"topic": "errors"}))
        )
    };
    for id in 0..IN_FLIGHT {
        host.send_bytes(line(id).as_bytes());
    }
    let mut seen = HashSet::new();
    for next in IN_FLIGHT..CALLS + IN_FLIGHT {
        let answer = host.read().unwrap();
        assert_eq!(answer["result"]["isError"], false);
        assert!(seen.insert(answer["id"].as_u64().unwrap()));
        if next < CALLS {
            host.send_bytes(line(next).as_bytes());
        }
    }
    assert_eq!(seen.len() as u64, CALLS);
}

#[test]
fn a_host_that_does_not_read_holds_the_work_back() {
    const CALLS: usize = 4000;
    let mut host = Host::legacy();
    let mut input = host.input.take().unwrap();
    let text = "x".repeat(10_000);
    let sender = std::thread::spawn(move || {
        for id in 0..CALLS {
            let call = tool_call(
                &json!(id),
                "dry_run",
                &json!({"tool": "consult", "arguments": {"prompt": text}}),
            );
            if writeln!(input, "{call}").is_err() {
                break;
            }
        }
        input
    });
    // What is done settles far below what was asked: answers of 10 kB wait in bounded queues.
    let mut last = (usize::MAX, Instant::now());
    eventually("the work stops", || {
        let done = host.stub.done.load(Ordering::SeqCst);
        if done != last.0 {
            last = (done, Instant::now());
        }
        done > 0 && last.1.elapsed() > Duration::from_millis(300)
    });
    let done = host.stub.done.load(Ordering::SeqCst);
    assert!(done < 500, "{done} calls were done for a host that reads nothing");
    for _ in 0..CALLS {
        assert_eq!(host.read().unwrap()["result"]["isError"], false);
    }
    host.input = Some(sender.join().unwrap());
    host.is_well();
}
