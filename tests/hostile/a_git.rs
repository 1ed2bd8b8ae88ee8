//! Group A: repositories whose own state names programs, leads elsewhere or cannot be read.
//!
//! Each case is one repository. The free verbs look at every one of them with each git of the machine; then every verb that
//! works on files goes through one repository that names all the programs at once. Nothing it names may run, nothing
//! from outside may be in what leaves, nothing of it may change, and nobody may wait for it.

mod damage;
mod programs;
mod redirects;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::detect::{Canaries, MOST_WORK, Markers, Watch, work_of};
use crate::support::run::{Finished, finish};
use crate::world::{Server, World};

const FORBIDDEN: &str =
    "a program that the repository names runs, something from outside is read, or a call does not end";

/// How a repository is made hostile.
pub(crate) type Poison = fn(&Place<'_>);

/// One hostile repository to be.
pub(crate) struct Place<'a> {
    world: &'a World,
    git: &'a Path,
    /// The top of its working tree.
    pub(crate) top: PathBuf,
    /// Programs to name.
    pub(crate) markers: &'a Markers,
    /// A repository of the user's that has nothing to do with it; its files and commits hold a canary.
    pub(crate) private: PathBuf,
    /// A file of the user's with a canary.
    pub(crate) secret: PathBuf,
    /// A folder beside the repository that an attacker brings along.
    pub(crate) beside: PathBuf,
}

impl Place<'_> {
    fn try_git_in(&self, folder: &Path, arguments: &[&str]) -> Finished {
        git_command(self.world, self.git, folder, arguments)
    }

    /// Runs the user's git in the repository; it must succeed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let finished = self.try_git_in(&self.top, arguments);
        assert!(finished.status.success(), "git {arguments:?}: {finished:#?}");
        finished.stdout.trim().to_owned()
    }

    /// Sets a value of the repository's configuration.
    pub(crate) fn config(&self, key: &str, value: &str) {
        self.git(&["config", "--local", key, value]);
    }

    /// Writes a file of the working tree or of its git directory.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        write(&self.top.join(path), bytes.as_ref());
    }

    /// The git directory.
    pub(crate) fn dot_git(&self) -> PathBuf {
        self.top.join(".git")
    }
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Makes a FIFO, which blocks whoever opens it, in the place of whatever is there.
pub(crate) fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn git_command(world: &World, git: &Path, folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = world.home.command(git);
    command
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "file:ext")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments);
    finish(command, "")
}

/// What is tried, and how.
fn table() -> Vec<(&'static str, Poison)> {
    let tables = [programs::TABLE, redirects::TABLE, damage::TABLE];
    tables.concat()
}

/// The cases: one for each repository, two for the environment of the server, one for an old git.
pub(crate) fn cases() -> Vec<Case> {
    let named = table().into_iter().map(|(what, _)| what);
    let others = [
        "variables of git in the environment of the server name programs and places",
        "a program called git lies in the workspace, and the PATH has relative and empty entries",
        "the only git is older than the oldest one tested",
    ];
    numbered('A', 1, FORBIDDEN, named.chain(others))
}

/// Every distinct git of the machine, by the PATH that finds it first.
fn gits() -> Vec<(PathBuf, &'static str)> {
    let mut seen = BTreeSet::new();
    let all = [
        ("/usr/local/bin/git", "/usr/local/bin:/usr/bin:/bin"),
        ("/usr/bin/git", "/usr/bin:/bin:/usr/local/bin"),
    ];
    all.into_iter()
        .filter(|(program, _)| {
            let version = Command::new(program).arg("version").output();
            version.is_ok_and(|version| seen.insert(version.stdout))
        })
        .map(|(program, path)| (PathBuf::from(program), path))
        .collect()
}

/// A world whose codex answers and changes one file, with the repositories' surroundings.
struct Scene {
    world: World,
    git: PathBuf,
    markers: Markers,
    canaries: Canaries,
}

/// The files of each repository: a committed one for each attribute that a case may give.
const FILES: [&str; 6] = ["a.d", "b.ab", "c.p", "f", "sub/g", "x y.q"];

