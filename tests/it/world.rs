//! One test's world: a fake model, private homes, a repository, and our server as a host sees it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crosscheck::model::Script;
use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::model::{FakeModel, PATIENCE};
use crate::support::peers;
use crate::support::run::finish;
use crate::support::scripts::Scripted;

/// Our program as cargo built it for these tests.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_crosscheck");

/// What a codex does that is a shell script, up to a run: its version, a sandbox that works, an empty configuration.
const SHELL_CODEX: &str = r#"#!/bin/sh
case "$1" in
--version) echo codex-cli 0.169.0; exit 0;;
sandbox) exit 0;;
app-server)
    while read -r line; do
        case "$line" in
        *'"id":'*) id=${line#*'"id":'}; id=${id%%[,\}]*}; echo '{"id":'$id',"result":{"config":{}}}';;
        esac
    done
    exit 0;;
exec) ;;
*) exit 1;;
esac
"#;
/// What codex says when it begins.
const OPENED: &str = r#"{"type":"thread.started","thread_id":"019a0000-0000-7000-8000-000000000000"}
{"type":"turn.started"}"#;
/// An answer.
const SAID: &str =
    r#"{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"Paid for."}}"#;
/// The end of a turn.
pub(crate) const DONE: &str =
    r#"{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":5}}"#;

/// Everything that one test runs in.
pub(crate) struct World {
    pub(crate) model: FakeModel,
    pub(crate) home: Home,
}

impl World {
    /// Makes a world whose model follows a script.
    pub(crate) fn new(script: impl Script + 'static) -> Self {
        let model = FakeModel::start(script);
        let home = Home::new(&model.base_url());
        Self::of(model, home)
    }

    /// Makes a world with further lines in codex's configuration.
    pub(crate) fn with_codex_config(script: impl Script + 'static, top: &str, tables: &str) -> Self {
        let model = FakeModel::start(script);
        let home = Home::with_config(&model.base_url(), top, tables);
        Self::of(model, home)
    }

    /// Makes a world around homes that were made in another way.
    pub(crate) fn of(model: FakeModel, home: Home) -> Self {
        let home = home.with_variable("CROSSCHECK_CODEX_BIN", peers::codex());
        let world = Self { model, home };
        world.configure("[env]\npass = [\"FAKE_KEY\"]\n");
        world
    }

    /// Makes a world whose codex is a shell script: `body` runs once the prompt was read. Its configuration is empty.
    pub(crate) fn with_shell_codex(body: &str) -> Self {
        let world = Self::new(Scripted::well());
        let program = world.home.private().join("hostile-codex");
        let text = format!(
            "{SHELL_CODEX}cat >/dev/null\nsay() {{ cat <<'END'\n{OPENED}\n{SAID}\n{DONE}\nEND\n}}\n\
             open() {{ cat <<'END'\n{OPENED}\nEND\n}}\n{body}\n"
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let Self { model, home } = world;
        let home = home.with_variable("CROSSCHECK_CODEX_BIN", program);
        Self { model, home }
    }

    /// Replaces our own configuration.
    pub(crate) fn configure(&self, text: &str) {
        let folder = self.home.config().join("crosscheck");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), text).unwrap();
    }

    /// The folder of the user's project.
    pub(crate) fn work(&self) -> PathBuf {
        self.home.work()
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs git as the user would; fails loudly.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = self.home.command("git");
        command.args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.invalid",
            "-c",
            "init.defaultBranch=main",
        ]);
        command.args(arguments);
        let finished = finish(command, "");
        assert!(finished.status.success(), "git {arguments:?}: {finished:#?}");
        finished.stdout.trim().to_owned()
    }

    /// Makes the project a repository with one commit and a change in the working tree.
    pub(crate) fn with_change(self) -> Self {
        self.git(&["init", "-q"]);
        self.write(
            "src/lib.rs",
            "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n\npub fn two() -> i32 {\n    2\n}\n",
        );
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", "one"]);
        self.write(
            "src/lib.rs",
            "pub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n\npub fn two() -> i32 {\n    2\n}\n",
        );
        self
    }

    /// Starts our server for this peer.
    pub(crate) fn server_asking(&self, peer: &str) -> Server {
        self.server_for("tester", "1.0.0", peer)
    }

    /// Starts our server for a host of this name, and for this peer.
    pub(crate) fn server_for(&self, name: &str, version: &str, peer: &str) -> Server {
        let mut command = self.home.command(PROGRAM);
        command.args(["serve", "--peer", peer]);
        Server::start(command, name, version, &json!({}))
    }

    /// Starts our server as a host that is neither Claude Code nor codex.
    pub(crate) fn server(&self) -> Server {
        self.server_asking("codex")
    }

    /// Starts our server for a host that can show questions.
    pub(crate) fn server_that_may_ask(&self) -> Server {
        let mut command = self.home.command(PROGRAM);
        command.arg("serve");
        Server::start(command, "tester", "1.0.0", &json!({"elicitation": {}}))
    }

    /// Starts our server for a host of the newer protocol that can show questions.
    pub(crate) fn modern_server_that_may_ask(&self) -> Server {
        let mut command = self.home.command(PROGRAM);
        command.arg("serve");
        let mut server = Server::silent(command);
        server.modern = true;
        server
    }

    /// Lists the job directories.
    pub(crate) fn jobs(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.home.state().join("jobs")) else {
            return Vec::new();
        };
        let mut jobs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        jobs.sort();
        jobs
    }

    /// Returns the directory of a job.
    pub(crate) fn job(&self, id: &str) -> PathBuf {
        self.home.state().join("jobs").join(id)
    }
}

