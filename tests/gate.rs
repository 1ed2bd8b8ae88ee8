//! The stop gate and who may start paid work, through the hooks as programs, with the real git and the real codex.
//!
//! The host is this process: it starts the hooks as Claude Code does. Each test has a state directory of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails is a failed test"
)]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crosscheck::domain::gate::{REVIEWS, ROUNDS};
use crosscheck::model::{Reply, Script, Turn};
use crosscheck::state::gates::{self, HeldGate};
use crosscheck::state::store::Store;
use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::run::{Finished, finish};
use crate::support::scripts::Scripted;

#[path = "support/mod.rs"]
mod support;

/// Our program as cargo built it for these tests.
const PROGRAM: &str = env!("CARGO_BIN_EXE_crosscheck");
/// The variable by which the host hands over what the person chose.
const GATE: &str = "CLAUDE_PLUGIN_OPTION_GATE";
const AUTONOMY: &str = "CLAUDE_PLUGIN_OPTION_AUTONOMY";
/// What the reviewer finds fault with.
const BAD: &str = "total = a - b";
const GOOD: &str = "total = a + b";

/// Finds fault with each added line that holds [`BAD`], unless it is to fail.
struct Reviewer(Option<&'static str>);

impl Script for Reviewer {
    fn reply(&self, turn: &Turn) -> Reply {
        if let Some(choice) = self.0 {
            return Scripted::fixed(choice).reply(turn);
        }
        let text = turn.last_user_text();
        let mut findings = Vec::new();
        for file in ["a.py", "b.py", "c.py", "d.py"] {
            // The name of the file stands before its lines.
            let part = text.split(file).skip(1).find(|part| part.contains(BAD));
            if text.contains(&format!("{file}-marker")) && part.is_some() {
                findings.push(json!({
                    "severity": "high", "title": format!("Wrong operator in {file}"), "file": file, "line": 2,
                    "end_line": null, "side": "new", "evidence": BAD, "risk": "Sums are wrong.",
                    "recommendation": "Use plus.",
                }));
            }
        }
        let verdict = if findings.is_empty() { "pass" } else { "fail" };
        let answer = json!({"summary": "Looked at.", "verdict": verdict, "confidence": "high", "score": null,
            "findings": findings, "questions": [], "assumptions": []});
        Scripted::json(answer).reply(turn)
    }
}

struct World {
    model: FakeModel,
    home: Home,
}

impl World {
    fn new(failure: Option<&'static str>) -> Self {
        Self::with_codex(failure, &peers::codex().display().to_string())
    }

    fn with_codex(failure: Option<&'static str>, codex: &str) -> Self {
        let model = FakeModel::start(Reviewer(failure));
        let home = Home::new(&model.base_url()).with_variable("CROSSCHECK_CODEX_BIN", codex);
        let world = Self { model, home };
        world.configure("");
        world.git(&["init", "-q"]);
        world.git(&["commit", "-q", "--allow-empty", "-m", "one"]);
        world
    }

    fn configure(&self, more: &str) {
        let folder = self.home.config().join("crosscheck");
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("config.toml"),
            format!("[env]\npass = [\"FAKE_KEY\"]\n{more}"),
        )
        .unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = self.home.command("git");
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
        command.args(identity).args(arguments);
        let finished = finish(command, "");
        assert!(finished.status.success(), "{finished:#?}");
    }

    /// Writes a file that the reviewer knows by its marker.
    fn write(&self, name: &str, line: &str) {
        let text = format!("# {name}-marker\n{line}\n");
        fs::write(self.home.work().join(name), text).unwrap();
    }

    fn store(&self) -> Store {
        Store::at(self.home.state())
    }

    fn paid(&self) -> usize {
        self.model.turns().len()
    }

    fn jobs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home.state().join("jobs"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|job| job.path())
            .collect()
    }

    /// Makes the person's own settings say what the host hands to a hook.
    fn choose(&self, variables: &[(&str, &str)]) {
        let options: serde_json::Map<String, Value> = variables
            .iter()
            .filter_map(|(name, value)| {
                let option = name.strip_prefix("CLAUDE_PLUGIN_OPTION_")?;
                Some((option.to_ascii_lowercase(), (*value).into()))
            })
            .collect();
        let text = json!({"pluginConfigs": {"codex@crosscheck": {"options": options}}}).to_string();
        let path = self.home.claude_config().join("settings.json");
        // Another hook may be reading them.
        if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            fs::write(path, text).unwrap();
        }
    }

    fn command(&self, hook: &str, variables: &[(&str, &str)]) -> Command {
        self.choose(variables);
        self.command_of_a_project(hook, variables)
    }

    /// What the host hands over is not in the person's own settings.
    fn command_of_a_project(&self, hook: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = self.home.command(PROGRAM);
        command
            .args(["hook", hook])
            .env("CLAUDE_CODE_ENTRYPOINT", "cli")
            .env("CLAUDE_PROJECT_DIR", self.home.work())
            .envs(variables.iter().copied());
        command
    }

    fn hook(&self, hook: &str, variables: &[(&str, &str)], input: &Value) -> Said {
        Said::of(finish(self.command(hook, variables), &input.to_string()))
    }

    /// The person writes something, which begins a prompt of this name.
    fn prompt(&self, mode: &str, id: &str) -> Said {
        let input = json!({"session_id": "s1", "prompt_id": id, "prompt": "go on"});
        self.hook("prompt", &[(GATE, mode)], &input)
    }

    /// The turn of a prompt ends.
    fn stop(&self, mode: &str) -> Said {
        self.hook("stop", &[(GATE, mode)], &stop(false))
    }

    /// A turn ends that a hook kept going.
    fn stop_again(&self, mode: &str) -> Said {
        self.hook("stop", &[(GATE, mode)], &stop(true))
    }
}

