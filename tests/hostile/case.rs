//! One case of the corpus, and what a runner found.

use std::fmt::Display;

/// One thing that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// The letter of its group and a number, such as `A017`.
    pub(crate) id: String,
    /// What is tried.
    pub(crate) what: String,
    /// What must not happen.
    pub(crate) forbidden: &'static str,
}

/// Numbers the cases of a table from `first` on.
pub(crate) fn numbered<T: Display>(
    letter: char,
    first: usize,
    forbidden: &'static str,
    what: impl IntoIterator<Item = T>,
) -> Vec<Case> {
    let cases = what.into_iter().enumerate();
    cases
        .map(|(at, what)| Case {
            id: format!("{letter}{:03}", first + at),
            what: what.to_string(),
            forbidden,
        })
        .collect()
}

/// What got through, case by case: a runner tries all of its group before it fails, so that one run shows everything.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    tried: usize,
    breaches: Vec<String>,
}

impl Findings {
    /// Notes that a case was tried, with what went wrong in it.
    pub(crate) fn note(&mut self, case: &Case, wrong: impl IntoIterator<Item = String>) {
        self.tried += 1;
        for wrong in wrong {
            let breach = format!("{} ({}): {wrong}", case.id, case.what);
            self.breaches.push(breach);
        }
    }

    /// Takes over what another runner of the same group found.
    pub(crate) fn extend(&mut self, other: Self) {
        self.tried += other.tried;
        self.breaches.extend(other.breaches);
    }

    /// Fails with everything that got through, or because fewer cases were tried than there are.
    pub(crate) fn assert_none(self, least_tried: usize) {
        assert!(
            self.breaches.is_empty(),
            "{} of {} tries went wrong:\n{}",
            self.breaches.len(),
            self.tried,
            self.breaches.join("\n")
        );
        assert!(
            self.tried >= least_tried,
            "only {} of {least_tried} were tried",
            self.tried
        );
    }
}

#[test]
fn what_went_wrong_is_told_with_its_case() {
    let cases = numbered('X', 7, "nothing", ["one", "two"]);
    assert_eq!((cases[0].id.as_str(), cases[1].what.as_str()), ("X007", "two"));
    let mut findings = Findings::default();
    findings.note(&cases[0], []);
    findings.note(&cases[1], ["it ran".to_owned()]);
    let told = std::panic::catch_unwind(move || findings.assert_none(2)).unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("X008 (two): it ran"), "{told}");
}
