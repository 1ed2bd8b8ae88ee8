//! The real peers against the scripted models: what the model server sends is what the peers understand.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use crosscheck::diff::parse::parse_patch;
use crosscheck::diff::render::render;
use crosscheck::model::Quota;
use crosscheck::model::demo::{DemoScript, files};
use serde_json::{Value, json};

use support::home::Home;
use support::messages::{self, Answer, FakeMessages};
use support::model::FakeModel;
use support::peers;
use support::run::{Finished, finish};
use support::scripts::Scripted;

mod support;

/// Runs the real codex once in a world of its own and returns how it ended.
fn exec(home: &Home, arguments: &[&str], prompt: &str) -> Finished {
    let mut command = home.command(peers::codex());
    command.args(["exec", "--json", "--skip-git-repo-check"]);
    if !arguments.contains(&"-s") {
        command.args(["-s", "read-only"]);
    }
    command
        .args(["-c", "features.unbounded_connection_retries=false"])
        .args(arguments);
    finish(command, prompt)
}

fn answer(finished: &Finished) -> String {
    let events = finished.events();
    let mut messages = events
        .iter()
        .filter(|event| event["item"]["type"] == "agent_message");
    let text = messages
        .next_back()
        .and_then(|event| event["item"]["text"].as_str());
    text.unwrap_or_else(|| panic!("no answer: {finished:#?}"))
        .to_owned()
}

#[test]
fn a_plain_answer_arrives_with_its_usage() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let finished = exec(&home, &["-"], "hello");
    assert!(finished.status.success(), "{finished:#?}");
    assert_eq!(answer(&finished), "Hello from the fake model.");
    let usage = finished.event("turn.completed")["usage"].clone();
    assert_eq!(
        (&usage["input_tokens"], &usage["cached_input_tokens"]),
        (&json!(120), &json!(20))
    );
    let turns = model.turns();
    assert_eq!(turns.len(), 1);
    assert_eq!(
        turns[0].header("authorization"),
        Some(format!("Bearer {}", support::home::FAKE_KEY).as_str())
    );
}

#[test]
fn a_schema_that_is_asked_for_is_satisfied() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["verdict", "notes"],
        "properties": {"verdict": {"enum": ["pass", "fail"]}, "notes": {"type": "array", "items": {"type": "string"}}}});
    let file = home.private().join("schema.json");
    fs::write(&file, schema.to_string()).unwrap();
    let finished = exec(&home, &["--output-schema", file.to_str().unwrap(), "-"], "hello");
    let answer: Value = serde_json::from_str(&answer(&finished)).unwrap();
    assert_eq!(answer, json!({"verdict": "pass", "notes": ["demo notes"]}));
}

#[test]
fn a_command_is_run_and_its_output_comes_back() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    fs::write(home.work().join("a-file.txt"), "x").unwrap();
    let finished = exec(&home, &["-"], r#"look [[fake:shell cmd="ls; sleep 0.5"]]"#);
    assert!(finished.status.success(), "{finished:#?}");
    assert!(answer(&finished).contains("a-file.txt"), "{finished:#?}");
    assert_eq!(model.turns().len(), 2);
}

#[test]
fn failures_reach_the_peer_as_what_they_are() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let check = |behaviour: &str, expected: &str| {
        let finished = exec(&home, &["-"], &format!("hello [[fake:{behaviour}]]"));
        assert_eq!(finished.status.code(), Some(1), "{behaviour}: {finished:#?}");
        let message = finished.event("turn.failed")["error"]["message"].to_string();
        assert!(message.contains(expected), "{behaviour}: {message}");
    };
    check("usage_limit resets_in=3600", "hit your usage limit");
    check(
        "unauthorized",
        "unexpected status 401 Unauthorized: Incorrect API key provided",
    );
    check("disconnect", "stream disconnected before completion");
    check("disconnect reset=1", "stream disconnected before completion");
    check("no_completed", "stream closed before response.completed");
    check("failed code=server_is_overloaded", "at capacity");
    check("context", "ran out of room");
    check(
        "incomplete",
        "Incomplete response returned, reason: max_output_tokens",
    );
    check(
        "model_not_found",
        "does not exist or you do not have access to it",
    );
}

