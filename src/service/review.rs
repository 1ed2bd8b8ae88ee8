//! A review of a change or of a snippet.

use std::fmt::Write;

use crate::config::Config;
use crate::diff::added::added_file;
use crate::diff::count::{self, total_hunks};
use crate::diff::patch::Patch;
use crate::diff::render::{LEGEND, render};
use crate::diff::sent::SentPatch;
use crate::domain::coverage::CoverageStatus;
use crate::domain::envelope::{Meta, ReviewAnswer, Target};
use crate::domain::fault::Fault;
use crate::domain::job::JobKind;
use crate::domain::request::{ReviewRequest, Subject, Wait};
use crate::domain::tier::Tier;
use crate::domain::verdict::{Confidence, ReviewStatus, Verdict};
use crate::prompt::{ReviewParts, ReviewSubject, review as write_prompt, review_schema};
use crate::redact::{Further, Redacted, redact_patch_with, redact_text};
use crate::service::call::Call;
use crate::service::consult::new_fence;
use crate::service::context::Service;
use crate::service::deliver;
use crate::service::git_fault::too_large;
use crate::service::guidance::{self, Guidance};
use crate::service::opening::{Opening, check_fork};
use crate::service::plan::{Plan, egress, label, over_size};
use crate::service::preflight::{Preflight, preflight};
use crate::service::reply::{Outcome, Reply};
use crate::service::review_input::{Held, ReviewInput, Wanted, gather, kept_back};
use crate::service::submit::{Ready, submit};
use crate::service::workspace::Workspace;
use crate::state::directory::JobDirectory;
use crate::state::record::{EgressFile, Expects};
use crate::state::store::Store;

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
    // Reading the change and asking the peer wait for different things.
    let (input, preflight) = tokio::join!(
        read(service, &store, &workspace, request, &config, &further),
        preflight(service, &config, &store, &directory, isolation)
    );
    let input = input?;
    if input.coverage.status == CoverageStatus::None {
        return Ok(Prepared::NotRun(Box::new(not_run(input, &workspace))));
    }
    let preflight = preflight?;
    check_fork(&request.common, &preflight.program)?;
    let earlier = continued.as_ref().and_then(|continued| continued.review.clone());
    let mut plan = plan(request, workspace, input, &preflight, &config, &further)?;
    if let Expects::Review {
        earlier: followed, ..
    } = &mut plan.expects
    {
        *followed = earlier;
    }
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

/// Reads what is reviewed.
async fn read(
    service: &Service,
    store: &Store,
    workspace: &Workspace,
    request: &ReviewRequest,
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
        Subject::Change(scope) => {
            let wanted = Wanted {
                directory: workspace.readable()?.to_owned(),
                scope: scope.clone(),
                paths: request.paths.clone(),
                untracked: request.common.options.untracked,
            };
            gather(service, store, wanted, held).await
        }
    }
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
        base_name: None,
        diff: redacted.patch.derive(|patch| render(patch).text),
        patch: redacted.patch,
        legend: LEGEND,
        coverage,
        files: vec![EgressFile {
            path: name.to_owned(),
            bytes: code.len(),
            sha256: String::new(),
        }],
        largest,
        over: None,
    }
}

