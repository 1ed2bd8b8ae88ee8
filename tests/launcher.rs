//! `bin/crosscheck`, the launcher: it finds the program, becomes it, and says one useful line when there is none.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Folders with a space and a quote in their names, since people have them.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("it's a launcher ")
            .tempdir()
            .expect("the temp directory is writable");
        let world = Self { folder };
        world.install_launcher("plugin");
        world
    }

    fn path(&self, tail: &str) -> PathBuf {
        self.folder
            .path()
            .canonicalize()
            .expect("the folder exists")
            .join(tail)
    }

    fn write(&self, tail: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(tail);
        let parent = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent).expect("the temp directory is writable");
        fs::write(&path, text).expect("the temp directory is writable");
        set_mode(&path, mode);
        path
    }

    /// Copies the launcher to `root`/bin, without its exec bit.
    fn install_launcher(&self, root: &str) -> PathBuf {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/crosscheck"))
            .expect("the launcher is in the repository");
        self.write(&format!("{root}/bin/crosscheck"), &text, 0o644)
    }

    /// Makes a program that prints its own path and then its arguments, a line each.
    fn install_program(&self, tail: &str) -> PathBuf {
        self.write(tail, "#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\"\n", 0o755)
    }

    /// Returns the launcher's command in `shell`, with an environment that holds no more than `PATH`.
    fn launch(&self, shell: &str) -> Command {
        let mut command = Command::new(shell);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.folder.path())
            .arg(self.path("plugin/bin/crosscheck"));
        command
    }

    /// Asserts that `prepare`d, the launcher becomes `program`, whatever the shell.
    fn expect(&self, prepare: impl Fn(&mut Command), program: &Path) {
        for shell in shells() {
            let mut command = self.launch(shell);
            command.arg("serve");
            prepare(&mut command);
            let output = command.output().expect("the shell starts");
            assert_eq!(
                stdout(&output),
                format!("{}\nserve\n", program.display()),
                "{shell}: {output:?}"
            );
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{shell}: {output:?}"
            );
        }
    }

    /// Asserts that `prepare`d, the launcher fails with this code and one line that holds `part`, whatever the shell.
    fn expect_failure(&self, prepare: impl Fn(&mut Command), code: i32, part: &str) {
        for shell in shells() {
            let mut command = self.launch(shell);
            command.arg("serve");
            prepare(&mut command);
            let output = command.output().expect("the shell starts");
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{shell}: {output:?}");
            assert!(message.contains(part), "{shell}: {message}");
            assert_eq!(message.lines().count(), 1, "{shell}: {message}");
            // stdout belongs to the protocol.
            assert!(output.stdout.is_empty(), "{shell}: {output:?}");
        }
    }
}

/// The shells of this machine that may be its `sh`.
fn shells() -> Vec<&'static str> {
    let known = ["/bin/sh", "/bin/dash", "/bin/bash"];
    known
        .into_iter()
        .filter(|shell| Path::new(shell).exists())
        .collect()
}

/// Sends `lines` to the launcher, closes its input, and returns its answers, each a line of JSON.
fn converse(mut command: Command, lines: &str) -> Vec<Value> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut input = child.stdin.take().expect("stdin is piped");
    writeln!(input, "{lines}").expect("the launcher reads");
    drop(input);
    let output = child.wait_with_output().expect("the launcher ends");
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("the file is ours");
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_missing_program_is_one_line_that_says_what_to_do() {
    let world = World::new();
    world.expect_failure(
        |_| {},
        127,
        &format!(
            "run this once in a terminal: cargo install --locked --path \"{}\"",
            world.path("plugin").display()
        ),
    );
}

#[test]
fn a_hook_without_a_program_is_silent() {
    let world = World::new();
    for shell in shells() {
        for variable in [None, Some(("CROSSCHECK_BIN", "/nowhere"))] {
            let mut command = world.launch(shell);
            command
                .args(["hook", "prompt"])
                .envs(variable)
                .stdin(Stdio::null());
            let output = command.output().expect("the shell starts");
            assert!(output.status.success(), "{shell}: {output:?}");
            assert!(
                output.stdout.is_empty() && output.stderr.is_empty(),
                "{shell}: {output:?}"
            );
        }
    }
}

