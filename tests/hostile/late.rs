//! Ten ideas that came after everything else had passed, one or two for each of the groups E to I. How many got through before
//! they were stopped is told in `docs/security-figures.md`.

use std::fs;

use crosscheck::redact::Redactor;
use serde_json::json;

use crate::case::{Case, Findings, numbered};
use crate::codex;
use crate::detect::Canaries;
use crate::support::model::wait_until;
use crate::support::run::finish;
use crate::world::{PROGRAM, review_answer};

const FORBIDDEN: &str = "what the groups promise does not hold here";

const IDEAS: [(char, &str); 10] = [
    ('E', "a token divided by characters that nobody sees"),
    (
        'E',
        "a token in the name of the branch that a review compares with",
    ),
    ('E', "a file of credentials in sixteen-bit letters"),
    ('E', "a token in the complaint of codex about its configuration"),
    ('F', "a workspace whose folder is named to turn the line around"),
    ('F', "a host that calls itself an escape sequence"),
    ('F', "a codex whose version is an escape sequence"),
    (
        'G',
        "a secret in a variable that only begins like one of the locale",
    ),
    (
        'H',
        "a progress token of a megabyte that is repeated with each line",
    ),
    ('I', "a review with 8,000 findings"),
];

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let all = IDEAS.iter().enumerate();
    all.flat_map(|(at, (letter, what))| numbered(*letter, 901 + at, FORBIDDEN, [what]))
        .collect()
}

fn token() -> (String, String) {
    let part = crate::e_secrets::made("«b32»Zq77");
    (crate::e_secrets::made("gh|p_«b32»Zq77"), part)
}

