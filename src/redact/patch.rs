//! A patch as it may be shown.

use crate::diff::bytes::Bytes;
use crate::diff::patch::{Content, FilePatch, Hunk, Patch};
use crate::domain::coverage::RedactionReport;
use crate::redact::files;
use crate::redact::further::Further;
use crate::redact::redacted::Redacted;
use crate::redact::scan::Redactor;

/// A patch that may be shown, with the account of what was taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedPatch {
    /// The same files in the same order. A withheld one has [`Content::Unreadable`]: somebody who counts without
    /// looking at `withheld` still counts it as left out.
    pub patch: Redacted<Patch>,
    /// What was masked and withheld, by path.
    pub report: RedactionReport,
    /// The withheld files, in the patch's order.
    pub withheld: Vec<Withheld>,
    /// Values that only a configured pattern found; they are part of the report's count.
    pub configured: u32,
}

/// A file that is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Its index in [`Patch::files`].
    pub file: usize,
    /// Its path as listed, masked itself where it holds a token.
    pub path: String,
    /// The hunks it had; a file without hunks counts as one.
    pub hunks: u32,
    /// Whether a configuration denies it, and it need not be a secret.
    pub denied: bool,
}

/// Masks the lines of a patch and withholds its secret files.
///
/// A file is withheld when its old or its new name says that it is a secret, or when its text does: a private key, a file of credentials. In the
/// others, values are masked over the joined lines of a file, so a value on several lines is found, and every line stays a
/// line: numbers and kinds are untouched, and lines without a secret keep their bytes even where they are not UTF-8.
pub fn redact_patch(patch: Patch) -> RedactedPatch {
    redact_patch_with(patch, &Further::none())
}

/// As [`redact_patch`], and keeps back what is configured.
pub fn redact_patch_with(mut patch: Patch, further: &Further) -> RedactedPatch {
    let mut report = RedactionReport::default();
    let mut configured = 0_u32;
    let mut withheld = Vec::new();
    for (index, file) in patch.files.iter_mut().enumerate() {
        let denied = names(file).any(|path| further.is_denied(path));
        let by_name = names(file).any(|path| files::is_secret_path(path) || further.is_secret(path));
        let path_count = mask_paths(file);
        let listed = String::from_utf8_lossy(&file.new_path).into_owned();
        let mut count = path_count;
        let mut secret = by_name;
        if !secret && let Content::Text(hunks) = &mut file.content {
            match mask_hunks(hunks) {
                HunkMask::Masked(values) => count += values,
                HunkMask::Secret => secret = true,
            }
        }
        if !secret
            && !denied
            && let Content::Text(hunks) = &mut file.content
        {
            let values = mask_configured(hunks, further);
            configured = configured.saturating_add(values);
            count = count.saturating_add(values);
        }
        if secret || denied {
            withheld.push(Withheld {
                denied: !secret,
                ..withhold(index, &listed, file)
            });
            if secret {
                report.withheld.push(listed);
            }
            count = path_count;
        } else if count > 0 {
            report.masked.push(listed);
        }
        report.count = report.count.saturating_add(count);
    }
    RedactedPatch {
        patch: Redacted::new(patch),
        report,
        withheld,
        configured,
    }
}

/// Masks the configured patterns in lines that went through our own rules.
fn mask_configured(hunks: &mut [Hunk], further: &Further) -> u32 {
    if !further.has_patterns() {
        return 0;
    }
    let mut count = 0_u32;
    for hunk in hunks {
        let texts =
            std::iter::once(&mut hunk.section).chain(hunk.lines.iter_mut().map(|line| &mut line.text));
        for bytes in texts {
            let shown = String::from_utf8_lossy(bytes);
            let (masked, values) = further.mask_line(&shown);
            if values > 0 {
                count = count.saturating_add(values);
                let masked = masked.into_owned();
                *bytes = Bytes::from(masked);
            }
        }
    }
    count
}

/// Tells whether a file's name alone keeps it back.
pub fn is_withheld_by_name(file: &FilePatch, further: &Further) -> bool {
    names(file).any(|path| files::is_secret_path(path) || further.is_secret(path) || further.is_denied(path))
}

/// The names of a file: two of one that was renamed.
fn names(file: &FilePatch) -> impl Iterator<Item = &[u8]> {
    let old = (file.old_path != file.new_path).then_some(file.old_path.as_slice());
    old.into_iter().chain([file.new_path.as_slice()])
}

fn withhold(index: usize, path: &str, file: &mut FilePatch) -> Withheld {
    let hunks = match &file.content {
        Content::Text(hunks) => u32::try_from(hunks.len()).unwrap_or(u32::MAX).max(1),
        Content::Binary
        | Content::Submodule
        | Content::TooLarge { .. }
        | Content::Generated
        | Content::Special
        | Content::Unreadable
        | Content::Unchanged => 1,
    };
    file.content = Content::Unreadable;
    Withheld {
        file: index,
        path: path.to_owned(),
        hunks,
        denied: false,
    }
}

