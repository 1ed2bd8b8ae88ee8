//! A report as Markdown, for a comment on a pull request.
//!
//! Whatever a model or a repository wrote is one inline run or a fenced block, and stays text: no HTML, no heading, no
//! picture. A word that the reader's program would turn into a link, a mention, an emoji or a formula is set as code, where
//! nothing is turned into anything; no hidden character is put in to break it.

use std::fmt::Write as _;

use crate::domain::count::counted;
use crate::domain::finding::Finding;
use crate::domain::time::spoken as duration;
use crate::domain::visible::make_visible;
use crate::report::escape::cut;
use crate::report::review::ReviewReport;
use crate::report::words::{
    Earlier, about_place, examination, examined, masked, place, reviewed_before, reviewer, set_aside, since,
    spoken,
};

/// Characters of a whole report. GitHub takes a comment of 65,536.
pub const CHARS: usize = 60_000;
/// Characters kept for what stands behind the findings.
const TAIL_CHARS: usize = 12_000;
/// Characters kept for the sentence about findings that are left out.
const LEFT_OUT_CHARS: usize = 100;
/// Characters of one text of a finding.
const TEXT_CHARS: usize = 4000;
/// Characters of one name.
const NAME_CHARS: usize = 500;
/// Lines of quoted code.
const EVIDENCE_LINES: usize = 20;
/// Entries of one list.
const LISTED: usize = 20;
/// Hexadecimal digits that GitHub takes for a commit.
const COMMIT_CHARS: usize = 7;

