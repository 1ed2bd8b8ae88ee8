//! Compares a review with an earlier one of the same work, by the code that its findings quote.

use std::collections::BTreeSet;

use crate::diff::anchor::{anchor, have_lines};
use crate::diff::patch::{ChangeKind, FilePatch, Patch};
use crate::diff::text::shown_path;
use crate::domain::finding::{Basis, Claim, Finding, Refuted};
use crate::domain::tracking::{EarlierReview, Known, RefutedAgain, Tracking};

/// Says what became of each earlier finding, and which of the present ones are new.
///
/// `patch` is the change as it was sent now, `root` the repository's top level as text. A finding that is reported again
/// under another name, since its file was renamed, gets its earlier id back. One that was reported again and is among the
/// `refuted` is told so: the code alone would only say that nobody mentioned it.
pub fn track(
    patch: &Patch,
    root: &str,
    earlier: &EarlierReview,
    now: &mut [Finding],
    refuted: &[Refuted],
) -> Tracking {
    let claims = earlier.findings.iter().map(claim).collect();
    let placed = anchor(patch, root, claims);
    let files = earlier.findings.iter().map(|known| known.file.as_str());
    let shown = have_lines(patch, root, files);
    let mut tracking = Tracking {
        job: earlier.job.clone(),
        fixed: Vec::new(),
        open: Vec::new(),
        new: Vec::new(),
        refuted: Vec::new(),
        unmentioned: Vec::new(),
        gone: Vec::new(),
    };
    let mut known = BTreeSet::new();
    for ((before, placed), is_shown) in earlier.findings.iter().zip(&placed).zip(shown) {
        let is_there = may_be_there(patch, &before.file, placed);
        let placed_again = || now.iter().position(|finding| is_there && finding.id == placed.id);
        let again = now
            .iter()
            .position(|finding| finding.id == before.id)
            .or_else(placed_again);
        if let Some(index) = again.filter(|index| !known.contains(index)) {
            known.insert(index);
            now[index].id.clone_from(&before.id);
            tracking.open.push(before.id.clone());
            continue;
        }
        let by_id = |id: &str| refuted.iter().find(|refuted| refuted.finding.id == id);
        if let Some(refuted) = by_id(&before.id).or_else(|| by_id(&placed.id).filter(|_| is_there)) {
            tracking.refuted.push(RefutedAgain {
                known: before.clone(),
                reason: refuted.reason.clone(),
            });
            continue;
        }
        let stands = is_there && placed.basis == Basis::Single && placed.side == before.side;
        let list = if stands {
            &mut tracking.unmentioned
        } else if earlier.undone.contains(&before.id) {
            &mut tracking.fixed
        } else if !is_shown {
            &mut tracking.gone
        } else if before.evidence.trim().is_empty() {
            // Without a quote nobody can tell whether it still stands there.
            &mut tracking.unmentioned
        } else {
            &mut tracking.fixed
        };
        list.push(before.clone());
    }
    let new = now.iter().enumerate().filter(|(index, _)| !known.contains(index));
    tracking.new = new.map(|(_, finding)| finding.id.clone()).collect();
    tracking
}

/// Adds the findings of an earlier review whose code stands where nobody looked again, at the lines where it stands now.
///
/// `fresh` is what the present review was shown, `before` what an earlier one was shown and nobody changed since. A finding
/// without a quote is carried when its file is in the second alone. One that was found again is not carried besides, also
/// where it was `refuted`.
pub fn carry(
    fresh: &Patch,
    before: &Patch,
    root: &str,
    earlier: &EarlierReview,
    now: &mut Vec<Finding>,
    refuted: &[Refuted],
) {
    let claims: Vec<Claim> = earlier.carried.iter().map(whole_claim).collect();
    let files = || earlier.carried.iter().map(|finding| finding.file.as_str());
    let is_before = have_lines(before, root, files());
    let is_fresh = have_lines(fresh, root, files());
    let placed = anchor(before, root, claims);
    let said = refuted.iter().map(|refuted| &refuted.finding);
    let known: BTreeSet<String> = now.iter().chain(said).map(|finding| finding.id.clone()).collect();
    for (at, (finding, placed)) in earlier.carried.iter().zip(placed).enumerate() {
        let stands = if finding.evidence.trim().is_empty() {
            is_before[at] && !is_fresh[at]
        } else {
            may_be_there(before, &finding.file, &placed)
                && placed.basis == Basis::Single
                && placed.side == finding.side
        };
        if stands && !known.contains(&finding.id) {
            now.push(Finding {
                file: placed.file,
                line: placed.line,
                end_line: placed.end_line,
                side: placed.side,
                anchor: placed.anchor,
                ..finding.clone()
            });
        }
    }
}

