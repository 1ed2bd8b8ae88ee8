//! Finds the id of a request that cannot be decoded, so that its caller gets an answer instead of waiting for ever.

use crate::mcp::bounds::ID_BYTES;

/// Finds the id in a line: its value as it was written, a JSON string or number.
pub(super) fn of_line(line: &[u8]) -> Option<&[u8]> {
    top_level(line).or_else(|| last_member(line))
}

/// Finds the id of a line of which only both ends are known.
///
/// The tail comes first: Claude Code and the TypeScript clients write the id last, and there nothing can be mistaken
/// for it, while a beginning may have been cut.
pub(super) fn of_ends<'a>(head: &'a [u8], tail: &'a [u8]) -> Option<&'a [u8]> {
    last_member(tail).or_else(|| top_level(head))
}

/// Walks an object from its beginning and returns the value of its own `id`, ignoring those of objects inside.
///
/// Works on broken lines too, as far as strings and brackets are in order before the id.
fn top_level(line: &[u8]) -> Option<&[u8]> {
    let mut depth = 0usize;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return None;
                }
            }
            b'"' => {
                let end = string_end(line, at)?;
                if depth == 1 && &line[at..end] == b"\"id\"" {
                    let colon = skip_blanks(line, end);
                    if line.get(colon) == Some(&b':') {
                        return value(line, skip_blanks(line, colon + 1)).map(|(value, _)| value);
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns the value of an `id` that is the last member of an object, or the last but `jsonrpc`, at the end of a line.
///
/// Exactly one bracket may follow: the id of an object inside is followed by more.
fn last_member(tail: &[u8]) -> Option<&[u8]> {
    let at = tail.windows(4).rposition(|window| window == b"\"id\"")?;
    let before = tail[..at].trim_ascii_end().last();
    if !matches!(before, Some(b',' | b'{')) {
        return None;
    }
    let colon = skip_blanks(tail, at + 4);
    if tail.get(colon) != Some(&b':') {
        return None;
    }
    let (value, end) = value(tail, skip_blanks(tail, colon + 1))?;
    let rest: Vec<u8> = tail[end..]
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    matches!(rest.as_slice(), b"}" | b",\"jsonrpc\":\"2.0\"}").then_some(value)
}

/// Reads a string or number at a place and returns it with its end.
fn value(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let end = match line.get(at)? {
        b'"' => string_end(line, at)?,
        b'-' | b'0'..=b'9' => {
            let length = line[at..]
                .iter()
                .take_while(|byte| b"+-.eE0123456789".contains(byte))
                .count();
            at + length
        }
        _ => return None,
    };
    let text = &line[at..end];
    let valid = text.len() <= ID_BYTES
        && (serde_json::from_slice::<serde_json::Number>(text).is_ok()
            || serde_json::from_slice::<String>(text).is_ok());
    valid.then_some((text, end))
}

/// Returns the place after the closing quote of the string that begins at a place.
fn string_end(line: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while line.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(id: Option<&[u8]>) -> Option<&str> {
        id.map(|id| std::str::from_utf8(id).unwrap())
    }

    #[test]
    fn the_id_of_the_request_is_found_and_no_other() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(shown(of_line(line.as_bytes())), expected, "{line}");
        };
        check(r#"{"id":7,"x":}"#, Some("7"));
        check(r#"{"x":1e400,"id":"a-b"}"#, Some("\"a-b\""));
        check(r#"{"x":{"id":1},"id" : 2 }"#, Some("2"));
        check(r#"{"params":{"id":1},"x":}"#, None);
        check(r#"{"params":{"arguments":{"id":"job"}}}"#, None);
        check(r#"{"id":18446744073709551616}"#, Some("18446744073709551616"));
        check(r#"{"id":1.5}"#, Some("1.5"));
        check(r#"{"id":null}"#, None);
        check(r#"{"id":true}"#, None);
        check(r#"{"id":{"a":1}}"#, None);
        check(r#"{"text":"\"id\":5","id":6}"#, Some("6"));
        check(r#"{"text":"an open string,"id":6}"#, Some("6"));
        check(r#"{"id":1}{"id":2}"#, Some("1"));
        check(r#"[{"id":1}]"#, None);
        check("42", None);
        check("", None);
        check("}", None);
        check(&format!(r#"{{"id":"{}"}}"#, "x".repeat(300)), None);
    }

    #[test]
    fn the_id_of_a_cut_line_is_found_at_either_end() {
        let check = |head: &str, tail: &str, expected: Option<&str>| {
            assert_eq!(
                shown(of_ends(head.as_bytes(), tail.as_bytes())),
                expected,
                "{head} ... {tail}"
            );
        };
        check(
            r#"{"method":"x","params":{"#,
            r#"xxx"}},"jsonrpc":"2.0","id":9}"#,
            Some("9"),
        );
        check(
            r#"{"method":"x","params":{"#,
            r#"xxx"}},"id":"q","jsonrpc":"2.0"}"#,
            Some("\"q\""),
        );
        check(
            r#"{"id":3,"method":"x","params":{"#,
            r#"xxx","id":4}}"#,
            Some("3"),
        );
        check(r#"{"id":3,"method":"x","params":{"#, r#"xxx"}}"#, Some("3"));
        check(r#"{"method":"x","params":{"#, r#"xxx","id":4}}"#, None);
        check(r#"{"method":"x","params":{"#, r#"x,\"id\":4}"#, None);
    }

    proptest! {
        #[test]
        fn a_found_id_is_always_a_json_value(line in any::<Vec<u8>>()) {
            if let Some(id) = of_line(&line).or(of_ends(&line, &line)) {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(id).is_ok());
            }
        }

        #[test]
        fn the_id_of_a_valid_request_is_found_wherever_it_stands(
            number in any::<i64>(),
            text in ".{0,30}",
            place in 0usize..3,
        ) {
            let mut members = vec![
                format!("\"params\":{{\"id\":\"inner\",\"t\":{}}}", serde_json::Value::from(text)),
                "\"method\":\"tools/call\"".to_owned(),
            ];
            members.insert(place, format!("\"id\":{number}"));
            let line = format!("{{{}}}", members.join(","));
            let expected = number.to_string();
            prop_assert_eq!(shown(of_line(line.as_bytes())), Some(expected.as_str()));
        }
    }
}
