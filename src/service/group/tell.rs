//! A group as an answer: where each run stands, which attempt is best, and which tasks get in each other's way.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::domain::count::counted;
use crate::domain::delegation::Work;
use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobKind, JobState};
use crate::domain::job_view::{JobLimits, JobView, NextCall};
use crate::domain::score::{Ranking, Score, rank};
use crate::domain::time::spoken;
use crate::domain::usage::Usage;
use crate::service::context::Service;
use crate::service::deliver::delegate::{change, problems, whereabouts};
use crate::service::deliver::standing::{self, Applies};
use crate::service::deliver::{self, Listener, object};
use crate::service::group::overlap::{Candidate, Overlap, Together, forecast};
use crate::service::group::{Run, runs, state};
use crate::service::reply::{Outcome, Refusal, Reply};
use crate::service::vigil;
use crate::state::groups::Group;
use crate::state::record::Expects;
use crate::state::repositories::RepositoryFolder;
use crate::state::store::Store;

/// Characters of a run's report in a group's answer; the run's own answer has all of it.
const REPORT_CHARS: usize = 400;

/// Tells a group as it stands now.
pub async fn tell(service: &Service, store: &Store, group: &Group, listener: Listener) -> Outcome {
    let runs = runs(store, group).await;
    let view = view(group, &runs);
    let meta = meta(&runs);
    if view.state.is_active() {
        let asker = runs
            .iter()
            .find_map(|run| run.job.as_ref()?.spec.asked_by.as_ref());
        let is_told = vigil::is_told(service, store, asker);
        let mut reply = running(group, &runs, view, meta);
        if is_told {
            vigil::promise(&mut reply);
        }
        return Ok(reply);
    }
    // Before git is asked, which takes a while: whoever is about to read a group is not told that it is over.
    for job in runs
        .iter()
        .filter_map(|run| run.job.as_ref())
        .filter(|_| listener == Listener::Present)
    {
        job.directory.mark_fetched();
    }
    let mut standings = Vec::with_capacity(runs.len());
    for run in &runs {
        let applies = match (&run.job, &run.result) {
            (Some(job), Some(result)) => standing::look(service, store, job, result).await,
            _ => None,
        };
        standings.push(applies);
    }
    let tasks = tasks(&runs, &standings);
    if view.state != JobState::Succeeded {
        return Err(Box::new(refusal(group, &runs, view, meta)));
    }
    let overlap = overlap(service, store, &runs, &tasks).await;
    Ok(Reply {
        summary: summary(&runs, &tasks, &standings, &overlap),
        body: object(json!({
            "tasks": tasks.iter().map(Task::shown).collect::<Vec<_>>(),
            "overlap": overlap,
        })),
        next_steps: steps(&tasks, &overlap),
        warnings: warnings(&runs),
        job: Some(view),
        meta,
    })
}

/// The view of a group in an envelope, as if it were a job.
pub fn view(group: &Group, runs: &[Run]) -> JobView {
    let views: Vec<JobView> = runs
        .iter()
        .filter_map(|run| Some(deliver::view(run.job.as_ref()?, run.result.as_ref())))
        .collect();
    let states: Vec<JobState> = views.iter().map(|view| view.state).collect();
    let state = state(&states);
    let ended = states.iter().filter(|state| !state.is_active()).count();
    let is_active = state.is_active();
    let sum = |usages: Vec<Usage>| usages.into_iter().reduce(Usage::after);
    JobView {
        id: group.id.clone(),
        kind: JobKind::Delegate,
        label: group.label.clone(),
        state,
        elapsed_ms: views.iter().map(|view| view.elapsed_ms).max().unwrap_or(0),
        // One that is done elsewhere has none that is known, and then the group has none.
        deadline_at: views
            .iter()
            .filter_map(|view| view.deadline_at.clone())
            .max()
            .filter(|_| is_active && views.iter().all(|view| view.remote.is_none())),
        // It is told whole as long as all of its jobs are there.
        expires_at: views.iter().filter_map(|view| view.expires_at.clone()).min(),
        poll_after_ms: views.iter().filter_map(|view| view.poll_after_ms).max(),
        phase: is_active.then(|| format!("{ended} of {} runs are over", runs.len())),
        usage: sum(views.iter().filter_map(|view| view.usage).collect()),
        plan_hash: None,
        // Those of the runs are the same but for where they are done.
        limits: views
            .iter()
            .map(|view| view.limits)
            .max_by_key(|limits| limits.timeout_s)
            .unwrap_or(JobLimits {
                timeout_s: 0,
                budget_tokens: None,
            }),
        remote: None,
        next: is_active.then(|| NextCall {
            tool: "job",
            arguments: object(json!({"id": group.id, "wait_s": 600})),
        }),
    }
}

