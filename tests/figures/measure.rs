//! Counts that say how good a merge, a vote or a verification is.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// How well things that were put together belong together: of all pairs, those that are one in truth and those that are
/// one by the merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// One in truth and by the merge.
    pub(crate) both: usize,
    /// One by the merge alone.
    pub(crate) merged: usize,
    /// One in truth alone.
    pub(crate) missed: usize,
}

impl Pairs {
    /// Counts the pairs of a list of things: what each is in truth, and which group the merge put it into.
    pub(crate) fn of<T: PartialEq, G: PartialEq>(things: &[(T, G)]) -> Self {
        let mut pairs = Self::default();
        for (at, (truth, group)) in things.iter().enumerate() {
            for (other_truth, other_group) in &things[at + 1..] {
                match (truth == other_truth, group == other_group) {
                    (true, true) => pairs.both += 1,
                    (false, true) => pairs.merged += 1,
                    (true, false) => pairs.missed += 1,
                    (false, false) => {}
                }
            }
        }
        pairs
    }

    pub(crate) fn precision(self) -> f64 {
        share(self.both, self.both + self.merged)
    }

    pub(crate) fn recall(self) -> f64 {
        share(self.both, self.both + self.missed)
    }

    /// Returns the harmonic mean of the two.
    pub(crate) fn f1(self) -> f64 {
        share(2 * self.both, 2 * self.both + self.merged + self.missed)
    }
}

impl AddAssign for Pairs {
    fn add_assign(&mut self, other: Self) {
        self.both += other.both;
        self.merged += other.merged;
        self.missed += other.missed;
    }
}

impl fmt::Display for Pairs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "pair-F1 {:.3} (precision {:.3}, recall {:.3}; {} pairs in truth)",
            self.f1(),
            self.precision(),
            self.recall(),
            self.both + self.missed
        )
    }
}

/// How many of several things are real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) real: usize,
    pub(crate) all: usize,
}

impl Share {
    pub(crate) fn count(&mut self, is_real: bool) {
        self.real += usize::from(is_real);
        self.all += 1;
    }

    pub(crate) fn value(self) -> f64 {
        share(self.real, self.all)
    }
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.real += other.real;
        self.all += other.all;
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.1} % ({} of {})",
            100.0 * self.value(),
            self.real,
            self.all
        )
    }
}

/// Returns what part of a whole something is; of nothing it is nothing.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    let number = |value: usize| f64::from(u32::try_from(value).unwrap());
    if whole == 0 {
        0.0
    } else {
        number(part) / number(whole)
    }
}

/// Returns which group each of several things is in, from groups that list them.
pub(crate) fn group_of(groups: &[Vec<usize>]) -> BTreeMap<usize, usize> {
    let groups = groups.iter().enumerate();
    groups
        .flat_map(|(group, members)| members.iter().map(move |&member| (member, group)))
        .collect()
}

#[test]
fn pairs_are_counted_by_hand() {
    // a a b b, merged as {a} {a b} {b}.
    let pairs = Pairs::of(&[('a', 1), ('a', 2), ('b', 2), ('b', 3)]);
    let expected = Pairs {
        both: 0,
        merged: 1,
        missed: 2,
    };
    assert_eq!(pairs, expected);
    let pairs = Pairs::of(&[('a', 1), ('a', 1), ('a', 2), ('b', 3)]);
    assert_eq!((pairs.both, pairs.merged, pairs.missed), (1, 0, 2));
    assert!((pairs.f1() - 0.5).abs() < 1e-9 && (pairs.precision() - 1.0).abs() < 1e-9);
}
