//! Tables of command lines and the requests they become.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::FromArgMatches;

use crate::cli::command::{Command, CommandLine, command};
use crate::cli::commands::review::FailOn;
use crate::cli::input::Input;
use crate::cli::streams::Device;
use crate::domain::delegation::Dirty;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobName, JobState};
use crate::domain::limits;
use crate::domain::request::{
    CancelRequest, Common, ConsultKind, ConsultRequest, Detail, DryRunRequest, JobRequest, Options, Resume,
    ReviewRequest, StateFilter, StatusRequest, Subject, ThreadId, Topic, Wait,
};
use crate::domain::review_plan::Depth;
use crate::domain::route::{Complexity, Task, TaskType};
use crate::domain::scope::{Revision, Scope};
use crate::service::call::Request;

const THREAD: &str = "019a0000-0000-7000-8000-000000000001";
const DIRECTORY: &str = "/home/me/project";

fn parse(line: &[&str]) -> Result<Command, clap::Error> {
    let words = std::iter::once("crosscheck").chain(line.iter().copied());
    let matches = command(80).try_get_matches_from(words)?;
    Ok(CommandLine::from_arg_matches(&matches)?.command)
}

fn request_with(line: &[&str], stdin: &str, device: Device) -> Result<Request, Fault> {
    let mut stdin = stdin.as_bytes();
    let mut input = Input::new(Path::new(DIRECTORY), &mut stdin, device);
    match parse(line).unwrap_or_else(|error| panic!("{line:?}: {error}")) {
        Command::Status(flags) => Ok(Request::Status(flags.request(&input))),
        Command::Consult(flags) => flags.routed(&mut input).map(|(request, _)| request),
        Command::Route(flags) => Ok(Request::Status(flags.request())),
        Command::Gate(flags) => Ok(Request::Status(flags.request(&input))),
        Command::Review(flags) => flags.subject.request(&mut input).map(Request::Review),
        Command::Delegate(flags) => flags.request(&mut input).map(Request::Delegate),
        Command::DryRun(flags) => flags.request(&mut input).map(Request::DryRun),
        Command::Jobs(flags) => Ok(Request::Job(flags.request(&input))),
        Command::Job(flags) => Ok(Request::Job(flags.request(&input))),
        Command::Cancel(flags) => Ok(Request::Cancel(flags.request())),
        other => panic!("{other:?} makes no request"),
    }
}

fn check(line: &[&str], expected: Request) {
    let request = request_with(line, "", Device::Terminal);
    assert_eq!(request, Ok(expected), "{line:?}");
}

fn common() -> Common {
    Common {
        wait: Wait::AtMost(limits::WAIT_MAX),
        ..Common::default()
    }
}

fn consult(prompt: &str) -> ConsultRequest {
    ConsultRequest {
        prompt: prompt.to_owned(),
        kind: ConsultKind::Answer,
        context: None,
        files: Vec::new(),
        common: common(),
    }
}

fn review(scope: Scope) -> ReviewRequest {
    ReviewRequest {
        subject: Subject::Change(scope),
        paths: Vec::new(),
        focus: None,
        context: None,
        depth: Depth::UNSAID,
        common: common(),
    }
}

fn revision(text: &str) -> Revision {
    Revision::parse(text).unwrap()
}

#[test]
fn consults_are_parsed() {
    check(&["consult", "why?"], Request::Consult(consult("why?")));
    check(
        &[
            "consult",
            "why?",
            "--kind",
            "review-plan",
            "--context",
            "known",
            "--model",
            "gpt-6.1-sol",
            "--effort",
            "high",
            "--wait-s",
            "0",
            "--resume",
            THREAD,
            "--workspace",
            "sub",
            "--option",
            "timeout_s=600",
            "--option",
            "budget_tokens=5000",
            "--option",
            "web_search=true",
            "--option",
            "language=true",
            "--files",
            "a.rs",
            "b c.rs",
        ],
        Request::Consult(ConsultRequest {
            kind: ConsultKind::ReviewPlan,
            context: Some("known".into()),
            files: vec!["a.rs".into(), "b c.rs".into()],
            common: Common {
                workspace: Some(PathBuf::from("/home/me/project/sub")),
                model: Some("gpt-6.1-sol".to_owned().try_into().unwrap()),
                effort: Some("high".to_owned().try_into().unwrap()),
                wait: Wait::AtMost(Duration::ZERO),
                resume: Some(Resume::Thread(ThreadId::try_from(THREAD.to_owned()).unwrap())),
                options: Options {
                    timeout: Some(Duration::from_secs(600)),
                    budget_tokens: Some(5000),
                    web_search: true,
                    language: Some("true".into()),
                    ..Options::default()
                },
            },
            ..consult("why?")
        }),
    );
    check(
        &[
            "consult",
            "--background",
            "--resume",
            "latest",
            "--files",
            "a",
            "--kind",
            "write_code",
            "--",
            "-x",
        ],
        Request::Consult(ConsultRequest {
            kind: ConsultKind::WriteCode,
            files: vec!["a".into()],
            common: Common {
                wait: Wait::Background,
                resume: Some(Resume::Job(JobName::Latest)),
                ..common()
            },
            ..consult("-x")
        }),
    );
}