/// What the runs have in common.
pub fn meta(runs: &[Run]) -> Meta {
    let first = runs.iter().find_map(|run| run.job.as_ref());
    let used = runs.iter().filter_map(|run| run.result.as_ref()?.usage);
    Meta {
        usage: used.reduce(Usage::after),
        thread: None,
        ..first
            .map(|job| deliver::meta(&job.spec, None))
            .unwrap_or_default()
    }
}

fn warnings(runs: &[Run]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for run in runs {
        let own = match (&run.result, &run.job) {
            (Some(result), _) => result.warnings.as_slice(),
            (None, Some(job)) => job.spec.warnings.as_slice(),
            (None, None) => &[],
        };
        for warning in own {
            if !told.contains(warning) {
                told.push(warning.clone());
            }
        }
    }
    told
}

/// A group of which something runs.
fn running(group: &Group, runs: &[Run], view: JobView, meta: Meta) -> Reply {
    let id = &group.id;
    let tasks = tasks(runs, &[]);
    Reply {
        summary: format!(
            "The group {id} of {} is {} ({}, {} so far). It goes on by itself; its results are kept.",
            counted_runs(runs.len()),
            view.state.as_str(),
            view.phase.as_deref().unwrap_or_default(),
            spoken(view.elapsed_ms)
        ),
        body: object(json!({"tasks": tasks.iter().map(Task::shown).collect::<Vec<_>>()})),
        next_steps: vec![
            format!("call job with id {id} and wait_s to wait for all of it"),
            format!("call cancel with id {id} to end all of it"),
        ],
        warnings: warnings(runs),
        job: Some(view),
        meta,
    }
}

fn counted_runs(count: usize) -> String {
    counted(count, "run")
}

/// The runs of one task.
struct Task<'a> {
    id: &'a str,
    attempts: Vec<(&'a Run, Option<Applies>)>,
    ranking: Ranking,
}

fn tasks<'a>(runs: &'a [Run], standings: &[Option<Applies>]) -> Vec<Task<'a>> {
    let mut tasks: Vec<Task<'a>> = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let attempt = (run, standings.get(at).copied().flatten());
        match tasks.iter_mut().find(|task| task.id == run.place.task) {
            Some(task) => task.attempts.push(attempt),
            None => tasks.push(Task {
                id: &run.place.task,
                attempts: vec![attempt],
                ranking: Ranking::Nobody,
            }),
        }
    }
    for task in &mut tasks {
        // Nobody has won while somebody still runs.
        let is_over = task.attempts.iter().all(|(run, _)| !is_active(run));
        if is_over {
            let scores: Vec<Option<Score>> = task.attempts.iter().map(|(run, _)| score(run)).collect();
            task.ranking = rank(&scores);
        }
    }
    tasks
}

fn is_active(run: &Run) -> bool {
    run.job.as_ref().is_some_and(|job| job.state.is_active())
}

/// Scores a run that is over and left something.
pub fn score(run: &Run) -> Option<Score> {
    let result = run.result.as_ref()?;
    Some(Score::of(result.work.as_ref()?, result.answer.is_some()))
}

fn work(run: &Run) -> Option<&Work> {
    run.result.as_ref()?.work.as_ref()
}

