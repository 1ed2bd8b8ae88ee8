//! A few of the seeded changes through everything: our program, the real codex, and a model that follows the scripts.

use std::sync::atomic::{AtomicU64, Ordering};

use crosscheck::model::turn::{item_text, role};
use crosscheck::model::{Reply, Script, Turn};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::reviewer::{Truth, look};
use crate::seeded::{Case, clean, with_defect};
use crate::support::scripts::Scripted;
use crate::verifier::{TRUTHFUL, answer};
use crate::world::World;

/// The reviewer and the verifier of one change, as a model.
struct Model {
    case: Case,
    looks: AtomicU64,
}

impl Script for Model {
    fn reply(&self, turn: &Turn) -> Reply {
        // Whoever is asked to repair an answer is not told the findings again.
        let asked = turn.items().iter().filter(|item| role(item) == "user");
        let prompt: String = asked.map(|item| item_text(item) + "\n").collect();
        let text = if turn
            .schema()
            .is_some_and(|schema| schema.to_string().contains("\"verdicts\""))
        {
            let claims: Vec<Value> = prompt
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            let titles = |claim: &Value| -> bool { self.is_real(claim) };
            let findings: Vec<(String, bool)> = claims
                .iter()
                .filter_map(|claim| Some((claim["id"].as_str()?.to_owned(), titles(claim))))
                .collect();
            let pairs: Vec<(&str, bool)> = findings.iter().map(|(id, real)| (id.as_str(), *real)).collect();
            let (said, repaired) = answer(&pairs, TRUTHFUL, &mut Dice::new(self.case.number));
            if turn.answers() > 0 { repaired } else { said }
        } else if turn.answers() > 0 {
            // It is asked for nothing but JSON.
            look(&self.case, 1).repaired
        } else {
            let number = self.looks.fetch_add(1, Ordering::SeqCst) % 3 + 1;
            look(&self.case, number).said
        };
        Reply::text(text)
    }
}

impl Model {
    /// Tells whether a claim is of a defect: a verifier sees no more of it than this.
    fn is_real(&self, claim: &Value) -> bool {
        (1..=3)
            .flat_map(|number| look(&self.case, number).truths_by_title())
            .any(|(title, truth)| truth.is_real() && claim["title"] == title.as_str())
    }
}

/// Reviews a case deep, and returns the envelope.
fn review(case: &Case) -> Value {
    let model = Model {
        case: case.clone(),
        looks: AtomicU64::new(0),
    };
    let world = World::new(model);
    world.git(&["init", "-q"]);
    let lines = |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
    for file in &case.files {
        world.write(&file.path, lines(&file.old));
    }
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "one"]);
    for file in &case.files {
        world.write(&file.path, lines(&file.new_lines()));
    }
    let mut server = world.server();
    server.ok("review", &json!({"depth": "deep"}))
}

#[test]
fn a_defect_is_told_at_its_line_and_verified_through_the_real_codex() {
    for id in [3, 47, 128] {
        let case = with_defect(id);
        let review = review(&case);
        let defect = &case.defects[0];
        let findings = review["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| {
            finding["recommendation"]
                .as_str()
                .is_some_and(|text| Truth::of(text) == Some(defect.id))
        });
        let found = found.unwrap_or_else(|| panic!("{review:#}"));
        assert_eq!(
            (&found["file"], &found["line"]),
            (&json!(defect.file), &json!(defect.line)),
            "{review:#}"
        );
        assert_eq!(
            (&found["basis"], &found["looks"]),
            (&json!("verified"), &json!(3)),
            "{review:#}"
        );
        // Of what is wrong, nothing stays that is worse than a nit.
        let wrong = findings.iter().filter(|finding| {
            finding["severity"] != "nit" && Truth::of(finding["recommendation"].as_str().unwrap()).is_none()
        });
        assert_eq!(wrong.count(), 0, "{review:#}");
        assert_eq!(review["coverage"]["status"], "complete");
    }
}

#[test]
fn a_clean_change_has_no_finding_left_through_the_real_codex() {
    // Changes of which at least one look has a wrong finding that is doubted.
    let is_doubted = |case: &Case| {
        let answer: Value = serde_json::from_str(&look(case, 1).repaired).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        findings.iter().any(|finding| finding["severity"] != "nit")
    };
    let tempted = (0..200).map(clean).filter(is_doubted);
    for case in tempted.take(2) {
        let review = review(&case);
        let findings = review["findings"].as_array().unwrap();
        assert!(
            findings.iter().all(|finding| finding["severity"] == "nit"),
            "{review:#}"
        );
        let refuted = &review["examination"]["verification"]["refuted"];
        assert!(refuted.as_u64().is_some_and(|count| count > 0), "{review:#}");
        assert_eq!(review["verdict"], "pass", "{review:#}");
    }
}

#[test]
fn a_reviewer_that_reads_nothing_has_not_run() {
    let silent = json!({"summary": "", "verdict": "pass", "confidence": "high", "score": null, "findings": [],
        "questions": [], "assumptions": []});
    let world = World::new(Scripted::json(silent)).with_change();
    let review = world.server().ok("review", &json!({"depth": "deep"}));
    assert_eq!(
        (&review["review_status"], &review["verdict"]),
        (&json!("not_run"), &json!("unknown")),
        "{review:#}"
    );
    assert_eq!(
        review["coverage"]["hunks"],
        json!({"total": 1, "sent": 0, "omitted": 1})
    );
}
