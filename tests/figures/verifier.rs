//! The second model call, by a script: it judges findings, with errors of judgement that are stated here, and of form.

use std::collections::BTreeSet;

use crosscheck::domain::finding::{Finding, Severity};
use serde_json::json;

use crate::dice::Dice;
use crate::reviewer::Truth;

/// How a verifier judges: of a hundred findings, how many get each word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgement {
    /// Real findings that it confirms, and those that it refutes all the same.
    pub(crate) real_confirmed: usize,
    pub(crate) real_refuted: usize,
    /// Wrong findings that it refutes, and those that it confirms all the same.
    pub(crate) wrong_refuted: usize,
    pub(crate) wrong_confirmed: usize,
}

/// One that is never wrong about the code.
pub(crate) const TRUTHFUL: Judgement = Judgement {
    real_confirmed: 100,
    real_refuted: 0,
    wrong_refuted: 100,
    wrong_confirmed: 0,
};

/// One that errs as models do; these rates are guesses and were measured nowhere.
pub(crate) const ERRING: Judgement = Judgement {
    real_confirmed: 85,
    real_refuted: 5,
    wrong_refuted: 80,
    wrong_confirmed: 6,
};

/// What a verifier said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// With whatever stands around the JSON.
    pub(crate) text: String,
    /// The JSON alone.
    pub(crate) repaired: String,
    /// Which findings were asked about.
    pub(crate) asked: BTreeSet<String>,
}

/// Judges findings. Nits are not asked about.
pub(crate) fn judge(findings: &[Finding], how: Judgement, dice: &mut Dice) -> Said {
    let asked: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity < Severity::Nit)
        .collect();
    let pairs: Vec<(&str, bool)> = asked
        .iter()
        .map(|finding| (finding.id.as_str(), Truth::of(&finding.recommendation).is_some()))
        .collect();
    let (text, repaired) = answer(&pairs, how, dice);
    Said {
        text,
        repaired,
        asked: asked.iter().map(|finding| finding.id.clone()).collect(),
    }
}

/// Writes the answer for findings of which it is known whether they are real: as it is said, and without what stands around.
pub(crate) fn answer(findings: &[(&str, bool)], how: Judgement, dice: &mut Dice) -> (String, String) {
    let mut entries = Vec::new();
    for (id, is_real) in findings {
        let (confirmed, refuted) = if *is_real {
            (how.real_confirmed, how.real_refuted)
        } else {
            (how.wrong_confirmed, how.wrong_refuted)
        };
        let thrown = dice.below(100);
        let word = if thrown < confirmed {
            "confirmed"
        } else if thrown < confirmed + refuted {
            "refuted"
        } else {
            "undecided"
        };
        let word = if dice.chance(10) {
            word.to_uppercase()
        } else {
            word.to_owned()
        };
        let id = match dice.below(10) {
            0 => format!("`{id}`"),
            1 => format!("#{id}"),
            _ => (*id).to_owned(),
        };
        let entry = json!({"id": id, "verdict": word, "reason": "The code around it shows that.", "command": null,
            "in_base": false});
        if dice.chance(10) {
            entries.push(entry.clone());
        }
        entries.push(entry);
    }
    if dice.chance(10) {
        entries.push(
            json!({"id": "000000000000", "verdict": "confirmed", "reason": "It is obvious.", "command": null,
            "in_base": null}),
        );
    }
    let text = json!({"verdicts": entries}).to_string();
    let said = match dice.below(100) {
        0..15 => format!("I checked each finding.\n{text}"),
        15..30 => format!("```json\n{text}\n```"),
        _ => text.clone(),
    };
    (said, text)
}