fn stop(continued: bool) -> Value {
    json!({"session_id": "s1", "stop_hook_active": continued, "background_tasks": [], "hook_event_name": "Stop"})
}

/// What a hook said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Object(Value),
    Wake(String),
}

impl Said {
    fn of(finished: Finished) -> Self {
        match finished.status.code() {
            Some(0) if finished.stdout.is_empty() => Self::Nothing,
            Some(0) => Self::Object(serde_json::from_str(&finished.stdout).unwrap()),
            Some(2) => Self::Wake(finished.stderr),
            _ => panic!("{finished:#?}"),
        }
    }

    /// What keeps the turn from ending.
    fn block(&self) -> &str {
        let Self::Object(object) = self else {
            panic!("{self:?}")
        };
        assert_eq!(object["decision"], "block", "{self:?}");
        object["reason"].as_str().unwrap()
    }

    /// What the person is told, while the turn ends.
    fn notice(&self) -> &str {
        let Self::Object(object) = self else {
            panic!("{self:?}")
        };
        assert!(object.get("decision").is_none(), "{self:?}");
        object["systemMessage"].as_str().unwrap()
    }
}

/// Variables of a hook.
type Variables<'a> = &'a [(&'a str, &'a str)];

#[test]
fn a_project_switches_nothing_on() {
    let world = World::new(None);
    let hook = |name: &str, variable: (&str, &str), input: &Value| {
        Said::of(finish(
            world.command_of_a_project(name, &[variable]),
            &input.to_string(),
        ))
    };
    world.write("a.txt", "changed");
    assert_eq!(hook("stop", (GATE, "hard"), &stop(false)), Said::Nothing);
    assert!(world.jobs().is_empty());
    let call = json!({"tool_name": "mcp__plugin_codex_codex__consult", "prompt_id": "plain"});
    let Said::Object(asked) = hook("permission", (AUTONOMY, "allow"), &call) else {
        panic!("the person is asked")
    };
    assert_eq!(asked["hookSpecificOutput"]["permissionDecision"], "ask");
}

