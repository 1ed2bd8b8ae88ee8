//! What the reader of one part is told of the rest: all files of the change, and the names that the other parts touch.

use crate::diff::listing;
use crate::diff::patch::Patch;
use crate::diff::render::Run;
use crate::diff::symbols;
use crate::redact::Redacted;

/// Lists all files of a change that is divided so.
pub(super) fn files(patch: &Redacted<Patch>, parts: &[Vec<Run>], most_bytes: usize) -> Redacted<String> {
    patch.derive_with((parts.to_vec(), most_bytes), |patch, (parts, most)| {
        listing::list(patch, &parts, most)
    })
}

/// Lists the names that the parts other than `own` touch, each of them with its share of the room.
pub(super) fn names(
    patch: &Redacted<Patch>,
    parts: &[Vec<Run>],
    own: usize,
    most_bytes: usize,
) -> Option<Redacted<String>> {
    let others = parts.iter().enumerate().filter(|(part, _)| *part != own);
    let others: Vec<Vec<Run>> = others.map(|(_, runs)| runs.clone()).collect();
    let share = most_bytes / others.len().max(1);
    let names = patch.derive_with((others, share), |patch, (others, share)| {
        let lists = others.iter().map(|runs| symbols::list(patch, runs, share));
        lists.collect::<String>()
    });
    (!names.as_str().is_empty()).then_some(names)
}
