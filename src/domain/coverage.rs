//! What of a change was really shown to the reviewer, counted in hunks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of the change was examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageStatus {
    /// Every hunk was sent, unmasked parts of it at least.
    Complete,
    /// Something was left out; `omitted` says what and why.
    Partial,
    /// Nothing was sent.
    None,
}

/// Why something of the change was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OmissionReason {
    /// The file is a secret by its name or its content.
    Secret,
    /// A configuration says that the file is never sent.
    Denied,
    /// The file has no text to show.
    Binary,
    /// A submodule: only its pointer is in the change, never its content.
    Submodule,
    /// Larger than what is read of one file.
    TooLarge,
    /// More untracked files, or more bytes of them, than are read.
    UntrackedLimit,
    /// The caller asked not to read untracked files.
    UntrackedExcluded,
    /// A FIFO, socket or device: listed, never opened.
    SpecialFile,
    /// It could not be read; the file may have gone meanwhile.
    Unreadable,
}

/// One path that was left out.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Omission {
    /// The path, relative to the repository root. A name withheld as secret is still listed.
    pub path: String,
    /// Why.
    pub reason: OmissionReason,
}

/// Hunks of the change: `total` is always the sum of the other two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct HunkCount {
    /// All hunks of the change. A file without hunks (binary, mode change, rename) counts as one.
    pub total: u32,
    /// Those in the prompt.
    pub sent: u32,
    /// Those left out.
    pub omitted: u32,
}

/// What redaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct RedactionReport {
    /// Files withheld whole.
    pub withheld: Vec<String>,
    /// Files in which values were masked.
    pub masked: Vec<String>,
    /// How many values were masked.
    pub count: u32,
}

/// The whole account of one review's input.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Coverage {
    /// The one word for it.
    pub status: CoverageStatus,
    /// Files in the change.
    pub files: u32,
    /// Hunks in the change.
    pub hunks: HunkCount,
    /// What was left out, at most [`crate::domain::limits::OMISSIONS_LISTED`] entries.
    pub omitted: Vec<Omission>,
    /// Left-out paths beyond those listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted_more: u32,
    /// What redaction did.
    pub redaction: RedactionReport,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls this with a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Coverage {
    /// Counts a change from its hunks and omissions. `sent + omitted` must be all hunks there are.
    pub fn count(
        files: u32,
        sent: u32,
        omitted_hunks: u32,
        omitted: Vec<Omission>,
        redaction: RedactionReport,
    ) -> Self {
        let status = match (sent, omitted_hunks) {
            (0, _) => CoverageStatus::None,
            (_, 0) => CoverageStatus::Complete,
            _ => CoverageStatus::Partial,
        };
        let listed = crate::domain::limits::OMISSIONS_LISTED;
        let omitted_more = u32::try_from(omitted.len().saturating_sub(listed)).unwrap_or(u32::MAX);
        let omitted = omitted.into_iter().take(listed).collect();
        let hunks = HunkCount {
            total: sent + omitted_hunks,
            sent,
            omitted: omitted_hunks,
        };
        Self {
            status,
            files,
            hunks,
            omitted,
            omitted_more,
            redaction,
        }
    }
}