/// Writes a report.
pub fn write(report: &ReviewReport) -> String {
    let answer = &report.answer;
    let mut out = String::new();
    let _ = writeln!(out, "## Crosscheck: {}\n", spoken(&answer.verdict));
    let _ = writeln!(out, "{}\n", examined(&answer.coverage));
    let _ = writeln!(out, "{}\n", inline(&report.summary, TEXT_CHARS));
    if !answer.overview.trim().is_empty() {
        let _ = writeln!(out, "{}\n", inline(&answer.overview, TEXT_CHARS));
    }
    let tail = tail(report);
    let room = CHARS - LEFT_OUT_CHARS - tail.chars().count();
    let mut used = out.chars().count();
    let earlier = Earlier::of(report);
    let findings = report.by_severity();
    let mut left = findings.len();
    for finding in findings {
        let block = self::finding(finding, &earlier);
        let chars = block.chars().count();
        if used + chars > room {
            break;
        }
        used += chars;
        left -= 1;
        out.push_str(&block);
    }
    if left > 0 {
        let _ = writeln!(
            out,
            "_{} left out here for want of room; the mildest._\n",
            counted(left, "finding")
        );
    }
    out.push_str(&tail);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn finding(finding: &Finding, earlier: &Earlier<'_>) -> String {
    let mut out = String::new();
    let title = inline(&finding.title, NAME_CHARS);
    let _ = writeln!(out, "### {} · {title}\n", finding.severity.as_str());
    let mut about = about_place(finding)
        .iter()
        .map(|about| (*about).to_owned())
        .collect::<Vec<_>>();
    about.push(finding.support());
    about.extend(earlier.standing(finding).map(str::to_owned));
    about.push(format!("id {}", code(&finding.id, NAME_CHARS)));
    let _ = writeln!(
        out,
        "{} ({})\n",
        code(&place(finding), NAME_CHARS),
        about.join(", ")
    );
    if !finding.evidence.trim().is_empty() {
        out.push_str(&fenced(&finding.evidence));
    }
    for (name, text) in [("Risk", &finding.risk), ("Fix", &finding.recommendation)] {
        if !text.trim().is_empty() {
            let _ = writeln!(out, "**{name}:** {}\n", inline(text, TEXT_CHARS));
        }
    }
    out
}

/// What stands behind the findings, within its bound.
fn tail(report: &ReviewReport) -> String {
    let answer = &report.answer;
    let coverage = &answer.coverage;
    let mut lines: Vec<String> = Vec::new();
    let mut list = |title: &str, items: Vec<String>, more: usize| {
        if items.is_empty() && more == 0 {
            return;
        }
        lines.push(format!("**{title}**\n"));
        let more = more + items.len().saturating_sub(LISTED);
        lines.extend(items.into_iter().take(LISTED).map(|item| format!("- {item}")));
        if more > 0 {
            lines.push(format!("- and {more} more"));
        }
        lines.push(String::new());
    };
    let omitted = coverage.omitted.iter();
    let omitted = omitted.map(|omission| {
        format!(
            "{}: {}",
            code(&omission.path, NAME_CHARS),
            spoken(&omission.reason)
        )
    });
    list("Not reviewed", omitted.collect(), coverage.omitted_more as usize);
    for (title, items) in since(report).into_iter().chain(set_aside(report)) {
        list(
            title,
            items.iter().map(|item| inline(item, NAME_CHARS)).collect(),
            0,
        );
    }
    let texts = |texts: &[String]| texts.iter().map(|text| inline(text, NAME_CHARS)).collect();
    let refuted = answer.refuted.iter().map(|refuted| {
        let (finding, reason) = (&refuted.finding, inline(&refuted.reason, NAME_CHARS));
        let title = inline(&finding.title, NAME_CHARS);
        format!("{} {title}: {reason}", code(&place(finding), NAME_CHARS))
    });
    list("Refuted when they were verified", refuted.collect(), 0);
    list("Questions", texts(&answer.questions), 0);
    list("Taken for granted", texts(&answer.assumptions), 0);
    let mut facts: Vec<String> = reviewed_before(coverage)
        .into_iter()
        .chain(masked(coverage))
        .collect();
    if let Some(reviewer) = reviewer(report) {
        facts.push(format!("Reviewed by {}.", inline(&reviewer, NAME_CHARS)));
    }
    facts.extend(examination(answer));
    if let Some(job) = &report.job {
        facts.push(format!(
            "Job {}, {}.",
            code(job.id.as_str(), NAME_CHARS),
            duration(job.elapsed_ms)
        ));
    }
    facts.push("Findings are a model's claims: read the code before you act on one.".to_owned());
    let facts = facts.join(" ");
    let mut out = String::new();
    let room = TAIL_CHARS - facts.chars().count().min(TAIL_CHARS);
    let mut used = 0;
    for line in lines {
        used += line.chars().count() + 1;
        if used > room {
            out.push_str("- and more\n\n");
            break;
        }
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str(&facts);
    out.push('\n');
    out
}

/// Writes a text of others as one run that is nothing but text, at most so many characters of it.
fn inline(text: &str, chars: usize) -> String {
    // Spelled out, a text is never shorter, so what is beyond the bound now is beyond it then.
    let (text, mut more) = cut(text, chars + 1);
    let text = make_visible(text);
    let mut out = String::new();
    let mut room = chars;
    for word in text.split_whitespace() {
        if room == 0 {
            more += 1;
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        let (head, rest) = cut(word, room);
        if is_active(head) {
            push_code(&mut out, head);
        } else {
            push_plain(&mut out, head);
        }
        room = room.saturating_sub(head.chars().count() + 1);
        more += rest;
    }
    if more > 0 {
        out.push('…');
    }
    out
}

/// Tells whether a program would make more of a word than text: a link, a mention, a reference, an emoji, a formula.
fn is_active(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let has = |what: &str| lower.contains(what);
    let is_commit = || {
        let runs = lower.split(|c: char| !c.is_ascii_hexdigit());
        runs.into_iter().any(|run| run.len() >= COMMIT_CHARS)
    };
    // The entity of a character is that character again when mentions are looked for.
    word.contains(['@', '#', '$', '&', '`', '\\'])
        || has("://")
        || has("www.")
        || has("mailto:")
        || has("xmpp:")
        || has("gh-")
        || lower.matches(':').count() > 1
        || is_commit()
}

/// Appends a word with every character escaped that could begin something inside a line.
fn push_plain(out: &mut String, word: &str) {
    for character in word.chars() {
        if matches!(
            character,
            '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '~' | '!'
        ) {
            out.push('\\');
        }
        out.push(character);
    }
}

/// Returns a text of one line as code.
fn code(text: &str, chars: usize) -> String {
    let text = make_visible(cut(text, chars + 1).0).replace(['\n', '\r', '\t'], " ");
    let (head, rest) = cut(&text, chars);
    let mut out = String::new();
    push_code(&mut out, head);
    if rest > 0 {
        out.push('…');
    }
    out
}

/// Appends a code span: its fence is longer than any run of backticks inside.
fn push_code(out: &mut String, text: &str) {
    let fence = "`".repeat(longest_run(text, '`') + 1);
    // The spaces are taken off again by the reader; without them a backtick at an end would join the fence.
    let pad = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        " "
    } else {
        ""
    };
    let _ = write!(out, "{fence}{pad}{text}{pad}{fence}");
}

/// Returns quoted code as a fenced block.
fn fenced(text: &str) -> String {
    let (text, mut rest) = cut(text.trim_matches(['\r', '\n']), TEXT_CHARS);
    let text = make_visible(text).replace('\r', "");
    let (head, more) = cut(&text, TEXT_CHARS);
    rest += more;
    let mut lines: Vec<&str> = head.lines().collect();
    if lines.len() > EVIDENCE_LINES {
        rest += 1;
        lines.truncate(EVIDENCE_LINES);
    }
    let fence = "`".repeat((longest_run(head, '`') + 1).max(3));
    let cut = if rest > 0 { "\n…" } else { "" };
    format!("{fence}text\n{}{cut}\n{fence}\n\n", lines.join("\n"))
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for character in text.chars() {
        run = if character == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::sample;

    #[test]
    fn a_report_reads_like_this() {
        insta::assert_snapshot!(write(&sample::report()));
    }

    #[test]
    fn words_stay_words() {
        let check = |text: &str, expected: &str| assert_eq!(inline(text, 100), expected, "{text}");
        check("plain words, nothing else.", "plain words, nothing else.");
        check("<b>x</b>", "\\<b\\>x\\</b\\>");
        check("cc @octocat now", "cc `@octocat` now");
        check("fixes #1 and GH-2", "fixes `#1` and `GH-2`");
        check("deadbeef dead beef", "`deadbeef` dead beef");
        check("https://evil.example/", "`https://evil.example/`");
        check("a *b* _c_ [d](e)", "a \\*b\\* \\_c\\_ \\[d\\](e)");
        check("`@x`", "`` `@x` ``");
        check("a\nb\r\n# c", "a b `#` c");
        check("std::sync::Mutex", "`std::sync::Mutex`");
        check("&#64;octocat", "`&#64;octocat`");
        check("", "");
        assert_eq!(inline("abcdef", 3), "abc…");
        assert_eq!(inline("a b c", 4), "a b…");
        assert_eq!(inline("a b", 3), "a b");
        assert_eq!(inline("abc\u{202e}", 4), "abc\\<…");
    }

    #[test]
    fn a_report_fits_a_comment_whatever_it_holds() {
        let text = write(&sample::large(5000));
        assert!(text.chars().count() <= CHARS, "{}", text.chars().count());
        assert!(text.contains("left out here for want of room"));
        assert!(text.contains("Not reviewed"));
        for long in [
            "x".repeat(1_000_000),
            "a b ".repeat(300_000),
            "`\n".repeat(300_000),
            "@a ".repeat(300_000),
        ] {
            let mut report = sample::hostile(&long);
            report.answer.questions = vec![long.clone(); 100];
            let text = write(&report);
            assert!(text.chars().count() <= CHARS, "{}", text.chars().count());
            assert!(text.trim_end().ends_with("read the code before you act on one."));
        }
    }

    /// Takes out code spans and blocks as a reader of Markdown does; what is left is what a program looks at.
    fn outside_code(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('`') {
            if rest[..at].ends_with('\\') && !rest[..at].ends_with("\\\\") {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            }
            out.push_str(&rest[..at]);
            let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
            let inner = &rest[at + run..];
            let mut from = 0;
            let end = loop {
                let found = inner[from..].find('`').map(|found| found + from);
                let Some(start) = found else { break None };
                let length = inner[start..].len() - inner[start..].trim_start_matches('`').len();
                if length == run {
                    break Some(start + run);
                }
                from = start + length;
            };
            if let Some(end) = end {
                out.push('¤');
                rest = &inner[end..];
            } else {
                out.push_str(&rest[at..at + run]);
                rest = inner;
            }
        }
        out + rest
    }

    fn assert_inert(text: &str) {
        let plain = outside_code(text);
        let ours = plain.replace("## Crosscheck", "").replace("### ", "");
        for active in ["@", "://", "www.", "$", "`", "&", "#"] {
            assert!(!ours.contains(active), "{active} in {ours}");
        }
        for (at, _) in plain.match_indices(['<', '[', '!', '|', '~']) {
            assert!(plain[..at].ends_with('\\'), "{plain}");
        }
        assert!(
            !text.contains(|c| c != '\n' && crate::domain::visible::is_invisible(c) && c != '\t'),
            "{text}"
        );
    }

    #[test]
    fn hostile_text_is_inert() {
        for text in sample::HOSTILE {
            assert_inert(&write(&sample::hostile(text)));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_text(text in "([a-f0-9]|\\PC|[<>@#$&`*_\\[\\]()!|~\\\\\n\r ]|```|www\\.|://|\\p{C}){0,40}") {
            assert_inert(&write(&sample::hostile(&text)));
        }
    }
}
