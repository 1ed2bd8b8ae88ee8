//! Three looks at each change, merged and voted: what is told as one is one, and what two looks agree on is real.

use std::collections::{BTreeMap, BTreeSet};

use crosscheck::diff::anchor::{Located, locate};
use crosscheck::diff::merge::{Sighting, merge};
use crosscheck::diff::parse::parse_patch;
use crosscheck::diff::patch::Patch;
use crosscheck::domain::finding::{Anchor, Claim};
use crosscheck::prompt::parse_review;

use crate::measure::{Pairs, Share, group_of};
use crate::reviewer::{Look, Truth, look};
use crate::seeded::{Case, DEFECTS, REPOSITORIES, with_all, with_defect};

/// Looks of a deep review.
const LOOKS: u64 = 3;

/// Reads an answer as the worker does: what cannot be read is asked for once more.
fn claims(look: &Look) -> (Vec<Claim>, bool) {
    let first = parse_review(&look.said);
    let is_repaired = first.is_err();
    let raw = first.or_else(|_| parse_review(&look.repaired)).unwrap();
    assert_eq!(raw.claims.len(), look.truths.len());
    (raw.claims, is_repaired)
}

/// What the looks at some changes came to.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    pairs: Pairs,
    /// Merged findings that are real: of those that two looks agree on, and of all.
    agreed: Share,
    union: Share,
    /// Defects among the merged findings, and among the agreed, of those that any look told of.
    kept: Share,
    kept_agreed: Share,
    /// Defects that any look told of.
    found: Share,
    /// Claims of a defect that ended at its line, of those that did not name an invented file without a quote.
    anchored: Share,
    /// Findings of a file outside of the change that are told apart.
    repaired: Share,
}

fn review(case: &Case, figures: &mut Figures) {
    let patch: Patch = parse_patch(case.diff.as_bytes()).unwrap();
    let mut located: Vec<(Located, Truth, u64)> = Vec::new();
    for number in 1..=LOOKS {
        let look = look(case, number);
        let (claims, is_repaired) = claims(&look);
        figures.repaired.count(is_repaired);
        let placed = locate(&patch, "/home/me/project", claims);
        located.extend(
            placed
                .into_iter()
                .zip(look.truths)
                .map(|(placed, truth)| (placed, truth, number)),
        );
    }
    for (placed, truth, _) in &located {
        if let Truth::Defect(id) = truth {
            let defect = case.defects.iter().find(|defect| defect.id == *id).unwrap();
            let finding = &placed.finding;
            let is_right = finding.anchor != Anchor::OffDiff
                && finding.file == defect.file
                && finding.line == defect.line;
            figures.anchored.count(is_right);
        }
    }
    // Each claim is a look of its own here, so that it can be told afterwards which of them became one.
    let sightings = located
        .iter()
        .enumerate()
        .map(|(index, (placed, _, _))| Sighting {
            located: placed.clone(),
            looks: BTreeSet::from([u32::try_from(index).unwrap()]),
        });
    let groups: Vec<Vec<usize>> = merge(sightings.collect())
        .into_iter()
        .map(|sighting| {
            sighting
                .looks
                .into_iter()
                .map(|look| usize::try_from(look).unwrap())
                .collect()
        })
        .collect();
    let group = group_of(&groups);
    let things: Vec<(&Truth, usize)> = located
        .iter()
        .enumerate()
        .map(|(index, (_, truth, _))| (truth, group[&index]))
        .collect();
    figures.pairs += Pairs::of(&things);
    let (mut told, mut agreed) = (BTreeSet::new(), BTreeSet::new());
    for members in &groups {
        let looks: BTreeSet<u64> = members.iter().map(|&member| located[member].2).collect();
        // A merged finding is about what most of its members are about.
        let mut counts: BTreeMap<&Truth, usize> = BTreeMap::new();
        for &member in members {
            *counts.entry(&located[member].1).or_default() += 1;
        }
        let truth = counts.into_iter().max_by_key(|(_, count)| *count).unwrap().0;
        figures.union.count(truth.is_real());
        if looks.len() >= 2 {
            figures.agreed.count(truth.is_real());
        }
        if let Truth::Defect(id) = truth {
            told.insert(*id);
            if looks.len() >= 2 {
                agreed.insert(*id);
            }
        }
    }
    let any: BTreeSet<usize> = located
        .iter()
        .filter_map(|(_, truth, _)| {
            if let Truth::Defect(id) = truth {
                Some(*id)
            } else {
                None
            }
        })
        .collect();
    for defect in &case.defects {
        figures.found.count(any.contains(&defect.id));
    }
    for id in &any {
        figures.kept.count(told.contains(id));
        figures.kept_agreed.count(agreed.contains(id));
    }
}

fn print(name: &str, figures: &Figures) {
    println!("{name}: {}", figures.pairs);
    println!(
        "{name}: real are {} of what two looks agree on, and {} of all",
        figures.agreed, figures.union
    );
    println!(
        "{name}: of the defects {} were told by a look; of those {} are among the merged findings, {} among the agreed",
        figures.found, figures.kept, figures.kept_agreed
    );
    println!(
        "{name}: {} of the claims of a defect ended at its line; {} answers were asked for again",
        figures.anchored, figures.repaired
    );
}

/// The half on which the merge was tuned, and the half on which it is told how good it is.
fn halves(cases: &[Case]) -> [Vec<&Case>; 2] {
    let half = |odd: usize| cases.iter().skip(odd).step_by(2).collect();
    [half(0), half(1)]
}

fn measure(name: &str, cases: &[Case]) -> Figures {
    let [tuned, held] = halves(cases);
    let mut all = [Figures::default(); 2];
    for (cases, figures) in [tuned, held].into_iter().zip(&mut all) {
        for case in cases {
            review(case, figures);
        }
    }
    print(&format!("{name}, half to tune on"), &all[0]);
    print(&format!("{name}, other half"), &all[1]);
    all[1]
}

#[test]
fn what_looks_agree_on_is_one_finding_and_real() {
    let single: Vec<Case> = (0..REPOSITORIES * DEFECTS).map(with_defect).collect();
    let figures = measure("seeded, one defect each", &single);
    assert!(figures.pairs.f1() >= 0.80, "{figures:#?}");
    assert!(
        figures.agreed.value() >= 2.0 * figures.union.value() || figures.agreed.value() >= 0.9,
        "{figures:#?}"
    );
    assert!(
        figures.kept.value() >= 0.98 && figures.anchored.value() >= 0.85,
        "{figures:#?}"
    );
    let all: Vec<Case> = (0..REPOSITORIES).map(with_all).collect();
    let figures = measure("seeded, ten defects each", &all);
    assert!(figures.pairs.f1() >= 0.80, "{figures:#?}");
    assert!(figures.kept.value() >= 0.95, "{figures:#?}");
}
