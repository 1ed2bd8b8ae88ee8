//! What is true of claude alone: how its failures are told, what bounds it, and what it costs.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::column::{Column, Model, said};
use crate::support::messages::{Answer, FakeMessages, tool_names, tool_results, tool_use};
use crate::support::model::wait_until;
use crate::support::peers;

fn versions() -> [PathBuf; 2] {
    [peers::claude_197(), peers::claude_newest()]
}

#[test]
fn every_failure_of_claude_is_classified() {
    for program in versions() {
        let check = |answer: Answer, code: &str| {
            let column = Column::claude_with(program.clone(), false, move |_| answer.clone());
            let fault = column.server().fault("consult", &json!({"prompt": "x"}), code);
            let hint = fault["error"]["repair"]["hint"].as_str().unwrap();
            assert!(!hint.contains("codex"), "{hint}");
        };
        let error = Answer::error;
        check(
            error(401, "authentication_error", "invalid x-api-key"),
            "peer_not_authenticated",
        );
        check(
            error(
                403,
                "permission_error",
                "OAuth authentication is currently not allowed for this organization.",
            ),
            "peer_not_authenticated",
        );
        check(error(429, "rate_limit_error", "Too many."), "peer_rate_limited");
        check(error(529, "overloaded_error", "Overloaded"), "peer_overloaded");
        check(
            error(500, "api_error", "Internal server error"),
            "peer_overloaded",
        );
        check(
            error(404, "not_found_error", "model: x"),
            "peer_model_unavailable",
        );
        check(
            error(
                400,
                "invalid_request_error",
                "prompt is too long: 208310 tokens > 200000 maximum",
            ),
            "peer_context_exceeded",
        );
    }
}

