//! What the scripted peer does to the files of a delegate: every kind of edit, as the number in its prompt says.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit;

/// Files of each kind that an edit leaves, so that edits of other numbers meet in some of them.
const KINDS: u64 = 10;

/// Makes the edits of this number, with a pause after each, and tells what is there then. The same number makes the same
/// edits, and what an earlier one left is edited over.
pub fn edit(top: &Path, number: u64, pause: Duration) -> io::Result<()> {
    for kind in 0..KINDS {
        one(top, number, kind)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

/// Returns the hash of what is in the files.
pub fn left(top: &Path) -> String {
    audit::files::content(top)
}

fn one(top: &Path, number: u64, kind: u64) -> io::Result<()> {
    let at = |name: &str| top.join(name);
    match kind {
        0 => fs::write(at(&format!("new {number}.txt")), format!("new {number}\n")),
        1 => {
            let mut text = fs::read(at("a.txt")).unwrap_or_default();
            text.extend_from_slice(format!("line {number}\n").as_bytes());
            fs::write(at("a.txt"), text)
        }
        2 => gone(fs::remove_file(at("to-delete.txt"))),
        3 => {
            let bytes: Vec<u8> = (0..=255)
                .cycle()
                .skip((number % 256) as usize)
                .take(3000)
                .collect();
            fs::write(at("data.bin"), bytes)
        }
        4 => fs::set_permissions(at("sub/tool"), fs::Permissions::from_mode(0o755)),
        5 => {
            gone(fs::remove_file(at("link")))?;
            symlink(format!("sub/target {number}"), at("link"))
        }
        6 => gone(fs::rename(
            at("to-rename.txt"),
            at(&format!("renamed {number}.txt")),
        )),
        7 => {
            let name = [format!("odd \n\"{number}\" ").as_bytes(), b"\xff"].concat();
            fs::write(top.join(PathBuf::from(OsStr::from_bytes(&name))), b"no newline")
        }
        8 => fs::write(at("crlf.txt"), format!("one\r\n{number}\r\nno end")),
        _ => {
            fs::create_dir_all(at("made/deep"))?;
            fs::write(at("made/deep/latin-1"), b"caf\xe9 \x0c \n")
        }
    }
}

fn gone(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
