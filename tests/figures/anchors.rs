//! Ten thousand findings, most of them with wrong places: none is told of a line outside of the change, and a true quote
//! leads back to its line.

use std::collections::{BTreeMap, BTreeSet};

use crosscheck::diff::anchor::anchor;
use crosscheck::diff::parse::parse_patch;
use crosscheck::domain::finding::{Anchor, Claim, Severity, Side};

use crate::corpus::change;
use crate::dice::Dice;
use crate::edits::{Edited, diff_of};

/// Findings that are made up.
const FINDINGS: usize = 10_000;
/// How many of a hundred lines that are off by up to [`SHIFT`] must be found again by their quote.
const FLOOR: f64 = 95.0;
/// How far a line is off at most.
const SHIFT: usize = 30;

/// The lines that a change shows, read from its text and not by the code under test: path and side, then number and text.
type Shown = BTreeMap<(String, bool), BTreeMap<u32, String>>;

/// Reads a diff as plainly as can be: headers, and a marker in front of each line.
fn shown(diff: &str) -> Shown {
    let mut shown = Shown::new();
    let (mut path, mut old, mut new) = (String::new(), 0, 0);
    for line in diff.lines() {
        if line.starts_with("diff --git ") || line.starts_with("index ") || line.starts_with("--- a/") {
            continue;
        }
        if let Some(name) = line.strip_prefix("+++ b/") {
            name.clone_into(&mut path);
        } else if let Some(header) = line.strip_prefix("@@ -") {
            let (before, rest) = header.split_once(" +").unwrap();
            let number = |text: &str| text.split([',', ' ']).next().unwrap().parse::<u32>().unwrap();
            (old, new) = (number(before), number(rest));
        } else {
            let (marker, text) = line.split_at(1);
            if marker != "+" {
                let side = shown.entry((path.clone(), false)).or_default();
                side.insert(old, text.to_owned());
                old += 1;
            }
            if marker != "-" {
                let side = shown.entry((path.clone(), true)).or_default();
                side.insert(new, text.to_owned());
                new += 1;
            }
        }
    }
    shown
}

/// A change with the lines it shows.
struct Sample {
    diff: String,
    shown: Shown,
}

fn sample(dice: &mut Dice) -> Sample {
    loop {
        let files: Vec<Edited> = change(dice);
        let (diff, hunks) = diff_of(&files);
        if hunks > 0 {
            let shown = shown(&diff);
            return Sample { diff, shown };
        }
    }
}

fn claim(file: &str, side: bool, line: u32, evidence: &str) -> Claim {
    let raw = serde_json::json!({"severity": Severity::High, "title": "t", "file": file, "line": line, "end_line": null,
        "side": if side { Side::New } else { Side::Old }, "evidence": evidence, "risk": "", "recommendation": ""});
    serde_json::from_value(raw).unwrap()
}

#[test]
fn the_plain_reading_of_a_diff_counts_as_git_does() {
    let diff = "diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -4,3 +5,3 @@\n a\n-b\n+c\n d\n";
    let found = shown(diff);
    let side =
        |new: bool| -> Vec<(u32, String)> { found[&("f".to_owned(), new)].clone().into_iter().collect() };
    let line = |number: u32, text: &str| (number, text.to_owned());
    assert_eq!(side(false), [line(4, "a"), line(5, "b"), line(6, "d")]);
    assert_eq!(side(true), [line(5, "a"), line(6, "c"), line(7, "d")]);
}

/// What came of lines that were off and had a true quote.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    right: usize,
    same_text: usize,
    off_diff: usize,
}

