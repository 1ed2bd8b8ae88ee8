//! A file that git does not track, as the patch that adds it.

use crate::diff::bytes::{Buffer, Bytes};
use crate::diff::patch::{ChangeKind, Content, FilePatch, Hunk, Line, LineKind};

/// How much of a file is looked at to tell text from other content; git looks at the same number of bytes.
const LOOK_BYTES: usize = 8000;

/// Makes the patch that adds a file with these bytes.
///
/// `mode` is git's (`0o100644`, `0o100755`, `0o120000` with the link text as `bytes`).
pub fn added_file(path: &[u8], mode: u32, bytes: &[u8]) -> FilePatch {
    let content = if bytes.is_empty() {
        Content::Unchanged
    } else if looks_binary(bytes) {
        Content::Binary
    } else {
        Content::Text(vec![added_hunk(bytes)])
    };
    untracked_file(path, Some(mode), content)
}

/// Makes the entry of an untracked path whose content is not shown.
pub fn untracked_file(path: &[u8], mode: Option<u32>, content: Content) -> FilePatch {
    FilePatch {
        old_path: path.to_vec(),
        new_path: path.to_vec(),
        kind: ChangeKind::Added,
        old_mode: None,
        new_mode: mode,
        untracked: true,
        content,
    }
}

/// Tells whether bytes are no text: a NUL near the beginning, as git decides it.
pub fn looks_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(LOOK_BYTES).any(|&byte| byte == 0)
}

fn added_hunk(bytes: &[u8]) -> Hunk {
    let ends_with_newline = bytes.last() == Some(&b'\n');
    let body = if ends_with_newline {
        &bytes[..bytes.len() - 1]
    } else {
        bytes
    };
    let buffer = Buffer::new(body.to_vec());
    let mut lines: Vec<Line> = buffer
        .whole()
        .split(|&byte| byte == b'\n')
        .map(|text| Line {
            kind: LineKind::Added,
            text: buffer.share(text),
            no_newline: false,
        })
        .collect();
    if let Some(last) = lines.last_mut() {
        last.no_newline = !ends_with_newline;
    }
    Hunk {
        old_start: 0,
        old_lines: 0,
        new_start: 1,
        new_lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        section: Bytes::default(),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<(String, bool)> {
        match added_file(b"f", 0o100_644, bytes).content {
            Content::Text(hunks) => hunks[0]
                .lines
                .iter()
                .map(|line| (String::from_utf8_lossy(&line.text).into_owned(), line.no_newline))
                .collect(),
            other => panic!("no text: {other:?}"),
        }
    }

    #[test]
    fn lines_are_those_that_git_would_show() {
        let check = |bytes: &[u8], expected: &[(&str, bool)]| {
            let expected: Vec<(String, bool)> = expected
                .iter()
                .map(|(text, end)| ((*text).to_owned(), *end))
                .collect();
            assert_eq!(texts(bytes), expected);
        };
        check(b"a\n", &[("a", false)]);
        check(b"a", &[("a", true)]);
        check(b"a\n\nb", &[("a", false), ("", false), ("b", true)]);
        check(b"\n", &[("", false)]);
        check(b"a\r\nb\r\n", &[("a\r", false), ("b\r", false)]);
        check(b"a\x0cb\n", &[("a\x0cb", false)]);
    }

    #[test]
    fn a_file_without_lines_or_text_has_no_hunk() {
        assert_eq!(added_file(b"f", 0o100_644, b"").content, Content::Unchanged);
        assert_eq!(added_file(b"f", 0o100_644, b"a\0b").content, Content::Binary);
    }
}
