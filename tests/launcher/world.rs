//! A plugin's folder with the launcher in it, and programs that say who they are.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The version of the plugin, and the number of its interface.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
pub(crate) const INTERFACE: &str = "1";

/// Returns the script of a program that says its version, else prints its own path and its arguments, a line each.
pub(crate) fn program_of(version: &str, interface: &str) -> String {
    format!(
        "#!/bin/sh\n[ \"${{1-}}\" = --version ] && {{ printf 'crosscheck {version}\\nplugin interface {interface}\\n'; exit; }}\n\
         printf '%s\\n' \"$0\" \"$@\"\n"
    )
}

/// Where a plugin's data hold the program of a version.
pub(crate) fn installed(version: &str) -> String {
    format!("data/bin/{version}-{INTERFACE}/crosscheck")
}

/// Folders with a space and a quote in their names, since people have them.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("it's a launcher ")
            .tempdir()
            .expect("the temp directory is writable");
        let world = Self { folder };
        world.install_launcher("plugin");
        world
    }

    pub(crate) fn path(&self, tail: &str) -> PathBuf {
        self.folder
            .path()
            .canonicalize()
            .expect("the folder exists")
            .join(tail)
    }

    pub(crate) fn write(&self, tail: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(tail);
        let parent = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent).expect("the temp directory is writable");
        fs::write(&path, text).expect("the temp directory is writable");
        set_mode(&path, mode);
        path
    }

    /// Copies the launcher to `root`/bin, without its exec bit, and what it reads to `root`/launcher.
    pub(crate) fn install_launcher(&self, root: &str) -> PathBuf {
        let copy = |file: &str| {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
                .expect("the launcher is in the repository");
            self.write(&format!("{root}/{file}"), &text, 0o644)
        };
        copy("launcher/first-run.sh");
        copy("launcher/install.sh");
        copy("bin/crosscheck")
    }

    /// Makes a program of this version that prints its own path and then its arguments, a line each.
    pub(crate) fn install_program(&self, tail: &str) -> PathBuf {
        self.install_version(tail, VERSION, INTERFACE)
    }

    /// Makes one of another version.
    pub(crate) fn install_version(&self, tail: &str, version: &str, interface: &str) -> PathBuf {
        self.write(tail, &program_of(version, interface), 0o755)
    }

    /// Returns the launcher's command in `shell`, with an environment that holds no more than `PATH`.
    pub(crate) fn launch(&self, shell: &str) -> Command {
        let mut command = Command::new(shell);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            // What is handed over lies there until the program takes it, and a script that stands for it does not.
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .arg(self.path("plugin/bin/crosscheck"));
        command
    }

    /// Asserts that `prepare`d, the launcher becomes `program`, whatever the shell.
    pub(crate) fn expect(&self, prepare: impl Fn(&mut Command), program: &Path) {
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
    pub(crate) fn expect_failure(&self, prepare: impl Fn(&mut Command), code: i32, part: &str) {
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
pub(crate) fn shells() -> Vec<&'static str> {
    let known = ["/bin/sh", "/bin/dash", "/bin/bash"];
    known
        .into_iter()
        .filter(|shell| Path::new(shell).exists())
        .collect()
}

/// Sends `lines` to the launcher, closes its input, and returns its answers, each a line of JSON.
pub(crate) fn converse(mut command: Command, lines: &str) -> Vec<Value> {
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

pub(crate) fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("the file is ours");
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
