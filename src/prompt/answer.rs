//! Reads the peer's structured answers.
//!
//! Lenient where nothing can be misunderstood: a code fence around the whole, words before and behind it, a number written as
//! a string, the case of a word, properties nobody asked for, one broken finding among good ones (it is counted). Anything
//! else is an error that names the place, because the peer gets one turn to repair it.

use serde_json::{Map, Value};

use crate::domain::answer::{CodeBlock, ConsultAnswer, PlanReport};
use crate::domain::finding::{Claim, Severity, Side};
use crate::domain::limits;
use crate::domain::request::ConsultKind;
use crate::domain::verdict::{Confidence, Verdict};
use crate::prompt::code::extract_code;

/// Entries kept of one list of an answer.
const ITEMS: usize = 200;
/// Values of an answer in JSON that are read. Each of them needs up to a hundred bytes, however short it is in the text:
/// four million empty lists, which fit an answer, would need a hundred times the memory of all else.
const VALUES: usize = 100_000;

/// Why an answer cannot be used. It names places and types, never the peer's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// More than [`limits::ANSWER_BYTES`].
    #[error("it has {bytes} bytes, more than {} bytes", limits::ANSWER_BYTES)]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// More values than are read, however short they are.
    #[error("it has more than {VALUES} values")]
    TooMany,
    /// Not JSON.
    #[error("it is not one JSON object (line {line}, column {column})")]
    NotJson {
        /// 1-based line at which reading ended.
        line: usize,
        /// 1-based column.
        column: usize,
    },
    /// A property is absent.
    #[error("`{path}` is missing")]
    Missing {
        /// Its place, such as `findings[2].title`.
        path: String,
    },
    /// A property holds something else.
    #[error("`{path}` is not {expected}")]
    Wrong {
        /// Its place.
        path: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// A review as the peer gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReview {
    /// Its own summary.
    pub summary: String,
    /// Its own verdict; never `unknown`.
    pub verdict: Verdict,
    /// How sure it says it is.
    pub confidence: Confidence,
    /// Its mark from 0 to 100.
    pub score: Option<u8>,
    /// What it says it found, unchecked, at most [`limits::FINDINGS`].
    pub claims: Vec<Claim>,
    /// Findings left out because they had no severity, title or file.
    pub malformed: u32,
    /// Findings left out because there were too many.
    pub surplus: u32,
    /// What it wants to know.
    pub questions: Vec<String>,
    /// What it took for granted.
    pub assumptions: Vec<String>,
}

/// Reads the answer of a review.
pub fn parse_review(text: &str) -> Result<RawReview, AnswerError> {
    let root = parse_object(text)?;
    let findings = match root.get("findings") {
        Some(Value::Array(findings)) => findings,
        Some(_) => return Err(wrong("findings", "a list")),
        None => return Err(missing("findings")),
    };
    let mut claims = Vec::new();
    let (mut malformed, mut surplus) = (0_u32, 0_u32);
    for finding in findings {
        match parse_claim(finding) {
            Some(_) if claims.len() >= limits::FINDINGS => surplus += 1,
            Some(claim) => claims.push(claim),
            None => malformed += 1,
        }
    }
    if claims.is_empty() && malformed > 0 {
        // Without a single readable finding the answer would look like one that found nothing.
        return Err(wrong("findings[0]", "a finding with severity, title and file"));
    }
    Ok(RawReview {
        summary: required_text(&root, "summary")?,
        verdict: required_word(&root, "verdict", "one of pass, concerns, fail", parse_verdict)?,
        confidence: required_word(&root, "confidence", "one of high, medium, low", parse_confidence)?,
        score: root
            .get("score")
            .and_then(parse_integer)
            .and_then(|n| u8::try_from(n).ok())
            .filter(|n| *n <= 100),
        claims,
        malformed,
        surplus,
        questions: texts(&root, "questions")?,
        assumptions: texts(&root, "assumptions")?,
    })
}