fn mask_paths(file: &mut FilePatch) -> u32 {
    let same = file.old_path == file.new_path;
    let count = mask_bytes(&mut file.new_path);
    if same {
        file.old_path.clone_from(&file.new_path);
        return count;
    }
    count + mask_bytes(&mut file.old_path)
}

fn mask_bytes(bytes: &mut Vec<u8>) -> u32 {
    let masked = Redactor::shared().mask(&String::from_utf8_lossy(bytes));
    if masked.count > 0 {
        *bytes = masked.text.into_bytes();
    }
    masked.count
}

enum HunkMask {
    Masked(u32),
    /// The whole file is one: it holds a private key, or is a file of credentials.
    Secret,
}

fn mask_hunks(hunks: &mut [Hunk]) -> HunkMask {
    let joined = join_lines(hunks);
    let text = String::from_utf8_lossy(&joined);
    let redactor = Redactor::shared();
    if files::begins_as_secret(&text) {
        return HunkMask::Secret;
    }
    let Some(masked) = redactor.mask_found(&text) else {
        return HunkMask::Masked(0);
    };
    if masked.rules.contains(files::PRIVATE_KEY_RULE) {
        return HunkMask::Secret;
    }
    // Every text of the joined form stands on its own line, and masking keeps the number of lines.
    let mut before = text.split('\n');
    let mut after = masked.text.split('\n');
    for hunk in hunks {
        let texts =
            std::iter::once(&mut hunk.section).chain(hunk.lines.iter_mut().map(|line| &mut line.text));
        for bytes in texts {
            if let (Some(old), Some(new)) = (before.next(), after.next())
                && old != new
            {
                *bytes = Bytes::from(new);
            }
        }
    }
    HunkMask::Masked(masked.count)
}

