//! Which findings of an earlier review are about lines that its change has no more.

use std::collections::BTreeSet;

use crate::diff::anchor::have_lines;
use crate::diff::patch::{ChangeKind, Content, FilePatch, LineKind};
use crate::diff::text::shown_path;
use crate::domain::finding::{Anchor, Origin, Side};
use crate::domain::request::{ReviewRequest, Subject, Untracked};
use crate::domain::scope::Scope;
use crate::redact::Redacted;
use crate::service::earlier::Earlier;
use crate::service::review_input::ReviewInput;

impl Earlier {
    /// Returns the ids of the findings about lines that the change had added to a file which the same change has no more:
    /// there it is as it was before, so that they are gone is known without looking at the file.
    pub(super) fn undone(&self, request: &ReviewRequest, input: &ReviewInput) -> Vec<String> {
        let (then, now) = (&self.answer.target, &input.target);
        let is_same_work = match (then.scope.as_str(), now.scope.as_str()) {
            ("working_tree" | "branch" | "staged", "working_tree")
            | ("branch", "branch")
            | ("staged", "staged") => true,
            // A clean tree, when the call named no scope.
            ("working_tree", "branch") => matches!(request.subject, Subject::Change(Scope::Auto)),
            _ => false,
        };
        let is_whole = now.paths.is_empty() || now.paths == then.paths;
        let coverage = &input.coverage;
        if !is_same_work
            || !is_whole
            || then.base_oid.is_none()
            || then.base_oid != now.base_oid
            || request.common.options.untracked != Untracked::Include
            || coverage.omitted_more > 0
            || !input.lines_known
        {
            return Vec::new();
        }
        let root = input.repo_root.to_string_lossy();
        let patches = [Some(input.patch.get()), input.before.as_ref().map(Redacted::get)];
        let added: BTreeSet<String> = patches
            .into_iter()
            .flatten()
            .flat_map(|patch| &patch.files)
            .filter(|file| file.kind != ChangeKind::Modified)
            .flat_map(added_lines)
            .collect();
        let findings = self.answer.findings.iter();
        let brought = findings.filter(|finding| {
            finding.origin == Origin::Introduced
                && finding.anchor != Anchor::OffDiff
                && finding.side == Side::New
                && !finding.evidence.trim().is_empty()
        });
        brought
            .filter(|finding| {
                let is_there = patches.into_iter().flatten().any(|patch| {
                    let is_file = |file: &FilePatch| {
                        [&file.old_path, &file.new_path]
                            .into_iter()
                            .any(|path| shown_path(path) == finding.file)
                    };
                    patch.files.iter().any(is_file)
                        || have_lines(patch, &root, [finding.file.as_str()].into_iter()) == [true]
                });
                let is_omitted = coverage
                    .omitted
                    .iter()
                    .any(|omitted| omitted.path == finding.file);
                // It may stand in a file of another name now.
                let is_moved = finding.evidence.lines().any(|line| added.contains(line.trim()));
                !is_there && !is_omitted && !is_moved && !self.seen.has_named(&finding.file)
            })
            .map(|finding| finding.id.clone())
            .collect()
    }
}

/// The lines that a file got, without the white space around them.
fn added_lines(file: &FilePatch) -> Vec<String> {
    let Content::Text(hunks) = &file.content else {
        return Vec::new();
    };
    let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
    let added = lines.filter(|line| line.kind == LineKind::Added);
    added
        .map(|line| String::from_utf8_lossy(&line.text).trim().to_owned())
        .collect()
}
