//! Group C: paths and folders that lead out, block, are too long, or are written so that some system takes them for others.
//!
//! A path is given to the real tool, whose codex is a script: where it is taken, the prompt that was written down is
//! searched for what lies outside. A folder is given to what reads or changes a tree.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::case::{Case, Findings, numbered};
use crate::detect::{Canaries, MOST_WORK, Watch, work_of};
use crate::support::run::finish;
use crate::world::{PROGRAM, Server, World};

const FORBIDDEN: &str =
    "something outside is read or written, a call blocks, or a folder of everything is taken";

/// Files to read with a question. `HOME` is the user's home, `WORK` the workspace.
const FILES: [&str; 44] = [
    "../secret.txt",
    "../../../../../../../../../../../../etc/passwd",
    "sub/../../secret.txt",
    "sub/../../../../../../../../../../../../../etc/passwd",
    "./../secret.txt",
    "sub//..//..//secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "HOME/secret.txt",
    "~/secret.txt",
    "$HOME/secret.txt",
    "file:///etc/passwd",
    "WORK/../secret.txt",
    "link-out",
    "link-chain",
    "link-home/secret.txt",
    "link-home/../secret.txt",
    "sub/link-up/secret.txt",
    "link-proc-environ",
    "link-proc-root/etc/passwd",
    "link-proc-cwd/a.txt",
    "link-fd",
    "/proc/self/environ",
    "/proc/self/mem",
    "/proc/self/cwd/../secret.txt",
    "/proc/self/root/etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "/dev/fd/0",
    "link-zero",
    "link-tty",
    "link-loop",
    "fifo",
    "socket",
    "sub",
    ".",
    "..",
    "",
    " ",
    "a.txt\0.png",
    "a.txt\n../secret.txt",
    "LONG",
    "LONG/LONG",
    "huge",
];

/// Paths that a review is narrowed to.
const PATHS: [&str; 20] = [
    "../secret.txt",
    "/etc/passwd",
    "HOME/secret.txt",
    "sub/../../secret.txt",
    "link-home/secret.txt",
    ".git/config",
    ".GIT/config",
    "git~1/config",
    ".g\u{200c}it/config",
    ".git /config",
    ":(top)../secret.txt",
    ":(exclude)a.txt",
    ":!a.txt",
    ":/",
    "*",
    "--output=TARGET",
    "-",
    "a.txt\0x",
    "\u{202e}txt.a",
    "LONG",
];

/// Folders that are no workspace of anything that reads or changes a tree.
const ROOTS: [&str; 34] = [
    "/",
    "//",
    "/.",
    "/../..",
    "/tmp/..",
    "HOME",
    "HOME/",
    "HOME/./",
    "HOME/projects/..",
    "WORK/link-home",
    "WORK/link-root",
    "TMPDIR",
    "/tmp",
    "/var/tmp",
    "/etc",
    "/etc/",
    "/usr",
    "/proc",
    "/proc/self",
    "/proc/self/root",
    "/proc/1/root",
    "/sys",
    "/sys/kernel",
    "/dev",
    "/dev/fd",
    "relative",
    "./",
    "",
    "~",
    "WORK/absent",
    "WORK/a.txt",
    "WORK/fifo",
    "WORK\0",
    "LONG",
];

/// Codes that may answer.
const CODES: [&str; 8] = [
    "invalid_arguments",
    "invalid_workspace",
    "path_outside_workspace",
    "input_too_large",
    "dangerous_root",
    "not_a_git_repository",
    "nothing_to_review",
    "git_failed",
];

