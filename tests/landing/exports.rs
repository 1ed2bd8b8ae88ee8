//! A result as a branch of the user's repository.

use crate::world::{World, assert_same, files, set_mode, write};
use crosscheck::git::{Export, ExportError, Oid, Vault};
use std::fs;
use std::path::Path;

struct Case {
    world: World,
    vault: Vault,
    head: Oid,
    base: Oid,
}

impl Case {
    fn new(world: World) -> Self {
        let head = Oid::parse(&world.line(&["rev-parse", "HEAD"])).unwrap();
        let vault = world.vault();
        let base = world.snapshot(&vault);
        Self {
            world,
            vault,
            head,
            base,
        }
    }

    fn export(&self, branch: &str, edit: impl FnOnce(&Path)) -> Result<Oid, ExportError> {
        let result = self.world.peer(&self.vault, edit);
        let export = Export {
            head: &self.head,
            base: &self.base,
            result: &result,
            branch,
            message: "What the peer did\n\nIn two paragraphs.\n",
        };
        self.vault
            .export(&self.world.repository(), &export, &self.world.scratch())
    }
}

/// Plants a hook for everything that git could run, and returns where each would leave a trace.
fn poison(world: &World) -> std::path::PathBuf {
    let trace = world.folder().join("trace");
    let script = format!("#!/bin/sh\necho \"$0\" >> {}\n", trace.display());
    for hook in [
        "reference-transaction",
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
    ] {
        let path = world.top().join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &script).unwrap();
        set_mode(&path, 0o755);
    }
    let program = world.folder().join("program");
    fs::write(&program, &script).unwrap();
    set_mode(&program, 0o755);
    let program = program.display().to_string();
    for key in [
        "core.fsmonitor",
        "gpg.program",
        "filter.f.clean",
        "core.sshCommand",
    ] {
        world.run(&["config", key, &program]);
    }
    world.run(&["config", "commit.gpgsign", "true"]);
    let _ = fs::remove_file(&trace);
    trace
}

fn put(top: &Path, path: &str, content: &[u8]) {
    write(top, path.as_bytes(), content);
}

#[test]
fn a_result_is_committed_on_a_new_branch_and_nothing_else_changes() {
    let formats: &[&[&str]] = &[&[], &["--object-format=sha256"], &["--ref-format=reftable"]];
    let mut tried = 0;
    for format in formats {
        // Older ones know no table of refs; then there is none to be tried.
        let probe = World::new();
        let folder = probe.folder().join("probe");
        fs::create_dir(&folder).unwrap();
        if !probe.try_run_in(&folder, &[&["init", "-q"], *format].concat()).0 {
            continue;
        }
        tried += 1;
        let world = World::with_init(format);
        world.write("kept", "kept\n");
        world.write("text", "one\n");
        world.write("gone", "x\n");
        world.commit();
        let trace = poison(&world);
        // Index and working tree differ from the commit, and neither matters.
        let case = Case::new(world);
        let world = &case.world;
        let before = files(&world.top(), false);
        let index = fs::read(world.top().join(".git/index")).unwrap();
        let commit = case
            .export("feature/of-a-peer", |top| {
                put(top, "text", b"two\n");
                put(top, "new/tool", b"#!/bin/sh\n");
                set_mode(&top.join("new/tool"), 0o755);
                fs::remove_file(top.join("gone")).unwrap();
                std::os::unix::fs::symlink("text", top.join("link")).unwrap();
            })
            .unwrap();
        assert!(!trace.exists(), "{:?}", fs::read_to_string(&trace));
        assert_eq!(fs::read(world.top().join(".git/index")).unwrap(), index);
        assert_same(&files(&world.top(), false), &before, "the working tree");
        assert_eq!(world.line(&["rev-parse", "feature/of-a-peer"]), commit.as_str());
        assert_eq!(world.line(&["rev-parse", "HEAD"]), case.head.as_str());
        assert_eq!(
            world.line(&["rev-parse", &format!("{commit}^")]),
            case.head.as_str()
        );
        let listed = world.line(&["ls-tree", "-r", "--format=%(objectmode) %(path)", commit.as_str()]);
        assert_eq!(listed, "100644 kept\n120000 link\n100755 new/tool\n100644 text");
        assert_eq!(
            world.line(&["log", "-1", "--format=%an <%ae> %s", commit.as_str()]),
            "A User <user@example.invalid> What the peer did"
        );
        // It stands without us.
        fs::rename(case.vault.directory(), world.folder().join("away")).unwrap();
        world.run(&["config", "--unset", "core.fsmonitor"]);
        world.run(&["fsck", "--full", "--strict"]);
    }
    assert!(tried >= 2);
}

