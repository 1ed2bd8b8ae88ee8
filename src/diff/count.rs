//! Counts a change in files and hunks, and accounts for every hunk.

use crate::diff::patch::{Content, FilePatch, Patch};
use crate::diff::text::shown_path;
use crate::domain::coverage::{Coverage, Omission, OmissionReason, RedactionReport};

/// Returns the hunks of one file; a file without hunks (binary, mode change, rename) counts as one.
pub fn hunks(file: &FilePatch) -> u32 {
    match &file.content {
        Content::Text(hunks) => u32::try_from(hunks.len()).unwrap_or(u32::MAX).max(1),
        _ => 1,
    }
}

/// Returns the hunks of a whole patch.
pub fn total_hunks(patch: &Patch) -> u32 {
    patch.files.iter().map(hunks).sum()
}

/// Returns why a file's content is not shown, or nothing when it is.
pub fn omission(file: &FilePatch) -> Option<OmissionReason> {
    match file.content {
        Content::Text(_) | Content::Unchanged => None,
        Content::Binary => Some(OmissionReason::Binary),
        Content::Submodule => Some(OmissionReason::Submodule),
        Content::TooLarge { .. } => Some(OmissionReason::TooLarge),
        Content::Generated => Some(OmissionReason::Generated),
        Content::Special => Some(OmissionReason::SpecialFile),
        Content::Unreadable => Some(OmissionReason::Unreadable),
    }
}

/// Accounts for a change: each hunk of `patch` is sent or omitted, and each entry of `left_out` is one omitted file of
/// one hunk.
///
/// `patch` is the change as it was read, withheld files included; `withheld` says why redaction held a file back.
pub fn coverage(
    patch: &Patch,
    left_out: &[Omission],
    withheld: &dyn Fn(&FilePatch) -> Option<OmissionReason>,
    redaction: RedactionReport,
) -> Coverage {
    let mut sent = 0;
    let mut not_sent = u32::try_from(left_out.len()).unwrap_or(u32::MAX);
    let files = u32::try_from(patch.files.len())
        .unwrap_or(u32::MAX)
        .saturating_add(not_sent);
    let mut omitted = Vec::new();
    for file in &patch.files {
        match withheld(file).or_else(|| omission(file)) {
            None => sent += hunks(file),
            Some(reason) => {
                not_sent += hunks(file);
                omitted.push(Omission {
                    path: shown_path(&file.new_path),
                    reason,
                });
            }
        }
    }
    omitted.extend_from_slice(left_out);
    Coverage::count(files, sent, not_sent, omitted, redaction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::added::{added_file, untracked_file};
    use crate::domain::coverage::CoverageStatus;
    use proptest::prelude::*;

    fn any_content() -> impl Strategy<Value = Content> {
        prop_oneof![
            (0_usize..4).prop_map(|count| {
                let Content::Text(hunks) = added_file(b"f", 0o100_644, b"1\n").content else {
                    return Content::Unchanged;
                };
                Content::Text(std::iter::repeat_n(hunks, count).flatten().collect())
            }),
            Just(Content::Binary),
            Just(Content::Submodule),
            Just(Content::TooLarge { bytes: 1 }),
            Just(Content::Special),
            Just(Content::Unreadable),
            Just(Content::Unchanged),
        ]
    }

    proptest! {
        #[test]
        fn every_hunk_is_sent_or_omitted(
            contents in prop::collection::vec((any_content(), any::<bool>()), 0..20),
            left_out in 0_usize..5,
        ) {
            let files = contents.iter().enumerate().map(|(at, (content, is_secret))| {
                let name = format!("{}{at}", if *is_secret { "secret" } else { "plain" });
                untracked_file(name.as_bytes(), None, content.clone())
            });
            let patch = Patch { files: files.collect() };
            let left_out = vec![
                Omission { path: "left".to_owned(), reason: OmissionReason::UntrackedLimit };
                left_out
            ];
            let is_secret = |file: &FilePatch| file.new_path.starts_with(b"secret").then_some(OmissionReason::Secret);
            let account = coverage(&patch, &left_out, &is_secret, RedactionReport::default());
            let total = total_hunks(&patch) + u32::try_from(left_out.len()).unwrap();
            prop_assert_eq!(account.hunks.total, total);
            prop_assert_eq!(account.hunks.sent + account.hunks.omitted, total);
            prop_assert_eq!(account.files as usize, patch.files.len() + left_out.len());
            prop_assert_eq!(account.omitted.is_empty(), account.hunks.omitted == 0);
            prop_assert_eq!(account.status == CoverageStatus::None, account.hunks.sent == 0);
        }
    }
}
