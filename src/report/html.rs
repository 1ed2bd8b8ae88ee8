//! A report as one page that needs nothing else: the change with each finding below its line.
//!
//! The page is plain HTML, readable without its script, which only filters and moves the focus. Its policy lets nothing run
//! or load but that script and that style, by their hashes; what a model or a repository wrote gets in through
//! `push_escaped` alone and is never in the script. There is no link to anywhere but this page.

use std::collections::HashSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::diff::patch::LineKind;
use crate::domain::count::counted;
use crate::domain::finding::Finding;
use crate::domain::time::{rfc3339, spoken as duration};
use crate::domain::verdict::ReviewStatus;
use crate::report::escape::{push_cut, push_escaped};
use crate::report::placed::{PlacedFile, PlacedHunk, Row, place};
use crate::report::review::{Change, ReviewReport};
use crate::report::words::{
    self, Earlier, about_place, counts, examined, masked, reviewed_before, reviewer, set_aside, since, spoken,
};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// Characters shown of one line of the change. Beyond it nobody reads, and a browser lays it out for seconds.
const LINE_CHARS: usize = 2000;
/// Characters shown of one text of a finding.
const TEXT_CHARS: usize = 20_000;
/// Characters shown of one name.
const NAME_CHARS: usize = 1000;
/// Lines of the change in a page; beyond it only hunks with findings are shown. As many take a browser a second.
const LINES: usize = 100_000;
/// Entries of one list.
const LISTED: usize = 200;

/// Writes a report.
pub fn write(report: &ReviewReport) -> String {
    let files = place(report);
    let mut page = Page {
        out: String::with_capacity(64 * 1024),
        ids: HashSet::new(),
        earlier: Earlier::of(report),
        lines: 0,
    };
    page.head(report);
    page.header(report);
    page.bar(report, &files);
    page.out.push_str("<main id=\"main\" tabindex=\"-1\">\n");
    if let Change::Absent(absence) = &report.change {
        let _ = writeln!(page.out, "<p class=\"warn\">Note: {}.</p>", absence.sentence());
    }
    if report.answer.findings.is_empty() {
        page.out.push_str("<p>No findings.</p>\n");
    }
    for (index, file) in files.iter().enumerate() {
        page.file(index, file);
    }
    page.left_out(report);
    page.out.push_str("</main>\n");
    page.footer(report);
    page.out
}

/// A page while it is written.
struct Page<'a> {
    out: String,
    /// The names that are taken in it.
    ids: HashSet<String>,
    /// What was known before.
    earlier: Earlier<'a>,
    /// Lines of the change so far.
    lines: usize,
}

