//! Texts that a command reads from files and from stdin, within their bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::streams::Device;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;

/// The word that stands for stdin.
pub(super) const STDIN: &str = "-";

/// Where a command's texts come from.
pub(super) struct Input<'a> {
    /// Relative paths count from here.
    pub(super) directory: &'a Path,
    /// What stdin comes from.
    pub(super) stdin_device: Device,
    stdin: Option<&'a mut dyn Read>,
}

impl<'a> Input<'a> {
    pub(super) fn new(directory: &'a Path, stdin: &'a mut dyn Read, stdin_device: Device) -> Self {
        Self {
            directory,
            stdin_device,
            stdin: Some(stdin),
        }
    }

    /// Makes a folder that was given on the command line absolute.
    pub(super) fn folder(&self, path: Option<PathBuf>) -> Option<PathBuf> {
        path.map(|path| self.directory.join(path))
    }

    /// Reads stdin to its end. It can be had once: two texts from one stream cannot be told apart.
    pub(super) fn stdin(&mut self, field: &str) -> Result<String, Fault> {
        match self.stdin.take() {
            Some(stdin) => text(field, read(stdin)),
            None => Err(
                Fault::argument(field, format!("`{field}` wants stdin, which another flag reads"))
                    .hint("use `-` once and pass the other text as an argument or a file"),
            ),
        }
    }

    /// Reads a file, or stdin for `-`.
    pub(super) fn file(&mut self, field: &str, path: &Path) -> Result<String, Fault> {
        if path == Path::new(STDIN) {
            return self.stdin(field);
        }
        text(field, File::open(self.directory.join(path)).and_then(read))
    }

    /// Takes a text as it is, or stdin for `-`.
    pub(super) fn text(&mut self, field: &str, text: String) -> Result<String, Fault> {
        if text == STDIN {
            self.stdin(field)
        } else {
            Ok(text)
        }
    }
}

/// Reads one byte more than a text may have, so that a longer one is seen without being read whole.
fn read(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(limits::ARGUMENT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(field: &str, bytes: io::Result<Vec<u8>>) -> Result<String, Fault> {
    let bytes = bytes.map_err(|error| {
        Fault::argument(
            field,
            format!("the text for `{field}` cannot be read: {}", error.kind()),
        )
        .hint("check the path; relative ones count from the current directory")
    })?;
    if bytes.len() > limits::ARGUMENT_BYTES {
        let message = format!("`{field}` has more than {} bytes", limits::ARGUMENT_BYTES);
        return Err(Fault::new(FaultCode::InputTooLarge, message).field(field));
    }
    String::from_utf8(bytes).map_err(|_| {
        Fault::argument(field, format!("the text for `{field}` is not UTF-8"))
            .hint("convert it, or review the change in git instead of the file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_is_read_once_and_bounded() {
        let read = |bytes: &[u8]| {
            let mut source = bytes;
            Input::new(Path::new("/"), &mut source, Device::Other)
                .stdin("prompt")
                .map_err(|fault| fault.code)
        };
        assert_eq!(read(b"why?\n"), Ok("why?\n".to_owned()));
        assert_eq!(read(b"\xff"), Err(FaultCode::InvalidArguments));
        let long = vec![b'a'; limits::ARGUMENT_BYTES + 1];
        assert_eq!(read(&long), Err(FaultCode::InputTooLarge));
        assert!(read(&long[1..]).is_ok());

        let mut source: &[u8] = b"text";
        let mut input = Input::new(Path::new("/"), &mut source, Device::Other);
        assert_eq!(input.text("context", "-".into()), Ok("text".to_owned()));
        let fault = input.stdin("prompt").unwrap_err();
        assert_eq!(fault.field.as_deref(), Some("prompt"));
    }

    #[test]
    fn files_count_from_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("q.txt"), "why?").unwrap();
        let mut none: &[u8] = b"";
        let mut input = Input::new(dir.path(), &mut none, Device::Other);
        assert_eq!(input.file("prompt", Path::new("q.txt")), Ok("why?".to_owned()));
        let fault = input.file("prompt", Path::new("absent")).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidArguments);
        assert_eq!(input.folder(Some("sub".into())), Some(dir.path().join("sub")));
        assert_eq!(input.folder(Some("/abs".into())), Some("/abs".into()));
    }
}
