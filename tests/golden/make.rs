//! Makes a golden state directory: our own program runs one job of every state against a script in codex's place, and
//! what it left is made neutral: no path, time zone, process or boot of the machine stays in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crosscheck::domain::fingerprint::sha256_hex;
use crosscheck::domain::job::{JobId, WorkspaceHash};
use serde_json::Value;

/// The workspace that all golden jobs are of.
pub(crate) const WORKSPACE: &str = "/home/user/project";
/// The idempotency key of the first job.
pub(crate) const KEY: &str = "golden";
/// The jobs, in the order in which they are made; the number of one stands at the end of its id.
pub(crate) const NAMES: [&str; 8] = [
    "succeeded",
    "reviewed",
    "failed",
    "timed_out",
    "cancelled",
    "lost",
    "delegated",
    "clouded",
];
/// The files of a job that are kept.
const KEPT: [&str; 20] = [
    "spec.json",
    "prompt.txt",
    "schema.json",
    "change.json",
    "worker.lock",
    "started",
    "peers",
    "passes",
    "events.jsonl",
    "stderr.log",
    "cancel",
    "result.json",
    "answer.md",
    "fetched",
    "result.patch",
    "sent",
    "submit.out",
    "task.json",
    "seen.json",
    "remote.diff",
];
/// How long one job may take; the one with a deadline takes ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// codex as a script: what it does follows from words in the prompt.
const SCRIPT: &str = r#"#!/bin/sh
case "$1" in
--version) echo codex-cli 0.169.0; exit 0;;
sandbox) exit 0;;
login) echo 'Logged in using ChatGPT'; exit 0;;
app-server)
  while read -r line; do
    case "$line" in *'"id":2'*) echo '{"id":2,"result":{"config":{}}}';; esac
  done
  exit 0;;
cloud)
  case "$2" in
  exec) [ -n "$(cat)" ] && echo https://chatgpt.com/codex/tasks/task_e_golden;;
  status) printf '[READY] A task\nweb  •  1m ago\n+1/-0 • 1 file\n';;
  diff) printf 'diff --git a/src/new.txt b/src/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/src/new.txt\n@@ -0,0 +1 @@\n+edited\n';;
  *) exit 1;;
  esac
  exit 0;;
exec) ;;
*) exit 1;;
esac
prompt=$(cat)
say() { printf '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"%s"}}\n' "$1"; }
echo '{"type":"thread.started","thread_id":"019a0000-0000-7000-8000-000000000000"}'
echo '{"type":"turn.started"}'
echo 'a line of standard error' >&2
case "$prompt" in
*"golden: stall"*)
  say 'Half of the answer.'
  trap 'exit 1' INT TERM
  while :; do sleep 0.05; done;;
*"golden: edit"*)
  printf 'edited\n' > src/new.txt; chmod +x src/new.txt
  say '{\"report\":\"A file was added.\",\"risks\":[],\"remaining\":[],\"questions\":[],\"assumptions\":[]}';;
*"golden: fail"*)
  echo '{"type":"error","message":"unexpected status 401 Unauthorized: Missing bearer"}'
  echo '{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: Missing bearer"}}'
  exit 1;;