/// Tells whether a finding of an earlier review may stand where its quote was found: in its own file, or in one that has its
/// name from this change. Another file that happens to have the same line had it before, and is another matter.
fn may_be_there(patch: &Patch, file: &str, placed: &Finding) -> bool {
    let is_new_name = |of: &FilePatch| {
        of.kind != ChangeKind::Modified
            && [&of.old_path, &of.new_path]
                .into_iter()
                .any(|path| shown_path(path) == placed.file)
    };
    placed.file == file || patch.files.iter().any(is_new_name)
}

fn whole_claim(finding: &Finding) -> Claim {
    Claim {
        severity: finding.severity,
        title: finding.title.clone(),
        file: finding.file.clone(),
        line: finding.line,
        end_line: finding.end_line,
        side: finding.side,
        evidence: finding.evidence.clone(),
        risk: finding.risk.clone(),
        recommendation: finding.recommendation.clone(),
        confidence: finding.confidence,
    }
}

fn claim(known: &Known) -> Claim {
    Claim {
        severity: known.severity,
        title: known.title.clone(),
        file: known.file.clone(),
        line: known.line,
        end_line: None,
        side: known.side,
        evidence: known.evidence.clone(),
        risk: String::new(),
        recommendation: String::new(),
        confidence: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::parse::parse_patch;
    use crate::domain::finding::tests::claim as stated;
    use proptest::prelude::*;

    /// A change that adds these lines to a file, which may have had another name.
    fn change(old: &str, new: &str, lines: &[&str]) -> String {
        let body = format!("+{}\n", lines.join("\n+"));
        let renamed = if old == new {
            String::new()
        } else {
            format!("similarity index 50%\nrename from {old}\nrename to {new}\n")
        };
        format!(
            "diff --git a/{old} b/{new}\n{renamed}--- a/{old}\n+++ b/{new}\n@@ -1,1 +1,{} @@\n first\n{body}",
            lines.len() + 1
        )
    }

    fn patch(text: &str) -> Patch {
        parse_patch(text.as_bytes()).expect("a diff")
    }

    fn earlier(patch: &Patch, claims: Vec<Claim>) -> EarlierReview {
        EarlierReview::of("job".to_owned(), &anchor(patch, "", claims), None)
    }

    fn ids(known: &[Known]) -> Vec<&str> {
        known.iter().map(|known| known.evidence.as_str()).collect()
    }

    #[test]
    fn what_became_of_a_finding_follows_from_the_code_it_quotes() {
        let then = patch(
            &(change(
                "a.rs",
                "a.rs",
                &["let wrong = total / count;", "let odd = total * count;"],
            ) + &change("b.rs", "b.rs", &["unlink(path_of_the_user);"])),
        );
        let before = earlier(
            &then,
            vec![
                stated("a.rs", "let wrong = total / count;"),
                stated("a.rs", "let odd = total * count;"),
                stated("b.rs", "unlink(path_of_the_user);"),
            ],
        );
        // One was mended, one stands there still, one file was taken out of the change, and one thing is new.
        let now = patch(&change(
            "a.rs",
            "a.rs",
            &[
                "// moved down",
                "let odd = total * count;",
                "let right = total.checked_div(count);",
            ],
        ));
        let claims = vec![stated("a.rs", "let right = total.checked_div(count);")];
        let mut found = anchor(&now, "", claims);
        let tracking = track(&now, "", &before, &mut found, &[]);
        assert_eq!(ids(&tracking.fixed), ["let wrong = total / count;"]);
        assert_eq!(ids(&tracking.unmentioned), ["let odd = total * count;"]);
        assert_eq!(ids(&tracking.gone), ["unlink(path_of_the_user);"]);
        assert_eq!(tracking.new, [found[0].id.clone()]);
        assert!(tracking.open.is_empty());
        assert_eq!(
            tracking.spoken(),
            "1 fixed, 1 new, 1 not mentioned again, 1 no longer in the change"
        );
    }

    #[test]
    fn a_finding_keeps_its_id_where_lines_move_and_files_are_renamed() {
        let line = "let wrong = total / count;";
        let then = patch(&change("a.rs", "a.rs", &[line]));
        let before = earlier(&then, vec![stated("a.rs", line)]);
        for (name, lines) in [("a.rs", vec!["// above", line]), ("z.rs", vec![line])] {
            let now = patch(&change("a.rs", name, &lines));
            let mut found = anchor(&now, "", vec![stated(name, line)]);
            let tracking = track(&now, "", &before, &mut found, &[]);
            assert_eq!(tracking.open, [before.findings[0].id.clone()], "{name}");
            assert_eq!(found[0].id, before.findings[0].id, "{name}");
            assert!(
                tracking.new.is_empty() && tracking.fixed.is_empty(),
                "{tracking:?}"
            );
        }
    }

    #[test]
    fn the_same_line_in_another_file_is_another_finding() {
        let line = "public void withdraw(long amount) {";
        let whole = change("a.rs", "a.rs", &[line]) + &change("b.rs", "b.rs", &[line]);
        let claims = || vec![stated("a.rs", line), stated("b.rs", line)];
        let found = anchor(&patch(&whole), "", claims());
        let before = EarlierReview::of("job".to_owned(), &found, None).carrying(found.clone());
        // The first file is as it was before the change.
        let now = patch(&change("b.rs", "b.rs", &[line]));
        let nothing = Patch { files: Vec::new() };
        let mut carried = Vec::new();
        carry(&nothing, &now, "", &before, &mut carried, &[]);
        assert_eq!(carried, [found[1].clone()]);
        let tracking = track(&now, "", &before, &mut carried, &[]);
        assert_eq!(tracking.open, [found[1].id.clone()]);
        assert_eq!(tracking.gone, [Known::from(&found[0])]);
        let undone = EarlierReview {
            undone: vec![found[0].id.clone()],
            ..before
        };
        let tracking = track(&now, "", &undone, &mut carried, &[]);
        assert_eq!(tracking.fixed, [Known::from(&found[0])]);
        assert_eq!(tracking.spoken(), "1 fixed, 1 still open");
    }

    #[test]
    fn code_that_is_only_among_the_deleted_lines_is_fixed() {
        let line = "let wrong = total / count;";
        let then = patch(&change("a.rs", "a.rs", &[line]));
        let before = earlier(&then, vec![stated("a.rs", line)]);
        let now = patch(&format!(
            "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1,2 +1,1 @@\n first\n-{line}\n"
        ));
        assert_eq!(ids(&track(&now, "", &before, &mut [], &[]).fixed), [line]);
    }

    #[test]
    fn what_was_left_open_without_a_word_is_followed_on() {
        let line = "let wrong = total / count;";
        let then = patch(&change("a.rs", "a.rs", &[line]));
        let before = earlier(&then, vec![stated("a.rs", line)]);
        let silent = track(&then, "", &before, &mut [], &[]);
        assert_eq!(ids(&silent.unmentioned), [line]);
        let next = EarlierReview::of("next".to_owned(), &[], Some(&silent));
        let now = patch(&change("a.rs", "a.rs", &["let right = 1;"]));
        assert_eq!(ids(&track(&now, "", &next, &mut [], &[]).fixed), [line]);
    }

    proptest! {
        #[test]
        fn every_earlier_finding_is_told_once(
            then in prop::collection::vec("[a-c]{12,14}", 1..6),
            now in prop::collection::vec("[a-c]{12,14}", 1..6),
            again in prop::collection::vec(0_usize..6, 0..6),
        ) {
            fn lines(lines: &[String]) -> Vec<&str> {
                lines.iter().map(String::as_str).collect()
            }
            let first = patch(&change("a.rs", "a.rs", &lines(&then)));
            let before = earlier(&first, then.iter().map(|line| stated("a.rs", line)).collect());
            let second = patch(&change("a.rs", "a.rs", &lines(&now)));
            let claims = again.iter().filter_map(|index| now.get(*index)).map(|line| stated("a.rs", line));
            let mut found = anchor(&second, "", claims.collect());
            let count = found.len();
            let tracking = track(&second, "", &before, &mut found, &[]);
            let told = tracking.fixed.len() + tracking.open.len() + tracking.refuted.len() + tracking.unmentioned.len() + tracking.gone.len();
            prop_assert_eq!(told, before.findings.len());
            prop_assert_eq!(tracking.open.len() + tracking.new.len(), count);
            prop_assert!(tracking.gone.is_empty());
        }
    }
}