#[test]
fn a_thread_is_resumed_with_its_history() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let first = exec(&home, &["-"], "[[fake:plain text=\"first answer\"]]");
    let thread = first.event("thread.started")["thread_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let second = exec(&home, &["resume", &thread, "-"], "go on");
    assert_eq!(second.event("thread.started")["thread_id"], json!(thread));
    assert_eq!(answer(&second), "Hello from the fake model.");
    let history = model.turns()[1].body["input"].to_string();
    assert!(history.contains("first answer"), "{history}");
}

#[test]
fn a_bad_answer_is_followed_by_a_good_one_in_the_turn_that_repairs_it() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["ok"],
        "properties": {"ok": {"type": "boolean"}}});
    let check = |script: Scripted, prompt: &str| {
        let model = FakeModel::start(script);
        let home = Home::new(&model.base_url());
        let file = home.private().join("schema.json");
        fs::write(&file, schema.to_string()).unwrap();
        let schema = ["--output-schema", file.to_str().unwrap()];
        let first = exec(&home, &[schema[0], schema[1], "-"], prompt);
        assert!(first.status.success() && serde_json::from_str::<Value>(&answer(&first)).is_err());
        let thread = first.event("thread.started")["thread_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let second = exec(
            &home,
            &["resume", schema[0], schema[1], &thread, "-"],
            "Send it again as JSON.",
        );
        assert_eq!(answer(&second), r#"{"ok":true}"#);
    };
    check(Scripted::well(), "hello [[fake:badjson]]");
    check(Scripted::fixed("badjson fenced=1 then=good"), "hello");
}

#[test]
fn an_answer_without_words_is_a_success_of_the_peer() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    for behaviour in ["empty", "refusal"] {
        let finished = exec(&home, &["-"], &format!("hello [[fake:{behaviour}]]"));
        assert!(finished.status.success(), "{finished:#?}");
        assert!(!finished.stdout.contains("agent_message"), "{finished:#?}");
    }
}

#[test]
fn a_model_in_code_mode_runs_its_command_too() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let finished = exec(
        &home,
        &["-m", "gpt-6.1-sol", "-"],
        r#"look [[fake:shell cmd="echo one; sleep 0.5"]]"#,
    );
    let events = finished.events();
    let command = events
        .iter()
        .find(|event| event["item"]["type"] == "command_execution" && event["type"] == "item.completed");
    assert_eq!(
        command.map(|event| &event["item"]["aggregated_output"]),
        Some(&json!("one\n")),
        "{finished:#?}"
    );
    assert!(model.turns()[0].body.get("tools").is_none());
}

#[test]
fn a_patch_is_applied() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url());
    let finished = exec(
        &home,
        &["-s", "workspace-write", "-"],
        r#"do [[fake:patch file=new.txt text="a line"]]"#,
    );
    assert_eq!(
        fs::read_to_string(home.work().join("new.txt")).unwrap(),
        "a line\n",
        "{finished:#?}"
    );
}

#[test]
fn a_failure_that_passes_is_tried_again() {
    let model = FakeModel::start(Scripted::well());
    let provider = format!(
        "name = \"fake\"\nbase_url = \"{}\"\nenv_key = \"FAKE_KEY\"\n",
        model.base_url()
    );
    let home = Home::with_provider(&provider, "", "");
    for behaviour in ["http status=503 times=1", "disconnect times=1"] {
        let before = model.turns().len();
        let finished = exec(&home, &["-"], &format!("hello [[fake:{behaviour}]]"));
        assert_eq!(answer(&finished), "Hello from the fake model.");
        assert_eq!(model.turns().len() - before, 2);
    }
}