*"golden: ask"*)
  cat <<'END'
{"type":"item.started","item":{"id":"item_1","type":"command_execution","command":"ls","aggregated_output":"","exit_code":null,"status":"in_progress"}}
{"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"ls","aggregated_output":"src\n","exit_code":0,"status":"completed"}}
END
  say 'Use one lock.\n\n```rust\nlet held = lock.take();\n```\n';;
*"try to refute"*)
  # Of two findings the first is confirmed and the second refuted.
  first=$(printf '%s\n' "$prompt" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p' | sed -n 1p)
  second=$(printf '%s\n' "$prompt" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p' | sed -n 2p)
  say "{\\\"verdicts\\\":[{\\\"id\\\":\\\"$first\\\",\\\"verdict\\\":\\\"confirmed\\\",\\\"reason\\\":\\\"1 - 2 is not 3.\\\",\\\"command\\\":null,\\\"in_base\\\":false},{\\\"id\\\":\\\"$second\\\",\\\"verdict\\\":\\\"refuted\\\",\\\"reason\\\":\\\"It is documented.\\\",\\\"command\\\":null,\\\"in_base\\\":null}]}";;
*)
  say '{\"summary\":\"It was looked at.\",\"verdict\":\"concerns\",\"confidence\":\"high\",\"score\":60,\"findings\":[{\"severity\":\"high\",\"title\":\"Wrong operator\",\"file\":\"src/lib.rs\",\"line\":2,\"end_line\":null,\"side\":\"new\",\"evidence\":\"a - b\",\"risk\":\"Sums are wrong.\",\"recommendation\":\"Use plus.\",\"confidence\":\"high\"},{\"severity\":\"low\",\"title\":\"Unclear name\",\"file\":\"src/lib.rs\",\"line\":1,\"end_line\":null,\"side\":\"new\",\"evidence\":\"pub fn add(a: i32, b: i32) -> i32 {\",\"risk\":\"Readers stumble.\",\"recommendation\":\"Rename it.\",\"confidence\":null}],\"questions\":[],\"assumptions\":[]}';;
esac
echo '{"type":"turn.completed","usage":{"input_tokens":1200,"cached_input_tokens":200,"output_tokens":34}}'
"#;

struct Maker {
    dir: tempfile::TempDir,
}

/// Makes the directory `target`, which must not exist.
pub(crate) fn make(target: &Path) {
    let maker = Maker::new();
    maker.git(&["init", "-q"]);
    maker.write(
        "src/lib.rs",
        "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n",
    );
    maker.git(&["add", "."]);
    maker.git(&["commit", "-qm", "one"]);
    maker.write(
        "src/lib.rs",
        "pub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n",
    );
    let ids = [
        maker.job(&["consult", "golden: ask", "--option", "idempotency_key=golden"]),
        maker.job(&["review", "--depth", "deep"]),
        maker.job(&["consult", "golden: fail"]),
        maker.job(&["consult", "golden: stall", "--option", "timeout_s=10"]),
        maker.cancelled(),
        maker.lost(),
        maker.job(&[
            "delegate",
            "golden: edit",
            "--allow-path",
            "src/**",
            "--check",
            "true",
        ]),
        maker.elsewhere(),
    ];
    maker.keep(target, &ids);
}

impl Maker {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "project", "tmp"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let maker = Self { dir };
        fs::write(maker.path("codex"), SCRIPT).unwrap();
        fs::set_permissions(maker.path("codex"), fs::Permissions::from_mode(0o755)).unwrap();
        maker
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path("project").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("CROSSCHECK_STATE_DIR", self.path("state"))
            .env("CROSSCHECK_CODEX_BIN", self.path("codex"))
            .current_dir(self.path("project"))
            .stdin(Stdio::null());
        command
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
        let ended = self
            .command("git")
            .args(identity)
            .args(arguments)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }

    fn run(&self, arguments: &[&str]) -> (Value, Output) {
        let mut command = self.command(env!("CARGO_BIN_EXE_crosscheck"));
        command.args(arguments).arg("--json");
        let ended = command.output().unwrap();
        (serde_json::from_slice(&ended.stdout).unwrap(), ended)
    }

    /// Runs a job and returns its id, whatever came of it.
    fn job(&self, arguments: &[&str]) -> String {
        let isolated = [arguments, &["--option", "isolation=ignore_config"]].concat();
        let (envelope, ended) = self.run(&isolated);
        let id = envelope["job"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{envelope:#} {ended:?}")).to_owned()
    }

    fn stalled(&self) -> String {
        let id = self.job(&["consult", "golden: stall", "--background"]);
        let log = self.path("state/jobs").join(&id).join("events.jsonl");
        let end = Instant::now() + PATIENCE;
        while !fs::read_to_string(&log).is_ok_and(|text| text.contains("Half of the answer")) {
            assert!(Instant::now() < end, "{id} says nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        id
    }

    fn cancelled(&self) -> String {
        let id = self.stalled();
        self.run(&["cancel", &id]);
        id
    }

    /// A job whose worker was killed, and that nobody has looked at since.
    fn lost(&self) -> String {
        let id = self.stalled();
        let peer = fs::read(self.path("state/jobs").join(&id).join("peers/1")).unwrap();
        let peer: Value = serde_json::from_slice(&peer).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", peer["pid"])).unwrap();
        let after = stat.rsplit(')').next().unwrap();
        let worker = after.split_whitespace().nth(1).unwrap();
        // The worker first: it would write a result when its peer ends.
        for pid in [worker, &peer["pid"].to_string()] {
            let killed = Command::new("kill").args(["-KILL", pid]).status().unwrap();
            assert!(killed.success());
        }
        id
    }

    /// A task that a service did, from what is pushed.
    fn elsewhere(&self) -> String {
        let settings = self.path("home").join(".config/crosscheck");
        fs::create_dir_all(&settings).unwrap();
        fs::write(settings.join("config.toml"), "[runner.cloud]\nenv = \"golden\"\n").unwrap();
        let remote = self.path("remote.git").display().to_string();
        self.git(&["init", "-q", "--bare", &remote]);
        self.git(&["remote", "add", "origin", &remote]);
        self.git(&["push", "-q", "-u", "origin", "HEAD:main"]);
        let words = [
            "delegate",
            "golden: elsewhere",
            "--dirty",
            "committed",
            "--check",
            "true",
        ];
        let (envelope, ended) = self.run(&[&words[..], &["--option", "runner=cloud"]].concat());
        let id = envelope["job"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{envelope:#} {ended:?}")).to_owned()
    }

    fn keep(&self, target: &Path, ids: &[String]) {
        let state = self.path("state");
        let hash = WorkspaceHash::of(WORKSPACE.as_bytes());
        let mut words: Vec<(String, String)> = Vec::new();
        for (number, id) in (1..).zip(ids) {
            let old: JobId = id.parse().unwrap();
            words.push((id.clone(), JobId::new(old.created_ms(), hash, number).to_string()));
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        words.push((
            boot.trim().to_owned(),
            "00000000-0000-0000-0000-000000000000".to_owned(),
        ));
        for (name, neutral) in [
            ("project", WORKSPACE),
            ("codex", "/opt/codex"),
            ("state", "/home/user/state"),
            ("", "/home/user/"),
        ] {
            words.push((self.path(name).display().to_string(), neutral.to_owned()));
        }
        for (id, (_, new)) in ids.iter().zip(&words) {
            let (from, to) = (state.join("jobs").join(id), target.join("jobs").join(new));
            fs::create_dir_all(&to).unwrap();
            for name in KEPT {
                copy(&from.join(name), &to.join(name), &words);
            }
        }
        // The name of a key holds the workspace, so it changes with it.
        let key = |root: &str| sha256_hex(format!("key consult {root} {KEY}").as_bytes());
        let from = state
            .join("keys")
            .join(key(&self.path("project").display().to_string()));
        fs::create_dir_all(target.join("keys")).unwrap();
        copy(&from, &target.join("keys").join(key(WORKSPACE)), &words);
    }
}

/// Copies a file, or a folder of files, with words replaced. What is not there is not copied.
fn copy(from: &Path, to: &Path, words: &[(String, String)]) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()), words);
        }
    } else if let Ok(mut text) = fs::read_to_string(from) {
        for (word, neutral) in words {
            text = text.replace(word, neutral);
        }
        fs::write(to, text).unwrap();
    }
}
