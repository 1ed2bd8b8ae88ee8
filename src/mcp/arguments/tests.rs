//! Tables of arguments and what becomes of them.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::fault::FaultCode;
use crate::domain::job::{JobName, JobState};
use crate::domain::request::{
    CancelRequest, Common, ConsultKind, ConsultRequest, Detail, DryRunRequest, JobRequest, Options, Resume,
    ReviewRequest, StateFilter, StatusRequest, Subject, ThreadId, Topic, Wait,
};
use crate::domain::review_plan::Depth;
use crate::domain::route::{Complexity, Task, TaskType};
use crate::domain::scope::{Revision, Scope};
use crate::domain::tier::Isolation;

const THREAD: &str = "019a0000-0000-7000-8000-000000000001";

pub(super) fn call(tool: &str, arguments: Value) -> Result<Request, Fault> {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object");
    };
    parse(tool, Some(arguments))
}

fn consult(prompt: &str) -> ConsultRequest {
    ConsultRequest {
        prompt: prompt.to_owned(),
        kind: ConsultKind::Answer,
        context: None,
        files: Vec::new(),
        common: Common::default(),
    }
}

fn review(scope: Scope) -> ReviewRequest {
    ReviewRequest {
        subject: Subject::Change(scope),
        paths: Vec::new(),
        focus: None,
        context: None,
        depth: Depth::UNSAID,
        common: Common::default(),
    }
}