#[test]
fn a_gate_that_is_off_does_nothing() {
    let world = World::new(None);
    for variables in [
        &[][..],
        &[(GATE, "off")],
        &[(GATE, "nonsense")],
        &[(GATE, "hard"), ("CROSSCHECK_GATE", "off")],
        &[("CROSSCHECK_GATE", "hard")],
        // Inside a run of ours.
        &[(GATE, "hard"), ("CROSSCHECK_DEPTH", "1")],
    ] {
        let prompt = json!({"session_id": "s1", "prompt_id": "p1", "prompt": "go on"});
        assert_eq!(world.hook("prompt", variables, &prompt), Said::Nothing);
        world.write("a.py", BAD);
        assert_eq!(
            world.hook("stop", variables, &stop(false)),
            Said::Nothing,
            "{variables:?}"
        );
    }
    // The person's own file, which a session that goes on reads too.
    world.configure("[host]\ngate = \"off\"\n");
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    assert_eq!(world.stop("hard"), Said::Nothing);
    assert_eq!(world.paid(), 0);
    assert!(!world.home.state().join("gates").exists());
}

#[test]
fn findings_block_once_and_what_was_fixed_passes() {
    let world = World::new(None);
    world.write("d.py", BAD);
    assert_eq!(world.prompt("hard", "p1"), Said::Nothing);
    // Nothing changed: what was there before is not this turn's.
    assert_eq!(world.stop("hard"), Said::Nothing);
    assert_eq!(world.paid(), 0);
    world.write("a.py", BAD);
    world.write("b.py", GOOD);
    let said = world.stop("hard");
    let reason = said.block();
    assert!(
        reason.contains("[high] a.py:2 \"Wrong operator in a.py\""),
        "{reason}"
    );
    assert!(
        reason.contains("round 1 of 2") && reason.contains("CROSSCHECK_GATE=off"),
        "{reason}"
    );
    assert!(!reason.contains("d.py") && !reason.contains("b.py"), "{reason}");
    let sent = world.model.turns()[0].body.to_string();
    assert!(
        sent.contains("b.py-marker") && !sent.contains("d.py-marker"),
        "{sent}"
    );
    world.write("a.py", GOOD);
    assert_eq!(world.stop_again("hard"), Said::Nothing);
    let sent = world.model.turns()[1].body.to_string();
    assert!(
        sent.contains("a.py-marker") && !sent.contains("b.py-marker"),
        "{sent}"
    );
    // Neither the same files again nor a change taken back is paid for.
    assert_eq!(world.stop("hard"), Said::Nothing);
    world.write("c.py", GOOD);
    fs::remove_file(world.home.work().join("c.py")).unwrap();
    fs::remove_file(world.home.work().join("b.py")).unwrap();
    assert_eq!(world.stop("hard"), Said::Nothing);
    assert_eq!(world.paid(), 2);
    for job in world.jobs() {
        let spec: Value = serde_json::from_slice(&fs::read(job.join("spec.json")).unwrap()).unwrap();
        assert_eq!(spec["starter"], "gate");
        assert!(job.join("fetched").exists() && job.join("told").exists());
    }
}

#[test]
fn what_was_committed_in_the_turn_is_reviewed_too() {
    let world = World::new(None);
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "two"]);
    world.write("b.py", GOOD);
    let said = world.stop("hard");
    assert!(said.block().contains("a.py:2"), "{said:?}");
    // Committing what was judged changes no file.
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "three"]);
    assert_eq!(world.stop_again("hard"), Said::Nothing);
    assert_eq!(world.paid(), 1);
}