#[test]
fn a_used_up_subscription_tells_when_it_is_back() {
    for program in versions() {
        let limit = Answer::Error {
            status: 429,
            kind: "rate_limit_error",
            message: "limit".to_owned(),
            headers: [
                ("anthropic-ratelimit-unified-status", "rejected"),
                ("anthropic-ratelimit-unified-reset", "4102444800"),
                ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        };
        let mut column = Column::claude_with(program, true, move |_| limit.clone());
        let token = format!("sk-ant-oat01-{}", "dummy".repeat(5));
        column.world.home = column.world.home.with_variable("CLAUDE_CODE_OAUTH_TOKEN", token);
        let fault = column
            .server()
            .fault("consult", &json!({"prompt": "x"}), "peer_usage_limit");
        assert!(
            fault["error"]["message"].as_str().unwrap().contains("2100-01-01"),
            "{fault:#}"
        );
        assert!(fault["error"]["retry_after_ms"].as_u64().unwrap() > 0);
    }
}

#[test]
fn a_run_costs_what_claude_tells_and_no_more_than_it_may() {
    for program in versions() {
        let column = Column::claude_with(program, false, |request| {
            if tool_results(request).len() < 6 {
                return Answer::Blocks(vec![tool_use("Glob", &json!({"pattern": "*"}))]);
            }
            said(request, &json!({"answer": "Yes."}))
        })
        .with_change();
        let mut server = column.server();
        let told = server.ok("consult", &json!({"prompt": "x"}));
        assert!(told["meta"]["cost_usd"].as_f64().unwrap() > 0.0, "{told:#}");
        // Seven answers of nine tokens each way.
        assert_eq!(
            told["meta"]["usage"],
            json!({"input": 63, "cached": 0, "output": 63}),
            "{told:#}"
        );

        let turns = json!({"prompt": "x", "options": {"max_turns": 2}});
        server.fault("consult", &turns, "budget_exceeded");
        let money = json!({"prompt": "x", "options": {"budget_usd": 0.01}});
        server.ok("consult", &money);
        let fault = column
            .world
            .server()
            .fault("consult", &money, "invalid_arguments");
        assert_eq!(fault["error"]["field"], "options.budget_usd");
    }
}

#[test]
fn model_effort_and_thread_are_what_was_asked_for() {
    for program in versions() {
        let column = Column::claude(program, &Model::Answers(json!({"answer": "Yes."})));
        let arguments = json!({"prompt": "x", "model": "sonnet", "effort": "low"});
        let told = column.server().ok("consult", &arguments);
        let requests = column.messages.as_ref().unwrap().requests();
        assert!(
            requests[0]["model"].as_str().unwrap().contains("sonnet"),
            "{}",
            requests[0]["model"]
        );
        assert_eq!(requests[0]["output_config"]["effort"], "low");
        let tools = tool_names(&requests[0]);
        assert!(
            tools.contains(&"Read") && !tools.contains(&"Bash") && !tools.contains(&"Write"),
            "{tools:?}"
        );
        let thread = told["meta"]["thread"].as_str().unwrap();
        let spec = column
            .world
            .job(told["job"]["id"].as_str().unwrap())
            .join("spec.json");
        let spec: Value = serde_json::from_slice(&std::fs::read(spec).unwrap()).unwrap();
        assert_eq!(spec["peer"]["name"], "claude");
        assert_eq!(spec["version"], 2);
        assert_eq!(thread.len(), 36);
        assert_eq!(told["meta"]["tools"], "files");
        assert!(told["meta"].get("sandbox").is_none());
    }
}

#[test]
fn a_token_budget_ends_a_run() {
    for program in versions() {
        let column = Column::claude_with(program, false, |_| {
            Answer::Blocks(vec![tool_use("Glob", &json!({"pattern": "x".repeat(2000)}))])
        })
        .with_change();
        let arguments = json!({"prompt": "x", "options": {"budget_tokens": 1000}});
        let fault = column.server().fault("consult", &arguments, "budget_exceeded");
        assert!(fault["meta"]["usage"]["input"].as_u64().unwrap() > 0, "{fault:#}");
    }
}

#[test]
fn a_version_that_is_too_old_is_refused_unpaid() {
    let column = Column::claude(peers::claude_197(), &Model::Answers(json!({"answer": "Yes."})));
    let program = column.world.home.private().join("old-claude");
    std::fs::write(&program, "#!/bin/sh\necho '2.1.50 (Claude Code)'\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Column { world, messages, .. } = column;
    let home = world.home.with_variable("CROSSCHECK_CLAUDE_BIN", program);
    let column = Column {
        peer: crosscheck::domain::peer::Peer::Claude,
        world: crate::world::World { home, ..world },
        messages,
    };
    let fault = column
        .server()
        .fault("consult", &json!({"prompt": "x"}), "peer_version_unsupported");
    assert!(
        fault["error"]["message"]
            .as_str()
            .unwrap()
            .contains("claude 2.1.50"),
        "{fault:#}"
    );
    assert!(
        fault["error"]["repair"]["hint"]
            .as_str()
            .unwrap()
            .contains("@anthropic-ai/claude-code")
    );
    assert_eq!(column.asked(), 0);
}

/// Makes a world whose claude is a script that says it is newer than any tested one: `body` runs before the real program.
fn newer(body: &str) -> Column {
    let real = peers::claude_newest();
    let column = Column::claude(real.clone(), &Model::Answers(json!({"answer": "Yes."})));
    let program = column.world.home.private().join("newer-claude");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n--version) echo '2.9.0 (Claude Code)'; exit 0;;\nesac\n{body}\nexec '{}' \"$@\"\n",
        real.display()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Column {
        world,
        messages,
        peer,
    } = column;
    let home = world.home.with_variable("CROSSCHECK_CLAUDE_BIN", program);
    Column {
        peer,
        world: crate::world::World { home, ..world },
        messages,
    }
}

#[test]
fn a_newer_claude_proves_for_free_that_it_knows_every_flag() {
    let column = newer("");
    let told = column.server().ok("consult", &json!({"prompt": "x"}));
    let warnings = told["warnings"].to_string();
    assert!(
        warnings.contains("claude 2.9.0 is newer than any tested version"),
        "{warnings}"
    );
    assert_eq!(column.asked(), 1, "the check asked nobody");

    let column = newer(
        "case \"$*\" in\n*--safe-mode*) echo \"error: unknown option '--safe-mode'\" >&2; exit 1;;\nesac",
    );
    let fault = column
        .server()
        .fault("consult", &json!({"prompt": "x"}), "peer_contract_changed");
    assert!(
        fault["error"]["message"].as_str().unwrap().contains("read_flags"),
        "{fault:#}"
    );
    assert_eq!(column.asked(), 0);
}

#[test]
fn the_tested_versions_keep_the_contract() {
    for program in versions() {
        let column = Column::claude(program, &Model::Answers(json!({"answer": "Yes."})));
        let mut command = column.world.home.command(crate::world::PROGRAM);
        command.args(["--peer", "claude", "contract", "--json"]);
        let finished = crate::support::run::finish(command, "");
        let envelope: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(envelope["passed"], true, "{envelope:#}");
        assert_eq!(envelope["checks"].as_array().unwrap().len(), 3);
        assert_eq!(column.asked(), 0);
    }
}

#[test]
fn checks_of_a_claude_task_run_in_the_sandbox_of_codex() {
    let column = Column::claude(peers::claude_197(), &Model::Writes("new.txt", "here")).with_change();
    let arguments =
        json!({"task": "Make new.txt.", "checks": ["grep here new.txt", "touch ../beyond"], "wait_s": 60});
    let done = column.server().ok("delegate", &arguments);
    assert_eq!(done["checks"][0]["exit_code"], 0, "{done:#}");
    assert_ne!(done["checks"][1]["exit_code"], 0, "{done:#}");

    let Column {
        world,
        messages,
        peer,
    } = column;
    let home = world.home.with_variable("CROSSCHECK_CODEX_BIN", "/nowhere/codex");
    let column = Column {
        peer,
        world: crate::world::World { home, ..world },
        messages,
    };
    let asked = column.asked();
    let fault = column
        .server()
        .fault("delegate", &arguments, "sandbox_unavailable");
    assert!(
        fault["error"]["message"]
            .as_str()
            .unwrap()
            .contains("codex's sandbox"),
        "{fault:#}"
    );
    assert_eq!(column.asked(), asked);
}

#[test]
fn a_run_without_a_network_goes_on_when_it_is_back() {
    for program in versions() {
        // Nobody listens there until the run has noticed.
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = gone.local_addr().unwrap().port();
        drop(gone);
        let column = Column::claude_at(program, &format!("http://127.0.0.1:{port}"));
        let mut server = column.server();
        let started = server.ok(
            "consult",
            &json!({"prompt": "Is this right?", "background": true}),
        );
        let id = started["job"]["id"].as_str().unwrap().to_owned();
        let log = column.world.job(&id).join("events.jsonl");
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_until("a run that waits for the network", || text().contains("retrying"));
        let back = FakeMessages::start_at(port, |request| said(request, &json!({"answer": "Yes."})));
        let ended = server.ok("job", &json!({"id": id, "wait_s": 100}));
        assert_eq!(ended["answer"], "Yes.", "{ended:#}\n{}", text());
        assert!(
            back.requests()
                .iter()
                .any(|request| request.to_string().contains("Is this right?"))
        );
    }
}
