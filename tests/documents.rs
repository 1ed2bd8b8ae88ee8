//! The documents speak of what exists: links, tests, pins and commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::peer::codex::pins::{PINS, WRITE_PINS};
use crosscheck::peer::codex::version::{NEWEST_TESTED, OLDEST};
use regex::Regex;

/// The documents that are written for people.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "docs/migrating.md",
    "docs/scaling.md",
    "COMPATIBILITY.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the files below `folder` with this ending, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#\s]+)(?:#[^)]*)?\)").unwrap();
    let mut documents = [files("commands", "md"), files("skills", "md")].concat();
    documents.extend(DOCUMENTS.map(|name| root().join(name)));
    let mut links = 0;
    for document in documents {
        let text = read(&document);
        for found in link.captures_iter(&text).filter(|found| !found[1].contains(':')) {
            let target = document.parent().unwrap().join(&found[1]);
            assert!(target.exists(), "{}: {}", document.display(), &found[1]);
            links += 1;
        }
    }
    assert!(links > 0, "the pattern finds links");
}

#[test]
fn the_compatibility_of_codex_is_the_one_of_the_code() {
    let text = read(&root().join("COMPATIBILITY.md"));
    assert!(
        text.contains(&format!("{OLDEST} to {NEWEST_TESTED}")),
        "the range"
    );
    for pin in PINS.iter().chain(&WRITE_PINS) {
        assert!(text.contains(&format!("`{}`", pin.setting)), "{}", pin.setting);
    }
}

#[test]
fn every_contract_check_that_is_named_is_made() {
    let text = read(&root().join("COMPATIBILITY.md"));
    let judge = read(&root().join("src/run/contract/judge.rs"));
    let named = Regex::new("`([a-z_]+)`").unwrap();
    let rows = text.lines().map(|line| line.split(" | ").collect::<Vec<_>>());
    let mut checks = 0;
    // Flag, guarantee, what happens without it, contract check, test.
    for row in rows.filter(|row| row.len() == 5) {
        for found in named.captures_iter(row[3]) {
            assert!(judge.contains(&format!("\"{}\"", &found[1])), "{}", &found[1]);
            checks += 1;
        }
    }
    assert!(checks > 5, "the table has checks");
}

#[test]
fn every_test_that_is_said_to_pin_a_guarantee_exists() {
    let text = read(&root().join("COMPATIBILITY.md"));
    let code: String = [files("tests", "rs"), files("src", "rs")]
        .concat()
        .iter()
        .map(|file| read(file))
        .collect();
    // Names of tests are sentences; nothing else in the tables has so many words.
    let named = Regex::new(r"`([a-z]+(?:_[a-z0-9]+){3,})`").unwrap();
    let mut tests = 0;
    for found in named.captures_iter(&text) {
        assert!(code.contains(&format!("fn {}()", &found[1])), "{}", &found[1]);
        tests += 1;
    }
    assert!(tests > 5, "the pattern finds tests");
}

#[test]
fn every_command_line_that_the_readme_names_exists() {
    let help = Command::new(env!("CARGO_BIN_EXE_crosscheck"))
        .arg("--help")
        .output()
        .expect("the program starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let named = Regex::new(r"`crosscheck ([a-z-]+)").unwrap();
    for document in DOCUMENTS {
        for found in named.captures_iter(&read(&root().join(document))) {
            // The words after a peer are those of its command.
            if found[1].starts_with('-') {
                continue;
            }
            let listed = help
                .lines()
                .any(|line| line.split_whitespace().next() == Some(&found[1]));
            assert!(listed, "{document}: {}", &found[0]);
        }
    }
}

#[test]
fn every_variable_and_key_that_is_named_exists() {
    let code: String = files("src", "rs").iter().map(|file| read(file)).collect();
    let launcher: String = files("launcher", "sh").iter().map(|file| read(file)).collect();
    let program = read(&root().join("bin/crosscheck"));
    let keys = read(&root().join("src/config/key.rs"));
    let variable = Regex::new(r"`(CROSSCHECK_[A-Z_]+)(?:=[^`]*)?`").unwrap();
    let key = Regex::new(r"`\[([a-z.]+)\] ([a-z_]+)`").unwrap();
    let mut found_some = (0, 0);
    // What contributors set is for the tests and the torture program.
    for document in DOCUMENTS.iter().filter(|name| **name != "CONTRIBUTING.md") {
        let text = read(&root().join(document));
        for found in variable.captures_iter(&text) {
            let name = &found[1];
            let is_known = [&code, &launcher, &program]
                .iter()
                .any(|text| text.contains(name));
            assert!(is_known, "{document}: {name}");
            found_some.0 += 1;
        }
        for found in key.captures_iter(&text) {
            let name = format!("\"{}.{}\"", &found[1], &found[2]);
            assert!(keys.contains(&name), "{document}: {name}");
            found_some.1 += 1;
        }
    }
    assert!(found_some.0 > 10 && found_some.1 > 5, "{found_some:?}");
}
