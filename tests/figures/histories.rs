//! Histories in real repositories, of real sources: what the program says it would send adds up to what git says there is.
//!
//! The sources are those of the packages that this build uses, as cargo names them; where cargo names none, this project's
//! own files stand in for them, and the test says so. `CROSSCHECK_FIGURES=full` makes fifty histories instead of four.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::corpus::sources;
use crate::dice::Dice;
use crate::support::scripts::Scripted;
use crate::world::{Server, World, review_answer};

/// Files of a package that are used.
const FILES: usize = 12;
/// Lines of a file that are used.
const LINES: usize = 600;

/// Files of one package: names and lines.
type Sources = Vec<(String, Vec<String>)>;

/// Returns the packages with enough sources, as cargo names them.
fn packages() -> Vec<Sources> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let metadata: Value = serde_json::from_slice(&text).unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<Sources> = packages
        .iter()
        .filter(|package| !package["source"].is_null())
        .filter_map(|package| package["manifest_path"].as_str())
        .map(|manifest| read(&PathBuf::from(manifest).parent().unwrap().join("src")))
        .filter(|sources| sources.len() >= 4)
        .collect();
    if found.len() < 10 {
        println!(
            "histories: cargo names {} packages, so our own files are used",
            found.len()
        );
        let own = sources().chunks(FILES).map(|files| {
            let named = files
                .iter()
                .map(|file| (file.path.replace('/', "_"), file.lines.clone()));
            named.collect()
        });
        found = own.filter(|files: &Sources| files.len() >= 4).collect();
    }
    found
}

fn read(folder: &std::path::Path) -> Sources {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let texts = paths.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let text = std::fs::read_to_string(path).ok()?;
        let lines: Vec<String> = text.lines().take(LINES).map(str::to_owned).collect();
        (lines.len() >= 20).then_some((name, lines))
    });
    texts.take(FILES).collect()
}

/// A repository below the world's own folder.
struct History<'a> {
    world: &'a World,
    name: String,
}

impl History<'_> {
    fn git(&self, arguments: &[&str]) -> String {
        let folder = self.world.work().join(&self.name);
        let mut all = vec!["-C", folder.to_str().unwrap()];
        all.extend(arguments);
        self.world.git(&all)
    }

    fn write(&self, name: &str, lines: &[String], end: &str) {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), end]).collect();
        self.world.write(&format!("{}/src/{name}", self.name), text);
    }

    /// Makes a first commit of all files and three more that change, move, add and delete some.
    fn make(&self, mut files: Sources, dice: &mut Dice) {
        self.world.write(&format!("{}/README", self.name), "A history.\n");
        self.git(&["init", "-q"]);
        for (name, lines) in &files {
            self.write(name, lines, "\n");
        }
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", "0"]);
        self.git(&["branch", "-q", "base"]);
        for number in 1..=3 {
            for _ in 0..dice.between(1, 4) {
                self.step(&mut files, dice, number);
            }
            self.git(&["add", "-A"]);
            self.git(&["commit", "-qm", &number.to_string(), "--allow-empty"]);
        }
        // What is not committed: a changed file, and untracked ones.
        self.step(&mut files, dice, 4);
        self.world.write(&format!("{}/notes.txt", self.name), "new\n");
    }

    fn step(&self, files: &mut Sources, dice: &mut Dice, number: usize) {
        let at = dice.below(files.len());
        let path = |name: &str| format!("{}/src/{name}", self.name);
        match dice.below(10) {
            0 if files.len() > 3 => {
                let (name, _) = files.remove(at);
                std::fs::remove_file(self.world.work().join(path(&name))).unwrap();
            }
            1 => {
                let (name, lines) = files[at].clone();
                let new = format!("moved{number}_{name}");
                std::fs::remove_file(self.world.work().join(path(&name))).unwrap();
                self.write(&new, &lines, "\n");
                files[at].0 = new;
            }
            2 => self
                .world
                .write(&path(&format!("picture{number}.bin")), [0_u8, 1, 2, 255, 0]),
            3 => self
                .world
                .write(&format!("{}/.env", self.name), format!("A={number}\n")),
            4 => {
                let (name, lines) = &files[at];
                self.write(name, lines, "\r\n");
            }
            5 => self.world.write(&path(&format!("empty{number}")), ""),
            _ => {
                let lines = &mut files[at].1;
                for _ in 0..dice.between(1, 5) {
                    let line = dice.below(lines.len());
                    match dice.below(3) {
                        0 if lines.len() > 10 => drop(lines.remove(line)),
                        1 => lines.insert(line, format!("    // step {number} {}", dice.below(1_000))),
                        _ => lines[line].push_str(" // changed"),
                    }
                }
                let (name, lines) = &files[at];
                self.write(name, lines, "\n");
            }
        }
    }

    /// Counts what plain git shows: the hunks of each file, one for a file without any.
    fn count(&self, arguments: &[&str]) -> usize {
        let mut all = vec!["diff", "--no-ext-diff", "--no-color", "--find-renames"];
        all.extend(arguments);
        let text = self.git(&all);
        let mut files: Vec<usize> = Vec::new();
        for line in text.lines() {
            if line.starts_with("diff --git ") {
                files.push(0);
            } else if line.starts_with("@@ ") {
                *files.last_mut().unwrap() += 1;
            }
        }
        files.iter().map(|hunks| (*hunks).max(1)).sum()
    }
}

