//! Group B: revisions and other arguments that want to be options, programs, paths or more than their bounds.
//!
//! Every git that we start goes through a program that writes its arguments down first. A hostile text ends in a typed
//! fault, changes no file, and is seen by `git rev-parse` alone, behind `--end-of-options`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::detect::{MOST_WORK, Watch, work_of};
use crate::support::run::finish;
use crate::world::{PROGRAM, World};

const FORBIDDEN: &str =
    "a file is written, a program is started, or the text reaches git as anything but a revision";

/// What a text may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// It is no revision here.
    Fail,
    /// Git knows what it means, so it may also be a commit.
    Resolve,
}

use May::{Fail, Resolve};

/// Revisions; `TARGET` is a path that must not come to be.
const REVISIONS: [(&str, May); 64] = [
    ("--output=TARGET", Fail),
    ("--output", Fail),
    ("-oTARGET", Fail),
    ("-O/etc/passwd", Fail),
    ("--ext-diff", Fail),
    ("--textconv", Fail),
    ("--no-index", Fail),
    ("--exec=touch TARGET", Fail),
    ("--upload-pack=touch TARGET", Fail),
    ("--all", Fail),
    ("--branches", Fail),
    ("--git-dir", Fail),
    ("--glob=*", Fail),
    ("--stdin", Fail),
    ("--end-of-options", Fail),
    ("--", Fail),
    ("-", Fail),
    ("-1", Fail),
    ("--help", Fail),
    ("--config-env=core.fsmonitor=HOME", Fail),
    ("-ccore.fsmonitor=TARGET", Fail),
    ("", Fail),
    (" ", Fail),
    (" HEAD", Fail),
    ("HEAD ", Fail),
    ("HEAD --output=TARGET", Fail),
    ("HEAD\n--output=TARGET", Fail),
    ("HEAD\0--output=TARGET", Fail),
    ("HEAD\r", Fail),
    ("HEAD\t", Fail),
    ("HEAD\u{a0}", Fail),
    ("HEAD\u{2028}x", Fail),
    ("\u{feff}HEAD", Fail),
    ("\u{202e}DAEH", Fail),
    ("HE\u{200b}AD", Fail),
    ("ＨＥＡＤ", Fail),
    ("$(touch TARGET)", Fail),
    ("`touch${IFS}TARGET`", Fail),
    (";touch${IFS}TARGET", Fail),
    ("|touch${IFS}TARGET", Fail),
    ("HEAD&&touch${IFS}TARGET", Fail),
    (">TARGET", Fail),
    ("*", Fail),
    ("~", Fail),
    ("~/.ssh/id_rsa", Fail),
    ("../../../etc/passwd", Fail),
    ("/etc/passwd", Fail),
    ("HEAD:../../etc/passwd", Fail),
    ("HEAD:a.txt", Fail),
    (":a.txt", Fail),
    (":0:a.txt", Fail),
    (":/one", Resolve),
    ("HEAD^{/(a+)+$}", Resolve),
    ("HEAD^{tree}", Fail),
    ("HEAD^{blob}", Fail),
    ("HEAD~99999999999999999999", Fail),
    ("HEAD^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^", Fail),
    ("HEAD@{99999999}", Resolve),
    ("HEAD@{one.million.years.ago}", Resolve),
    ("@{-1}", Fail),
    ("@{upstream}", Fail),
    ("HEAD...HEAD", Fail),
    ("^HEAD", Fail),
    ("LONG", Fail),
];

