//! Lets the session that asked for a job know that it is over.
//!
//! Whoever ends a job says so in the file that the session's host watches: the worker, or whoever gives a lost job its
//! result. What the session is told, and whether it is, is decided by those who read the line.

use crate::domain::delegation::Member;
use crate::domain::job::{JobId, JobState};
use crate::domain::wake::Say;
use crate::state::directory::JobDirectory;
use crate::state::groups;
use crate::state::notice;
use crate::state::record::{Expects, Spec};
use crate::state::sessions::{self, Line};
use crate::state::store::Store;

/// Says that a job is over to the session that asked for it. Of a group only the last one to end says so, for all of them.
pub fn tell_end(store: &Store, spec: &Spec) {
    if let Some(asker) = &spec.asked_by
        && let Some(id) = over(store, spec)
    {
        sessions::note(store, &asker.process, &id, Line::Ended);
    }
}

/// Returns what is over with this job, which is: the job, or its group if no other job of it goes on.
///
/// Each job's result is there before it is asked here, so of two that end at once at least one sees both.
fn over(store: &Store, spec: &Spec) -> Option<JobId> {
    let Some(member) = member(spec) else {
        return Some(spec.id.clone());
    };
    let group = groups::read(store, &member.group).ok().flatten()?;
    let goes_on = |id: &JobId| store.directory(id).state().is_ok_and(JobState::is_active);
    let others = group
        .members
        .iter()
        .map(|member| &member.job)
        .filter(|id| **id != spec.id);
    (!others.into_iter().any(goes_on)).then_some(group.id)
}

/// Lets nobody be told of the end of this job or group: who asked for it knows already.
pub fn hush(store: &Store, id: &JobId) {
    if let Some(subject) = notice::subject(store, id) {
        subject.claim(Say::Ended);
    }
}

/// As [`hush`], of a job that was ended with all others of its group, by the person who started them.
pub fn hush_whole(directory: &JobDirectory) {
    let Ok(spec) = directory.read_spec() else {
        return;
    };
    if spec.asked_by.is_none() {
        return;
    }
    let store = Store::around(directory);
    hush(&store, &spec.id);
    if let Some(member) = member(&spec) {
        hush(&store, &member.group);
    }
}

fn member(spec: &Spec) -> Option<&Member> {
    match &spec.expects {
        Expects::Delegate { delegation } => delegation.member.as_ref(),
        Expects::Consult { .. } | Expects::Review { .. } => None,
    }
}
