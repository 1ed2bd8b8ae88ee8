//! Attempts at one task, compared. Checks come first, then scope, then size; what is equal in all of them is a tie, which
//! a person breaks.

use std::cmp::Ordering;

use crate::domain::delegation::Work;

/// What an attempt is judged by. The order of the fields is the order in which they count; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// Whether the run ended without an answer.
    pub is_incomplete: bool,
    /// Whether it changed nothing.
    pub is_empty: bool,
    /// Checks that did not pass, the setup among them.
    pub failed_checks: usize,
    /// Whether it went beyond what was allowed.
    pub is_out_of_scope: bool,
    /// Lines added and removed; a file that is not text counts as `BINARY_LINES`.
    pub lines: u64,
    /// Files.
    pub files: u32,
}

/// What a binary file counts as: it cannot be read, so it weighs more than a small edit.
const BINARY_LINES: u64 = 100;

impl Score {
    /// Scores what an attempt left.
    pub fn of(work: &Work, is_complete: bool) -> Self {
        let stat = work.diffstat;
        let checks = work.setup.iter().chain(&work.checks);
        Self {
            is_incomplete: !is_complete,
            is_empty: work.is_empty(),
            failed_checks: checks.filter(|check| check.exit_code != Some(0)).count(),
            is_out_of_scope: !work.scope.is_kept(),
            lines: stat.added + stat.removed + u64::from(stat.binary) * BINARY_LINES,
            files: stat.files,
        }
    }
}

/// Who is best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// Nobody has anything to land.
    Nobody,
    /// One attempt, by its index.
    Winner(usize),
    /// Several, by their indexes, ascending.
    Tie(Vec<usize>),
}

/// Ranks attempts; `None` stands for one that left nothing that could be read.
pub fn rank(scores: &[Option<Score>]) -> Ranking {
    let mut best: Vec<usize> = Vec::new();
    let useful = scores.iter().enumerate();
    let useful = useful.filter_map(|(at, score)| Some((at, (*score)?)));
    for (at, score) in useful.filter(|(_, score)| !score.is_empty && !score.is_incomplete) {
        let leader = best.first().and_then(|leader| scores[*leader]);
        match leader.map_or(Ordering::Less, |leader| score.cmp(&leader)) {
            Ordering::Less => best = vec![at],
            Ordering::Equal => best.push(at),
            Ordering::Greater => {}
        }
    }
    match best.as_slice() {
        [] => Ranking::Nobody,
        [only] => Ranking::Winner(*only),
        _ => Ranking::Tie(best),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delegation::{CheckOutcome, Diffstat, ScopeReport};

    /// An attempt with so many failed checks, files outside and lines.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "an attempt may have left nothing, which other cases pass"
    )]
    fn attempt(failed: usize, outside: u32, lines: u64) -> Option<Score> {
        let check = |exit_code| CheckOutcome {
            command: "c".to_owned(),
            exit_code,
            ms: 1,
            tail: String::new(),
        };
        let work = Work {
            checks: (0..2).map(|at| check(Some(i32::from(at < failed)))).collect(),
            scope: ScopeReport {
                more_outside: outside,
                ..ScopeReport::default()
            },
            diffstat: Diffstat {
                files: u32::from(lines > 0),
                added: lines,
                ..Diffstat::default()
            },
            ..Work::default()
        };
        Some(Score::of(&work, true))
    }

    #[test]
    fn checks_come_before_scope_and_scope_before_size() {
        let check = |scores: &[Option<Score>], expected| assert_eq!(rank(scores), expected, "{scores:?}");
        check(&[], Ranking::Nobody);
        check(&[None, None], Ranking::Nobody);
        check(&[attempt(0, 0, 0)], Ranking::Nobody);
        check(&[attempt(0, 0, 5)], Ranking::Winner(0));
        check(&[attempt(1, 0, 1), attempt(0, 3, 99)], Ranking::Winner(1));
        check(&[attempt(0, 1, 1), attempt(0, 0, 99)], Ranking::Winner(1));
        check(&[attempt(0, 0, 9), attempt(0, 0, 8)], Ranking::Winner(1));
        check(&[attempt(0, 0, 8), attempt(0, 0, 8)], Ranking::Tie(vec![0, 1]));
        check(
            &[attempt(1, 0, 8), None, attempt(0, 0, 8), attempt(0, 0, 8)],
            Ranking::Tie(vec![2, 3]),
        );
        check(&[attempt(0, 0, 0), attempt(2, 9, 99)], Ranking::Winner(1));
    }

    #[test]
    fn an_attempt_that_was_ended_early_does_not_win() {
        let mut early = attempt(0, 0, 1).unwrap();
        early.is_incomplete = true;
        assert_eq!(rank(&[Some(early), attempt(2, 0, 50)]), Ranking::Winner(1));
        assert_eq!(rank(&[Some(early)]), Ranking::Nobody);
    }
}