/// Checks one scope: the sums, and the total against git's.
fn check(server: &mut Server, history: &History<'_>, asked: &Value, total: usize) -> [u64; 3] {
    let mut arguments = asked.clone();
    arguments["workspace"] = json!(history.world.work().join(&history.name));
    if total == 0 {
        server.fault(
            "dry_run",
            &json!({"tool": "review", "arguments": arguments}),
            "nothing_to_review",
        );
        return [0; 3];
    }
    let shown = server.ok("dry_run", &json!({"tool": "review", "arguments": arguments}));
    let hunks = &shown["coverage"]["hunks"];
    let number = |name: &str| hunks[name].as_u64().unwrap();
    let [all, sent, omitted] = [number("total"), number("sent"), number("omitted")];
    assert_eq!(all, total as u64, "{asked} {shown:#}");
    assert_eq!(all, sent + omitted, "{shown:#}");
    assert_eq!(
        omitted == 0,
        shown["coverage"]["omitted"].as_array().unwrap().is_empty(),
        "{shown:#}"
    );
    if let Some(each) = shown["plan"]["each"].as_array() {
        let planned: u64 = each.iter().map(|part| part["hunks"].as_u64().unwrap()).sum();
        assert_eq!(planned, sent, "{shown:#}");
    }
    [all, sent, omitted]
}

#[test]
fn what_is_sent_of_a_history_adds_up_to_what_git_shows() {
    let full = std::env::var_os("CROSSCHECK_FIGURES").is_some_and(|value| value == "full");
    let histories = if full { 50 } else { 4 };
    let world = World::new(Scripted::json(review_answer("pass", &[])));
    world.write("README", "The folder of all histories.\n");
    let mut server = world.server();
    let packages = packages();
    let mut dice = Dice::new(8_004);
    let (mut sums, mut scopes) = ([0; 3], 0);
    for number in 0..histories {
        let files = packages[number % packages.len()].clone();
        let history = History {
            world: &world,
            name: format!("history{number}"),
        };
        history.make(files, &mut dice);
        let branch = history.git(&["rev-parse", "HEAD"]);
        let asked = [
            (
                json!({"scope": "commit", "commit": branch}),
                history.count(&["HEAD~1", "HEAD"]),
            ),
            (
                json!({"scope": "branch", "base": "base"}),
                history.count(&["base...HEAD"]),
            ),
            // `notes.txt` is not tracked, and has one hunk.
            (
                json!({"scope": "working_tree"}),
                history.count(&["HEAD"]) + history.untracked(),
            ),
        ];
        for (asked, total) in asked {
            let found = check(&mut server, &history, &asked, total);
            for (sum, found) in sums.iter_mut().zip(found) {
                *sum += found;
            }
            scopes += 1;
        }
    }
    let [all, sent, omitted] = sums;
    println!(
        "histories: {histories} of real sources, {scopes} scopes, {all} hunks = {sent} sent + {omitted} left out, as git counts them"
    );
    assert!(world.model.turns().is_empty());
}

impl History<'_> {
    fn untracked(&self) -> usize {
        self.git(&["ls-files", "--others", "--exclude-standard"])
            .lines()
            .count()
    }
}
