//! What landing would do, told: files, size, conflicts, risks, and the token that lands exactly this.

use serde_json::{Map, Value, json};

use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::delegation::{CheckOutcome, Work};
use crate::domain::fault::Fault;
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::request::ApplyRequest;
use crate::domain::shell::quoted;
use crate::git::Conflict;
use crate::service::apply::plan::{Block, FileState, Fit, Plan};
use crate::service::apply::selection::Selected;
use crate::service::apply::subject::{Subject, blocking};
use crate::service::apply::token::token;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::group::overlap::{Candidate, Overlap, Together, forecast_for};
use crate::service::reply::{Outcome, Reply, fields};
use crate::state::record::Expects;
use crate::state::{groups, landing};

/// Bytes of the rows about files in one answer; the rest is counted.
const ROWS_BYTES: usize = limits::INLINE_BYTES / 2;
/// Names in one list beside the rows.
const NAMES: usize = 50;

/// Shows what landing would do.
pub(super) async fn run(service: &Service, subject: Subject, request: &ApplyRequest) -> Outcome {
    if subject.work().is_none_or(Work::is_empty) {
        return Ok(nothing(&subject));
    }
    let (names, asked) = (request.files.clone(), subject.clone());
    let looked = blocking(move || {
        let opened = asked.open()?;
        // As for a landing: what a killed one left half-way is nobody's edit.
        landing::recover(&asked.folder)?;
        let plan = Plan::of(&asked, &opened, &names)?;
        let token = if plan.can_land() {
            Some(token(&asked.store, asked.job.id(), &asked.top_level, &plan)?)
        } else {
            None
        };
        Ok((plan, token))
    });
    let (plan, token) = looked.await.map_err(|fault| subject.refuse(fault))?;
    let mut reply = told(&subject, request, &plan, token);
    reply.warnings.extend(overlaps(service, &subject, &plan).await);
    Ok(reply)
}

/// Forecasts, for a job of a group, which results of its other tasks change the same files.
async fn overlaps(service: &Service, subject: &Subject, plan: &Plan) -> Vec<String> {
    let Some(member) = &subject.delegation.member else {
        return Vec::new();
    };
    let group = groups::read(&subject.store, &member.group).ok().flatten();
    let Some(group) = group else { return Vec::new() };
    let mut own = match subject.work() {
        Some(work) => work.clone(),
        None => return Vec::new(),
    };
    // Only what would land gets into anybody's way.
    own.changed.retain(|file| {
        plan.selection
            .files
            .iter()
            .any(|chosen| chosen.shown.path == file.path)
    });
    let one = Candidate {
        task: member.task.clone(),
        work: own,
        base: subject.delegation.baseline.tree.clone(),
    };
    let others = group.members.iter().filter(|other| other.task != member.task);
    let others = others
        .filter_map(|other| {
            let directory = subject.store.directory(&other.job);
            if directory.discarded_path().exists() {
                return None;
            }
            let Expects::Delegate { delegation } = directory.read_spec().ok()?.expects else {
                return None;
            };
            Some(Candidate {
                task: format!("task {} (job {})", other.task, other.job),
                work: directory.read_result().ok()??.work?,
                base: delegation.baseline.tree,
            })
        })
        .collect();
    let found = forecast_for(service, subject.folder.clone(), one, others).await;
    found.iter().map(overlap).collect()
}

fn overlap(found: &Overlap) -> String {
    let more = if found.more_files > 0 { ", ..." } else { "" };
    let together = match found.together {
        Together::Clean => "both can land, for they merge without a conflict".to_owned(),
        Together::Conflicts => format!(
            "only one of them can land as it is, for they conflict in {}",
            found.conflicts.join(", ")
        ),
        Together::Unknown => "whether both can land could not be tried".to_owned(),
    };
    format!(
        "{} of the same group changes the same files: {}{more}; {together}",
        found.tasks[1],
        found.files.join(", ")
    )
}