#[test]
fn a_turn_that_is_not_over_is_left_alone() {
    let world = World::new(None);
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    let busy = json!({"session_id": "s1", "stop_hook_active": false, "background_tasks": [{"id": "b1"}]});
    assert_eq!(world.hook("stop", &[(GATE, "hard")], &busy), Said::Nothing);
    // Another hook keeps it going.
    assert_eq!(world.stop_again("hard"), Said::Nothing);
    let nameless = json!({"stop_hook_active": false});
    assert_eq!(world.hook("stop", &[(GATE, "hard")], &nameless), Said::Nothing);
    assert_eq!(world.paid(), 0);
    // Outside of any repository.
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().to_str().unwrap();
    let variables = [(GATE, "hard"), ("CLAUDE_PROJECT_DIR", folder)];
    fs::write(outside.path().join("a.py"), BAD).unwrap();
    assert_eq!(world.hook("stop", &variables, &stop(false)), Said::Nothing);
    assert_eq!(world.paid(), 0);
    assert!(world.jobs().is_empty());
}

#[test]
fn whatever_goes_wrong_never_blocks_and_is_said_once() {
    let check = |world: &World, code: &str| {
        world.prompt("hard", "p1");
        world.write("a.py", BAD);
        let said = world.stop("hard");
        let notice = said.notice();
        assert!(
            notice.contains(code) && notice.contains("CROSSCHECK_GATE=off"),
            "{code}: {notice}"
        );
        assert_eq!(world.stop("hard"), Said::Nothing, "{code}: nothing changed");
        world.write("a.py", "total = a * b");
        assert_eq!(world.stop("hard"), Said::Nothing, "{code}: it was said");
    };
    for (failure, code) in [
        ("usage_limit resets_in=60", "peer_usage_limit"),
        ("unauthorized", "peer_not_authenticated"),
        ("badjson", "peer_bad_output"),
        ("empty", "peer_"),
        ("disconnect", "peer_"),
    ] {
        check(&World::new(Some(failure)), code);
    }
    let absent = World::with_codex(None, "/nonexistent/codex");
    check(&absent, "peer_not_found");
    assert!(absent.jobs().is_empty());
    let gate = gates::read(&absent.store(), &"s1".parse().unwrap());
    assert_eq!(gate.reviews, 0, "what cost nothing does not count");
    let refused = World::new(None);
    refused.configure("[policy]\nroots = [\"/nonexistent\"]\n");
    check(&refused, "policy_denied");
    let killed = World::with_codex(None, "/bin/false");
    killed.prompt("hard", "p1");
    killed.write("a.py", BAD);
    assert!(killed.stop("hard").notice().contains("not reviewed"));
}

#[test]
fn rounds_are_bounded_and_a_prompt_begins_anew() {
    let world = World::new(None);
    world.prompt("hard", "p1");
    let files = ["a.py", "b.py", "c.py"];
    for (round, file) in files.iter().enumerate().take(usize::try_from(ROUNDS).unwrap()) {
        world.write(file, BAD);
        let said = if round == 0 {
            world.stop("hard")
        } else {
            world.stop_again("hard")
        };
        assert!(
            said.block().contains(&format!("round {} of", round + 1)),
            "{said:?}"
        );
    }
    world.write("c.py", BAD);
    assert!(world.stop_again("hard").notice().contains("2 rounds"));
    assert_eq!(world.stop_again("hard"), Said::Nothing, "it was said");
    // A notice of the host's is no prompt.
    let notice = json!({"session_id": "s1", "prompt_id": "p2", "prompt": "<task-notification>x"});
    assert_eq!(world.hook("prompt", &[(GATE, "hard")], &notice), Said::Nothing);
    assert_eq!(world.stop("hard"), Said::Nothing);
    assert_eq!(world.paid(), 2);
    assert_eq!(world.prompt("hard", "p3"), Said::Nothing);
    let said = world.stop("hard");
    assert!(
        said.block().contains("c.py:2") && said.block().contains("round 1 of 2"),
        "{said:?}"
    );
    assert_eq!(world.paid(), 3);
}

