//! The stop gate: whether the end of a turn is looked at, and what a look comes to.
//!
//! Three things can come of a look: the change passes, it is blocked with findings, or nobody could look. Only findings
//! ever keep a turn from ending: whatever goes wrong with the gate itself is told once and lets the turn end. Everything
//! here is decided from values; [`text`] has the words.

use serde::{Deserialize, Serialize};

use crate::domain::fault::FaultCode;
use crate::domain::finding::{Anchor, Finding, Severity};
use crate::domain::review_answer::ReviewAnswer;

pub mod change;
pub mod text;

/// Rounds of one prompt that may end in findings. A second one sees what became of the first; whoever has not settled it
/// by then needs a person.
pub const ROUNDS: u32 = 2;
/// Reviews that the gate pays for in one conversation.
pub const REVIEWS: u32 = 10;

/// What the person wants of the gate, from nothing to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing.
    #[default]
    Off,
    /// Reviews in the background, and a word only about findings.
    Soft,
    /// Reviews before the turn ends, and findings keep it from ending.
    Hard,
}

impl Mode {
    /// Reads the name of a value.
    pub fn named(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "off" => Some(Self::Off),
            "soft" => Some(Self::Soft),
            "hard" => Some(Self::Hard),
            _ => None,
        }
    }

    /// Returns the name of a value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }

    /// Returns what is in force: what the person chose in the host, and no more than the variable admits, which a
    /// project's own settings may carry. What cannot be read costs nothing.
    pub fn in_force(chosen: Option<&str>, variable: Option<&str>) -> Self {
        let read = |text: &str| Self::named(text).unwrap_or_default();
        let most = variable.map_or(Self::Hard, read);
        chosen.map_or_else(Self::default, read).min(most)
    }
}

/// What goes on beside the turn that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Nothing.
    Quiet,
    /// Work of the host's, or a job of ours: the change is not finished, and its end begins another turn.
    Busy,
}

/// Why the turn that ends went on at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continued {
    /// It did not: it is the turn of a prompt.
    No,
    /// A hook kept it from ending (`stop_hook_active`).
    ByAHook,
}

/// A turn that ends, as far as the gate looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What goes on beside it.
    pub background: Background,
    /// Why it went on.
    pub continued: Continued,
    /// Rounds with findings in this prompt.
    pub rounds: u32,
    /// Reviews that were paid for in this conversation.
    pub reviews: u32,
}

/// What is done at the end of a turn in which something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The change is reviewed.
    Review,
    /// Nothing.
    Leave,
    /// Nothing, and the person is told which limit was reached.
    Reached(Limit),
}

/// A limit of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`ROUNDS`] of one prompt.
    Rounds,
    /// [`REVIEWS`] of one conversation.
    Reviews,
}

impl Turn {
    /// Tells whether it is worth looking what changed: reading a working tree is not free.
    pub fn is_looked_at(&self) -> bool {
        // A turn that another hook keeps going is that hook's: with a gate between them neither would end.
        let is_anothers = self.continued == Continued::ByAHook && self.rounds == 0;
        self.background == Background::Quiet && !is_anothers
    }

    /// Decides what is done about a change.
    pub fn step(&self) -> Step {
        if !self.is_looked_at() {
            Step::Leave
        } else if self.rounds >= ROUNDS {
            Step::Reached(Limit::Rounds)
        } else if self.reviews >= REVIEWS {
            Step::Reached(Limit::Reviews)
        } else {
            Step::Review
        }
    }
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against the end of the turn.
    Pass,
    /// These findings do, the worst first.
    Block(Vec<Finding>),
    /// Nobody could look.
    CouldNotRun(Reason),
}

/// Why nobody could look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The review was refused, or ended without an answer.
    Fault(FaultCode),
    /// It goes on longer than a turn is held up for it.
    TakesLong,
}

impl Reason {
    /// Names it, so that each is told once.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fault(code) => code.as_str(),
            Self::TakesLong => "takes_long",
        }
    }
}

/// Judges an answer. Findings that the conversation was `told` of are settled: it fixed them or said why not.
pub fn judge(answer: &ReviewAnswer, told: &[String]) -> Verdict {
    let findings = answer.findings.iter();
    let findings: Vec<Finding> = findings
        .filter(|finding| is_blocking(finding) && !told.contains(&finding.id))
        .cloned()
        .collect();
    if findings.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Block(findings)
    }
}

/// Tells whether a finding keeps a turn from ending: it is wrong in a case that can happen, and it points into what changed.
fn is_blocking(finding: &Finding) -> bool {
    let is_bad = match finding.severity {
        Severity::Critical | Severity::High | Severity::Medium => true,
        Severity::Low | Severity::Nit => false,
    };
    // What stood there before the turn is not the turn's to mend.
    is_bad && finding.anchor != Anchor::OffDiff && !finding.origin.is_old()
}

