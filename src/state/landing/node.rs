//! What is at a path of a working tree, looked at without following any link.

use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::{hex, sha256_hex};
use crate::sys::confined::{Kind, Place, Top, Way};

/// Bytes read at a time; a large file is never held whole.
const CHUNK_BYTES: usize = 128 * 1024;

/// Git's mode of a file that can be executed.
pub(super) const EXECUTABLE: u32 = 0o100_755;
/// Git's mode of any other file.
pub(super) const PLAIN: u32 = 0o100_644;
/// Git's mode of a symbolic link.
pub(super) const LINK: u32 = 0o120_000;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "node", rename_all = "snake_case")]
pub enum Node {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Its bytes.
        bytes: u64,
        /// Their SHA-256.
        sha256: String,
    },
    /// A symbolic link.
    Link {
        /// SHA-256 of the text it holds.
        sha256: String,
    },
    /// A folder.
    Folder,
    /// Something else, or behind a link that leads elsewhere.
    Other,
}

impl Node {
    /// Names the node that a mode as git writes it and the bytes of the file or link make. A mode that is neither a file's
    /// nor a link's, such as a submodule's, makes [`Self::Other`].
    pub fn of(mode: u32, bytes: &[u8]) -> Self {
        match mode {
            EXECUTABLE | PLAIN => Self::File {
                executable: mode == EXECUTABLE,
                bytes: bytes.len() as u64,
                sha256: sha256_hex(bytes),
            },
            LINK => Self::Link {
                sha256: sha256_hex(bytes),
            },
            _ => Self::Other,
        }
    }
}

/// Looks at a path below `top`, which no folder on the way may leave through a link. A path behind a file is absent; one
/// behind a link, one with `..` and one inside a `.git` is [`Node::Other`].
pub fn look(top: &Path, path: &[u8]) -> io::Result<Node> {
    look_below(&Top::open(top)?, path)
}

/// As [`look`], below a folder that is open.
pub(super) fn look_below(top: &Top, path: &[u8]) -> io::Result<Node> {
    match top.way(path)? {
        Way::Reached(place) => look_at(&place),
        Way::Missing => Ok(Node::Absent),
        Way::Blocked => Ok(Node::Other),
    }
}

/// Looks at a place.
pub(super) fn look_at(place: &Place) -> io::Result<Node> {
    copy(place, &mut io::sink())
}

/// Looks at a place and copies the bytes of its file, or the text of its link, while it looks.
pub(super) fn copy(place: &Place, out: &mut impl Write) -> io::Result<Node> {
    let Some(about) = place.about()? else {
        return Ok(Node::Absent);
    };
    match about.kind {
        Kind::File => copy_file(&mut place.open()?, about.mode & 0o100 != 0, out),
        Kind::Link => {
            let text = place.link_text()?;
            out.write_all(&text)?;
            Ok(Node::Link {
                sha256: sha256_hex(&text),
            })
        }
        Kind::Folder => Ok(Node::Folder),
        Kind::Other => Ok(Node::Other),
    }
}

/// Copies an open file and tells what it is.
pub(super) fn copy_file(file: &mut impl Read, executable: bool, out: &mut impl Write) -> io::Result<Node> {
    let (bytes, sha256) = hash_into(file, out)?;
    Ok(Node::File {
        executable,
        bytes,
        sha256,
    })
}

/// Copies and hashes to the end; returns the bytes and their SHA-256.
fn hash_into(file: &mut impl Read, out: &mut impl Write) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok((bytes, hex(&hash.finalize()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&chunk[..read]);
        out.write_all(&chunk[..read])?;
        bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_look_follows_nothing_and_tells_what_git_would_store() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        fs::create_dir(top.join("folder")).unwrap();
        fs::write(top.join("file"), "x\r\n").unwrap();
        fs::write(top.join("tool"), "").unwrap();
        fs::set_permissions(top.join("tool"), fs::Permissions::from_mode(0o744)).unwrap();
        symlink("file", top.join("link")).unwrap();
        symlink("/etc", top.join("out")).unwrap();
        let check = |path: &str, expected: Node| {
            assert_eq!(look(top, path.as_bytes()).unwrap(), expected, "{path}");
        };
        check("file", Node::of(PLAIN, b"x\r\n"));
        check("tool", Node::of(EXECUTABLE, b""));
        check("link", Node::of(LINK, b"file"));
        check("folder", Node::Folder);
        check("absent", Node::Absent);
        check("folder/absent/deeper", Node::Absent);
        check("file/deeper", Node::Absent);
        check("out/passwd", Node::Other);
        check("../x", Node::Other);
        check(".git/config", Node::Other);
        let fifo = std::process::Command::new("mkfifo")
            .arg(top.join("fifo"))
            .status();
        assert!(fifo.unwrap().success());
        check("fifo", Node::Other);
        assert_eq!(Node::of(0o160_000, b""), Node::Other);
    }
}