#[test]
fn a_name_that_is_taken_or_none_is_refused_and_no_object_enters() {
    let world = World::new();
    world.write("f", "1\n");
    world.commit();
    world.run(&["branch", "taken"]);
    let case = Case::new(world);
    let before = case.world.everything();
    for (name, is_bad) in [
        ("taken", false),
        ("main", false),
        ("-d", true),
        ("a..b", true),
        ("@{-1}", true),
        ("", true),
        ("HEAD", true),
        ("a b", true),
        ("taken/below", false),
    ] {
        let outcome = case.export(name, |top| put(top, "f", name.as_bytes()));
        match outcome {
            Err(ExportError::BadName) => assert!(is_bad, "{name}"),
            Err(ExportError::Exists) => assert!(!is_bad, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        // A name that another leaves no room for is known only when it is made; its objects are garbage for git's own gc.
        if name != "taken/below" {
            let mut found = case.world.everything();
            found.retain(|path, _| !path.starts_with(".git/objects") || before.contains_key(path));
            assert_same(&found, &before, name);
        }
    }
}

#[test]
fn files_are_committed_in_the_form_in_which_git_stores_them() {
    let world = World::new();
    world.write(
        ".gitattributes",
        "*.win text eol=crlf\n*.id ident\n*.wide working-tree-encoding=UTF-16LE-BOM text\n*.raw -text\n",
    );
    let wide = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect::<Vec<u8>>()
    };
    world.write("a.win", "1\r\n2\r\n");
    world.write("a.id", "$Id$\n");
    world.write("a.wide", wide("eins\n"));
    world.write("a.raw", "1\r\n");
    world.commit();
    // Read again, so that `$Id$` is what a checkout writes.
    fs::remove_file(world.top().join("a.id")).unwrap();
    world.run(&["checkout", "-q", "--", "."]);
    let case = Case::new(world);
    let commit = case
        .export("stored", |top| {
            put(top, "a.win", b"1\r\ntwo\r\n");
            put(top, "b.win", b"new\r\n");
            let id = fs::read(top.join("a.id")).unwrap();
            put(top, "a.id", &[id.as_slice(), b"more\n"].concat());
            put(top, "a.wide", &wide("zwei\n"));
            put(top, "a.raw", b"2\r\n");
        })
        .unwrap();
    let check = |path: &str, expected: &str| {
        let found = case.world.run(&["cat-file", "blob", &format!("{commit}:{path}")]);
        assert_eq!(String::from_utf8_lossy(&found), expected, "{path}");
    };
    check("a.win", "1\ntwo\n");
    check("b.win", "new\n");
    check("a.id", "$Id$\nmore\n");
    check("a.wide", "zwei\n");
    check("a.raw", "2\r\n");
}

#[test]
fn a_file_behind_a_filter_is_refused_by_name_and_the_filter_never_runs() {
    let world = World::new();
    world.write("plain", "1\n");
    world.commit();
    world.write(".gitattributes", "*.bin filter=f\n");
    world.run(&["add", "-A"]);
    world.run(&["commit", "-q", "-m", "attributes"]);
    let trace = poison(&world);
    let case = Case::new(world);
    match case.export("filtered", |top| {
        put(top, "a b.bin", b"x");
        put(top, "plain", b"2\n");
    }) {
        Err(ExportError::Filtered { paths }) => assert_eq!(paths, [b"a b.bin"]),
        other => panic!("{other:?}"),
    }
    case.export("others", |top| put(top, "plain", b"2\n")).unwrap();
    // The user's own git would run it, for the copy that the peer edits; only ours must not.
    let ours = fs::read_to_string(&trace).unwrap_or_default();
    assert_eq!(ours, "");
}

#[test]
fn only_the_peers_edits_are_committed_where_it_built_on_others() {
    let world = World::new();
    let text = |user: &str, peer: &str| format!("{user}\n2\n3\n4\n5\n6\n7\n8\n{peer}\n");
    world.write("f", text("1", "9"));
    world.write("other", "1\n");
    world.commit();
    world.write("f", text("uncommitted", "9"));
    world.write("other", "uncommitted\n");
    world.write("untracked", "u\n");
    let case = Case::new(world);
    let commit = case.export("only-theirs", |top| {
        put(top, "f", text("uncommitted", "peer").as_bytes());
    });
    let commit = commit.unwrap();
    let show = |path: &str| {
        case.world
            .line(&["cat-file", "blob", &format!("{commit}:{path}")])
    };
    assert_eq!(show("f"), text("1", "peer").trim_end());
    assert_eq!(show("other"), "1");
    match case.export("unfitting", |top| {
        put(top, "untracked", b"changed\n");
        put(top, "other", b"on top\n");
    }) {
        Err(ExportError::Conflicts(conflicts)) => {
            let paths: Vec<&[u8]> = conflicts
                .iter()
                .map(|conflict| conflict.path.as_slice())
                .collect();
            assert_eq!(paths, [&b"other"[..], b"untracked"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_commit_has_our_name_where_the_user_has_none() {
    let world = World::new();
    world.write("f", "1\n");
    world.commit();
    world.run(&["config", "--unset", "user.email"]);
    let case = Case::new(world);
    let commit = case.export("nobodys", |top| put(top, "f", b"2\n")).unwrap();
    let author = case
        .world
        .line(&["log", "-1", "--format=%an <%ae>, %cn <%ce>", commit.as_str()]);
    assert_eq!(
        author,
        "crosscheck <crosscheck@localhost>, crosscheck <crosscheck@localhost>"
    );
}
