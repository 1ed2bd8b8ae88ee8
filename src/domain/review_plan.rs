//! How a review is made: how often a change is looked at, and in which parts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::limits;

/// How thorough a review is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// One look.
    Quick,
    /// One look, and a second model call that tries to refute what it found.
    #[default]
    Standard,
    /// Three looks that know nothing of each other, merged and voted, and then tried to refute.
    Deep,
}

impl Depth {
    /// The names callers may write.
    pub const NAMES: [&'static str; 3] = ["quick", "standard", "deep"];
    /// The depths in the order of [`Self::NAMES`].
    pub const ALL: [Self; 3] = [Self::Quick, Self::Standard, Self::Deep];

    /// The depth of a review that names none.
    pub const UNSAID: Self = Self::Standard;

    /// Returns how often each part of the change is looked at.
    pub fn looks(self) -> u32 {
        match self {
            Self::Quick | Self::Standard => 1,
            Self::Deep => 3,
        }
    }

    /// Tells whether somebody tries to refute the findings, where there are any.
    pub fn verifies(self) -> bool {
        match self {
            Self::Quick => false,
            Self::Standard | Self::Deep => true,
        }
    }

    /// Returns the name used in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Deep => "deep",
        }
    }
}

/// A review as it was decided. The prompts lie beside it: that of the first part where every job has its prompt, those of
/// the others in files of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewPlan {
    /// How thorough.
    pub depth: Depth,
    /// The parts, at least one, in the order of the change. Every hunk that is sent is in exactly one of them, or cut into
    /// pieces of which each is in exactly one.
    pub parts: Vec<PartPlan>,
    /// A hash of everything that decides what is sent and how it is looked at: a dry run tells the same one.
    #[serde(default)]
    pub hash: String,
    /// The language to answer in, secrets masked: the prompts of the looks have it, those of a check are written later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// One part of a change: what one prompt shows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartPlan {
    /// What of the change as sent it shows, in its order.
    pub slices: Vec<Slice>,
    /// Bytes of its prompt.
    pub prompt_bytes: usize,
    /// SHA-256 of its prompt.
    pub prompt_sha256: String,
}

/// Consecutive hunks of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Index of the file in the change as sent.
    pub file: u32,
    /// Index of its first hunk.
    pub first: u32,
    /// How many hunks of the change as sent; a file without hunks counts as one.
    pub hunks: u32,
    /// Whether it is a piece of one hunk that was larger than a part, and not the first: coverage counts such a hunk with its
    /// first piece. A piece is a slice of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
}

/// What a review needs that was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Needs {
    /// Parts it would have.
    pub parts: u32,
    /// Parts that run unasked.
    pub unasked: u32,
    /// Bytes of what would be shown of the change, in all parts together.
    pub bytes: u64,
    /// A quarter of its characters: about so many tokens, for each look.
    pub about_tokens: u64,
}

impl ReviewPlan {
    /// Tells whether the plan is one look at one part, and nothing after it.
    pub fn is_one_look(&self) -> bool {
        self.passes() == 1 && !self.depth.verifies()
    }

    /// Returns how many runs of the peer there are at most, without those that repair an answer.
    pub fn runs(&self) -> u32 {
        self.passes() + self.checks()
    }

    /// Returns how many calls try to refute what was found, at most: more findings than one prompt holds need several.
    pub fn checks(&self) -> u32 {
        if self.depth.verifies() {
            u32::try_from(limits::VERIFY_GROUPS).unwrap_or(u32::MAX / 4)
        } else {
            0
        }
    }

    /// Returns how many hunks were shown when only these parts were looked at: `is_answered` is asked with the index of a
    /// part. Of a hunk that is cut all pieces must have been.
    pub fn hunks_of(&self, is_answered: &dyn Fn(usize) -> bool) -> u32 {
        let mut cut: BTreeMap<u32, BTreeMap<u32, (bool, bool)>> = BTreeMap::new();
        let mut whole = 0;
        for (part, plan) in self.parts.iter().enumerate() {
            for slice in &plan.slices {
                if slice.hunks == 1 {
                    // It may be the first piece of a hunk, which only its successor tells.
                    let own = (slice.continues, is_answered(part));
                    cut.entry(slice.file).or_default().insert(slice.first, own);
                } else if is_answered(part) {
                    whole += slice.hunks;
                }
            }
        }
        let singles = cut.into_values().map(|slices| {
            let mut shown = 0;
            let mut open: Option<bool> = None;
            for (continues, answered) in slices.into_values() {
                if continues {
                    open = open.map(|before| before && answered);
                } else {
                    shown += u32::from(open == Some(true));
                    open = Some(answered);
                }
            }
            shown + u32::from(open == Some(true))
        });
        whole + singles.sum::<u32>()
    }

    /// Returns how many model calls look at the change, without those that repair or verify.
    pub fn passes(&self) -> u32 {
        self.depth.looks() * u32::try_from(self.parts.len()).unwrap_or(u32::MAX / 4)
    }
}

impl PartPlan {
    /// Returns of how many files it shows something.
    pub fn files(&self) -> usize {
        let files: BTreeSet<u32> = self.slices.iter().map(|slice| slice.file).collect();
        files.len()
    }

    /// Returns how many hunks it shows, each piece of one that was cut counted with the first.
    pub fn hunks(&self) -> u32 {
        let counted = self.slices.iter().filter(|slice| !slice.continues);
        counted.map(|slice| slice.hunks).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(file: u32, first: u32, hunks: u32, continues: bool) -> Slice {
        Slice {
            file,
            first,
            hunks,
            continues,
        }
    }

    #[test]
    fn a_hunk_in_pieces_is_shown_when_all_of_them_are() {
        let part = |slices: &[Slice]| PartPlan {
            slices: slices.to_vec(),
            prompt_bytes: 1,
            prompt_sha256: String::new(),
        };
        let plan = ReviewPlan {
            depth: Depth::Deep,
            parts: vec![
                part(&[
                    slice(0, 0, 3, false),
                    slice(1, 0, 1, false),
                    slice(2, 0, 1, false),
                ]),
                part(&[slice(2, 1, 1, true)]),
                part(&[slice(2, 2, 1, true), slice(2, 3, 2, false)]),
            ],
            hash: String::new(),
            language: None,
        };
        let check = |answered: &[usize], expected: u32| {
            assert_eq!(
                plan.hunks_of(&|part| answered.contains(&part)),
                expected,
                "{answered:?}"
            );
        };
        check(&[0, 1, 2], 7);
        check(&[0, 2], 6);
        check(&[0, 1], 4);
        check(&[1], 0);
        check(&[2], 2);
        check(&[], 0);
        let counted: Vec<u32> = plan.parts.iter().map(PartPlan::hunks).collect();
        assert_eq!((counted, plan.passes(), plan.runs()), (vec![5, 0, 2], 9, 13));
    }
}