#[test]
fn a_host_is_told_what_to_do_since_it_hides_what_a_failed_server_prints() {
    let world = World::new();
    let launcher = world.install_launcher("a \"plug\\in\"");
    let lines = [
        r#"{"jsonrpc":"2.0","id":"probe-1","method":"server/discover","params":{"_meta":{"v":"2026-07-28"}}}"#,
        r#"{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}},"jsonrpc":"2.0","id":0}"#,
        r#"{"method":"notifications/initialized","jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0,"id":9}}"#,
        "",
        "no message",
        r#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#,
        r#"{"method":"tools/list","jsonrpc":"2.0","id":2}"#,
        r#"{"method":"tools/call","params":{"name":"status","arguments":{"id":"x"}},"jsonrpc":"2.0","id":"3"}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"status","arguments":{"id":"x"}}}"#,
    ];
    for shell in shells() {
        let mut command = Command::new(shell);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .args([launcher.as_os_str(), "serve".as_ref()]);
        let answers = converse(command, &lines.join("\n"));
        let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
        assert_eq!(
            ids,
            [
                &json!("probe-1"),
                &json!(0),
                &json!(1),
                &json!(2),
                &json!("3"),
                &json!(4)
            ],
            "{shell}"
        );
        assert_eq!(answers[0]["error"]["code"], -32601, "{shell}");
        assert_eq!(answers[1]["result"]["protocolVersion"], "2025-11-25", "{shell}");
        assert_eq!(answers[3]["result"]["tools"][0]["name"], "status", "{shell}");
        for answer in &answers[4..] {
            let shown = &answer["result"]["structuredContent"];
            assert_eq!(shown["ready"], false, "{shell}: {shown}");
            let step = shown["next_steps"][0].as_str().unwrap();
            let root = world.path("a \"plug\\in\"");
            assert!(
                step.contains(&format!("--path \"{}\"", root.display())),
                "{shell}: {step}"
            );
        }
    }
}

