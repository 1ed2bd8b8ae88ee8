//! Finds secrets in a text and masks them.
//!
//! One pass over the text looks for the rules' keywords; a rule's pattern is compiled at its first keyword and tried only
//! around it. Every byte lies in at most one window of a rule, so the time is linear in the text.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use regex::Regex;

use crate::redact::base64;
use crate::redact::entropy::bits_per_byte;
use crate::redact::joined::{BORDERS, Joined};
use crate::redact::keywords::Keywords;
use crate::redact::placeholder::{is_placeholder, is_wordy};
use crate::redact::rules::{self, Check, Rule};
use crate::redact::seen::Seen;
use crate::redact::span::{self, Span};

/// Passes that mask values. One is enough for ordinary text; each further one looks at what the last one uncovered.
const VALUE_PASSES: usize = 8;
/// Passes that mask whole lines, for a text in which masking a value keeps uncovering another.
const LINE_PASSES: usize = 8;
/// Bytes of a text whose keywords are collected at once, so that a text made of keywords costs little memory.
const BLOCK: usize = 1024 * 1024;
/// How much a window grows when a match ends at its end.
const GROWTH: usize = 4;

/// Most bytes of a wrapped text before the letters that tell of it.
const WRAPPED_BYTES: usize = 16 * 1024;

/// Least length of a value that counts as hexadecimal; a word such as `deadbeef` is shorter.
const HEX_LENGTH: usize = 32;
/// Least entropy of a hexadecimal value: its 16 digits allow 4 bits at most, and 32 random ones have over 3.
const HEX_BITS: f64 = 3.0;

/// A text without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masked {
    /// The text with `[REDACTED:rule]` in place of every value, on as many lines as before.
    pub text: String,
    /// How many values were masked.
    pub count: u32,
    /// The rules that found them.
    pub rules: BTreeSet<&'static str>,
}

/// What is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Also what pieces amount to and what is wrapped.
    Deep,
    /// The text as it stands: what was put together or unwrapped is not looked into again.
    Plain,
}

/// The compiled rules. There is one for the whole program.
#[derive(Debug)]
pub struct Redactor {
    keywords: Keywords,
    patterns: Vec<OnceLock<Regex>>,
}