impl<'a> Task<'a> {
    /// The attempt that would be landed: the winner, or the first of those that tie.
    fn best(&self) -> Option<&'a Run> {
        let at = match &self.ranking {
            Ranking::Winner(at) => *at,
            Ranking::Tie(all) => *all.first()?,
            Ranking::Nobody => return None,
        };
        self.attempts.get(at).map(|(run, _)| *run)
    }

    /// The first attempt that was ended and had changed something by then; it counts only where none came to its end.
    fn left(&self) -> Option<&'a Run> {
        let mut runs = self.attempts.iter().map(|(run, _)| *run);
        runs.find(|run| work(run).is_some_and(|work| !work.is_empty()))
    }

    fn shown(&self) -> Value {
        let attempts: Vec<Value> = self
            .attempts
            .iter()
            .map(|(run, applies)| Value::Object(sheet(run, *applies)))
            .collect();
        let mut shown = object(json!({"id": self.id, "attempts": attempts}));
        let job = |at: &usize| self.attempts.get(*at).map(|(run, _)| run.place.job.clone());
        match &self.ranking {
            Ranking::Winner(at) => shown.insert("winner".to_owned(), json!(job(at))),
            Ranking::Tie(all) => {
                let jobs: Vec<_> = all.iter().filter_map(job).collect();
                shown.insert("tie".to_owned(), json!(jobs))
            }
            Ranking::Nobody => None,
        };
        Value::Object(shown)
    }
}

/// One row of the score sheet.
fn sheet(run: &Run, applies: Option<Applies>) -> Map<String, Value> {
    let mut row = object(json!({"job": run.place.job, "attempt": run.place.attempt}));
    let Some(job) = &run.job else {
        // Its worker could not be started, or somebody forgot it.
        row.insert("state".to_owned(), "gone".into());
        return row;
    };
    let view = deliver::view(job, run.result.as_ref());
    row.insert("state".to_owned(), json!(view.state));
    row.insert("elapsed_ms".to_owned(), view.elapsed_ms.into());
    if let Some(phase) = view.phase {
        row.insert("phase".to_owned(), phase.into());
    }
    let Some(result) = &run.result else { return row };
    if let Some(usage) = result.usage {
        row.insert("tokens".to_owned(), usage.total().into());
    }
    if let Some(fault) = &result.fault {
        row.insert("code".to_owned(), fault.code.as_str().into());
    }
    if let Some(work) = &result.work {
        let passed = work
            .checks
            .iter()
            .filter(|check| check.exit_code == Some(0))
            .count();
        row.insert("diffstat".to_owned(), json!(work.diffstat));
        row.insert(
            "checks".to_owned(),
            json!({"passed": passed, "failed": work.checks.len() - passed}),
        );
        row.insert("scope_kept".to_owned(), work.scope.is_kept().into());
    }
    if let Some(applies) = applies {
        row.insert("applies".to_owned(), json!(applies));
    }
    if let Some(crate::state::record::Answer::Delegate(answer)) = &result.answer {
        let report: String = answer.report.chars().take(REPORT_CHARS).collect();
        let more = if report.len() < answer.report.len() {
            "…"
        } else {
            ""
        };
        row.insert("report".to_owned(), format!("{report}{more}").into());
    }
    row
}

async fn overlap(service: &Service, store: &Store, runs: &[Run], tasks: &[Task<'_>]) -> Vec<Overlap> {
    let candidate = |task: &Task<'_>| {
        let run = task.best()?;
        let Expects::Delegate { delegation } = &run.job.as_ref()?.spec.expects else {
            return None;
        };
        Some(Candidate {
            task: task.id.to_owned(),
            work: work(run)?.clone(),
            base: delegation.baseline.tree.clone(),
        })
    };
    let candidates: Vec<Candidate> = tasks.iter().filter_map(candidate).collect();
    let common = runs.iter().find_map(|run| match &run.job.as_ref()?.spec.expects {
        Expects::Delegate { delegation } => Some(delegation.baseline.common_directory.clone()),
        Expects::Consult { .. } | Expects::Review { .. } => None,
    });
    match common {
        Some(common) if candidates.len() > 1 => {
            forecast(service, RepositoryFolder::of(store, &common), candidates).await
        }
        _ => Vec::new(),
    }
}