#[test]
fn a_session_has_a_budget() {
    let world = World::new(None);
    world.prompt("hard", "p1");
    let mut held = HeldGate::try_take(&world.store(), &"s1".parse().unwrap())
        .unwrap()
        .unwrap();
    held.gate.reviews = REVIEWS;
    held.save().unwrap();
    drop(held);
    world.write("a.py", BAD);
    let said = world.stop("hard");
    assert!(
        said.notice().contains("10 paid reviews") && said.notice().contains("/codex:review"),
        "{said:?}"
    );
    assert_eq!(world.stop("hard"), Said::Nothing);
    assert_eq!(world.paid(), 0);
}

#[test]
fn of_two_hooks_at_once_one_reviews() {
    let world = World::new(None);
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    let said: Vec<Said> = std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| world.stop("hard"))).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let blocks = said.iter().filter(|said| **said != Said::Nothing).count();
    assert_eq!((blocks, world.paid(), world.jobs().len()), (1, 1, 1), "{said:?}");
}

/// Begins a conversation that wants to be told, and returns the file that its host watches.
fn session(world: &World) -> Value {
    let input = json!({"session_id": "s1", "source": "startup"});
    let Said::Object(said) = world.hook("session-start", &[(GATE, "soft")], &input) else {
        panic!("nothing to watch")
    };
    said["hookSpecificOutput"]["watchPaths"][0].clone()
}

fn is_over(world: &World) -> bool {
    let jobs = world.jobs();
    !jobs.is_empty() && jobs.iter().all(|job| job.join("result.json").exists())
}

#[test]
fn a_soft_gate_wakes_for_findings_alone_and_once() {
    let world = World::new(None);
    let watched = session(&world);
    let wake = || {
        let input = json!({"session_id": "s1", "file_path": watched, "event": "change"});
        world.hook("wake", &[(GATE, "soft")], &input)
    };
    world.prompt("soft", "p1");
    world.write("a.py", BAD);
    assert_eq!(world.stop("soft"), Said::Nothing);
    wait_until("the review", || is_over(&world));
    let Said::Wake(text) = wake() else {
        panic!("it is not told")
    };
    assert!(
        text.contains("1 problem") && text.contains("CROSSCHECK_GATE=off"),
        "{text}"
    );
    assert!(!text.contains("Wrong operator"), "no words of the model: {text}");
    assert_eq!(
        (wake(), world.prompt("soft", "p1")),
        (Said::Nothing, Said::Nothing)
    );
    // The model was woken and mends it; that a review passed is nobody's news.
    world.write("a.py", GOOD);
    assert_eq!(world.stop_again("soft"), Said::Nothing);
    wait_until("the review", || world.jobs().len() == 2 && is_over(&world));
    assert_eq!(
        (wake(), world.prompt("soft", "p2")),
        (Said::Nothing, Said::Nothing)
    );
    assert_eq!(world.stop("soft"), Said::Nothing);
    assert_eq!(world.paid(), 2);
    let unread: Vec<_> = world
        .jobs()
        .into_iter()
        .filter(|job| !job.join("fetched").exists())
        .collect();
    assert_eq!(
        unread.len(),
        1,
        "only the one that the model may still read: {unread:?}"
    );
}

#[test]
fn a_soft_gate_that_could_not_look_says_so_at_the_next_prompt_once() {
    let world = World::new(Some("usage_limit resets_in=60"));
    let watched = session(&world);
    for (turn, prompt) in ["p1", "p2", "p3"].iter().enumerate() {
        let said = world.prompt("soft", prompt);
        if turn == 1 {
            assert!(said.notice().contains("peer_usage_limit"), "{said:?}");
        } else {
            assert_eq!(said, Said::Nothing, "{prompt}");
        }
        world.write("a.py", &format!("total = {turn}"));
        assert_eq!(world.stop("soft"), Said::Nothing);
        wait_until("the review", || world.jobs().len() == turn + 1 && is_over(&world));
        let input = json!({"session_id": "s1", "file_path": watched, "event": "change"});
        assert_eq!(world.hook("wake", &[(GATE, "soft")], &input), Said::Nothing);
    }
}

