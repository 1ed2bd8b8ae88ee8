//! Asking how tasks stand, and noting what was seen. What is seen decides no state: a job that cannot be seen goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::runner::{Sighting, TaskId, TaskStatus};
use crate::peer::codex::cloud::{
    PAGE, Trouble, TroubleKind, list_arguments, parse_list, parse_status, status_arguments,
};
use crate::run::follow::remedy;
use crate::run::masking::mask;
use crate::run::runner::cloud::submit::home_of;
use crate::run::runner::cloud::{Asking, QUESTION, QUESTION_BYTES};
use crate::state::directory::JobDirectory;
use crate::state::remote::RemoteTask;
use crate::sys::clock;

/// Pages of a list that are read at once: two hundred tasks. What is older is asked about one by one.
const PAGES: usize = 10;
/// A look that follows another one within this many milliseconds tells the same.
const AGAIN_MS: u64 = 2_000;
/// How long somebody who looks at a job waits for the service.
const LOOK: Duration = Duration::from_secs(8);

/// Asks about one task.
pub async fn status(
    asking: &Asking<'_>,
    task: &RemoteTask,
    deadline: Duration,
) -> Result<TaskStatus, Trouble> {
    let arguments = status_arguments(&task.task);
    let bounds = (deadline, QUESTION_BYTES);
    asking.ask(arguments, home_of(task), bounds, parse_status).await
}

/// Asks about the newest tasks of an environment, page by page until all that are wanted were told of.
pub async fn list(
    asking: &Asking<'_>,
    environment: &str,
    wanted: &[RemoteTask],
) -> Result<BTreeMap<TaskId, TaskStatus>, Trouble> {
    let mut told = BTreeMap::new();
    let mut cursor: Option<String> = None;
    let home = wanted.first().and_then(home_of);
    for _ in 0..PAGES {
        let arguments = list_arguments(Some(environment), PAGE, cursor.as_deref());
        let page = asking
            .ask(arguments, home, (QUESTION, QUESTION_BYTES), parse_list)
            .await?;
        told.extend(page.tasks.into_iter().map(|listed| (listed.task, listed.status)));
        let is_complete = wanted.iter().all(|task| told.contains_key(&task.task));
        // The same cursor again would be asked for for ever.
        if is_complete || page.cursor.is_none() || page.cursor == cursor {
            break;
        }
        cursor = page.cursor;
    }
    Ok(told)
}

/// Notes what was seen, in the directory of each job of the task.
pub fn note(directory: &JobDirectory, seen: &Result<TaskStatus, Trouble>) -> Sighting {
    let now = clock::now_ms();
    let seen = match seen {
        Ok(status) => Sighting::seen(*status, now),
        Err(trouble) => directory.read_seen().unseen(why(trouble), now),
    };
    directory.write_seen(&seen);
    seen
}

/// Says why a task cannot be seen, and what to do where waiting does not help.
pub(in crate::run) fn why(trouble: &Trouble) -> String {
    let said = mask(&trouble.said);
    match trouble.kind {
        TroubleKind::SignedOut | TroubleKind::Refused => format!("{said}: {}", remedy(trouble.kind)),
        TroubleKind::NoEnvironment
        | TroubleKind::Gone
        | TroubleKind::Unanswered
        | TroubleKind::Unreadable => said,
    }
}

/// Asks about the task of a job that somebody looks at, unless it was asked about a moment ago.
pub(in crate::run) async fn look(asking: &Asking<'_>, directory: &JobDirectory) -> Option<Sighting> {
    let task = directory.task().filter(|_| directory.is_elsewhere())?;
    let before = directory.read_seen();
    let since = clock::now_ms().abs_diff(before.asked_ms.max(task.sent.at_ms));
    if since < AGAIN_MS {
        return Some(before);
    }
    let seen = status(asking, &task, LOOK).await;
    Some(note(directory, &seen))
}
