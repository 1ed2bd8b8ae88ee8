//! Envelopes and what people see of them.

use serde_json::{Value, json};

use super::*;
use crate::domain::envelope::{ErrorView, Failure, Meta};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobId, JobKind, JobState, WorkspaceHash};
use crate::domain::job_view::{JobLimits, JobView};
use crate::domain::usage::Usage;
use crate::service::deliver::object;

const CREATED_MS: u64 = 1_795_244_455_000;

fn id() -> JobId {
    JobId::new(CREATED_MS, WorkspaceHash::of(b"/home/me/project"), 7)
}

fn job(kind: JobKind, state: JobState) -> JobView {
    JobView {
        id: id(),
        kind,
        label: "what differs from HEAD".into(),
        state,
        elapsed_ms: 42_000,
        deadline_at: None,
        expires_at: None,
        poll_after_ms: None,
        phase: state.is_active().then(|| "running cargo test".to_owned()),
        usage: state.is_active().then_some(Usage {
            input: 12_000,
            cached: 9_000,
            output: 400,
        }),
        plan_hash: None,
        limits: JobLimits {
            timeout_s: 1800,
            budget_tokens: state.is_active().then_some(50_000),
        },
        remote: None,
        next: None,
    }
}

fn success(tool: &'static str, summary: &str, job: Option<JobView>, body: Value) -> Envelope {
    Envelope::Success(Box::new(Success {
        ok: true,
        tool,
        summary: summary.into(),
        job,
        body: object(body),
        next_steps: Vec::new(),
        warnings: Vec::new(),
        meta: Meta {
            peer: Some("codex"),
            peer_version: Some("0.169.0".into()),
            thread: Some("019a0000-0000-7000-8000-000000000001".into()),
            usage: Some(Usage {
                input: 5_321,
                cached: 1_000,
                output: 410,
            }),
            ..Meta::default()
        },
        fingerprint: "f".into(),
    }))
}

/// Renders without colour and shows both streams.
fn shown(envelope: &Envelope) -> String {
    let rendered = render(
        envelope,
        Look {
            width: 80,
            colour_stdout: false,
            colour_stderr: false,
            now_ms: CREATED_MS + 300_000,
            asked: Peer::Codex,
        },
    );
    let text = |page: &Page| String::from_utf8(page.as_bytes().to_vec()).unwrap();
    let shown = format!("{}--- stderr\n{}", text(&rendered.stdout), text(&rendered.stderr));
    for line in shown.lines() {
        assert_eq!(line, line.trim_end(), "a line ends with a space");
    }
    shown
}

#[test]
fn a_review_shows_the_worst_first_and_what_was_not_seen() {
    let finding = |severity: &str, file: &str, line: u32, title: &str, anchor: &str| {
        json!({"id": title, "severity": severity, "title": title, "file": file, "line": line, "side": "new",
            "evidence": "    for line in lines:\n        total += line\u{1b}[31m", "anchor": anchor, "basis": "single", "origin": "introduced",
            "risk": "The sum of an order with a discount is too high, and the customer pays more than was shown.",
            "recommendation": "Subtract the discount before the loop."})
    };
    let body = json!({
        "target": {"scope": "working_tree", "paths": [], "files": 3},
        "verdict": "fail", "confidence": "high", "review_status": "completed",
        "findings": [
            finding("low", "shop/export.py", 9, "File is never closed", "off_diff"),
            finding("critical", "shop/orders.py", 7, "Discount is ignored", "exact"),
        ],
        "findings_more": 3,
        "coverage": {"status": "partial", "files": 3, "hunks": {"total": 5, "sent": 4, "omitted": 1},
            "omitted": [{"path": ".env", "reason": "secret"}],
            "redaction": {"withheld": [".env"], "masked": [], "count": 2}},
        "overview": "Prices are computed anew; one path forgets the discount.",
        "questions": ["Is the discount per order?"], "assumptions": [],
    });
    let mut envelope = success(
        "review",
        "Reviewed the working tree (3 files), only 4 of 5 hunks were shown to the reviewer: fail, 2 findings.",
        Some(job(JobKind::Review, JobState::Succeeded)),
        body,
    );
    if let Envelope::Success(success) = &mut envelope {
        success
            .warnings
            .push("the sandbox does not work here, so codex ran no commands".into());
    }
    insta::assert_snapshot!("review", shown(&envelope));
}

