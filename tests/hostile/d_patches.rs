//! Group D: what a peer leaves behind, on its way into the user's files.
//!
//! Trees are made whatever git thinks of their names, and worktrees are edited as no honest peer does. Each result is
//! previewed, landed as far as it can be named, and taken back. What must never land does not; what runs or instructs
//! something lands by its name alone; nothing outside changes, and `.git` stays as it is to the byte.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::detect::{Canaries, MOST_WORK, Markers, Watch, work_of};
use crate::making::Making;
use crate::support::scripts::Scripted;
use crate::world::{Server, World};

const FORBIDDEN: &str =
    "something lands that must not, or unasked, or outside, or a program runs, or the collection hangs";

/// Folders of a tree, with a file `config` in each, whose names some system takes for `.git` or for a way out.
const FOLDERS: [&str; 18] = [
    ".git",
    ".GIT",
    ".Git",
    ".git ",
    ".git.",
    ".git. . .",
    "git~1",
    "GIT~1",
    "git~2",
    ".g\u{200c}it",
    "\u{feff}.git",
    ".gi\u{200f}t",
    ".git\u{202e}",
    ".git::$INDEX_ALLOCATION",
    ".git:x",
    ".git\\hooks",
    "x\\.git",
    "a\\..\\..\\b",
];

/// Texts of links that lead out, into the git directory or nowhere that could be known.
const LINKS: [&str; 16] = [
    "/etc/passwd",
    "../outside",
    "../../../etc/passwd",
    "sub/../../outside",
    "./../outside",
    "sub/../sub/../../x",
    ".git/config",
    ".GIT/hooks",
    "sub/../.git/hooks/pre-commit",
    "git~1/config",
    ".g\u{200c}it/config",
    "C:\\Windows",
    "\\\\host\\share",
    "..\\outside",
    "/proc/self/environ",
    "//outside",
];

/// What must come of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// It lands as it is, and comes out again.
    Land,
    /// It lands by its name alone.
    BeNamed,
    /// It never lands.
    BeRefused,
    /// It is no part of the result, and that is told.
    BeLeftOut,
}

use Must::{BeLeftOut, BeNamed, BeRefused, Land};

type Edit = fn(&Path);

