//! A patch as it may be shown.

use crate::diff::patch::{Content, FilePatch, Hunk, Patch};
use crate::domain::coverage::RedactionReport;
use crate::redact::files;
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
}

/// Masks the lines of a patch and withholds its secret files.
///
/// A file is withheld when its old or its new name says that it is a secret, or when a private key stands in it. In the
/// others, values are masked over the joined lines of a file, so a value on several lines is found, and every line stays a
/// line: numbers and kinds are untouched, and lines without a secret keep their bytes even where they are not UTF-8.
pub fn redact_patch(mut patch: Patch) -> RedactedPatch {
    let mut report = RedactionReport::default();
    let mut withheld = Vec::new();
    for (index, file) in patch.files.iter_mut().enumerate() {
        let by_name = files::is_secret_path(&file.old_path) || files::is_secret_path(&file.new_path);
        let path_count = mask_paths(file);
        let path = String::from_utf8_lossy(&file.new_path).into_owned();
        let mut count = path_count;
        let mut secret = by_name;
        if !secret && let Content::Text(hunks) = &mut file.content {
            match mask_hunks(hunks) {
                HunkMask::Masked(values) => count += values,
                HunkMask::PrivateKey => secret = true,
            }
        }
        if secret {
            withheld.push(withhold(index, &path, file));
            report.withheld.push(path);
            count = path_count;
        } else if count > 0 {
            report.masked.push(path);
        }
        report.count = report.count.saturating_add(count);
    }
    RedactedPatch {
        patch: Redacted::new(patch),
        report,
        withheld,
    }
}

fn withhold(index: usize, path: &str, file: &mut FilePatch) -> Withheld {
    let hunks = match &file.content {
        Content::Text(hunks) => u32::try_from(hunks.len()).unwrap_or(u32::MAX).max(1),
        Content::Binary
        | Content::Submodule
        | Content::TooLarge { .. }
        | Content::Special
        | Content::Unreadable
        | Content::Unchanged => 1,
    };
    file.content = Content::Unreadable;
    Withheld {
        file: index,
        path: path.to_owned(),
        hunks,
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
    PrivateKey,
}

fn mask_hunks(hunks: &mut [Hunk]) -> HunkMask {
    let joined = join_lines(hunks);
    let text = String::from_utf8_lossy(&joined);
    let redactor = Redactor::shared();
    let Some(masked) = redactor.mask_found(&text) else {
        return HunkMask::Masked(0);
    };
    if masked.rules.contains(files::PRIVATE_KEY_RULE) {
        return HunkMask::PrivateKey;
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
                *bytes = new.as_bytes().to_vec();
            }
        }
    }
    HunkMask::Masked(masked.count)
}

fn join_lines(hunks: &[Hunk]) -> Vec<u8> {
    let mut joined = Vec::new();
    let mut push = |text: &[u8]| {
        // Git never gives a line feed inside a line; a made-up patch must not shift the lines after it.
        joined.extend(text.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        joined.push(b'\n');
    };
    for hunk in hunks {
        push(&hunk.section);
        hunk.lines.iter().for_each(|line| push(&line.text));
    }
    joined
}
