//! A text for a terminal: lines, indents, wrapping and colour.

use crate::diff::text::push_shown;

/// How a piece of text looks. Colour never carries meaning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// Names and labels.
    Bold,
    /// What matters less.
    Dim,
    /// Errors and what must be changed.
    Red,
    /// Warnings and what should be looked at.
    Yellow,
    /// What is well.
    Green,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Red => Some("1;31"),
            Self::Yellow => Some("33"),
            Self::Green => Some("32"),
        }
    }
}

/// A text that grows line by line. What is written to it is neutralised first.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
    colour: bool,
}

impl Page {
    /// Makes an empty page of so many columns.
    pub(crate) fn new(width: usize, colour: bool) -> Self {
        Self {
            text: String::new(),
            width,
            colour,
        }
    }

    /// Returns the text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns the columns of a line.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Ends a paragraph. Two in a row, and one at the beginning, are none.
    pub(crate) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: &str) {
        self.parts(&[(Style::Plain, text)]);
    }

    /// Writes one line in a style.
    pub(crate) fn styled(&mut self, style: Style, text: &str) {
        self.parts(&[(style, text)]);
    }

    /// Writes one line of several styles.
    pub(crate) fn parts(&mut self, parts: &[(Style, &str)]) {
        for (style, text) in parts {
            self.push(*style, &one_line(text));
        }
        self.end_line();
    }

    /// Writes a text of several lines as it is, each behind an indent. Lines are not wrapped: they may be code.
    pub(crate) fn block(&mut self, indent: &str, text: &str) {
        for line in text.trim_end().split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            self.text.push_str(indent);
            push_shown(&mut self.text, line.as_bytes());
            self.end_line();
        }
    }

    /// Writes a text that is wrapped.
    pub(crate) fn wrapped(&mut self, style: Style, text: &str) {
        self.indented("", "", style, text);
    }

    /// Writes a label and a text that is wrapped beside it.
    pub(crate) fn labelled(&mut self, label: &str, style: Style, text: &str) {
        self.indented("", label, style, text);
    }

    /// Writes an indent, a label and a text that is wrapped beside it.
    pub(crate) fn indented(&mut self, indent: &str, label: &str, style: Style, text: &str) {
        let label_width = label.chars().count();
        let hang = indent.chars().count() + label_width + usize::from(label_width > 0);
        let room = self.width.saturating_sub(hang).max(20);
        for (at, line) in wrap(&one_line(text), room).iter().enumerate() {
            if at == 0 && label_width > 0 {
                self.text.push_str(indent);
                self.push(style, &one_line(label));
                self.text.push(' ');
            } else {
                self.text.push_str(&" ".repeat(hang));
            }
            // Without a label the style is the text's own.
            self.push(if label_width == 0 { style } else { Style::Plain }, line);
            self.end_line();
        }
    }

    fn push(&mut self, style: Style, shown: &str) {
        match style.code().filter(|_| self.colour && !shown.is_empty()) {
            Some(code) => {
                self.text.push_str("\u{1b}[");
                self.text.push_str(code);
                self.text.push('m');
                self.text.push_str(shown);
                self.text.push_str("\u{1b}[0m");
            }
            None => self.text.push_str(shown),
        }
    }

    /// Ends a line without the spaces that a last empty column leaves.
    fn end_line(&mut self) {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
    }
}

/// Returns a text as one line that hides nothing.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (at, part) in text.trim_end_matches(['\r', '\n']).lines().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        push_shown(&mut line, part.as_bytes());
    }
    line
}

/// Breaks a line between words so that each piece has at most `room` characters; a longer word stands alone.
///
/// Characters are counted, not columns: a line of wide characters may be too long, and that is all.
pub(crate) fn wrap(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push(String::new());
            used = 0;
        }
        if let Some(last) = lines.last_mut() {
            if used > 0 {
                last.push(' ');
                used += 1;
            }
            last.push_str(word);
        }
        used += length;
    }
    lines
}

/// Cuts a text to so many characters, with a sign that something is missing.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(page: &Page) -> &str {
        std::str::from_utf8(page.as_bytes()).unwrap()
    }

    #[test]
    fn a_models_words_cannot_steer_the_terminal() {
        let mut page = Page::new(80, true);
        page.parts(&[(Style::Red, "a\u{1b}[2Jb"), (Style::Plain, "\nc\r")]);
        page.block("  ", "x\u{1b}]0;title\u{7}\r\n\ty\u{202e}z\n\n");
        page.labelled("hint:", Style::Plain, "one\u{8}two\nthree");
        assert_eq!(
            text(&page),
            "\u{1b}[1;31ma<U+001B>[2Jb\u{1b}[0m c\n  x<U+001B>]0;title<U+0007>\n  \ty<U+202E>z\nhint: one<U+0008>two three\n"
        );
    }

    #[test]
    fn text_is_wrapped_beside_its_label() {
        let mut page = Page::new(40, false);
        page.indented(
            "    ",
            "risk:",
            Style::Bold,
            "the second reader waits for the first one for ever",
        );
        assert_eq!(
            text(&page),
            "    risk: the second reader waits for\n          the first one for ever\n"
        );
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("too long", 5), "too…");
    }

    proptest! {
        #[test]
        fn nothing_printed_holds_a_control_character(words in "\\PC*|.*", blocks in any::<String>()) {
            let mut page = Page::new(60, false);
            page.line(&words);
            page.labelled(&words, Style::Bold, &blocks);
            page.block(" ", &blocks);
            prop_assert!(text(&page).chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        }

        #[test]
        fn wrapping_loses_no_word(line in "[a-z]{1,9}( [a-z]{1,9}){0,20}", room in 1usize..30) {
            let lines = wrap(&line, room);
            prop_assert_eq!(lines.join(" "), line);
            prop_assert!(lines.iter().all(|l| l.chars().count() <= room || !l.contains(' ')));
        }
    }
}