/// Reads the answer of a consult of this kind. Free text is taken as it is; only nothing at all is an error.
pub fn parse_consult(kind: ConsultKind, text: &str) -> Result<ConsultAnswer, AnswerError> {
    match kind {
        ConsultKind::Answer | ConsultKind::Challenge => parse_free(text),
        ConsultKind::ReviewPlan => parse_plan(text),
        ConsultKind::WriteCode => parse_code(text),
    }
}

fn parse_free(text: &str) -> Result<ConsultAnswer, AnswerError> {
    check_size(text)?;
    Ok(ConsultAnswer {
        answer: text.to_owned(),
        code: extract_code(text),
        report: None,
        questions: Vec::new(),
        assumptions: Vec::new(),
    })
}

fn parse_plan(text: &str) -> Result<ConsultAnswer, AnswerError> {
    let root = parse_object(text)?;
    let report = PlanReport {
        missing_tasks: texts(&root, "missing_tasks")?,
        dependency_issues: texts(&root, "dependency_issues")?,
        parallelization: texts(&root, "parallelization")?,
        test_gaps: texts(&root, "test_gaps")?,
        risks: texts(&root, "risks")?,
        splits: texts(&root, "splits")?,
    };
    let answer = required_text(&root, "answer")?;
    Ok(ConsultAnswer {
        code: extract_code(&answer),
        answer,
        report: Some(report),
        questions: texts(&root, "questions")?,
        assumptions: texts(&root, "assumptions")?,
    })
}

fn parse_code(text: &str) -> Result<ConsultAnswer, AnswerError> {
    let root = parse_object(text)?;
    let blocks = match root.get("code") {
        Some(Value::Array(blocks)) => blocks,
        Some(_) => return Err(wrong("code", "a list")),
        None => return Err(missing("code")),
    };
    let code = blocks
        .iter()
        .take(ITEMS)
        .enumerate()
        .map(|(index, block)| parse_block(index, block))
        .collect::<Result<_, _>>()?;
    Ok(ConsultAnswer {
        answer: required_text(&root, "answer")?,
        code,
        report: None,
        questions: texts(&root, "questions")?,
        assumptions: texts(&root, "assumptions")?,
    })
}

fn parse_block(index: usize, block: &Value) -> Result<CodeBlock, AnswerError> {
    let path = |name: &str| format!("code[{index}].{name}");
    let Value::Object(block) = block else {
        return Err(wrong(&format!("code[{index}]"), "an object"));
    };
    let Some(text) = block.get("text") else {
        return Err(missing(&path("text")));
    };
    let text = text.as_str().ok_or_else(|| wrong(&path("text"), "a string"))?;
    let word = |name: &str| {
        block
            .get(name)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|word| !word.is_empty())
    };
    Ok(CodeBlock {
        language: word("language").map_or_else(|| "text".to_owned(), str::to_lowercase),
        path: word("path").map(str::to_owned),
        text: text.to_owned(),
    })
}

fn parse_claim(finding: &Value) -> Option<Claim> {
    let finding = finding.as_object()?;
    let text = |name: &str| finding.get(name).and_then(Value::as_str);
    let number = |name: &str| {
        finding
            .get(name)
            .and_then(parse_integer)
            .and_then(|n| u32::try_from(n).ok())
    };
    let named = |name: &str| {
        text(name)
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
    };
    let line = number("line").unwrap_or(0);
    let side = match text("side") {
        Some(side) if side.trim().eq_ignore_ascii_case("old") => Side::Old,
        _ => Side::New,
    };
    Some(Claim {
        severity: parse_severity(text("severity")?)?,
        title: named("title")?,
        file: named("file")?,
        line,
        end_line: number("end_line").filter(|end| line > 0 && *end > line),
        side,
        evidence: text("evidence").unwrap_or_default().to_owned(),
        risk: text("risk").unwrap_or_default().to_owned(),
        recommendation: text("recommendation").unwrap_or_default().to_owned(),
        // Nothing rests on it, so a word that is none is as good as no word.
        confidence: text("confidence").and_then(|word| parse_confidence(&word.trim().to_ascii_lowercase())),
    })
}

