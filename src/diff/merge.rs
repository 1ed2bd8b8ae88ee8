//! Makes one finding of what several looks reported of the same defect, and counts how many of them did.
//!
//! Two findings are the same when they stand in the same place and mean the same. Place alone is not enough: one line can
//! have two defects, and both must survive. Meaning alone is not enough either: the same mistake in two functions is two
//! findings. So the nearer the places, the less must their words agree (see `meaning`). Groups become one while their
//! members are the same on the average (see `linkage`), since one vague finding would tie everything in its place
//! together otherwise.
//!
//! The result depends on the findings alone, never on the order in which the looks ended, and merging what was merged
//! changes nothing: what stands for a group is one of its members, whole, and no two members of two groups are the same.

mod linkage;
mod meaning;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diff::anchor::Located;
use crate::diff::evidence::Quote;
use crate::diff::merge::linkage::Nearness;
use crate::diff::merge::meaning::Words;
use crate::domain::finding::{Anchor, Finding, Severity, Side};

/// Lines between two places that still count as near: reviewers point at the head of a statement or at its middle.
const NEAR_LINES: u32 = 3;
/// Lines of a range that count. A finding about a whole file would stand beside everything in it otherwise.
const RANGE_LINES: u32 = 40;
/// Alphanumeric characters of a quoted line that says where it stands; `}` and `else` stand everywhere.
const TELLING_CHARS: usize = 6;

/// What speaks against a group for each two of its members that cannot be the same whatever their words.
const APART: f32 = -0.5;

/// How much two texts must agree, from 0 to 1, for findings that quote the same code in the same lines.
const AT_SAME_CODE: f32 = 0.16;
/// The same for findings whose lines overlap.
const AT_SAME_LINES: f32 = 0.28;
/// The same for findings near each other of which one quotes nothing, or with the same code in other lines.
const NEARBY: f32 = 0.36;
/// The same for findings of one file that have no line at all.
const WITHOUT_PLACE: f32 = 0.6;

/// A finding and the looks that reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The finding in its place.
    pub located: Located,
    /// The looks, by their numbers.
    pub looks: BTreeSet<u32>,
}

/// Tells whether two findings are of the same defect. Who reported them, and how bad they say it is, does not matter.
pub fn are_same(one: &Finding, other: &Finding) -> bool {
    one.file == other.file && Gist::of(one).is_same(&Gist::of(other))
}

/// Merges what several looks reported, the worst first, then by place.
///
/// A merged finding is the best anchored of its group. Its severity is the median over the looks that reported it, the
/// worse one of two: a single look that exaggerates does not fail a change which two others find harmless, and one that
/// belittles does not hide what two others call bad.
pub fn merge(mut sightings: Vec<Sighting>) -> Vec<Sighting> {
    sightings.sort_by(|a, b| (order(a), &a.looks).cmp(&(order(b), &b.looks)));
    let gists: Vec<Gist> = sightings
        .iter()
        .map(|sighting| Gist::of(&sighting.located.finding))
        .collect();
    let mut chains = Groups::new(sightings.len());
    let mut files: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in sightings.iter().enumerate() {
        let file = sighting.located.finding.file.as_str();
        files.entry(file).or_default().push(index);
    }
    for members in files.values() {
        join_same(members, &gists, &mut chains);
    }
    let mut gathered: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..sightings.len() {
        gathered.entry(chains.root(index)).or_default().push(index);
    }
    let mut merged: Vec<Sighting> = gathered
        .into_values()
        .flat_map(|chain| Chain::new(&chain, &sightings, &gists).merge())
        .collect();
    merged.sort_by(|a, b| order(a).cmp(&order(b)));
    merged
}