#[test]
fn a_prompt_comes_from_stdin_when_nobody_writes_it() {
    let check = |line: &[&str], device, expected: Result<(&str, Option<&str>), FaultCode>| {
        let read = match request_with(line, "from stdin", device) {
            Ok(Request::Consult(request)) => Ok((request.prompt, request.context)),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(fault.code),
        };
        let expected = expected.map(|(prompt, context)| (prompt.to_owned(), context.map(str::to_owned)));
        assert_eq!(read, expected, "{line:?}");
    };
    check(&["consult"], Device::Other, Ok(("from stdin", None)));
    check(&["consult", "-"], Device::Terminal, Ok(("from stdin", None)));
    check(&["consult"], Device::Terminal, Err(FaultCode::InvalidArguments));
    check(&["consult", "why?"], Device::Other, Ok(("why?", None)));
    check(
        &["consult", "why?", "--context", "-"],
        Device::Other,
        Ok(("why?", Some("from stdin"))),
    );
    check(
        &["consult", "-", "--context", "-"],
        Device::Other,
        Err(FaultCode::InvalidArguments),
    );
    check(&["consult", " "], Device::Other, Err(FaultCode::InvalidArguments));
}

#[test]
fn reviews_are_parsed() {
    let change = |line: &[&str], scope: Scope| check(line, Request::Review(review(scope)));
    change(&["review"], Scope::Auto);
    change(&["review", "--scope", "working-tree"], Scope::WorkingTree);
    change(&["review", "--scope", "working_tree"], Scope::WorkingTree);
    check(
        &["review", "--depth", "deep"],
        Request::Review(ReviewRequest {
            depth: Depth::Deep,
            ..review(Scope::Auto)
        }),
    );
    check(
        &["review", "--scope", "staged", "--depth", "quick"],
        Request::Review(ReviewRequest {
            depth: Depth::Quick,
            ..review(Scope::Staged)
        }),
    );
    change(
        &["review", "--base", "main"],
        Scope::Branch {
            base: Some(revision("main")),
            head: None,
        },
    );
    change(
        &["review", "--commit", "v1..v2"],
        Scope::Range {
            from: revision("v1"),
            to: revision("v2"),
        },
    );
    check(
        &[
            "review",
            "--paths",
            "src",
            "tests",
            "--focus",
            "errors",
            "--context",
            "why",
        ],
        Request::Review(ReviewRequest {
            paths: vec!["src".into(), "tests".into()],
            focus: Some("errors".into()),
            context: Some("why".into()),
            ..review(Scope::Auto)
        }),
    );
    let snippet = request_with(
        &["review", "--snippet", "-", "--paths", "a.py"],
        "x = 1",
        Device::Other,
    );
    assert_eq!(
        snippet,
        Ok(Request::Review(ReviewRequest {
            subject: Subject::Snippet("x = 1".into()),
            paths: vec!["a.py".into()],
            ..review(Scope::Auto)
        }))
    );
    check(
        &["dry-run", "review", "--scope", "staged"],
        Request::DryRun(DryRunRequest::Review(review(Scope::Staged))),
    );
    check(
        &["dry-run", "consult", "why?"],
        Request::DryRun(DryRunRequest::Consult(consult("why?"))),
    );
}

#[test]
fn the_verdict_that_fails_is_named() {
    let check = |line: &[&str], expected| {
        let Ok(Command::Review(flags)) = parse(line) else {
            panic!("{line:?}");
        };
        assert_eq!(flags.fail_on, expected, "{line:?}");
    };
    check(&["review"], FailOn::Never);
    check(&["review", "--fail-on", "concerns"], FailOn::Concerns);
    check(&["review", "--fail-on", "fail"], FailOn::Fail);
}