fn is_raw(text: &str) -> bool {
    text.contains(['\u{1b}', '\u{202e}', '\u{7}'])
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one world after the other, in the order of the table"
)]
fn ten_more_ideas_come_to_nothing() {
    let cases = cases();
    let mut wrong: Vec<Vec<String>> = vec![Vec::new(); IDEAS.len()];
    let (token, part) = token();

    let hidden = format!("{}\u{200b}{}", &token[..12], &token[12..]);
    let masked = Redactor::shared().mask(&format!("let t = \"{hidden}\";")).text;
    if masked.contains(&token[14..30]) {
        wrong[0].push(masked);
    }

    let findings: Vec<_> = (0..8_000)
        .map(|line| json!({"severity": "low", "title": "x", "file": "lib.rs", "line": line % 3, "end_line": null, "side": "new",
            "evidence": "fn a", "risk": "r", "recommendation": "c"}))
        .collect();
    let answer = review_answer("concerns", &findings).to_string();
    let line = json!({"type": "item.completed", "item": {"type": "agent_message", "text": answer}});
    let world = codex::world(
        "mv \"$PWD/prompt\" \"$CODEX_HOME/prompt\"; cat \"$CODEX_HOME/said\"; cat /proc/$$/environ > \"$CODEX_HOME/environ\"",
    );
    fs::write(
        world.home.codex_home().join("said"),
        format!("{}\n{line}\n{}\n", codex::OPENED, codex::DONE),
    )
    .unwrap();
    let mut canaries = Canaries::default();
    let crate::world::World { model, home } = world;
    let home = home
        .with_variable("LC_SECRET", canaries.plant("LC_SECRET"))
        .with_variable("XDG_SECRET", canaries.plant("XDG_SECRET"));
    let world = crate::world::World { model, home };
    world.git(&["init", "-q"]);
    world.write("lib.rs", "fn a() {}\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    world.git(&["branch", &token]);
    world.write("lib.rs", "fn a() { 1 }\n");
    world.git(&["commit", "-qam", "two"]);
    let utf16: Vec<u8> = format!("password = {token}\n")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    world.write("credentials.txt", utf16);

    let mut server = world.server_for("h\u{1b}[2J\u{202e}", "1\u{7}", "codex");
    // One look: what the stand-in wrote down last is its prompt then, and not the one that asks for a repair.
    let call = json!({"scope": "branch", "base": token, "depth": "quick", "options": {"isolation": "ignore_config"}});
    let watcher = crate::i_peer::Watcher::over(&world.home.state());
    let envelope = server.ok("review", &call);
    let id = envelope["job"]["id"].as_str().unwrap().to_owned();
    let sent = fs::read_to_string(world.home.codex_home().join("prompt")).unwrap();
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    if sent.contains(&part) {
        wrong[1].push("it is in the prompt".to_owned());
    }
    let told = crate::f_injection::texts(&envelope) + &crate::f_injection::texts(&full);
    if is_raw(&told) {
        wrong[5].push("it is in an envelope".to_owned());
    }
    let mut command = world.home.command(PROGRAM);
    command.args(["job", "latest"]);
    let shown = finish(command, "");
    if is_raw(&shown.stdout) || is_raw(&shown.stderr) {
        wrong[5].push("it is in the terminal".to_owned());
    }
    let seen = canaries.seen_in(&fs::read(world.home.codex_home().join("environ")).unwrap());
    wrong[7].extend(seen.into_iter().map(|name| format!("{name} reaches the peer")));
    wait_until("the end of the worker", || !watcher.lives(&id));
    let worker = watcher.most_kb(&id).unwrap_or(u64::MAX);
    if worker > crate::i_peer::MOST_KB || envelope["findings"].as_array().is_none_or(|all| all.len() > 200) {
        wrong[9].push(format!("the worker used {worker} kB"));
    }
    // Three looks beside each other, each of which says as much, and a check that says it twice more.
    let deep =
        json!({"scope": "branch", "base": token, "depth": "deep", "options": {"isolation": "ignore_config"}});
    let envelope = server.ok("review", &deep);
    let id = envelope["job"]["id"].as_str().unwrap().to_owned();
    wait_until("the end of the worker", || !watcher.lives(&id));
    let worker = watcher.most_kb(&id).unwrap_or(u64::MAX);
    if worker > crate::i_peer::MOST_KB || envelope["examination"]["passes"] != 3 {
        wrong[9].push(format!(
            "the worker of three looks used {worker} kB: {}",
            envelope["examination"]
        ));
    }

    let envelope = server.call(
        "consult",
        &json!({"prompt": "x", "files": ["credentials.txt"], "options": {"isolation": "ignore_config"}}),
    );
    let sent = fs::read_to_string(world.home.codex_home().join("prompt")).unwrap();
    if envelope["ok"] == true && sent.replace('\0', "").contains(&part) {
        wrong[2].push("it is in the prompt".to_owned());
    }

    let odd = world.work().join("a\u{202e}b");
    fs::create_dir(&odd).unwrap();
    let envelope = server.call(
        "consult",
        &json!({"prompt": "x", "workspace": odd, "options": {"isolation": "ignore_config"}}),
    );
    if is_raw(&crate::f_injection::texts(&envelope)) {
        wrong[4].push(envelope.to_string());
    }

    let program = world.home.private().join("odd-codex");
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in --version) [ -e \"$CODEX_HOME/odd\" ] && printf 'codex-cli 0.169.0\\033[2J\\n' || echo codex-cli 0.169.0;;\n\
         *) echo 'Error: api_key = {token} is no key' >&2; exit 1;; esac\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let crate::world::World { model, home } = world;
    let home = home.with_variable("CROSSCHECK_CODEX_BIN", &program);
    let world = crate::world::World { model, home };
    let mut server = world.server();
    let envelope = server.call("consult", &json!({"prompt": "x"}));
    let status = server.call("status", &json!({}));
    if format!("{envelope}{status}").contains(&part) {
        wrong[3].push("it is told".to_owned());
    }
    fs::write(world.home.codex_home().join("odd"), "").unwrap();
    let status = world.server().call("status", &json!({}));
    let mut command = world.home.command(PROGRAM);
    command.arg("status");
    let shown = finish(command, "");
    if is_raw(&crate::f_injection::texts(&status)) || is_raw(&shown.stdout) {
        wrong[6].push(format!("{status} {}", shown.stdout));
    }

    let mut server = world.server();
    server.send(&json!({"jsonrpc": "2.0", "id": 77_777, "method": "tools/call", "params": {"name": "status", "arguments": {},
        "_meta": {"progressToken": "x".repeat(1_000_000)}}}));
    server.answer(77_777);
    if server.progress().iter().any(|line| line.len() > 10_000) {
        wrong[8].push("it is repeated".to_owned());
    }

    let mut all = Findings::default();
    for (case, wrong) in cases.iter().zip(wrong) {
        all.note(case, wrong);
    }
    all.assert_none(IDEAS.len());
}
