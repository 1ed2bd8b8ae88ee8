//! A reviewer that follows a script: it finds what is there, mostly, and makes the mistakes that reviewers make.
//!
//! How often it makes each is stated here and nowhere measured: see `docs/review-figures.md`.

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::kinds::{KINDS, NOISE};
use crate::seeded::{Case, Defect, Place};

/// Of a hundred defects, how many a look finds.
pub(crate) const FINDS: usize = 75;
/// Of a hundred looks, how many fall for the change's own red herring: the same wrong finding in each of them.
const TEMPTED: usize = 25;
/// Of a hundred found defects, how many are told twice in other words.
const TWICE: usize = 15;
/// Of a hundred answers, how many have prose around the JSON, and how many a fence.
const PROSE: usize = 15;
const FENCED: usize = 15;
const CLOTHED: usize = PROSE + FENCED;

/// What a finding is about in truth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Truth {
    /// The defect of this number.
    Defect(usize),
    /// Nothing: a wrong finding, the same as another one of the same text.
    Wrong(String),
}

impl Truth {
    pub(crate) fn is_real(&self) -> bool {
        matches!(self, Self::Defect(_))
    }

    /// Returns what stands for it in a finding's recommendation, where no comparison looks.
    fn label(&self) -> String {
        match self {
            Self::Defect(id) => format!("Mend defect {id}."),
            Self::Wrong(what) => format!("Think about {what}."),
        }
    }

    /// Returns the defect that a finding is about, by its recommendation.
    pub(crate) fn of(recommendation: &str) -> Option<usize> {
        let id = recommendation.strip_prefix("Mend defect ")?.strip_suffix('.')?;
        id.parse().ok()
    }
}

/// An answer, and what each of its findings is about.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// As the model said it, with whatever stands around it.
    pub(crate) said: String,
    /// The same once the model was asked for nothing but JSON.
    pub(crate) repaired: String,
    pub(crate) truths: Vec<Truth>,
}

impl Look {
    /// Returns what each of its titles is about.
    pub(crate) fn truths_by_title(&self) -> Vec<(String, Truth)> {
        let answer: Value = serde_json::from_str(&self.repaired).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        let titles = findings
            .iter()
            .map(|finding| finding["title"].as_str().unwrap().to_owned());
        titles.zip(self.truths.iter().cloned()).collect()
    }
}

/// Looks at a change. `look` is 1, 2 or 3; each sees something else.
pub(crate) fn look(case: &Case, look: u64) -> Look {
    let mut dice = Dice::of(77, &[case.number, look]);
    let mut findings = Vec::new();
    for defect in &case.defects {
        if dice.chance(FINDS) {
            let first = dice.below(5);
            findings.push((Truth::Defect(defect.id), told(defect, first, &mut dice)));
            if dice.chance(TWICE) {
                findings.push((Truth::Defect(defect.id), told(defect, (first + 1) % 5, &mut dice)));
            }
        }
    }
    // Which wrong finding tempts everybody depends on the change and not on the look.
    let mut herring = Dice::of(78, &[case.number]);
    let (place, wrong) = (
        herring.below(case.places.len().max(1)),
        herring.below(NOISE.len()),
    );
    if dice.chance(TEMPTED) && !case.places.is_empty() {
        findings.push(noise(&case.places[place], wrong, &mut dice));
    }
    for _ in 0..*dice.pick(&[0, 0, 1, 1, 2]) {
        if !case.places.is_empty() {
            let place = dice.pick(&case.places).clone();
            let wrong = dice.below(NOISE.len());
            findings.push(noise(&place, wrong, &mut dice));
        }
    }
    if dice.chance(5) {
        findings.push(invented(&mut dice));
    }
    for (truth, finding) in &mut findings {
        finding["recommendation"] = truth.label().into();
    }
    let list: Vec<Value> = findings.iter().map(|(_, finding)| finding.clone()).collect();
    let verdict = if findings.is_empty() { "pass" } else { "concerns" };
    let answer = json!({"summary": "Looked at the change.", "verdict": verdict, "confidence": "medium", "score": 70,
        "findings": list, "questions": [], "assumptions": []});
    let text = answer.to_string();
    let said = match dice.below(100) {
        0..PROSE => format!("Here is my review of the change:\n\n{text}\n\nI hope this helps."),
        PROSE..CLOTHED => format!("```json\n{text}\n```"),
        _ => text.clone(),
    };
    Look {
        said,
        repaired: text,
        truths: findings.into_iter().map(|(truth, _)| truth).collect(),
    }
}