/// How many findings a conversation has been told of, by prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// The prompt, as the host names it; empty where it names none.
    prompt: String,
    /// Rounds of it.
    count: u32,
    /// Whether the person was told that they are used up.
    told: bool,
}

impl Rounds {
    /// Returns how many there were in this prompt.
    pub fn of(&self, prompt: &str) -> u32 {
        if self.prompt == prompt { self.count } else { 0 }
    }

    /// Counts one more in this prompt.
    pub fn count(&mut self, prompt: &str) {
        *self = Self {
            count: self.of(prompt) + 1,
            told: self.prompt == prompt && self.told,
            prompt: prompt.to_owned(),
        };
    }

    /// Tells whether it is the first time that somebody says of this prompt that they are used up.
    pub fn tell(&mut self, prompt: &str) -> bool {
        self.prompt == prompt && !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::finding::tests::finding;
    use crate::domain::review_answer::tests::answer;

    #[test]
    fn a_variable_takes_away_and_never_gives() {
        let check = |chosen: Option<&str>, variable: Option<&str>, expected: Mode| {
            assert_eq!(
                Mode::in_force(chosen, variable),
                expected,
                "{chosen:?} {variable:?}"
            );
        };
        check(None, None, Mode::Off);
        check(Some("soft"), None, Mode::Soft);
        check(Some(" HARD "), None, Mode::Hard);
        check(Some("true"), None, Mode::Off);
        check(Some("hard"), Some("off"), Mode::Off);
        check(Some("hard"), Some("soft"), Mode::Soft);
        check(Some("soft"), Some("hard"), Mode::Soft);
        check(None, Some("hard"), Mode::Off);
        check(Some("hard"), Some("nonsense"), Mode::Off);
    }

    #[test]
    fn a_turn_is_reviewed_when_it_is_over_and_the_limits_allow_it() {
        let turn = Turn {
            background: Background::Quiet,
            continued: Continued::No,
            rounds: 0,
            reviews: 0,
        };
        let check = |turn: Turn, expected: Step| assert_eq!(turn.step(), expected, "{turn:?}");
        check(turn, Step::Review);
        let busy = Turn {
            background: Background::Busy,
            ..turn
        };
        check(busy, Step::Leave);
        let continued = Turn {
            continued: Continued::ByAHook,
            ..turn
        };
        check(continued, Step::Leave);
        // What we sent back ourselves is looked at again, and then no more.
        check(
            Turn {
                rounds: 1,
                ..continued
            },
            Step::Review,
        );
        check(
            Turn {
                rounds: ROUNDS,
                ..continued
            },
            Step::Reached(Limit::Rounds),
        );
        check(
            Turn {
                reviews: REVIEWS - 1,
                ..turn
            },
            Step::Review,
        );
        check(
            Turn {
                reviews: REVIEWS,
                ..turn
            },
            Step::Reached(Limit::Reviews),
        );
    }

    #[test]
    fn only_what_is_new_bad_and_in_the_change_blocks() {
        let check = |severity, anchor, told: &[&str], blocks: bool| {
            let told: Vec<String> = told.iter().map(|id| (*id).to_owned()).collect();
            let found = finding("f1", severity, anchor);
            let expected = if blocks {
                Verdict::Block(vec![found.clone()])
            } else {
                Verdict::Pass
            };
            assert_eq!(
                judge(&answer(vec![found]), &told),
                expected,
                "{severity:?} {anchor:?}"
            );
        };
        check(Severity::Critical, Anchor::Exact, &[], true);
        check(Severity::High, Anchor::Moved, &["f2"], true);
        check(Severity::Medium, Anchor::Exact, &[], true);
        check(Severity::Low, Anchor::Exact, &[], false);
        check(Severity::Nit, Anchor::Exact, &[], false);
        check(Severity::Critical, Anchor::OffDiff, &[], false);
        check(Severity::Critical, Anchor::Exact, &["f1"], false);
        assert_eq!(judge(&answer(Vec::new()), &[]), Verdict::Pass);
    }

    #[test]
    fn rounds_are_counted_for_each_prompt() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.of("p1"), 0);
        assert!(!rounds.tell("p1"), "nothing was counted");
        rounds.count("p1");
        rounds.count("p1");
        assert_eq!((rounds.of("p1"), rounds.of("p2")), (2, 0));
        assert!(rounds.tell("p1") && !rounds.tell("p1"));
        rounds.count("p2");
        assert_eq!((rounds.of("p1"), rounds.of("p2")), (0, 1));
        assert!(rounds.tell("p2"));
    }
}