/// Other arguments: what they are, the tool, and its arguments.
fn arguments() -> Vec<(&'static str, &'static str, Value)> {
    let long = "x".repeat(5_000);
    vec![
        (
            "a model that is an option",
            "consult",
            json!({"prompt": "x", "model": "--dangerously-bypass-approvals-and-sandbox"}),
        ),
        (
            "a model that sets a key",
            "consult",
            json!({"prompt": "x", "model": "gpt-5\" sandbox_mode=\"danger-full-access"}),
        ),
        (
            "a model with a line feed",
            "consult",
            json!({"prompt": "x", "model": "gpt-5\n-c"}),
        ),
        (
            "a model with a zero byte",
            "consult",
            json!({"prompt": "x", "model": "gpt-5\u{0}"}),
        ),
        (
            "a model of five thousand letters",
            "consult",
            json!({"prompt": "x", "model": long}),
        ),
        (
            "an effort that is a table",
            "consult",
            json!({"prompt": "x", "effort": "high]\n[mcp_servers.x"}),
        ),
        (
            "an effort that is an option",
            "consult",
            json!({"prompt": "x", "effort": "-c"}),
        ),
        (
            "an effort in letters of another alphabet",
            "consult",
            json!({"prompt": "x", "effort": "hіgh"}),
        ),
        (
            "a thread that is an option",
            "consult",
            json!({"prompt": "x", "resume": "--last"}),
        ),
        (
            "a thread that is a path",
            "consult",
            json!({"prompt": "x", "resume": "../../../etc/passwd"}),
        ),
        (
            "a thread with a line feed",
            "consult",
            json!({"prompt": "x", "resume": "019a0000-0000-7000-8000-000000000000\n"}),
        ),
        ("a job id that is a path", "job", json!({"id": "../../etc"})),
        (
            "a job id that is a folder beside",
            "job",
            json!({"id": "../keys"}),
        ),
        (
            "a job id of one letter more",
            "job",
            json!({"id": "01m7yptqjp-t9cew2-8rhn17gx15x"}),
        ),
        (
            "a job id in capitals with a blank",
            "job",
            json!({"id": " 01M7YPTQJP-T9CEW2-8RHN17GX15"}),
        ),
        ("a job prefix that fits everything", "job", json!({"id": ""})),
        ("a job prefix that is a pattern", "cancel", json!({"id": "*"})),
        (
            "a job to forget by a way out",
            "cancel",
            json!({"id": "..", "forget": true}),
        ),
        (
            "a result to apply by a way out",
            "apply",
            json!({"id": "../jobs/x", "action": "undo"}),
        ),
        (
            "a branch that is an option",
            "apply",
            json!({"id": "01m7yptqjp-t9cew2-8rhn17gx15", "action": "branch", "branch": "--force"}),
        ),
        (
            "a glob that leaves the folder",
            "delegate",
            json!({"task": "x", "allowed_paths": ["../**"]}),
        ),
        (
            "a glob that is absolute",
            "delegate",
            json!({"task": "x", "allowed_paths": ["/etc/**"]}),
        ),
        (
            "a glob of many alternatives",
            "delegate",
            json!({"task": "x", "allowed_paths": ["{a,b}".repeat(90)]}),
        ),
        (
            "a glob of nested alternatives",
            "delegate",
            json!({"task": "x", "allowed_paths": [format!("{}a{}", "{".repeat(200), "}".repeat(200))]}),
        ),
        (
            "a base to start from that is an option",
            "delegate",
            json!({"task": "x", "base": "--orphan"}),
        ),
        (
            "a task whose id is a path",
            "delegate",
            json!({"tasks": [{"id": "../x", "task": "t"}]}),
        ),
        (
            "folders to reuse that lie outside",
            "delegate",
            json!({"task": "x", "options": {"reuse": ["../../secret"]}}),
        ),
        (
            "a sandbox that nobody may ask for",
            "delegate",
            json!({"task": "x", "options": {"sandbox": "danger-full-access"}}),
        ),
        (
            "in place without the user's word",
            "delegate",
            json!({"task": "x", "options": {"in_place": true}}),
        ),
        (
            "the network without the user's word",
            "delegate",
            json!({"task": "x", "options": {"network": true}}),
        ),
        (
            "a key of idempotency with a way out",
            "consult",
            json!({"prompt": "x", "options": {"idempotency_key": "y".repeat(201)}}),
        ),
        (
            "options in options",
            "consult",
            json!({"prompt": "x", "options": {"options": {"in_place": true}}}),
        ),
        (
            "a time of minus one",
            "consult",
            json!({"prompt": "x", "options": {"timeout_s": -1}}),
        ),
        (
            "a wait beyond all bounds",
            "consult",
            json!({"prompt": "x", "wait_s": 1e300}),
        ),
    ]
}

/// Codes that may answer a hostile argument.
const CODES: [&str; 6] = [
    "invalid_arguments",
    "invalid_revision",
    "job_not_found",
    "policy_denied",
    "path_outside_workspace",
    "not_a_git_repository",
];

