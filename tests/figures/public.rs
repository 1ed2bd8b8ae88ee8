//! Comments of other reviewers, from a file that is not part of this project: how well the merge tells what is one.
//!
//! `CROSSCHECK_COMMENTS=FILE cargo test --test figures -- --nocapture public` prints the figures. The file:
//!
//! ```json
//! {"format": 1, "comments": [
//!   {"change": "which change", "reviewer": "who", "text": "what they wrote", "path": null, "line": null,
//!    "issue": "what it is about", "real": 2}]}
//! ```
//!
//! Two comments of a change are of the same defect when `issue` is the same; `real` names the known defect that a comment
//! is of, or is null. Where `path` and `line` are null, all comments of a change stand at one line, and words alone decide.
//! Every second change, from the first on, is to tune on, the others are to tell how good it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crosscheck::diff::anchor::Located;
use crosscheck::diff::merge::{Sighting, merge};
use crosscheck::domain::finding::Finding;
use serde::Deserialize;

use crate::measure::{Pairs, Share};

/// Names the file.
const FILE: &str = "CROSSCHECK_COMMENTS";

#[derive(Debug, Deserialize)]
struct Comments {
    format: u32,
    comments: Vec<Comment>,
}

#[derive(Debug, Deserialize)]
struct Comment {
    change: String,
    reviewer: String,
    text: String,
    path: Option<String>,
    line: Option<u32>,
    issue: String,
    real: Option<u32>,
}

/// The comments of one change.
type Change<'a> = (&'a str, Vec<&'a Comment>);

fn read(text: &str) -> Comments {
    let comments: Comments = serde_json::from_str(text).unwrap();
    assert_eq!(comments.format, 1);
    comments
}

/// Groups comments by their change, in the order of the file.
fn changes(comments: &Comments) -> Vec<Change<'_>> {
    let mut changes: Vec<Change<'_>> = Vec::new();
    for comment in &comments.comments {
        match changes.iter_mut().find(|(name, _)| *name == comment.change) {
            Some((_, list)) => list.push(comment),
            None => changes.push((&comment.change, vec![comment])),
        }
    }
    changes
}

/// Makes a finding of a comment. `at` is where it stands when it does not say so itself.
fn finding(comment: &Comment, id: usize, at: u32) -> Finding {
    let raw = serde_json::json!({"id": id.to_string(), "severity": "medium", "title": comment.text,
        "file": comment.path.as_deref().unwrap_or("change"), "line": comment.line.unwrap_or(at), "side": "new",
        "evidence": "", "risk": "", "recommendation": "", "anchor": "exact", "basis": "single"});
    serde_json::from_value(raw).unwrap()
}

/// Merges the comments of a change as if each were from a look of its own, and returns the groups as lists of indexes.
fn merged(comments: &[&Comment], at: u32) -> Vec<Vec<usize>> {
    let sightings = comments.iter().enumerate().map(|(index, comment)| Sighting {
        located: Located {
            finding: finding(comment, index, at),
            key: comment.text.clone(),
        },
        looks: BTreeSet::from([u32::try_from(index).unwrap()]),
    });
    let merged = merge(sightings.collect());
    let looks = |sighting: Sighting| {
        sighting
            .looks
            .into_iter()
            .map(|look| usize::try_from(look).unwrap())
    };
    merged
        .into_iter()
        .map(|sighting| looks(sighting).collect())
        .collect()
}

/// What the comments of some changes come to.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    pairs: Pairs,
    /// Of what at least two reviewers said, and of all: how much is of a known defect.
    agreed: Share,
    union: Share,
    /// Known defects that are among the agreed ones, of those that anybody named.
    kept: Share,
}

