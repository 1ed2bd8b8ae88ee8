//! Text of others inside a page: the only way by which a word of a model or of a repository gets into HTML.

use std::fmt::Write as _;

use crate::domain::count::counted;
use crate::domain::visible::make_visible;

/// Appends a text so that it is nothing but text, between tags and inside a quoted attribute; what is invisible is
/// spelled out first.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    for character in make_visible(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A page is UTF-8 with line feeds; the other half of a line end would be normalised away unseen.
            '\r' => {}
            other => out.push(other),
        }
    }
}

/// Appends at most `chars` characters of a text, escaped, and says how many are left out.
pub(super) fn push_cut(out: &mut String, text: &str, chars: usize) {
    let (head, rest) = cut(text, chars);
    push_escaped(out, head);
    if rest > 0 {
        let _ = write!(
            out,
            "<small class=\"cut\">… {} left out</small>",
            counted(rest, "character")
        );
    }
}

/// Returns at most `chars` characters of a text and how many more it has.
pub(super) fn cut(text: &str, chars: usize) -> (&str, usize) {
    match text.char_indices().nth(chars) {
        Some((at, _)) => (&text[..at], text[at..].chars().count()),
        None => (text, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::visible::is_invisible;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        push_escaped(&mut out, text);
        out
    }

    /// Reads a text back as a browser does.
    fn read(text: &str) -> String {
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"");
        text.replace("&#39;", "'").replace("&amp;", "&")
    }

    #[test]
    fn a_text_is_nothing_but_text() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text), expected);
        check(
            "a < b && c > \"d\" 'e'",
            "a &lt; b &amp;&amp; c &gt; &quot;d&quot; &#39;e&#39;",
        );
        check(
            "<script>alert(1)</script>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
        );
        check("&lt;", "&amp;lt;");
        check("a\u{202e}b\0", "a&lt;U+202E&gt;b&lt;U+0000&gt;");
        check("a\r\nb", "a\nb");
    }

    #[test]
    fn what_is_cut_is_counted() {
        let check = |text: &str, chars, expected: &str| {
            let mut out = String::new();
            push_cut(&mut out, text, chars);
            assert_eq!(out, expected);
        };
        check("abc", 3, "abc");
        check(
            "äbcd",
            3,
            "äbc<small class=\"cut\">… 1 character left out</small>",
        );
        check("", 0, "");
    }

    proptest! {
        #[test]
        fn nothing_of_a_text_is_markup_and_nothing_is_lost(text in "(\\PC|\\p{C}|[<>&\"'`=\r\n]|<!--|</|&#){0,60}") {
            let out = escaped(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'', '\r']));
            prop_assert!(!out.contains(|c| c != '\n' && c != '\t' && is_invisible(c)));
            for (at, _) in out.match_indices('&') {
                let entity = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
                prop_assert!(entity.iter().any(|entity| out[at..].starts_with(entity)), "{}", out);
            }
            prop_assert_eq!(read(&out), make_visible(&text).replace("\r\n", "\n"));
        }
    }
}