/// The cases: revisions first.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = numbered(
        'B',
        1,
        FORBIDDEN,
        REVISIONS.map(|(text, _)| format!("the revision {text:?}")),
    );
    let others = arguments().into_iter().map(|(what, ..)| what);
    cases.extend(numbered('B', cases.len() + 1, FORBIDDEN, others));
    cases
}

struct Scene {
    world: World,
    target: PathBuf,
    log: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let world = World::with_shell_codex("say").with_change();
        world.git(&["commit", "-qam", "two"]);
        let shim = world.home.private().join("shim");
        fs::create_dir_all(&shim).unwrap();
        let log = world.home.private().join("git.log");
        let real = if PathBuf::from("/usr/local/bin/git").exists() {
            "/usr/local/bin/git"
        } else {
            "/usr/bin/git"
        };
        // Each run is one line, its arguments between control characters that none of them can hold here.
        let script = format!(
            "#!/bin/sh\n{{ for a in \"$@\"; do printf '%s\\037' \"$a\"; done; printf '\\036'; }} >>'{}'\nexec {real} \"$@\"\n",
            log.display()
        );
        fs::write(shim.join("git"), script).unwrap();
        fs::set_permissions(shim.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let World { model, home } = world;
        let home = home.with_variable("PATH", format!("{}:/usr/bin:/bin", shim.display()));
        let target = home.private().join("target");
        Self {
            world: World { model, home },
            target,
            log,
        }
    }

    fn text(&self, text: &str) -> String {
        text.replace("TARGET", self.target.to_str().unwrap())
            .replace("LONG", &"a".repeat(100_000))
    }

    /// Tells which runs of git saw a text where it is no revision, or were none of those that look for one.
    fn misuse(&self, text: &str) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let _ = fs::remove_file(&self.log);
        let mut wrong = Vec::new();
        for run in log.split('\u{1e}').filter(|run| !run.is_empty()) {
            let arguments: Vec<&str> = run.trim_end_matches('\u{1f}').split('\u{1f}').collect();
            let name = arguments
                .iter()
                .find(|argument| !argument.starts_with('-'))
                .copied();
            if !matches!(name, Some("version" | "rev-parse" | "config")) {
                wrong.push(format!("git {arguments:?} was run"));
            }
            let end = arguments
                .iter()
                .position(|argument| *argument == "--end-of-options");
            let is_text =
                |argument: &&str| text.len() > 1 && argument.contains(text) && !text.starts_with("--end");
            if arguments[..end.unwrap_or(arguments.len())].iter().any(is_text) {
                wrong.push(format!("git {arguments:?} saw it as something else"));
            }
        }
        wrong
    }
}

fn judge(told: &Value, may: May) -> Option<String> {
    let code = told["error"]["code"].as_str().unwrap_or("none");
    let is_fault = told["ok"] == false && CODES.contains(&code);
    let is_fine = (told["ok"] == true || code == "nothing_to_review") && may == Resolve;
    (!is_fault && !is_fine).then(|| format!("{told:#}"))
}

#[test]
fn a_hostile_revision_is_a_revision_or_a_fault() {
    let scene = Scene::new();
    let mut server = scene.world.server();
    // What is asked of the peer is asked once.
    server.ok(
        "dry_run",
        &json!({"tool": "review", "arguments": {"scope": "commit", "commit": "HEAD"}}),
    );
    fs::remove_file(&scene.log).unwrap();
    let watch = Watch::over([scene.world.work(), scene.target.clone(), scene.world.home.home()]);
    let mut findings = Findings::default();
    for (case, (text, may)) in cases().iter().zip(REVISIONS) {
        let text = scene.text(text);
        let mut wrong = Vec::new();
        for arguments in [
            json!({"scope": "branch", "base": text}),
            json!({"scope": "branch", "base": "HEAD", "head": text}),
            json!({"scope": "commit", "commit": text}),
            json!({"scope": "commit", "commit": format!("{text}..HEAD")}),
            json!({"scope": "commit", "commit": format!("HEAD..{text}")}),
        ] {
            let before = work_of(server.pid());
            let told = server.call("dry_run", &json!({"tool": "review", "arguments": arguments}));
            // A branch without commits of its own is a good answer too, and so is a range that was asked for twice.
            let is_two = arguments["commit"]
                .as_str()
                .is_some_and(|commit| commit.matches("..").count() > 1);
            let may = if is_two { Resolve } else { may };
            wrong.extend(judge(&told, may).map(|told| format!("{arguments}: {told}")));
            if may == Fail {
                wrong.extend(scene.misuse(&text));
            }
            let _ = fs::remove_file(&scene.log);
            if work_of(server.pid()).saturating_sub(before) > MOST_WORK {
                wrong.push(format!("{arguments} took too long"));
            }
        }
        wrong.extend(watch.changes());
        findings.note(case, wrong);
    }
    if scene.world.jobs().is_empty() {
        findings.assert_none(REVISIONS.len());
    } else {
        panic!("a job was made");
    }
}