/// The cases: files, then paths, then folders, then names that no JSON can hold.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = numbered(
        'C',
        1,
        FORBIDDEN,
        FILES.map(|path| format!("the file {path:?} for a question")),
    );
    let next = |cases: &[Case]| cases.len() + 1;
    let paths = PATHS.map(|path| format!("a review of {path:?}"));
    cases.extend(numbered('C', next(&cases), FORBIDDEN, paths));
    let roots = ROOTS.map(|path| format!("the workspace {path:?}"));
    cases.extend(numbered('C', next(&cases), FORBIDDEN, roots));
    let others = [
        "names that are no text, in the working tree",
        "names of the greatest length and depth",
        "names that some system takes for another's",
        "a workspace that is a link to a repository",
        "a file that becomes a link while it is read",
    ];
    cases.extend(numbered('C', next(&cases), FORBIDDEN, others));
    cases
}

struct Scene {
    world: World,
    canaries: Canaries,
    watch: Watch,
    _socket: UnixListener,
}

impl Scene {
    fn new() -> Self {
        let world = World::with_shell_codex("say");
        let mut canaries = Canaries::default();
        let (work, home) = (world.work(), world.home.home());
        let secret = canaries.plant("secret");
        fs::create_dir_all(home.join("projects")).unwrap();
        fs::write(home.join("secret.txt"), &secret).unwrap();
        // Beside the workspace, in a folder of this test.
        let outside = world.home.private().join("secret.txt");
        fs::write(&outside, &secret).unwrap();
        world.git(&["init", "-q"]);
        world.write("a.txt", "one\n");
        world.write("sub/b.txt", "b\n");
        world.git(&["add", "."]);
        world.git(&["commit", "-qm", "one"]);
        world.write("a.txt", "two\n");
        for (link, target) in [
            ("link-out", home.join("secret.txt").to_str().unwrap()),
            ("link-chain", "link-out"),
            ("link-home", home.to_str().unwrap()),
            ("link-root", "/"),
            ("sub/link-up", home.to_str().unwrap()),
            ("link-proc-environ", "/proc/self/environ"),
            ("link-proc-root", "/proc/self/root"),
            ("link-proc-cwd", "/proc/self/cwd"),
            ("link-fd", "/proc/self/fd/0"),
            ("link-zero", "/dev/zero"),
            ("link-tty", "/dev/tty"),
            ("link-loop", "link-loop"),
        ] {
            symlink(target, work.join(link)).unwrap();
        }
        assert!(
            Command::new("mkfifo")
                .arg(work.join("fifo"))
                .status()
                .unwrap()
                .success()
        );
        let socket = UnixListener::bind(work.join("socket")).unwrap();
        fs::File::create(work.join("huge"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        let watch = Watch::over([work, home, outside]);
        Self {
            world,
            canaries,
            watch,
            _socket: socket,
        }
    }

    fn text(&self, text: &str) -> String {
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        text.replace("HOME", &name(&self.world.home.home()))
            .replace("WORK", &name(&self.world.work()))
            .replace("TMPDIR", &name(&self.world.home.temp()))
            .replace("TARGET", &name(&self.world.home.private().join("target")))
            .replace("LONG", &"l".repeat(4_000))
    }

    /// Calls a tool and tells what is wrong: another answer than these codes or success, work without an end, canaries.
    fn call(&self, server: &mut Server, tool: &str, arguments: &Value, may_succeed: bool) -> Vec<String> {
        let before = work_of(server.pid());
        let told = server.call(tool, arguments);
        let mut wrong = Vec::new();
        let code = told["error"]["code"].as_str().unwrap_or("none");
        let is_fault = told["ok"] == false && CODES.contains(&code);
        let is_fine = may_succeed && told["ok"] == true;
        if !(is_fault || is_fine) {
            wrong.push(format!("{tool} {arguments}: {told:#}"));
        }
        let work = work_of(server.pid()).saturating_sub(before);
        if work > MOST_WORK {
            wrong.push(format!("{tool} took {work:?} of work"));
        }
        if told["meta"]["elapsed_ms"].as_u64().unwrap_or(0) > 8_000 {
            wrong.push(format!("{tool} waited"));
        }
        let jobs = self.world.home.state().join("jobs");
        let mut seen = self.canaries.seen_below(&jobs);
        seen.extend(self.canaries.seen_in(told.to_string().as_bytes()));
        wrong.extend(seen.into_iter().map(|name| format!("the {name} left")));
        if jobs.exists() {
            fs::remove_dir_all(jobs).unwrap();
        }
        wrong.extend(self.watch.changes());
        wrong
    }
}

#[test]
fn no_path_reads_outside_and_none_blocks() {
    let scene = Scene::new();
    let mut server = scene.world.server();
    let mut findings = Findings::default();
    let all = cases();
    let options = json!({"isolation": "ignore_config"});
    for (case, path) in all.iter().zip(FILES) {
        let path = scene.text(path);
        let question = json!({"prompt": "x", "files": [path], "options": options});
        let may = path.ends_with("link-proc-cwd/a.txt");
        let mut wrong = scene.call(&mut server, "consult", &question, may);
        let task = json!({"tool": "delegate", "arguments": {"task": "x", "files": [path]}});
        wrong.extend(scene.call(&mut server, "dry_run", &task, may));
        findings.note(case, wrong);
    }
    for (case, path) in all.iter().skip(FILES.len()).zip(PATHS) {
        let review = json!({"scope": "working_tree", "paths": [scene.text(path)], "options": options});
        findings.note(case, scene.call(&mut server, "review", &review, false));
    }
    findings.assert_none(FILES.len() + PATHS.len());
}

#[test]
fn no_folder_of_everything_is_a_workspace() {
    let scene = Scene::new();
    let mut server = scene.world.server();
    let mut findings = Findings::default();
    let all = cases();
    for (case, root) in all.iter().skip(FILES.len() + PATHS.len()).zip(ROOTS) {
        let root = scene.text(root);
        let mut wrong = Vec::new();
        for asked in [
            json!({"tool": "review", "arguments": {"workspace": root}}),
            json!({"tool": "delegate", "arguments": {"task": "x", "workspace": root}}),
            json!({"tool": "consult", "arguments": {"prompt": "x", "files": ["secret.txt"], "workspace": root}}),
        ] {
            wrong.extend(scene.call(&mut server, "dry_run", &asked, false));
        }
        // A terminal has a folder that a relative path counts from.
        if !root.contains('\0') && root != "./" {
            let mut command = scene.world.home.command(PROGRAM);
            command.args(["dry-run", "review", "--json", "--workspace", &root]);
            let told = finish(command, "");
            if told.status.success() {
                wrong.push(format!("the terminal took it: {told:#?}"));
            }
        }
        findings.note(case, wrong);
    }
    findings.assert_none(ROOTS.len());
}

#[expect(clippy::too_many_lines, reason = "five cases of few lines each, in one world")]
#[test]
fn odd_names_are_shown_and_do_no_harm() {
    let all = cases();
    let [raw, long, collide, link, swap] = &all[FILES.len() + PATHS.len() + ROOTS.len()..] else {
        panic!("five cases follow the tables")
    };
    let mut findings = Findings::default();
    let world = World::with_shell_codex("say").with_change();
    let work = world.work();
    let names: [&[u8]; 8] = [
        b"\xff\xfe",
        b"a\x1b[2J\x07b",
        "x\u{202e}gpj.exe".as_bytes(),
        b"new\nline",
        b"tab\tand \"quote\"",
        "zero\u{200b}width".as_bytes(),
        b"-rf",
        b"--output=x",
    ];
    for name in names {
        fs::write(work.join(OsStr::from_bytes(name)), "odd\n").unwrap();
    }
    let mut server = world.server();
    let options = json!({"isolation": "ignore_config"});
    let review = |server: &mut Server, workspace: &Path| {
        server.call(
            "review",
            &json!({"scope": "working_tree", "workspace": workspace, "options": options}),
        )
    };
    let invisible = |text: &str| {
        text.chars()
            .any(|letter| (letter.is_control() && letter != '\n') || "\u{202e}\u{200b}".contains(letter))
    };
    // The answer is no review, which is told; what matters is what was sent and said.
    let told = review(&mut server, &work);
    let mut wrong = Vec::new();
    let prompt = world
        .jobs()
        .first()
        .and_then(|job| fs::read_to_string(job.join("prompt.txt")).ok());
    match prompt {
        Some(prompt) if invisible(&prompt.replace('\t', "")) => {
            wrong.push("the prompt holds invisible letters".to_owned());
        }
        Some(_) => {}
        None => wrong.push(format!("no job: {told:#}")),
    }
    if invisible(&told.to_string()) {
        wrong.push("the answer holds invisible letters".to_owned());
    }
    findings.note(raw, wrong);

    let mut folder = work.join("deep");
    while folder.as_os_str().len() < 3_500 {
        folder.push("d".repeat(200));
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("e".repeat(255)), "deep\n").unwrap();
    let before = work_of(server.pid());
    review(&mut server, &work);
    let work_done = work_of(server.pid()).saturating_sub(before);
    findings.note(
        long,
        (work_done > MOST_WORK).then(|| format!("it took {work_done:?}")),
    );
    fs::remove_dir_all(work.join("deep")).unwrap();

    for name in [
        "same", "SAME", "e\u{301}", "\u{e9}", ".gıt", "aux", "con.txt", "x.", "y ",
    ] {
        fs::write(work.join(name), "other\n").unwrap();
    }
    let told = server.call(
        "dry_run",
        &json!({"tool": "review", "arguments": {"scope": "working_tree"}}),
    );
    findings.note(collide, (told["ok"] != true).then(|| format!("{told:#}")));

    let alias = world.home.private().join("alias");
    symlink(&work, &alias).unwrap();
    let asked = json!({"tool": "review", "arguments": {"scope": "working_tree", "workspace": alias}});
    let told = server.call("dry_run", &asked);
    let is_real = told["meta"]["workspace"] == json!(work);
    findings.note(link, (!is_real).then(|| format!("{told:#}")));

    // Somebody swaps a folder for a link as fast as a program can, while its file is asked for again and again.
    let mut canaries = Canaries::default();
    let outside = world.home.private().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("x.txt"), canaries.plant("swapped")).unwrap();
    fs::create_dir_all(work.join("real")).unwrap();
    fs::write(work.join("real/x.txt"), "harmless\n").unwrap();
    let program = world.home.private().join("swap.sh");
    let script = "cd \"$1\" && while [ ! -e stop ]; do mv real kept && ln -s \"$2\" real && rm real && mv kept real; done";
    fs::write(&program, script).unwrap();
    let mut swapping = Command::new("sh")
        .arg(&program)
        .args([&work, &outside])
        .spawn()
        .unwrap();
    for _ in 0..25 {
        let question =
            json!({"prompt": "x", "files": ["real/x.txt"], "background": true, "options": options});
        server.call("consult", &question);
    }
    fs::write(work.join("stop"), "").unwrap();
    swapping.wait().unwrap();
    let seen = canaries.seen_below(&world.home.state().join("jobs"));
    findings.note(swap, seen.into_iter().map(|name| format!("the {name} file left")));
    findings.assert_none(5);
}

/// The negative control: what follows a link does read the secret, and the detector finds it in a job's prompt.
#[test]
fn a_secret_in_a_prompt_is_found() {
    let scene = Scene::new();
    let link = scene.world.work().join("link-out");
    let text = fs::read_to_string(&link).unwrap();
    let folder = scene.world.home.state().join("jobs/x");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(folder.join("prompt.txt"), format!("before {text} after")).unwrap();
    assert_eq!(scene.canaries.seen_below(&scene.world.home.state()).len(), 1);
    fs::write(scene.world.home.home().join("secret.txt"), "changed").unwrap();
    assert_eq!(scene.watch.changes().len(), 1);
}
