//! What is read is what the user's own `git diff` shows.

use crate::setup::{Setup, names, with_a_commit, with_each_git};
use crosscheck::diff::parse::parse_patch;
use crosscheck::diff::patch::{Content, FilePatch, LineKind, Patch};
use crosscheck::domain::scope::Scope;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Returns what the user's git shows, in their own configuration.
fn shown(setup: &Setup, ends: &[&str]) -> Patch {
    let mut arguments = vec!["-c", "core.quotePath=true", "diff", "-M", "--full-index"];
    arguments.extend(ends);
    parse_patch(&setup.run(&arguments)).unwrap()
}

fn tracked(patch: Patch) -> Vec<FilePatch> {
    let mut files = patch.files;
    files.retain(|file| !file.untracked);
    files
}

/// Compares hunks and names; the modes that a header omits are not compared.
pub(crate) fn assert_same(setup: &Setup, scope: &Scope, ends: &[&str]) {
    let facts = |files: Vec<FilePatch>| -> Vec<_> {
        let facts = files.into_iter();
        facts
            .map(|file| (file.old_path, file.new_path, file.kind, file.content))
            .collect()
    };
    assert_eq!(
        facts(tracked(setup.read(scope).patch)),
        facts(shown(setup, ends).files)
    );
}

#[test]
fn line_endings_are_normalised_as_the_user_has_it() {
    for (setting, value) in [
        ("core.autocrlf", "true"),
        ("core.autocrlf", "input"),
        ("core.eol", "crlf"),
        ("core.autocrlf", "false"),
    ] {
        with_each_git(|setup| {
            // Set for the user and not for the repository: it counts all the same.
            setup.run(&["config", "--global", setting, value]);
            setup.write(".gitattributes", "*.txt text\n*.bat text eol=crlf\n*.raw -text\n");
            for name in ["a.txt", "b.bat", "c.raw", "d"] {
                setup.write(name, "1\r\n2\r\n3\r\n");
            }
            setup.commit("first");
            assert_eq!(names(&setup.read(&Scope::WorkingTree)), [""; 0]);
            for name in ["a.txt", "b.bat", "c.raw", "d"] {
                setup.write(name, "1\n2\r\nthree\r\n");
            }
            assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
            setup.run(&["add", "-A"]);
            assert_same(setup, &Scope::Staged, &["--cached"]);
        });
    }
}

#[test]
fn attributes_without_a_program_count() {
    with_each_git(|setup| {
        setup.write(
            ".gitattributes",
            "*.lock -diff\n*.id ident\n*.py diff=python\n*.u16 text working-tree-encoding=UTF-16LE\n",
        );
        setup.write("a.lock", "1\n");
        setup.write("b.id", "$Id$\n1\n");
        setup.write("c.py", "def f():\n    a\n    b\n    c\n    d\n    e\n");
        setup.write("d.u16", b"a\0\n\0b\0\n\0");
        setup.commit("first");
        std::fs::remove_file(setup.top().join("b.id")).unwrap();
        setup.run(&["checkout", "-q", "b.id"]);
        assert!(setup.read(&Scope::WorkingTree).is_empty());
        setup.write("a.lock", "2\n");
        setup.write("c.py", "def f():\n    a\n    b\n    c\n    d\n    E\n");
        setup.write("d.u16", b"a\0\n\0c\0\n\0");
        assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
        assert_eq!(
            setup.read(&Scope::WorkingTree).patch.files[0].content,
            Content::Binary
        );
    });
}