#[test]
fn a_program_that_comes_later_is_for_the_next_start() {
    let world = World::new();
    let call = r#"{"method":"tools/call","params":{"name":"status"},"jsonrpc":"2.0","id":1}"#;
    let mut command = world.launch("/bin/sh");
    command.arg("serve").env("CARGO_HOME", world.path("cargo"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut ask = || {
        writeln!(input, "{call}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    };
    assert!(ask().contains("cargo install"), "the program is not there yet");
    world.install_program("cargo/bin/crosscheck");
    assert!(ask().contains("the program is there now"), "it is there now");
    // It has ended by itself, although its input is still open.
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_places_are_searched_in_their_order() {
    let world = World::new();
    let everywhere = |command: &mut Command| {
        command
            .env("CLAUDE_PLUGIN_DATA", world.path("data"))
            .env("HOME", world.path("home"))
            .env("PATH", format!("{}:/usr/bin:/bin", world.path("path").display()));
    };
    let on_path = world.install_program("path/crosscheck");
    world.expect(everywhere, &on_path);
    let cargo = world.install_program("home/.cargo/bin/crosscheck");
    world.expect(everywhere, &cargo);
    let debug = world.install_program("plugin/target/debug/crosscheck");
    // A target folder counts in a checkout only.
    world.expect(everywhere, &cargo);
    world.write("plugin/Cargo.toml", "", 0o644);
    world.expect(everywhere, &debug);
    let release = world.install_program("plugin/target/release/crosscheck");
    world.expect(everywhere, &release);
    let data = world.install_program("data/bin/crosscheck");
    world.expect(everywhere, &data);
    let named = world.install_program("named program");
    world.expect(
        |command| {
            everywhere(command);
            command.env("CROSSCHECK_BIN", &named);
        },
        &named,
    );
}

#[test]
fn an_installed_copy_finds_its_data_without_being_told() {
    let world = World::new();
    let launcher = world.install_launcher("plugins/cache/crosscheck/codex/0.1.0");
    let program = world.install_program("plugins/data/codex-crosscheck/bin/crosscheck");
    for shell in shells() {
        let output = Command::new(shell)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .args([launcher.as_os_str(), "jobs".as_ref()])
            .output()
            .unwrap();
        assert_eq!(
            stdout(&output),
            format!("{}\njobs\n", program.display()),
            "{shell}: {output:?}"
        );
    }
}

#[test]
fn arguments_pass_through_as_they_are() {
    let world = World::new();
    let program = world.install_program("program");
    for shell in shells() {
        let output = world
            .launch(shell)
            .env("CROSSCHECK_BIN", &program)
            .args(["review", "", "a  b", "*", "$HOME", "--", "-n", "it's"])
            .output()
            .unwrap();
        let expected = format!("{}\nreview\n\na  b\n*\n$HOME\n--\n-n\nit's\n", program.display());
        assert_eq!(stdout(&output), expected, "{shell}");
    }
}

#[test]
fn it_never_finds_itself() {
    let world = World::new();
    let launcher = world.path("plugin/bin/crosscheck");
    set_mode(&launcher, 0o755);
    fs::create_dir_all(world.path("links")).unwrap();
    symlink(&launcher, world.path("links/crosscheck")).unwrap();
    // Another copy, as a second marketplace would install it, finds this one on PATH and the other way round.
    let copy = world.install_launcher("copy");
    set_mode(&copy, 0o755);
    let path = ["plugin/bin", "links", "copy/bin"].map(|folder| world.path(folder).display().to_string());
    let path = format!("{}:/usr/bin:/bin", path.join(":"));
    world.expect_failure(
        |command| {
            command.env("PATH", &path);
        },
        127,
        "not built yet",
    );
    world.expect_failure(
        |command| {
            command.env("CROSSCHECK_BIN", &launcher);
        },
        126,
        "CROSSCHECK_BIN names this launcher",
    );
    world.expect_failure(
        |command| {
            command.env("CROSSCHECK_BIN", &copy);
        },
        126,
        "CROSSCHECK_BIN names this launcher",
    );
    // Behind both stands the program.
    let program = world.install_program("last/crosscheck");
    let path = format!("{path}:{}", world.path("last").display());
    world.expect(
        |command| {
            command.env("PATH", &path);
        },
        &program,
    );
}

#[test]
fn a_link_to_it_finds_the_plugin() {
    let world = World::new();
    let launcher = world.path("plugin/bin/crosscheck");
    set_mode(&launcher, 0o755);
    world.write("plugin/Cargo.toml", "", 0o644);
    let program = world.install_program("plugin/target/release/crosscheck");
    fs::create_dir_all(world.path("links")).unwrap();
    symlink("../plugin/bin/crosscheck", world.path("links/crosscheck")).unwrap();
    let output = Command::new(world.path("links/crosscheck"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .arg("status")
        .output()
        .unwrap();
    assert_eq!(
        stdout(&output),
        format!("{}\nstatus\n", program.display()),
        "{output:?}"
    );
}

#[test]
fn a_program_that_was_named_is_not_replaced_by_another() {
    let world = World::new();
    world.install_program("path/crosscheck");
    let plain = world.write("plain", "no program", 0o644);
    for named in [plain, world.path("absent"), world.path("plugin")] {
        world.expect_failure(
            |command| {
                command
                    .env("CROSSCHECK_BIN", &named)
                    .env("PATH", format!("{}:/usr/bin:/bin", world.path("path").display()));
            },
            126,
            "CROSSCHECK_BIN is not an executable file",
        );
    }
}

#[test]
fn a_program_of_the_project_is_not_run() {
    let world = World::new();
    world.install_program("crosscheck");
    world.install_program("tools/crosscheck");
    // The launcher is started in the folder that holds both.
    for path in [
        ":/usr/bin:/bin",
        "/usr/bin:/bin:",
        ".:/usr/bin:/bin",
        "tools:/usr/bin:/bin",
        "/usr/bin::/bin",
    ] {
        world.expect_failure(
            |command| {
                command.env("PATH", path);
            },
            127,
            "not built yet",
        );
    }
}

#[test]
fn native_windows_is_told_to_use_wsl() {
    let world = World::new();
    for system in ["MINGW64_NT-10.0", "MSYS_NT-10.0", "CYGWIN_NT-10.0"] {
        world.write("fake/uname", &format!("#!/bin/sh\necho {system}\n"), 0o755);
        let path = format!("{}:/usr/bin:/bin", world.path("fake").display());
        world.expect_failure(
            |command| {
                command.env("PATH", &path);
            },
            126,
            "inside WSL",
        );
        // A program that is there does not change that.
        let program = world.install_program("program");
        world.expect_failure(
            |command| {
                command
                    .env("PATH", &path)
                    .env("OS", "Windows_NT")
                    .env("CROSSCHECK_BIN", &program);
            },
            126,
            "native Windows is not supported",
        );
    }
}
