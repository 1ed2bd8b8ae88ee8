//! A thousand changes: every hunk is sent or left out for a reason, is in one part, and the sums are those of a plain count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crosscheck::diff::count::{coverage, omission, total_hunks};
use crosscheck::diff::measure::{Room, measure};
use crosscheck::diff::parse::parse_patch;
use crosscheck::diff::parts::divide;
use crosscheck::diff::render::render;
use crosscheck::domain::coverage::{CoverageStatus, Omission, OmissionReason};
use crosscheck::redact::redact_patch;

use crate::corpus::change;
use crate::dice::Dice;

/// Changes that are made up.
const CHANGES: usize = 1_000;

/// What a change is known to have, by the way it was written.
#[derive(Debug, Default)]
struct Known {
    text: String,
    /// Hunks that may be shown, and those that may not by their reason. A file without hunks counts as one.
    shown: usize,
    /// The hunks of each file with lines, by its path.
    files: BTreeMap<String, usize>,
    left_out: BTreeMap<OmissionReason, usize>,
}

impl Known {
    fn leave_out(&mut self, reason: OmissionReason, hunks: usize) {
        *self.left_out.entry(reason).or_default() += hunks;
    }
}

/// Writes a change with files of every sort.
fn made(dice: &mut Dice) -> Known {
    let mut known = Known::default();
    for file in change(dice) {
        let hunks = file.write(&mut known.text);
        known.shown += hunks;
        known.files.insert(file.path, hunks);
    }
    if dice.chance(20) {
        known.text.push_str("diff --git a/art.bin b/art.bin\nindex 1111111..2222222 100644\nBinary files a/art.bin and b/art.bin differ\n");
        known.leave_out(OmissionReason::Binary, 1);
    }
    if dice.chance(20) {
        known
            .text
            .push_str("diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n");
        known.shown += 1;
    }
    if dice.chance(20) {
        known.text.push_str(
            "diff --git a/one.txt b/two.txt\nsimilarity index 100%\nrename from one.txt\nrename to two.txt\n",
        );
        known.shown += 1;
    }
    if dice.chance(20) {
        known.text.push_str(
            "diff --git a/dep b/dep\nindex 1111111..2222222 160000\n--- a/dep\n+++ b/dep\n@@ -1 +1 @@\n-Subproject commit \
             1111111111111111111111111111111111111111\n+Subproject commit 2222222222222222222222222222222222222222\n",
        );
        known.leave_out(OmissionReason::Submodule, 1);
    }
    if dice.chance(20) {
        // A file of secrets by its name, with one to three hunks.
        let hunks = dice.between(1, 3);
        known
            .text
            .push_str("diff --git a/.env b/.env\nindex 1111111..2222222 100644\n--- a/.env\n+++ b/.env\n");
        for at in 0..hunks {
            let line = 10 * at + 1;
            let _ = writeln!(
                known.text,
                "@@ -{line},1 +{line},1 @@
-A=1
+A=2"
            );
        }
        known.leave_out(OmissionReason::Secret, hunks);
    }
    known
}

#[test]
fn every_hunk_of_a_thousand_changes_is_accounted_for() {
    let mut dice = Dice::new(8_003);
    let (mut hunks, mut sent, mut omitted, mut parts) = (0, 0, 0, 0);
    for _ in 0..CHANGES {
        let mut known = made(&mut dice);
        let patch = parse_patch(known.text.as_bytes()).unwrap();
        let read = patch.skeleton();
        let redacted = redact_patch(patch);
        // A file of ours may look like one of secrets by its text: what tests of secrets are made of.
        for held in &redacted.withheld {
            if let Some(hunks) = known.files.get(&held.path).copied() {
                known.shown -= hunks;
                known.leave_out(OmissionReason::Secret, hunks);
            }
        }
        let withheld: Vec<usize> = redacted.withheld.iter().map(|held| held.file).collect();
        let reason = |file: &crosscheck::diff::patch::FilePatch| {
            let index = read.files.iter().position(|other| other == file).unwrap();
            withheld.contains(&index).then_some(OmissionReason::Secret)
        };
        let unread: Vec<Omission> = (0..dice.below(3))
            .map(|at| Omission {
                path: format!("left{at}"),
                reason: OmissionReason::UntrackedLimit,
            })
            .collect();
        let account = coverage(&read, &unread, &reason, redacted.report.clone());
        let left_out = known.left_out.values().sum::<usize>() + unread.len();
        let number = |value: usize| u32::try_from(value).unwrap();
        assert_eq!(
            account.hunks.total,
            number(known.shown + left_out),
            "{}",
            known.text
        );
        assert_eq!(account.hunks.sent, number(known.shown), "{}", known.text);
        assert_eq!(account.hunks.omitted, number(left_out), "{}", known.text);
        let complete = if left_out > 0 {
            CoverageStatus::Partial
        } else {
            CoverageStatus::Complete
        };
        let expected = if known.shown == 0 {
            CoverageStatus::None
        } else {
            complete
        };
        assert_eq!(account.status, expected);
        // What is told one by one has the reasons that are known.
        for reason in known.left_out.keys() {
            assert!(
                account.omitted.iter().any(|omission| omission.reason == *reason),
                "{account:#?}"
            );
        }
        // What is shown is what is counted as sent: so many hunks have a header in the text of the prompt.
        let shown = redacted.patch.get();
        assert_eq!(render(shown).hunks.len(), known.shown);
        // In parts, each hunk is in exactly one.
        let sizes = measure(shown);
        let room = Room::new(dice.between(2_000, 40_000), usize::MAX);
        let is_sent = |file: usize| omission(&shown.files[file]).is_none();
        let divided = divide(shown, &sizes, room, &is_sent);
        let mut seen = BTreeMap::new();
        for &(file, first, behind) in divided.iter().flat_map(|part| &part.runs) {
            for hunk in first..behind.max(first + 1) {
                *seen.entry((file, hunk)).or_insert(0) += 1;
            }
        }
        assert!(seen.values().all(|&times| times == 1), "{divided:#?}");
        assert_eq!(seen.len(), known.shown, "{divided:#?}");
        assert_eq!(
            u64::from(total_hunks(&read)),
            (known.shown + left_out - unread.len()) as u64
        );
        hunks += known.shown + left_out;
        sent += known.shown;
        omitted += left_out;
        parts += divided.len();
    }
    println!(
        "coverage: {CHANGES} changes, {hunks} hunks = {sent} sent + {omitted} left out, in {parts} parts, no hunk twice"
    );
    assert!(omitted > CHANGES / 4 && parts > CHANGES);
}
