//! A repository path as a relative reference.

use std::fmt::Write as _;

/// Returns a path as a relative URI reference below the repository's root; `None` for one that would lead out of it, or
/// nowhere: an absolute path, one with empty, `.` or `..` parts, and one of which something stands spelled out, so that no file has that name.
pub(super) fn relative(path: &str) -> Option<String> {
    let is_name = |part: &str| !matches!(part, "" | "." | "..");
    if !path.split('/').all(is_name) || path.contains("<0x") || path.contains("<U+") {
        return None;
    }
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            // A colon in the first part would make a scheme of it, and a backslash is a slash to some readers.
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    Some(uri)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_a_reference_below_the_root_or_none() {
        let check =
            |path: &str, expected: Option<&str>| assert_eq!(relative(path).as_deref(), expected, "{path}");
        check("src/lock.rs", Some("src/lock.rs"));
        check("new name (1).md", Some("new%20name%20%281%29.md"));
        check("javascript:alert(1)", Some("javascript%3Aalert%281%29"));
        check("a?b#c%20", Some("a%3Fb%23c%2520"));
        check("ü/漢", Some("%C3%BC/%E6%BC%A2"));
        check("a\\..\\b", Some("a%5C..%5Cb"));
        check("...", Some("..."));
        check("", None);
        check("/etc/passwd", None);
        check("../x", None);
        check("a/../../x", None);
        check("a//b", None);
        check("./a", None);
        check("a/<0xFF>", None);
        check("a<U+202E>", None);
    }

    proptest! {
        #[test]
        fn a_reference_stays_below_the_root_and_reads_back(path in "([a-z]|\\PC|[/.:?#%\\\\ @]){0,30}") {
            let Some(uri) = relative(&path) else { return Ok(()) };
            prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
            prop_assert!(!uri.starts_with('/'));
            prop_assert!(uri.split('/').all(|part| !matches!(part, "" | "." | "..")));
            let mut bytes = Vec::new();
            let mut rest = uri.as_bytes();
            while let [first, tail @ ..] = rest {
                if *first == b'%' {
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                    rest = &tail[2..];
                } else {
                    bytes.push(*first);
                    rest = tail;
                }
            }
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), path);
        }
    }
}
