//! Giving a result up. It is kept until its job's record is deleted, so a change of mind costs nothing.

use serde_json::json;

use crate::domain::fault::Fault;
use crate::service::apply::subject::{Subject, blocking};
use crate::service::deliver::object;
use crate::service::git_fault::git_fault;
use crate::service::reply::{Outcome, Reply};
use crate::state::error::StateError;
use crate::state::trees;
use crate::sys::{clock, files};

/// Notes that a result was given up, and removes the worktree that still holds it.
pub(super) async fn run(subject: Subject) -> Outcome {
    let id = subject.job.id().clone();
    let mark = subject.job.directory.discarded_path();
    let was_discarded = mark.exists();
    let asked = subject.clone();
    let removed = blocking(move || {
        if !was_discarded {
            let text = clock::now_ms().to_string();
            match files::create_new_synced(&mark, text.as_bytes()) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                done => done.map_err(StateError::io("write", &mark))?,
            }
        }
        remove_tree(&asked)
    });
    let removed = removed.await.map_err(|fault| subject.refuse(fault))?;
    let summary = if was_discarded {
        format!("The result of job {id} was discarded before.")
    } else {
        format!("The result of job {id} is discarded; your files were not touched.")
    };
    Ok(Reply {
        summary,
        body: object(json!({"action": "discard", "discarded": true, "worktree_removed": removed})),
        next_steps: vec![format!(
            "the result is kept until the job's record is deleted; `crosscheck cancel {id} --forget` deletes both"
        )],
        ..subject.reply()
    })
}

/// Removes the idle worktree that the job left, if nobody took it since; only when what it held is kept under a ref.
fn remove_tree(subject: &Subject) -> Result<bool, Fault> {
    // A job without edits, and one whose repository was never opened, has nothing to remove.
    let Ok(vault) = subject.folder.vault(&subject.git()?) else {
        return Ok(false);
    };
    let kept = vault
        .read_ref(&format!("refs/jobs/{}/result", subject.job.id()))
        .map_err(|error| git_fault(&error))?;
    if kept.is_none() {
        return Ok(false);
    }
    let Some(held) = trees::left_by(&subject.folder, subject.job.id()) else {
        return Ok(false);
    };
    let place = held.path().parent().map(std::path::Path::to_owned);
    held.give_back();
    let Some(place) = place else { return Ok(false) };
    // Somebody may have taken it in between; then it stays, for it is theirs.
    Ok(trees::remove(&subject.folder, &vault, &place).unwrap_or(false))
}
