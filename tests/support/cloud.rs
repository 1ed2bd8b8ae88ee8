//! A stand-in for `codex cloud`: a script that replays answers from a folder and hands every other command to the real codex.
//!
//! The real service cannot be reached in tests. What is replayed has the shapes that were recorded of codex-cli 0.169.0.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the program of the stand-in does. `D` is the folder of answers, `REAL` the real codex.
///
/// Each command appends to `error.log` in the folder that it runs in, as the real one does.
const SCRIPT: &str = r#"[ "$1" = cloud ] || exec "$REAL" "$@"
shift
echo "startup: base_url=stand-in" >>./error.log
echo "$*" >>"$D/calls"
pwd >>"$D/folders"
verb=$1
shift
play() {
    for name in "$@"; do
        while [ -e "$D/$name.hold" ]; do sleep 0.02; done
        next=$(ls "$D" | grep "^$name\.next\." | sort | head -n 1)
        if [ -n "$next" ]; then
            mv "$D/$next" "$D/$name.now"
            cat "$D/$name.now"
            exit 1
        fi
        [ -e "$D/$name.out" ] || [ -e "$D/$name.err" ] || continue
        [ -e "$D/$name.err" ] && cat "$D/$name.err" >&2
        [ -e "$D/$name.out" ] && cat "$D/$name.out"
        code=0
        [ -e "$D/$name.code" ] && read -r code <"$D/$name.code"
        exit "$code"
    done
    echo "Error: http error: stand-in failed: nothing is recorded" >&2
    exit 1
}
case "$verb" in
exec)
    n=1
    while ! mkdir "$D/task.$n" 2>/dev/null; do n=$((n + 1)); done
    echo "$*" >"$D/task.$n/arguments"
    cat >"$D/task.$n/prompt"
    [ -s "$D/task.$n/prompt" ] || { echo "Error: no prompt" >&2; exit 1; }
    while [ -e "$D/exec.hold" ]; do sleep 0.02; done
    if [ -e "$D/exec.err" ] || [ -e "$D/exec.out" ]; then play exec; fi
    echo "https://chatgpt.com/codex/tasks/task_e_$n"
    ;;
status)
    for task in "$@"; do :; done
    play "status.$task" status
    ;;
diff)
    for task in "$@"; do :; done
    attempt=${1#--attempt=}
    play "diff.$task.$attempt" "diff.$attempt"
    ;;
list) play list ;;
*) exit 64 ;;
esac
"#;

/// The stand-in with its folder of answers.
pub(crate) struct Cloud {
    folder: PathBuf,
}

impl Cloud {
    /// Makes a stand-in below `private` in front of the codex at `real`.
    pub(crate) fn new(private: &Path, real: &Path) -> Self {
        let folder = private.join("cloud-answers");
        fs::create_dir(&folder).expect("a private directory is writable");
        let cloud = Self { folder };
        let text = format!(
            "#!/bin/sh\nD='{}'\nREAL='{}'\n{SCRIPT}",
            cloud.folder.display(),
            real.display()
        );
        fs::write(cloud.program(), text).expect("a private directory is writable");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(cloud.program(), mode).expect("a file of ours has a mode");
        cloud.says("status", "[PENDING] Do it\nweb  •  just now\nno diff\n", "", 1);
        cloud
    }

    /// Returns the program.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.with_file_name("codex-with-a-cloud")
    }

    /// Sets what a command prints and how it ends: `exec`, `status`, `status.TASK`, `diff.ATTEMPT`, `diff.TASK.ATTEMPT`, `list`.
    pub(crate) fn says(&self, name: &str, stdout: &str, stderr: &str, code: i32) {
        // What is read at this moment is the old answer or the new one.
        for (end, text) in [
            ("code", code.to_string() + "\n"),
            ("err", stderr.to_owned()),
            ("out", stdout.to_owned()),
        ] {
            let draft = self.folder.join(format!(".{name}.{end}"));
            fs::write(&draft, text).expect("a private directory is writable");
            fs::rename(draft, self.folder.join(format!("{name}.{end}")))
                .expect("a private directory is writable");
        }
    }

    /// Lets a task be done, with these diffs of its attempts.
    pub(crate) fn is_done(&self, diffs: &[&str]) {
        for (at, diff) in diffs.iter().enumerate() {
            self.says(&format!("diff.{}", at + 1), diff, "", 0);
        }
        self.says(
            "status",
            "[READY] Do it\nweb  •  1m ago\n+99/-98 • 97 files\n",
            "",
            0,
        );
    }

    /// Lets the next answers of a command be these, one after the other, before the usual one.
    pub(crate) fn says_next(&self, name: &str, answers: &[&str]) {
        for (at, answer) in answers.iter().enumerate() {
            fs::write(self.folder.join(format!("{name}.next.{at:03}")), answer)
                .expect("a private directory is writable");
        }
    }

    /// Lets a command wait until it is let go.
    pub(crate) fn hold(&self, name: &str) {
        fs::write(self.folder.join(format!("{name}.hold")), "").expect("a private directory is writable");
    }

    /// Lets a held command go on.
    pub(crate) fn let_go(&self, name: &str) {
        fs::remove_file(self.folder.join(format!("{name}.hold"))).expect("it is held");
    }

    /// Returns the commands so far, a line each.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.lines("calls")
    }

    /// Returns the folders in which they ran.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        self.lines("folders").into_iter().map(PathBuf::from).collect()
    }

    /// Returns how many tasks were handed over, also those that were refused.
    pub(crate) fn submitted(&self) -> usize {
        (1..=1000)
            .take_while(|n| self.folder.join(format!("task.{n}")).exists())
            .count()
    }

    /// Tells whether a task's prompt has arrived, whole.
    pub(crate) fn has_prompt(&self, number: usize) -> bool {
        let path = self.folder.join(format!("task.{number}/prompt"));
        fs::metadata(path).is_ok_and(|about| about.len() > 0)
    }

    /// Returns the arguments and the prompt of a task, counted from 1.
    pub(crate) fn task(&self, number: usize) -> (String, String) {
        let folder = self.folder.join(format!("task.{number}"));
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the task was handed over");
        (read("arguments").trim().to_owned(), read("prompt"))
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
