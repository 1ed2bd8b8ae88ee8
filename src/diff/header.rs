//! The header of one `diff --git` section: names, modes, kind.

use crate::diff::patch::ChangeKind;

/// What a section's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The path before; that of a new file is its new one.
    pub old_path: Option<Vec<u8>>,
    /// The path after; that of a deleted file is its old one.
    pub new_path: Option<Vec<u8>>,
    /// What happened.
    pub kind: ChangeKind,
    /// Mode before.
    pub old_mode: Option<u32>,
    /// Mode after.
    pub new_mode: Option<u32>,
    /// Whether git found no text.
    pub is_binary: bool,
}

/// Reads a header from what stands behind `diff --git ` and from the lines below, up to the first hunk.
pub(super) fn read_header(names: &[u8], lines: &[&[u8]]) -> Header {
    let mut header = Header {
        old_path: None,
        new_path: None,
        kind: ChangeKind::Modified,
        old_mode: None,
        new_mode: None,
        is_binary: false,
    };
    for line in lines {
        read_line(&mut header, line);
    }
    if header.old_path.is_none() && header.new_path.is_none() {
        // Only a change of mode or an empty or binary file has no other line with names, and then both are the same.
        let name = same_name(names);
        header.old_path.clone_from(&name);
        header.new_path = name;
    }
    // `/dev/null` is no name: the other side has it.
    if header.old_path.is_none() {
        header.old_path.clone_from(&header.new_path);
    }
    if header.new_path.is_none() {
        header.new_path.clone_from(&header.old_path);
    }
    header
}

fn read_line(header: &mut Header, line: &[u8]) {
    let rest = |prefix: &str| line.strip_prefix(prefix.as_bytes());
    if let Some(mode) = rest("old mode ") {
        header.old_mode = read_mode(mode);
    } else if let Some(mode) = rest("new mode ") {
        header.new_mode = read_mode(mode);
    } else if let Some(mode) = rest("new file mode ") {
        header.kind = ChangeKind::Added;
        header.new_mode = read_mode(mode);
    } else if let Some(mode) = rest("deleted file mode ") {
        header.kind = ChangeKind::Deleted;
        header.old_mode = read_mode(mode);
    } else if let Some(name) = rest("rename from ").or(rest("copy from ")) {
        header.old_path = Some(unquote(name));
    } else if let Some(name) = rest("rename to ") {
        header.kind = ChangeKind::Renamed;
        header.new_path = Some(unquote(name));
    } else if let Some(name) = rest("copy to ") {
        header.kind = ChangeKind::Copied;
        header.new_path = Some(unquote(name));
    } else if let Some(index) = rest("index ") {
        if let Some(mode) = index.split(|&byte| byte == b' ').nth(1).and_then(read_mode) {
            header.old_mode = Some(mode);
            header.new_mode = Some(mode);
        }
    } else if let Some(name) = rest("--- ") {
        header.old_path = header.old_path.take().or(read_name(name, b"a/"));
    } else if let Some(name) = rest("+++ ") {
        header.new_path = header.new_path.take().or(read_name(name, b"b/"));
    } else if line.starts_with(b"Binary files ") || line.starts_with(b"GIT binary patch") {
        header.is_binary = true;
    }
}

fn read_mode(text: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()
}

/// Reads the name of a `---` or `+++` line. Git ends a name that holds a blank with a tab.
fn read_name(text: &[u8], prefix: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"\t").unwrap_or(text);
    if text == b"/dev/null" {
        return None;
    }
    let name = unquote(text);
    Some(
        name.strip_prefix(prefix)
            .map_or_else(|| name.clone(), <[u8]>::to_vec),
    )
}

/// Reads `a/NAME b/NAME`, where both names are the same and may hold blanks, or are quoted.
fn same_name(names: &[u8]) -> Option<Vec<u8>> {
    if names.first() == Some(&b'"') {
        let name = unquote(names);
        return name.strip_prefix(b"a/").map(<[u8]>::to_vec);
    }
    // `a/` + name + ` b/` + name.
    let length = names.len().checked_sub(5)? / 2;
    let first = names.get(2..2 + length)?;
    let second = names.get(length + 5..)?;
    (names.starts_with(b"a/") && first == second).then(|| first.to_vec())
}

/// Undoes git's quoting of a name; a name without quotes is itself. What follows the closing quote is ignored.
fn unquote(text: &[u8]) -> Vec<u8> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return text.to_vec();
    };
    let mut name = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(b'a') => name.push(7),
                Some(b'b') => name.push(8),
                Some(b't') => name.push(b'\t'),
                Some(b'n') => name.push(b'\n'),
                Some(b'v') => name.push(11),
                Some(b'f') => name.push(12),
                Some(b'r') => name.push(b'\r'),
                Some(digit @ b'0'..=b'3') => {
                    let low = |digit: Option<u8>| digit.unwrap_or(b'0').wrapping_sub(b'0') & 7;
                    let (middle, last) = (low(bytes.next()), low(bytes.next()));
                    name.push((digit - b'0') << 6 | middle << 3 | last);
                }
                Some(other) => name.push(other),
                None => break,
            },
            _ => name.push(byte),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unquoted_as_git_quotes_them() {
        let check = |text: &[u8], expected: &[u8]| assert_eq!(unquote(text), expected);
        check(b"plain name", b"plain name");
        check(br#""tab\there""#, b"tab\there");
        check(br#""new\nline \"q\" \\""#, b"new\nline \"q\" \\");
        check(br#""\303\274\377""#, b"\xc3\xbc\xff");
        check(br#""open"#, b"open");
        check(br#""\3"#, b"\xc0");
    }

    #[test]
    fn a_section_without_other_names_is_named_by_its_first_line() {
        let check = |names: &[u8], expected: Option<&[u8]>| {
            assert_eq!(same_name(names), expected.map(<[u8]>::to_vec));
        };
        check(b"a/x b/x", Some(b"x"));
        check(b"a/x b/y b/x b/y", Some(b"x b/y"));
        check(br#""a/\t" "b/\t""#, Some(b"\t"));
        check(b"a/x b/y", None);
        check(b"", None);
    }
}
