//! Cases that come out alike.

use serde_json::{Value, json};

use crate::column::{Column, Model, columns, report};
use crate::support::model::wait_until;
use crate::world::{claim, peers_of, review_answer};

/// Runs a case for each column.
#[expect(clippy::print_stderr, reason = "which column it was is told with a failure")]
fn check(model: &Model, case: impl Fn(&Column)) {
    for column in columns(model) {
        let column = column.with_change();
        eprintln!("column: {}", column.name());
        case(&column);
    }
}

#[test]
fn a_question_is_answered_and_gone_on_from() {
    check(&Model::Answers(json!({"answer": "Yes."})), |column| {
        let mut server = column.server();
        // The shape of plain text is the codex model's own.
        let first = server.ok(
            "consult",
            &json!({"prompt": "Is this right? [[fake:plain text=\"Yes.\"]]"}),
        );
        assert_eq!(first["answer"], "Yes.", "{first:#}");
        assert_eq!(first["meta"]["peer"], column.peer.as_str());
        assert_eq!(first["job"]["state"], "succeeded");
        assert!(first["meta"]["usage"]["input"].as_u64().unwrap() > 0, "{first:#}");
        assert!(
            first["summary"]
                .as_str()
                .unwrap()
                .starts_with(column.peer.as_str()),
            "{first:#}"
        );

        let again = json!({"prompt": "And now? [[fake:plain text=\"Yes.\"]]", "resume": first["job"]["id"]});
        let second = server.ok("consult", &again);
        assert_eq!(second["meta"]["thread"], first["meta"]["thread"]);
        assert_eq!(
            second["meta"]["usage"], first["meta"]["usage"],
            "tokens are those of the run alone"
        );
        assert!(column.told().contains("Is this right?") && column.told().contains("And now?"));
    });
}

#[test]
fn a_review_is_structured_and_its_places_are_checked() {
    let answer = review_answer("fail", &[claim("high", "src/lib.rs", 2, "a - b")]);
    check(&Model::Answers(answer), |column| {
        // One look: this model has one answer, which is none to a verifier.
        let review = column.server().ok("review", &json!({"depth": "quick"}));
        assert_eq!(review["verdict"], "fail", "{review:#}");
        assert_eq!(review["findings"][0]["anchor"], "exact", "{review:#}");
        assert_eq!(review["meta"]["peer"], column.peer.as_str());
        assert!(column.told().contains("a - b"));
    });
}

#[test]
fn a_garbled_answer_is_asked_for_once_more_and_then_told() {
    check(&Model::Garbage, |column| {
        let fault = column.server().fault("review", &json!({}), "peer_bad_output");
        assert!(fault["job"]["id"].is_string(), "{fault:#}");
        assert!(column.asked() >= 2, "{} was asked once", column.name());
    });
}

#[test]
fn a_task_comes_back_as_a_diff_and_lands() {
    check(&Model::Writes("new.txt", "here"), |column| {
        let mut server = column.server();
        let task = json!({"task": "Make new.txt.", "wait_s": 60});
        let done = server.ok("delegate", &task);
        assert_eq!(done["job"]["state"], "succeeded", "{done:#}");
        assert_eq!(done["changed"][0]["path"], "new.txt", "{done:#}");
        assert!(!column.world.work().join("new.txt").exists());
        let id = done["job"]["id"].clone();
        let preview = server.ok("dry_run", &json!({"tool": "apply", "arguments": {"id": id}}));
        let landed = server.ok(
            "apply",
            &json!({"id": id, "action": "land", "token": preview["token"]}),
        );
        assert!(landed["summary"].is_string());
        let text = std::fs::read_to_string(column.world.work().join("new.txt")).unwrap();
        assert_eq!(text.trim_end(), "here");
        assert_eq!(column.world.git(&["status", "--short", "new.txt"]), "?? new.txt");
    });
}

