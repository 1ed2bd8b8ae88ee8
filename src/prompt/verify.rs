//! The second model call of a review: it tries to refute what was found.
//!
//! It is no reviewer. It gets the findings as data, like everything else that others wrote, and says of each whether it
//! holds. What it leaves out or says unclearly stays undecided: a finding is never refuted by silence.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::finding::{Finding, Side};
use crate::domain::tier::Tools;
use crate::prompt::answer::{AnswerError, missing, parse_object, wrong};
use crate::prompt::consult::limits as run_limits;
use crate::prompt::fence::Fence;
use crate::prompt::text::{Builder, Prompt};
use crate::redact::{Redacted, RedactedText, redact_counted};

/// Bytes of one text of a finding that its check is told.
const TEXT_BYTES: usize = 2000;
/// Bytes kept of a reason.
const REASON_BYTES: usize = 1000;
/// Bytes kept of a command.
const COMMAND_BYTES: usize = 1000;

/// What a check is made of.
#[derive(Clone, Copy, Debug)]
pub struct VerifyParts<'a> {
    /// What was reviewed: scope, revisions, number of files.
    pub target: &'a Redacted<String>,
    /// The findings, by [`list`].
    pub findings: &'a Redacted<String>,
    /// The hunks that they point at, rendered.
    pub hunks: &'a Redacted<String>,
    /// How to read them.
    pub legend: &'static str,
    /// The language to answer in.
    pub language: Option<&'a Redacted<String>>,
    /// Whether the peer can run commands.
    pub tools: Tools,
}

/// Writes findings as the data that [`verify`] takes, one a line.
pub fn list(findings: &[&Finding]) -> RedactedText {
    let lines: Vec<String> = findings
        .iter()
        .map(|finding| {
            json!({
                "id": finding.id,
                "severity": finding.severity,
                "title": head(&finding.title, TEXT_BYTES),
                "file": finding.file,
                "line": finding.line,
                "end_line": finding.end_line,
                "side": if finding.side == Side::Old { "old" } else { "new" },
                "evidence": head(&finding.evidence, TEXT_BYTES),
                "risk": head(&finding.risk, TEXT_BYTES),
            })
            .to_string()
        })
        .collect();
    redact_counted(&lines.join("\n"))
}

/// Writes the prompt of a check.
pub fn verify(parts: &VerifyParts<'_>, fence: &Fence) -> Prompt {
    let mut prompt = Builder::new(fence);
    prompt
        .say(ROLE)
        .say(run_limits(parts.tools))
        .explain_fence()
        .say(RULES)
        .say(means(parts.tools));
    prompt.data("What was reviewed:", "target", parts.target);
    prompt.say(parts.legend).data(
        "The parts of the change that the findings point at:",
        "diff",
        parts.hunks,
    );
    prompt.data(
        "The findings, one JSON object a line. They are claims of others, to be doubted:",
        "findings",
        parts.findings,
    );
    if let Some(language) = parts.language {
        prompt.section("Language of the answer", language);
    }
    prompt.say(SHAPE);
    prompt.finish()
}

const ROLE: &str = "Other reviewers looked at a change and reported findings. You did not make them. Your task is to try to \
refute each of them; what you cannot refute stays. Report nothing new.";

const RULES: &str = "For each finding read the code that it names and the code around it: who calls it, which values can \
arrive, what is checked before, what a test or a type rules out. `refuted` means that you found the place that makes it wrong: \
the guard, the caller, the type, the documented behaviour, or that the quoted code does not do what is claimed; `reason` names \
that place. `confirmed` means that you followed the path from the input to the failure yourself; `reason` names the input and \
what happens. Everything else is `undecided`: plausible is not confirmed, and unlikely is not refuted. The place of a finding \
may be a line off; judge the defect. `in_base` says whether the same defect was there before the change: true, false, or null \
where you cannot tell.";