/// Joins what is the same among the findings of one file. Only neighbours by line, by quoted code, or without any line
/// are compared: everything else is never the same.
fn join_same(members: &[usize], gists: &[Gist], groups: &mut Groups) {
    let mut compare = |one: usize, other: usize| {
        if groups.root(one) != groups.root(other) && gists[one].is_same(&gists[other]) {
            groups.join(one, other);
        }
    };
    let mut by_line: Vec<usize> = members.to_vec();
    by_line.sort_by_key(|&index| (gists[index].side == Side::Old, gists[index].first));
    for (at, &one) in by_line.iter().enumerate() {
        let gist = &gists[one];
        for &other in &by_line[at + 1..] {
            let next = &gists[other];
            if next.side != gist.side || next.first > gist.last.saturating_add(NEAR_LINES) {
                break;
            }
            compare(one, other);
        }
    }
    let mut by_code: HashMap<u64, Vec<usize>> = HashMap::new();
    for &index in members {
        for line in &gists[index].quote {
            by_code.entry(*line).or_default().push(index);
        }
    }
    for same in by_code.values() {
        for (at, &one) in same.iter().enumerate() {
            same[at + 1..].iter().for_each(|&other| compare(one, other));
        }
    }
}

/// Findings of one file that hang together two by two, and how near each two are.
struct Chain<'a> {
    sightings: Vec<&'a Sighting>,
    near: Nearness,
}

impl<'a> Chain<'a> {
    fn new(members: &[usize], sightings: &'a [Sighting], gists: &[Gist]) -> Self {
        let near = |one: usize, other: usize| gists[members[one]].nearness(&gists[members[other]]);
        Self {
            sightings: members.iter().map(|&member| &sightings[member]).collect(),
            near: Nearness::new(members.len(), near),
        }
    }

    /// Makes one of each group; no two groups are stood for by findings that are the same.
    fn merge(&self) -> Vec<Sighting> {
        let groups = self.near.groups();
        let mut groups: Vec<(usize, Vec<usize>)> = groups
            .into_iter()
            .map(|group| (self.best(&group), group))
            .collect();
        while let Some((one, other)) = self.same(&groups) {
            let (_, taken) = groups.remove(other);
            let (best, group) = &mut groups[one];
            group.extend(taken);
            *best = self.best(group);
        }
        groups
            .into_iter()
            .map(|(best, group)| self.one_of(best, &group))
            .collect()
    }

    /// Finds two groups that are stood for by findings that are the same.
    fn same(&self, groups: &[(usize, Vec<usize>)]) -> Option<(usize, usize)> {
        (0..groups.len()).find_map(|one| {
            let is_same = |other: &usize| self.near.between(groups[one].0, groups[*other].0) >= 0.0;
            (one + 1..groups.len()).find(is_same).map(|other| (one, other))
        })
    }

    fn one_of(&self, best: usize, group: &[usize]) -> Sighting {
        let mut made = self.sightings[best].clone();
        made.located.finding.severity = self.voted(group);
        let looks = group
            .iter()
            .flat_map(|&member| self.sightings[member].looks.iter().copied());
        made.looks = looks.collect();
        made
    }

    /// Returns which of a group stands for it: the best anchored, and of those the one that is nearest to all others.
    fn best(&self, group: &[usize]) -> usize {
        let voted = self.voted(group);
        let nearness: BTreeMap<usize, f32> = group
            .iter()
            .map(|&member| {
                (
                    member,
                    group.iter().map(|&other| self.near.between(member, other)).sum(),
                )
            })
            .collect();
        let compare = |one: &usize, other: &usize| {
            let (first, second) = (self.sightings[*one], self.sightings[*other]);
            anchoring(first)
                .cmp(&anchoring(second))
                .then_with(|| nearness[other].total_cmp(&nearness[one]))
                .then_with(|| rank(first, voted).cmp(&rank(second, voted)))
        };
        group.iter().copied().min_by(compare).unwrap_or_default()
    }

    /// Returns the median of what the looks call it: of each look its worst word, and of two in the middle the worse.
    fn voted(&self, group: &[usize]) -> Severity {
        let severity_of = |member: &usize| self.sightings[*member].located.finding.severity;
        let mut by_look: BTreeMap<u32, Severity> = BTreeMap::new();
        for member in group {
            for look in &self.sightings[*member].looks {
                let worst = by_look.entry(*look).or_insert_with(|| severity_of(member));
                *worst = severity_of(member).min(*worst);
            }
        }
        let mut severities: Vec<Severity> = by_look.into_values().collect();
        severities.sort_unstable();
        let middle = severities.len().saturating_sub(1) / 2;
        let own = group.iter().map(severity_of).min();
        severities.get(middle).copied().or(own).unwrap_or(Severity::Nit)
    }
}

