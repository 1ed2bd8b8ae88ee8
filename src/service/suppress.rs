//! Writes a person's decisions about findings into the repository's own files, and remembers that it was the person.
//!
//! Only the terminal has these commands: no tool of a host silences a review. A file of the repository is written, and nothing
//! is staged or committed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::domain::baseline::Accepted;
use crate::domain::count::counted;
use crate::domain::day::Day;
use crate::domain::envelope::Envelope;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Finding;
use crate::domain::job::{JobKind, JobName};
use crate::domain::review_answer::ReviewAnswer;
use crate::domain::suppression::{DAYS_DEFAULT, Selects, Suppression};
use crate::git::common_directory;
use crate::run::reap::reap;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::group::{self, Found};
use crate::service::guidance::project_root;
use crate::service::reply::{Outcome, Reply};
use crate::service::standing::{present_path, read_present};
use crate::service::workspace::Workspace;
use crate::standing::suppressions::{Lapsed, appended, check_reason, holds};
use crate::standing::{baseline, suppressions};
use crate::state::accepted;
use crate::state::directory::Job;
use crate::state::record::Answer;
use crate::state::store::Store;
use crate::sys::clock::{self, Stopwatch};
use crate::sys::files;

/// A decision to live with findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppress {
    /// The review.
    pub job: JobName,
    /// Ids of its findings, or the beginning of one that fits no other.
    pub findings: Vec<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds; [`DAYS_DEFAULT`] days when absent.
    pub until: Option<Day>,
    /// The project's folder.
    pub workspace: Option<PathBuf>,
}

/// Suppresses findings and wraps what came of it.
pub async fn suppress(service: &Service, wanted: &Suppress, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service, wanted).await;
    service.wrap("suppress", outcome, call, watch)
}

/// Accepts all findings of a review as they stand and wraps what came of it.
pub async fn write_baseline(
    service: &Service,
    job: &JobName,
    workspace: Option<&Path>,
    call: &Call,
) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = accept(service, job, workspace).await;
    service.wrap("baseline", outcome, call, watch)
}

/// Shows what is accepted.
pub fn show_baseline(service: &Service, workspace: Option<&Path>, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = show(service, workspace);
    service.wrap("baseline", outcome, call, watch)
}

async fn run(service: &Service, wanted: &Suppress) -> Outcome {
    check_reason(&wanted.reason).map_err(|why| Fault::argument("reason", why))?;
    let today = Day::of_ms(clock::now_ms());
    let expires = wanted.until.unwrap_or_else(|| today.later(DAYS_DEFAULT));
    match holds(expires, today) {
        Ok(()) => {}
        Err(Lapsed::Expired) => {
            return Err(Fault::argument("until", "`--until` names a day that is over").into());
        }
        Err(Lapsed::TooFar) => {
            return Err(
                Fault::argument("until", "`--until` names a day more than a year away")
                    .hint("name an earlier day; what still stands then is decided again")
                    .into(),
            );
        }
    }
    let place = Place::find(service, wanted.workspace.as_deref())?;
    let (job, answer) = review(&place, &wanted.job).await?;
    let all: Vec<&Finding> = answer.findings.iter().collect();
    let mut entries = Vec::new();
    let mut said = Vec::new();
    for id in &wanted.findings {
        let finding = one_of(&all, id)?;
        // The beginning of an id is quickly mistyped, so that it is told which finding it was.
        said.push(json!({
            "id": finding.id, "severity": finding.severity, "file": finding.file, "line": finding.line,
            "title": finding.title
        }));
        entries.push(Suppression {
            selects: Selects::Id(finding.id.clone()),
            reason: wanted.reason.trim().to_owned(),
            expires,
        });
    }
    let text = place.read(suppressions::PATH, suppressions::BYTES)?;
    let known =
        suppressions::parse(&text).map_err(|error| place.invalid(suppressions::PATH, &error.to_string()))?;
    let text = entries
        .iter()
        .filter(|entry| !known.contains(entry))
        .fold(text, |text, entry| appended(&text, entry));
    // The word of the person first: an entry that stands there without it would wait for a commit.
    place.say(&entries.iter().map(Suppression::digest).collect::<Vec<_>>())?;
    let file = place.write(suppressions::PATH, &text)?;
    Ok(Reply {
        summary: format!(
            "{} of {} suppressed until {expires}, for you at once; for others and in CI once {} is committed and in the base.",
            counted(said.len(), "finding"),
            job.id(),
            suppressions::PATH
        ),
        body: object(json!({"suppressed": said, "expires": expires.to_string(), "file": file})),
        next_steps: vec![format!("`crosscheck review --since {}` counts it", job.id())],
        ..Reply::default()
    })
}