fn summary(runs: &[Run], tasks: &[Task<'_>], standings: &[Option<Applies>], overlap: &[Overlap]) -> String {
    let succeeded = runs.iter().filter(|run| {
        run.job
            .as_ref()
            .is_some_and(|job| job.state == JobState::Succeeded)
    });
    let mut text = format!("{} of {} succeeded", succeeded.count(), counted_runs(runs.len()));
    for task in tasks {
        let _ = write!(text, "; {}: {}", task.id, of_task(task));
    }
    let clashes = overlap
        .iter()
        .filter(|overlap| overlap.together == Together::Conflicts)
        .count();
    if clashes > 0 {
        let conflict = if clashes == 1 { "conflicts" } else { "conflict" };
        let _ = write!(text, "; {} of tasks {conflict}", counted(clashes, "pair"));
    } else if !overlap.is_empty() {
        let change = if overlap.len() == 1 { "changes" } else { "change" };
        let _ = write!(
            text,
            "; {} of tasks {change} the same files",
            counted(overlap.len(), "pair")
        );
    }
    let mut known = standings.iter().flatten();
    text.push_str(whereabouts(known.all(|applies| *applies == Applies::Clean)));
    text
}

fn of_task(task: &Task<'_>) -> String {
    let told = |run: &Run| match work(run) {
        Some(work) => match problems(work) {
            Some(problems) => format!("{} ({problems})", change(work)),
            None => change(work),
        },
        None => String::new(),
    };
    let attempts = task.attempts.len();
    match (&task.ranking, task.best()) {
        (Ranking::Winner(at), Some(run)) if attempts > 1 => {
            format!("attempt {} of {attempts} is best, {}", at + 1, told(run))
        }
        (Ranking::Tie(all), Some(run)) => {
            let names: Vec<String> = all.iter().map(|at| (at + 1).to_string()).collect();
            format!("attempts {} tie, {}", names.join(" and "), told(run))
        }
        (_, Some(run)) => told(run),
        (_, None) => match task.left() {
            Some(run) => format!(
                "no attempt came to its end; attempt {} left {}",
                run.place.attempt,
                told(run)
            ),
            None => "nothing to land".to_owned(),
        },
    }
}

/// Says how to go on: one preview for each task, and which ones not to land together.
fn steps(tasks: &[Task<'_>], overlap: &[Overlap]) -> Vec<String> {
    let mut steps: Vec<String> = tasks
        .iter()
        .filter_map(|task| {
            let job = &task.best().or_else(|| task.left())?.place.job;
            Some(format!(
                "for {}: call dry_run with tool apply and arguments {{\"id\": \"{job}\"}} to see what landing it would do",
                task.id
            ))
        })
        .collect();
    if tasks.iter().any(|task| matches!(task.ranking, Ranking::Tie(_))) {
        steps.push("a tie is the user's to break: show both diffs".to_owned());
    }
    for overlap in overlap {
        let [one, other] = &overlap.tasks;
        if overlap.together == Together::Conflicts {
            steps.push(format!(
                "land only one of {one} and {other}, then have the other one done again: they conflict"
            ));
        }
    }
    steps.push("call job with the id of a run and detail diff to read its diff".to_owned());
    steps
}

/// A group of which nothing succeeded.
fn refusal(group: &Group, runs: &[Run], view: JobView, meta: Meta) -> Refusal {
    let fault = runs.iter().find_map(|run| run.result.as_ref()?.fault.clone());
    let code = fault.as_ref().map_or(FaultCode::JobLost, |fault| fault.code);
    let told: Vec<String> = runs
        .iter()
        .map(|run| {
            let code = run.result.as_ref().and_then(|result| result.fault.as_ref());
            let code = code.map_or("gone", |fault| fault.code.as_str());
            format!("{} {}: {code}", run.place.task, run.place.attempt)
        })
        .collect();
    let message = format!("no run of the group succeeded ({})", told.join(", "));
    let mut told = Fault::new(code, message);
    told.retry_after_ms = fault.and_then(|fault| fault.retry_after_ms);
    Refusal {
        fault: told
            .hint("look at each run with job; what it had changed is kept")
            .call("job", json!({"id": group.id, "detail": "full"})),
        job: Some(view),
        meta,
    }
}
