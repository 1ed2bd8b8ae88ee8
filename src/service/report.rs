//! The record of an ended review as a report. Free: nothing is sent anywhere.

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::diff::patch::Patch;
use crate::diff::seen::rejoined;
use crate::diff::sent::SentPatch;
use crate::domain::coverage::CoverageStatus;
use crate::domain::envelope::{Envelope, Success};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::{JobKind, JobName};
use crate::domain::limits;
use crate::domain::review_answer::ReviewAnswer;
use crate::report::{Absence, Change, ReviewReport};
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::{self, Listener};
use crate::service::group::{self, Found};
use crate::service::reply::{Refusal, Reply, fields};
use crate::service::workspace::Workspace;
use crate::state::directory::{Job, JobDirectory};
use crate::state::record::{Answer, Expects};
use crate::state::store::Store;
use crate::sys::clock::Stopwatch;
use crate::sys::files;

/// The name of this use case where it fails.
const NAME: &str = "report";
/// The name that its envelope has: the result of the review that it tells again, whole.
const TOLD: &str = "review";

/// Reads the report of the job that a name means, looked for from `workspace`.
pub async fn read(
    service: &Service,
    name: &JobName,
    workspace: Option<PathBuf>,
) -> Result<ReviewReport, Box<Refusal>> {
    let config = service.config()?;
    let store = service.store()?;
    let workspace = Workspace::resolve(service, workspace.as_deref(), &config)?;
    match group::find_kind(&store, name, &workspace, JobKind::Review)? {
        Found::Job(job) => of_job(service, &store, *job).await,
        Found::Group(group) => {
            let message = format!("{} is a group of delegates; only a review has a report", group.id);
            Err(Fault::argument("id", message)
                .call("job", json!({"id": group.id}))
                .into())
        }
    }
}

/// Reads the report behind a review's answer; `None` while its job goes on.
///
/// An answer holds as many findings as fit a host's context, the record holds all.
pub async fn of_answer(service: &Service, success: &Success) -> Result<Option<ReviewReport>, Box<Refusal>> {
    match &success.job {
        Some(view) if view.state.is_active() => Ok(None),
        Some(view) => {
            let store = service.store()?;
            let job = store.read(&view.id).map_err(Fault::from)?;
            of_job(service, &store, job).await.map(Some)
        }
        // Nothing of the change could be shown, so there is no job and this is all there is.
        None => {
            let answer: ReviewAnswer = serde_json::from_value(Value::Object(success.body.clone()))
                .map_err(|_| Fault::new(FaultCode::Internal, "the answer is no review"))?;
            Ok(Some(ReviewReport {
                summary: success.summary.clone(),
                job: None,
                begun_ms: None,
                ended_ms: None,
                answer,
                change: Change::Absent(Absence::NothingSent),
                warnings: success.warnings.clone(),
                meta: success.meta.clone(),
            }))
        }
    }
}

/// Wraps a report as the result envelope, with every finding.
pub fn envelope(service: &Service, report: &ReviewReport, call: &Call) -> Envelope {
    let reply = Reply {
        summary: report.summary.clone(),
        job: report.job.clone(),
        body: fields(&report.answer),
        next_steps: Vec::new(),
        warnings: report.warnings.clone(),
        meta: report.meta.clone(),
    };
    service.wrap(TOLD, Ok(reply), call, Stopwatch::start())
}

/// Wraps why there is no report.
pub fn refuse(service: &Service, refusal: Box<Refusal>, call: &Call) -> Envelope {
    service.wrap(NAME, Err(refusal), call, Stopwatch::start())
}

/// Returns where the page of a job is put when nobody says where: in the job's own folder, so that it goes with it.
pub fn page_path(service: &Service, report: &ReviewReport) -> Result<Option<PathBuf>, Fault> {
    let store = service.store()?;
    let job = report.job.as_ref();
    Ok(job.map(|view| store.directory(&view.id).page_path()))
}

async fn of_job(service: &Service, store: &Store, job: Job) -> Result<ReviewReport, Box<Refusal>> {
    if !matches!(job.spec.expects, Expects::Review { .. }) {
        let kind = job.spec.kind.as_str();
        let message = format!("{} is a {kind} job; only a review has a report", job.id());
        return Err(Fault::argument("id", message)
            .call("job", json!({"id": job.id()}))
            .into());
    }
    deliver::unless_gone(&job.directory, reap(&job.directory).await)?;
    let job = store.read(job.id()).map_err(Fault::from)?;
    let Some(mut result) = job.directory.read_result().map_err(Fault::from)? else {
        let fault = Fault::new(
            FaultCode::JobNotFinished,
            "the review goes on; its report is made when it is over",
        );
        return Err(fault.call("job", json!({"id": job.id(), "wait_s": 600})).into());
    };
    let (answer, ended_early) = match (result.answer.take(), result.partial_review.take()) {
        (Some(Answer::Review(answer)), _) => (*answer, None),
        // What the passes of a review had found that ended before all of them had.
        (_, Some(answer)) => (*answer, Some(result.state.as_str())),
        // Why there is no answer is told in one place.
        _ => {
            return match deliver::job(service, store, &job.directory, Listener::Present).await {
                Err(refusal) => Err(refusal),
                Ok(_) => {
                    Err(Fault::new(FaultCode::StateUnavailable, "the job's record holds no review").into())
                }
            };
        }
    };
    let mut summary = deliver::review::summary(&answer);
    if let Some(state) = ended_early {
        summary =
            format!("the review ended early ({state}), and this is what a part of it had found: {summary}");
        result.warnings.push(format!(
            "the review ended early ({state}): these are the findings of the passes that had ended, and no verdict on the change"
        ));
    }
    let report = ReviewReport {
        summary,
        job: Some(deliver::view(&job, Some(&result))),
        begun_ms: Some(job.spec.created_ms),
        ended_ms: Some(result.ended_ms),
        change: change(&job.directory, &answer),
        meta: deliver::meta(&job.spec, Some(&result)),
        warnings: result.warnings,
        answer,
    };
    job.directory.mark_fetched();
    Ok(report)
}

fn change(directory: &JobDirectory, answer: &ReviewAnswer) -> Change {
    if answer.coverage.status == CoverageStatus::None {
        return Change::Absent(Absence::NothingSent);
    }
    match files::read_bounded(&directory.change_path(), limits::CHANGE_BYTES) {
        Ok(bytes) => match serde_json::from_slice::<SentPatch>(&bytes) {
            Ok(sent) => Change::Kept(rejoined(Patch::from(sent))),
            Err(_) => Change::Absent(Absence::Damaged),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Absent(Absence::NotKept),
        Err(_) => Change::Absent(Absence::Damaged),
    }
}
