//! A delegate as a caller wrote it, and which of its parts go together. Both doors come through here.

use std::path::PathBuf;

use crate::domain::delegation::{
    ATTEMPTS_MAX, CHECK_BYTES, CHECKS_MAX, Dirty, GLOBS_MAX, MEMBERS_MAX, TASKS_MAX,
};
use crate::domain::fault::Fault;
use crate::domain::globs;
use crate::domain::request::{Common, DelegateRequest, ONLY_TASK, Task, checked_argument};
use crate::domain::runner::RunnerName;
use crate::domain::scope::Revision;
use crate::service::choice;

/// Longest id of a task: it is a label, not a text.
const ID_CHARS: usize = 48;

const DIRTY: [Dirty; Dirty::NAMES.len()] = [Dirty::Snapshot, Dirty::Committed, Dirty::Ask];

/// One task as it was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedTask {
    pub(crate) id: String,
    pub(crate) task: String,
    pub(crate) allowed_paths: Vec<String>,
    pub(crate) checks: Vec<String>,
    pub(crate) runner: Option<String>,
}

/// A call as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) task: Option<String>,
    pub(crate) tasks: Vec<WantedTask>,
    pub(crate) allowed_paths: Vec<String>,
    pub(crate) checks: Vec<String>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) context: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) dirty: Option<String>,
    pub(crate) base: Option<String>,
    pub(crate) common: Common,
}

impl Wanted {
    /// Checks the parts and that they go together.
    pub(crate) fn parse(self) -> Result<DelegateRequest, Fault> {
        let allowed_paths = checked_globs("allowed_paths", self.allowed_paths)?;
        let checks = checked_lines("checks", self.checks)?;
        let runner = self.common.options.runner;
        let tasks = tasks(self.task, self.tasks, &allowed_paths, &checks, runner)?;
        let attempts = self.attempts;
        if !(1..=ATTEMPTS_MAX).contains(&attempts) {
            return Err(Fault::argument(
                "attempts",
                format!("`attempts` is not between 1 and {ATTEMPTS_MAX}"),
            ));
        }
        let members = tasks.len() * attempts as usize;
        if members > MEMBERS_MAX {
            let message = format!(
                "{} tasks of {attempts} attempts each are {members} runs",
                tasks.len()
            );
            return Err(Fault::argument("attempts", message)
                .hint(format!("ask for at most {MEMBERS_MAX} runs in one call")));
        }
        let (dirty, base) = start(self.dirty, self.base)?;
        let request = DelegateRequest {
            tasks,
            files: self.files,
            context: self
                .context
                .map(|text| checked_argument("context", text))
                .transpose()?,
            attempts,
            dirty,
            base,
            common: self.common,
        };
        check_alone(&request)?;
        Ok(request)
    }
}

/// Reads the one task or the many.
fn tasks(
    task: Option<String>,
    tasks: Vec<WantedTask>,
    allowed_paths: &[String],
    checks: &[String],
    runner: RunnerName,
) -> Result<Vec<Task>, Fault> {
    match (task, tasks) {
        (Some(_), tasks) if !tasks.is_empty() => Err(Fault::argument(
            "tasks",
            "`task` and `tasks` contradict each other",
        )
        .hint("pass one task as `task`, or all of them as `tasks`")),
        (Some(text), _) => Ok(vec![Task {
            id: ONLY_TASK.to_owned(),
            text: checked_argument("task", text)?,
            allowed_paths: allowed_paths.to_vec(),
            checks: checks.to_vec(),
            runner,
        }]),
        (None, tasks) if tasks.is_empty() => {
            Err(Fault::argument("task", "there is no task").hint("say what to do as `task`"))
        }
        (None, tasks) if tasks.len() > TASKS_MAX => {
            let message = format!("`tasks` has {} entries; the limit is {TASKS_MAX}", tasks.len());
            Err(Fault::argument("tasks", message).hint("hand over the rest in another call"))
        }
        (None, tasks) => {
            let mut read: Vec<Task> = Vec::with_capacity(tasks.len());
            for (at, task) in tasks.into_iter().enumerate() {
                let task = one_of_many(at, task, allowed_paths, checks, runner)?;
                if read.iter().any(|other| other.id == task.id) {
                    let field = format!("tasks[{at}].id");
                    let message = format!("`{field}` is the id of an earlier task");
                    return Err(Fault::argument(field, message).hint("give each task an id of its own"));
                }
                read.push(task);
            }
            Ok(read)
        }
    }
}