fn fill(text: &str, function: &str, subject: &str) -> String {
    text.replace("{f}", function).replace("{v}", subject)
}

/// Tells of a defect, in one of its wordings, with a line and a quote as reviewers give them.
fn told(defect: &Defect, wording: usize, dice: &mut Dice) -> Value {
    let kind = &KINDS[defect.kind];
    let title = fill(kind.titles[wording], &defect.function, &defect.subject);
    let risk = fill(kind.risks[dice.below(4)], &defect.function, &defect.subject);
    let line = match dice.below(100) {
        0..60 => defect.line,
        60..75 => defect.line + u32::try_from(dice.between(1, 3)).unwrap(),
        75..90 => shifted(defect.line, 30, dice),
        90..95 => 0,
        _ => shifted(defect.line, 400, dice),
    };
    let code = &defect.quote[0];
    let evidence = match dice.below(100) {
        0..60 => code.clone(),
        60..70 => format!("+{}|{code}", defect.line),
        70..80 => defect.quote.join("\n"),
        80..90 => part_of(code),
        90..95 => format!("`{}`", code.trim()),
        _ => format!("the line in {} that handles {}", defect.function, defect.subject),
    };
    let file = misspelt(&defect.file, dice);
    let severity = if dice.chance(70) {
        kind.severity
    } else {
        *dice.pick(&["critical", "high", "medium", "low"])
    };
    finding(severity, &title, &risk, &file, line, &evidence)
}

fn shifted(line: u32, most: usize, dice: &mut Dice) -> u32 {
    let by = u32::try_from(dice.between(1, most)).unwrap();
    if dice.chance(50) {
        line + by
    } else {
        line.saturating_sub(by)
    }
}

/// The middle of a line, as long as it still says something.
fn part_of(code: &str) -> String {
    let code = code.trim();
    let chars: Vec<char> = code.chars().collect();
    let skip = chars.len() / 5;
    chars[skip..chars.len() - skip].iter().collect()
}

fn misspelt(file: &str, dice: &mut Dice) -> String {
    let name = file.rsplit('/').next().unwrap();
    match dice.below(100) {
        0..85 => file.to_owned(),
        85..90 => format!("b/{file}"),
        90..93 => format!("/home/me/project/{file}"),
        93..96 => name.to_owned(),
        96..98 => file.to_uppercase(),
        _ => format!("lib/moved/{name}.old"),
    }
}

/// A finding where nothing is wrong.
fn noise(place: &Place, wrong: usize, dice: &mut Dice) -> (Truth, Value) {
    let (severity, title, risk) = NOISE[wrong];
    let truth = Truth::Wrong(format!("{}:{}:{wrong}", place.file, place.line));
    let line = if dice.chance(80) {
        place.line
    } else {
        shifted(place.line, 10, dice)
    };
    let evidence = if dice.chance(80) {
        place.text.clone()
    } else {
        String::new()
    };
    let title = fill(title, &place.function, "");
    let risk = if dice.chance(70) {
        fill(risk, &place.function, "")
    } else {
        String::new()
    };
    // Of a line that was there before, the reviewer complains all the same.
    let severity = if place.added { severity } else { "medium" };
    (
        truth,
        finding(severity, &title, &risk, &place.file, line, &evidence),
    )
}

/// A finding in a file that does not exist.
fn invented(dice: &mut Dice) -> (Truth, Value) {
    let number = dice.below(1_000);
    let file = format!("src/legacy/handler{number}.xyz");
    let value = finding(
        "high",
        "The handler trusts its input",
        "Anything may be sent.",
        &file,
        10,
        "handle(input)",
    );
    (Truth::Wrong(file), value)
}

fn finding(severity: &str, title: &str, risk: &str, file: &str, line: u32, evidence: &str) -> Value {
    json!({"severity": severity, "title": title, "file": file, "line": line, "end_line": null, "side": "new",
        "evidence": evidence, "risk": risk, "recommendation": "", "confidence": "medium"})
}