#[test]
fn codex_gives_up_its_web_socket_at_once() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::new(&model.base_url()).with_variable("CODEX_API_KEY", "sk-test-dummy");
    let base_url = format!("openai_base_url={:?}", model.base_url());
    let finished = exec(
        &home,
        &["-c", "model_provider=\"openai\"", "-c", &base_url, "-"],
        "hello",
    );
    assert_eq!(answer(&finished), "Hello from the fake model.");
    let requests = model.requests();
    let sockets = requests
        .iter()
        .filter(|request| request.header("upgrade").is_some())
        .count();
    assert_eq!((sockets, model.turns().len()), (1, 1));
}

#[test]
fn a_peer_that_is_killed_leaves_no_connection_behind() {
    let model = FakeModel::start(Scripted::fixed("stall"));
    let home = Home::new(&model.base_url());
    let mut command = home.command(peers::codex());
    command.args([
        "exec",
        "--json",
        "-s",
        "read-only",
        "--skip-git-repo-check",
        "hello",
    ]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    model.wait_for_turns(1);
    child.kill().unwrap();
    child.wait().unwrap();
    model.wait_for_gone_client();
}

#[test]
fn a_login_with_dummy_tokens_works_without_leaving_loopback() {
    let model = FakeModel::start(Scripted::well());
    let home = Home::logged_in(&model.origin());
    let finished = exec(&home, &["-"], "hello");
    assert_eq!(answer(&finished), "Hello from the fake model.");
    assert_eq!(model.turns()[0].header("chatgpt-account-id"), Some("acct-demo"));
}

#[test]
fn the_quota_that_a_script_names_is_what_codex_reports() {
    let mut quota = Quota::default();
    quota.primary.used_percent = 77;
    let model = FakeModel::start(Scripted::well().with_quota(quota));
    let home = Home::logged_in(&model.origin());
    let mut command = home.command(peers::codex());
    command
        .arg("app-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let info = json!({"clientInfo": {"name": "test", "title": null, "version": "0"}});
    for request in [
        json!({"id": 1, "method": "initialize", "params": info}),
        json!({"method": "initialized"}),
        json!({"id": 2, "method": "account/rateLimits/read"}),
    ] {
        writeln!(stdin, "{request}").unwrap();
    }
    // Closing stdin before the answer would end the app server without one.
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answer = lines
        .map_while(Result::ok)
        .find(|line| line.contains("\"id\":2"))
        .unwrap();
    drop(stdin);
    child.kill().unwrap();
    child.wait().unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let primary = &answer["result"]["rateLimits"]["primary"];
    assert_eq!(
        (&primary["usedPercent"], &primary["windowDurationMins"]),
        (&json!(77), &json!(300)),
        "{answer}"
    );
    assert!(model.turns().is_empty());
}

/// Runs git in `directory` and returns what it printed.
fn git(home: &Home, directory: &Path, arguments: &[&str]) -> String {
    let mut command = home.command("git");
    command
        .args(["-c", "user.name=Demo", "-c", "user.email=demo@example.invalid"])
        .args(arguments);
    command.current_dir(directory);
    let finished = finish(command, "");
    assert!(finished.status.success(), "git {arguments:?}: {finished:#?}");
    finished.stdout
}

#[test]
fn the_demo_finds_its_defects_in_a_real_diff_through_the_real_codex() {
    let model = FakeModel::start(DemoScript);
    let home = Home::new(&model.base_url());
    let work = home.work();
    git(&home, &work, &["init", "--quiet"]);
    for file in files() {
        write_demo(&work, file.path, file.before);
    }
    git(&home, &work, &["add", "--all"]);
    git(
        &home,
        &work,
        &["commit", "--quiet", "--message", "The shop as it was"],
    );
    for file in files() {
        write_demo(&work, file.path, file.after);
    }
    git(&home, &work, &["add", "--all"]);
    let diff = git(&home, &work, &["diff", "--cached"]);

    let text = json!({"type": "string"});
    let finding = json!({"type": "object", "additionalProperties": false, "required": ["file", "line", "evidence"],
        "properties": {"file": text, "line": {"type": "integer"}, "evidence": text}});
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["verdict", "findings"],
        "properties": {"verdict": {"enum": ["pass", "concerns", "fail"]},
            "findings": {"type": "array", "items": finding}}});
    let schema_file = home.private().join("schema.json");
    fs::write(&schema_file, schema.to_string()).unwrap();
    let rendered = render(&parse_patch(diff.as_bytes()).unwrap()).text;
    let prompt = format!("Review this change.\n<diff>\n{rendered}</diff>\nBe brief.");
    let finished = exec(
        &home,
        &["--output-schema", schema_file.to_str().unwrap(), "-"],
        &prompt,
    );
    let review: Value = serde_json::from_str(&answer(&finished)).unwrap();
    assert!(jsonschema::is_valid(&schema, &review), "{review:#}");
    let findings = review["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &review["verdict"]), (3, &json!("fail")));
    for finding in findings {
        let content = fs::read_to_string(work.join(finding["file"].as_str().unwrap())).unwrap();
        let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
        assert_eq!(content.lines().nth(line - 1).unwrap().trim(), finding["evidence"]);
    }
    assert_eq!(model.turns().len(), 2, "one command, then the answer");
}

/// Writes one file of the demo, or deletes it when it has no content.
fn write_demo(root: &Path, path: &str, content: Option<&str>) {
    let path = root.join(path);
    match content {
        Some(content) => {
            let folder = path.parent().expect("a file lies in a folder");
            fs::create_dir_all(folder).expect("the workspace is writable");
            fs::write(path, content).expect("the workspace is writable");
        }
        None if path.exists() => fs::remove_file(path).expect("the workspace is writable"),
        None => {}
    }
}

/// Runs the real Claude Code once without a terminal and returns its last event.
fn claude(binary: &Path, api: &FakeMessages, arguments: &[&str], prompt: &str) -> Value {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut command = home.claude_command(binary, &api.url());
    command
        .args(["-p", "--output-format", "stream-json", "--verbose"])
        .args(arguments);
    finish(command, prompt).event("result")
}

#[test]
fn claude_code_gets_its_answer() {
    let api = FakeMessages::start(|_| Answer::text("Hello from the fake model."));
    let result = claude(&peers::claude_197(), &api, &["--tools", ""], "hello");
    assert_eq!(result["result"], json!("Hello from the fake model."));
    let requests = api.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0]["messages"].to_string().contains("hello"),
        "{}",
        requests[0]
    );
}

