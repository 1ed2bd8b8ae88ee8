//! The files that a caller names: inside the workspace, text, and shown without secrets.

use std::path::{Path, PathBuf};

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::prompt::FilePart;
use crate::redact::files::is_secret_path;
use crate::redact::{Further, Redacted, RedactedFile, redact_text};
use crate::sys::confined::Top;
use crate::sys::files;

/// One file, as much of it as may be shown.
#[derive(Debug)]
pub(super) struct ContextFile {
    /// Its path, relative to the workspace.
    pub(super) inside: PathBuf,
    /// The same as it is shown.
    pub(super) path: String,
    /// What the prompt says of it.
    pub(super) part: FilePart,
    /// Whether its text is kept back as a secret.
    pub(super) withheld: bool,
    /// Values that were masked in it.
    pub(super) masked: u32,
}

/// Reads the files in order; the first that cannot be sent is a fault that names it.
///
/// `top` is the repository around `root`: globs of what is kept back count from there.
pub(super) fn read_files(
    paths: &[PathBuf],
    root: &Path,
    top: Option<&Path>,
    further: &Further,
) -> Result<Vec<ContextFile>, Fault> {
    paths
        .iter()
        .enumerate()
        .map(|(index, path)| read_file(index, path, root, top.unwrap_or(root), further))
        .collect()
}

/// Reads one file inside the workspace. Links are resolved first, so none leads out.
fn read_file(
    index: usize,
    path: &Path,
    root: &Path,
    top: &Path,
    further: &Further,
) -> Result<ContextFile, Fault> {
    let field = format!("files[{index}]");
    let named = redact_text(&crate::diff::text::shown_path(
        path.as_os_str().as_encoded_bytes(),
    ));
    let wrong = |code, message: &str| {
        let name = named.as_str();
        Fault::new(code, format!("`{field}` ({name}) {message}")).field(field.clone())
    };
    let unreadable = |message: &str| {
        wrong(FaultCode::InvalidArguments, message)
            .hint("name text files inside the workspace, relative to it")
    };
    let real = root
        .join(path)
        .canonicalize()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => unreadable("does not exist"),
            kind => unreadable(&format!("cannot be opened: {kind}")),
        })?;
    if real.is_dir() {
        return Err(unreadable("is a folder"));
    }
    let inside = real
        .strip_prefix(root)
        .map_err(|_| wrong(FaultCode::PathOutsideWorkspace, "is outside the workspace"))?;
    let shown = crate::diff::text::shown_path(inside.as_os_str().as_encoded_bytes());
    let listed = |text: &'static str, withheld| ContextFile {
        part: FilePart {
            path: redact_text(&shown),
            text: Redacted::literal(text),
        },
        inside: inside.to_owned(),
        path: redact_text(&shown).into_inner(),
        withheld,
        masked: 0,
    };
    let from_top = real
        .strip_prefix(top)
        .unwrap_or(inside)
        .as_os_str()
        .as_encoded_bytes();
    if further.is_denied(from_top) {
        return Ok(listed("[withheld: a configuration keeps this file back]", true));
    }
    // By its whole path: in a workspace that is `.aws` itself, `credentials` is one too.
    if is_secret_path(real.as_os_str().as_encoded_bytes()) || further.is_secret(from_top) {
        return Ok(listed("[withheld: this file is a secret by its name]", true));
    }
    // Part by part from the workspace: a folder that somebody exchanges for a link meanwhile leads nowhere.
    let opened = Top::open(root)
        .and_then(|top| top.place(inside.as_os_str().as_encoded_bytes()))
        .and_then(|place| place.open())
        .and_then(|file| files::read_whole(file, limits::CONTEXT_FILE_BYTES));
    let bytes = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => Fault {
            field: Some(field.clone()),
            ..Fault::new(
                FaultCode::InputTooLarge,
                format!("`{field}` is larger than {} bytes", limits::CONTEXT_FILE_BYTES),
            )
            .hint("name a smaller file, or paste the part that matters as context")
        },
        kind => wrong(FaultCode::InvalidArguments, &format!("cannot be read: {kind}")),
    })?;
    if crate::diff::added::looks_binary(&bytes) {
        return Err(wrong(FaultCode::InvalidArguments, "is not a text file"));
    }
    match further.redact_file(from_top, &String::from_utf8_lossy(&bytes)) {
        RedactedFile::Withheld => Ok(listed("[withheld: this file holds a private key]", true)),
        RedactedFile::Shown(shown_text) => {
            let part = FilePart {
                path: redact_text(&shown),
                text: shown_text.text,
            };
            Ok(ContextFile {
                inside: inside.to_owned(),
                path: part.path.as_str().to_owned(),
                part,
                withheld: false,
                masked: shown_text.count,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_outside_or_secret_is_never_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let inner = root.join("w");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(root.join("outside"), "canary").unwrap();
        std::fs::write(inner.join("a.txt"), "hello").unwrap();
        std::fs::write(inner.join(".env"), "canary").unwrap();
        std::os::unix::fs::symlink(root.join("outside"), inner.join("link")).unwrap();
        std::fs::write(inner.join("denied.txt"), "canary").unwrap();
        std::fs::write(inner.join("kept.txt"), "canary").unwrap();
        let further = Further::new(&["w/denied.txt".to_owned()], &["kept.txt".to_owned()], &[]).unwrap();
        let code = |path: &str| {
            read_file(0, Path::new(path), &inner, &root, &further)
                .map_err(|fault| fault.code)
                .err()
        };
        assert_eq!(code("a.txt"), None);
        assert_eq!(code("../outside"), Some(FaultCode::PathOutsideWorkspace));
        assert_eq!(code("link"), Some(FaultCode::PathOutsideWorkspace));
        assert_eq!(code("absent"), Some(FaultCode::InvalidArguments));
        let held = |path: &str| {
            let file = read_file(0, Path::new(path), &inner, &root, &further).unwrap();
            assert!(!file.part.text.as_str().contains("canary"));
            file.withheld
        };
        assert!(held(".env"));
        assert!(held("denied.txt") && held("kept.txt"));
        assert!(!held("a.txt"));
    }
}