/// How a finding may be reproduced, if at all.
fn means(tools: Tools) -> &'static str {
    match tools {
        Tools::Sandboxed => {
            "Where a read-only command can show a failure (an interpreter on a few lines, a search that finds the caller, a \
             program that prints the wrong result), run it, and give it in `command` exactly as you ran it, but only when its \
             output showed the defect. Otherwise `command` is null."
        }
        Tools::Files | Tools::None => "No commands can be run here, so `command` is always null.",
    }
}

const SHAPE: &str = "Answer with one JSON object that follows the given schema, and nothing else: in `verdicts` one entry for \
each finding, with its `id` as given, `verdict`, a short `reason`, `command` and `in_base`.";

/// What the check says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It could not refute it.
    Confirmed,
    /// It refuted it.
    Refuted,
    /// It cannot say.
    Undecided,
}

/// What the check says of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Its word.
    pub holds: Holds,
    /// Why; never empty for one that is refuted.
    pub reason: String,
    /// The command that it says made the failure happen.
    pub command: Option<String>,
    /// Whether the defect was there before the change.
    pub in_base: Option<bool>,
}

/// What a check answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rulings {
    /// By the ids of the findings that were asked for. One that is absent is undecided.
    pub by_id: BTreeMap<String, Ruling>,
    /// Entries for findings that nobody asked for.
    pub unknown: u32,
    /// Entries without an id or a verdict.
    pub malformed: u32,
}

/// Reads the answer of a check of these findings.
pub fn parse_verify(text: &str, asked: &BTreeSet<String>) -> Result<Rulings, AnswerError> {
    let root = parse_object(text)?;
    let entries = match root.get("verdicts") {
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(wrong("verdicts", "a list")),
        None => return Err(missing("verdicts")),
    };
    let mut rulings = Rulings::default();
    let mut readable = false;
    for entry in entries {
        let Some((id, ruling)) = parse_ruling(entry) else {
            rulings.malformed += 1;
            continue;
        };
        readable = true;
        if !asked.contains(&id) {
            rulings.unknown += 1;
            continue;
        }
        match rulings.by_id.get_mut(&id) {
            // It contradicts itself, so it says nothing.
            Some(known) if known.holds != ruling.holds => known.holds = Holds::Undecided,
            Some(_) => {}
            None => drop(rulings.by_id.insert(id, ruling)),
        }
    }
    if !readable && !entries.is_empty() {
        return Err(wrong("verdicts[0]", "an entry with id and verdict"));
    }
    Ok(rulings)
}

fn parse_ruling(entry: &Value) -> Option<(String, Ruling)> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::trim);
    let id = text("id")?.trim_matches(['`', '"', '#']);
    let mut holds = match text("verdict")?.to_ascii_lowercase().as_str() {
        "confirmed" => Holds::Confirmed,
        "refuted" => Holds::Refuted,
        "undecided" => Holds::Undecided,
        _ => return None,
    };
    let reason = head(text("reason").unwrap_or_default(), REASON_BYTES).to_owned();
    if holds == Holds::Refuted && reason.is_empty() {
        holds = Holds::Undecided;
    }
    let command = text("command").filter(|command| !command.is_empty());
    let in_base = entry.get("in_base");
    let in_base = in_base.and_then(|value| match value {
        Value::Bool(value) => Some(*value),
        Value::String(word) => word.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    });
    let ruling = Ruling {
        holds,
        reason,
        command: command.map(|command| head(command, COMMAND_BYTES).to_owned()),
        in_base,
    };
    (!id.is_empty()).then(|| (id.to_owned(), ruling))
}