/// Writes the prompt and accounts for it.
fn plan(
    request: &ReviewRequest,
    workspace: Workspace,
    input: ReviewInput,
    preflight: &Preflight,
    config: &Config,
    further: &Further,
) -> Result<Plan, Fault> {
    let directory = workspace.root.clone();
    // A change that is too large by itself is refused before it is copied into a prompt.
    let over = input.over.map(|bytes| {
        let most = config.prompt_bytes.value;
        format!("the change has {bytes} bytes in its lines; the limit of a prompt is {most}")
    });
    if let Some(message) = over.or_else(|| over_size(input.diff.as_str(), config)) {
        return Err(narrower(message, &input, config));
    }
    let (guide, mut warnings) = guidance::read(
        preflight.program.peer,
        Some(&input.repo_root),
        &directory,
        further,
    );
    let counted = |text: &Option<String>| text.as_deref().map(|text| further.redact_counted(text));
    let options = &request.common.options;
    let (focus, context) = (counted(&request.focus), counted(&request.context));
    let (language, instructions) = (counted(&options.language), counted(&options.told()));
    let (target, omitted) = (redact_text(&describe(&input)), omitted(&input));
    let is_snippet = matches!(request.subject, Subject::Snippet(_));
    let subject = if is_snippet {
        ReviewSubject::Snippet(&input.diff)
    } else {
        ReviewSubject::Change {
            target: &target,
            diff: &input.diff,
            legend: input.legend,
            part: None,
            omitted: omitted.as_ref(),
        }
    };
    let prompt = write_prompt(
        &ReviewParts {
            subject,
            focus: focus.as_ref().map(|focus| &focus.text),
            context: context.as_ref().map(|context| &context.text),
            guidance: guide.as_ref().map(|guide| &guide.text),
            language: language.as_ref().map(|language| &language.text),
            instructions: instructions.as_ref().map(|instructions| &instructions.text),
            tools: preflight.tools,
        },
        &new_fence()?,
    );
    if let Some(message) = over_size(prompt.as_str(), config) {
        return Err(narrower(message, &input, config));
    }
    let redaction = &input.coverage.redaction;
    if !redaction.withheld.is_empty() {
        warnings.push(format!("withheld as secret: {}", redaction.withheld.join(", ")));
    }
    let masks = redaction.count
        + [&focus, &context, &language, &instructions]
            .into_iter()
            .flatten()
            .map(|text| text.count)
            .sum::<u32>()
        + guide.as_ref().map_or(0, |guide| guide.masked);
    if masks > 0 {
        warnings.push(format!(
            "{masks} values that look like secrets were masked before anything was sent"
        ));
    }
    if input.coverage.status == CoverageStatus::Partial && input.coverage.hunks.omitted == 0 {
        warnings.push(
            "the project's own patterns masked values of this change, so the review counts as a partial one"
                .to_owned(),
        );
    }
    let mut files = hash_files(input.files, input.patch.get());
    files.extend(guide.as_ref().map(Guidance::accounted));
    let label = match &request.focus {
        Some(focus) => label(&format!(
            "{}: {}",
            input.target.scope,
            redact_text(focus).as_str()
        )),
        None => label(&format!("{}, {} files", input.target.scope, input.target.files)),
    };
    Ok(Plan {
        kind: JobKind::Review,
        tier: Tier::Review,
        label,
        workspace,
        directory,
        repo_root: Some(input.repo_root),
        schema: Some(review_schema()),
        egress: egress(&prompt, files, redaction.withheld.clone(), masks),
        change: Some(SentPatch::from(input.patch.get())),
        expects: Expects::Review {
            target: Box::new(input.target),
            coverage: Box::new(input.coverage),
            earlier: None,
        },
        prompt,
        warnings,
    })
}

/// Adds the hashes of what is sent. The files are those of the patch that have something to show, in its order.
fn hash_files(mut files: Vec<EgressFile>, patch: &Patch) -> Vec<EgressFile> {
    let shown = patch.files.iter().filter(|file| count::omission(file).is_none());
    for (file, shown) in files.iter_mut().zip(shown) {
        file.sha256 = shown.shown_sha256();
    }
    files
}

/// The fault of a change that fits no single prompt: its largest files, and a call that is narrow enough.
fn narrower(message: String, input: &ReviewInput, config: &Config) -> Fault {
    let files = &input.largest;
    let fault = too_large(message, files);
    let mut room = config.prompt_bytes.value as u64 / 2;
    let mut paths = Vec::new();
    for file in &input.files {
        let bytes = file.bytes as u64;
        if bytes <= room && paths.len() < crate::domain::limits::REVIEW_PATHS {
            room -= bytes;
            paths.push(file.path.as_str());
        }
    }
    if paths.is_empty() {
        return fault;
    }
    let mut arguments = serde_json::json!({"scope": input.target.scope, "paths": paths,
        "workspace": input.repo_root.display().to_string()});
    if let Some(base) = &input.base_name {
        arguments["base"] = base.as_str().into();
    }
    if input.target.scope == "commit" || input.target.scope == "range" {
        let (base, head) = (input.target.base_oid.as_deref(), input.target.head_oid.as_deref());
        let commit = match (input.target.scope.as_str(), base, head) {
            ("range", Some(base), Some(head)) => format!("{base}..{head}"),
            (_, _, Some(head)) => head.to_owned(),
            _ => return fault,
        };
        arguments = serde_json::json!({"commit": commit, "paths": paths,
            "workspace": input.repo_root.display().to_string()});
    }
    fault.call("review", arguments)
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
        coverage: input.coverage,
        overview: String::new(),
        questions: Vec::new(),
        assumptions: Vec::new(),
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

fn describe(input: &ReviewInput) -> String {
    let target = &input.target;
    let mut text = format!("scope {}, {} files", target.scope, target.files);
    let ends = [("from", &target.base_oid), ("to", &target.head_oid)];
    for (word, oid) in ends
        .iter()
        .filter_map(|(word, oid)| oid.as_ref().map(|oid| (word, oid)))
    {
        let _ = write!(text, ", {word} {oid}");
    }
    if let Some(base) = &input.base_name {
        let _ = write!(text, ", compared with {base}");
    }
    if !target.paths.is_empty() {
        let _ = write!(text, ", only {} paths", target.paths.len());
    }
    text
}

fn omitted(input: &ReviewInput) -> Option<Redacted<String>> {
    if input.coverage.omitted.is_empty() {
        return None;
    }
    let lines: Vec<String> = input
        .coverage
        .omitted
        .iter()
        .map(|omission| {
            let reason = serde_json::to_value(omission.reason).ok();
            format!(
                "{} ({})",
                omission.path,
                reason.as_ref().and_then(|r| r.as_str()).unwrap_or_default()
            )
        })
        .collect();
    Some(redact_text(&lines.join("\n")))
}