#[test]
fn file_modes_count_only_where_they_are_kept() {
    with_a_commit(|setup| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(setup.top().join("f"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
        setup.run(&["config", "core.fileMode", "false"]);
        assert!(setup.read(&Scope::WorkingTree).is_empty());
    });
}

/// Applies hunks to the old lines, each line with its line feed.
fn apply(old: &[u8], hunks: &Content) -> Vec<u8> {
    let Content::Text(hunks) = hunks else {
        return old.to_vec();
    };
    let old: Vec<&[u8]> = old.split_inclusive(|&byte| byte == b'\n').collect();
    let mut new = Vec::new();
    let mut next = 0;
    for hunk in hunks {
        // An empty old side counts the line before it.
        let start = hunk.old_start as usize - usize::from(hunk.old_lines > 0);
        new.extend(old[next..start].concat());
        next = start + hunk.old_lines as usize;
        for line in &hunk.lines {
            if line.kind != LineKind::Removed {
                new.extend(&*line.text);
                new.extend((!line.no_newline).then_some(b'\n'));
            }
        }
    }
    new.extend(old[next..].concat());
    new
}

#[test]
fn the_hunks_of_any_edit_lead_from_old_to_new() {
    with_each_git(|setup| {
        let line = prop::sample::select(vec![
            "a",
            "b",
            "--- a/f",
            "+++",
            "@@ -1 +1 @@",
            "\\ No",
            "",
            "c\r",
            "\x0c",
        ]);
        let text = (prop::collection::vec(line, 0..30), any::<bool>()).prop_map(|(lines, ends)| {
            let mut text = lines.join("\n");
            if ends && !text.is_empty() {
                text.push('\n');
            }
            text
        });
        let mut runner = TestRunner::new(Config {
            cases: 40,
            failure_persistence: None,
            ..Config::default()
        });
        let result = runner.run(&(text.clone(), text), |(old, new)| {
            setup.write("f", &old);
            setup.commit("old");
            setup.write("f", &new);
            let change = setup.read(&Scope::WorkingTree);
            match change.patch.files.first() {
                None => prop_assert_eq!(old, new),
                Some(file) => {
                    let applied = apply(old.as_bytes(), &file.content);
                    prop_assert_eq!(applied, new.as_bytes());
                }
            }
            assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
            Ok(())
        });
        result.unwrap();
    });
}

/// A filter that keeps large files elsewhere, as Git LFS does, in shell.
fn configure_lfs(setup: &Setup) {
    let clean = setup.folder().join("clean");
    let script = "#!/bin/sh\ncat > \"$0.$$\"\nset -- $( (sha256sum || shasum -a 256) < \"$0.$$\") $(wc -c < \"$0.$$\") \"$0.$$\"\n\
                  cp \"$4\" \"$0-$1\"\nrm \"$4\"\n\
                  printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n' \"$1\" \"$3\"\n";
    std::fs::write(&clean, script).unwrap();
    let smudge = setup.folder().join("smudge");
    let script = format!(
        "#!/bin/sh\nsed -n 's/oid sha256://p' | {{ read oid; cat '{}'-$oid; }}\n",
        clean.display()
    );
    std::fs::write(&smudge, script).unwrap();
    for (key, program) in [("filter.lfs.clean", &clean), ("filter.lfs.smudge", &smudge)] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        setup.run(&["config", "--global", key, program.to_str().unwrap()]);
    }
    setup.run(&["config", "--global", "filter.lfs.required", "true"]);
}

#[test]
fn files_of_lfs_are_their_pointers() {
    with_each_git(|setup| {
        configure_lfs(setup);
        setup.write(".gitattributes", "*.big filter=lfs diff=lfs merge=lfs -text\n");
        setup.write("a.big", "one\n");
        setup.write("b.big", b"\0one");
        setup.commit("first");
        let touch = |name: &str| {
            let file = std::fs::File::options()
                .append(true)
                .open(setup.top().join(name))
                .unwrap();
            let past = std::time::SystemTime::now() - std::time::Duration::from_secs(50);
            file.set_modified(past).unwrap();
        };
        // Another time alone is no change, although the bytes are not those that are stored.
        touch("a.big");
        touch("b.big");
        assert!(setup.read(&Scope::WorkingTree).is_empty());
        setup.write("a.big", "two\n");
        setup.write("b.big", b"\0and two");
        touch("a.big");
        touch("b.big");
        assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
        // Added and like the index: git would take the bytes of the working tree, which are not stored.
        setup.write("c.big", "new\n");
        touch("c.big");
        setup.run(&["add", "-A"]);
        assert_same(setup, &Scope::WorkingTree, &["HEAD"]);
        assert_same(setup, &Scope::Staged, &["--cached"]);
        setup.commit("second");
        let range = Scope::Range {
            from: crate::setup::revision("HEAD~1"),
            to: crate::setup::revision("HEAD"),
        };
        assert_same(setup, &range, &["HEAD~1", "HEAD"]);
    });
}