fn parse_severity(word: &str) -> Option<Severity> {
    match word.trim().to_ascii_lowercase().as_str() {
        "critical" => Some(Severity::Critical),
        "high" => Some(Severity::High),
        "medium" => Some(Severity::Medium),
        "low" => Some(Severity::Low),
        "nit" => Some(Severity::Nit),
        _ => None,
    }
}

fn parse_verdict(word: &str) -> Option<Verdict> {
    match word {
        "pass" => Some(Verdict::Pass),
        "concerns" => Some(Verdict::Concerns),
        "fail" => Some(Verdict::Fail),
        _ => None,
    }
}

fn parse_confidence(word: &str) -> Option<Confidence> {
    match word {
        "high" => Some(Confidence::High),
        "medium" => Some(Confidence::Medium),
        "low" => Some(Confidence::Low),
        _ => None,
    }
}

/// Takes `12`, `12.0` and `"12"`.
fn parse_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let whole = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15)?;
            whole.to_string().parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub(super) fn parse_object(text: &str) -> Result<Map<String, Value>, AnswerError> {
    check_size(text)?;
    if values(text) > VALUES {
        return Err(AnswerError::TooMany);
    }
    let read = |text: &str| serde_json::from_str::<Value>(text);
    let value = read(unfenced(text)).or_else(|error| {
        between_words(text)
            .and_then(|text| read(text).ok())
            .ok_or(AnswerError::NotJson {
                line: error.line(),
                column: error.column(),
            })
    })?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(AnswerError::NotJson { line: 1, column: 1 }),
    }
}

/// Counts the values of a text of JSON, nearly: what opens a list or an object and what divides their items.
fn values(text: &str) -> usize {
    let (mut count, mut quoted, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

fn check_size(text: &str) -> Result<(), AnswerError> {
    if text.len() > limits::ANSWER_BYTES {
        return Err(AnswerError::TooLarge { bytes: text.len() });
    }
    if text.trim().is_empty() {
        return Err(AnswerError::Empty);
    }
    Ok(())
}

/// Takes off one code fence around the whole text.
fn unfenced(text: &str) -> &str {
    let text = text.trim().trim_start_matches('\u{feff}');
    let inside = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    match inside.and_then(|inside| inside.split_once('\n')) {
        Some((info, body)) if info.trim().chars().all(char::is_alphanumeric) => body,
        _ => text,
    }
}

/// Takes off the words around an object: all from the first brace to the last one, so that there is one way to read it or
/// none.
fn between_words(text: &str) -> Option<&str> {
    let (first, last) = (text.find('{')?, text.rfind('}')?);
    text.get(first..=last)
}

fn required_text(root: &Map<String, Value>, name: &str) -> Result<String, AnswerError> {
    match root.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(name, "a string")),
        None => Err(missing(name)),
    }
}

fn required_word<T>(
    root: &Map<String, Value>,
    name: &str,
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, AnswerError> {
    let word = required_text(root, name)?;
    parse(&word.trim().to_ascii_lowercase()).ok_or_else(|| wrong(name, expected))
}

/// Reads a list of strings. An absent or null one is empty: nothing can be misunderstood.
pub(super) fn texts(root: &Map<String, Value>, name: &str) -> Result<Vec<String>, AnswerError> {
    let items = match root.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong(name, "a list of strings")),
    };
    items
        .iter()
        .take(ITEMS)
        .enumerate()
        .filter(|(_, item)| item.as_str().is_none_or(|text| !text.trim().is_empty()))
        .map(|(index, item)| {
            let text = item
                .as_str()
                .ok_or_else(|| wrong(&format!("{name}[{index}]"), "a string"))?;
            Ok(text.trim().to_owned())
        })
        .collect()
}

pub(super) fn missing(path: &str) -> AnswerError {
    AnswerError::Missing {
        path: path.to_owned(),
    }
}

pub(super) fn wrong(path: &str, expected: &'static str) -> AnswerError {
    AnswerError::Wrong {
        path: path.to_owned(),
        expected,
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