fn revision(text: &str) -> Revision {
    Revision::parse(text).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one case per line")]
fn arguments_become_requests() {
    let check = |tool: &str, arguments: Value, expected: Request| {
        assert_eq!(call(tool, arguments.clone()), Ok(expected), "{tool} {arguments}");
    };
    check("status", json!({}), Request::Status(StatusRequest::default()));
    check(
        "status",
        json!({"topic": null}),
        Request::Status(StatusRequest::default()),
    );
    check(
        "status",
        json!({"topic": "errors", "workspace": "/w"}),
        Request::Status(StatusRequest {
            topic: Topic::Errors,
            workspace: Some(PathBuf::from("/w")),
            ..StatusRequest::default()
        }),
    );
    check(
        "job",
        json!({"id": "group:goal-1", "limit": 3}),
        Request::Job(JobRequest::List {
            filter: StateFilter::All,
            limit: 3,
            group: Some("goal-1".to_owned()),
            workspace: None,
        }),
    );
    let task = Task {
        task_type: Some(TaskType::Ui),
        complexity: Some(Complexity::Simple),
        context_tokens: Some(60_000),
        text: Some("t".to_owned()),
    };
    let whole = json!({"task_type": "ui", "complexity": "simple", "context_tokens": "60000", "text": "t"});
    for arguments in [json!({"route": whole}), json!({"topic": "route", "route": whole})] {
        let expected = StatusRequest {
            topic: Topic::Route,
            task: task.clone(),
            ..StatusRequest::default()
        };
        check("status", arguments, Request::Status(expected));
    }
    check(
        "consult",
        json!({"prompt": "why?"}),
        Request::Consult(consult("why?")),
    );
    check(
        "consult",
        json!({
            "prompt": "why?", "kind": "challenge", "context": "c", "files": ["a.rs", "b c"], "resume": THREAD,
            "workspace": "/w", "model": "gpt", "effort": "high", "wait_s": "30.0", "background": false,
            "options": {"timeout_s": 60.0, "budget_tokens": "5000", "isolation": "ignore_rules", "web_search": true,
                "language": "de", "instructions": "short", "idempotency_key": "k", "ephemeral": false},
        }),
        Request::Consult(ConsultRequest {
            kind: ConsultKind::Challenge,
            context: Some("c".to_owned()),
            files: vec![PathBuf::from("a.rs"), PathBuf::from("b c")],
            common: Common {
                workspace: Some(PathBuf::from("/w")),
                model: Some("gpt".to_owned().try_into().unwrap()),
                effort: Some("high".to_owned().try_into().unwrap()),
                wait: Wait::AtMost(Duration::from_secs(30)),
                resume: Some(Resume::Thread(ThreadId::try_from(THREAD.to_owned()).unwrap())),
                options: Options {
                    timeout: Some(Duration::from_secs(60)),
                    budget_tokens: Some(5000),
                    isolation: Some(Isolation::IgnoreRules),
                    web_search: true,
                    ephemeral: false,
                    language: Some("de".to_owned()),
                    instructions: Some("short".to_owned()),
                    idempotency_key: Some("k".to_owned()),
                    ..Options::default()
                },
            },
            ..consult("why?")
        }),
    );
    check(
        "consult",
        json!({"prompt": "x", "background": true}),
        Request::Consult(ConsultRequest {
            common: Common {
                wait: Wait::Background,
                ..Common::default()
            },
            ..consult("x")
        }),
    );
    check("review", json!({}), Request::Review(review(Scope::Auto)));
    check(
        "review",
        json!({"depth": "deep", "scope": "staged"}),
        Request::Review(ReviewRequest {
            depth: Depth::Deep,
            ..review(Scope::Staged)
        }),
    );
    check(
        "review",
        json!({"scope": "working_tree"}),
        Request::Review(review(Scope::WorkingTree)),
    );
    check(
        "review",
        json!({"base": "main"}),
        Request::Review(review(Scope::Branch {
            base: Some(revision("main")),
            head: None,
        })),
    );
    check(
        "review",
        json!({"scope": "branch", "head": "topic"}),
        Request::Review(review(Scope::Branch {
            base: None,
            head: Some(revision("topic")),
        })),
    );
    check(
        "review",
        json!({"commit": "a..b"}),
        Request::Review(review(Scope::Range {
            from: revision("a"),
            to: revision("b"),
        })),
    );
    check(
        "review",
        json!({"snippet": "let x;", "paths": ["x.rs"], "focus": "bugs"}),
        Request::Review(ReviewRequest {
            subject: Subject::Snippet("let x;".to_owned()),
            paths: vec!["x.rs".to_owned()],
            focus: Some("bugs".to_owned()),
            ..review(Scope::Auto)
        }),
    );
    check(
        "dry_run",
        json!({"tool": "review", "arguments": {"scope": "staged"}}),
        Request::DryRun(DryRunRequest::Review(review(Scope::Staged))),
    );
    check(
        "dry_run",
        json!({"tool": "consult", "arguments": {"prompt": "p"}}),
        Request::DryRun(DryRunRequest::Consult(consult("p"))),
    );
    check(
        "job",
        json!({"id": "latest", "wait_s": 5, "tail": "0", "detail": "log"}),
        Request::Job(JobRequest::Show {
            name: JobName::Latest,
            wait: Duration::from_secs(5),
            tail: 0,
            detail: Detail::Log,
            workspace: None,
        }),
    );
    check(
        "job",
        json!({"state": "lost", "limit": 3.0}),
        Request::Job(JobRequest::List {
            filter: StateFilter::Only(JobState::Lost),
            limit: 3,
            group: None,
            workspace: None,
        }),
    );
    check(
        "cancel",
        json!({"id": "01m", "forget": true}),
        Request::Cancel(CancelRequest {
            name: JobName::Prefix("01m".to_owned()),
            forget: true,
            workspace: None,
        }),
    );
    assert_eq!(
        parse("status", None),
        Ok(Request::Status(StatusRequest::default()))
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one case per line")]
fn a_wrong_argument_is_named_and_never_repeated() {
    const SECRET: &str = "never-to-be-repeated";
    let check = |tool: &str, arguments: Value, field: &str| {
        let fault = call(tool, arguments.clone()).expect_err(&format!("{tool} {arguments}"));
        assert_eq!(
            fault.field.as_deref(),
            Some(field),
            "{tool} {arguments}: {}",
            fault.message
        );
        assert_eq!(fault.code, FaultCode::InvalidArguments, "{tool} {arguments}");
        let told = serde_json::to_string(&fault).unwrap();
        assert!(!told.contains("4f9a0c7d1e"), "{told}");
        assert!(!fault.repair.hint.is_empty());
    };
    check("status", json!({"topic": "errors", "route": {}}), "route");
    check("job", json!({"id": "group:a b"}), "id");
    check(
        "status",
        json!({"route": {"task_type": SECRET}}),
        "route.task_type",
    );
    check(
        "status",
        json!({"route": {"context_tokens": -1}}),
        "route.context_tokens",
    );
    check("consult", json!({}), "prompt");
    check("consult", json!({"prompt": null}), "prompt");
    check("consult", json!({"prompt": "  "}), "prompt");
    check("consult", json!({"prompt": 7}), "prompt");
    check("consult", json!({"prompt": [SECRET]}), "prompt");
    check("consult", json!({"prompt": "p", "kind": SECRET}), "kind");
    check("consult", json!({"prompt": "p", "files": SECRET}), "files");
    check(
        "consult",
        json!({"prompt": "p", "files": ["a", {"b": SECRET}]}),
        "files[1]",
    );
    check("consult", json!({"prompt": "p", "files": ["a", ""]}), "files[1]");
    check("consult", json!({"prompt": "p", "files": vec!["a"; 51]}), "files");
    check(
        "consult",
        json!({"prompt": "p", "workspace": SECRET}),
        "workspace",
    );
    check(
        "consult",
        json!({"prompt": "p", "workspace": "/a\u{0}b"}),
        "workspace",
    );
    check("consult", json!({"prompt": "p", "model": "a b"}), "model");
    check("consult", json!({"prompt": "p", "effort": ""}), "effort");
    check("consult", json!({"prompt": "p", "wait_s": -1}), "wait_s");
    check("consult", json!({"prompt": "p", "wait_s": 14401}), "wait_s");
    check("consult", json!({"prompt": "p", "wait_s": SECRET}), "wait_s");
    check(
        "consult",
        json!({"prompt": "p", "wait_s": 1, "background": true}),
        "wait_s",
    );
    check(
        "consult",
        json!({"prompt": "p", "background": "yes"}),
        "background",
    );
    check("consult", json!({"prompt": "p", "resume": "not a job"}), "resume");
    check("consult", json!({"prompt": "p", "promt": SECRET}), "promt");
    check("consult", json!({"prompt": "p", "approval": "never"}), "approval");
    check(
        "consult",
        json!({"prompt": "p", "ask-for-approval": "never"}),
        "approval",
    );
    check("consult", json!({"prompt": "p", "options": SECRET}), "options");
    check(
        "consult",
        json!({"prompt": "p", "options": {"approval_policy": "never"}}),
        "options.approval",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"timeout": 9}}),
        "options.timeout",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"timeout_s": 9}}),
        "options.timeout_s",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"budget_tokens": 999}}),
        "options.budget_tokens",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"timeout_s": SECRET}}),
        "options.timeout_s",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"isolation": "inherit"}}),
        "options.isolation",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"web_search": "on"}}),
        "options.web_search",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"language": "x".repeat(65)}}),
        "options.language",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"instructions": "x".repeat(4097)}}),
        "options.instructions",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"idempotency_key": ""}}),
        "options.idempotency_key",
    );
    check(
        "consult",
        json!({"prompt": "p", "resume": THREAD, "options": {"ephemeral": true}}),
        "options.ephemeral",
    );
    check("review", json!({"scope": "everything"}), "scope");
    check("review", json!({"scope": "commit"}), "commit");
    check("review", json!({"scope": "staged", "base": "main"}), "base");
    check("review", json!({"scope": "auto", "head": "main"}), "head");
    check("review", json!({"commit": "HEAD", "base": "main"}), "base");
    check("review", json!({"scope": "branch", "commit": "HEAD"}), "commit");
    check("review", json!({"commit": "--output=x"}), "commit");
    check("review", json!({"base": "-x"}), "base");
    check("review", json!({"depth": "deeper"}), "depth");
    check("review", json!({"snippet": ""}), "snippet");
    check("review", json!({"snippet": "x", "scope": "auto"}), "scope");
    check("review", json!({"snippet": "x", "commit": "HEAD"}), "commit");
    check("review", json!({"snippet": "x", "paths": ["a", "b"]}), "paths");
    check("review", json!({"paths": vec!["a"; 201]}), "paths");
    check("delegate", json!({}), "task");
    check("delegate", json!({"task": " "}), "task");
    check(
        "delegate",
        json!({"task": "t", "tasks": [{"id": "a", "task": "t"}]}),
        "tasks",
    );
    check("delegate", json!({"tasks": []}), "task");
    check(
        "delegate",
        json!({"tasks": [{"id": "A", "task": "t"}]}),
        "tasks[0].id",
    );
    check(
        "delegate",
        json!({"tasks": [{"id": "-a", "task": "t"}]}),
        "tasks[0].id",
    );
    check(
        "delegate",
        json!({"tasks": [{"id": "a", "task": ""}]}),
        "tasks[0].task",
    );
    check("delegate", json!({"tasks": [{"id": "a"}]}), "tasks[0]");
    check(
        "delegate",
        json!({"tasks": [{"id": "a", "task": "t"}, {"id": "a", "task": "u"}]}),
        "tasks[1].id",
    );
    check(
        "delegate",
        json!({"tasks": [{"id": "a", "task": "t", "checks": ["x".repeat(501)]}]}),
        "tasks[0].checks[0]",
    );
    check(
        "delegate",
        json!({"task": "t", "allowed_paths": ["/etc/*"]}),
        "allowed_paths[0]",
    );
    check(
        "delegate",
        json!({"task": "t", "allowed_paths": ["a", "a/../b"]}),
        "allowed_paths[1]",
    );
    check(
        "delegate",
        json!({"task": "t", "allowed_paths": ["a["]}),
        "allowed_paths[0]",
    );
    check(
        "delegate",
        json!({"task": "t", "allowed_paths": vec!["a"; 51]}),
        "allowed_paths",
    );
    check(
        "delegate",
        json!({"task": "t", "checks": vec!["a"; 11]}),
        "checks",
    );
    check("delegate", json!({"task": "t", "checks": [""]}), "checks[0]");
    check("delegate", json!({"task": "t", "attempts": 5}), "attempts");
    check("delegate", json!({"task": "t", "attempts": 0}), "attempts");
    let many: Vec<Value> = (0..8)
        .map(|at| json!({"id": format!("t{at}"), "task": "t"}))
        .collect();
    check(
        "delegate",
        json!({"tasks": many.clone(), "attempts": 3}),
        "attempts",
    );
    let too_many = [many.clone(), many].concat();
    check("delegate", json!({"tasks": too_many}), "tasks");
    check("delegate", json!({"task": "t", "dirty": "clean"}), "dirty");
    check(
        "delegate",
        json!({"task": "t", "base": "main", "dirty": "snapshot"}),
        "dirty",
    );
    check(
        "delegate",
        json!({"task": "t", "base": "main", "dirty": "ask"}),
        "dirty",
    );
    check("delegate", json!({"task": "t", "base": "-x"}), "base");
    check(
        "delegate",
        json!({"task": "t", "resume": "latest", "attempts": 2}),
        "resume",
    );
    check(
        "delegate",
        json!({"task": "t", "resume": "latest", "base": "main"}),
        "base",
    );
    check(
        "delegate",
        json!({"task": "t", "resume": "latest", "dirty": "committed"}),
        "dirty",
    );
    check(
        "delegate",
        json!({"task": "t", "attempts": 2, "options": {"in_place": true}}),
        "options.in_place",
    );
    check(
        "delegate",
        json!({"task": "t", "base": "main", "options": {"in_place": true}}),
        "options.in_place",
    );
    check(
        "delegate",
        json!({"task": "t", "options": {"untracked": "exclude"}}),
        "options.untracked",
    );
    check(
        "delegate",
        json!({"task": "t", "options": {"reuse": ["../x"]}}),
        "options.reuse",
    );
    check(
        "delegate",
        json!({"task": "t", "options": {"max_files": 0}}),
        "options.max_files",
    );
    check(
        "delegate",
        json!({"task": "t", "options": {"allow_commands": [""]}}),
        "options.allow_commands",
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"setup": "make"}}),
        "options.setup",
    );
    check(
        "dry_run",
        json!({"tool": "delegate", "arguments": {"task": "t", "attempts": 9}}),
        "arguments.attempts",
    );
    check("dry_run", json!({"tool": "consult"}), "arguments");
    check("dry_run", json!({"tool": "job", "arguments": {}}), "tool");
    check(
        "dry_run",
        json!({"tool": "consult", "arguments": {}}),
        "arguments.prompt",
    );
    check(
        "dry_run",
        json!({"tool": "review", "arguments": {"options": {"timeout_s": 1}}}),
        "arguments.options.timeout_s",
    );
    check("job", json!({"id": "../x"}), "id");
    check("job", json!({"wait_s": 1}), "wait_s");
    check("job", json!({"tail": 1}), "tail");
    check("job", json!({"id": "latest", "limit": 1}), "limit");
    check("job", json!({"id": "latest", "tail": 1001}), "tail");
    check("job", json!({"limit": 0}), "limit");
    check("job", json!({"state": "dead"}), "state");
    check("cancel", json!({}), "id");
    check("cancel", json!({"id": "a b"}), "id");
    check("status", json!({"topic": "weather"}), "topic");
}