#[test]
fn a_consult_is_its_answer() {
    let body = json!({"answer": "Use one lock.\n\n```rust\nlet a = 1;\n```", "findings": [],
        "code": [{"language": "rust", "text": "let a = 1;"}, {"language": "rust", "path": "b.rs", "text": "let b = 2;"}],
        "report": {"missing_tasks": ["a rollback"], "dependency_issues": [], "parallelization": [], "test_gaps": [],
            "risks": ["the migration locks the largest table for as long as it takes, which nobody has measured"],
            "splits": []},
        "questions": ["Who calls it?"], "assumptions": ["One writer."]});
    let job = job(JobKind::Consult, JobState::Succeeded);
    insta::assert_snapshot!(
        "consult",
        shown(&success("consult", "codex answered.", Some(job), body))
    );
}

#[test]
fn a_running_job_says_how_to_go_on() {
    let job = job(JobKind::Review, JobState::Running);
    let body = json!({"events": [
        {"at": "2026-11-21T07:00:55Z", "event": "turn_started"},
        {"at": "2026-11-21T07:00:56Z", "event": "command_ended", "command": "cargo test", "exit_code": 1,
            "output": "a\nb\nfailed"},
        {"at": "2026-11-21T07:00:57Z", "event": "message", "text": "one\ntwo"},
        {"at": "2026-11-21T07:00:58Z", "event": "turn_completed",
            "thread_usage": {"input": 1, "cached": 0, "output": 2}},
    ]});
    let summary = "review is running. It goes on by itself; its result is kept.";
    insta::assert_snapshot!("handle", shown(&success("job", summary, Some(job), body)));
}

#[test]
fn a_list_of_jobs_fits_eighty_columns() {
    let row = |state: &str, fetched: bool, label: &str| {
        json!({"id": id(), "kind": "review", "label": label, "state": state, "elapsed_ms": 1, "fetched": fetched,
            "created_at": "2026-11-21T07:00:55Z"})
    };
    let mut failed = row("failed", true, "a question");
    failed["code"] = "peer_usage_limit".into();
    let mut running = row("running", false, "what differs from HEAD, in very many words");
    running["usage"] = json!({"input": 12_000, "cached": 9_000, "output": 400});
    let rows = [running, row("timed_out", false, "short"), failed];
    let envelope = success(
        "job",
        "3 jobs of this workspace, 1 of them active.",
        None,
        json!({"jobs": rows}),
    );
    let shown = shown(&envelope);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    insta::assert_snapshot!("jobs", shown);
    let none = success(
        "job",
        "0 jobs of this workspace, 0 of them active.",
        None,
        json!({"jobs": []}),
    );
    insta::assert_snapshot!("jobs_none", self::shown(&none));
}

#[test]
fn the_state_of_things_is_facts_and_fixes() {
    let body = json!({
        "codex": {"found": true, "path": "/usr/bin/codex", "version": "0.169.0", "supported": "yes",
            "range": ">=0.140.0", "login": "chat_gpt", "sandbox": {"broken": "no user namespaces"},
            "quota": {"plan": "plus", "windows": [{"minutes": 300, "used_percent": 12, "resets_at": 1_795_244_455}]}},
        "git": {"path": "/usr/bin/git", "version": "2.47.3", "repository": {"none": "not a repository"}},
        "state": {"directory": "/home/me/.local/state/crosscheck", "free_bytes": 5_000_000_000_u64, "active_jobs": 1,
            "unread_results": 2, "job_bytes": 12_000_000},
        "config": {"changed": [{"key": "limits.concurrency", "value": 5, "origin": "file"}]},
        "ready": true, "blocked_by": []});
    let mut envelope = success("status", "Ready, with notes: codex 0.169.0.", None, body);
    if let Envelope::Success(success) = &mut envelope {
        success.next_steps.push("install bubblewrap".into());
    }
    insta::assert_snapshot!("status", shown(&envelope));
    let fix = "install it with `npm install -g @openai/codex`";
    let body = json!({"codex": {"found": false, "error": "`codex` is not on PATH"}, "git": {"error": "no git"},
        "state": {"directory": "/s", "free_bytes": null, "active_jobs": 0}, "config": {"changed": []},
        "ready": false, "blocked_by": ["codex", "git"]});
    let summary = format!("Not ready: codex and git needs attention. {fix}");
    let mut envelope = success("status", &summary, None, body);
    if let Envelope::Success(success) = &mut envelope {
        success.next_steps.push(fix.into());
    }
    insta::assert_snapshot!("status_not_ready", shown(&envelope));
    let body = json!({"errors": [{"code": "peer_not_found", "meaning": FaultCode::PeerNotFound.explanation(),
        "retryable": false, "exit_code": 3, "hint": "h"}]});
    insta::assert_snapshot!(
        "status_errors",
        shown(&success("status", "1 error codes.", None, body))
    );
}