/// Edits of a worktree.
const EDITS: &[(&str, Must, Edit)] = &[
    ("a hook in .githooks", BeNamed, |p| {
        put(p, ".githooks/pre-commit", "#!/bin/sh\n");
    }),
    ("a hook of a manager in another case", BeNamed, |p| {
        put(p, ".Husky/pre-push", "x");
    }),
    ("a pipeline", BeNamed, |p| {
        put(p, ".github/workflows/ci.yml", "on: push\n");
    }),
    ("a pipeline below a folder", BeNamed, |p| {
        put(p, "deep/down/.gitlab-ci.yml", "x: y\n");
    }),
    ("servers for an agent", BeNamed, |p| put(p, ".mcp.json", "{}")),
    ("settings and hooks of an agent", BeNamed, |p| {
        put(p, ".claude/settings.json", "{}");
    }),
    ("configuration of codex", BeNamed, |p| {
        put(p, ".codex/config.toml", "x = 1\n");
    }),
    ("guidance for agents", BeNamed, |p| {
        put(p, "sub/AGENTS.md", "do it\n");
    }),
    ("rules of an editor's agent", BeNamed, |p| {
        put(p, ".cursor/rules/x.mdc", "do it\n");
    }),
    ("our own project file", BeNamed, |p| {
        put(p, ".crosscheck/config.toml", "x = 1\n");
    }),
    ("attributes with a filter", BeNamed, |p| {
        put(p, ".gitattributes", "* filter=x\n");
    }),
    ("submodules that update by a program", BeNamed, |p| {
        put(p, ".gitmodules", "[submodule \"x\"]\n\tupdate = !x\n");
    }),
    ("what a shell runs on entering", BeNamed, |p| {
        put(p, ".envrc", "x\n");
    }),
    ("tasks that an editor runs on opening", BeNamed, |p| {
        put(p, ".vscode/tasks.json", "{}");
    }),
    ("a container for development", BeNamed, |p| {
        put(p, ".devcontainer/devcontainer.json", "{}");
    }),
    ("a link in the place of an editor's folder", BeNamed, |p| {
        symlink("sub", p.join(".vscode")).unwrap();
    }),
    ("guidance whose name has an invisible letter", BeNamed, |p| {
        put(p, "CLA\u{200c}UDE.md", "x");
    }),
    ("a repository in the place of .git", Land, |p| {
        fs::remove_file(p.join(".git")).unwrap();
        repository(p, p);
        put(p, "good.txt", "g");
    }),
    (".git names another repository", Land, |p| {
        put(p, ".git", "gitdir: /nowhere/at/all\n");
        put(p, "good.txt", "g");
    }),
    (".git is a link to a folder outside", Land, |p| {
        fs::remove_file(p.join(".git")).unwrap();
        symlink("/tmp", p.join(".git")).unwrap();
        put(p, "good.txt", "g");
    }),
    (".git is a FIFO", Land, |p| {
        fs::remove_file(p.join(".git")).unwrap();
        fifo(&p.join(".git"));
        put(p, "good.txt", "g");
    }),
    (
        "a repository with hooks and a monitor in a folder",
        BeLeftOut,
        |p| repository(p, &p.join("inner")),
    ),
    ("a repository in the place of a folder of files", BeLeftOut, |p| {
        repository(p, &p.join("sub"));
    }),
    ("a folder named like .git on other systems", BeLeftOut, |p| {
        put(p, "git~1/config", "x");
    }),
    ("a folder named .GIT", BeLeftOut, |p| {
        put(p, "deep/.GIT/config", "x");
    }),
    ("a link out", BeRefused, |p| {
        symlink("/etc/passwd", p.join("out")).unwrap();
    }),
    ("a chain of links out", BeRefused, |p| {
        symlink("..", p.join("one")).unwrap();
        symlink("one/..", p.join("two")).unwrap();
    }),
    ("links that lead out together", BeRefused, |p| {
        symlink(".", p.join("here")).unwrap();
        symlink("here/../..", p.join("there")).unwrap();
    }),
    ("a folder becomes a link, with a file behind it", BeRefused, |p| {
        fs::remove_dir_all(p.join("sub")).unwrap();
        symlink("../outside", p.join("sub")).unwrap();
    }),
    ("a file becomes a link to the git directory", BeRefused, |p| {
        fs::remove_file(p.join("a.txt")).unwrap();
        symlink(".git/config", p.join("a.txt")).unwrap();
    }),
    ("a name in another case", BeRefused, |p| put(p, "A.TXT", "x")),
    ("a folder in another case", BeRefused, |p| {
        put(p, "SUB/new.txt", "x");
    }),
    ("two new names in two cases", BeRefused, |p| {
        put(p, "new", "x");
        put(p, "NEW", "y");
    }),
    ("two forms of one letter", BeRefused, |p| {
        put(p, "caf\u{e9}", "x");
        put(p, "cafe\u{301}", "y");
    }),
    (
        "a name with an invisible letter beside the plain one",
        BeRefused,
        |p| put(p, "a\u{200c}.txt", "x"),
    ),
    ("names with terminal codes", Land, |p| {
        put(p, "x\u{1b}[2J\u{7}y", "x");
    }),
    ("names that read backwards", Land, |p| {
        put(p, "x\u{202e}txt.exe", "x");
    }),
    ("names that are options", Land, |p| {
        put(p, "--output=x", "x");
        put(p, "-rf", "x");
    }),
    ("names with line feeds and quotes", Land, |p| {
        put(p, "x\n\"'`$(touch y)", "x");
    }),
    ("names that are no text", Land, |p| {
        fs::write(p.join(OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    }),
    ("the longest names", Land, |p| {
        put(p, &format!("{}/{}", "d".repeat(255), "f".repeat(255)), "x");
    }),
    ("a program of another user's rights", Land, |p| {
        put(p, "tool", "#!/bin/sh\n");
        fs::set_permissions(p.join("tool"), fs::Permissions::from_mode(0o6777)).unwrap();
    }),
    ("a data file becomes a program", Land, |p| {
        fs::set_permissions(p.join("a.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    }),
    ("files and folders that nobody may read", Land, |p| {
        put(p, "closed/f", "x");
        fs::set_permissions(p.join("closed/f"), fs::Permissions::from_mode(0o0)).unwrap();
        fs::set_permissions(p.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    }),
    ("a file of holes of a terabyte", BeLeftOut, |p| {
        holes(&p.join("huge"));
    }),
    ("a tracked file grows to a terabyte of holes", BeLeftOut, |p| {
        holes(&p.join("a.txt"));
    }),
    ("a thousand files of holes of half a gigabyte", BeLeftOut, |p| {
        for number in 0..1000 {
            fs::File::create(p.join(format!("holes-{number}")))
                .unwrap()
                .set_len(600 << 20)
                .unwrap();
        }
    }),
    ("a folder deeper than any path", BeLeftOut, deep),
    // Each is synced as it lands and as it is taken back: more of them would try the disk.
    ("two thousand files", Land, |p| {
        for number in 0..2000 {
            put(p, &format!("many/{}/{number}", number % 100), "x");
        }
    }),
    ("a FIFO", BeLeftOut, |p| fifo(&p.join("pipe"))),
    ("a tracked file becomes a FIFO", Land, |p| fifo(&p.join("a.txt"))),
    ("FIFOs where git looks for patterns", BeLeftOut, |p| {
        fifo(&p.join(".gitignore"));
        fifo(&p.join("sub/.gitignore"));
        fifo(&p.join(".gitattributes"));
    }),
    ("a socket", BeLeftOut, |p| {
        drop(UnixListener::bind(p.join("socket")).unwrap());
    }),
    (
        "ignored names are a link to a device without an end",
        BeRefused,
        |p| symlink("/dev/zero", p.join(".gitignore")).unwrap(),
    ),
    ("everything is ignored", Land, |p| {
        put(p, ".gitignore", "*\n!.gitignore\n");
        put(p, "hidden", "x");
    }),
    ("a file in the place of a folder", Land, |p| {
        fs::remove_dir_all(p.join("sub")).unwrap();
        put(p, "sub", "x");
    }),
    ("a folder in the place of a file", Land, |p| {
        fs::remove_file(p.join("a.txt")).unwrap();
        put(p, "a.txt/inner", "x");
    }),
    ("everything is deleted", Land, |p| {
        for name in ["a.txt", "tool.sh"] {
            fs::remove_file(p.join(name)).unwrap();
        }
        fs::remove_dir_all(p.join("sub")).unwrap();
    }),
    ("the worktree itself is gone", Land, |p| {
        fs::remove_dir_all(p).unwrap();
    }),
];

fn put(place: &Path, name: &str, text: &str) {
    let path = place.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn holes(path: &Path) {
    fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
}

fn deep(place: &Path) {
    let script = "i=0; while [ $i -lt 38 ]; do n=$(printf %0100d $i); mkdir $n && cd $n || exit 1; i=$((i+1)); done; : >$(printf %0250d 0)";
    assert!(
        Command::new("sh")
            .args(["-c", script])
            .current_dir(place)
            .status()
            .unwrap()
            .success()
    );
}

/// Makes a repository that names programs; what they leave is looked for beside the worktree.
fn repository(worktree: &Path, folder: &Path) {
    let program = worktree.parent().unwrap().join("markers/programs/peer");
    let program = program.to_str().unwrap();
    fs::create_dir_all(folder).unwrap();
    put(folder, "inside.txt", "inside\n");
    for arguments in [
        &["init", "-q"][..],
        &["add", "inside.txt"],
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.invalid",
            "commit",
            "-q",
            "-m",
            "x",
        ],
        &["config", "core.fsmonitor", program],
        &["config", "diff.external", program],
    ] {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(folder).env("HOME", worktree);
        git.env_remove("GIT_DIR")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", worktree);
        assert!(git.status().unwrap().success());
    }
    let hooks = folder.join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for name in [
        "post-index-change",
        "reference-transaction",
        "pre-commit",
        "post-checkout",
    ] {
        fs::copy(program, hooks.join(name)).unwrap();
    }
    // What was left until now is this function's own doing.
    let _ = fs::remove_dir_all(worktree.parent().unwrap().join("markers/left"));
    fs::create_dir_all(worktree.parent().unwrap().join("markers/left")).unwrap();
}

/// The cases: folders and links of made trees, edits, and whole runs.
pub(crate) fn cases() -> Vec<Case> {
    let folders = FOLDERS.map(|name| format!("a tree with the folder {name:?}"));
    let mut cases = numbered('D', 1, FORBIDDEN, folders);
    let next = |cases: &[Case]| cases.len() + 1;
    cases.extend(numbered(
        'D',
        next(&cases),
        FORBIDDEN,
        LINKS.map(|text| format!("a link to {text:?}")),
    ));
    let others = [
        "a repository as an entry",
        "a file behind a link of the user's",
        "a tree with two names in two cases",
    ];
    cases.extend(numbered('D', next(&cases), FORBIDDEN, others));
    cases.extend(numbered(
        'D',
        next(&cases),
        FORBIDDEN,
        EDITS.iter().map(|(what, ..)| *what),
    ));
    let runs = [
        "a whole run that leaves all kinds of things",
        "a whole run that removes its worktree and makes it a link",
    ];
    cases.extend(numbered('D', next(&cases), FORBIDDEN, runs));
    cases
}

struct Scene {
    world: World,
    markers: Markers,
    outside: PathBuf,
}

/// Asks what a landing would do.
fn preview(server: &mut Server, arguments: &Value) -> Value {
    server.call("dry_run", &json!({"tool": "apply", "arguments": arguments}))
}

impl Scene {
    fn new(world: World) -> Self {
        world.git(&["init", "-q"]);
        world.write("a.txt", "one\ntwo\nthree\n");
        world.write("sub/b.txt", "b\n");
        world.write("tool.sh", "#!/bin/sh\n");
        let outside = world.home.private().join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("precious"), "precious").unwrap();
        symlink(&outside, world.work().join("mine")).unwrap();
        world.git(&["add", "."]);
        world.git(&["commit", "-qm", "one"]);
        let markers = Markers::new(&world.home.private().join("markers"));
        markers.program("peer");
        Self {
            world,
            markers,
            outside,
        }
    }

    /// Tries everything with a result: the preview, a landing without a token, of what may be named, and the undo.
    fn try_landing(&self, server: &mut Server, id: &str, must: Must) -> Vec<String> {
        let mut wrong = Vec::new();
        let git = self.world.work().join(".git");
        let watch = Watch::over([self.outside.clone(), git, self.world.home.home()]);
        let files = Watch::over([self.world.work()]);
        let shown = preview(server, &json!({"id": id, "action": "preview"}));
        let names = |field: &str| shown[field].as_array().is_some_and(|names| !names.is_empty());
        let has_token = shown["token"].is_string();
        let is_right = match must {
            Land => has_token,
            BeNamed => !has_token && names("needs_naming"),
            BeRefused => !has_token && names("refused"),
            // Nothing else may be in the result, and then there is nothing to land.
            BeLeftOut => !has_token,
        };
        if !is_right {
            wrong.push(format!("the preview is {shown:#}"));
        }
        if shown
            .to_string()
            .chars()
            .any(|letter| letter.is_control() || letter == '\u{202e}')
        {
            wrong.push("the preview holds letters that a terminal obeys".to_owned());
        }
        let landed = server.call(
            "apply",
            &json!({"id": id, "action": "land", "token": "0".repeat(64)}),
        );
        if landed["ok"] == true {
            wrong.push("it landed without a token".to_owned());
        }
        wrong.extend(files.changes());
        let all: Vec<String> = shown["files"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|file| file["refused"].is_null())
            .filter_map(|file| file["path"].as_str().map(str::to_owned))
            .take(200)
            .collect();
        let (token, mut land) = if has_token {
            (shown["token"].clone(), json!({"id": id, "action": "land"}))
        } else if all.is_empty() {
            return [wrong, watch.changes()].concat();
        } else {
            let again = preview(server, &json!({"id": id, "action": "preview", "files": all}));
            (
                again["token"].clone(),
                json!({"id": id, "action": "land", "files": all}),
            )
        };
        if token.is_string() {
            land["token"] = token;
            let done = server.call("apply", &land);
            if done["ok"] == true {
                let undone = server.call("apply", &json!({"id": id, "action": "undo"}));
                if undone["ok"] != true {
                    wrong.push(format!("it does not come out again: {undone:#}"));
                }
                wrong.extend(files.changes());
            } else {
                wrong.push(format!("it did not land: {done:#}"));
            }
        }
        wrong.extend(watch.changes());
        wrong.extend(self.markers.take().into_iter().map(|name| format!("{name} ran")));
        wrong
    }
}

#[test]
fn no_tree_lands_where_it_must_not() {
    let scene = Scene::new(World::new(Scripted::well()));
    let making = Making::begin(&scene.world);
    let mut server = scene.world.server();
    let mut findings = Findings::default();
    let all = cases();
    let blob = making.blob(b"[core]\n\tfsmonitor = touch /tmp/x\n");
    let inner = making.plumbing(&["mktree"], format!("100644 blob {blob}\tconfig\n").as_bytes());
    for (case, name) in all.iter().zip(FOLDERS) {
        let id = making.end(&making.with_entry("40000", name, &inner), |_, _| {});
        findings.note(case, scene.try_landing(&mut server, &id, BeRefused));
    }
    for (case, text) in all.iter().skip(FOLDERS.len()).zip(LINKS) {
        let text = making.blob(text.as_bytes());
        let id = making.end(&making.with_entry("120000", "new-link", &text), |_, _| {});
        findings.note(case, scene.try_landing(&mut server, &id, BeRefused));
    }
    let [gitlink, behind, cases_of_two] = &all[FOLDERS.len() + LINKS.len()..][..3] else {
        panic!("three cases follow the tables")
    };
    let id = making.end(
        &making.with_entry("160000", "lib", making.base.as_str()),
        |_, _| {},
    );
    findings.note(gitlink, scene.try_landing(&mut server, &id, BeRefused));
    // The user's own link takes the place of a folder after the job began.
    let id = crate::making::job(&scene.world, |place| put(place, "later/new.txt", "x"));
    symlink(&scene.outside, scene.world.work().join("later")).unwrap();
    let watch = Watch::over([scene.outside.clone()]);
    let shown = preview(&mut server, &json!({"id": id, "action": "preview"}));
    let mut wrong = watch.changes();
    if shown["token"].is_string() {
        server.call(
            "apply",
            &json!({"id": id, "action": "land", "token": shown["token"]}),
        );
        wrong.extend(watch.changes());
    }
    fs::remove_file(scene.world.work().join("later")).unwrap();
    findings.note(behind, wrong);
    let id = making.end(&making.with_entry("100644", "A.TXT", &blob), |_, _| {});
    findings.note(cases_of_two, scene.try_landing(&mut server, &id, BeRefused));
    findings.assert_none(FOLDERS.len() + LINKS.len() + 3);
}

#[test]
fn no_edit_of_a_peer_lands_unasked_or_outside() {
    let scene = Scene::new(World::new(Scripted::well()));
    let mut server = scene.world.server();
    let mut findings = Findings::default();
    let all = cases();
    for (case, (_, must, edit)) in all.iter().skip(FOLDERS.len() + LINKS.len() + 3).zip(EDITS) {
        let making = Making::begin(&scene.world);
        let collected = making.collected(edit);
        let mut wrong = Vec::new();
        if *must == BeLeftOut && collected.left_out.is_empty() {
            wrong.push("nothing is told as left out".to_owned());
        }
        let is_empty = collected.tree == making.base_tree;
        let id = making.end(&collected.tree, |_, _| {});
        if is_empty {
            if !matches!(must, BeLeftOut) {
                wrong.push("the result is empty".to_owned());
            }
        } else {
            wrong.extend(scene.try_landing(&mut server, &id, if *must == BeLeftOut { Land } else { *must }));
        }
        wrong.extend(scene.markers.take().into_iter().map(|name| format!("{name} ran")));
        findings.note(case, wrong);
    }
    findings.assert_none(EDITS.len());
}

#[test]
fn a_whole_run_leaves_what_it_likes_and_no_more() {
    let all = cases();
    let [kinds, gone] = &all[all.len() - 2..] else {
        panic!("two cases end the group")
    };
    let mut findings = Findings::default();
    let scripts = [
        (
            kinds,
            "rm -rf .git; mkdir -p .git/hooks deep/.GIT; printf '#!/bin/sh\\n: >\"$MARK\"\\n' >.git/hooks/post-index-change; \
             chmod +x .git/hooks/*; printf '[core]\\n\\tfsmonitor = touch x\\n' >.git/config; mkfifo pipe .gitignore; \
             truncate -s 1T huge; ln -s / root; ln -s /etc/passwd out; printf g >good.txt; chmod 000 sub; say",
        ),
        (gone, "d=$PWD; cd /; rm -rf \"$d\"; ln -s /etc \"$d\"; say"),
    ];
    for (case, script) in scripts {
        let scene = Scene::new(World::with_shell_codex(script));
        let mut server = scene.world.server();
        let watch = Watch::over([scene.outside.clone(), scene.world.work()]);
        let begun = std::time::Instant::now();
        let asked = json!({"task": "x", "wait_s": 60, "options": {"isolation": "ignore_config"}});
        let before = work_of(server.pid());
        let told = server.call("delegate", &asked);
        let mut wrong = watch.changes();
        if told["job"]["state"] == "running" || begun.elapsed().as_secs() > 50 {
            wrong.push(format!("it hangs: {told:#}"));
        }
        if work_of(server.pid()).saturating_sub(before) > 3 * MOST_WORK {
            wrong.push("the server works too long".to_owned());
        }
        let id = told["job"]["id"].as_str().unwrap_or_default().to_owned();
        let shown = preview(&mut server, &json!({"id": id, "action": "preview"}));
        let mut land = json!({"id": id, "action": "land", "token": shown["token"]});
        if shown["token"].is_null() {
            land["token"] = json!("0".repeat(64));
        }
        let git = Watch::over([scene.outside.clone(), scene.world.work().join(".git")]);
        server.call("apply", &land);
        wrong.extend(git.changes());
        wrong.extend(scene.markers.take());
        findings.note(case, wrong);
    }
    findings.assert_none(2);
}

/// The negative control: plain git puts such a tree where it must not, and the detectors see it.
#[test]
fn what_is_checked_out_plainly_follows_and_runs() {
    let scene = Scene::new(World::new(Scripted::well()));
    let mut canaries = Canaries::default();
    fs::write(scene.outside.join("precious"), canaries.plant("precious")).unwrap();
    let watch = Watch::over([scene.outside.clone()]);
    // Writing through the user's link.
    fs::write(scene.world.work().join("mine/new.txt"), "x").unwrap();
    assert_eq!(watch.changes().len(), 1);
    assert_eq!(canaries.seen_below(&scene.outside).len(), 1);
    let program = scene.markers.program("peer");
    let mut command = scene.world.home.command("git");
    command.args(["config", "core.fsmonitor", &program]);
    assert!(command.status().unwrap().success());
    let mut command = scene.world.home.command("git");
    command.arg("status").stdout(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    assert_eq!(scene.markers.take().len(), 1);
}
