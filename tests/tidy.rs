//! The shape of the source: which ring may use which, and what no file may hold.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rings from the inside out. A module may use its own ring's earlier modules, itself, and inner rings.
const ORDER: [&[&str]; 8] = [
    &["domain"],
    &["diff", "redact", "prompt", "peer", "report", "standing"],
    &["config"],
    &["sys", "git", "model"],
    &["state"],
    &["run"],
    &["service"],
    &["mcp", "cli"],
];

/// Modules of one ring that may use one of their neighbours, and which.
const NEIGHBOURS: [(&str, &[&str]); 5] = [
    ("redact", &["diff"]),
    ("prompt", &["diff", "redact"]),
    ("peer", &["diff"]),
    ("report", &["diff"]),
    ("standing", &["diff", "redact"]),
];

/// Lines of a file before its tests that no reader should have to hold in the head.
const WALL: usize = 600;
/// Bytes that every installation of the plugin downloads.
const TRACKED_BYTES: u64 = 8 * 1024 * 1024;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn module_of(path: &Path) -> String {
    let inner = path.strip_prefix(root().join("src")).unwrap();
    let first = inner
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn ring(module: &str) -> Option<usize> {
    ORDER.iter().position(|ring| ring.contains(&module))
}

/// Says what a use of `used` in `module` breaks, if it does.
fn broken_arrow(module: &str, used: &str) -> Option<String> {
    let (Some(from), Some(to)) = (ring(module), ring(used)) else {
        return None;
    };
    let neighbour = NEIGHBOURS
        .iter()
        .any(|(name, may)| *name == module && may.contains(&used));
    (module != used && (to > from || (to == from && !neighbour)))
        .then(|| format!("{module} must not use {used}"))
}

#[test]
fn arrows_point_inward() {
    let mut broken = Vec::new();
    for path in sources(&root().join("src")) {
        let module = module_of(&path);
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for used in line.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if let Some(what) = broken_arrow(&module, &used) {
                    broken.push(format!("{}:{}: {what}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_check_of_arrows_can_fail() {
    assert!(broken_arrow("domain", "sys").is_some());
    assert!(broken_arrow("service", "mcp").is_some());
    assert!(broken_arrow("mcp", "cli").is_some());
    assert!(broken_arrow("service", "run").is_none());
}

#[test]
fn every_step_of_a_job_is_listed_for_the_fault_harness() {
    let mut passed: Vec<String> = Vec::new();
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let names = text.split("seam::point(\"").skip(1);
        passed.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    let plan = fs::read_to_string(root().join("src/sys/seam/plan.rs")).unwrap();
    let list = plan.split("pub const POINTS").nth(1).unwrap();
    let list = list.split("];").next().unwrap();
    let mut listed: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(listed.len() >= 45, "{}", listed.len());
    passed.sort();
    passed.dedup();
    listed.sort();
    assert_eq!(passed, listed);
}

#[test]
fn each_library_stays_in_its_room() {
    let rooms: [(&str, &[&str]); 6] = [
        ("rmcp", &["mcp"]),
        ("clap", &["cli"]),
        ("indicatif", &["cli"]),
        ("fs2", &["sys"]),
        ("notify::", &["sys"]),
        ("toml_edit", &["service"]),
    ];
    for path in sources(&root().join("src")) {
        let module = module_of(&path);
        let text = fs::read_to_string(&path).unwrap();
        for (library, allowed) in rooms {
            let used = text
                .lines()
                .any(|line| line.trim_start().starts_with(&format!("use {library}")));
            assert!(
                !used || allowed.contains(&module.as_str()),
                "{} uses {library}",
                path.display()
            );
        }
    }
}

#[test]
fn every_file_fits_a_head_and_says_what_it_is() {
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let body = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(
            body <= WALL,
            "{} has {body} lines before its tests",
            path.display()
        );
        assert!(
            text.starts_with("//! "),
            "{} does not say what it is",
            path.display()
        );
    }
}

/// What git begins the lines with, seven times, between which a person chooses.
const MARKERS: [&str; 2] = ["<", ">"];

#[test]
fn tracked_files_are_few_bytes_and_hold_no_foreign_words() {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "git lists the tracked files");
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<PathBuf> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(|name| root().join(name))
        .collect();
    assert!(files.len() > 50);
    let mut bytes = 0;
    // Put together here, so that this file does not hold them either. Each is a host from which packages are fetched,
    // or a path outside the project.
    let foreign = [
        ["registry.npm", "js.org"],
        ["index.crates", ".io"],
        ["static.crates", ".io"],
        ["../sha", "red"],
    ];
    for path in files.iter().filter(|path| path.is_file()) {
        let content = fs::read(path).unwrap();
        bytes += content.len() as u64;
        let text = String::from_utf8_lossy(&content);
        for words in &foreign {
            assert!(
                !text.contains(&words.concat()),
                "{} names {}",
                path.display(),
                words.concat()
            );
        }
        // Of two texts that were put together by hand.
        let left_over = text
            .lines()
            .find(|line| MARKERS.iter().any(|marker| line.starts_with(&marker.repeat(7))));
        assert_eq!(left_over, None, "{}", path.display());
    }
    assert!(bytes < TRACKED_BYTES, "{bytes} bytes are tracked");
}
