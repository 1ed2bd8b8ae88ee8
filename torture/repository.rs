//! The user's repository in a world: files of every kind, in every state that git knows. Git makes it once, and each world
//! gets its bytes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One path of the repository, folders before what is in them.
struct Kept {
    path: PathBuf,
    what: What,
}

enum What {
    Folder,
    File(u32, Vec<u8>),
    Link(PathBuf),
}

/// Writes the repository into a folder that is there.
pub fn write_into(top: &Path) {
    static KEPT: OnceLock<Vec<Kept>> = OnceLock::new();
    for kept in KEPT.get_or_init(make) {
        let at = top.join(&kept.path);
        match &kept.what {
            What::Folder => fs::create_dir(at),
            What::File(mode, bytes) => fs::write(&at, bytes)
                .and_then(|()| fs::set_permissions(at, fs::Permissions::from_mode(*mode))),
            What::Link(to) => symlink(to, at),
        }
        .expect("the repository can be written");
    }
}

/// Has git make it, and reads it.
fn make() -> Vec<Kept> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let top = folder.path();
    build(top);
    let mut kept = Vec::new();
    read(top, Path::new(""), &mut kept);
    kept
}

fn build(top: &Path) {
    git(top, &["init", "-q", "-b", "main", "--template="]);
    let binary: Vec<u8> = (0..=255).cycle().take(2000).collect();
    let committed: [(&[u8], &[u8]); 19] = [
        (b"a.txt", b"one\ntwo\n"),
        (b"crlf.txt", b"one\r\ntwo\r\n"),
        (b"converted.txt", b"one\r\ntwo\r\n"),
        (b"ident.txt", b"$Id$\n"),
        (
            b".gitattributes",
            b"converted.txt text eol=crlf\nident.txt ident\n",
        ),
        (b".gitignore", b"ignored/\n*.log\n"),
        (b"data.bin", &binary),
        (b"empty", b""),
        (b"no-end", b"no newline"),
        (b"latin-1.txt", b"caf\xe9\n"),
        (b"form\x0cfeed", b"a\x0cb\xe2\x80\xa8c\n"),
        (b"odd \"name\" 'here'", b"odd\n"),
        (b"line\nbreak", b"odd\n"),
        (b"not-utf-8-\xff", b"odd\n"),
        (b"to-delete.txt", b"gone soon\n"),
        (b"to-rename.txt", b"a name\nthat\nchanges\n"),
        (b"to-unstage.txt", b"deleted in the index\n"),
        (b"sub/deep/file.txt", b"deep\n"),
        (b"sub/tool", b"#!/bin/sh\necho tool\n"),
    ];
    for (path, bytes) in committed {
        put(top, path, bytes);
    }
    put(top, b"run.sh", b"#!/bin/sh\necho run\n");
    execute(top, "run.sh");
    symlink("a.txt", top.join("link")).expect("a link can be made");
    git(top, &["add", "."]);
    git(top, &["commit", "-qm", "first"]);
    git(top, &["tag", "first"]);
    git(top, &["branch", "other"]);
    put(top, b"no-end", b"in the stash");
    git(top, &["stash", "-q"]);
    git(top, &["rm", "-q", "to-unstage.txt"]);
    put(top, b"staged.txt", b"staged\n");
    put(top, b"sub/deep/file.txt", b"deep\nstaged\n");
    git(top, &["add", "staged.txt", "sub/deep/file.txt"]);
    put(top, b"sub/deep/file.txt", b"deep\nstaged\nand more\n");
    put(top, b"a.txt", b"one\n2\n");
    put(top, b"new file.txt", b"untracked\r\n");
    put(top, b"new/tool", b"untracked and executable\n");
    execute(top, "new/tool");
    symlink("nowhere", top.join("new/link")).expect("a link can be made");
    put(top, b"ignored/cache.bin", &binary);
    put(top, b"debug.log", b"ignored\n");
}

fn put(top: &Path, path: &[u8], bytes: &[u8]) {
    let at = top.join(OsStr::from_bytes(path));
    let folder = at.parent().expect("it is below the top");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&at, bytes))
        .expect("a file can be written");
}

fn execute(top: &Path, name: &str) {
    fs::set_permissions(top.join(name), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
}

fn git(top: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=torture", "-c", "user.email=torture@localhost"])
        .args(arguments)
        .current_dir(top)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .status()
        .expect("git is there");
    assert!(done.success(), "git {arguments:?}");
}

fn read(top: &Path, folder: &Path, kept: &mut Vec<Kept>) {
    for entry in fs::read_dir(top.join(folder))
        .expect("it was just made")
        .flatten()
    {
        let path = folder.join(entry.file_name());
        let at = entry.path();
        let about = fs::symlink_metadata(&at).expect("it was just made");
        let is_folder = about.is_dir();
        let what = if is_folder {
            What::Folder
        } else if about.file_type().is_symlink() {
            What::Link(fs::read_link(&at).expect("it was just made"))
        } else {
            let mode = about.permissions().mode() & 0o777;
            What::File(mode, fs::read(&at).expect("it was just made"))
        };
        kept.push(Kept {
            path: path.clone(),
            what,
        });
        if is_folder {
            read(top, &path, kept);
        }
    }
}
