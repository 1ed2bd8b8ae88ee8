//! Values that a program puts together from pieces: `"ghp_ab" + "cd..."`, strings that a language joins by itself, and
//! lines that go on behind a backslash.
//!
//! The pieces are put together as the program would, with what stands before them on their line; what is found across a
//! border is masked in each piece. Pieces that stand in a list, or that have names of their own, are not put together.

use std::ops::Range;

/// What a border between two pieces begins with: the end of a literal and what joins it to the next, or the end of a line
/// that goes on.
pub(super) const BORDERS: [&str; 28] = [
    "\" +", "\"+", "' +", "'+", "` +", "`+", "\"\n", "'\n", "\"\r", "'\r", "\" \"", "' '", "\" \\", "' \\",
    "\"\\\n", "\\\n", "\\\r\n", "\" . ", "' . ", "\".\"", "'.'", "\" ..", "' ..", "\" &", "\" <>", "\" ||",
    "' ||", "'||",
];

/// Fewest bytes that the pieces have together; every rule asks for more, but for passwords that stand in one piece.
const FEWEST: usize = 16;
/// Most pieces of a value.
const PIECES: usize = 64;
/// Most bytes of one piece.
const PIECE_BYTES: usize = 512;
/// Most bytes between two pieces: an operator, line ends and an indentation.
const BETWEEN: usize = 120;
/// Bytes before the first piece that may name the value.
const CONTEXT: usize = 96;

/// Pieces put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// What stands before the first piece, the pieces, and the byte behind the last.
    pub(super) text: String,
    /// Where each piece lies in `text`, and where it begins in the text it was taken from.
    pieces: Vec<(Range<usize>, usize)>,
    /// The byte behind the last piece, where it was taken from.
    pub(super) end: usize,
}

impl Joined {
    /// Puts together what lies on both sides of the border at `border`; nothing when these are no pieces of a value.
    pub(super) fn at(text: &str, border: usize) -> Option<Self> {
        let bytes = text.as_bytes();
        let first = run_before(bytes, border);
        if first.is_empty() {
            return None;
        }
        let mut found = vec![first.clone()];
        let mut at = border;
        while found.len() < PIECES
            && let Some(start) = next_piece(bytes, at)
        {
            let piece = run_from(bytes, start);
            if piece.is_empty() {
                break;
            }
            at = piece.end;
            found.push(piece);
        }
        if found.len() < 2 || found.iter().map(Range::len).sum::<usize>() < FEWEST {
            return None;
        }
        Some(Self::of(text, &found))
    }

    fn of(text: &str, found: &[Range<usize>]) -> Self {
        let first = found.first().map_or(0, |piece| piece.start);
        let end = found.last().map_or(0, |piece| piece.end);
        let line = text[..first].rfind('\n').map_or(0, |at| at + 1);
        let mut from = line.max(first.saturating_sub(CONTEXT));
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let mut joined = text[from..first].to_owned();
        let mut pieces = Vec::with_capacity(found.len());
        for piece in found {
            let start = joined.len();
            joined.push_str(&text[piece.clone()]);
            pieces.push((start..joined.len(), piece.start));
        }
        joined.extend(text[end..].chars().next());
        Self {
            text: joined,
            pieces,
            end,
        }
    }

    /// Returns where a range of the joined text lies in the original, if it spans a border.
    pub(super) fn places(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let places: Vec<Range<usize>> = self
            .pieces
            .iter()
            .filter(|(piece, _)| piece.start < range.end && range.start < piece.end)
            .map(|(piece, start)| {
                let from = range.start.max(piece.start) - piece.start;
                let to = range.end.min(piece.end) - piece.start;
                start + from..start + to
            })
            .collect();
        if places.len() < 2 { Vec::new() } else { places }
    }
}