#[test]
fn a_hook_that_is_killed_loses_no_review() {
    let world = World::new(Some("slow ms=600000"));
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    let mut hook: Child = world
        .command("stop", &[(GATE, "hard")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    hook.stdin
        .take()
        .unwrap()
        .write_all(stop(false).to_string().as_bytes())
        .unwrap();
    world.model.wait_for_turns(1);
    hook.kill().unwrap();
    hook.wait().unwrap();
    // It goes on, so nothing is started beside it.
    assert_eq!(world.stop("hard"), Said::Nothing);
    let mut cancel = world.home.command(PROGRAM);
    let id = world.jobs()[0].file_name().unwrap().to_owned();
    cancel.arg("cancel").arg(id);
    assert!(finish(cancel, "").status.success());
    let said = world.prompt("hard", "p2");
    assert!(said.notice().contains("cancelled"), "{said:?}");
    assert_eq!((world.jobs().len(), world.paid()), (1, 1));
}

#[test]
fn a_review_of_the_gates_is_nobodys_latest() {
    let world = World::new(None);
    let run = |arguments: &[&str]| {
        let mut command = world.home.command(PROGRAM);
        command.args(arguments).arg("--json");
        let finished = finish(command, "");
        serde_json::from_str::<Value>(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
    };
    world.prompt("hard", "p1");
    world.write("a.py", GOOD);
    assert_eq!(world.stop("hard"), Said::Nothing);
    let none = run(&["consult", "--resume", "latest", "Go on."]);
    assert_eq!(none["error"]["code"], "job_not_found", "{none:#}");
    let first = run(&["consult", "What is it?"]);
    world.write("a.py", "total = 7");
    assert_eq!(world.stop("hard"), Said::Nothing);
    assert_eq!(world.jobs().len(), 3);
    let resumed = run(&["consult", "--resume", "latest", "Go on."]);
    assert_eq!(resumed["ok"], true, "{resumed:#}");
    assert_eq!(resumed["meta"]["thread"], first["meta"]["thread"]);
}

#[test]
fn claude_starts_paid_work_as_far_as_the_person_lets_it() {
    let world = World::new(None);
    let call = |tool: &str, prompt: Option<&str>| {
        json!({"session_id": "s1", "prompt_id": prompt, "tool_name": format!("mcp__plugin_codex_codex__{tool}"),
            "tool_input": {}, "hook_event_name": "PreToolUse"})
    };
    let typed = |variables: &[(&str, &str)], id: &str, prompt: &str| {
        let input = json!({"session_id": "s1", "prompt_id": id, "prompt": prompt});
        assert_eq!(world.hook("prompt", variables, &input), Said::Nothing);
    };
    let check = |variables: &[(&str, &str)], input: &Value, expected: Option<&str>| {
        let said = world.hook("permission", variables, input);
        let Some(expected) = expected else {
            assert_eq!(said, Said::Nothing, "{variables:?} {input}");
            return;
        };
        let Said::Object(said) = said else {
            panic!("{variables:?} {input}")
        };
        let said = &said["hookSpecificOutput"];
        assert_eq!(said["hookEventName"], "PreToolUse");
        assert_eq!(said["permissionDecision"], expected, "{variables:?} {input}");
        assert!(
            said["permissionDecisionReason"]
                .as_str()
                .unwrap()
                .contains("autonomy")
        );
    };
    typed(&[], "typed", "/codex:consult is it right?");
    typed(&[], "plain", "ask /codex:consult about it");
    typed(&[], "notice", "<task-notification>/codex:consult");
    let values: [(Variables<'_>, Option<&str>); 6] = [
        (&[], Some("ask")),
        (&[(AUTONOMY, "ask")], Some("ask")),
        (&[(AUTONOMY, "allow")], None),
        (&[(AUTONOMY, "commands_only")], Some("deny")),
        (
            &[(AUTONOMY, "allow"), ("CROSSCHECK_AUTONOMY", "commands_only")],
            Some("deny"),
        ),
        (&[("CROSSCHECK_AUTONOMY", "allow")], Some("ask")),
    ];
    for (variables, expected) in values {
        for tool in ["consult", "review", "delegate"] {
            check(variables, &call(tool, Some("plain")), expected);
        }
        for prompt in [Some("notice"), Some("never seen"), None] {
            check(variables, &call("consult", prompt), expected);
        }
        // A subagent's call has the prompt of the person too.
        check(variables, &call("delegate", Some("typed")), None);
        for free in ["status", "dry_run", "job", "cancel", "apply"] {
            check(variables, &call(free, Some("plain")), None);
        }
        let another = json!({"tool_name": "mcp__other__consult", "prompt_id": "plain"});
        check(variables, &another, None);
    }
    // Without a state directory nobody knows what was typed.
    fs::remove_dir_all(world.home.state()).unwrap();
    fs::write(world.home.state(), "a file").unwrap();
    check(
        &[(AUTONOMY, "commands_only")],
        &call("consult", Some("typed")),
        Some("deny"),
    );
}

#[test]
fn a_gate_of_who_wants_to_be_asked_keeps_to_what_passes_unasked() {
    let world = World::new(None);
    world.configure("[limits]\nask_above_tokens = 20000\n");
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    let said = world.stop("hard");
    assert!(said.block().contains("a.py:2"), "{said:?}");
    let spec: Value = serde_json::from_slice(&fs::read(world.jobs()[0].join("spec.json")).unwrap()).unwrap();
    assert_eq!(spec["budget_tokens"], 20000, "{spec:#}");

    // A project that allows fewer tokens is heard too.
    fs::create_dir_all(world.home.work().join(".crosscheck")).unwrap();
    fs::write(
        world.home.work().join(".crosscheck/config.toml"),
        "[limits]\nbudget_tokens = 5000\n",
    )
    .unwrap();
    world.prompt("hard", "p2");
    world.write("b.py", BAD);
    let said = world.stop("hard");
    assert!(said.block().contains("b.py:2"), "{said:?}");
}

#[test]
fn the_gate_says_what_it_is_set_to_and_what_it_last_said() {
    let world = World::new(None);
    let gate = || {
        let mut command = world.home.command(PROGRAM);
        command
            .args(["gate", "--json", "--workspace"])
            .arg(world.home.work());
        let finished = finish(command, "");
        let told: Value = serde_json::from_str(&finished.stdout).unwrap();
        told["gate"].clone()
    };
    let off = gate();
    assert_eq!(
        (
            &off["claude_code"]["mode"],
            &off["codex"]["mode"],
            off.get("last")
        ),
        (&json!("off"), &json!("off"), None),
        "{off:#}"
    );
    world.prompt("hard", "p1");
    world.write("a.py", BAD);
    world.stop("hard").block();
    let on = gate();
    assert_eq!(on["claude_code"]["mode"], "hard", "{on:#}");
    assert_eq!(
        (&on["last"]["verdict"], &on["last"]["findings"]),
        (&json!("block"), &json!(1)),
        "{on:#}"
    );

    // What it prints for codex is what it reads.
    fs::write(
        world.home.codex_home().join("hooks.json"),
        off["codex"]["entries"].to_string(),
    )
    .unwrap();
    assert_eq!(gate()["codex"]["mode"], "hard");
    world.configure("[host]\ngate = \"soft\"\n");
    let less = gate();
    assert_eq!(
        (&less["codex"]["mode"], &less["most_by_config"]),
        (&json!("soft"), &json!("soft")),
        "{less:#}"
    );
}