impl Figures {
    /// Adds what the merge makes of some comments on one change.
    fn count(&mut self, comments: &[&Comment], at: u32) {
        let groups = merged(comments, at);
        let mut things = Vec::new();
        let (mut known, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for (group, members) in groups.iter().enumerate() {
            things.extend(members.iter().map(|&member| (&comments[member].issue, group)));
            let defects: BTreeSet<u32> = members
                .iter()
                .filter_map(|&member| comments[member].real)
                .collect();
            let reviewers: BTreeSet<&str> = members
                .iter()
                .map(|&member| comments[member].reviewer.as_str())
                .collect();
            self.union.count(!defects.is_empty());
            if reviewers.len() > 1 {
                self.agreed.count(!defects.is_empty());
                kept.extend(defects.iter().copied());
            }
            known.extend(defects);
        }
        self.pairs += Pairs::of(&things);
        for defect in &known {
            self.kept.count(kept.contains(defect));
        }
    }
}

/// All reviewers of each change together.
fn figures(changes: &[&Change<'_>], at: u32) -> Figures {
    let mut figures = Figures::default();
    for (_, comments) in changes {
        figures.count(comments, at);
    }
    figures
}

/// Each three reviewers of a change, as the three looks of a deep review.
fn figures_of_three(changes: &[&Change<'_>], at: u32) -> Figures {
    let mut figures = Figures::default();
    for (_, comments) in changes {
        let reviewers: BTreeSet<&str> = comments.iter().map(|comment| comment.reviewer.as_str()).collect();
        let reviewers: Vec<&str> = reviewers.into_iter().collect();
        for (at_first, first) in reviewers.iter().enumerate() {
            for (at_second, second) in reviewers.iter().enumerate().skip(at_first + 1) {
                for third in &reviewers[at_second + 1..] {
                    let three = [first, second, third];
                    let theirs = comments.iter().copied();
                    let theirs = theirs.filter(|comment| three.contains(&&comment.reviewer.as_str()));
                    figures.count(&theirs.collect::<Vec<_>>(), at);
                }
            }
        }
    }
    figures
}

fn print(name: &str, figures: Figures) {
    println!("public, {name}: {}", figures.pairs);
    println!(
        "public, {name}: of a known defect are {} of what at least two reviewers said and {} of all; {} of the known \
         defects that anybody named are agreed",
        figures.agreed, figures.union, figures.kept
    );
}

#[test]
fn comments_of_other_reviewers_are_merged_by_what_they_say() {
    let Some(file) = std::env::var_os(FILE) else {
        println!("public: {FILE} names no file, so nothing of the sort is measured");
        return;
    };
    let comments = read(&std::fs::read_to_string(Path::new(&file)).unwrap());
    let changes = changes(&comments);
    println!(
        "public: {} comments on {} changes",
        comments.comments.len(),
        changes.len()
    );
    let half = |odd: usize| -> Vec<&Change<'_>> { changes.iter().skip(odd).step_by(2).collect() };
    let [tuned, held] = [half(0), half(1)];
    print("all reviewers, half to tune on", figures(&tuned, 1));
    print("all reviewers, other half", figures(&held, 1));
    print("three reviewers, half to tune on", figures_of_three(&tuned, 1));
    print("three reviewers, other half", figures_of_three(&held, 1));
    for change in &changes {
        println!(
            "public, {}, {} comments: {}",
            change.0,
            change.1.len(),
            figures(&[change], 1).pairs
        );
    }
    if std::env::var_os("CROSSCHECK_SHOW").is_some() {
        show(&changes);
    }
}

/// Prints what was put together wrongly and what was left apart, for whoever looks for the cause.
fn show(changes: &[Change<'_>]) {
    for (name, comments) in changes {
        let groups = merged(comments, 1);
        for members in groups.iter().filter(|members| members.len() > 1) {
            let mut issues: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for &member in members {
                let comment = comments[member];
                issues.entry(&comment.issue).or_default().push(&comment.text);
            }
            if issues.len() > 1 {
                println!("{name}: {issues:#?}");
            }
        }
    }
}

#[test]
fn a_file_of_comments_is_read_and_merged() {
    let comment = |reviewer: &str, text: &str, issue: &str| {
        serde_json::json!({"change": "one", "reviewer": reviewer, "text": text, "path": null, "line": null, "issue": issue,
            "real": null})
    };
    let text = serde_json::json!({"format": 1, "comments": [
        comment("a", "`sum` subtracts its operands instead of adding them", "operator"),
        comment("b", "Wrong operator: the operands of `sum` are subtracted, not added", "operator"),
        comment("c", "The file handle is never closed and leaks", "leak")]});
    let comments = read(&text.to_string());
    let changes = changes(&comments);
    let figures = figures(&[&changes[0]], 1);
    assert_eq!(
        (figures.pairs.both, figures.pairs.merged, figures.pairs.missed),
        (1, 0, 0)
    );
    assert_eq!((figures.agreed.all, figures.union.all), (1, 2));
}