#[test]
fn no_finding_is_told_outside_of_the_change_and_a_true_quote_leads_back_to_its_line() {
    let mut dice = Dice::new(8_001);
    let (mut made, mut told, mut astray) = (0, 0, 0);
    let mut tally = Tally::default();
    while made < FINDINGS {
        let sample = sample(&mut dice);
        let patch = parse_patch(sample.diff.as_bytes()).unwrap();
        let sides: Vec<_> = sample.shown.iter().collect();
        let (mut claims, mut truths) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            let ((name, side), lines) = *dice.pick(&sides);
            let numbers: Vec<u32> = lines.keys().copied().collect();
            let line = *dice.pick(&numbers);
            let text = &lines[&line];
            let shift = u32::try_from(dice.between(1, SHIFT)).unwrap();
            let wrong = if dice.chance(50) {
                line + shift
            } else {
                line.saturating_sub(shift)
            };
            // Half of them quote their line truly and only its number is wrong; the other half is wrong in every way.
            if dice.chance(50) && text.chars().filter(|c| c.is_alphanumeric()).count() >= 3 {
                claims.push(claim(name, *side, wrong, text));
                truths.push(Some((name.clone(), *side, line, text.clone())));
            } else {
                let file = match dice.below(5) {
                    0 => "src/invented.rs".to_owned(),
                    1 => format!("b/{name}"),
                    2 => format!("/elsewhere/{name}"),
                    3 => String::new(),
                    _ => name.clone(),
                };
                let line = match dice.below(4) {
                    0 => 0,
                    1 => u32::MAX,
                    2 => wrong,
                    _ => u32::try_from(dice.below(5_000)).unwrap(),
                };
                let quote = match dice.below(4) {
                    0 => String::new(),
                    1 => "}".to_owned(),
                    2 => "a quote of nothing that stands here".to_owned(),
                    _ => text.chars().rev().collect(),
                };
                claims.push(claim(&file, *side, line, &quote));
                truths.push(None);
            }
        }
        made += claims.len();
        let findings = anchor(&patch, "/home/me/project", claims);
        for (finding, truth) in findings.iter().zip(truths) {
            let side = finding.side == Side::New;
            let lines = sample.shown.get(&(finding.file.clone(), side));
            if finding.anchor == Anchor::OffDiff {
                astray += 1;
            } else {
                told += 1;
                let last = finding.end_line.unwrap_or(finding.line);
                let stands =
                    lines.is_some_and(|lines| (finding.line..=last).all(|line| lines.contains_key(&line)));
                assert!(stands, "{finding:#?}\n{}", sample.diff);
            }
            if let Some((path, truly_new, line, text)) = truth {
                tally.asked += 1;
                let found = lines.and_then(|lines| lines.get(&finding.line));
                let is_right = finding.file == path && finding.line == line && side == truly_new;
                tally.right += usize::from(is_right);
                tally.same_text +=
                    usize::from(!is_right && found.is_some_and(|found| found.trim() == text.trim()));
                tally.off_diff += usize::from(finding.anchor == Anchor::OffDiff);
            }
        }
    }
    let percent = percent(tally.right, tally.asked);
    println!(
        "anchors: {made} findings; {told} told inside of the change, {astray} told apart as off it, 0 elsewhere; of {} \
         lines off by 1 to {SHIFT} with a true quote {percent:.2} % found again, {} at another line with the same text, {} \
         given up",
        tally.asked, tally.same_text, tally.off_diff
    );
    assert!(made >= FINDINGS && tally.asked > FINDINGS / 4 && astray > FINDINGS / 20);
    assert!(percent >= FLOOR, "{percent} {tally:?}");
}

fn percent(part: usize, whole: usize) -> f64 {
    let number = |value: usize| f64::from(u32::try_from(value).unwrap());
    100.0 * number(part) / number(whole)
}

#[test]
fn the_numbers_of_added_lines_are_those_of_the_file_after_the_change() {
    let mut dice = Dice::new(8_002);
    for _ in 0..50 {
        for file in change(&mut dice) {
            let (new, added) = (file.new_lines(), file.added());
            let known: BTreeSet<usize> = added.iter().copied().collect();
            assert!(known.len() == added.len() && added.iter().all(|&line| line <= new.len()));
        }
    }
}