#[test]
fn a_preview_says_what_would_leave_the_machine() {
    let body = json!({"tool": "review",
        "would_send": {"prompt_bytes": 5120, "prompt_chars": 5000, "about_tokens": 1250,
            "files": [{"path": "src/a.rs", "bytes": 4000}], "withheld": [".env"], "masked": 1},
        "would_run": {"program": "/opt/codex", "version": "0.169.0", "arguments": ["exec", "-c", "a=[1, 2]", "-"],
            "directory": "/home/me/project", "timeout_s": 1800, "servers_switched_off": ["docs"]},
        "creates": ["one job record in the state directory"], "touches_workspace": false});
    insta::assert_snapshot!(
        "dry_run",
        shown(&success(
            "dry_run",
            "This review would send 5120 bytes.",
            None,
            body
        ))
    );
}

#[test]
fn an_ended_and_forgotten_job_is_shown_whole() {
    let body = json!({"ended": true, "leaked": [4711], "record": {"spec": {"id": id()}}});
    let job = job(JobKind::Consult, JobState::Cancelled);
    insta::assert_snapshot!(
        "cancel",
        shown(&success("cancel", "Job was ended.", Some(job), body))
    );
}

#[test]
fn everything_else_is_an_outline() {
    let body = json!({"result": {"raw": "one\ntwo", "commands": [{"command": "ls", "exit_code": 0}]},
        "egress": {"files": [], "masked": 0}, "files": {"result": "/s/result.json"}});
    let job = job(JobKind::Consult, JobState::Failed);
    insta::assert_snapshot!(
        "full",
        shown(&success("job", "Everything that is kept.", Some(job), body))
    );
    let checks = json!([
        {"name": "pins", "guarantee": "the network stays shut", "outcome": "held"},
        {"name": "resume", "guarantee": "a thread can be continued", "outcome": "broken", "seen": "no such flag"},
    ]);
    let body = json!({"passed": false, "checks": checks});
    let summary = "codex 0.170.0 no longer honours: resume.";
    insta::assert_snapshot!("contract", shown(&success("contract", summary, None, body)));
    insta::assert_snapshot!(
        "other",
        shown(&success(
            "contract",
            "All held.",
            None,
            json!({"things": [{"flag": "-s", "holds": true}]})
        ))
    );
}

#[test]
fn a_failure_is_one_error_and_one_hint() {
    let failure = |fault: Fault, job: Option<JobView>| {
        Envelope::Failure(Box::new(Failure {
            ok: false,
            tool: "consult",
            error: ErrorView::from(fault),
            job,
            meta: Meta::default(),
            fingerprint: "f".into(),
        }))
    };
    let fault = Fault::new(FaultCode::TimedOut, "the run reached its deadline of 30 min 0 s")
        .call("consult", json!({"prompt": "Go on.", "resume": id()}));
    let job = job(JobKind::Consult, JobState::TimedOut);
    insta::assert_snapshot!("fault_job", shown(&failure(fault, Some(job))));
    let fault =
        Fault::argument("scope", "`scope` holds none of its allowed values").allowing(["auto", "staged"]);
    insta::assert_snapshot!("fault_argument", shown(&failure(fault, None)));
    let fault = Fault::new(FaultCode::InputTooLarge, "the change does not fit")
        .hint("review it in pieces; or pay for all of it: the same call with options.max_parts=9")
        .call("review", json!({"paths": ["src"]}))
        .also("review", json!({"options": {"max_parts": 9}}));
    insta::assert_snapshot!("fault_with_two_calls", shown(&failure(fault, None)));
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let envelope = success("status", "Ready.", None, json!({"ready": true}));
    let look = |colour| Look {
        width: 80,
        colour_stdout: colour,
        colour_stderr: false,
        now_ms: 0,
        asked: Peer::Codex,
    };
    assert!(render(&envelope, look(true)).stdout.as_bytes().contains(&0x1b));
    assert!(!render(&envelope, look(false)).stdout.as_bytes().contains(&0x1b));
}

