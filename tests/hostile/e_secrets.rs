//! Group E: secrets on the way out, on the way back, and at rest.
//!
//! The tables go through the masking itself; then one secret of each way goes through the four edges of a run: what is
//! sent, what comes back, what is written down and what is told.

mod made;
mod sweep;
mod tables;

use std::fs;

use crosscheck::redact::{RedactedFile, Redactor, redact_file};
use serde_json::json;

use crate::case::{Case, Findings, numbered};
use crate::codex;
use crate::support::scripts::Scripted;
use crate::world::World;
use made::base64;
pub(crate) use made::made;
use tables::{HOLDING, KEPT, MASKED, WITHHELD, WRAPPED};

const SHOWN: &str = "any part of the secret is shown";
const HIDDEN: &str = "an ordinary text is masked";

/// Ways by which a secret may leave, tried with a run.
const EDGES: [&str; 14] = [
    "a token in a reviewed line leaves with the prompt",
    "a token in a file that a consult names leaves with the prompt",
    "a token in the caller's own question leaves with the prompt",
    "a token in the guidance of the project leaves with the prompt",
    "a token in the name of a file leaves with the prompt",
    "the text of a withheld file leaves with the prompt",
    "a token in the answer is told",
    "a token in a command of the peer is told",
    "a token in standard error is kept",
    "a token across two pieces of a long line of standard error is kept",
    "a private key in standard error is kept",
    "a token in an event is kept",
    "a token in the result is kept",
    "a token in what is kept of the prompt is kept",
];

/// The cases of this group.
pub(crate) fn cases() -> Vec<Case> {
    let masked = MASKED
        .iter()
        .map(|(rule, pattern)| format!("{rule}: {}", shape(pattern)));
    let mut all = numbered('E', 1, SHOWN, masked);
    let wrapped = WRAPPED
        .iter()
        .map(|(pattern, _)| format!("in base64: {}", shape(pattern)));
    all.extend(numbered('E', 201, SHOWN, wrapped));
    all.extend(numbered(
        'E',
        301,
        HIDDEN,
        KEPT.iter().map(|pattern| shape(pattern)),
    ));
    all.extend(numbered(
        'E',
        401,
        SHOWN,
        WITHHELD.iter().map(|path| format!("the file {path}")),
    ));
    let holding = HOLDING
        .iter()
        .map(|text| format!("a file that begins {}", shape(text)));
    all.extend(numbered('E', 501, SHOWN, holding));
    all.extend(numbered('E', 601, SHOWN, EDGES));
    all
}

/// What a pattern looks like, short enough for a list.
fn shape(pattern: &str) -> String {
    pattern.chars().take(48).collect::<String>().replace('\n', " ")
}

