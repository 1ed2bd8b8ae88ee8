//! A review of a change or of a snippet.

mod division;
mod hash;
mod others;
mod prompts;
mod too_large;

pub use division::aside;

use std::path::Path;

use crate::config::Config;
use crate::diff::added::added_file;
use crate::diff::count::{self, total_hunks};
use crate::diff::measure::measure;
use crate::diff::patch::Patch;
use crate::diff::sent::SentPatch;
use crate::domain::coverage::CoverageStatus;
use crate::domain::day::Day;
use crate::domain::envelope::Meta;
use crate::domain::fault::Fault;
use crate::domain::limits;
use crate::domain::request::{Options, ReviewRequest, Subject, Wait};
use crate::domain::review_answer::{ReviewAnswer, Target};
use crate::domain::scope::Scope;
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};
use crate::redact::{Further, redact_patch_with};
use crate::service::base_files::BaseFiles;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver;
use crate::service::earlier::{Followed, scope_of};
use crate::service::guidance;
use crate::service::opening::{Opening, check_fork};
use crate::service::preflight::preflight;
use crate::service::reply::{Outcome, Reply};
use crate::service::review_input::{Held, ReviewInput, Wanted, gather, kept_back};
use crate::service::review_job;
use crate::service::standing::standing;
use crate::service::submit::{Ready, submit};
use crate::service::workspace::Workspace;
use crate::state::directory::JobDirectory;
use crate::state::store::Store;
use crate::sys::clock;

/// The name under which a snippet is reviewed when the caller gave none.
const SNIPPET: &str = "snippet";

/// A review that was decided.
#[derive(Debug)]
pub enum Prepared<'a> {
    /// It can be started.
    Ready(Box<Ready<'a>>),
    /// Nothing of the change can be shown, so it costs nothing and concludes nothing.
    NotRun(Box<Reply>),
}

/// Reviews.
pub async fn run(service: &Service, request: &ReviewRequest, call: &Call) -> Outcome {
    match prepare(service, request, call).await? {
        Prepared::Ready(ready) => submit(service, *ready, call).await,
        Prepared::NotRun(reply) => Ok(*reply),
    }
}

/// Decides the whole review without starting it.
pub async fn prepare<'a>(
    service: &Service,
    request: &'a ReviewRequest,
    call: &Call,
) -> Result<Prepared<'a>, Fault> {
    let Opening {
        config,
        store,
        workspace,
        continued,
        further,
        depth,
        notes,
        roots,
    } = Opening::of(service, &request.common, call).await?;
    let directory = workspace.readable()?.to_owned();
    let isolation = request.common.options.isolation.unwrap_or_default();
    let mut followed = Followed::of(request, continued.as_ref(), &workspace, &store).await?;
    // Reading the change and asking the peer wait for different things.
    let (input, preflight) = tokio::join!(
        read(
            service,
            &store,
            &workspace,
            (request, followed.target()),
            &config,
            &further
        ),
        preflight(service, &config, &store, &directory, isolation)
    );
    let input = input?;
    if input.coverage.status == CoverageStatus::None {
        return Ok(Prepared::NotRun(Box::new(not_run(input, &workspace))));
    }
    let (standing, told) = standing(&store, &input, Day::of_ms(clock::now_ms()));
    let mut input = input;
    if let Some(reply) = followed.narrow(request, &mut input, &standing, &told, &workspace) {
        return Ok(Prepared::NotRun(Box::new(reply)));
    }
    let before = input.before.clone();
    let preflight = preflight?;
    check_fork(&request.common, &preflight.program)?;
    let mut plan = prompts::write(request, workspace, input, &preflight, &config, &further)?;
    followed.note(&mut plan, standing, before.as_ref());
    plan.warnings.extend(told);
    plan.warnings.extend(notes);
    let mut same = request.clone();
    same.common.wait = Wait::HostDefault;
    // The change belongs to the arguments: the same call over other code is another review.
    let arguments = format!(
        "{same:?} {}",
        plan.change.as_ref().map_or_else(String::new, SentPatch::digest)
    );
    Ok(Prepared::Ready(Box::new(Ready {
        plan,
        preflight,
        continued,
        common: &request.common,
        arguments,
        config,
        store,
        start: None,
        depth,
        roots,
    })))
}

/// Returns how many parts a call may have.
fn most_parts(options: &Options, config: &Config) -> u32 {
    let most = config.review_parts_most.unwrap_or(limits::REVIEW_PARTS_MAX);
    options.max_parts.unwrap_or(config.review_parts.value).min(most)
}

