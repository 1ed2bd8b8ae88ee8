//! Repositories that lead to files, objects or refs of another place.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Place, Poison, write};

pub(crate) const TABLE: &[(&str, Poison)] = &[
    ("core.worktree is the user's home", |p| {
        p.config("core.worktree", p.secret.parent().unwrap().to_str().unwrap());
    }),
    ("core.worktree is another repository", |p| {
        p.config("core.worktree", p.private.to_str().unwrap());
    }),
    ("core.worktree is a folder above", |p| {
        p.config("core.worktree", "../..");
    }),
    (".git is a link to another repository's", |p| {
        without_git(p);
        symlink(p.private.join(".git"), p.dot_git()).unwrap();
    }),
    (".git is a file that names another repository's", git_file),
    (".git is a file that names another repository's, relative", |p| {
        without_git(p);
        let up = "../".repeat(p.top.components().count() - 1);
        let path = p.private.join(".git");
        let path = path.strip_prefix("/").unwrap();
        p.write(".git", format!("gitdir: {up}{}\n", path.display()));
    }),
    ("commondir names another repository's git directory", |p| {
        p.write(
            ".git/commondir",
            format!("{}\n", p.private.join(".git").display()),
        );
    }),
    ("commondir is a link to a file that names it", |p| {
        write(
            &p.beside.join("common"),
            format!("{}\n", p.private.join(".git").display()).as_bytes(),
        );
        symlink(p.beside.join("common"), p.dot_git().join("commondir")).unwrap();
    }),
    (
        "a forged worktree whose common directory is another repository's",
        |p| {
            let forged = p.beside.join("real/.git/worktrees/x");
            fs::create_dir_all(&forged).unwrap();
            write(&forged.join("HEAD"), b"ref: refs/heads/main\n");
            write(
                &forged.join("commondir"),
                format!("{}\n", p.private.join(".git").display()).as_bytes(),
            );
            write(
                &forged.join("gitdir"),
                format!("{}\n", p.dot_git().display()).as_bytes(),
            );
            without_git(p);
            p.write(".git", format!("gitdir: {}\n", forged.display()));
        },
    ),
    (
        "a git file names a forged one that commits to another's objects and refs",
        |p| {
            let forged = p.beside.join("forged");
            fs::create_dir_all(&forged).unwrap();
            fs::copy(p.dot_git().join("config"), forged.join("config")).unwrap();
            for name in ["objects", "refs", "HEAD"] {
                symlink(p.private.join(".git").join(name), forged.join(name)).unwrap();
            }
            without_git(p);
            p.write(".git", format!("gitdir: {}\n", forged.display()));
        },
    ),
    (
        "objects of another repository, and HEAD is a link into its refs",
        |p| {
            alternates(p);
            replace(p, "HEAD", &p.private.join(".git/refs/heads/main"));
        },
    ),
    (
        "objects of another repository, and refs are a link to its refs",
        |p| {
            alternates(p);
            p.write(".git/HEAD", "ref: refs/heads/main\n");
            replace(p, "refs", &p.private.join(".git/refs"));
        },
    ),
    (
        "objects of another repository, and one branch is a link into its refs",
        |p| {
            alternates(p);
            p.write(".git/HEAD", "ref: refs/heads/main\n");
            replace(p, "refs/heads/main", &p.private.join(".git/refs/heads/main"));
        },
    ),
    (
        "objects of another repository, and the index is a link to its index",
        |p| {
            alternates(p);
            replace(p, "index", &p.private.join(".git/index"));
        },
    ),
    (
        "objects of another repository, and packed refs are a link to its own",
        |p| {
            alternates(p);
            assert!(p.try_git_in(&p.private, &["pack-refs", "--all"]).status.success());
            let _ = fs::remove_dir_all(p.dot_git().join("refs/heads"));
            p.write(".git/HEAD", "ref: refs/heads/main\n");
            replace(p, "packed-refs", &p.private.join(".git/packed-refs"));
            fs::create_dir_all(p.dot_git().join("refs/heads")).unwrap();
            // The others find its branch as a file again.
            let oid = p.try_git_in(&p.private, &["rev-parse", "HEAD"]).stdout;
            write(&p.private.join(".git/refs/heads/main"), oid.as_bytes());
        },
    ),
    (
        "objects are a link to another repository's, and HEAD into its refs",
        |p| {
            replace(p, "objects", &p.private.join(".git/objects"));
            replace(p, "HEAD", &p.private.join(".git/refs/heads/main"));
        },
    ),
    ("refs of a folder below are a link", |p| {
        alternates(p);
        p.write(".git/HEAD", "ref: refs/heads/x/main\n");
        replace(p, "refs/heads/x", &p.private.join(".git/refs/heads"));
    }),
    ("HEAD names a ref by a way out", |p| {
        alternates(p);
        let up = "../".repeat(p.top.components().count() + 2);
        let path = p.private.join(".git/refs/heads/main");
        p.write(
            ".git/HEAD",
            format!(
                "ref: refs/heads/{up}{}\n",
                path.strip_prefix("/").unwrap().display()
            ),
        );
    }),
    ("replacements of HEAD and of its tree", |p| {
        let (head, other) = (p.git(&["rev-parse", "HEAD"]), p.git(&["rev-parse", "HEAD~2"]));
        p.write(&format!(".git/refs/replace/{head}"), format!("{other}\n"));
    }),
    ("grafts that give HEAD other parents", |p| {
        let (head, other) = (p.git(&["rev-parse", "HEAD"]), p.git(&["rev-parse", "HEAD~2"]));
        p.write(".git/info/grafts", format!("{head} {other} {other}\n"));
    }),
    ("the list of shallow commits is a link to a secret", |p| {
        symlink(&p.secret, p.dot_git().join("shallow")).unwrap();
    }),
    ("patterns to exclude are a link to a secret", |p| {
        let _ = fs::remove_file(p.dot_git().join("info/exclude"));
        symlink(&p.secret, p.dot_git().join("info/exclude")).unwrap();
    }),
    ("core.excludesFile and core.attributesFile are secrets", |p| {
        p.config("core.excludesFile", p.secret.to_str().unwrap());
        p.config("core.attributesFile", p.secret.to_str().unwrap());
    }),
    ("include.path is a secret", |p| {
        p.config("include.path", p.secret.to_str().unwrap());
    }),
    ("tracked and untracked links to a secret", |p| {
        symlink(&p.secret, p.top.join("tracked")).unwrap();
        p.git(&["add", "tracked"]);
        symlink(&p.secret, p.top.join("untracked")).unwrap();
        let _ = fs::remove_file(p.top.join("f"));
        symlink(&p.secret, p.top.join("f")).unwrap();
        symlink(&p.secret, p.top.join("AGENTS.md")).unwrap();
    }),
    ("a tracked folder is a link to a folder of secrets", |p| {
        fs::remove_dir_all(p.top.join("sub")).unwrap();
        symlink(p.secret.parent().unwrap(), p.top.join("sub")).unwrap();
        write(
            &p.secret.parent().unwrap().join("g"),
            &fs::read(&p.secret).unwrap(),
        );
    }),
    ("attributes and ignored names are links to a secret", |p| {
        symlink(&p.secret, p.top.join(".gitattributes")).unwrap();
        symlink(&p.secret, p.top.join(".gitignore")).unwrap();
        symlink(&p.secret, p.top.join(".gitmodules")).unwrap();
        symlink(&p.secret, p.top.join(".mailmap")).unwrap();
    }),
    (
        "a blob is asked for as a file list, a mailmap and an order file",
        |p| {
            for key in [
                "diff.orderFile",
                "mailmap.file",
                "commit.template",
                "blame.ignoreRevsFile",
                "core.excludesFile",
            ] {
                p.config(key, p.secret.to_str().unwrap());
            }
        },
    ),
];

fn without_git(p: &Place<'_>) {
    fs::rename(p.dot_git(), p.beside.join("earlier.git")).unwrap();
}

fn alternates(p: &Place<'_>) {
    p.write(
        ".git/objects/info/alternates",
        format!("{}\n", p.private.join(".git/objects").display()),
    );
}

/// Puts a link in the place of a part of the git directory.
fn replace(p: &Place<'_>, name: &str, target: &Path) {
    let place = p.dot_git().join(name);
    if place.is_dir() {
        fs::remove_dir_all(&place).unwrap();
    } else {
        let _ = fs::remove_file(&place);
    }
    symlink(target, place).unwrap();
}

/// Lets `.git` name another repository's git directory.
pub(crate) fn git_file(p: &Place<'_>) {
    without_git(p);
    p.write(".git", format!("gitdir: {}\n", p.private.join(".git").display()));
}