async fn accept(service: &Service, name: &JobName, workspace: Option<&Path>) -> Outcome {
    let place = Place::find(service, workspace)?;
    let (job, answer) = review(&place, name).await?;
    let text = place.read(baseline::PATH, baseline::BYTES)?;
    let before = if text.is_empty() {
        Vec::new()
    } else {
        baseline::parse(&text).map_err(|error| place.invalid(baseline::PATH, &error.to_string()))?
    };
    let gone = answer.baseline.as_ref().map_or(&[][..], |report| &report.gone);
    let mut kept: Vec<Accepted> = before
        .into_iter()
        .filter(|entry| !gone.contains(&entry.id))
        .collect();
    let fresh: Vec<Accepted> = answer.findings.iter().map(Accepted::from).collect();
    kept.retain(|entry| !fresh.iter().any(|new| new.id == entry.id));
    kept.extend(fresh.iter().cloned());
    if kept.len() > baseline::ENTRIES {
        let message = format!("a baseline holds {} findings at most", baseline::ENTRIES);
        return Err(Fault::new(FaultCode::InputTooLarge, message).into());
    }
    let count = kept.len();
    place.say(&kept.iter().map(Accepted::digest).collect::<Vec<_>>())?;
    let file = place.write(baseline::PATH, &baseline::write(kept))?;
    Ok(Reply {
        summary: format!(
            "{} of {} accepted as they stand, {} taken out; the baseline holds {count}. It counts for you at once; for others and in CI once it is in the base.",
            counted(fresh.len(), "finding"),
            job.id(),
            gone.len()
        ),
        body: object(json!({"accepted": fresh.len(), "removed": gone, "findings": count, "file": file})),
        ..Reply::default()
    })
}

fn show(service: &Service, workspace: Option<&Path>) -> Outcome {
    let place = Place::find(service, workspace)?;
    let text = place.read(baseline::PATH, baseline::BYTES)?;
    let accepted = if text.is_empty() {
        Vec::new()
    } else {
        baseline::parse(&text).map_err(|error| place.invalid(baseline::PATH, &error.to_string()))?
    };
    let lines: Vec<String> = accepted
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}: {}",
                entry.id,
                entry.severity.as_str(),
                entry.file,
                entry.title
            )
        })
        .collect();
    Ok(Reply {
        summary: format!(
            "The baseline of the working tree holds {}.",
            counted(accepted.len(), "finding")
        ),
        body: object(json!({"baseline": lines})),
        ..Reply::default()
    })
}

/// The repository whose files are written.
struct Place {
    store: Store,
    workspace: Workspace,
    root: PathBuf,
    common_directory: PathBuf,
}

impl Place {
    fn find(service: &Service, workspace: Option<&Path>) -> Result<Self, Fault> {
        let config = service.config()?;
        let workspace = Workspace::resolve(service, workspace, &config)?;
        let root = project_root(workspace.readable()?);
        let common = root.as_deref().and_then(common_directory);
        let (Some(root), Some(common_directory)) = (root, common) else {
            let message = "there is no repository here whose file could say it";
            return Err(Fault::new(FaultCode::NotAGitRepository, message));
        };
        Ok(Self {
            store: service.store()?,
            workspace,
            root,
            common_directory,
        })
    }

    fn read(&self, path: &str, bytes: u64) -> Result<String, Fault> {
        read_present(&self.root, path, bytes)
            .map(Option::unwrap_or_default)
            .map_err(|why| self.invalid(path, &why))
    }

    fn invalid(&self, path: &str, why: &str) -> Fault {
        let file = self.root.join(path);
        Fault::new(
            FaultCode::ConfigInvalid,
            format!("`{}` was left as it is: {why}", file.display()),
        )
        .hint("mend or remove that file, then repeat the command")
    }

    fn say(&self, hashes: &[String]) -> Result<(), Fault> {
        Ok(accepted::add(&self.store, &self.common_directory, hashes)?)
    }

    /// Writes a file whole, readable as the repository's others are, and returns its path.
    fn write(&self, path: &str, text: &str) -> Result<String, Fault> {
        let file = present_path(&self.root, path).map_err(|why| self.invalid(path, &why))?;
        let written = write_tracked(&file, text.as_bytes());
        written.map_err(|error| self.invalid(path, &error.to_string()))?;
        Ok(file.display().to_string())
    }
}

fn write_tracked(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    /// What git gives a file that it checks out, before the user's mask.
    const MODE: u32 = 0o644;
    if let Some(folder) = file.parent() {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let mode = file
        .symlink_metadata()
        .map_or(MODE, |about| about.permissions().mode() & 0o777);
    files::write_atomic(file, bytes)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode))
}

/// Returns an ended review.
async fn review(place: &Place, name: &JobName) -> Result<(Job, ReviewAnswer), Fault> {
    let job = match group::find_kind(&place.store, name, &place.workspace, JobKind::Review)? {
        Found::Job(job) => *job,
        Found::Group(group) => {
            return Err(Fault::argument(
                "job",
                format!("{} is a group, and only a review has findings", group.id),
            ));
        }
    };
    if job.state.is_active() {
        return Err(Fault::new(FaultCode::JobNotFinished, "the review goes on")
            .call("job", json!({"id": job.id(), "wait_s": 600})));
    }
    reap(&job.directory).await?;
    let result = job.directory.read_result()?;
    match result.and_then(|result| result.answer) {
        Some(Answer::Review(answer)) => Ok((job, *answer)),
        _ => Err(Fault::argument(
            "job",
            format!("{} is no review with an answer", job.id()),
        )),
    }
}

/// Returns the one finding whose id begins so.
fn one_of<'a>(findings: &[&'a Finding], id: &str) -> Result<&'a Finding, Fault> {
    let mut fits = findings.iter().filter(|finding| finding.id.starts_with(id));
    match (fits.next(), fits.next()) {
        (Some(finding), None) if !id.is_empty() => Ok(finding),
        (None, _) => Err(
            Fault::argument("finding", "the review has no open finding with this id")
                .allowing(findings.iter().map(|finding| finding.id.as_str())),
        ),
        _ => Err(Fault::argument("finding", "more than one finding's id begins so")
            .allowing(findings.iter().map(|finding| finding.id.as_str()))),
    }
}