#[test]
fn a_task_is_gone_on_from_in_its_thread_on_its_own_result() {
    check(&Model::Writes("new.txt", "here"), |column| {
        let mut server = column.server();
        let first = server.ok("delegate", &json!({"task": "Make new.txt.", "wait_s": 60}));
        let again = json!({"task": "Go on.", "resume": first["job"]["id"], "wait_s": 60});
        let second = server.ok("delegate", &again);
        assert_eq!(second["meta"]["thread"], first["meta"]["thread"], "{second:#}");
        assert_eq!(second["job"]["state"], "succeeded", "{second:#}");
    });
}

#[test]
fn a_cancelled_job_leaves_nothing_running_and_can_be_gone_on_from() {
    check(&Model::Silence, |column| {
        let mut server = column.server();
        let started = server.ok("consult", &json!({"prompt": "Think.", "background": true}));
        let id = started["job"]["id"].as_str().unwrap().to_owned();
        wait_until("a request", || column.asked() >= 1);
        let pids = peers_of(&column.world.job(&id));
        assert_eq!(pids.len(), 1);
        let ended = server.ok("cancel", &json!({"id": id}));
        assert_eq!(ended["job"]["state"], "cancelled", "{ended:#}");
        assert_eq!(ended["leaked"], json!([]));
        for pid in pids {
            assert!(!crate::world::is_alive(pid), "{} lives", column.name());
        }
        assert!(ended["meta"]["thread"].is_string(), "{ended:#}");
    });
}

#[test]
fn who_is_logged_out_hears_how_to_log_in() {
    check(&Model::LoggedOut, |column| {
        let fault = column
            .server()
            .fault("consult", &json!({"prompt": "x"}), "peer_not_authenticated");
        let hint = fault["error"]["repair"]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("{} ", column.peer)), "{hint}");
    });
}

#[test]
fn a_used_up_account_is_told_as_one() {
    check(&Model::OverLimit, |column| {
        let fault = column
            .server()
            .fault("consult", &json!({"prompt": "x"}), "peer_usage_limit");
        assert_eq!(fault["error"]["retryable"], true, "{fault:#}");
    });
}

#[test]
fn a_preview_names_the_peer_and_asks_nobody() {
    check(&Model::Answers(report()), |column| {
        let mut server = column.server();
        for (tool, arguments) in [
            ("consult", json!({"prompt": "x"})),
            ("review", json!({})),
            ("delegate", json!({"task": "x"})),
        ] {
            let preview = server.ok("dry_run", &json!({"tool": tool, "arguments": arguments}));
            let summary = preview["summary"].as_str().unwrap();
            assert!(summary.contains(&format!("to {} ", column.peer)), "{summary}");
            let program = preview["would_run"]["program"].as_str().unwrap();
            assert!(program.contains(column.peer.as_str()), "{program}");
        }
        assert_eq!(column.asked(), 0);
        assert!(column.world.jobs().is_empty());
    });
}

#[test]
fn the_same_tools_name_their_peer() {
    check(&Model::Answers(report()), |column| {
        let mut server = column.server();
        let id = server.request("tools/list", &json!({}));
        let answer = server.answer(id);
        let tools = answer["result"]["tools"].as_array().unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "apply", "cancel", "consult", "delegate", "dry_run", "job", "review", "status"
            ]
        );
        let other = if column.peer.as_str() == "codex" {
            "Claude"
        } else {
            "Codex"
        };
        for tool in tools {
            let text = tool.to_string();
            assert!(!text.contains(other), "{text}");
        }
        let text = Value::Array(tools.clone()).to_string();
        assert!(text.len() <= 12_000, "{} bytes", text.len());
        let status = server.ok("status", &json!({}));
        assert_eq!(status["ready"], true, "{status:#}");
        assert_eq!(status[column.peer.as_str()]["found"], true, "{status:#}");
    });
}

#[test]
fn a_job_of_one_peer_is_read_by_a_server_of_the_other_and_not_gone_on_from() {
    check(&Model::Answers(json!({"answer": "Yes."})), |column| {
        let first = column
            .server()
            .ok("consult", &json!({"prompt": "x [[fake:plain text=\"Yes.\"]]"}));
        let other = if column.peer.as_str() == "codex" {
            "claude"
        } else {
            "codex"
        };
        let mut server = column.world.server_asking(other);
        let read = server.ok("job", &json!({"id": first["job"]["id"]}));
        assert_eq!(read["meta"]["peer"], column.peer.as_str());
        let arguments = json!({"prompt": "x", "resume": first["job"]["id"]});
        let fault = server.fault("consult", &arguments, "invalid_arguments");
        assert_eq!(fault["error"]["field"], "resume");
    });
}