/// The parts of a made text that nobody may see: runs of letters and digits that are no words.
fn parts(text: &str) -> Vec<&str> {
    let runs = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    runs.filter(|run| {
        run.len() >= 9
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
    .collect()
}

#[test]
fn what_is_secret_is_masked_and_what_is_not_is_kept() {
    let cases = cases();
    let mut all = cases.iter();
    let mut findings = Findings::default();
    for (rule, pattern) in MASKED {
        let text = made(pattern);
        let masked = Redactor::shared().mask(&text);
        let mut wrong = Vec::new();
        if !masked.rules.contains(rule) {
            wrong.push(format!("found by {:?}", masked.rules));
        }
        if parts(&text).iter().any(|part| masked.text.contains(part)) {
            wrong.push("a part of it is shown".to_owned());
        }
        if masked.text.lines().count() != text.lines().count() {
            wrong.push("lines are lost".to_owned());
        }
        findings.note(all.next().unwrap(), wrong);
    }
    for (pattern, around) in WRAPPED {
        let wrapped = base64(&made(pattern));
        let masked = Redactor::shared().mask(&around.replace("{}", &wrapped)).text;
        let shown =
            masked.contains(&wrapped[..wrapped.len() / 2]) || masked.contains(&wrapped[wrapped.len() / 2..]);
        findings.note(all.next().unwrap(), shown.then(|| masked.clone()));
    }
    for pattern in KEPT {
        let text = made(pattern);
        let masked = Redactor::shared().mask(&text);
        findings.note(
            all.next().unwrap(),
            (masked.count > 0).then(|| masked.text.clone()),
        );
    }
    for path in WITHHELD {
        let shown = redact_file(path.as_bytes(), "a = 1") != RedactedFile::Withheld;
        findings.note(all.next().unwrap(), shown.then(|| "it is shown".to_owned()));
    }
    for pattern in HOLDING {
        let shown = redact_file(b"notes.txt", &made(pattern)) != RedactedFile::Withheld;
        findings.note(all.next().unwrap(), shown.then(|| "it is shown".to_owned()));
    }
    findings.assert_none(cases.len() - EDGES.len());
}

/// A token that is another one for each way, and the part of it that is looked for.
fn token(way: usize) -> (String, String) {
    let part = format!("{}Zq{way:02}", made("«b32»"));
    (format!("{}{part}", made("gh|p_")), part)
}

#[test]
fn no_secret_passes_an_edge() {
    let cases = numbered('E', 601, SHOWN, EDGES);
    let mut findings = Findings::default();
    let mut seen: Vec<Vec<String>> = vec![Vec::new(); EDGES.len()];

    // What leaves, read off the wire of a model that the real codex asked.
    let world = World::new(Scripted::well());
    world.git(&["init", "-q"]);
    world.write("a.rs", "fn a() {}\n");
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    world.write("a.rs", format!("fn a() {{ let t = \"{}\"; }}\n", token(0).0));
    world.write("notes.md", format!("use {}\n", token(1).0));
    world.write("AGENTS.md", format!("call with {}\n", token(3).0));
    world.write(&format!("dump-{}.txt", token(4).0), "x\n");
    world.write(".env", format!("A={}\n", token(5).1));
    let mut server = world.server();
    server.ok("review", &json!({"focus": token(2).0}));
    server.ok(
        "consult",
        &json!({"prompt": format!("why is {} refused?", token(2).0), "files": ["notes.md", ".env"]}),
    );
    let wire: String = world
        .model
        .requests()
        .iter()
        .map(|request| request.body.to_string())
        .collect();
    assert!(
        wire.contains("fn a()") && wire.contains("[REDACTED:"),
        "nothing was sent"
    );
    for (way, found) in seen.iter_mut().enumerate().take(6) {
        if wire.contains(&token(way).1) {
            found.push("it is in a request".to_owned());
        }
    }
    for way in 0..6 {
        if below(&world.home.state(), &token(way).1) {
            seen[13].push(format!("the token of way {way} is in the state directory"));
        }
    }
    assert!(wire.contains("a.rs"));

    // What comes back and is written down, from a codex that says everything.
    let long = "word ".repeat(3_270);
    let key = made("-----BEGIN |RSA PRIVATE| KEY-----\n«b60»Zq10\n«b64»\n-----END |RSA PRIVATE| KEY-----");
    let world = codex::world(&format!(
        "open\necho 'token {}' >&2\nprintf '%s' '{long}' >&2\nprintf '%s' '{}' >&2\necho ' {long}' >&2\ncat >&2 <<'KEY'\n{key}\nKEY\n\
         echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"command_execution\",\"command\":\"echo {}\",\"aggregated_output\":\"{}\",\"exit_code\":0}}}}'\n\
         echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"reasoning\",\"text\":\"think of {}\"}}}}'\n\
         echo '{{\"type\":\"item.completed\",\"item\":{{\"type\":\"agent_message\",\"text\":\"say {}\"}}}}'\ndone_",
        token(8).0,
        token(9).0,
        token(7).0,
        token(7).0,
        token(11).0,
        token(6).0
    ));
    let mut server = world.server();
    let answer = server.ok("consult", &codex::question());
    let id = answer["job"]["id"].clone();
    let full = server.ok("job", &json!({"id": id, "detail": "full"}));
    let events = server.ok("job", &json!({"id": id, "detail": "log"}));
    let told = format!("{answer}{full}{events}");
    assert!(told.contains("say [REDACTED:"), "{told}");
    for (way, found) in seen.iter_mut().enumerate().skip(6).take(2) {
        if told.contains(&token(way).1) {
            found.push("it is told".to_owned());
        }
    }
    for way in 6..=11 {
        let part = if way == 10 {
            "Zq10".to_owned()
        } else {
            token(way).1
        };
        let kept = below(&world.home.state(), &part);
        if kept {
            seen[if way == 6 { 12 } else { way }].push("it is in the state directory".to_owned());
        }
    }
    let stderr = fs::read_to_string(world.jobs()[0].join("stderr.log")).unwrap();
    assert!(
        stderr.contains("token [REDACTED:") && stderr.contains("word word"),
        "{stderr}"
    );
    for (case, wrong) in cases.iter().zip(seen) {
        findings.note(case, wrong);
    }
    findings.assert_none(EDGES.len());
}

/// Tells whether a text is in a file below a folder.
fn below(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            return below(&entry.path(), text);
        }
        kind.is_file() && String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).contains(text)
    })
}

#[test]
fn what_leaves_is_written_down_with_its_hashes() {
    let world = World::new(Scripted::well());
    world.write("notes.md", "plain words\n");
    world.write("AGENTS.md", "be brief\n");
    world.write(".env", "A=1\n");
    let mut server = world.server();
    let answer = server.ok("consult", &json!({"prompt": "x", "files": ["notes.md", ".env"]}));
    let full = server.ok("job", &json!({"id": answer["job"]["id"], "detail": "full"}));
    let hash = |text: &str| crosscheck::domain::fingerprint::sha256_hex(text.as_bytes());
    let egress = &full["egress"];
    let expected = json!([
        {"path": "notes.md", "bytes": 12, "sha256": hash("plain words\n")},
        {"path": "AGENTS.md", "bytes": 9, "sha256": hash("be brief\n")},
    ]);
    assert_eq!(egress["files"], expected, "{egress:#}");
    assert_eq!(egress["withheld"], json!([".env"]), "{egress:#}");
    assert_eq!(egress["masked"], 0);
    let prompt = fs::read_to_string(world.jobs()[0].join("prompt.txt")).unwrap();
    assert_eq!(egress["prompt_sha256"], hash(&prompt));
}

/// The negative control: the search that must find nothing above finds what was put there on purpose.
#[test]
fn the_search_finds_a_token_that_was_left_on_purpose() {
    let world = World::new(Scripted::well());
    let (whole, part) = token(99);
    fs::create_dir_all(world.home.state().join("jobs")).unwrap();
    fs::write(world.home.state().join("jobs/left"), format!("x {whole} y")).unwrap();
    assert!(below(&world.home.state(), &part));
    assert!(!below(&world.home.state(), &token(98).1));
    assert_eq!(parts(&made("gh|p_«b36»")), [made("«b36»")]);
}