impl Scene {
    fn new(git: &Path, path: &str) -> Self {
        let world = World::with_shell_codex("case \"$*\" in *workspace-write*) echo edited >>f;; esac; say");
        let World { model, home } = world;
        let home = home.with_variable("PATH", path);
        let world = World { model, home };
        let markers = Markers::new(&world.home.private().join("markers"));
        let mut scene = Self {
            world,
            git: git.to_owned(),
            markers,
            canaries: Canaries::default(),
        };
        let canary = scene.canaries.plant("secret file");
        write(&scene.secret(), canary.as_bytes());
        let canary = scene.canaries.plant("other repository");
        let private = scene.private();
        fs::create_dir_all(&private).unwrap();
        for (name, text) in [("mine.txt", canary.as_str()), ("f", canary.as_str())] {
            write(&private.join(name), text.as_bytes());
        }
        for arguments in [
            &["init", "-q"][..],
            &["add", "."],
            &["commit", "-q", "-m", &canary],
            &["commit", "-q", "--allow-empty", "-m", &canary],
        ] {
            scene.git_in(&private, arguments);
        }
        let model = scene.world.work().join("model");
        fs::create_dir_all(&model).unwrap();
        scene.git_in(&model, &["init", "-q"]);
        for name in FILES {
            write(&model.join(name), b"1\n2\n3\n");
        }
        scene.git_in(&model, &["add", "."]);
        scene.git_in(&model, &["commit", "-q", "-m", "first"]);
        write(&model.join("a.d"), b"1\ntwo\n3\n");
        scene.git_in(&model, &["commit", "-q", "-am", "second"]);
        scene.git_in(&model, &["checkout", "-q", "-b", "topic"]);
        write(&model.join("b.ab"), b"1\ntwo\n3\n");
        scene.git_in(&model, &["commit", "-q", "-am", "third"]);
        scene
    }

    /// The same with more variables in the environment of ours.
    fn with(self, variables: &[(&str, &str)]) -> Self {
        let World { model, mut home } = self.world;
        for (name, value) in variables {
            home = home.with_variable(name, value);
        }
        Self {
            world: World { model, home },
            ..self
        }
    }

    fn git_in(&self, folder: &Path, arguments: &[&str]) {
        let finished = git_command(&self.world, &self.git, folder, arguments);
        assert!(finished.status.success(), "git {arguments:?}: {finished:#?}");
    }

    fn private(&self) -> PathBuf {
        self.world.home.home().join("projects/private")
    }

    fn secret(&self) -> PathBuf {
        self.world.home.home().join("secret.txt")
    }

    /// Makes the repository of a case: a copy with changes in the index, in the files and beside them.
    fn place(&self, name: &str) -> Place<'_> {
        let beside = self.world.work().join(name);
        let top = beside.join("repo");
        fs::create_dir_all(&beside).unwrap();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.world.work().join("model"))
            .arg(&top)
            .status();
        assert!(copied.unwrap().success());
        let place = Place {
            world: &self.world,
            git: &self.git,
            top,
            markers: &self.markers,
            private: self.private(),
            secret: self.secret(),
            beside,
        };
        place.write("a.d", "1\nzwei\n3\n");
        place.git(&["add", "a.d"]);
        for name in ["b.ab", "c.p", "f", "x y.q"] {
            place.write(name, "1\nzwei\n3\n");
        }
        place.write("new.d", "new\n");
        place
    }

    /// Calls a tool and tells what was wrong with it.
    fn call(&self, server: &mut Server, tool: &str, arguments: &Value, wrong: &mut Vec<String>) -> Value {
        let before = work_of(server.pid());
        let answer = server.call(tool, arguments);
        let work = work_of(server.pid()).saturating_sub(before);
        if work > MOST_WORK {
            wrong.push(format!("{tool} {arguments} took {work:?} of work"));
        }
        let waited = answer["meta"]["elapsed_ms"].as_u64().unwrap_or(0);
        // Work is bounded above; this is for who waits without working, on a machine that others use too.
        if waited > 8_000 {
            wrong.push(format!("{tool} {arguments} waited {waited} ms"));
        }
        for seen in self.canaries.seen_in(answer.to_string().as_bytes()) {
            wrong.push(format!("{tool} {arguments} told the {seen}"));
        }
        if answer["error"]["code"] == "internal" {
            wrong.push(format!("{tool} {arguments}: {answer:#}"));
        }
        answer
    }

    /// The free verbs, and a paid one where what is sent says whether something of outside was read.
    fn look(&self, server: &mut Server, top: &Path, is_sent: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let here = json!(top);
        self.call(server, "status", &json!({"workspace": here}), &mut wrong);
        let scopes: &[Value] = if is_sent {
            &[
                json!({"scope": "auto"}),
                json!({"scope": "commit", "commit": "HEAD"}),
            ]
        } else {
            &[
                json!({"scope": "working_tree"}),
                json!({"scope": "staged"}),
                json!({"scope": "branch", "base": "main"}),
            ]
        };
        for scope in scopes {
            let mut asked = scope.clone();
            asked["workspace"] = here.clone();
            asked["options"] = json!({"isolation": "ignore_config"});
            if is_sent {
                self.call(server, "review", &asked, &mut wrong);
            } else {
                self.call(
                    server,
                    "dry_run",
                    &json!({"tool": "review", "arguments": asked}),
                    &mut wrong,
                );
            }
        }
        let asked = json!({"tool": "delegate", "arguments": {"task": "t", "workspace": here}});
        self.call(server, "dry_run", &asked, &mut wrong);
        wrong.extend(self.traces());
        wrong
    }

    /// What ran, and what of outside is in the records of the jobs. Forgets both.
    fn traces(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self
            .markers
            .take()
            .into_iter()
            .map(|name| format!("{name} ran"))
            .collect();
        let jobs = self.world.home.state().join("jobs");
        let seen = self.canaries.seen_below(&jobs);
        wrong.extend(
            seen.into_iter()
                .map(|name| format!("the {name} is in a job's records")),
        );
        let _ = fs::remove_dir_all(jobs);
        wrong
    }
}