#[test]
fn the_terminal_takes_a_hostile_revision_for_nothing_else() {
    let scene = Scene::new();
    let watch = Watch::over([scene.world.work(), scene.target.clone(), scene.world.home.home()]);
    let mut findings = Findings::default();
    for (case, (text, may)) in cases().iter().zip(REVISIONS) {
        // No argument of a program holds a zero byte.
        let text = scene.text(text).replace('\0', "\u{1}");
        let mut wrong = Vec::new();
        for flag in ["--base", "--commit"] {
            let mut command = scene.world.home.command(PROGRAM);
            command
                .args(["dry-run", "review", "--json"])
                .arg(format!("{flag}={text}"));
            let told = finish(command, "");
            match serde_json::from_str::<Value>(&told.stdout) {
                Ok(envelope) => wrong.extend(judge(&envelope, may).map(|told| format!("{flag}: {told}"))),
                // What the parser of the command line refuses has no envelope.
                Err(_) if told.status.code() == Some(2) => {}
                Err(_) => wrong.push(format!("{flag}: {told:#?}")),
            }
            if may == Fail {
                wrong.extend(scene.misuse(&text));
            }
            let _ = fs::remove_file(&scene.log);
        }
        wrong.extend(watch.changes());
        findings.note(case, wrong);
    }
    findings.assert_none(REVISIONS.len());
}

#[test]
fn a_hostile_argument_is_a_fault_and_starts_nothing() {
    let scene = Scene::new();
    let mut server = scene.world.server();
    server.ok(
        "dry_run",
        &json!({"tool": "consult", "arguments": {"prompt": "x"}}),
    );
    let watch = Watch::over([scene.world.work(), scene.target.clone(), scene.world.home.home()]);
    let mut findings = Findings::default();
    for (case, (what, tool, arguments)) in cases().iter().skip(REVISIONS.len()).zip(arguments()) {
        // Many alternatives are a good glob that must cost nothing.
        let may = if what.ends_with("alternatives") {
            Resolve
        } else {
            Fail
        };
        let before = work_of(server.pid());
        let mut wrong = Vec::new();
        if may == Resolve {
            let told = server.call("dry_run", &json!({"tool": tool, "arguments": arguments}));
            wrong.extend(judge(&told, Resolve));
        } else {
            // Asked for real: a fault must come before anything is started.
            wrong.extend(judge(&server.call(tool, &arguments), Fail));
        }
        if work_of(server.pid()).saturating_sub(before) > MOST_WORK {
            wrong.push("it took too long".to_owned());
        }
        if !scene.world.jobs().is_empty() {
            wrong.push("a job was made".to_owned());
        }
        wrong.extend(watch.changes());
        findings.note(case, wrong);
    }
    findings.assert_none(arguments().len());
}

/// The negative control: plain git takes a text without a guard for an option, and the log of git's runs shows it.
#[test]
fn a_revision_without_a_guard_writes_a_file() {
    let scene = Scene::new();
    let watch = Watch::over([scene.target.clone()]);
    let text = scene.text("--output=TARGET");
    let mut command = scene.world.home.command("git");
    command.args(["diff", &text]);
    assert!(finish(command, "").status.success());
    assert_eq!(watch.changes().len(), 1);
    assert_eq!(scene.misuse(&text).len(), 2);
}