#[test]
fn claude_code_calls_a_tool_and_sends_its_result() {
    let api = FakeMessages::start(|request| match messages::tool_results(request).last() {
        Some(result) => Answer::text(&format!("read: {}", messages::flat(&result["content"]))),
        None => Answer::Blocks(vec![messages::tool_use("Glob", &json!({"pattern": "*.none"}))]),
    });
    let result = claude(
        &peers::claude_197(),
        &api,
        &["--tools", "Read,Grep,Glob"],
        "hello",
    );
    assert_eq!(result["result"], json!("read: No files found"));
    assert_eq!(api.requests().len(), 2);
}

#[test]
fn claude_code_reports_an_error_of_the_api() {
    let api = FakeMessages::start(|_| Answer::error(401, "authentication_error", "invalid x-api-key"));
    let result = claude(&peers::claude_197(), &api, &["--tools", ""], "hello");
    assert_eq!(
        (&result["is_error"], &result["api_error_status"]),
        (&json!(true), &json!(401))
    );
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn the_newest_claude_code_gets_its_answer_too() {
    let api = FakeMessages::start(|_| Answer::text("Hello from the fake model."));
    let result = claude(&peers::claude_newest(), &api, &["--tools", ""], "hello");
    assert_eq!(result["result"], json!("Hello from the fake model."));
}
