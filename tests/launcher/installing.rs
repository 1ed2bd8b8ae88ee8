//! While there is no program the launcher answers in its place, has one made, and hands the session over to it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crosscheck::domain::fingerprint::sha256_hex;
use serde_json::{Value, json};

use crate::world::{INTERFACE, VERSION, World, installed, program_of, shells, stdout};

/// Longest time anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cargo that says where it was started, waits until it may build, and then makes what it is told to, or fails.
const CARGO: &str = r#"#!/bin/sh
pwd >> "$SITE/cargo-ran"
while ! [ -e "$SITE/may-build" ]; do sleep 0.02; done
[ -e "$SITE/must-fail" ] && { printf 'error: it does not compile\n\nCaused by:\n  No such file\n' >&2; exit 101; }
while [ $# -gt 1 ]; do [ "$1" = --target-dir ] && target=$2; shift; done
mkdir -p "$target/release"
"#;

/// Waits until something holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A plugin that can be built by a cargo of ours, which waits until it may.
struct Site {
    world: World,
}

impl Site {
    /// `program` is what cargo makes: the path of a file.
    fn new(program: &Path) -> Self {
        let world = World::new();
        world.write(
            "plugin/Cargo.toml",
            "repository = \"https://example.invalid/crosscheck.git\"\n",
            0o644,
        );
        let cargo = format!(
            "{CARGO}cp \"{}\" \"$target/release/crosscheck\"\n",
            program.display()
        );
        world.write("tools/cargo", &cargo, 0o755);
        Self { world }
    }

    /// A plugin of which cargo makes a program that prints its arguments.
    fn with_script() -> Self {
        let site = Self::new(Path::new("$SITE/built program"));
        site.world
            .write("built program", &program_of(VERSION, INTERFACE), 0o755);
        site
    }

    fn path(&self, tail: &str) -> PathBuf {
        self.world.path(tail)
    }

    fn allow(&self) {
        self.world.write("may-build", "", 0o644);
    }

    /// How often cargo was started, and where.
    fn built_in(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("cargo-ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn failed(&self) -> String {
        fs::read_to_string(self.path("data/install/failed")).unwrap_or_default()
    }

    fn is_locked(&self) -> bool {
        self.path("data/install/lock").symlink_metadata().is_ok()
    }

    /// Adds what Claude Code would give the launcher, in a project's folder.
    fn prepare(&self, command: &mut Command) {
        let project = self.path("project");
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(self.path("home")).unwrap();
        command
            .current_dir(project)
            .env("CLAUDE_PLUGIN_DATA", self.path("data"))
            .env("HOME", self.path("home"))
            .env("SITE", self.path(""))
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("tools").display()));
    }

    fn launch(&self, shell: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.launch(shell);
        self.prepare(&mut command);
        command.args(arguments);
        command
    }

    /// Starts the launcher as a host does.
    fn host(&self, shell: &str) -> Host {
        self.host_of(shell, &["serve"])
    }

    fn host_of(&self, shell: &str, arguments: &[&str]) -> Host {
        let mut child = self
            .launch(shell, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Host {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Installs as a person or the host's set-up does.
    fn install(&self) -> std::process::Output {
        self.launch("/bin/sh", &["install"]).output().unwrap()
    }
}

/// A host that talks to whoever is at the other end of the pipes.
struct Host {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Host {
    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_ref().unwrap(), "{message}").unwrap();
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, id: u64, method: &str, params: &Value) -> Value {
        self.send(&json!({"method": method, "params": params, "jsonrpc": "2.0", "id": id}));
        let answer = self.read();
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"].clone()
    }

    fn open(&mut self) -> Value {
        let opened = self.ask(
            0,
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "claude-code", "version": "2.1.197"}}),
        );
        self.send(&json!({"method": "notifications/initialized", "jsonrpc": "2.0"}));
        opened
    }

    fn tools(&mut self, id: u64) -> Vec<String> {
        let list = self.ask(id, "tools/list", &json!({}));
        let tools = list["tools"].as_array().unwrap();
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn status(&mut self, id: u64) -> Value {
        self.ask(id, "tools/call", &json!({"name": "status", "arguments": {}}))["structuredContent"].clone()
    }

    /// Closes the input; whoever reads it ends.
    fn close(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success() || self.child.wait().unwrap().code() == Some(127));
    }
}