fn all_cases(git: &Path, path: &str) -> Findings {
    let scene = Scene::new(git, path);
    let mut findings = Findings::default();
    let mut server = scene.world.server();
    for (at, (case, (_, poison))) in cases().iter().zip(table()).enumerate() {
        let place = scene.place(&case.id);
        poison(&place);
        // The user's git may have run some while the repository was made.
        scene.markers.take();
        let top = place.top.clone();
        let watch = Watch::over([top.clone(), place.private.clone(), place.secret.clone()]);
        let first = programs::TABLE.len();
        let is_sent = (first..first + redirects::TABLE.len()).contains(&at);
        let mut wrong = scene.look(&mut server, &top, is_sent);
        wrong.extend(watch.changes());
        findings.note(case, wrong);
        let _ = fs::remove_dir_all(place.beside);
    }
    findings
}

#[test]
fn nothing_of_a_repository_runs_or_leads_elsewhere() {
    let gits = gits();
    assert!(!gits.is_empty(), "there is no git");
    let count = gits.len() * table().len();
    let mut findings = Findings::default();
    std::thread::scope(|threads| {
        let runs: Vec<_> = gits
            .iter()
            .map(|(git, path)| threads.spawn(|| all_cases(git, path)))
            .collect();
        for run in runs {
            findings.extend(run.join().unwrap());
        }
    });
    findings.assert_none(count);
}

#[test]
fn no_verb_runs_what_a_repository_names() {
    for (git, path) in gits() {
        let scene = Scene::new(&git, path);
        let place = scene.place("all");
        for (_, poison) in programs::TABLE
            .iter()
            .filter(|(what, _)| !what.starts_with("alone: "))
        {
            poison(&place);
        }
        scene.markers.take();
        let mut server = scene.world.server();
        let mut findings = Findings::default();
        let case = &numbered('A', 0, FORBIDDEN, ["all programs at once, through every verb"])[0];
        let here = json!(place.top);
        for is_sent in [false, true] {
            findings.note(case, scene.look(&mut server, &place.top, is_sent));
        }
        let task = json!({"task": "t", "workspace": here, "options": {"isolation": "ignore_config"}});
        let mut wrong = Vec::new();
        let done = scene.call(&mut server, "delegate", &task, &mut wrong);
        let id = done["job"]["id"].clone();
        assert_eq!(done["ok"], true, "{done:#}");
        let preview = json!({"tool": "apply", "arguments": {"id": id, "action": "preview"}});
        let shown = scene.call(&mut server, "dry_run", &preview, &mut wrong);
        assert!(shown["token"].is_string(), "{shown:#}");
        for action in [
            json!({"id": id, "action": "land", "token": shown["token"]}),
            json!({"id": id, "action": "undo"}),
            json!({"id": id, "action": "branch", "branch": "result"}),
            json!({"id": id, "action": "discard"}),
        ] {
            let done = scene.call(&mut server, "apply", &action, &mut wrong);
            // A branch holds files in the form that their filters make of them, and no filter is run for it.
            let is_refused = action["action"] == "branch"
                && done["error"]["message"]
                    .as_str()
                    .is_some_and(|message| message.contains("which is not run here: f"));
            assert!(done["ok"] == true || is_refused, "{action}: {done:#}");
            wrong.extend(scene.markers.take());
        }
        let mut command = scene.world.home.command(crate::world::PROGRAM);
        command.args(["clean", "--yes"]).current_dir(&place.top);
        let cleaned = finish(command, "");
        assert!(cleaned.status.success(), "{cleaned:#?}");
        wrong.extend(scene.markers.take());
        findings.note(case, wrong);
        findings.assert_none(3);
    }
}

