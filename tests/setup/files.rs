//! Our program on files of every shape: what is not ours stays byte for byte.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::corpus::{FILES, huge};
use crate::support::home::Home;
use crate::support::run::{Finished, finish};
use crate::world::PROGRAM;

/// Makes a world in which nothing is asked.
pub(crate) fn home() -> Home {
    Home::new("http://127.0.0.1:9/v1")
}

/// Returns codex's configuration of a world.
pub(crate) fn config(home: &Home) -> PathBuf {
    home.codex_home().join("config.toml")
}

/// Runs our program.
pub(crate) fn crosscheck(home: &Home, arguments: &[&str]) -> Finished {
    let mut command: Command = home.command(PROGRAM);
    command.args(arguments);
    finish(command, "")
}

pub(crate) fn ok(home: &Home, arguments: &[&str]) -> Value {
    let finished = crosscheck(home, &[arguments, &["--json"]].concat());
    assert_eq!(finished.status.code(), Some(0), "{arguments:?} {finished:#?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

fn refused(home: &Home, arguments: &[&str], said: &str) {
    let finished = crosscheck(home, arguments);
    let text = finished.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(finished.status.code(), Some(7), "{arguments:?} {finished:#?}");
    assert!(text.contains(said), "{said}: {text}");
}

fn copies(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".bak"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_file_keeps_its_bytes_takes_the_entry_once_and_gives_it_back() {
    assert!(FILES.len() >= 40, "{}", FILES.len());
    let home = home();
    let file = config(&home);
    let large = huge();
    let all = FILES.iter().copied().chain([("huge", large.as_str())]);
    for (name, text) in all {
        fs::write(&file, text).unwrap();
        let looked = ok(&home, &["setup", "--host", "codex", "--dry-run"]);
        assert_eq!(looked["steps"][0]["state"], "would", "{name}");
        assert_eq!(
            fs::read(&file).unwrap(),
            text.as_bytes(),
            "{name}: a look changed it"
        );
        let done = ok(&home, &["setup", "--host", "codex"]);
        assert_eq!(done["steps"][0]["state"], "done", "{name}");
        let kept = done["steps"][0]["kept"].as_str().unwrap();
        assert_eq!(fs::read(kept).unwrap(), text.as_bytes(), "{name}");
        let new = fs::read_to_string(&file).unwrap();
        if !text.contains("mcp_servers = {") {
            assert!(new.starts_with(text), "{name}: {new}");
        }
        let again = ok(&home, &["setup", "--host", "codex"]);
        assert_eq!(again["summary"], "There is nothing to change.", "{name}");
        assert_eq!(fs::read_to_string(&file).unwrap(), new, "{name}");
        ok(&home, &["uninstall", "--host", "codex"]);
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            new,
            "{name}: a look changed it"
        );
        ok(&home, &["uninstall", "--host", "codex", "--yes"]);
        assert_eq!(fs::read(&file).unwrap(), text.as_bytes(), "{name}");
        let none = ok(&home, &["uninstall", "--host", "codex", "--yes"]);
        assert_eq!(none["summary"], "There is nothing to change.", "{name}");
    }
}

#[test]
fn a_file_that_is_not_there_is_made_and_goes_again() {
    let home = home();
    let file = config(&home);
    fs::remove_dir_all(home.codex_home()).unwrap();
    ok(&home, &["setup", "--host", "codex"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    ok(&home, &["uninstall", "--host", "codex", "--yes"]);
    assert!(!file.exists());
    assert_eq!(copies(&home.codex_home()), Vec::<PathBuf>::new());
}

#[test]
fn a_link_stays_a_link_and_permissions_stay() {
    let home = home();
    let (file, real) = (config(&home), home.home().join("dotfiles.toml"));
    fs::rename(&file, &real).unwrap();
    symlink("../home/dotfiles.toml", &file).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::read(&real).unwrap();
    ok(&home, &["setup", "--host", "codex"]);
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_ne!(fs::read(&real).unwrap(), before);
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o644);
    let kept = copies(&home.home());
    assert_eq!(kept.len(), 1);
    assert_eq!(
        fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777,
        0o600
    );
    ok(&home, &["uninstall", "--host", "codex", "--yes"]);
    assert_eq!(fs::read(&real).unwrap(), before);
}

#[test]
fn what_cannot_be_written_or_understood_is_left_alone() {
    let home = home();
    let file = config(&home);
    let before = fs::read(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    refused(&home, &["setup", "--host", "codex"], "is read-only");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(home.codex_home(), fs::Permissions::from_mode(0o500)).unwrap();
    refused(&home, &["setup", "--host", "codex"], "is read-only");
    fs::set_permissions(home.codex_home(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs::read(&file).unwrap(), before);

    let secret = format!("sk-{}", "a1B2".repeat(8));
    let broken = [
        ("a = 1\na = 2\n".to_owned(), "line 2 is no valid TOML"),
        (format!("a = 1\nkey = {secret}\n"), "line 2 is no valid TOML"),
        ("[a]\n[b]\n[a]\n".to_owned(), "line 3 is no valid TOML"),
        ("mcp_servers = 1\n".to_owned(), "cannot be edited"),
        ("[[mcp_servers]]\n".to_owned(), "cannot be edited"),
        (
            "[mcp_servers.claude]\ncommand = \"claude\"\nargs = [\"mcp\", \"serve\"]\n".to_owned(),
            "does not start this program",
        ),
    ];
    for (text, said) in broken {
        fs::write(&file, &text).unwrap();
        for command in [
            &["setup", "--host", "codex"][..],
            &["setup", "--host", "codex", "--dry-run"],
            &["uninstall", "--host", "codex", "--yes"],
        ] {
            refused(&home, command, said);
            assert!(!crosscheck(&home, command).stderr.contains(&secret));
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, b"a = \"\xff\"\n").unwrap();
    refused(&home, &["setup", "--host", "codex"], "not UTF-8");
    fs::remove_file(&file).unwrap();
    symlink("nowhere", &file).unwrap();
    refused(
        &home,
        &["setup", "--host", "codex"],
        "a link to a file that does not exist",
    );
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused(&home, &["setup", "--host", "codex"], "cannot be read");
    assert_eq!(copies(&home.codex_home()), Vec::<PathBuf>::new());
}

#[test]
fn an_uninstall_of_everything_says_how_a_host_is_left() {
    let home = home();
    ok(&home, &["setup", "--host", "codex"]);
    let hooks = home.codex_home().join("hooks.json");
    let command = format!("{PROGRAM} hook stop --host codex --gate soft");
    let entry =
        serde_json::json!({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": command}]}]}});
    fs::write(&hooks, entry.to_string()).unwrap();
    let told = ok(&home, &["uninstall"]);
    let things = told["things"].to_string();
    assert!(
        things.contains("crosscheck uninstall --host codex --yes"),
        "{told:#}"
    );
    let told = ok(&home, &["uninstall", "--host", "codex", "--yes"]);
    assert!(told["warnings"].to_string().contains("hooks.json"), "{told:#}");
    assert!(hooks.exists());
    let told = ok(&home, &["uninstall"]);
    assert!(!told["things"].to_string().contains("--host"), "{told:#}");
}

#[test]
fn somebody_elses_entry_gives_way_only_when_the_person_says_so() {
    let home = home();
    let file = config(&home);
    let foreign = "a = 1\n[mcp_servers.claude]\ncommand = \"claude\"\nargs = [\"mcp\", \"serve\"]\n[tui]\n";
    fs::write(&file, foreign).unwrap();
    let done = ok(&home, &["setup", "--host", "codex", "--force"]);
    assert_eq!(
        fs::read_to_string(done["steps"][0]["kept"].as_str().unwrap()).unwrap(),
        foreign
    );
    ok(&home, &["uninstall", "--host", "codex", "--yes"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "a = 1\n[tui]\n");
}

#[test]
fn a_project_gets_a_file_of_its_own_and_no_copy_beside_it() {
    let home = home();
    let work = home.work();
    fs::create_dir_all(work.join(".git")).unwrap();
    fs::create_dir_all(work.join(".codex")).unwrap();
    let file = work.join(".codex/config.toml");
    fs::write(&file, "model = \"x\"\n").unwrap();
    let before = fs::read(config(&home)).unwrap();
    let done = ok(&home, &["setup", "--host", "codex", "--scope", "project"]);
    assert!(
        done["warnings"].to_string().contains("trust the project"),
        "{done:#}"
    );
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("[mcp_servers.claude]")
    );
    assert_eq!(copies(&work.join(".codex")), Vec::<PathBuf>::new());
    assert_eq!(copies(&home.state().join("setup")).len(), 1);
    assert_eq!(fs::read(config(&home)).unwrap(), before);
    ok(
        &home,
        &["uninstall", "--host", "codex", "--scope", "project", "--yes"],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "model = \"x\"\n");
}

#[test]
fn a_folder_is_admitted_by_the_person_and_a_dangerous_one_by_nobody() {
    let home = home();
    let file = home.config().join("crosscheck/config.toml");
    let work = home.work();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "# mine\n[limits]\nconcurrency = 2 # two\n").unwrap();
    let folder = home.temp().display().to_string();
    let user = home.home().display().to_string();
    for dangerous in ["/", "/etc", "/tmp", &folder, &user] {
        let finished = crosscheck(&home, &["setup", "--allow-root", dangerous]);
        assert_eq!(finished.status.code(), Some(6), "{dangerous} {finished:#?}");
    }
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, "# mine\n[limits]\nconcurrency = 2 # two\n");
    ok(&home, &["setup", "--allow-root", "."]);
    let new = fs::read_to_string(&file).unwrap();
    assert_eq!(
        new,
        format!("{text}\n[policy]\nroots = [\"{}\"]\n", work.display())
    );
    let again = ok(&home, &["setup", "--allow-root", work.to_str().unwrap()]);
    assert_eq!(again["changed"], 0);
    assert!(crosscheck(&home, &["config", "check"]).status.success());
}