/// Returns where the piece behind a border begins.
fn next_piece(bytes: &[u8], border: usize) -> Option<usize> {
    let mut at = border + 1;
    match *bytes.get(border)? {
        b'\\' => {
            if bytes.get(at) == Some(&b'\r') {
                at += 1;
            }
            if bytes.get(at) != Some(&b'\n') {
                return None;
            }
            at += 1;
            let indent = bytes[at..].iter().take(BETWEEN);
            Some(at + indent.take_while(|byte| matches!(byte, b' ' | b'\t')).count())
        }
        quote if is_quote(quote) => {
            let between = bytes[at..].iter().take(BETWEEN);
            at += between.take_while(|byte| is_between(**byte)).count();
            // An empty literal, and the end of one, is no border.
            (at > border + 1 && is_quote(*bytes.get(at)?)).then_some(at + 1)
        }
        _ => None,
    }
}

fn run_before(bytes: &[u8], end: usize) -> Range<usize> {
    let run = bytes[..end].iter().rev().take(PIECE_BYTES);
    end - run.take_while(|byte| is_piece(**byte)).count()..end
}

fn run_from(bytes: &[u8], start: usize) -> Range<usize> {
    let run = bytes[start..].iter().take(PIECE_BYTES);
    start..start + run.take_while(|byte| is_piece(**byte)).count()
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// Operators that put strings together, and the blanks and signs of a diff around them.
fn is_between(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'\\' | b'+' | b'-' | b'.' | b'&' | b'~' | b'<' | b'>' | b'|' | b'^'
    )
}

/// What a token is made of.
fn is_piece(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~' | b':')
}

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::body;
    use crate::redact::scan::Redactor;

    #[test]
    fn pieces_of_a_token_are_masked_however_they_are_joined() {
        let (start, middle, end) = (["gh", "p_", &body(9)].concat(), body(40), body(20));
        let check = |text: String| {
            let masked = Redactor::shared().mask(&text);
            for piece in [&start, &middle[..20], &middle[20..], &end] {
                assert!(!masked.text.contains(piece), "{text}\n{}", masked.text);
            }
            assert_eq!(masked.text.lines().count(), text.lines().count());
            assert_eq!(Redactor::shared().mask(&masked.text).text, masked.text);
        };
        for joint in [
            "\" + \"",
            "\"+\"",
            "\" +\n        \"",
            "\"\n        + \"",
            "\" +\n+        \"",
            "\"\n  \"",
            "\" \\\n  \"",
            "\" \"",
            "\" . \"",
            "\".\"",
            "\" .. \"",
            "\" & \"",
            "\" <> \"",
            "\" ++ \"",
            "\" || \"",
            "\\\n",
        ] {
            check(format!(
                "let t = \"{start}{joint}{}{joint}{}{joint}{end}\";",
                &middle[..20],
                &middle[20..]
            ));
        }
        check(format!(
            "t = '{start}' + '{}' + '{}' + '{end}'",
            &middle[..20],
            &middle[20..]
        ));
        // The border may lie inside of the telling letters.
        let text = format!("let t = \"g\" + \"hp_{middle}\";");
        assert!(!Redactor::shared().mask(&text).text.contains(&middle), "{text}");
        let text = format!("api_key = \"{}\" + \"{}\"", &middle[..12], &middle[20..32]);
        assert!(
            !Redactor::shared().mask(&text).text.contains(&middle[20..32]),
            "{text}"
        );
    }

    #[test]
    fn strings_that_are_no_token_together_are_kept() {
        let check = |text: &str| assert_eq!(Redactor::shared().mask(text).count, 0, "{text}");
        check("let t = \"gh\" + \"p_is the beginning of a token\";");
        check("print(\"one line of a text\"\n      \"and the next line of it\")");
        check("path = '/usr/local/share' + '/applications/with-a-long-name'");
        check("cc -o program main.c \\\n    -lfirst-library -lsecond-library");
        check(&format!("[\"gh\", \"p_{}\"]", body(36)));
    }

    #[test]
    fn characters_of_many_bytes_around_the_pieces_are_no_error() {
        let token = ["gh", "p_", &body(12)].concat();
        let padding = "漢".repeat(50);
        let text = format!("{padding}\"{token}\" + \"{}\"{padding}", body(30));
        let masked = Redactor::shared().mask(&text).text;
        assert!(
            !masked.contains(&body(30)) && masked.ends_with(&padding),
            "{masked}"
        );
    }
}