#[test]
fn the_session_goes_on_with_the_program_once_it_is_there() {
    for shell in shells() {
        let site = Site::new(Path::new(env!("CARGO_BIN_EXE_crosscheck")));
        let mut host = site.host(shell);
        let opened = host.open();
        assert_eq!(opened["protocolVersion"], "2025-11-25", "{shell}");
        assert_eq!(opened["capabilities"]["tools"]["listChanged"], true, "{shell}");
        assert_eq!(host.tools(1), ["status"], "{shell}");
        wait_until("cargo", || !site.built_in().is_empty());
        let shown = host.status(2);
        let text = shown["summary"].as_str().unwrap();
        assert!(
            text.contains("being installed") && text.contains("building the program"),
            "{shell}: {text}"
        );
        assert_eq!(shown["ready"], false, "{shell}");
        site.allow();
        assert_eq!(
            host.read()["method"],
            "notifications/tools/list_changed",
            "{shell}"
        );
        let tools = host.tools(3);
        assert_eq!(tools.len(), 8, "{shell}: {tools:?}");
        assert_eq!(host.status(4)["tool"], "status", "{shell}");
        let pid = host.child.id();
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        assert_eq!(
            program,
            site.path(&installed(VERSION)),
            "{shell}: the same process"
        );
        host.close();
        // Not in the project's folder, whose settings of cargo would name programs to run.
        let plugin = site.path("plugin").display().to_string();
        assert_eq!(site.built_in(), [plugin], "{shell}");
        assert!(
            !site.path("data/install/target").exists(),
            "{shell}: a hundred times the program"
        );
        // The next start is the program at once.
        let mut next = site.host(shell);
        assert_eq!(next.open()["serverInfo"]["name"], "crosscheck", "{shell}");
        next.close();
    }
}

#[test]
fn a_session_that_asks_claude_goes_on_asking_claude() {
    for shell in shells() {
        let site = Site::new(Path::new(env!("CARGO_BIN_EXE_crosscheck")));
        let mut host = site.host_of(shell, &["serve", "--peer", "claude"]);
        let opened = host.open();
        assert_eq!(opened["serverInfo"]["name"], "claude", "{shell}");
        let said = opened["instructions"].as_str().unwrap();
        assert!(said.starts_with("Claude is not ready"), "{shell}: {said}");
        let tools = host.ask(1, "tools/list", &json!({})).to_string();
        assert!(
            tools.contains("Claude status") && !tools.contains("Codex"),
            "{shell}: {tools}"
        );
        site.allow();
        assert_eq!(
            host.read()["method"],
            "notifications/tools/list_changed",
            "{shell}"
        );
        let tools = host.ask(2, "tools/list", &json!({})).to_string();
        assert!(
            tools.contains("Claude") && !tools.contains("Codex"),
            "{shell}: {tools}"
        );
        host.close();
    }
}