/// The answer that the review's schema asks for, with these findings.
pub(crate) fn review_answer(verdict: &str, findings: &[Value]) -> Value {
    json!({
        "summary": "It was looked at.", "verdict": verdict, "confidence": "high", "score": 60,
        "findings": findings, "questions": [], "assumptions": [],
    })
}

/// A finding as the model states it.
pub(crate) fn claim(severity: &str, file: &str, line: u32, evidence: &str) -> Value {
    json!({
        "severity": severity, "title": "Wrong operator", "file": file, "line": line, "end_line": null, "side": "new",
        "evidence": evidence, "risk": "Sums are wrong.", "recommendation": "Use plus.", "confidence": null,
    })
}

/// Our server with its streams, and what it said.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    pending: Vec<Value>,
    next_id: u64,
    /// Whether each request says for itself what `initialize` says for all.
    modern: bool,
}

impl Server {
    fn start(command: Command, name: &str, version: &str, capabilities: &Value) -> Self {
        let mut server = Self::silent(command);
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
            "clientInfo": {"name": name, "version": version}});
        let id = server.request("initialize", &hello);
        server.answer(id);
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    /// Starts a server and says nothing.
    fn silent(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self {
            child,
            stdin,
            lines,
            pending: Vec::new(),
            next_id: 0,
            modern: false,
        }
    }

    /// Returns the number of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Sends one line as it is.
    pub(crate) fn send_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a request and returns its id.
    pub(crate) fn request(&mut self, method: &str, parameters: &Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}));
        id
    }

    /// Starts a tool call and returns its id.
    pub(crate) fn start_call(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.start_call_with(tool, arguments, &json!({}))
    }

    /// Starts a tool call that brings along what an earlier one left, and returns its id.
    pub(crate) fn start_call_with(&mut self, tool: &str, arguments: &Value, brought: &Value) -> u64 {
        let mut meta = json!({"progressToken": format!("p{}", self.next_id + 1)});
        if self.modern {
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
        }
        let mut params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        for (name, value) in brought.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        self.request("tools/call", &params)
    }

    /// Waits for the answer to a request.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        // What the server asks has ids of its own, which may be the same.
        self.wait_for(&format!("answer to request {id}"), |message| {
            message["id"] == id && message.get("method").is_none()
        })
    }

    /// Waits for a question to the person, and returns it.
    pub(crate) fn question(&mut self) -> Value {
        self.wait_for("question", |message| message["method"] == "elicitation/create")
    }

    fn wait_for(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.pending.iter().position(&is_it) {
                return self.pending.remove(at);
            }
            let message = self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()));
            self.pending
                .push(message.unwrap_or_else(|error| panic!("no {what}: {error}")));
        }
    }

    /// Waits for the envelope of a tool call.
    pub(crate) fn envelope(&mut self, id: u64) -> Value {
        let answer = self.answer(id);
        let result = &answer["result"];
        let text = result["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("no text: {answer}"));
        let envelope = if result["isError"] == true {
            let envelope: Value = serde_json::from_str(text).unwrap();
            assert_eq!(envelope["ok"], false);
            envelope
        } else {
            let envelope = result["structuredContent"].clone();
            assert_eq!(envelope["ok"], true);
            assert_eq!(envelope["summary"], text);
            envelope
        };
        check_schema(&envelope);
        envelope
    }

    /// Calls a tool and waits for its envelope.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.start_call(tool, arguments);
        self.envelope(id)
    }

    /// Calls a tool that must succeed.
    pub(crate) fn ok(&mut self, tool: &str, arguments: &Value) -> Value {
        let envelope = self.call(tool, arguments);
        assert_eq!(envelope["ok"], true, "{envelope:#}");
        envelope
    }

    /// Calls a tool that must fail with this code.
    pub(crate) fn fault(&mut self, tool: &str, arguments: &Value, code: &str) -> Value {
        let envelope = self.call(tool, arguments);
        assert_eq!(envelope["error"]["code"], code, "{envelope:#}");
        assert!(
            envelope["error"]["repair"]["hint"]
                .as_str()
                .is_some_and(|hint| hint.len() > 10),
            "{envelope:#}"
        );
        envelope
    }

    /// Returns the progress messages that arrived by now.
    pub(crate) fn progress(&mut self) -> Vec<String> {
        while let Ok(message) = self.lines.try_recv() {
            self.pending.push(message);
        }
        let told = self
            .pending
            .iter()
            .filter(|message| message["method"] == "notifications/progress");
        told.map(|message| message["params"]["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Tells whether an answer to this request arrives within a moment.
    pub(crate) fn answers_within(&mut self, id: u64, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.pending.iter().any(|message| message["id"] == id) {
                return true;
            }
            match self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(message) => self.pending.push(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Kills the server as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Closes the server's input and waits for its end.
    pub(crate) fn close(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks an envelope against the schema that is published with the program.
pub(crate) fn check_schema(envelope: &Value) {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let schema = serde_json::from_str(include_str!("../../docs/envelope.schema.json")).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    });
    let wrong: Vec<String> = validator
        .iter_errors(envelope)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{envelope:#}");
}

/// Tells whether a process of this number lives and is no zombie.
pub(crate) fn is_alive(pid: u64) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    })
}

/// Returns the peers that a job started.
pub(crate) fn peers_of(job: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(job.join("peers")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read(entry.path()).ok())
        .filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .filter_map(|peer| peer["pid"].as_u64())
        .collect()
}
