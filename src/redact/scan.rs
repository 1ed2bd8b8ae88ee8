//! Finds secrets in a text and masks them.
//!
//! One pass over the text looks for the rules' keywords; a rule's pattern is compiled at its first keyword and tried only
//! around it. Every byte lies in at most one window of a rule, so the time is linear in the text.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;

use crate::redact::entropy::bits_per_byte;
use crate::redact::placeholder::{is_placeholder, is_wordy};
use crate::redact::rules::{self, Check, Rule};
use crate::redact::span::{self, Span};

/// Passes that mask values. One is enough for ordinary text; each further one looks at what the last one uncovered.
const VALUE_PASSES: usize = 8;
/// Passes that mask whole lines, for a text in which masking a value keeps uncovering another.
const LINE_PASSES: usize = 8;
/// How much a window grows when a match ends at its end.
const GROWTH: usize = 4;

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

/// The compiled rules. There is one for the whole program.
#[derive(Debug)]
pub struct Redactor {
    keywords: AhoCorasick,
    /// The rule of each keyword.
    owners: Vec<usize>,
    patterns: Vec<OnceLock<Regex>>,
}

impl Redactor {
    /// Returns the one redactor. The keyword automaton is built at the first call, patterns when they are needed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redactor> = OnceLock::new();
        SHARED.get_or_init(Self::build)
    }

    fn build() -> Self {
        let keywords: Vec<(usize, &str)> = rules::ALL
            .iter()
            .enumerate()
            .flat_map(|(index, rule)| rule.keywords.iter().map(move |keyword| (index, *keyword)))
            .collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(keywords.iter().map(|(_, keyword)| keyword))
            .expect("the keywords are few and short; a test builds them");
        Self {
            keywords: automaton,
            owners: keywords.into_iter().map(|(owner, _)| owner).collect(),
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
        let spans = self.find(text);
        if spans.is_empty() {
            return None;
        }
        let mut masked = Masked::default();
        masked.apply(text, &spans);
        for pass in 1..VALUE_PASSES + LINE_PASSES {
            let spans = self.find(&masked.text);
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

    fn find(&self, text: &str) -> Vec<Span> {
        let mut windows: Vec<Vec<Range<usize>>> = Vec::new();
        for hit in self.keywords.find_overlapping_iter(text) {
            let owner = self.owners[hit.pattern().as_usize()];
            let rule = &rules::ALL[owner];
            if !rule.gate.admits(text.as_bytes(), hit.start(), hit.end()) {
                continue;
            }
            if windows.is_empty() {
                windows.resize(rules::ALL.len(), Vec::new());
            }
            let window = hit.start().saturating_sub(rule.before)..(hit.end() + rule.after).min(text.len());
            match windows[owner].last_mut() {
                Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
                _ => windows[owner].push(window),
            }
        }
        let mut spans = Vec::new();
        for (index, windows) in windows.iter().enumerate() {
            self.search(text, index, windows, &mut spans);
        }
        if spans.is_empty() {
            spans
        } else {
            span::settle(text, spans)
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
                if is_secret(rule, value.as_str()) {
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

fn is_secret(rule: &Rule, value: &str) -> bool {
    let random = rule.min_entropy.is_none_or(|bits| bits_per_byte(value) >= bits);
    let real = match rule.check {
        Check::Shape => true,
        Check::NotExample => !is_placeholder(value),
        Check::NotWords => !is_placeholder(value) && !is_wordy(value),
    };
    random && real
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