#[test]
fn looks_at_jobs_are_parsed() {
    let list = |filter, limit| {
        Request::Job(JobRequest::List {
            filter,
            limit,
            group: None,
            workspace: None,
        })
    };
    check(&["jobs"], list(StateFilter::All, limits::LIST_DEFAULT));
    check(
        &["jobs", "--state", "timed-out", "--limit", "3"],
        list(StateFilter::Only(JobState::TimedOut), 3),
    );
    let show = |name, wait, tail, detail| {
        Request::Job(JobRequest::Show {
            name,
            wait: Duration::from_secs(wait),
            tail,
            detail,
            workspace: None,
        })
    };
    check(
        &["job"],
        show(JobName::Latest, 0, limits::TAIL_DEFAULT, Detail::Summary),
    );
    check(
        &["job", "01m", "--wait-s", "60", "--tail", "5", "--detail", "log"],
        show(JobName::Prefix("01m".into()), 60, 5, Detail::Log),
    );
    check(
        &["cancel", "latest", "--forget"],
        Request::Cancel(CancelRequest {
            name: JobName::Latest,
            forget: true,
            workspace: None,
        }),
    );
    check(
        &["status", "--topic", "errors", "--workspace", "/abs"],
        Request::Status(StatusRequest {
            topic: Topic::Errors,
            workspace: Some("/abs".into()),
            ..StatusRequest::default()
        }),
    );
}

#[test]
fn a_route_is_asked_for_by_flags_or_words() {
    let route = |task| {
        Request::Status(StatusRequest {
            topic: Topic::Route,
            task,
            ..StatusRequest::default()
        })
    };
    check(&["route"], route(Task::default()));
    check(
        &[
            "route",
            "--type",
            "security",
            "--complexity",
            "complex",
            "--context-size",
            "60000",
            "x",
        ],
        route(Task {
            task_type: Some(TaskType::Security),
            complexity: Some(Complexity::Complex),
            context_tokens: Some(60_000),
            text: Some("x".to_owned()),
        }),
    );
    assert!(parse(&["route", "--type", "nothing"]).is_err());
}

#[test]
fn words_choose_between_a_question_and_a_review_and_never_a_task() {
    let question = |text: &str| Request::Consult(ConsultRequest { ..consult(text) });
    let reviewed = |text: &str| {
        Request::Review(ReviewRequest {
            focus: Some(text.to_owned()),
            ..review(Scope::Auto)
        })
    };
    for text in [
        "How do I fix it?",
        "Fix the flaky test",
        "Rename Foo to Bar",
        "hello",
        "实现这个功能",
    ] {
        check(&["consult", "--auto", text], question(text));
        check(
            &["dry-run", "consult", "--auto", text],
            Request::DryRun(DryRunRequest::Consult(consult(text))),
        );
    }
    check(
        &["consult", "--auto", "Review my changes"],
        reviewed("Review my changes"),
    );
    check(&["consult", "Review my changes"], question("Review my changes"));
    for flag in [
        ["--kind", "challenge"],
        ["--files", "a.rs"],
        ["--resume", "latest"],
    ] {
        assert!(
            parse(&[["consult", "x", "--auto"].as_slice(), flag.as_slice()].concat()).is_err(),
            "{flag:?}"
        );
    }
    let mut stdin = "".as_bytes();
    let mut input = Input::new(Path::new(DIRECTORY), &mut stdin, Device::Terminal);
    let Ok(Command::Consult(flags)) = parse(&["consult", "--auto", "Fix the flaky test"]) else {
        panic!("a consult");
    };
    let note = flags.routed(&mut input).unwrap().1.unwrap();
    assert!(note.contains("crosscheck delegate"), "{note}");
}

#[test]
fn mistakes_name_the_field_and_never_its_value() {
    let check = |line: &[&str], field: &str, part: &str| {
        let fault = request_with(line, "s3cret", Device::Terminal).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some(field), "{line:?}: {fault:?}");
        let told = format!("{} {}", fault.message, fault.repair.hint);
        assert!(told.contains(part), "{line:?}: {told}");
        assert!(!told.contains("s3cret"), "{line:?}: {told}");
    };
    check(&["consult", "x", "--option", "s3cret"], "options", "KEY=VALUE");
    check(
        &["consult", "x", "--option", "timeout=5"],
        "options.timeout",
        "timeout_s",
    );
    check(
        &["consult", "x", "--option", "timeout_s=s3cret"],
        "options.timeout_s",
        "integer",
    );
    check(
        &["consult", "x", "--option", "web_search=s3cret"],
        "options.web_search",
        "true or false",
    );
    check(
        &[
            "consult",
            "x",
            "--option",
            "language=a",
            "--option",
            "language=s3cret",
        ],
        "options",
        "twice",
    );
    check(
        &["consult", "x", "--resume", "latest", "--option", "ephemeral=true"],
        "options.ephemeral",
        "contradict",
    );
    check(
        &["consult", "x", "--model", "s3cret model"],
        "model",
        "not a name",
    );
    check(&["consult", "x", "--resume", "s3cret!"], "resume", "neither");
    check(&["consult", "--file", "s3cret"], "prompt", "cannot be read");
    check(
        &["review", "--commit", "a", "--scope", "staged"],
        "commit",
        "belongs to",
    );
    check(&["review", "--commit=-s3cret"], "commit", "not a revision");
    check(
        &["review", "--snippet", "-", "--base", "s3cret"],
        "base",
        "snippet",
    );
    check(
        &["review", "--snippet", "-", "--paths", "a", "b"],
        "paths",
        "one path",
    );
}

