//! A parsed patch: files, hunks, lines. Bytes are kept as they are; what is shown is decided when it is rendered.

use crate::diff::bytes::Bytes;
use crate::domain::fingerprint::sha256_hex_of;

/// A whole change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Its files, in git's order.
    pub files: Vec<FilePatch>,
}

impl Patch {
    /// Returns the same files and hunks without their lines, for counting.
    #[must_use]
    pub fn skeleton(&self) -> Self {
        let bare = |hunk: &Hunk| Hunk {
            section: Bytes::default(),
            lines: Vec::new(),
            ..*hunk
        };
        let files = self.files.iter().map(|file| FilePatch {
            old_path: file.old_path.clone(),
            new_path: file.new_path.clone(),
            content: match &file.content {
                Content::Text(hunks) => Content::Text(hunks.iter().map(bare).collect()),
                other => other.clone(),
            },
            ..*file
        });
        Self {
            files: files.collect(),
        }
    }
}

impl Patch {
    /// Lets go of the lines, and keeps the files and hunks.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        for file in &mut self.files {
            if let Content::Text(hunks) = &mut file.content {
                for hunk in hunks {
                    hunk.lines = Vec::new();
                    hunk.section = Bytes::default();
                }
            }
        }
        self
    }

    /// Returns the patch with what it has of some files left out: for each its index and whether it is generated; any other is
    /// too large.
    #[must_use]
    pub fn leaving_out(&self, files: &[(usize, bool)]) -> Self {
        let mut patch = self.clone();
        for &(index, is_generated) in files {
            if let Some(file) = patch.files.get_mut(index) {
                file.content = if is_generated {
                    Content::Generated
                } else {
                    Content::TooLarge {
                        bytes: file.shown_bytes() as u64,
                    }
                };
            }
        }
        patch
    }
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// Its content or mode is another.
    Modified,
    /// It has another name.
    Renamed,
    /// It is a copy of another.
    Copied,
    /// It became a symlink, a file, or a submodule.
    TypeChanged,
}

/// What a changed file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Lines.
    Text(Vec<Hunk>),
    /// No text: git said so, or it is not text by our own look.
    Binary,
    /// A submodule pointer.
    Submodule,
    /// Its size forbids to read it.
    TooLarge {
        /// Its size in bytes.
        bytes: u64,
    },
    /// Written by a program or by others, and left out of a change that is too large for one prompt.
    Generated,
    /// A FIFO, socket or device; never opened.
    Special,
    /// It could not be read.
    Unreadable,
    /// Nothing but its name or mode changed.
    Unchanged,
}

/// One file of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch {
    /// Path before, relative to the repository root, as bytes; equal to `new_path` unless renamed or copied.
    pub old_path: Vec<u8>,
    /// Path after.
    pub new_path: Vec<u8>,
    /// What happened.
    pub kind: ChangeKind,
    /// Mode before, as git writes it (`100644`), when the patch says so.
    pub old_mode: Option<u32>,
    /// Mode after.
    pub new_mode: Option<u32>,
    /// Whether git does not track it yet.
    pub untracked: bool,
    /// What it holds.
    pub content: Content,
}

impl FilePatch {
    /// Returns the bytes of its lines.
    pub fn shown_bytes(&self) -> usize {
        match &self.content {
            Content::Text(hunks) => hunks
                .iter()
                .flat_map(|hunk| &hunk.lines)
                .map(|line| line.text.len() + 1)
                .sum(),
            _ => 0,
        }
    }

    /// Returns the SHA-256 of its lines, each with a line feed: of what [`Self::shown_bytes`] counts.
    pub fn shown_sha256(&self) -> String {
        let Content::Text(hunks) = &self.content else {
            return String::new();
        };
        let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
        sha256_hex_of(lines.flat_map(|line| [&line.text[..], b"\n"]))
    }
}

/// A run of lines with its place on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// First line on the old side, 1-based; 0 for an empty side.
    pub old_start: u32,
    /// Lines on the old side.
    pub old_lines: u32,
    /// First line on the new side.
    pub new_start: u32,
    /// Lines on the new side.
    pub new_lines: u32,
    /// What git writes behind the second `@@`.
    pub section: Bytes,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Which sides a line stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Both sides.
    Context,
    /// Only the new side.
    Added,
    /// Only the old side.
    Removed,
}

/// One line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which sides.
    pub kind: LineKind,
    /// The bytes without the marker and without the line feed; a carriage return stays.
    pub text: Bytes,
    /// Whether the file ends after this line without a line feed.
    pub no_newline: bool,
}