/// Reads what is reviewed.
async fn read(
    service: &Service,
    store: &Store,
    workspace: &Workspace,
    (request, followed): (&ReviewRequest, Option<&Target>),
    config: &Config,
    further: &Further,
) -> Result<ReviewInput, Fault> {
    let held = Held {
        further: further.clone(),
        has_project_patterns: config.has_project_patterns(),
    };
    match &request.subject {
        Subject::Snippet(code) => Ok(snippet(
            code,
            request.paths.first().map_or(SNIPPET, String::as_str),
            workspace,
            &held,
        )),
        Subject::Job(name) => {
            let asked = review_job::Asked {
                name,
                paths: &request.paths,
                workspace,
                held,
                planned_bytes: planned_bytes(request, config),
            };
            review_job::gather_job(service, store, asked).await
        }
        Subject::Change(scope) => {
            let directory = workspace.readable()?.to_owned();
            let (scope, paths) = which(scope, &request.paths, followed, &directory);
            let wanted = Wanted {
                directory,
                scope,
                paths,
                untracked: request.common.options.untracked,
                planned_bytes: planned_bytes(request, config),
            };
            gather(service, store, wanted, held).await
        }
    }
}

/// Decides which change is read. A call that names none and follows a review means that review's change.
fn which(
    scope: &Scope,
    paths: &[String],
    followed: Option<&Target>,
    directory: &Path,
) -> (Scope, Vec<String>) {
    let target = followed.filter(|_| *scope == Scope::Auto);
    let Some((target, followed)) = target.and_then(|target| Some((target, scope_of(target)?))) else {
        return (scope.clone(), paths.to_vec());
    };
    let paths = match guidance::project_root(directory) {
        // Those of the record are relative to the repository's root.
        Some(root) if paths.is_empty() => target
            .paths
            .iter()
            .map(|path| root.join(path).display().to_string())
            .collect(),
        _ => paths.to_vec(),
    };
    (followed, paths)
}

/// Bytes beyond which a change is planned by its sizes alone: twice what the parts that may run hold.
fn planned_bytes(request: &ReviewRequest, config: &Config) -> usize {
    2 * most_parts(&request.common.options, config) as usize * config.prompt_bytes.value
}

/// A snippet is reviewed as a file that is new as a whole, so its findings are anchored like any other.
fn snippet(code: &str, name: &str, workspace: &Workspace, held: &Held) -> ReviewInput {
    let patch = Patch {
        files: vec![added_file(name.as_bytes(), 0o100_644, code.as_bytes())],
    };
    let largest = crate::diff::largest::largest(&patch, 1);
    let redacted = redact_patch_with(patch.clone(), &held.further);
    let reason = redacted.withheld.first().map(kept_back);
    let mut coverage = count::coverage(&patch, &[], &|_| reason, redacted.report);
    held.bound(&mut coverage, redacted.configured);
    debug_assert_eq!(
        coverage.hunks.total,
        total_hunks(&patch),
        "every hunk is accounted for"
    );
    ReviewInput {
        repo_root: guidance::project_root(&workspace.root).unwrap_or_else(|| workspace.root.clone()),
        target: Target {
            scope: SNIPPET.to_owned(),
            files: 1,
            ..Target::default()
        },
        sizes: measure(redacted.patch.get()),
        patch: redacted.patch,
        lines_known: true,
        aside: vec![false],
        generated: 0,
        coverage,
        largest,
        before: None,
        base: BaseFiles::default(),
    }
}

/// A review of which nothing can be shown costs nothing and concludes nothing.
fn not_run(input: ReviewInput, workspace: &Workspace) -> Reply {
    let answer = ReviewAnswer {
        target: input.target,
        score: None,
        verdict: Verdict::Unknown,
        confidence: Confidence::Low,
        review_status: ReviewStatus::NotRun,
        findings: Vec::new(),
        since: None,
        suppressed: Vec::new(),
        baseline: None,
        coverage: input.coverage,
        overview: String::new(),
        questions: Vec::new(),
        assumptions: Vec::new(),
        refuted: Vec::new(),
        examination: None,
    };
    Reply {
        summary: deliver::review::summary(&answer),
        body: deliver::review::body(&answer, &JobDirectory::at("/")),
        next_steps: vec![
            "look at coverage.omitted to see why; nothing of this change was reviewed".to_owned(),
        ],
        meta: Meta {
            workspace: Some(workspace.root.display().to_string()),
            workspace_source: Some(workspace.source),
            repo_root: Some(input.repo_root.display().to_string()),
            ..Meta::default()
        },
        ..Reply::default()
    }
}
