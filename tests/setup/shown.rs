//! What is printed for people.

use std::fs;

use crate::files::{config, crosscheck, home};
use crate::support::home::Home;
use crate::world::PROGRAM;

/// Returns what a command printed, with the places of this machine under names.
fn printed(home: &Home, arguments: &[&str]) -> String {
    let finished = crosscheck(home, arguments);
    let text = format!(
        "{}--- stderr, code {:?}\n{}",
        finished.stdout,
        finished.status.code(),
        finished.stderr
    );
    let text = text.replace(PROGRAM, "/bin/crosscheck");
    let text = text.replace(home.private().to_str().unwrap(), "/private");
    text.replace(env!("CARGO_MANIFEST_DIR"), "/source")
}

#[test]
fn what_is_put_in_by_hand_is_pinned() {
    let home = home();
    insta::assert_snapshot!(
        "print_codex",
        printed(&home, &["setup", "--host", "codex", "--print"])
    );
    insta::assert_snapshot!(
        "print_claude",
        printed(&home, &["setup", "--host", "claude", "--print"])
    );
    let source = home.work();
    fs::write(source.join("Cargo.toml"), "").unwrap();
    let text = printed(&home, &["print-config", "--source", "."]);
    let text = text.replace(source.to_str().unwrap(), "/checkout");
    insta::assert_snapshot!("print_source", text);
    fs::create_dir_all(source.join("target/release")).unwrap();
    fs::write(source.join("target/release/crosscheck"), "").unwrap();
    let text = printed(&home, &["print-config", "--host", "claude", "--source", "."]);
    assert!(text.contains("target/release/crosscheck serve"), "{text}");
    assert!(!printed(&home, &["print-config"]).contains(crate::support::home::FAKE_KEY));
}

#[test]
fn what_is_refused_says_what_to_do() {
    let home = home();
    fs::write(config(&home), "a = 1\nb =\n").unwrap();
    let broken = printed(&home, &["setup", "--host", "codex"]);
    fs::write(config(&home), "[mcp_servers.claude]\ncommand = \"x\"\n").unwrap();
    let foreign = printed(&home, &["setup", "--host", "codex"]);
    let theirs = printed(&home, &["uninstall", "--host", "codex", "--yes"]);
    let nothing = printed(&home, &["setup"]);
    let root = printed(&home, &["setup", "--allow-root", "/"]);
    let source = printed(&home, &["print-config", "--source", "/nowhere"]);
    let all = [broken, foreign, theirs, nothing, root, source].join("\n");
    // Where a line is broken depends on how long the places of this machine are.
    let all = all.replace("\n       ", " ").replace("\n      ", " ");
    insta::assert_snapshot!("refused", all);
}