#[test]
fn a_call_that_comes_first_goes_to_the_program_with_the_news() {
    let site = Site::new(Path::new(env!("CARGO_BIN_EXE_crosscheck")));
    let mut host = site.host("/bin/sh");
    host.send(&json!({"method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}}, "jsonrpc": "2.0", "id": "first"}));
    assert_eq!(host.read()["id"], "first");
    site.allow();
    wait_until("the program", || site.path(&installed(VERSION)).exists());
    // Nobody announced anything yet: the host has not said that it is ready.
    host.send(&json!({"method": "notifications/initialized", "jsonrpc": "2.0"}));
    host.send(&json!({"method": "tools/call", "params": {"name": "status", "arguments": {"topic": "errors"}}, "jsonrpc": "2.0", "id": 1}));
    let answer = host.read();
    assert_eq!(answer["id"], 1, "the opening is not answered again: {answer}");
    assert_eq!(answer["result"]["structuredContent"]["ok"], true);
    host.close();
}

#[test]
fn many_sessions_build_once() {
    let site = Site::with_script();
    let mut hosts: Vec<Host> = (0..4).map(|_| site.host("/bin/sh")).collect();
    for host in &mut hosts {
        host.open();
    }
    wait_until("cargo", || !site.built_in().is_empty());
    let waiting = site
        .launch("/bin/sh", &["install"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    site.allow();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    wait_until("the end of the installation", || !site.is_locked());
    assert_eq!(site.built_in().len(), 1);
    for host in hosts {
        drop(host);
    }
}

#[test]
fn without_cargo_the_one_thing_to_do_is_named() {
    let site = Site::with_script();
    fs::remove_file(site.path("tools/cargo")).unwrap();
    let mut host = site.host("/bin/sh");
    host.open();
    wait_until("the failure", || !site.failed().is_empty() && !site.is_locked());
    let text = host.status(1)["next_steps"][0].as_str().unwrap().to_owned();
    assert!(
        text.contains("cargo is missing") && text.contains("install Rust"),
        "{text}"
    );
    // Whoever follows that is served in the same session by whatever comes.
    site.world.install_program("home/.cargo/bin/crosscheck");
    assert_eq!(host.read()["method"], "notifications/tools/list_changed");
    host.send(&json!({"method": "tools/list", "jsonrpc": "2.0", "id": 2}));
    let mut line = String::new();
    host.output.read_line(&mut line).unwrap();
    assert_eq!(
        line.trim_end(),
        site.path("home/.cargo/bin/crosscheck").display().to_string()
    );
}

#[test]
fn a_build_that_failed_is_told_and_tried_again_when_asked() {
    let site = Site::with_script();
    site.allow();
    site.world.write("must-fail", "", 0o644);
    let mut host = site.host("/bin/sh");
    host.open();
    wait_until("the failure", || !site.failed().is_empty() && !site.is_locked());
    let text = host.status(1)["summary"].as_str().unwrap().to_owned();
    assert!(
        text.contains("could not be built: error: it does not compile"),
        "{text}"
    );
    assert!(text.contains("install/log") && text.contains("install"), "{text}");
    host.close();
    // The next session does not build again at once, since it would take minutes of the processor each time.
    let mut next = site.host("/bin/sh");
    next.open();
    assert!(
        next.status(1)["summary"]
            .as_str()
            .unwrap()
            .contains("could not be built")
    );
    next.close();
    assert_eq!(site.built_in().len(), 1);
    let failed = site.install();
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    fs::remove_file(site.path("must-fail")).unwrap();
    let done = site.install();
    assert!(done.status.success(), "{done:?}");
    assert!(site.failed().is_empty());
    let run = site.launch("/bin/sh", &["jobs"]).output().unwrap();
    assert_eq!(
        stdout(&run),
        format!("{}\njobs\n", site.path(&installed(VERSION)).display())
    );
}

#[test]
fn what_an_installer_that_was_killed_left_is_taken_over() {
    let site = Site::with_script();
    site.allow();
    let gone = Command::new("true")
        .spawn()
        .and_then(|mut child| child.wait().map(|_| child.id()))
        .unwrap();
    fs::create_dir_all(site.path("data/install")).unwrap();
    symlink(gone.to_string(), site.path("data/install/lock")).unwrap();
    site.world.write("data/install/new", "half a program", 0o600);
    assert!(site.install().status.success());
    assert!(!site.is_locked() && !site.path("data/install/new").exists());
    assert!(site.path(&installed(VERSION)).exists());
}

#[test]
fn an_older_program_serves_until_the_new_one_is_there() {
    let site = Site::with_script();
    let older = site
        .world
        .install_version(&installed("0.0.9"), "0.0.9", INTERFACE);
    site.world
        .install_version("data/bin/0.0.1-0/crosscheck", "0.0.1", "0");
    let served = site
        .launch("/bin/sh", &["serve"])
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(stdout(&served), format!("{}\nserve\n", older.display()));
    site.allow();
    wait_until("the new one", || {
        site.path(&installed(VERSION)).exists() && !site.is_locked()
    });
    let run = site.launch("/bin/sh", &["jobs"]).output().unwrap();
    assert_eq!(
        stdout(&run),
        format!("{}\njobs\n", site.path(&installed(VERSION)).display())
    );
    // One that came before stays, for a session that still runs it.
    let left = fs::read_dir(site.path("data/bin")).unwrap().count();
    assert_eq!(left, 2);
}

#[test]
fn another_version_on_path_serves_only_with_the_same_interface() {
    let site = Site::with_script();
    let check = |version: &str, interface: &str, is_used: bool| {
        let program = site.world.install_version("tools/crosscheck", version, interface);
        let run = site.launch("/bin/sh", &["jobs"]).output().unwrap();
        assert_eq!(
            stdout(&run).contains(&program.display().to_string()),
            is_used,
            "{version} {interface}: {run:?}"
        );
    };
    check("0.0.9", INTERFACE, true);
    check("9.0.0", INTERFACE, true);
    check("0.0.9", "0", false);
    check(VERSION, INTERFACE, true);
}

#[test]
fn a_release_is_taken_only_with_the_checksum_that_the_plugin_knows() {
    let site = Site::with_script();
    site.world.write(
        "tools/uname",
        "#!/bin/sh\n[ \"$1\" = -s ] && echo Linux || echo x86_64\n",
        0o755,
    );
    let fetch = "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = -o ] && out=$2; shift; done\necho \"$1\" >> \"$SITE/fetched\"\ncp \"$SITE/release\" \"$out\"\n";
    site.world.write("tools/curl", fetch, 0o755);
    let asset = format!("crosscheck-{VERSION}-x86_64-unknown-linux-musl");
    let program = program_of(VERSION, INTERFACE);
    let sums = format!(
        "{}  other\n{}  {asset}\n",
        "0".repeat(64),
        sha256_hex(program.as_bytes())
    );
    site.world.write("plugin/launcher/SHA256SUMS", &sums, 0o644);
    // What came is not what it should be: it is not even started, and the program is built instead.
    site.world
        .write("release", "#!/bin/sh\ntouch \"$SITE/tampered-ran\"\n", 0o755);
    site.allow();
    assert!(site.install().status.success());
    assert!(!site.path("tampered-ran").exists());
    assert_eq!(site.built_in().len(), 1);
    let log = fs::read_to_string(site.path("data/install/log")).unwrap();
    assert!(log.contains("refused") && log.contains("checksum"), "{log}");
    // The right one needs no cargo.
    fs::remove_dir_all(site.path("data")).unwrap();
    site.world.write("release", &program, 0o644);
    assert!(site.install().status.success());
    assert_eq!(site.built_in().len(), 1);
    assert_eq!(
        fs::read_to_string(site.path(&installed(VERSION))).unwrap(),
        program
    );
    let asked = fs::read_to_string(site.path("fetched")).unwrap();
    let url = format!("https://example.invalid/crosscheck/releases/download/v{VERSION}/{asset}");
    assert_eq!(asked.lines().collect::<Vec<_>>(), [url.as_str(), url.as_str()]);
}
