//! The one way from what reviewers found to what a review tells: what an earlier review left open is carried on, what
//! became of it is said, old code is told from new, and what was decided about before is taken out.

use crate::diff::origin;
use crate::diff::patch::Patch;
use crate::diff::seen::split_kept;
use crate::diff::track::{carry, track};
use crate::domain::finding::{Finding, Refuted};
use crate::domain::standing::Standing;
use crate::domain::tracking::{EarlierReview, Tracking};
use crate::standing::settle::{Settled, settle};

/// What a review tells of its findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Followed {
    /// The findings, in their lists.
    pub settled: Settled,
    /// What became of those of an earlier review.
    pub since: Option<Box<Tracking>>,
}

/// Follows findings whose places are checked, and those that were `refuted`, which are no findings any more. `patch` is the
/// change as it was kept, `root` the repository's top level as text; without a `standing`, as in old records, nothing is
/// taken out.
pub fn follow(
    patch: &Patch,
    root: &str,
    earlier: Option<&EarlierReview>,
    standing: Option<&Standing>,
    mut findings: Vec<Finding>,
    refuted: &[Refuted],
) -> Followed {
    if let (Some(earlier), Some(standing)) = (earlier, standing) {
        let (fresh, before) = split_kept(patch, standing.fresh_files);
        carry(&fresh, &before, root, earlier, &mut findings, refuted);
    }
    let mut since = earlier.map(|earlier| Box::new(track(patch, root, earlier, &mut findings, refuted)));
    origin::judge(patch, &mut findings);
    let settled = match standing {
        Some(standing) => settle(patch, standing, findings, since.as_deref_mut()),
        None => Settled {
            findings,
            ..Settled::default()
        },
    };
    Followed { settled, since }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::anchor::anchor;
    use crate::diff::parse::parse_patch;
    use crate::domain::finding::tests::claim;

    fn file(name: &str, lines: &[&str]) -> String {
        format!(
            "diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1,1 +1,{} @@\n first\n+{}\n",
            lines.len() + 1,
            lines.join("\n+")
        )
    }

    fn patch(text: &str) -> Patch {
        parse_patch(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_open_and_is_refuted_is_told_with_the_reason_and_carried_no_further() {
        let wrong = "let wrong = total / count;";
        let leak = "let leak = open(path_of_user);";
        let text = file("a.rs", &[wrong]) + &file("b.rs", &[leak]);
        let kept = patch(&text);
        let found = anchor(&kept, "", vec![claim("a.rs", wrong), claim("b.rs", leak)]);
        let earlier = EarlierReview::of("job".to_owned(), &found, None).carrying(found.clone());
        let refuted = [Refuted {
            finding: found[1].clone(),
            reason: "the caller closes it".to_owned(),
        }];
        // Nobody was shown the second file again; it was found, and refuted, all the same.
        for fresh_files in [None, Some(1)] {
            let standing = Standing {
                today: crate::domain::day::Day::of_ms(0),
                suppressions: Vec::new(),
                baseline: None,
                fresh_files,
            };
            let followed = follow(
                &kept,
                "",
                Some(&earlier),
                Some(&standing),
                vec![found[0].clone()],
                &refuted,
            );
            let since = followed.since.unwrap();
            assert_eq!(since.spoken(), "1 still open, 1 refuted", "{fresh_files:?}");
            assert_eq!(
                (
                    since.refuted[0].known.id.as_str(),
                    since.refuted[0].reason.as_str()
                ),
                (found[1].id.as_str(), "the caller closes it")
            );
            assert_eq!(followed.settled.findings.len(), 1, "{fresh_files:?}");
            let next = EarlierReview::of("next".to_owned(), &followed.settled.findings, Some(&since));
            assert_eq!(next.findings.len(), 1, "a refuted one is not followed on");
        }
    }

    #[test]
    fn what_nobody_was_shown_again_is_carried_on_whole() {
        let wrong = "let wrong = total / count;";
        let leak = "let leak = open(path_of_user);";
        let then = patch(&(file("a.rs", &[wrong]) + &file("b.rs", &[leak])));
        let found = anchor(&then, "", vec![claim("a.rs", wrong), claim("b.rs", leak)]);
        let earlier = EarlierReview::of("job".to_owned(), &found, None).carrying(found.clone());
        // One file was mended and is shown; the other one stands as it stood, three lines further down.
        let fresh = patch(&file("a.rs", &["let right = total.checked_div(count);"]));
        let before = patch(&file("b.rs", &[leak]).replace("@@ -1,1 +1,2 @@", "@@ -4,1 +4,2 @@"));
        let mut kept = fresh.clone();
        kept.files.extend(before.files);
        let standing = Standing {
            today: crate::domain::day::Day::of_ms(0),
            suppressions: Vec::new(),
            baseline: None,
            fresh_files: Some(1),
        };
        let new = anchor(
            &fresh,
            "",
            vec![claim("a.rs", "let right = total.checked_div(count);")],
        );
        let followed = follow(&kept, "", Some(&earlier), Some(&standing), new.clone(), &[]);
        let since = followed.since.unwrap();
        assert_eq!(since.spoken(), "1 fixed, 1 still open, 1 new");
        let carried = followed
            .settled
            .findings
            .iter()
            .find(|finding| finding.file == "b.rs");
        let carried = carried.unwrap();
        assert_eq!(
            (carried.id.as_str(), carried.line, carried.risk.as_str()),
            (found[1].id.as_str(), 5, "it breaks")
        );
        // Without anything to follow nothing is carried.
        let alone = follow(&kept, "", None, Some(&standing), new, &[]);
        assert_eq!((alone.settled.findings.len(), alone.since), (1, None));
    }
}
