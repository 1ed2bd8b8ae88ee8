//! Everything by which a repository names a program. One that breaks what the others need says `alone` first.

use std::fmt::Write as _;
use std::fs;

use super::{Place, Poison, write};

pub(crate) const TABLE: &[(&str, Poison)] = &[
    ("core.fsmonitor is a program", |p| {
        p.config("core.fsmonitor", &p.markers.program("fsmonitor"));
    }),
    ("hooks of all names in .git/hooks", |p| {
        hooks(p, &p.dot_git().join("hooks"));
    }),
    ("core.hooksPath leads to hooks of all names", |p| {
        hooks(p, &p.beside.join("hooks"));
        p.config("core.hooksPath", p.beside.join("hooks").to_str().unwrap());
    }),
    ("core.hooksPath leads into the working tree", |p| {
        hooks(p, &p.top.join("tools/hooks"));
        p.config("core.hooksPath", "tools/hooks");
    }),
    ("pagers of all commands", |p| {
        let program = p.markers.program("pager");
        for key in [
            "core.pager",
            "pager.diff",
            "pager.log",
            "pager.config",
            "pager.rev-parse",
        ] {
            p.config(key, &program);
        }
    }),
    ("editors", |p| {
        p.config("core.editor", &p.markers.program("editor"));
        p.config("sequence.editor", &p.markers.program("sequence-editor"));
    }),
    ("ssh and proxies of remotes", |p| {
        p.config("core.sshCommand", &p.markers.program("ssh"));
        p.config("core.gitProxy", &p.markers.program("proxy"));
        p.config("remote.origin.url", "ssh://example.invalid/x");
    }),
    ("core.askPass", |p| {
        p.config("core.askPass", &p.markers.program("askpass"));
    }),
    ("credential helpers", |p| {
        p.config(
            "credential.helper",
            &format!("!{}", p.markers.program("credential")),
        );
    }),
    ("gpg programs of every format, with signatures asked for", |p| {
        for key in [
            "gpg.program",
            "gpg.ssh.program",
            "gpg.x509.program",
            "gpg.ssh.defaultKeyCommand",
        ] {
            p.config(key, &p.markers.program(&key.replace('.', "-")));
        }
        p.config("log.showSignature", "true");
        p.config("commit.gpgSign", "true");
        p.config("tag.gpgSign", "true");
    }),
    ("diff.external", |p| {
        p.config("diff.external", &p.markers.program("external"));
    }),
    ("a diff driver with a command", |p| {
        p.write(".gitattributes", "*.d diff=d\n");
        p.config("diff.d.command", &p.markers.program("diff-command"));
    }),
    ("a diff driver with a text conversion, cached", |p| {
        p.write(".gitattributes", "*.d diff=d\n*.p diff=d\n");
        p.config("diff.d.textconv", &p.markers.program("textconv"));
        p.config("diff.d.cachetextconv", "true");
    }),
    ("a diff driver whose name holds an equals sign", |p| {
        p.write(".git/info/attributes", "*.ab diff=a=b\n");
        p.config("diff.a=b.command", &p.markers.program("diff-equals"));
        p.config("diff.a=b.textconv", &p.markers.program("textconv-equals"));
    }),
    ("a diff driver whose name holds a blank and a quote", |p| {
        p.write(".git/info/attributes", "f diff=x\"y\n");
        p.config("diff.x\"y.textconv", &p.markers.program("diff-quote"));
    }),
    ("a merge driver", |p| {
        p.write(".git/info/attributes", "* merge=m\n");
        p.config("merge.m.driver", &p.markers.program("merge"));
        p.config("merge.default", "m");
    }),
    ("a clean filter", |p| filter(p, "d", "clean")),
    ("a smudge filter", |p| filter(p, "d", "smudge")),
    ("a process filter that is required", |p| {
        filter(p, "p", "process");
        p.config("filter.p.required", "true");
    }),
    ("a filter whose name holds an equals sign", |p| {
        filter(p, "a=b", "clean");
    }),
    ("a filter whose name is that of large files", |p| {
        filter(p, "lfs", "process");
    }),
    ("alone: a filter that is required and has no program", |p| {
        p.write(".git/info/attributes", "* filter=none\n");
        p.config("filter.none.required", "true");
    }),
    ("include.path leads to a file beside", |p| {
        write(&p.beside.join("more"), fsmonitor(p, "included").as_bytes());
        p.config("include.path", p.beside.join("more").to_str().unwrap());
    }),
    ("include.path is relative and leads into the working tree", |p| {
        p.write("tools/gitconfig", fsmonitor(p, "included-tree"));
        p.config("include.path", "../tools/gitconfig");
    }),
    ("includeIf by git directory and by branch", |p| {
        write(&p.beside.join("if"), fsmonitor(p, "included-if").as_bytes());
        let path = p.beside.join("if");
        p.config("includeIf.gitdir:**.path", path.to_str().unwrap());
        p.config("includeIf.onbranch:**.path", path.to_str().unwrap());
    }),
    ("includeIf by the address of a remote", |p| {
        write(&p.beside.join("url"), fsmonitor(p, "included-url").as_bytes());
        p.config("remote.origin.url", "https://example.invalid/x");
        let path = p.beside.join("url");
        p.config("includeIf.hasconfig:remote.*.url:**.path", path.to_str().unwrap());
    }),
    ("attr.tree names a tree with attributes", |p| {
        filter(p, "tree", "clean");
        p.write("attributes", "* filter=tree diff=tree\n");
        p.config("diff.tree.command", &p.markers.program("attr-tree"));
        let blob = p.git(&["hash-object", "-w", "attributes"]);
        p.git(&[
            "update-index",
            "--add",
            "--cacheinfo",
            "100644",
            &blob,
            ".gitattributes",
        ]);
        let tree = p.git(&["write-tree"]);
        p.git(&["update-index", "--force-remove", ".gitattributes"]);
        p.config("attr.tree", &tree);
    }),
    ("core.attributesFile gives every file a driver", |p| {
        filter(p, "file", "clean");
        write(&p.beside.join("attributes"), b"* filter=file diff=file\n");
        p.config("diff.file.textconv", &p.markers.program("attributes-file"));
        p.config(
            "core.attributesFile",
            p.beside.join("attributes").to_str().unwrap(),
        );
    }),
    ("attribute macros in a folder below", |p| {
        p.write(
            ".gitattributes",
            "[attr]evil filter=macro diff=macro\nsub/* evil\n",
        );
        p.config("filter.macro.clean", &p.markers.program("macro-clean"));
        p.config("diff.macro.textconv", &p.markers.program("macro-textconv"));
        p.write("sub/g", "other\n");
    }),
    ("configuration of the worktree alone", |p| {
        p.config("extensions.worktreeConfig", "true");
        p.write(".git/config.worktree", fsmonitor(p, "worktree"));
    }),
    (
        "a submodule with configuration of its own, looked into by all means",
        |p| {
            p.git(&["init", "-q", "module"]);
            p.write("module/in", "1\n");
            let module = p.top.join("module");
            for arguments in [&["add", "in"][..], &["commit", "-q", "-m", "in"]] {
                assert!(p.try_git_in(&module, arguments).status.success());
            }
            p.git(&["add", "module"]);
            let program = p.markers.program("submodule");
            let config = ["config", "core.fsmonitor", &program];
            assert!(p.try_git_in(&module, &config).status.success());
            hooks(p, &module.join(".git/hooks"));
            p.write("module/in", "2\n");
            for (key, value) in [
                ("submodule.recurse", "true"),
                ("diff.submodule", "diff"),
                ("status.submoduleSummary", "true"),
                ("diff.ignoreSubmodules", "none"),
            ] {
                p.config(key, value);
            }
            p.config(
                "submodule.module.update",
                &format!("!{}", p.markers.program("submodule-update")),
            );
        },
    ),
    ("aliases with the names of every command", |p| {
        let program = p.markers.program("alias");
        for name in [
            "rev-parse",
            "config",
            "diff",
            "diff-index",
            "diff-files",
            "diff-tree",
            "ls-files",
            "ls-tree",
            "cat-file",
            "read-tree",
            "write-tree",
            "update-index",
            "update-ref",
            "for-each-ref",
            "version",
            "merge-base",
            "merge-tree",
            "commit-tree",
            "pack-objects",
            "check-attr",
            "symbolic-ref",
        ] {
            p.config(&format!("alias.{name}"), &format!("!{program}"));
        }
    }),
    ("alternates with a command that lists their refs", |p| {
        p.config("core.alternateRefsCommand", &p.markers.program("alternate-refs"));
        p.config("core.alternateRefsPrefixes", "refs/heads");
        let objects = p.beside.join("objects");
        fs::create_dir_all(&objects).unwrap();
        p.write(".git/objects/info/alternates", format!("{}\n", objects.display()));
    }),
    ("alone: objects that only a promised remote has", |p| {
        let blob = p.git(&["rev-parse", "HEAD~1:a.d"]);
        p.config("core.repositoryFormatVersion", "1");
        p.config("extensions.partialClone", "evil");
        p.config("remote.evil.promisor", "true");
        p.config(
            "remote.evil.url",
            &format!("ext::{}", p.markers.program("promisor")),
        );
        p.config("remote.evil.uploadpack", &p.markers.program("uploadpack"));
        p.config("protocol.allow", "always");
        p.config("protocol.ext.allow", "always");
        fs::remove_file(p.dot_git().join("objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    }),
    ("addresses are rewritten to programs", |p| {
        let program = p.markers.program("rewritten");
        p.config(&format!("url.ext::{program}.insteadOf"), "https://");
        p.config("remote.origin.url", "https://example.invalid/x");
        p.config("protocol.allow", "always");
    }),
    ("what packs, collects and serves objects", |p| {
        p.config("uploadpack.packObjectsHook", &p.markers.program("pack-objects"));
        p.config("gc.recentObjectsHook", &p.markers.program("recent-objects"));
        p.config("gc.auto", "1");
        p.config("maintenance.auto", "true");
        p.config("maintenance.strategy", "incremental");
    }),
    (
        "trailers, difftools, mergetools, browsers and filters of patches",
        |p| {
            for (key, name) in [
                ("trailer.x.command", "trailer"),
                ("trailer.x.cmd", "trailer-cmd"),
                ("difftool.x.cmd", "difftool"),
                ("mergetool.x.cmd", "mergetool"),
                ("browser.x.cmd", "browser"),
                ("man.x.cmd", "man"),
                ("interactive.diffFilter", "diff-filter"),
                ("sendemail.smtpServer", "smtp"),
                ("tar.evil.command", "tar"),
                ("remote.origin.vcs", "vcs"),
            ] {
                p.config(key, &p.markers.program(name));
            }
            p.config("diff.tool", "x");
            p.config("diff.guitool", "x");
        },
    ),
    ("programs are named in an index that fsmonitor wrote", |p| {
        let program = p.markers.program("fsmonitor-index");
        p.config("core.untrackedCache", "true");
        p.config("core.fsmonitorHookVersion", "1");
        p.config("core.fsmonitor", &program);
        p.git(&["update-index", "--fsmonitor"]);
    }),
    ("a bare repository with a monitor lies in the working tree", |p| {
        p.git(&["init", "-q", "--bare", "vendor/evil.git"]);
        let program = p.markers.program("bare-inside");
        write_config(p, "vendor/evil.git/config", &program);
    }),
    ("the working tree looks like a bare repository itself", |p| {
        for name in ["refs/heads/main", "objects/pack/x", "HEAD"] {
            p.write(name, "ref: refs/heads/main\n");
        }
        write_config(p, "config", &p.markers.program("looks-bare"));
    }),
];

fn write_config(p: &Place<'_>, path: &str, program: &str) {
    p.write(
        path,
        format!(
            "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {program}\n[diff]\n\texternal = {program}\n"
        ),
    );
}

fn fsmonitor(p: &Place<'_>, name: &str) -> String {
    let program = p.markers.program(name);
    format!("[core]\n\tfsmonitor = {program}\n[diff]\n\texternal = {program}\n")
}

fn filter(p: &Place<'_>, name: &str, kind: &str) {
    let told: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    let path = p.dot_git().join("info/attributes");
    let mut lines = fs::read_to_string(&path).unwrap_or_default();
    let _ = write!(
        lines,
        "*.d filter={name}\n*.ab filter={name}\n*.p filter={name}\n"
    );
    write(&path, lines.as_bytes());
    p.config(
        &format!("filter.{name}.{kind}"),
        &p.markers.program(&format!("filter-{told}-{kind}")),
    );
}

fn hooks(p: &Place<'_>, folder: &std::path::Path) {
    fs::create_dir_all(folder).unwrap();
    for name in [
        "applypatch-msg",
        "pre-applypatch",
        "post-applypatch",
        "pre-commit",
        "pre-merge-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "pre-rebase",
        "post-checkout",
        "post-merge",
        "pre-push",
        "pre-receive",
        "update",
        "proc-receive",
        "post-receive",
        "post-update",
        "reference-transaction",
        "push-to-checkout",
        "pre-auto-gc",
        "post-rewrite",
        "sendemail-validate",
        "fsmonitor-watchman",
        "p4-changelist",
        "p4-pre-submit",
        "post-index-change",
    ] {
        fs::copy(p.markers.program(&format!("hook-{name}")), folder.join(name)).unwrap();
    }
}
