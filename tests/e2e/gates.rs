//! The stop gate in the real Claude Code, and who may start paid work there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crosscheck::model::{Reply, Script, Turn};
use serde_json::{Value, json};

use crate::live::Live;
use crate::session::{Session, full_name};
use crate::support::messages::{self, Answer, FakeMessages};
use crate::support::model::{FakeModel, wait_until};
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Way, World};

const BAD: &str = "total = a - b\n";
const GOOD: &str = "total = a + b\n";

fn both() -> [PathBuf; 2] {
    [peers::claude_197(), peers::claude_newest()]
}

/// Finds fault with [`BAD`] alone.
struct Reviewer;

impl Script for Reviewer {
    fn reply(&self, turn: &Turn) -> Reply {
        let is_bad = turn.last_user_text().contains(BAD.trim_end());
        let finding = json!({
            "severity": "high", "title": "Wrong operator", "file": "sum.py", "line": 1, "end_line": null,
            "side": "new", "evidence": BAD.trim_end(), "risk": "Sums are wrong.", "recommendation": "Use plus.",
        });
        let findings = if is_bad { vec![finding] } else { Vec::new() };
        let answer = json!({"summary": "Looked at.", "verdict": if is_bad { "fail" } else { "pass" },
            "confidence": "high", "score": null, "findings": findings, "questions": [], "assumptions": []});
        Scripted::json(answer).reply(turn)
    }
}

/// A world whose gate is set to this. Its repository has uncommitted changes from before.
fn world(script: impl Script + 'static, claude: &Path, gate: Option<&str>) -> (FakeModel, World) {
    let model = FakeModel::start(script);
    let world = World::new(&model.base_url(), claude, Way::PluginDir);
    world.choose("gate", gate);
    (model, world)
}

/// A model that writes a file in each turn, the last one again and again, and says that it is done.
fn writer(
    world: &World,
    texts: &'static [&'static str],
) -> impl Fn(&Value) -> Answer + Send + Sync + 'static {
    let path = world.repository().join("sum.py");
    let turn = AtomicUsize::new(0);
    move |_| {
        let text = texts[turn.fetch_add(1, Ordering::Relaxed).min(texts.len() - 1)];
        fs::write(&path, text).expect("the repository is writable");
        Answer::text("Done.")
    }
}

/// Everything that the model was sent with a request, as text.
fn sent(request: &Value) -> String {
    let messages = request["messages"].as_array().into_iter().flatten();
    let texts: Vec<String> = messages
        .map(|message| messages::flat(&message["content"]))
        .collect();
    texts.join("\n")
}

fn jobs_over(world: &World) -> usize {
    let jobs = fs::read_dir(world.state().join("jobs"));
    let jobs = jobs.into_iter().flatten().flatten();
    jobs.filter(|job| job.path().join("result.json").exists()).count()
}

#[test]
fn a_gate_that_nobody_switched_on_costs_nothing() {
    for claude in both() {
        let (model, world) = world(Reviewer, &claude, None);
        let api = FakeMessages::start(writer(&world, &[BAD]));
        let finished = world.session(&api.url(), "Write it.");
        assert_eq!(finished.event("result")["result"], "Done.", "{finished:#?}");
        assert_eq!((model.turns().len(), api.requests().len()), (0, 1));
    }
}

#[test]
fn a_hard_gate_sends_findings_back_and_lets_go_when_they_are_mended() {
    for claude in both() {
        let (model, world) = world(Reviewer, &claude, Some("hard"));
        let api = FakeMessages::start(writer(&world, &[BAD, GOOD]));
        let finished = world.session(&api.url(), "Write it.");
        assert_eq!(finished.event("result")["subtype"], "success", "{finished:#?}");
        let requests = api.requests();
        assert_eq!((requests.len(), model.turns().len()), (2, 2), "{finished:#?}");
        let back = sent(&requests[1]);
        assert!(
            back.contains("sum.py:1") && back.contains("Wrong operator"),
            "{back}"
        );
        assert!(back.contains("CROSSCHECK_GATE=off"), "{back}");
        // What lay there before the prompt is nobody's news.
        let reviewed = model.turns()[0].body.to_string();
        assert!(!reviewed.contains("shop/orders.py"), "{reviewed}");
    }
}

#[test]
fn a_hard_gate_that_cannot_look_lets_the_turn_end() {
    let no_quota = || Scripted::fixed("usage_limit resets_in=60");
    let newest = peers::claude_newest();
    let (model, world_of_newest) = world(no_quota(), &newest, Some("hard"));
    let api = FakeMessages::start(writer(&world_of_newest, &[BAD]));
    let finished = world_of_newest.session(&api.url(), "Write it.");
    assert_eq!(finished.event("result")["subtype"], "success", "{finished:#?}");
    assert_eq!((api.requests().len(), model.turns().len()), (1, 1));
    assert!(finished.stdout.contains("peer_usage_limit"), "{finished:#?}");
    // The oldest shows it to a person alone.
    let (_model, oldest) = world(no_quota(), &peers::claude_197(), Some("hard"));
    let mut session = Live::terminal_with(&oldest, writer(&oldest, &[BAD]));
    session.type_line("Write it rightly.", "rightly");
    wait_until("the person to see it", || session.shows("peer_usage_limit"));
    assert_eq!(session.requests(), 1);
}

#[test]
fn a_soft_gate_wakes_the_session_for_findings_and_not_for_a_pass() {
    for claude in both() {
        let (model, world) = world(Reviewer, &claude, Some("soft"));
        let mut session = Live::program_with(&world, &[], writer(&world, &[BAD, GOOD]));
        session.prompt("Write it.");
        assert_eq!(session.requests(), 1, "the turn was not held up");
        wait_until("the session to be woken", || session.requests() == 2);
        let last = session.last();
        assert!(last.contains("stop gate's review in the background"), "{last}");
        wait_until("the second review", || jobs_over(&world) == 2);
        session.prompt("Anything else?");
        assert_eq!(
            (session.requests(), model.turns().len()),
            (3, 2),
            "{}",
            session.last()
        );
        session.end();
    }
}

#[test]
fn claude_by_itself_starts_paid_work_as_the_person_chose() {
    let model = FakeModel::start(Scripted::well());
    for claude in both() {
        let world = World::new(&model.base_url(), &claude, Way::PluginDir).with_granted(full_name("consult"));
        let plain = |choice: Option<&str>| {
            world.choose("autonomy", choice);
            // Another question than the typed one: the fake API counts its calls anew for each session, and the same call
            // again is a retry.
            Session::run(&world, "What do you think?", "consult", &json!({"prompt": "y"}))
        };
        let before = model.turns().len();
        // Whatever was granted before.
        let asked = plain(None);
        asked.assert_refused();
        let denied = plain(Some("commands_only"));
        denied.assert_refused();
        let told = denied.all_shown().join("\n");
        assert!(told.contains("/codex:consult"), "{told}");
        let typed = Session::run(&world, "/codex:consult x", "consult", &json!({"prompt": "x"}));
        assert_eq!(typed.shown()["ok"], true);
        assert_eq!(model.turns().len(), before + 1);
        assert_eq!(plain(Some("allow")).shown()["ok"], true);
        assert_eq!(model.turns().len(), before + 2);
    }
}