#[test]
fn the_environment_of_the_server_leads_git_nowhere() {
    let cases = cases();
    let [environment, path, old] = &cases[table().len()..] else {
        panic!("three cases follow the table")
    };
    let mut findings = Findings::default();
    let scene = Scene::new(Path::new("/usr/bin/git"), "/usr/local/bin:/usr/bin:/bin");
    let top = scene.place("environment").top;
    let program = scene.markers.program("variable");
    let private = scene.private().join(".git");
    let private = private.to_str().unwrap();
    let scene = scene.with(&[
        ("GIT_DIR", private),
        ("GIT_OBJECT_DIRECTORY", private),
        ("GIT_EXTERNAL_DIFF", &program),
        ("GIT_SSH_COMMAND", &program),
        ("GIT_ASKPASS", &program),
        ("GIT_EDITOR", &program),
        ("GIT_PAGER", &program),
        ("PAGER", &program),
        ("GIT_EXEC_PATH", "/tmp"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", &program),
        ("GIT_CONFIG_PARAMETERS", "'core.fsmonitor=true'"),
        ("GIT_TEMPLATE_DIR", "/tmp"),
        ("GIT_PROXY_COMMAND", &program),
        ("GIT_TRACE", "1"),
    ]);
    let mut server = scene.world.server();
    findings.note(environment, scene.look(&mut server, &top, false));
    drop(server);

    let fake = format!(
        "#!/bin/sh\n{}\nexit 1\n",
        scene.markers.command("git of the workspace")
    );
    for name in ["git", "bin/git"] {
        write(&top.join(name), fake.as_bytes());
        fs::set_permissions(top.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let scene = scene.with(&[("PATH", ".::bin:/usr/local/bin:/usr/bin:/bin")]);
    let mut command = scene.world.home.command(crate::world::PROGRAM);
    command.args(["dry-run", "review", "--json"]).current_dir(&top);
    let told = finish(command, "");
    let mut wrong = scene.traces();
    if !told.stdout.contains("\"ok\":true") && !told.stdout.contains("\"ok\": true") {
        wrong.push(format!("the real git was not found: {told:#?}"));
    }
    findings.note(path, wrong);

    let folder = scene.world.home.private().join("old");
    let script = "#!/bin/sh\ncase \" $* \" in *' version '*) echo git version 2.39.4;; *) exit 1;; esac\n";
    write(&folder.join("git"), script.as_bytes());
    fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let scene = scene.with(&[("PATH", &format!("{}:/usr/bin:/bin", folder.display()))]);
    let mut server = scene.world.server();
    let mut wrong = Vec::new();
    for (tool, arguments) in [
        ("review", json!({"workspace": top})),
        ("delegate", json!({"task": "t", "workspace": top})),
    ] {
        let asked = json!({"tool": tool, "arguments": arguments});
        let told = server.call("dry_run", &asked);
        if told["error"]["code"] != "git_too_old" {
            wrong.push(format!("{tool}: {told:#}"));
        }
    }
    findings.note(old, wrong);
    findings.assert_none(3);
}

/// The negative control: the user's own git, asked plainly, runs these in the same repository.
#[test]
fn plain_git_runs_what_these_repositories_name() {
    for (git, path) in gits() {
        let scene = Scene::new(&git, path);
        let mut ran = BTreeSet::new();
        for (what, poison) in programs::TABLE {
            let place = scene.place(&format!("control-{}", ran.len()));
            poison(&place);
            for arguments in [
                &["status"][..],
                &["diff"],
                &["diff", "HEAD~1", "HEAD"],
                &["log", "-1", "-p"],
                &["add", "-A"],
                &["commit", "-q", "-m", "x"],
                &["checkout", "-q", "main"],
            ] {
                let _ = place.try_git_in(&place.top, arguments);
            }
            if !scene.markers.take().is_empty() {
                ran.insert(*what);
            }
            fs::remove_dir_all(&place.beside).unwrap();
        }
        assert!(ran.len() >= 12, "only {ran:#?} ran");
        // What leads elsewhere is seen as well.
        let place = scene.place("control-redirect");
        redirects::git_file(&place);
        let told = place.try_git_in(&place.top, &["diff", "HEAD"]);
        assert!(
            scene
                .canaries
                .seen_in(told.stdout.as_bytes())
                .contains("other repository")
        );
    }
}