#[test]
fn a_deadline_ends_a_run_and_keeps_its_thread() {
    check(&Model::Silence, |column| {
        let mut server = column.server();
        let arguments = json!({"prompt": "Think.", "options": {"timeout_s": 10}});
        let fault = server.fault("consult", &arguments, "timed_out");
        assert_eq!(fault["job"]["state"], "timed_out", "{fault:#}");
        let shown = server.ok("job", &json!({"id": fault["job"]["id"], "detail": "full"}));
        assert!(shown["result"]["thread"].is_string(), "{shown:#}");
        let id = fault["job"]["id"].as_str().unwrap();
        for pid in peers_of(&column.world.job(id)) {
            assert!(!crate::world::is_alive(pid), "{} lives", column.name());
        }
    });
}

#[test]
fn several_tasks_run_side_by_side_and_each_lands() {
    check(&Model::Writes("new.txt", "here"), |column| {
        let mut server = column.server();
        let tasks = json!({"wait_s": 120, "options": {"concurrency": 2}, "tasks": [
            {"id": "one", "task": "Make new.txt.", "allowed_paths": ["new.txt"]},
            {"id": "two", "task": "Make new.txt too.", "allowed_paths": ["other/**"]},
        ]});
        let group = server.ok("delegate", &tasks);
        let runs = group["tasks"].as_array().unwrap_or_else(|| panic!("{group:#}"));
        assert_eq!(runs.len(), 2, "{group:#}");
        let text = group.to_string();
        assert!(text.contains("new.txt") && text.contains("outside"), "{group:#}");
        assert_eq!(column.world.jobs().len(), 2);
        for job in column.world.jobs() {
            let spec = std::fs::read_to_string(job.join("spec.json")).unwrap();
            let spec: Value = serde_json::from_str(&spec).unwrap();
            assert_eq!((&spec["slots"], &spec["kind"]), (&json!(2), &json!("delegate")));
        }
        assert!(!column.world.work().join("new.txt").exists());
    });
}

#[test]
fn a_task_in_place_needs_the_users_word_and_is_taken_back() {
    check(&Model::Writes("new.txt", "here"), |column| {
        let mut server = column.server();
        let task = json!({"task": "Make new.txt.", "wait_s": 60, "options": {"in_place": true}});
        server.fault("delegate", &task, "policy_denied");
        column
            .world
            .configure("[env]\npass = [\"FAKE_KEY\"]\n[allow]\nin_place = true\n");
        let done = server.ok("delegate", &task);
        assert_eq!(done["changed"][0]["path"], "new.txt", "{done:#}");
        let file = column.world.work().join("new.txt");
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), "here");
        server.ok("apply", &json!({"id": done["job"]["id"], "action": "undo"}));
        assert!(!file.exists());
    });
}

#[test]
fn the_web_is_searched_only_where_the_user_and_the_call_say_so() {
    check(&Model::Answers(json!({"answer": "Yes."})), |column| {
        let search = || {
            // codex's model is offered `web_search`, claude's `WebSearch`.
            let last = match &column.messages {
                Some(messages) => messages.requests().pop().unwrap(),
                None => column.world.model.turns().last().unwrap().body.clone(),
            };
            let tools = last["tools"].to_string();
            tools.contains("web_search") || tools.contains("WebSearch")
        };
        let mut server = column.server();
        let plain = json!({"prompt": "x [[fake:plain text=\"Yes.\"]]"});
        let asked = json!({"prompt": "y [[fake:plain text=\"Yes.\"]]", "options": {"web_search": true}});
        server.fault("consult", &asked, "policy_denied");
        column
            .world
            .configure("[env]\npass = [\"FAKE_KEY\"]\n[allow]\nweb_search = true\n");
        server.ok("consult", &plain);
        assert!(!search(), "{}", column.name());
        server.ok("consult", &asked);
        assert!(search(), "{}", column.name());
    });
}