/// A job that changed nothing: an outcome like any other, and no error.
fn nothing(subject: &Subject) -> Reply {
    Reply {
        summary: format!("{}.", subject.nothing().message),
        body: object(json!({
            "action": "preview",
            "applies": "nothing",
            "can_land": false,
            "files": [],
            "diffstat": fields(&crate::domain::delegation::Diffstat::default()),
            "conflicts": [],
        })),
        next_steps: vec![format!(
            "call job with id {} to read what it says",
            subject.job.id()
        )],
        warnings: warnings(subject),
        ..subject.reply()
    }
}

fn told(subject: &Subject, request: &ApplyRequest, plan: &Plan, token: Option<String>) -> Reply {
    let id = subject.job.id();
    let (rows, more) = rows(plan);
    let mut body = object(json!({
        "action": "preview",
        "applies": applies(plan.fit),
        "can_land": token.is_some(),
        "files": rows,
        "diffstat": plan.diffstat,
        "conflicts": plan.conflicts.iter().take(NAMES).map(conflict).collect::<Vec<_>>(),
    }));
    if more > 0 {
        body.insert("more_files".to_owned(), more.into());
    }
    if !plan.elsewhere.is_empty() {
        body.insert("also_changes".to_owned(), elsewhere(plan));
    }
    for block in &plan.blocks {
        let (name, value) = match block {
            Block::Refused(files) => ("refused", named(files)),
            Block::Outside(files) => ("outside_scope", named(files)),
            Block::NeedsNaming(files) => ("needs_naming", named(files)),
            Block::TooMany { limit, chosen } => ("over_max_files", json!({"limit": limit, "files": chosen})),
        };
        body.insert(name.to_owned(), value);
    }
    let failed = failed_checks(subject);
    if !failed.is_empty() {
        body.insert("failed_checks".to_owned(), json!(failed));
    }
    let mut next_steps = Vec::new();
    if let Some(token) = token {
        let command = command(subject, request, !failed.is_empty());
        let accept = if failed.is_empty() {
            ""
        } else {
            ", and with accept_failed_checks only if the user says so: checks failed"
        };
        let files = if request.files.is_empty() {
            ""
        } else {
            ", the same files"
        };
        next_steps.push(format!(
            "when the user agrees, call apply with id {id}, action land, this token{files}{accept}"
        ));
        next_steps.push(format!("or let the user run `{command}` in a terminal"));
        body.insert("token".to_owned(), token.into());
        body.insert("command".to_owned(), command.into());
    } else {
        next_steps.extend(ways_out(subject, plan));
    }
    Reply {
        summary: summary(subject, plan, &failed),
        body,
        next_steps,
        warnings: warnings(subject),
        ..subject.reply()
    }
}

/// The places that the landing writes to because files were renamed to them.
pub(super) fn elsewhere(plan: &Plan) -> Value {
    named(
        &plan
            .elsewhere
            .iter()
            .map(|path| shown_path(path))
            .collect::<Vec<_>>(),
    )
}

fn applies(fit: Fit) -> &'static str {
    match fit {
        Fit::Nothing => "nothing",
        Fit::Already => "already",
        Fit::Clean => "clean",
        Fit::Conflicts => "conflicts",
    }
}

fn summary(subject: &Subject, plan: &Plan, failed: &[String]) -> String {
    let id = subject.job.id();
    let size = plan.diffstat;
    let head = match plan.fit {
        Fit::Nothing => format!("None of the chosen files of job {id} can land"),
        Fit::Already => format!("What job {id} did is in the files already"),
        Fit::Conflicts => format!(
            "What job {id} did does not fit the present files: {}",
            counted(plan.conflicts.len(), "conflict")
        ),
        Fit::Clean => format!(
            "What job {id} did fits the present files: {}, +{} -{}",
            counted(size.files, "file"),
            size.added,
            size.removed
        ),
    };
    let mut notes: Vec<String> = plan.blocks.iter().map(blocked).collect();
    if !failed.is_empty() && plan.fit != Fit::Already {
        notes.push(format!("{} failed", counted(failed.len(), "check")));
    }
    if notes.is_empty() {
        format!("{head}. Nothing was changed.")
    } else {
        format!("{head}; {}. Nothing was changed.", notes.join("; "))
    }
}

