//! A change in the form in which it was sent, as it is kept beside the job: for checking where findings point, and for
//! showing later what the reviewer saw.

use serde::{Deserialize, Serialize};

use crate::diff::bytes::Bytes;
use crate::diff::patch::{ChangeKind, Content, FilePatch, Hunk, Line, LineKind, Patch};

/// A change on disk. Lines that were not Unicode are kept as they were shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentPatch {
    files: Vec<SentFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SentFile {
    old: String,
    new: String,
    /// Git's modes before and after, 0 where there is none; absent in what older versions kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modes: Option<[u32; 2]>,
    hunks: Vec<SentHunk>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SentHunk {
    old: [u32; 2],
    new: [u32; 2],
    /// Each line behind its marker: a space, `+` or `-`.
    lines: Vec<String>,
}

impl SentPatch {
    /// Adds what an earlier review was shown, behind what this one is shown. Returns how many files the latter are.
    pub fn join(&mut self, before: &Patch) -> u32 {
        let fresh = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.extend(Self::from(before).files);
        fresh
    }

    /// Returns a hash of the content, the same for the same change.
    pub fn digest(&self) -> String {
        crate::domain::fingerprint::sha256_hex(&serde_json::to_vec(self).unwrap_or_default())
    }
}

impl From<&Patch> for SentPatch {
    fn from(patch: &Patch) -> Self {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let hunk = |hunk: &Hunk| SentHunk {
            old: [hunk.old_start, hunk.old_lines],
            new: [hunk.new_start, hunk.new_lines],
            lines: hunk
                .lines
                .iter()
                .map(|line| format!("{}{}", marker(line.kind), lossy(&line.text)))
                .collect(),
        };
        let files = patch.files.iter().map(|file| SentFile {
            old: lossy(&file.old_path),
            new: lossy(&file.new_path),
            // Of what is not shown nothing is kept but its name, so that it is never taken for something that was.
            modes: (matches!(file.content, Content::Text(_) | Content::Unchanged)
                && (file.old_mode.is_some() || file.new_mode.is_some()))
            .then(|| [file.old_mode.unwrap_or(0), file.new_mode.unwrap_or(0)]),
            hunks: match &file.content {
                Content::Text(hunks) => hunks.iter().map(hunk).collect(),
                _ => Vec::new(),
            },
        });
        Self {
            files: files.collect(),
        }
    }
}

impl From<SentPatch> for Patch {
    fn from(sent: SentPatch) -> Self {
        let files = sent.files.into_iter().map(|file| FilePatch {
            kind: if file.old == file.new {
                ChangeKind::Modified
            } else {
                ChangeKind::Renamed
            },
            old_path: file.old.into_bytes(),
            new_path: file.new.into_bytes(),
            old_mode: file.modes.map(|modes| modes[0]).filter(|mode| *mode != 0),
            new_mode: file.modes.map(|modes| modes[1]).filter(|mode| *mode != 0),
            untracked: false,
            content: if file.hunks.is_empty() {
                Content::Unchanged
            } else {
                Content::Text(file.hunks.into_iter().map(Hunk::from).collect())
            },
        });
        Self {
            files: files.collect(),
        }
    }
}

impl From<SentHunk> for Hunk {
    fn from(sent: SentHunk) -> Self {
        let line = |text: String| {
            let kind = match text.as_bytes().first() {
                Some(b'+') => LineKind::Added,
                Some(b'-') => LineKind::Removed,
                _ => LineKind::Context,
            };
            // The marker is one byte of ASCII; an empty text can only come from a damaged file.
            Line {
                kind,
                text: text.into_bytes().split_off(1).into(),
                no_newline: false,
            }
        };
        Self {
            old_start: sent.old[0],
            old_lines: sent.old[1],
            new_start: sent.new[0],
            new_lines: sent.new[1],
            section: Bytes::default(),
            lines: sent
                .lines
                .into_iter()
                .filter(|text| !text.is_empty())
                .map(line)
                .collect(),
        }
    }
}

fn marker(kind: LineKind) -> char {
    match kind {
        LineKind::Context => ' ',
        LineKind::Added => '+',
        LineKind::Removed => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_back_line_by_line() {
        let line = |kind, text: &str| Line {
            kind,
            text: text.into(),
            no_newline: false,
        };
        let patch = Patch {
            files: vec![FilePatch {
                old_path: b"a".to_vec(),
                new_path: b"a".to_vec(),
                kind: ChangeKind::Modified,
                old_mode: None,
                new_mode: None,
                untracked: false,
                content: Content::Text(vec![Hunk {
                    old_start: 1,
                    old_lines: 2,
                    new_start: 1,
                    new_lines: 2,
                    section: Bytes::default(),
                    lines: vec![
                        line(LineKind::Context, ""),
                        line(LineKind::Removed, "-x"),
                        line(LineKind::Added, "+ü\r"),
                    ],
                }]),
            }],
        };
        let json = serde_json::to_string(&SentPatch::from(&patch)).unwrap();
        let back: SentPatch = serde_json::from_str(&json).unwrap();
        assert_eq!(Patch::from(back), patch);
    }
}