/// How well a finding is anchored, the best first.
fn anchoring(sighting: &Sighting) -> impl Ord + use<> {
    let finding = &sighting.located.finding;
    let anchor = match finding.anchor {
        Anchor::Exact => 0,
        Anchor::Moved => 1,
        Anchor::OffDiff => 2,
    };
    (anchor, finding.basis)
}

/// What decides between findings that are anchored alike and agreed with alike: the one that says it as bad as the vote,
/// then the one that says most; the rest only makes the choice the same in every order.
fn rank(sighting: &Sighting, voted: Severity) -> impl Ord + use<'_> {
    let finding = &sighting.located.finding;
    (
        finding.severity != voted,
        std::cmp::Reverse(finding.risk.len()),
        (&finding.title, &finding.risk, finding.line, finding.end_line),
        (&finding.evidence, &finding.recommendation, &sighting.located.key),
        (finding.side == Side::Old, finding.confidence, &finding.id),
    )
}

fn order(sighting: &Sighting) -> impl Ord + use<'_> {
    let finding = &sighting.located.finding;
    (
        finding.severity,
        (&finding.file, finding.line, finding.side == Side::Old),
        (
            &finding.title,
            &finding.risk,
            &finding.evidence,
            &finding.recommendation,
        ),
        (finding.end_line, finding.confidence, &finding.id),
    )
}

/// What two findings are compared by.
struct Gist {
    side: Side,
    /// First and last line; 0 for one without a place.
    first: u32,
    last: u32,
    /// Hashes of the quoted lines that say where they stand.
    quote: Vec<u64>,
    /// Whether it quotes anything at all.
    has_code: bool,
    words: Words,
}

impl Gist {
    fn of(finding: &Finding) -> Self {
        let end = finding.end_line.unwrap_or(finding.line).max(finding.line);
        let quote = Quote::parse(&finding.evidence);
        let says_where = |line: &&str| line.chars().filter(|c| c.is_alphanumeric()).count() >= TELLING_CHARS;
        let mut lines: Vec<u64> = quote.lines().filter(says_where).map(meaning::hash).collect();
        lines.sort_unstable();
        lines.dedup();
        Self {
            side: finding.side,
            first: finding.line,
            last: end.min(finding.line.saturating_add(RANGE_LINES)),
            quote: lines,
            has_code: quote.first().is_some(),
            words: Words::of(finding),
        }
    }

    /// Tells whether two findings of one file are the same.
    fn is_same(&self, other: &Self) -> bool {
        let needed = self.needed(other);
        needed.is_some_and(|needed| self.words.agreement(&other.words) >= needed)
    }

    /// Returns how much more the words agree than they must; below 0 for findings that are not the same.
    fn nearness(&self, other: &Self) -> f32 {
        let needed = self.needed(other);
        needed.map_or(APART, |needed| self.words.agreement(&other.words) - needed)
    }

    /// Returns how much the words must agree; `None` where the places differ whatever the words.
    fn needed(&self, other: &Self) -> Option<f32> {
        let same_code = self
            .quote
            .iter()
            .any(|line| other.quote.binary_search(line).is_ok());
        if self.first == 0 || other.first == 0 {
            let both = self.first == other.first;
            let unplaced = (both && self.side == other.side).then_some(WITHOUT_PLACE);
            return if same_code { Some(NEARBY) } else { unplaced };
        }
        let apart = if self.side == other.side {
            let gap = self
                .first
                .max(other.first)
                .saturating_sub(self.last.min(other.last));
            Some(gap)
        } else {
            None
        };
        match apart {
            Some(0) if same_code => Some(AT_SAME_CODE),
            Some(0) => Some(AT_SAME_LINES),
            _ if same_code => Some(NEARBY),
            // Two calls of one function, one below the other, can be two mistakes of one kind.
            Some(1..=NEAR_LINES) if !self.has_code || !other.has_code => Some(NEARBY),
            _ => None,
        }
    }
}

/// Which findings were joined.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
