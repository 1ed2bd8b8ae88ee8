//! The result as a commit on a new local branch. Nothing is checked out.

use serde_json::json;

use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::delegation::Work;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::ApplyRequest;
use crate::git::{Export, ExportError};
use crate::service::apply::land::names;
use crate::service::apply::plan::{Block, Plan, oid};
use crate::service::apply::preview::{block_fault, conflict, failed_checks};
use crate::service::apply::subject::{Subject, blocking};
use crate::service::deliver::object;
use crate::service::git_fault::git_fault;
use crate::service::reply::{Outcome, Reply};

/// Characters at the end of a job's id that name it among a user's branches: its randomness.
const ID_CHARS: usize = 10;

/// Makes the branch. High-risk files need no word of their own here, for nothing reads them before somebody merges; they
/// are told.
pub(super) async fn run(subject: Subject, request: &ApplyRequest, name: Option<&str>) -> Outcome {
    if subject.work().is_none_or(Work::is_empty) {
        return Err(subject.refuse(subject.nothing()));
    }
    let branch = name.map_or_else(|| default_name(&subject), str::to_owned);
    let (asked, request, name) = (subject.clone(), request.clone(), branch.clone());
    let made = blocking(move || {
        let opened = asked.open()?;
        let plan = Plan::of(&asked, &opened, &request.files)?;
        let hard = plan
            .blocks
            .iter()
            .find(|block| !matches!(block, Block::NeedsNaming(_)));
        if let Some(block) = hard {
            return Err(block_fault(&asked, &request, &plan, block));
        }
        // What does not fit the present files may fit the commit; what does not fit itself fits nothing.
        if let Some(found) = plan.displaced.first() {
            return Err(Fault::new(
                FaultCode::ApplyConflict,
                format!(
                    "no branch was made: {}: {}",
                    shown_path(&found.path),
                    found.reason
                ),
            )
            .field("files")
            .hint("name that file in files too"));
        }
        let head = asked.delegation.baseline.head.as_deref().ok_or_else(|| {
            Fault::new(
                FaultCode::NoCommitYet,
                "the job started without a commit to put a branch on",
            )
            .hint("land the result instead")
        })?;
        let message = format!("{}\n\nCrosscheck-Job: {}\n", asked.job.spec.label, asked.job.id());
        let export = Export {
            head: &oid(head)?,
            base: &plan.base,
            result: &plan.result,
            branch: &name,
            message: &message,
        };
        let commit = opened
            .vault
            .export(&opened.repository, &export, &opened.scratch)
            .map_err(|error| export_fault(&error))?;
        Ok((commit, plan))
    });
    let (commit, plan) = made.await.map_err(|fault| subject.refuse(fault))?;
    let mut warnings = Vec::new();
    let risky: Vec<&str> = plan.risky().iter().map(|file| file.shown.path.as_str()).collect();
    if !risky.is_empty() {
        warnings.push(format!(
            "look at these before you merge, they are high-risk: {}",
            risky.join(", ")
        ));
    }
    let failed = failed_checks(&subject);
    if !failed.is_empty() {
        warnings.push(format!(
            "{} failed: {}",
            counted(failed.len(), "check"),
            failed.join("; ")
        ));
    }
    Ok(Reply {
        summary: format!(
            "The result of job {} is commit {} on the new branch {branch}; your files were not touched.",
            subject.job.id(),
            commit.short()
        ),
        body: object(json!({
            "action": "branch", "branch": branch, "commit": commit.as_str(), "diffstat": plan.diffstat,
        })),
        next_steps: vec![format!(
            "look at it with `git log -p -1 {branch}` and merge it when it is good"
        )],
        warnings,
        ..subject.reply()
    })
}

fn default_name(subject: &Subject) -> String {
    let id = subject.job.id().as_str();
    format!("crosscheck/{}", &id[id.len().saturating_sub(ID_CHARS)..])
}

fn export_fault(error: &ExportError) -> Fault {
    match error {
        ExportError::BadName => Fault::argument("branch", "`branch` is no name that git takes for a branch")
            .hint("use letters, digits, `-`, `_` and `/`, or leave it out"),
        ExportError::Exists => {
            Fault::argument("branch", "a branch of this name exists, and it was not touched")
                .hint("give the branch another name")
        }
        ExportError::Filtered { paths } => Fault::argument(
            "files",
            format!(
                "no branch was made: {} stored through Git LFS or another filter, which is not run here: {}",
                counted(paths.len(), "file"),
                names(paths)
            ),
        )
        .allowing(paths.iter().map(|path| shown_path(path)))
        .hint("leave them out by naming the others, or land the result and commit it yourself"),
        ExportError::Conflicts(found) => {
            let told: Vec<String> = found
                .iter()
                .map(|found| conflict(found)["path"].to_string())
                .collect();
            Fault::new(
                FaultCode::ApplyConflict,
                format!(
                    "no branch was made: the job built on uncommitted changes, and what it did does not fit the commit \
                     without them: {}",
                    told.join(", ")
                ),
            )
            .hint("land the result instead, or commit your changes and delegate again")
        }
        ExportError::Git(error) => git_fault(error),
    }
}