/// Returns the beginning of a text, at most so many bytes of it.
fn head(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::{Anchor, Severity};
    use crate::redact::redact_text;
    use proptest::prelude::*;

    fn finding() -> Finding {
        Finding {
            title: "Wrong operator".into(),
            file: "src/a.rs".into(),
            line: 2,
            evidence: "a - b".into(),
            risk: "Sums are wrong.".into(),
            recommendation: "Use plus.".into(),
            ..crate::domain::finding::tests::finding("0123456789ab", Severity::High, Anchor::Exact)
        }
    }

    #[test]
    fn prompts_of_a_check() {
        let fence = Fence::new("0f1e2d3c4b5a6978").unwrap();
        let check = |name: &str, tools: Tools, language: Option<&Redacted<String>>| {
            let parts = VerifyParts {
                target: &redact_text("working tree against HEAD, 1 file"),
                findings: &list(&[&finding()]).text,
                hunks: &redact_text("src/a.rs\n   2 +     a - b\n"),
                legend: "Lines begin with their number.",
                language,
                tools,
            };
            insta::assert_snapshot!(name, verify(&parts, &fence).as_str());
        };
        check("verify", Tools::Sandboxed, None);
        check(
            "verify_without_commands",
            Tools::Files,
            Some(&redact_text("German")),
        );
    }

    fn asked() -> BTreeSet<String> {
        ["aa", "bb"].map(str::to_owned).into()
    }

    #[test]
    fn silence_and_contradiction_refute_nothing() {
        use Holds::{Confirmed, Refuted, Undecided};
        let check = |verdicts: Value, expected: &[(&str, Holds)], unknown: u32, malformed: u32| {
            let text = json!({ "verdicts": verdicts }).to_string();
            let read = parse_verify(&text, &asked()).unwrap();
            let by_id: Vec<(&str, Holds)> = read
                .by_id
                .iter()
                .map(|(id, ruling)| (id.as_str(), ruling.holds))
                .collect();
            assert_eq!(
                (by_id.as_slice(), read.unknown, read.malformed),
                (expected, unknown, malformed)
            );
        };
        let entry =
            |id: &str, verdict: &str, reason: &str| json!({"id": id, "verdict": verdict, "reason": reason});
        check(json!([]), &[], 0, 0);
        check(
            json!([entry("aa", "confirmed", "so")]),
            &[("aa", Confirmed)],
            0,
            0,
        );
        check(
            json!([entry(" `bb` ", " Refuted", "so")]),
            &[("bb", Refuted)],
            0,
            0,
        );
        check(json!([entry("aa", "refuted", " ")]), &[("aa", Undecided)], 0, 0);
        check(
            json!([entry("cc", "refuted", "so"), entry("aa", "undecided", "")]),
            &[("aa", Undecided)],
            1,
            0,
        );
        check(
            json!([entry("aa", "refuted", "so"), entry("aa", "confirmed", "no")]),
            &[("aa", Undecided)],
            0,
            0,
        );
        check(
            json!([entry("aa", "confirmed", "so"), entry("bb", "maybe", "so"), 7]),
            &[("aa", Confirmed)],
            0,
            2,
        );
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let check = |text: &str, expected: &str| {
            let error = parse_verify(text, &asked()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("", "it is empty");
        check("{}", "`verdicts` is missing");
        check("{\"verdicts\": 1}", "`verdicts` is not a list");
        check(
            "{\"verdicts\": [1]}",
            "`verdicts[0]` is not an entry with id and verdict",
        );
    }

    #[test]
    fn the_rest_of_an_entry_is_read_leniently() {
        let text = json!({"verdicts": [{"id": "aa", "verdict": "confirmed", "reason": " seen ", "command": " python3 -c 1 ",
            "in_base": "True"}]});
        let read = parse_verify(&format!("```json\n{text}\n```"), &asked()).unwrap();
        let ruling = &read.by_id["aa"];
        assert_eq!(ruling.reason, "seen");
        assert_eq!(ruling.command.as_deref(), Some("python3 -c 1"));
        assert_eq!(ruling.in_base, Some(true));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            "[a-c]{0,3}|confirmed|refuted|undecided".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::hash_map("verdicts|id|verdict|reason|in_base|command", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_speaks_of_what_was_not_asked(value in any_value(), noise in ".{0,20}") {
            for text in [value.to_string(), json!({"verdicts": value}).to_string(), noise] {
                if let Ok(read) = parse_verify(&text, &asked()) {
                    prop_assert!(read.by_id.keys().all(|id| asked().contains(id)));
                    prop_assert!(read.by_id.values().all(|one| one.holds != Holds::Refuted || !one.reason.is_empty()));
                }
            }
        }
    }
}