#[test]
fn what_clap_refuses_is_a_mistake_in_the_command() {
    for line in [
        &["nonsense"][..],
        &["consult", "a", "b"],
        &["consult", "a", "--wait-s", "1", "--background"],
        &["consult", "a", "--wait-s", "-1"],
        &["consult", "a", "--file", "b"],
        &["review", "--depth", "deeper"],
        &["job", "../x"],
        &["jobs", "--state", "odd"],
        &["jobs", "--limit", "0"],
        &["dry-run"],
        &["review", "--json", "--json"],
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line:?}");
    }
}

#[test]
fn a_task_comes_as_words_as_a_file_or_as_several() {
    let tasks = |line: &[&str]| match request_with(line, "from stdin", Device::Other) {
        Ok(Request::Delegate(request)) => Ok(request
            .tasks
            .into_iter()
            .map(|task| (task.id, task.text))
            .collect::<Vec<_>>()),
        Ok(other) => panic!("{other:?}"),
        Err(fault) => Err(fault.field.unwrap_or_default()),
    };
    let one = |text: &str| Ok(vec![("task".to_owned(), text.to_owned())]);
    assert_eq!(tasks(&["delegate", "Fix it"]), one("Fix it"));
    assert_eq!(tasks(&["delegate"]), one("from stdin"));
    assert_eq!(tasks(&["delegate", "-"]), one("from stdin"));
    assert_eq!(
        tasks(&["delegate", "--task", "a=x = y", "--task", "b=z"]),
        Ok(vec![
            ("a".to_owned(), "x = y".to_owned()),
            ("b".to_owned(), "z".to_owned())
        ])
    );
    assert_eq!(tasks(&["delegate", "--task", "none"]), Err("tasks".to_owned()));
    assert_eq!(
        tasks(&["delegate", "--task", "A=x"]),
        Err("tasks[0].id".to_owned())
    );
}

#[test]
fn several_files_are_tasks_named_after_them() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("My Task.md", "one"), ("b.txt", "two")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let mut none: &[u8] = b"";
    let mut input = Input::new(dir.path(), &mut none, Device::Terminal);
    let line = ["delegate", "--file", "My Task.md", "--file", "b.txt"];
    let Ok(Command::Delegate(flags)) = parse(&line) else {
        panic!("{line:?}");
    };
    let request = flags.request(&mut input).unwrap();
    let read: Vec<(&str, &str)> = request
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task.text.as_str()))
        .collect();
    assert_eq!(read, [("my-task", "one"), ("b", "two")]);
}

#[test]
fn the_flags_of_a_delegate_reach_its_request() {
    let line = [
        "delegate",
        "Fix it",
        "--allow-path",
        "src/**",
        "--allow-path",
        "*.md",
        "--check",
        "make test",
        "--attempts",
        "2",
        "--dirty",
        "committed",
        "--option",
        "reuse=node_modules, .venv",
        "--option",
        "max_files=3",
        "--background",
    ];
    let Ok(Request::Delegate(request)) = request_with(&line, "", Device::Terminal) else {
        panic!("{line:?}");
    };
    let task = &request.tasks[0];
    assert_eq!(task.allowed_paths, ["src/**", "*.md"]);
    assert_eq!(task.checks, ["make test"]);
    assert_eq!((request.attempts, request.dirty), (2, Dirty::Committed));
    let options = &request.common.options;
    assert_eq!(
        options.reuse.as_deref(),
        Some(["node_modules".to_owned(), ".venv".to_owned()].as_slice())
    );
    assert_eq!(
        (options.max_files, request.common.wait),
        (Some(3), Wait::Background)
    );
}
