//! Taking a landing back: the exact bytes and modes, or nothing.

use std::fmt::Write as _;

use serde_json::json;

use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::service::apply::land::{disk_fault, left};
use crate::service::apply::subject::{Subject, blocking};
use crate::service::deliver::object;
use crate::service::reply::{Outcome, Reply};
use crate::state::landing::{self, UndoError};

/// Takes the newest landing of the job back.
pub(super) async fn run(subject: Subject) -> Outcome {
    let asked = subject.clone();
    let undone = blocking(move || {
        landing::recover(&asked.folder)?;
        // A result may have landed in several working trees of the repository.
        let only = asked.is_top_named.then_some(asked.top_level.as_path());
        landing::undo_in(&asked.folder, asked.job.id(), only).map_err(|error| undo_fault(&asked, error))
    });
    let landing = undone.await.map_err(|fault| subject.refuse(fault))?;
    let id = subject.job.id();
    let files: Vec<String> = landing
        .sides
        .iter()
        .take(limits::CHANGED_LISTED)
        .map(|side| shown_path(&side.path))
        .collect();
    let more = landing.sides.len() - files.len();
    let mut body = object(json!({"action": "undo", "undone": true, "files": files}));
    if more > 0 {
        body.insert("more_files".to_owned(), more.into());
    }
    Ok(Reply {
        summary: format!(
            "The landing of job {id} in {} was taken back: {} as before.",
            landing.top_level.display(),
            counted(landing.sides.len(), "path")
        ),
        body,
        next_steps: vec![format!(
            "the result is still there: call dry_run with tool apply and arguments {{\"id\": \"{id}\"}}"
        )],
        warnings: left(&landing),
        ..subject.reply()
    })
}

fn undo_fault(subject: &Subject, error: UndoError) -> Fault {
    match error {
        UndoError::NothingLanded => {
            let mut message = format!("nothing of job {} is in the files", subject.job.id());
            if subject.is_top_named {
                let _ = write!(message, " of `{}`", subject.top_level.display());
            }
            Fault::argument("id", message).hint("only a result that landed and was not undone can be undone; the list of worktrees tells what landed")
                .call("status", json!({"topic": "worktrees"}))
        }
        UndoError::Newer { job } => {
            let message = format!("nothing was changed: job {job} landed on the same files later");
            Fault::new(FaultCode::ApplyConflict, message)
                .hint("undo the newer landing first")
                .call("apply", json!({"id": job, "action": "undo"}))
        }
        UndoError::Land(error) => disk_fault(subject, error),
    }
}
