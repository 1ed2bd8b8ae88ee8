//! What was found out, one guarantee at a time.

use serde::{Deserialize, Serialize};

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The guarantee held.
    Held,
    /// It did not.
    Broken {
        /// What happened instead, in one line.
        seen: String,
    },
    /// It could not be tried, or is not tried.
    NotChecked {
        /// Why, in one line.
        why: String,
    },
}

/// One thing that is relied on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its short name.
    pub name: String,
    /// What it guarantees, for people.
    pub guarantee: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: CheckOutcome,
}

/// All checks of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The checks, in the order in which they are listed.
    pub checks: Vec<Check>,
}

impl Report {
    /// Names what no longer holds; `None` when nothing is broken. What was not checked is not broken.
    pub fn broken(&self) -> Option<String> {
        let names: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| matches!(check.outcome, CheckOutcome::Broken { .. }))
            .map(|check| check.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Returns how many checks were not made.
    pub fn not_checked(&self) -> usize {
        self.checks
            .iter()
            .filter(|check| matches!(check.outcome, CheckOutcome::NotChecked { .. }))
            .count()
    }

    /// Returns what came of a check.
    pub fn outcome(&self, name: &str) -> Option<&CheckOutcome> {
        self.checks
            .iter()
            .find(|check| check.name == name)
            .map(|check| &check.outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_broke_is_named_and_every_outcome_survives_the_disk() {
        let check = |name: &str, outcome| Check {
            name: name.to_owned(),
            guarantee: "g".to_owned(),
            outcome,
        };
        let mut report = Report {
            checks: vec![
                check("a", CheckOutcome::Held),
                check("b", CheckOutcome::NotChecked { why: "w".to_owned() }),
            ],
        };
        assert_eq!((report.broken(), report.not_checked()), (None, 1));
        report
            .checks
            .push(check("c", CheckOutcome::Broken { seen: "s".to_owned() }));
        assert_eq!(report.broken(), Some("c".to_owned()));
        let text = serde_json::to_value(&report).unwrap();
        assert_eq!(
            text["checks"][2],
            json!({"name": "c", "guarantee": "g", "outcome": "broken", "seen": "s"})
        );
        assert_eq!(serde_json::from_value::<Report>(text).unwrap(), report);
    }
}