impl Page<'_> {
    fn head(&mut self, report: &ReviewReport) {
        let _ = write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; \
             script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<title>Review: {}, {}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the findings</a>\n",
            sha256_base64(STYLE.as_bytes()),
            sha256_base64(SCRIPT.as_bytes()),
            spoken(&report.answer.verdict),
            counted(report.answer.findings.len(), "finding"),
        );
    }

    fn header(&mut self, report: &ReviewReport) {
        let answer = &report.answer;
        let _ = writeln!(
            self.out,
            "<header>\n<h1>Review: <span class=\"verdict\">{}</span></h1>\n<p><strong>{}</strong></p>",
            spoken(&answer.verdict),
            examined(&answer.coverage),
        );
        self.paragraph("sum", &report.summary);
        if answer.review_status == ReviewStatus::Completed {
            let mut line = format!("Confidence {}", spoken(&answer.confidence));
            if let Some(score) = answer.score {
                let _ = write!(line, ", score {score}/100");
            }
            for (severity, count) in counts(report) {
                let _ = write!(line, " · {count} {}", severity.as_str());
            }
            self.paragraph("dim", &line);
        }
        if !answer.overview.trim().is_empty() {
            self.paragraph("text", answer.overview.trim());
        }
        for warning in report.warnings.iter().take(LISTED) {
            self.paragraph("warn", warning);
        }
        self.out.push_str("</header>\n");
    }

    /// Writes a paragraph of somebody's words.
    fn paragraph(&mut self, class: &str, text: &str) {
        let _ = write!(self.out, "<p class=\"{class}\">");
        push_cut(&mut self.out, text, TEXT_CHARS);
        self.out.push_str("</p>\n");
    }

    /// Writes the filters. They are hidden until the script that makes them work has begun.
    fn bar(&mut self, report: &ReviewReport, files: &[PlacedFile<'_>]) {
        self.out.push_str(
            "<div class=\"bar\" hidden><form id=\"bar\" role=\"search\" aria-label=\"Filter findings\">\n\
             <fieldset><legend>Severity</legend>",
        );
        for (severity, count) in counts(report) {
            let name = severity.as_str();
            let _ = write!(
                self.out,
                "<label><input type=\"checkbox\" name=\"severity\" value=\"{name}\" checked>{name} ({count})</label>"
            );
        }
        self.out
            .push_str("</fieldset>\n<label>File <select id=\"file\"><option value=\"\">all</option>");
        for (index, file) in files.iter().enumerate().filter(|(_, file)| file.findings() > 0) {
            let _ = write!(self.out, "<option value=\"{index}\">");
            push_cut_plain(&mut self.out, &file.path);
            let _ = write!(self.out, " ({})</option>", file.findings());
        }
        self.out.push_str(
            "</select></label>\n<label>Words <input type=\"search\" id=\"words\" autocomplete=\"off\"></label>\n\
             <button type=\"button\" id=\"keys-button\">Keys</button>\n<p id=\"status\" role=\"status\"></p>\n</form></div>\n",
        );
    }

    fn file(&mut self, index: usize, file: &PlacedFile<'_>) {
        let count = file.findings();
        let open = if count > 0 { " open" } else { "" };
        let _ = write!(
            self.out,
            "<details data-file=\"{index}\"{open}>\n<summary><h2><bdi>"
        );
        push_cut(&mut self.out, &file.path, NAME_CHARS);
        let _ = write!(
            self.out,
            "</bdi></h2> <span class=\"dim\">{}",
            counted(count, "finding")
        );
        if let Some(old) = &file.old_path {
            self.out.push_str(", before: <bdi>");
            push_cut(&mut self.out, old, NAME_CHARS);
            self.out.push_str("</bdi>");
        }
        self.out.push_str("</span></summary>\n");
        for finding in &file.loose {
            self.finding(index, finding, Shown::Alone);
        }
        let mut skipped = 0_usize;
        for hunk in &file.hunks {
            let has_findings = hunk.rows.iter().any(|row| !row.findings.is_empty());
            if self.lines + hunk.rows.len() > LINES && !has_findings {
                skipped += 1;
            } else {
                self.hunk(index, hunk);
            }
        }
        if skipped > 0 {
            let left = counted(skipped, "hunk");
            let _ = writeln!(
                self.out,
                "<p class=\"in cut\">{left} without findings left out: the page would be too large.</p>"
            );
        }
        if file.hunks.is_empty() && file.loose.is_empty() {
            self.out
                .push_str("<p class=\"in dim\">No lines of this file were sent.</p>\n");
        }
        self.out.push_str("</details>\n");
    }

    fn hunk(&mut self, file: usize, placed: &PlacedHunk<'_>) {
        let hunk = placed.hunk;
        let has_crlf = !hunk.lines.is_empty() && hunk.lines.iter().all(|line| line.text.ends_with(b"\r"));
        let _ = writeln!(
            self.out,
            "<div class=\"hunk\"><div class=\"at\">@@ -{},{} +{},{} @@{}</div>",
            hunk.old_start,
            hunk.old_lines,
            hunk.new_start,
            hunk.new_lines,
            if has_crlf { " (CRLF)" } else { "" }
        );
        self.lines += placed.rows.len();
        for row in &placed.rows {
            self.row(row, has_crlf);
            for finding in &row.findings {
                self.finding(file, finding, Shown::AtItsLine);
            }
        }
        self.out.push_str("</div>\n");
    }

    fn row(&mut self, row: &Row<'_>, has_crlf: bool) {
        let tag = match row.line.kind {
            LineKind::Context => "span",
            LineKind::Added => "ins",
            LineKind::Removed => "del",
        };
        let bytes = &row.line.text[..row.line.text.len() - usize::from(has_crlf)];
        let text = String::from_utf8_lossy(bytes);
        let _ = write!(self.out, "<{tag} class=\"l\" data-n=\"{}\">", row.number);
        // A carriage return alone is spelled out, and must not be taken for half of a line end.
        push_cut(&mut self.out, &text, LINE_CHARS);
        let _ = writeln!(self.out, "</{tag}>");
    }

    fn finding(&mut self, file: usize, finding: &Finding, shown: Shown) {
        let name = self.name(&finding.id);
        let severity = finding.severity.as_str();
        let place = words::place(finding);
        let standing = self.earlier.standing(finding);
        let out = &mut self.out;
        let _ = write!(
            out,
            "<article id=\"{name}\" class=\"{severity}\" data-severity=\"{severity}\" data-file=\"{file}\" data-place=\""
        );
        push_cut_plain(out, &place);
        let _ = write!(
            out,
            "\" tabindex=\"-1\" aria-labelledby=\"{name}-t\">\n<h3 id=\"{name}-t\"><span class=\"sev\">{severity}</span> <bdi>"
        );
        push_cut(out, &finding.title, NAME_CHARS);
        out.push_str("</bdi></h3>\n<p class=\"dim\"><code><bdi>");
        push_cut(out, &place, NAME_CHARS);
        out.push_str("</bdi></code>");
        for about in about_place(finding) {
            let _ = write!(out, " · {about}");
        }
        if let Some(standing) = standing {
            let _ = write!(out, " · {standing}");
        }
        let _ = write!(out, " · {} · <code>", finding.support());
        push_cut(out, &finding.id, NAME_CHARS);
        out.push_str("</code></p>\n");
        if shown == Shown::Alone && !finding.evidence.trim().is_empty() {
            // The newline behind the tag is not part of the text, so one of the text's own is not lost.
            out.push_str("<pre aria-label=\"Quoted code\">\n");
            push_cut(out, finding.evidence.trim_matches('\n'), TEXT_CHARS);
            out.push_str("</pre>\n");
        }
        for (title, text) in [("Risk", &finding.risk), ("Fix", &finding.recommendation)] {
            if !text.trim().is_empty() {
                let _ = write!(out, "<p class=\"text\"><strong>{title}:</strong> ");
                push_cut(out, text.trim(), TEXT_CHARS);
                out.push_str("</p>\n");
            }
        }
        out.push_str("</article>\n");
    }

    /// Returns a name for a finding's place in the page: its id where that is a plain word, and free.
    fn name(&mut self, id: &str) -> String {
        let is_plain = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let mut name = format!("f-{id}");
        if !is_plain || self.ids.contains(&name) {
            // A minus in front of the number: no plain id has one.
            name = format!("f--{}", self.ids.len());
        }
        self.ids.insert(name.clone());
        name
    }

    /// Writes what was not reviewed, and what the reviewer asks and took for granted.
    fn left_out(&mut self, report: &ReviewReport) {
        for (title, items) in since(report) {
            self.list(title, &items, 0);
        }
        for (title, items) in set_aside(report) {
            self.folded(title, &items);
        }
        self.list("Refuted when they were verified", &words::refuted(report), 0);
        let coverage = &report.answer.coverage;
        let omitted = coverage.omitted.iter();
        let omitted = omitted.map(|omission| format!("{}: {}", omission.path, spoken(&omission.reason)));
        self.list(
            "Not reviewed",
            &omitted.collect::<Vec<_>>(),
            coverage.omitted_more as usize,
        );
        self.list("Files with masked values", &coverage.redaction.masked, 0);
        self.list("Questions of the reviewer", &report.answer.questions, 0);
        self.list("Taken for granted", &report.answer.assumptions, 0);
    }

    fn list(&mut self, title: &str, items: &[String], more: usize) {
        if items.is_empty() && more == 0 {
            return;
        }
        let _ = writeln!(self.out, "<section class=\"in\">\n<h2>{title}</h2>\n<ul>");
        for item in items.iter().take(LISTED) {
            self.out.push_str("<li><bdi>");
            push_cut(&mut self.out, item, TEXT_CHARS);
            self.out.push_str("</bdi></li>\n");
        }
        let more = more + items.len().saturating_sub(LISTED);
        if more > 0 {
            let _ = writeln!(self.out, "<li>and {more} more</li>");
        }
        self.out.push_str("</ul>\n</section>\n");
    }

    /// Writes a list that is closed until somebody opens it: what was decided already is not in the way.
    fn folded(&mut self, title: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "<details class=\"aside\">\n<summary><h2>{title} ({})</h2></summary>",
            items.len()
        );
        self.out.push_str("<ul class=\"in\">\n");
        for item in items.iter().take(LISTED) {
            self.out.push_str("<li><bdi>");
            push_cut(&mut self.out, item, TEXT_CHARS);
            self.out.push_str("</bdi></li>\n");
        }
        let more = items.len().saturating_sub(LISTED);
        if more > 0 {
            let _ = writeln!(self.out, "<li>and {more} more</li>");
        }
        self.out.push_str("</ul>\n</details>\n");
    }

    fn footer(&mut self, report: &ReviewReport) {
        self.out.push_str("<footer>\n");
        let coverage = &report.answer.coverage;
        let mut facts: Vec<String> = reviewed_before(coverage)
            .into_iter()
            .chain(masked(coverage))
            .collect();
        if matches!(report.change, Change::Kept(_)) {
            facts.push("The lines are those that the reviewer was shown.".to_owned());
        }
        facts.extend(reviewer(report).map(|reviewer| format!("Reviewed by {reviewer}.")));
        if let Some(job) = &report.job {
            facts.push(format!("Job {}, {}.", job.id, duration(job.elapsed_ms)));
        }
        facts.extend(report.ended_ms.map(|at| format!("Ended {}.", rfc3339(at))));
        facts.push(format!("Written by crosscheck {}.", env!("CARGO_PKG_VERSION")));
        facts.push("Findings are a model's claims: read the code before you act on one.".to_owned());
        self.paragraph("facts", &facts.join(" "));
        let _ = write!(
            self.out,
            "</footer>\n<dialog id=\"help\" aria-labelledby=\"help-t\">\n<h2 id=\"help-t\">Keys</h2>\n\
             <p><kbd>j</kbd> next finding, <kbd>k</kbd> the one before</p>\n<p><kbd>/</kbd> to the words, \
             <kbd>Esc</kbd> out of them</p>\n<p><kbd>?</kbd> this help</p>\n\
             <p><label><input type=\"checkbox\" id=\"keys\" checked>Single keys are on</label></p>\n\
             <p><button type=\"button\" id=\"close\" autofocus>Close</button></p>\n</dialog>\n\
             <script>{SCRIPT}</script>\n</body>\n</html>\n"
        );
    }
}