fn one_of_many(
    at: usize,
    task: WantedTask,
    allowed_paths: &[String],
    checks: &[String],
    runner: RunnerName,
) -> Result<Task, Fault> {
    let field = |name: &str| format!("tasks[{at}].{name}");
    if !is_id(&task.id) {
        return Err(
            Fault::argument(field("id"), format!("`{}` is no id of a task", field("id"))).hint(format!(
                "use 1 to {ID_CHARS} of a-z, 0-9 and `-`, not beginning with `-`"
            )),
        );
    }
    let own = |own: Vec<String>, of_call: &[String]| if own.is_empty() { of_call.to_vec() } else { own };
    Ok(Task {
        id: task.id,
        text: checked_argument(&field("task"), task.task)?,
        allowed_paths: own(
            checked_globs(&field("allowed_paths"), task.allowed_paths)?,
            allowed_paths,
        ),
        checks: own(checked_lines(&field("checks"), task.checks)?, checks),
        runner: match task.runner {
            Some(text) => choice::choose(&field("runner"), &text, &RunnerName::NAMES, &RunnerName::ALL)?,
            None => runner,
        },
    })
}

fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=ID_CHARS).contains(&text.len())
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
        && !text.starts_with('-')
}

/// Checks globs: valid ones of paths inside the workspace.
fn checked_globs(field: &str, globs: Vec<String>) -> Result<Vec<String>, Fault> {
    at_most(field, globs.len(), GLOBS_MAX)?;
    for (at, glob) in globs.iter().enumerate() {
        globs::check(glob).map_err(|error| {
            let field = format!("{field}[{at}]");
            let message = format!("`{field}` {error}");
            Fault::argument(field, message)
                .hint("name paths inside the workspace, relative to it, such as `src/**`")
        })?;
    }
    Ok(globs)
}

/// Checks command lines.
fn checked_lines(field: &str, lines: Vec<String>) -> Result<Vec<String>, Fault> {
    at_most(field, lines.len(), CHECKS_MAX)?;
    for (at, line) in lines.iter().enumerate() {
        let wrong = if line.trim().is_empty() {
            "is empty".to_owned()
        } else if line.len() > CHECK_BYTES {
            format!("is longer than {CHECK_BYTES} bytes")
        } else if line.contains('\0') {
            "holds a zero byte".to_owned()
        } else {
            continue;
        };
        let field = format!("{field}[{at}]");
        let message = format!("`{field}` {wrong}");
        return Err(Fault::argument(field, message).hint("put what is longer into a script of the project"));
    }
    Ok(lines)
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), Fault> {
    if count <= most {
        return Ok(());
    }
    let message = format!("`{field}` has {count} entries; the limit is {most}");
    Err(Fault::argument(field, message).hint("name fewer"))
}

/// Reads what the peer starts from. A base is a commit, so uncommitted changes have no part in it.
fn start(dirty: Option<String>, base: Option<String>) -> Result<(Dirty, Option<Revision>), Fault> {
    let dirty = match dirty {
        Some(text) => Some(choice::choose("dirty", &text, &Dirty::NAMES, &DIRTY)?),
        None => None,
    };
    let Some(base) = base else {
        return Ok((dirty.unwrap_or_default(), None));
    };
    if matches!(dirty, Some(Dirty::Snapshot | Dirty::Ask)) {
        let message =
            "`base` and `dirty` contradict each other: uncommitted changes take no part with a base";
        return Err(Fault::argument("dirty", message).hint("leave out one of them"));
    }
    let base = Revision::parse(&base)
        .map_err(|error| Fault::argument("base", error.to_string()).hint("name a branch, tag or commit"))?;
    Ok((Dirty::Committed, Some(base)))
}

/// Refuses what only one run can do.
fn check_alone(request: &DelegateRequest) -> Result<(), Fault> {
    let options = &request.common.options;
    if request.common.resume.is_some() {
        if request.is_group() {
            let message = "`resume` continues one job, and this call asks for several runs";
            return Err(Fault::argument("resume", message).hint("pass one task and one attempt"));
        }
        if request.base.is_some() || request.dirty != Dirty::Snapshot {
            let field = if request.base.is_some() { "base" } else { "dirty" };
            let message = format!(
                "`{field}` and `resume` contradict each other: a resumed job goes on from its result"
            );
            return Err(Fault::argument(field, message).hint("leave out one of them"));
        }
    }
    if options.in_place {
        let contradicts = |what: &str| {
            let message = format!("`options.in_place` and {what} contradict each other");
            Err(Fault::argument("options.in_place", message)
                .hint("leave it out: then each run gets a worktree of its own"))
        };
        if request.is_group() {
            return contradicts("several runs");
        }
        if request.base.is_some() || request.dirty == Dirty::Committed {
            return contradicts("a start without the uncommitted changes");
        }
        if request.common.resume.is_some() {
            return contradicts("`resume`");
        }
    }
    Ok(())
}
