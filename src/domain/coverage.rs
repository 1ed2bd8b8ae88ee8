//! What of a change was really shown to the reviewer, counted in hunks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::count::counted;

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
    /// Vendored, or written by a program, in a change that has too many parts with such files.
    Generated,
    /// More untracked files, or more bytes of them, than are read.
    UntrackedLimit,
    /// The caller asked not to read untracked files.
    UntrackedExcluded,
    /// A FIFO, socket or device: listed, never opened.
    SpecialFile,
    /// It could not be read; the file may have gone meanwhile.
    Unreadable,
    /// It was to be looked at, and no model call that looked at it gave an answer.
    NotExamined,
}

/// One path that was left out.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Omission {
    /// The path, relative to the repository root. A name withheld as secret is still listed.
    pub path: String,
    /// Why.
    pub reason: OmissionReason,
}

/// Hunks of the change: `total` is always the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct HunkCount {
    /// All hunks of the change. A file without hunks (binary, mode change, rename) counts as one.
    pub total: u32,
    /// Those in the prompt.
    pub sent: u32,
    /// Those left out.
    pub omitted: u32,
    /// Those that an earlier review was shown and nobody changed since; not in the prompt again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reviewed_before: u32,
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
    /// Says how many files were left out as generated or vendored, which is our rule and nobody's word; `None` where none was.
    pub fn generated_left_out(&self) -> Option<String> {
        let files = self
            .omitted
            .iter()
            .filter(|omission| omission.reason == OmissionReason::Generated);
        let files = u64::try_from(files.count()).unwrap_or(u64::MAX);
        // Of the paths that are not listed nobody can tell why they were left out.
        let at_least = if self.omitted_more > 0 { "at least " } else { "" };
        (files > 0).then(|| {
            format!(
                "{at_least}{} left out",
                counted(files, "generated or vendored file")
            )
        })
    }

    /// Counts hunks that were sent as left out after all, since nobody examined them. `paths` are the files they stand in.
    pub fn without(&mut self, hunks: u32, paths: impl IntoIterator<Item = String>) {
        let hunks = hunks.min(self.hunks.sent);
        self.hunks.sent -= hunks;
        self.hunks.omitted += hunks;
        for path in paths {
            if self.omitted.len() < crate::domain::limits::OMISSIONS_LISTED {
                self.omitted.push(Omission {
                    path,
                    reason: OmissionReason::NotExamined,
                });
            } else {
                self.omitted_more = self.omitted_more.saturating_add(1);
            }
        }
        self.status = match (self.hunks.sent, self.status) {
            (0, _) => CoverageStatus::None,
            (_, CoverageStatus::Complete) if hunks == 0 => CoverageStatus::Complete,
            _ => CoverageStatus::Partial,
        };
    }

    /// Takes a file that would have been sent out of what is sent.
    pub fn leave_out(&mut self, path: String, reason: OmissionReason, hunks: u32) {
        let hunks = hunks.min(self.hunks.sent);
        self.hunks.sent -= hunks;
        self.hunks.omitted += hunks;
        self.status = if self.hunks.sent == 0 {
            CoverageStatus::None
        } else {
            CoverageStatus::Partial
        };
        if self.omitted.len() < crate::domain::limits::OMISSIONS_LISTED {
            self.omitted.push(Omission { path, reason });
        } else {
            self.omitted_more = self.omitted_more.saturating_add(1);
        }
    }

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
            reviewed_before: 0,
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

    /// Tells whether what it says was examined was examined as it stands: nothing in it was masked for the project. What was left
    /// out does not matter here, since a review that follows shows it or leaves it out once more.
    pub fn shows_its_hunks_whole(&self) -> bool {
        match self.status {
            CoverageStatus::Complete => true,
            CoverageStatus::Partial => self.hunks.omitted > 0 && self.redaction.count == 0,
            CoverageStatus::None => false,
        }
    }

    /// Counts so many of the sent hunks as reviewed before. The review of them was whole or not; only a whole one leaves a
    /// whole change reviewed.
    pub fn reviewed_before(&mut self, hunks: u32, was_whole: bool) {
        let hunks = hunks.min(self.hunks.sent);
        self.hunks.sent -= hunks;
        self.hunks.reviewed_before += hunks;
        if hunks > 0 && !was_whole && self.status == CoverageStatus::Complete {
            self.status = CoverageStatus::Partial;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_review_left_out_does_not_taint_what_it_was_shown() {
        let check = |omitted: u32, masked: u32, is_bound: bool, expected: CoverageStatus| {
            let omission = Omission {
                path: "Cargo.lock".to_owned(),
                reason: OmissionReason::Generated,
            };
            let redaction = RedactionReport {
                count: masked,
                ..RedactionReport::default()
            };
            let listed = if omitted > 0 { vec![omission] } else { Vec::new() };
            let mut earlier = Coverage::count(3, 4, omitted, listed, redaction);
            if is_bound {
                earlier.status = CoverageStatus::Partial;
            }
            let mut now = Coverage::count(3, 5, 0, Vec::new(), RedactionReport::default());
            now.reviewed_before(4, earlier.shows_its_hunks_whole());
            assert_eq!((now.hunks.sent, now.hunks.reviewed_before), (1, 4));
            assert_eq!(now.status, expected, "{omitted} {masked} {is_bound}");
        };
        check(0, 0, false, CoverageStatus::Complete);
        check(2, 0, false, CoverageStatus::Complete);
        // Nobody can tell any more whether the project hid something in what was shown.
        check(2, 1, false, CoverageStatus::Partial);
        check(0, 1, true, CoverageStatus::Partial);
    }
}