/// Where a finding is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Below its line, which is its evidence.
    AtItsLine,
    /// Without a line of the change.
    Alone,
}

/// Appends the beginning of a text where no tag may stand: in an attribute or an option.
fn push_cut_plain(out: &mut String, text: &str) {
    let (head, rest) = crate::report::escape::cut(text, NAME_CHARS);
    push_escaped(out, head);
    if rest > 0 {
        out.push('…');
    }
}

/// Returns a SHA-256 in base64, as a content policy writes it.
fn sha256_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(44);
    for chunk in Sha256::digest(bytes).chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from(bits >> shift & 63).map_or('=', |digit| char::from(DIGITS[digit]));
            out.push(if at <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Absence;
    use crate::report::sample;
    use proptest::prelude::*;

    #[test]
    fn a_page_reads_like_this() {
        let page = write(&sample::report());
        let page = page.replace(STYLE, "STYLE").replace(SCRIPT, "SCRIPT");
        let page = page.replace(&sha256_base64(STYLE.as_bytes()), "STYLE-HASH");
        let page = page.replace(&sha256_base64(SCRIPT.as_bytes()), "SCRIPT-HASH");
        insta::assert_snapshot!(page.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn a_hash_is_the_one_of_the_policy() {
        // The known digest of nothing.
        assert_eq!(sha256_base64(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn a_page_needs_nothing_else_and_stays_small() {
        let mut report = sample::report();
        report.answer.findings.clear();
        report.change = Change::Absent(Absence::NotKept);
        let page = write(&report);
        assert!(page.len() < 40 * 1024, "{}", page.len());
        for outside in [
            "http:", "https:", "//", "url(", "@import", " src=", "<link", "<img", "<base",
        ] {
            assert!(
                !page.replace("// What was not laid out", "").contains(outside),
                "{outside}"
            );
        }
        assert!(page.contains("No findings."));
        assert!(page.contains("does not hold the change"));
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</"));
        for severity in words::SEVERITIES {
            assert!(STYLE.contains(&format!(".{} .sev", severity.as_str())));
        }
    }

    #[test]
    fn nothing_of_this_machine_is_told() {
        assert!(!write(&sample::report()).contains("secret-project"));
    }

    #[test]
    fn five_thousand_findings_are_all_there() {
        let page = write(&sample::large(5000));
        assert_eq!(page.matches("<article ").count(), 5000);
        assert_eq!(page.matches("<details ").count(), 100);
        assert!(page.len() < 8 * 1024 * 1024, "{}", page.len());
    }

    #[test]
    fn a_change_that_is_too_large_shows_the_hunks_with_findings() {
        let mut report = sample::large(LINES + 100);
        report.answer.findings.truncate(1);
        report.answer.findings[0].file = format!("src/f{}.rs", (LINES + 99) / 50);
        let page = write(&report);
        assert_eq!(page.matches("<article ").count(), 1);
        assert!(
            page.contains("1 hunk without findings left out"),
            "the one file between"
        );
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let page = write(&sample::hostile(&"x".repeat(1_000_000)));
        assert!(page.contains("998000 characters left out"));
        assert!(page.len() < 512 * 1024, "{}", page.len());
    }

    /// Returns the tags of a page, its own style and script taken out.
    fn tags(page: &str) -> Vec<String> {
        let page = page.replace(STYLE, "").replace(SCRIPT, "");
        let tags = page.split('<').skip(1);
        tags.map(|tag| tag.split(['>', ' ', '\n']).next().unwrap().to_owned())
            .collect()
    }

    fn assert_inert(text: &str) {
        let page = write(&sample::hostile(text));
        let plain = write(&sample::hostile("words"));
        let has_small = |tag: &String| !tag.ends_with("small");
        let count = |page: &str| tags(page).into_iter().filter(has_small).collect::<Vec<_>>();
        let mut differ = count(&page);
        let mut expected = count(&plain);
        // A blank text has no paragraph of its own, and nothing else may differ.
        if text.trim().is_empty() {
            for list in [&mut differ, &mut expected] {
                list.retain(|tag| !matches!(tag.trim_start_matches('/'), "p" | "strong" | "pre"));
            }
        }
        assert!(differ == expected, "{text:?}");
        let bare = page.replace(STYLE, "").replace(SCRIPT, "");
        let quotes = |page: &str| page.matches('"').count();
        if !text.trim().is_empty() {
            assert_eq!(
                quotes(&bare),
                quotes(&plain.replace(STYLE, "").replace(SCRIPT, "")),
                "{text:?}"
            );
        }
    }

    #[test]
    fn hostile_text_is_inert() {
        for text in sample::HOSTILE {
            assert_inert(text);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_text(text in "(\\PC|\\p{C}|[<>&\"'`=/\r\n -]|</?[a-z]{1,6}|<!--|-->){0,40}") {
            assert_inert(&text);
        }
    }
}
