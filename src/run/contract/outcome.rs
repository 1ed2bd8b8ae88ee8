//! Single questions to what was seen, each with the outcome that answers it. Pure.

use crate::domain::usage::Usage;
use crate::model;
use crate::run::contract::check::CheckOutcome;
use crate::run::contract::evidence::{Evidence, RunSeen};
use crate::run::contract::script::{SOCKET_PATH, reached_line};
use crate::run::contract::world::REMOTE_SERVER_PATH;

/// Characters of one outcome's line.
const LINE_CHARS: usize = 300;

pub(super) fn held_if(held: bool, seen: impl FnOnce() -> String) -> CheckOutcome {
    if held { CheckOutcome::Held } else { broken(seen()) }
}

pub(super) fn broken(seen: impl AsRef<str>) -> CheckOutcome {
    CheckOutcome::Broken {
        seen: cut(seen.as_ref()),
    }
}

pub(super) fn not_checked(why: impl AsRef<str>) -> CheckOutcome {
    CheckOutcome::NotChecked {
        why: cut(why.as_ref()),
    }
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(LINE_CHARS).collect()
}

/// Tells whether a part of the run's first command was reached.
pub(super) fn reached(run: &RunSeen, part: &str) -> CheckOutcome {
    held_if(run.outputs().contains(&reached_line(part, run.run)), || {
        "the command's output did not come back".to_owned()
    })
}

/// Judges only if a part of the run's first command was reached: what was not tried was not refused.
pub(super) fn needs(run: &RunSeen, part: &str, judge: impl FnOnce() -> CheckOutcome) -> CheckOutcome {
    match reached(run, part) {
        CheckOutcome::Held => judge(),
        CheckOutcome::Broken { .. } | CheckOutcome::NotChecked { .. } => {
            not_checked("the command that tries it did not run")
        }
    }
}

pub(super) fn unwritten(seen: &Evidence, run: &RunSeen) -> CheckOutcome {
    let written: Vec<&str> = seen
        .written
        .iter()
        .filter(|(by, _)| *by == run.run)
        .map(|(_, place)| *place)
        .collect();
    held_if(written.is_empty(), || {
        format!("a command wrote into {}", written.join(", "))
    })
}

pub(super) fn uncalled(seen: &Evidence, run: &str) -> CheckOutcome {
    let path = format!("{SOCKET_PATH}{run}");
    held_if(seen.requests.iter().all(|request| request.path != path), || {
        "a command reached the model server".to_owned()
    })
}

pub(super) fn unmarked(seen: &Evidence, names: &[&str]) -> CheckOutcome {
    let there: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| seen.marks.iter().any(|mark| mark == name))
        .collect();
    held_if(there.is_empty(), || {
        format!("its mark is there: {}", there.join(", "))
    })
}

pub(super) fn untold(run: &RunSeen, word: &str) -> CheckOutcome {
    held_if(!run.told().contains(word), || {
        "the model was told of it".to_owned()
    })
}

/// Returns what the model server counted for these runs.
pub(super) fn spent(runs: &[&RunSeen]) -> Usage {
    let each = model::Usage::default();
    let calls: usize = runs.iter().map(|run| run.turns.len()).sum();
    let times = |count: u64| count * calls as u64;
    Usage {
        input: times(each.input),
        cached: times(each.cached),
        output: times(each.output),
    }
}

/// Tells whether a request is one of those that a run makes to the model's service, or is judged elsewhere.
pub(super) fn is_expected(request: &model::RecordedRequest) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    let origin_form = path.starts_with('/');
    let elsewhere = path.starts_with(SOCKET_PATH) || path.contains(REMOTE_SERVER_PATH);
    let service = path.starts_with("/v1/") && matches!(request.method.as_str(), "POST" | "GET" | "HEAD");
    origin_form && (elsewhere || service || request.method == "HEAD")
}