#[test]
fn the_result_of_a_delegate() {
    let body = json!({
        "applies": "clean",
        "diff_bytes": 300, "diff_sha256": "0", "more_changed": 0, "left_out": ["vendor/inner"],
        "changed": [
            {"path": "src/lib.rs", "kind": "modified"},
            {"path": "new name.rs", "from": "old.rs", "kind": "renamed"},
            {"path": ".github/workflows/ci.yml", "kind": "added", "mode": "100644", "risk": "ci"},
        ],
        "diffstat": {"files": 3, "added": 10, "removed": 2, "binary": 0},
        "checks": [
            {"command": "make test", "exit_code": 0, "ms": 2100, "tail": "ok\n"},
            {"command": "make lint", "exit_code": 1, "ms": 900, "tail": "lint: src/lib.rs:3\n"},
        ],
        "scope": {"outside": [".github/workflows/ci.yml"], "more_outside": 0, "commands": []},
        "diff": "diff --git a/src/lib.rs b/src/lib.rs\n-a\n+b\n",
        "report": "I made the change.", "risks": ["It is untested on Windows."], "remaining": [],
        "questions": [], "assumptions": [],
    });
    let summary =
        "codex changed 3 files (+10 -2) in 42 s; 1 of 2 checks failed; nothing of it is in your files yet.";
    let view = job(JobKind::Delegate, JobState::Succeeded);
    insta::assert_snapshot!(shown(&success("delegate", summary, Some(view), body)));
}

#[test]
fn the_result_of_a_group() {
    let attempt = |job: &str, attempt: u32, failed: u32| {
        json!({
            "job": job, "attempt": attempt, "state": "succeeded", "elapsed_ms": 1000, "tokens": 1200,
            "diffstat": {"files": 1, "added": 5, "removed": 0, "binary": 0},
            "checks": {"passed": 1 - failed, "failed": failed}, "scope_kept": failed == 0, "applies": "clean",
        })
    };
    let (one, two, three) = (
        "01m7ywqemy-kpphwk-0000000001",
        "01m7ywqemy-kpphwk-0000000002",
        "01m7ywqemy-kpphwk-0000000003",
    );
    let body = json!({
        "tasks": [
            {"id": "docs", "attempts": [attempt(one, 1, 0), attempt(two, 2, 1)], "winner": one},
            {"id": "tests", "attempts": [attempt(three, 1, 0)], "winner": three},
        ],
        "overlap": [{
            "tasks": ["docs", "tests"], "files": ["README.md"], "more_files": 0, "together": "conflicts",
            "conflicts": ["README.md"],
        }],
    });
    let view = job(JobKind::Delegate, JobState::Succeeded);
    insta::assert_snapshot!(shown(&success(
        "delegate",
        "3 of 3 runs succeeded",
        Some(view),
        body
    )));
}

#[test]
fn a_running_group() {
    let body = json!({"tasks": [
        {"id": "docs", "attempts": [
            {"job": "01m7ywqemy-kpphwk-0000000001", "attempt": 1, "state": "running", "elapsed_ms": 1, "phase": "thinking"},
        ]},
    ]});
    let view = job(JobKind::Delegate, JobState::Running);
    insta::assert_snapshot!(shown(&success("job", "The group is running", Some(view), body)));
}

#[test]
fn the_preview_of_a_delegate() {
    let body = json!({
        "would_call": "delegate",
        "baseline": {
            "top_level": "/home/me/project", "prefix": "", "tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "files": 2,
            "uncommitted": {"count": 2, "first": ["b.txt", "src/a.txt"]}, "left_out": ["vendor/inner"],
            "head": "cce48957d7361b3f88e568ebc8bb4e96f84d4d44",
        },
        "tasks": [{
            "id": "task", "attempts": 2, "label": "Fix it",
            "would_send": {
                "prompt_bytes": 2080, "prompt_chars": 2080, "about_tokens": 520, "files": [], "withheld": [], "masked": 0,
            },
            "allowed_paths": ["src/**"], "checks": ["make test"], "reuse": ["node_modules"],
        }],
        "would_run": {"program": "/opt/codex", "arguments": ["exec", "--json"], "directory": "WORKTREE", "version": "0.169.0"},
        "disk": {"bytes_of_a_worktree": 1200, "idle_worktrees": 0, "new_worktrees_at_most": 2},
        "creates": ["2 job records in the state directory"], "touches_workspace": false,
    });
    insta::assert_snapshot!(shown(&success(
        "dry_run",
        "This delegate would send 2080 bytes",
        None,
        body
    )));
}