fn join_lines(hunks: &[Hunk]) -> Vec<u8> {
    let lengths = |hunk: &Hunk| {
        hunk.section.len() + 1 + hunk.lines.iter().map(|line| line.text.len() + 1).sum::<usize>()
    };
    let mut joined = Vec::with_capacity(hunks.iter().map(lengths).sum());
    let mut push = |text: &[u8]| {
        let start = joined.len();
        joined.extend_from_slice(text);
        // Git never gives a line feed inside a line; a made-up patch must not shift the lines after it.
        if text.contains(&b'\n') {
            joined[start..]
                .iter_mut()
                .filter(|byte| **byte == b'\n')
                .for_each(|byte| *byte = b' ');
        }
        joined.push(b'\n');
    };
    for hunk in hunks {
        push(&hunk.section);
        hunk.lines.iter().for_each(|line| push(&line.text));
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diff::patch::{ChangeKind, Line, LineKind};
    use crate::redact::rules::examples::body;

    fn file(path: &[u8], lines: &[&[u8]]) -> FilePatch {
        let lines: Vec<Line> = lines
            .iter()
            .map(|text| Line {
                kind: LineKind::Added,
                text: Bytes::from(*text),
                no_newline: false,
            })
            .collect();
        let count = u32::try_from(lines.len()).unwrap();
        let hunk = Hunk {
            old_start: 0,
            old_lines: 0,
            new_start: 1,
            new_lines: count,
            section: Bytes::default(),
            lines,
        };
        FilePatch {
            old_path: path.to_vec(),
            new_path: path.to_vec(),
            kind: ChangeKind::Modified,
            old_mode: None,
            new_mode: None,
            untracked: false,
            content: Content::Text(vec![hunk]),
        }
    }

    fn redact(files: Vec<FilePatch>) -> RedactedPatch {
        redact_patch(Patch { files })
    }

    fn texts(patch: &Patch, file: usize) -> Vec<Vec<u8>> {
        match &patch.files[file].content {
            Content::Text(hunks) => hunks
                .iter()
                .flat_map(|h| h.lines.iter().map(|l| l.text.to_vec()))
                .collect(),
            other => panic!("no text: {other:?}"),
        }
    }

    fn token() -> String {
        ["gh", "p_", &body(36)].concat()
    }

    fn key_lines() -> Vec<String> {
        let border = |word: &str| ["-----", word, " RSA ", "PRIVATE", " KEY-----"].concat();
        vec![border("BEGIN"), body(64), body(64), border("END")]
    }

    #[test]
    fn values_are_masked_and_other_lines_keep_their_bytes() {
        let secret = format!("let t = \"{}\";\r", token());
        let plain = file(b"src/a.rs", &[b"\xff\xfe", secret.as_bytes(), b"", b"end"]);
        let redacted = redact(vec![plain, file(b"src/b.rs", &[b"fn b() {}"])]);
        let expected: Vec<Vec<u8>> = vec![
            b"\xff\xfe".to_vec(),
            b"let t = \"[REDACTED:github-token]\";\r".to_vec(),
            b"".to_vec(),
            b"end".to_vec(),
        ];
        assert_eq!(texts(redacted.patch.get(), 0), expected);
        let report = RedactionReport {
            withheld: vec![],
            masked: vec!["src/a.rs".into()],
            count: 1,
        };
        assert_eq!((redacted.report, redacted.withheld), (report, vec![]));
    }

    #[test]
    fn a_secret_file_keeps_its_entry_only() {
        let redacted = redact(vec![file(b"a.rs", &[b"x"]), file(b"config/.env", &[b"A=1"])]);
        let patch = redacted.patch.get();
        assert_eq!(patch.files.len(), 2);
        assert_eq!(patch.files[1].content, Content::Unreadable);
        assert_eq!(patch.files[1].new_path, b"config/.env");
        assert_eq!(redacted.report.withheld, ["config/.env"]);
        let withheld = Withheld {
            file: 1,
            path: "config/.env".into(),
            hunks: 1,
            denied: false,
        };
        assert_eq!(redacted.withheld, [withheld]);
    }

    #[test]
    fn what_a_configuration_keeps_back_is_told_apart_from_secrets() {
        let further = Further::new(
            &["docs/**".to_owned()],
            &["*.internal".to_owned()],
            &["ACME-[0-9]+".to_owned()],
        )
        .unwrap();
        let mut moved = file(b"public.md", &[b"x"]);
        moved.old_path = b"docs/a.md".to_vec();
        let files = vec![
            moved,
            file(b"a.internal", &[b"x"]),
            file(b"b.rs", &[b"k = ACME-7\r"]),
        ];
        let redacted = redact_patch_with(Patch { files }, &further);
        let kept: Vec<(usize, bool)> = redacted
            .withheld
            .iter()
            .map(|held| (held.file, held.denied))
            .collect();
        assert_eq!(kept, [(0, true), (1, false)]);
        assert_eq!(redacted.report.withheld, ["a.internal"]);
        assert_eq!(
            texts(redacted.patch.get(), 2),
            [b"k = [REDACTED:configured]\r".to_vec()]
        );
        assert_eq!((redacted.configured, redacted.report.count), (1, 1));
    }

    #[test]
    fn a_file_that_was_secret_under_its_old_name_is_withheld() {
        let mut renamed = file(b"settings.txt", &[b"A=1"]);
        renamed.old_path = b".env".to_vec();
        renamed.kind = ChangeKind::Renamed;
        assert_eq!(redact(vec![renamed]).report.withheld, ["settings.txt"]);
    }

    #[test]
    fn a_private_key_makes_its_file_withheld() {
        let lines = key_lines();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let redacted = redact(vec![file(b"notes.txt", &lines)]);
        assert_eq!(redacted.report.withheld, ["notes.txt"]);
        assert_eq!(redacted.report.count, 0);
    }

    #[test]
    fn a_token_in_a_path_is_masked() {
        let path = format!("dump/{}.json", token());
        let redacted = redact(vec![file(path.as_bytes(), &[b"x"])]);
        let expected = b"dump/[REDACTED:github-token].json";
        assert_eq!(redacted.patch.get().files[0].new_path, expected);
        assert_eq!(redacted.patch.get().files[0].old_path, expected);
        assert_eq!(redacted.report.masked, ["dump/[REDACTED:github-token].json"]);
    }

    proptest! {
        #[test]
        fn lines_keep_their_number_and_kind(
            lines in proptest::collection::vec(
                prop_oneof![
                    Just(token().into_bytes()),
                    Just(key_lines()[1].clone().into_bytes()),
                    Just(b"api_key: '".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..12),
                ],
                0..12,
            )
        ) {
            let slices: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            let before = file(b"a", &slices);
            let redacted = redact(vec![before.clone()]);
            let (Content::Text(old), Content::Text(new)) = (&before.content, &redacted.patch.get().files[0].content)
            else {
                return Err(TestCaseError::fail("the file lost its text"));
            };
            prop_assert_eq!(old[0].lines.len(), new[0].lines.len());
            for (old, new) in old[0].lines.iter().zip(&new[0].lines) {
                prop_assert!(!new.text.windows(40).any(|part| part == token().as_bytes()));
                if !new.text.windows(10).any(|part| part == b"[REDACTED:") {
                    prop_assert_eq!(&old.text, &new.text);
                }
            }
        }
    }
}
