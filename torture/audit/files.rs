//! Files as the disk has them, made into one hash: what the user owns, and what a peer left.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use crosscheck::domain::fingerprint::sha256_hex;

/// Modes as git writes them.
const PLAIN: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;

/// One path with its mode and the hash of its bytes.
type Row = (Vec<u8>, u32, String);

/// The hash of everything below a folder, folders and git's own files too: names, modes, bytes, and where links lead.
pub(crate) fn everything(top: &Path) -> String {
    let mut rows = Vec::new();
    walk(top, b"", &mut |path, at, about| {
        rows.push((path.to_vec(), about.mode(), bytes_of(at, about)));
        true
    });
    digest(rows)
}

/// The hash of the files below a folder as git would know them: without git's own, and of the modes only those of git.
pub(crate) fn content(top: &Path) -> String {
    content_without(top, &[])
}

/// The same without these paths.
pub(crate) fn content_without(top: &Path, ignored: &[&str]) -> String {
    let mut rows = Vec::new();
    walk(top, b"", &mut |path, at, about| {
        if path == b".git" || ignored.iter().any(|ignored| ignored.as_bytes() == path) {
            return false;
        }
        let mode = if about.file_type().is_symlink() {
            LINK
        } else if about.permissions().mode() & 0o100 == 0 {
            PLAIN
        } else {
            EXECUTABLE
        };
        if !about.is_dir() {
            rows.push((path.to_vec(), mode, bytes_of(at, about)));
        }
        true
    });
    digest(rows)
}

/// The same hash of a tree in a git directory; `None` when it cannot be read there.
pub(crate) fn kept(git_directory: &Path, tree: &str) -> Option<String> {
    let listed = git(git_directory, &["ls-tree", "-rz", "--full-tree", tree], b"")?;
    let mut rows: Vec<(Vec<u8>, u32, String)> = Vec::new();
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let about = std::str::from_utf8(&line[..tab]).ok()?;
        let mut words = about.split(' ');
        let mode = u32::from_str_radix(words.next()?, 8).ok()?;
        // A repository inside the repository has no bytes here.
        if words.next()? == "blob" {
            rows.push((line[tab + 1..].to_vec(), mode, words.next()?.to_owned()));
        }
    }
    let asked: String = rows.iter().flat_map(|(_, _, oid)| [oid, "\n"]).collect();
    let answered = git(git_directory, &["cat-file", "--batch"], asked.as_bytes())?;
    let mut rest = answered.as_slice();
    for row in &mut rows {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.rsplit(' ').next()?;
        let size: usize = size.parse().ok()?;
        row.2 = sha256_hex(rest.get(end + 1..end + 1 + size)?);
        rest = rest.get(end + size + 2..)?;
    }
    Some(digest(rows))
}

/// The refs of a git directory, as `(name, object)`.
pub(crate) fn refs(git_directory: &Path) -> Vec<(String, String)> {
    let listed = git(
        git_directory,
        &["for-each-ref", "--format=%(refname) %(objectname)"],
        b"",
    );
    String::from_utf8_lossy(&listed.unwrap_or_default())
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, object)| (name.to_owned(), object.to_owned()))
        .collect()
}

/// Runs git where it only reads, and with nobody's settings.
fn git(git_directory: &Path, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(git_directory)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let input = input.to_vec();
    // It answers while it is still being asked.
    let asking = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
    let output = child.wait_with_output().ok()?;
    let _ = asking.join();
    output.status.success().then_some(output.stdout)
}

/// Visits everything below a folder; a visitor that returns `false` keeps the walk out of what it was shown.
fn walk(folder: &Path, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &Path, &Metadata) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let path = if prefix.is_empty() {
            name.as_bytes().to_vec()
        } else {
            [prefix, b"/", name.as_bytes()].concat()
        };
        let at = folder.join(OsStr::from_bytes(name.as_bytes()));
        let Ok(about) = fs::symlink_metadata(&at) else {
            continue;
        };
        if visit(&path, &at, &about) && about.is_dir() {
            walk(&at, &path, visit);
        }
    }
}

fn bytes_of(at: &Path, about: &Metadata) -> String {
    let bytes = if about.file_type().is_symlink() {
        fs::read_link(at).map(|to| to.into_os_string().into_encoded_bytes())
    } else if about.is_file() {
        fs::read(at)
    } else {
        Ok(Vec::new())
    };
    bytes.map_or_else(|error| format!("unreadable: {error}"), |bytes| sha256_hex(&bytes))
}

fn digest(mut rows: Vec<Row>) -> String {
    rows.sort();
    let mut text = Vec::new();
    for (path, mode, hash) in rows {
        text.extend_from_slice(format!("{mode:o} {hash} ").as_bytes());
        text.extend_from_slice(&path);
        text.push(0);
    }
    sha256_hex(&text)
}