/// Says what stands in the way, in a few words.
pub(super) fn blocked(block: &Block) -> String {
    match block {
        Block::Refused(files) => format!("{} can never land", counted(files.len(), "file")),
        Block::Outside(files) => format!(
            "{} outside of what the task may change",
            counted(files.len(), "file")
        ),
        Block::NeedsNaming(files) => {
            format!("{} must be named to land", counted(files.len(), "high-risk file"))
        }
        Block::TooMany { limit, chosen } => format!("{chosen} files are more than the limit of {limit}"),
    }
}

/// What may be done where nothing can land as it is. Never a landing.
fn ways_out(subject: &Subject, plan: &Plan) -> Vec<String> {
    let id = subject.job.id();
    let mut steps = Vec::new();
    for block in &plan.blocks {
        match block {
            Block::NeedsNaming(_) => steps.push(format!(
                "read the high-risk files with job id {id} detail=diff; then preview again with files naming every file \
                 that shall land"
            )),
            Block::Refused(_) | Block::Outside(_) | Block::TooMany { .. } => {
                let harmless = plan.harmless();
                if !harmless.is_empty() && harmless.len() <= NAMES {
                    steps.push(format!("preview again with files: {}", harmless.join(", ")));
                }
            }
        }
    }
    match plan.fit {
        Fit::Conflicts => {
            steps.push(format!(
                "call delegate with resume {id} to have it done on the present files, or preview again with files naming \
                 those without a conflict"
            ));
            steps.push(format!(
                "or call apply with id {id} and action branch, and merge the branch by hand"
            ));
        }
        Fit::Already => steps.push(format!(
            "to take it out again, call apply with id {id} and action undo"
        )),
        Fit::Nothing | Fit::Clean => {}
    }
    steps.dedup();
    steps
}

/// What the caller should know of the job beside its files.
fn warnings(subject: &Subject) -> Vec<String> {
    let mut warnings = Vec::new();
    if subject.job.state != JobState::Succeeded {
        warnings.push(format!(
            "the job ended as {}, so what it did may be incomplete",
            subject.job.state.as_str()
        ));
    }
    if subject.job.directory.discarded_path().exists() {
        warnings
            .push("the result was discarded before; it is kept until the job's record is deleted".to_owned());
    }
    if let Some(work) = subject.work().filter(|work| !work.left_out.is_empty()) {
        let more = match work.left_out.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let first = &work.left_out[..work.left_out.len().min(NAMES)];
        warnings.push(format!(
            "no part of the result, because git cannot keep them in it: {}{more}",
            first.join(", ")
        ));
    }
    warnings
}

/// Returns the commands that did not pass, the setup among them.
pub(super) fn failed_checks(subject: &Subject) -> Vec<String> {
    let passed = |check: &&CheckOutcome| check.exit_code != Some(0);
    let work = subject.work();
    let setup = work.and_then(|work| work.setup.iter().find(passed));
    let checks = work
        .into_iter()
        .flat_map(|work| work.checks.iter().filter(passed));
    setup
        .into_iter()
        .chain(checks)
        .map(|check| check.command.clone())
        .collect()
}

/// The command that lands this from a terminal.
pub(super) fn command(subject: &Subject, request: &ApplyRequest, accept_failed_checks: bool) -> String {
    let mut words = vec![format!("crosscheck apply {} --land", subject.job.id())];
    for file in &request.files {
        words.push(format!("--file {}", quoted(file)));
    }
    if request.workspace.is_some() {
        words.push(format!(
            "--workspace {}",
            quoted(&subject.top_level.display().to_string())
        ));
    }
    if accept_failed_checks {
        words.push("--accept-failed-checks".to_owned());
    }
    words.join(" ")
}

/// The arguments of the preview that gives a fresh token.
pub(super) fn preview_call(subject: &Subject, request: &ApplyRequest) -> Value {
    let mut arguments = object(json!({"id": subject.job.id(), "action": "preview"}));
    if !request.files.is_empty() {
        arguments.insert("files".to_owned(), json!(request.files));
    }
    if let Some(workspace) = &request.workspace {
        arguments.insert("workspace".to_owned(), workspace.display().to_string().into());
    }
    Value::Object(arguments)
}