impl Redactor {
    /// Returns the one redactor. The keyword automaton is built at the first call, patterns when they are needed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redactor> = OnceLock::new();
        SHARED.get_or_init(Self::build)
    }

    fn build() -> Self {
        let keywords = rules::ALL
            .iter()
            .enumerate()
            .flat_map(|(index, rule)| rule.keywords.iter().map(move |keyword| (index, *keyword)));
        // Behind the last rule: borders of pieces belong to none.
        let borders = BORDERS.iter().map(|border| (rules::ALL.len(), *border));
        Self {
            keywords: Keywords::build(keywords.chain(borders)),
            patterns: rules::ALL.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Masks every secret of a text. Masking the result again changes nothing.
    pub fn mask(&self, text: &str) -> Masked {
        self.mask_found(text).unwrap_or_else(|| Masked {
            text: text.to_owned(),
            ..Masked::default()
        })
    }

    /// As [`Self::mask`], but returns nothing, and copies nothing, when there is nothing to mask.
    pub fn mask_found(&self, text: &str) -> Option<Masked> {
        let spans = self.find(text, Look::Deep);
        if spans.is_empty() {
            return None;
        }
        let mut masked = Masked::default();
        masked.apply(text, &spans);
        for pass in 1..VALUE_PASSES + LINE_PASSES {
            let spans = self.find(&masked.text, Look::Deep);
            if spans.is_empty() {
                return Some(masked);
            }
            let before = std::mem::take(&mut masked.text);
            if pass < VALUE_PASSES {
                masked.apply(&before, &spans);
            } else {
                masked.apply(&before, &span::widen_to_lines(&before, spans));
            }
        }
        // No text is known that gets here; if there is one, showing none of it is the safe end.
        let before = std::mem::take(&mut masked.text);
        let whole = Span {
            range: 0..before.len(),
            rule: rules::ALL.len() - 1,
        };
        masked.apply(&before, &[whole]);
        Some(masked)
    }

    /// Returns where the secrets of a text lie, in order and apart.
    pub(super) fn places(&self, text: &str) -> Vec<Range<usize>> {
        let spans = self.find(text, Look::Deep);
        spans.into_iter().map(|span| span.range).collect()
    }

    fn find(&self, text: &str, look: Look) -> Vec<Span> {
        let mut windows: Vec<Vec<Range<usize>>> = Vec::new();
        let mut borders = Vec::new();
        let blocks = (0..text.len())
            .step_by(BLOCK)
            .map(|start| start..text.len().min(start + BLOCK));
        for hit in blocks.flat_map(|block| self.keywords.find(text.as_bytes(), block)) {
            let Some(rule) = rules::ALL.get(hit.owner) else {
                if look == Look::Deep {
                    borders.push(hit.start);
                }
                continue;
            };
            if !rule.gate.admits(text.as_bytes(), hit.start, hit.end) {
                continue;
            }
            let mut before = rule.before;
            if rule.check == Check::Wrapped {
                if look == Look::Plain {
                    continue;
                }
                before = run_before(text.as_bytes(), hit.start);
            }
            if windows.is_empty() {
                windows.resize(rules::ALL.len(), Vec::new());
            }
            let window = hit.start.saturating_sub(before)..(hit.end + rule.after).min(text.len());
            match windows[hit.owner].last_mut() {
                Some(last) if window.start <= last.end => {
                    *last = last.start.min(window.start)..last.end.max(window.end);
                }
                _ => windows[hit.owner].push(window),
            }
        }
        let mut spans = Vec::new();
        for (index, windows) in windows.iter().enumerate() {
            self.search(text, index, windows, &mut spans);
        }
        if look == Look::Deep {
            self.search_pieces(text, borders, &mut spans);
            self.search_behind(text, &mut spans);
        }
        if spans.is_empty() {
            spans
        } else {
            span::settle(text, spans)
        }
    }

    /// Looks into what the pieces around the borders amount to.
    fn search_pieces(&self, text: &str, mut borders: Vec<usize>, spans: &mut Vec<Span>) {
        borders.sort_unstable();
        let mut done = 0;
        for border in borders {
            if border < done {
                continue;
            }
            let Some(joined) = Joined::at(text, border) else {
                continue;
            };
            done = joined.end;
            for Span { range, rule } in self.find(&joined.text, Look::Plain) {
                let places = joined.places(&range).into_iter();
                spans.extend(places.map(|range| Span { range, rule }));
            }
        }
    }

    /// Looks at a text as a person sees it: a character that shows nothing divides a secret for a rule and for nobody else.
    fn search_behind(&self, text: &str, spans: &mut Vec<Span>) {
        let Some(seen) = Seen::of(text) else { return };
        for Span { range, rule } in self.find(seen.text(), Look::Plain) {
            spans.extend(seen.place(&range).map(|range| Span { range, rule }));
        }
    }

    fn search(&self, text: &str, index: usize, windows: &[Range<usize>], spans: &mut Vec<Span>) {
        let rule = &rules::ALL[index];
        let mut at = 0;
        for window in windows {
            let start = floor_char(text, window.start);
            let mut end = ceil_char(text, window.end);
            at = at.max(start);
            while at < end {
                let pattern = self.pattern(index);
                let Some(captures) = pattern.captures_at(&text[..end], at) else {
                    break;
                };
                let (Some(found), Some(value)) = (captures.get(0), captures.get(rule.group)) else {
                    break;
                };
                if found.end() == end && end < text.len() {
                    // The window may have cut the match short.
                    end = ceil_char(text, text.len().min(end + (end - start) * (GROWTH - 1)));
                    at = found.start();
                    continue;
                }
                if self.is_secret(rule, value.as_str()) {
                    spans.push(Span {
                        range: value.range(),
                        rule: index,
                    });
                }
                at = found.end().max(at + 1);
                at = ceil_char(text, at);
            }
        }
    }

    fn is_secret(&self, rule: &Rule, value: &str) -> bool {
        let least = match rule.check {
            Check::NotWords if is_long_hex(value) => HEX_BITS,
            Check::Shape | Check::NotExample | Check::NotWords | Check::Wrapped => rule.min_entropy,
        };
        if bits_per_byte(value) < least {
            return false;
        }
        match rule.check {
            Check::Shape => true,
            Check::NotExample => !is_placeholder(value),
            Check::NotWords => !is_placeholder(value) && !is_wordy(value),
            Check::Wrapped => {
                let unwrapped = base64::decode(value);
                !self
                    .find(&String::from_utf8_lossy(&unwrapped), Look::Plain)
                    .is_empty()
            }
        }
    }

    fn pattern(&self, index: usize) -> &Regex {
        self.patterns[index].get_or_init(|| {
            Regex::new(rules::ALL[index].pattern)
                .expect("the patterns are constants; a test compiles them all")
        })
    }
}

impl Masked {
    fn apply(&mut self, text: &str, spans: &[Span]) {
        self.text = span::replace(text, spans);
        self.count = self
            .count
            .saturating_add(u32::try_from(spans.len()).unwrap_or(u32::MAX));
        self.rules
            .extend(spans.iter().map(|span| rules::ALL[span.rule].name));
    }
}

/// Counts the letters of base64 before a place: where they begin, their groups begin.
fn run_before(text: &[u8], end: usize) -> usize {
    let run = text[..end].iter().rev().take(WRAPPED_BYTES);
    run.take_while(|byte| base64::is_letter(**byte)).count()
}

fn is_long_hex(value: &str) -> bool {
    let value = value.strip_prefix("0x").unwrap_or(value);
    value.len() >= HEX_LENGTH && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn floor_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::redact::rules::examples::{base32, body, hex};

    fn mask(text: &str) -> Masked {
        Redactor::shared().mask(text)
    }

    fn token() -> String {
        ["gh", "p_", &body(36)].concat()
    }

    #[test]
    fn each_occurrence_is_masked_and_counted() {
        let text = format!("a {0}\nb {0} {0}\n", token());
        let masked = mask(&text);
        let expected = "a [REDACTED:github-token]\nb [REDACTED:github-token] [REDACTED:github-token]\n";
        assert_eq!((masked.text.as_str(), masked.count), (expected, 3));
        assert_eq!(masked.rules, BTreeSet::from(["github-token"]));
    }

    #[test]
    fn a_text_without_secrets_is_not_copied() {
        assert_eq!(Redactor::shared().mask_found("fn main() {}"), None);
        assert_eq!(mask("fn main() {}").text, "fn main() {}");
        assert_eq!(mask("").text, "");
    }

    #[test]
    fn a_secret_longer_than_its_window_is_masked_whole() {
        let text = format!("<{}{}{}>", ["ya", "29."].concat(), body(100), body(9_000));
        assert_eq!(mask(&text).text, "<[REDACTED:google-oauth]>");
        let text = [
            "ey",
            "J",
            &body(20),
            ".ey",
            "J",
            &body(6_000),
            ".",
            &body(9_000),
            " end",
        ]
        .concat();
        assert_eq!(mask(&text).text, "[REDACTED:jwt] end");
    }

    #[test]
    fn a_secret_between_characters_of_many_bytes_is_cut_at_their_borders() {
        let text = format!("漢字 {} 漢字é", token());
        assert_eq!(mask(&text).text, "漢字 [REDACTED:github-token] 漢字é");
        let padding = "漢".repeat(700);
        let text = format!("{padding}{}{padding}", ["AK", "IA", &base32(16)].concat());
        assert_eq!(
            mask(&text).text,
            format!("{padding}[REDACTED:aws-access-key]{padding}")
        );
    }

    #[test]
    fn a_chain_of_tokens_leaves_none() {
        let key = ["AK", "IA", &base32(16)].concat();
        let text = format!("{key}-{key}-{key}");
        let masked = mask(&text);
        assert!(!masked.text.contains(&key), "{}", masked.text);
        let text = ["da", "pi", &hex(32), "-", "da", "pi", &hex(32)].concat();
        assert!(!mask(&text).text.contains(&hex(32)));
    }

    #[test]
    fn what_looks_like_a_marker_hides_nothing() {
        let text = format!("[REDACTED:{}]", token());
        assert!(!mask(&text).text.contains(&token()));
        assert_eq!(mask("[REDACTED:github-token]").count, 0);
        let text = format!("password: \"[REDACTED:jwt]{}\"", body(30));
        let once = mask(&text);
        assert_eq!(mask(&once.text).text, once.text);
    }

    #[test]
    fn our_own_sources_hold_no_secret() {
        fn check(folder: &Path, bytes: &mut usize) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    check(&path, bytes);
                } else {
                    let text = fs::read_to_string(&path).unwrap();
                    *bytes += text.len();
                    let found = Redactor::shared().mask_found(&text).map(|masked| masked.rules);
                    assert_eq!(found, None, "{}", path.display());
                }
            }
        }
        let mut bytes = 0;
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut bytes);
        assert!(bytes > 100_000, "only {bytes} bytes were looked at");
    }

    /// Pieces from which texts with secrets, halves of secrets and markers come.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(token()),
            Just(["sk-", "ant-", &body(30)].concat()),
            Just(["AK", "IA", &base32(16)].concat()),
            Just(["ey", "J", &body(12), ".ey", "J", &body(12), ".", &body(20)].concat()),
            Just(["-----BEGIN ", "PRIVATE", " KEY-----\n"].concat()),
            Just(["-----END ", "PRIVATE", " KEY-----\n"].concat()),
            Just(body(64) + "\n"),
            Just(body(40)),
            Just("api_key = \"".to_owned()),
            Just("TOKEN=".to_owned()),
            Just("Authorization: Bearer ".to_owned()),
            Just("https://me:".to_owned()),
            Just("@host/".to_owned()),
            Just("[REDACTED:jwt]".to_owned()),
            Just("[REDACTED:".to_owned()),
            Just("discord ".to_owned()),
            "[\"' \\n+-]{1,3}",
            "\\PC{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn masking_twice_is_masking_once(pieces in proptest::collection::vec(piece(), 0..14)) {
            let text = pieces.concat();
            let once = mask(&text);
            let twice = mask(&once.text);
            prop_assert_eq!(&twice.text, &once.text);
            prop_assert_eq!(twice.count, 0);
            prop_assert_eq!(once.text.split('\n').count(), text.split('\n').count());
            prop_assert_eq!(once.count > 0, once.text != text);
            prop_assert_eq!(once.count > 0, !once.rules.is_empty());
        }

        #[test]
        fn no_token_survives_next_to_anything(before in "[^A-Za-z0-9_]{0,6}", after in "[^A-Za-z0-9_]{0,6}") {
            let masked = mask(&format!("{before}{}{after}", token()));
            prop_assert!(!masked.text.contains(&token()));
        }
    }
}
