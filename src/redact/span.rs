//! Places in a text that are to be masked, and the masking itself.

use std::ops::Range;

use crate::redact::rules;

/// Opens a marker; the rule's name and `]` follow.
const OPEN: &str = "[REDACTED:";

/// A place to mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Bytes of the text, on character borders.
    pub(super) range: Range<usize>,
    /// Index of the rule that found it. A lower index is a more specific rule.
    pub(super) rule: usize,
}

/// Sorts spans, joins those that overlap and leaves out what is a marker already.
pub(super) fn settle(text: &str, mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.range.start, span.rule));
    let markers = markers(text);
    let mut settled: Vec<Span> = Vec::with_capacity(spans.len());
    for mut span in spans {
        // Spans come by their start, so every marker that ends before this one ends before all later ones.
        let first = markers.partition_point(|marker| marker.end <= span.range.start);
        let covered: Vec<&Range<usize>> = markers[first..]
            .iter()
            .take_while(|marker| marker.start < span.range.end)
            .collect();
        if is_only_markers(text, &span.range, &covered) {
            continue;
        }
        if let (Some(first), Some(last)) = (covered.first(), covered.last()) {
            span.range = span.range.start.min(first.start)..span.range.end.max(last.end);
        }
        match settled.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                last.range.end = last.range.end.max(span.range.end);
                last.rule = last.rule.min(span.rule);
            }
            _ => settled.push(span),
        }
    }
    settled
}

/// Widens every span to the whole lines it touches. `spans` are sorted and apart.
pub(super) fn widen_to_lines(text: &str, spans: Vec<Span>) -> Vec<Span> {
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |length| at + length);
    let mut lines: Vec<Span> = Vec::new();
    for Span { range, rule } in spans {
        match lines.last_mut() {
            Some(last) if range.end <= last.range.end => {}
            Some(last) if range.start < last.range.end => last.range.end = line_end(range.end),
            _ => {
                let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
                let range = start..line_end(range.end);
                lines.push(Span { range, rule });
            }
        }
    }
    lines
}

/// Writes the text with a marker in place of every span. `spans` are sorted and apart.
pub(super) fn replace(text: &str, spans: &[Span]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        masked.push_str(&text[at..span.range.start]);
        push_marked(&mut masked, &text[span.range.clone()], rules::ALL[span.rule].name);
        at = span.range.end;
    }
    masked.push_str(&text[at..]);
    masked
}

/// A value on several lines becomes a marker on each, behind the indentation and diff sign that the line begins with.
fn push_marked(masked: &mut String, value: &str, rule: &str) {
    for (index, line) in value.split('\n').enumerate() {
        let mut rest = line;
        if index > 0 {
            masked.push('\n');
            let bare = line.trim_start_matches([' ', '\t']);
            let bare = bare.strip_prefix(['+', '-']).unwrap_or(bare);
            masked.push_str(&line[..line.len() - bare.len()]);
            rest = bare;
        }
        let body = rest.trim_end_matches('\r');
        if !body.trim().is_empty() && !is_marker(body) {
            masked.push_str(OPEN);
            masked.push_str(rule);
            masked.push(']');
        } else {
            masked.push_str(body);
        }
        masked.push_str(&rest[body.len()..]);
    }
}

fn is_only_markers(text: &str, range: &Range<usize>, markers: &[&Range<usize>]) -> bool {
    let mut at = range.start;
    for marker in markers {
        if marker.start > at && !text[at..marker.start].trim().is_empty() {
            return false;
        }
        at = at.max(marker.end);
    }
    at >= range.end || (!markers.is_empty() && text[at..range.end].trim().is_empty())
}

fn is_marker(text: &str) -> bool {
    markers(text)
        .first()
        .is_some_and(|marker| *marker == (0..text.len()))
}

/// Finds the markers of a text. Only names of our rules count, so nothing can hide behind the look of a marker.
fn markers(text: &str) -> Vec<Range<usize>> {
    text.match_indices(OPEN)
        .filter_map(|(start, _)| {
            let rest = &text[start + OPEN.len()..];
            let name = rules::names()
                .find(|name| rest.strip_prefix(name).is_some_and(|end| end.starts_with(']')))?;
            Some(start..start + OPEN.len() + name.len() + 1)
        })
        .collect()
}