/// Tells as many files as fit, those first that need a look, and counts the rest.
pub(super) fn rows(plan: &Plan) -> (Vec<Value>, usize) {
    let mut files: Vec<(&Selected, FileState)> = plan
        .selection
        .files
        .iter()
        .zip(plan.states.iter().copied())
        .collect();
    files.sort_by_key(|(file, state)| {
        let is_plain = file.shown.refused.is_none() && file.shown.risk.is_none() && !file.is_outside;
        is_plain && *state != FileState::Conflict
    });
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for (file, state) in &files {
        let row = Value::Object(row(plan, file, *state));
        bytes += row.to_string().len() + 1;
        if bytes > ROWS_BYTES || rows.len() == limits::CHANGED_LISTED {
            break;
        }
        rows.push(row);
    }
    let more = files.len() - rows.len();
    (rows, more)
}

fn row(plan: &Plan, file: &Selected, state: FileState) -> Map<String, Value> {
    let mut row = fields(&file.shown);
    row.insert("state".to_owned(), state.as_str().into());
    if file.is_outside {
        row.insert("outside_scope".to_owned(), true.into());
    }
    if let Some((added, removed)) = file.change.lines {
        row.insert("added".to_owned(), added.into());
        row.insert("removed".to_owned(), removed.into());
    }
    let found = plan
        .conflicts
        .iter()
        .find(|conflict| file.paths().any(|path| path == conflict.path));
    if let Some(conflict) = found {
        row.insert("hunks".to_owned(), hunks(conflict));
    }
    row
}

/// Tells a conflict: where, why, and which lines of the present file.
pub(super) fn conflict(conflict: &Conflict) -> Value {
    json!({
        "path": shown_path(&conflict.path),
        "reason": conflict.reason,
        "hunks": hunks(conflict),
    })
}

fn hunks(conflict: &Conflict) -> Value {
    let hunks = conflict.hunks.iter().take(NAMES);
    hunks
        .map(|(first, last)| json!({"line": first, "end_line": last}))
        .collect()
}

fn named(files: &[String]) -> Value {
    json!(files.iter().take(NAMES).collect::<Vec<_>>())
}

/// The fault of what stands in the way of a landing.
pub(super) fn block_fault(subject: &Subject, request: &ApplyRequest, plan: &Plan, block: &Block) -> Fault {
    use crate::domain::fault::FaultCode;
    let some = |files: &[String]| {
        let more = if files.len() > NAMES { ", ..." } else { "" };
        format!("{}{more}", files[..files.len().min(NAMES)].join(", "))
    };
    let again = |fault: Fault| {
        let harmless = plan.harmless();
        let mut arguments = object(preview_call(subject, request));
        if !harmless.is_empty() && harmless.len() <= NAMES {
            arguments.insert("files".to_owned(), json!(harmless));
        }
        fault.field("files").call(
            "dry_run",
            json!({"tool": "apply", "arguments": Value::Object(arguments)}),
        )
    };
    let message = match block {
        Block::TooMany { .. } => format!("nothing was changed: {}", blocked(block)),
        Block::Refused(files) | Block::Outside(files) | Block::NeedsNaming(files) => {
            format!("nothing was changed: {}: {}", blocked(block), some(files))
        }
    };
    match block {
        Block::Refused(_) => again(
            Fault::new(FaultCode::PolicyDenied, message)
                .hint("name the other files alone; the diff of the job shows what these would do"),
        ),
        Block::Outside(_) | Block::TooMany { .. } => again(
            Fault::new(FaultCode::ScopeViolation, message)
                .hint("name the files of the task alone, or delegate again with wider paths"),
        ),
        Block::NeedsNaming(_) => Fault::new(FaultCode::InvalidArguments, message)
            .field("files")
            .hint("read their diff; then preview again and name every file that shall land")
            .call("job", json!({"id": subject.job.id(), "detail": "diff"})),
    }
}
