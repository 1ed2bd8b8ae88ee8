//! What a paid call would do, for free: the same plan, shown instead of run.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::envelope::Meta;
use crate::domain::job_view::JobLimits;
use crate::domain::limits;
use crate::domain::request::{Common, ConsultRequest, ReviewRequest, ThreadId};
use crate::domain::review_plan::{PartPlan, ReviewPlan};
use crate::domain::time::spoken;
use crate::peer::exec::{Access, Exec, Schema};
use crate::prompt::Prompt;
use crate::service::allowance::{Allowance, budget_tokens};
use crate::service::call::Call;
use crate::service::consult as consults;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::plan::Plan;
use crate::service::preflight::Preflight;
use crate::service::reply::{Outcome, Reply};
use crate::service::resume::Continued;
use crate::service::review::{self as reviews, Prepared};
use crate::service::spending::Spending;
use crate::service::submit::{Ready, withheld_globs};
use crate::state::record::Expects;
use crate::sys::clock;

/// Files told one by one: an envelope has room for no more beside the rest of it.
const FILES_LISTED: usize = 100;
/// Parts of a review told one by one; all that can be asked for.
const PARTS_LISTED: usize = limits::REVIEW_PARTS_MAX as usize;

/// Previews a consult.
pub async fn consult(service: &Service, request: &ConsultRequest, call: &Call) -> Outcome {
    Ok(show(&consults::prepare(service, request, call).await?))
}

/// Previews a review. One that would not be run is told as the review itself tells it.
pub async fn review(service: &Service, request: &ReviewRequest, call: &Call) -> Outcome {
    match reviews::prepare(service, request, call).await? {
        Prepared::Ready(ready) => Ok(show(&ready)),
        Prepared::NotRun(reply) => Ok(*reply),
    }
}

fn show(ready: &Ready<'_>) -> Reply {
    let Ready {
        plan,
        preflight,
        common,
        ..
    } = ready;
    let tool = plan.kind.as_str();
    let sent = Sent::of(plan);
    let files = plan.egress.files.len();
    let peer = preflight.program.peer;
    let allowance = Allowance::of(plan.kind, &common.options, &ready.config);
    let timeout_ms = clock::millis(allowance.timeout);
    let mut body = object(json!({
        "would_call": tool,
        "would_send": {
            "prompt_bytes": plan.egress.prompt_bytes,
            "prompt_chars": sent.chars,
            "about_tokens": sent.about_tokens(),
            "files": &plan.egress.files[..files.min(FILES_LISTED)],
            "files_more": (files > FILES_LISTED).then(|| files - FILES_LISTED),
            "withheld": plan.egress.withheld,
            "masked": plan.egress.masked,
        },
        "would_run": {
            "program": preflight.program.path.display().to_string(),
            "version": preflight.program.version.to_string(),
            "arguments": arguments(ready),
            "directory": plan.directory.display().to_string(),
            "timeout_s": timeout_ms / 1000,
            "servers_switched_off": preflight.servers,
        },
        "limits": JobLimits {
            timeout_s: timeout_ms / 1000,
            budget_tokens: allowance.budget_tokens,
        },
        "creates": ["one job record in the state directory"],
        "touches_workspace": false,
    }));
    if files <= FILES_LISTED
        && let Some(sent) = body.get_mut("would_send").and_then(Value::as_object_mut)
    {
        // Absent means none.
        sent.remove("files_more");
    }
    let mut what = format!("{} bytes", plan.egress.prompt_bytes);
    if let Expects::Review {
        target,
        coverage,
        plan: passes,
        ..
    } = &plan.expects
    {
        if let Some(passes) = passes {
            body.insert("plan".to_owned(), sent.passes(passes));
            body.insert("plan_hash".to_owned(), json!(passes.hash));
        }
        body.insert("target".to_owned(), json!(target));
        body.insert("coverage".to_owned(), json!(coverage));
        let runs = passes
            .as_ref()
            .filter(|passes| !passes.is_one_look())
            .map(|passes| {
                let verifier = if passes.depth.verifies() {
                    " and then, where they find something, one or more that try to refute it"
                } else {
                    ""
                };
                format!(" in {}{verifier}", counted(passes.passes(), "run"))
            });
        what = format!(
            "{} of {} in {}, {what}{},",
            coverage.hunks.sent,
            counted(coverage.hunks.total, "hunk"),
            counted(coverage.files, "file"),
            runs.unwrap_or_default()
        );
    }
    let mut most = spoken(timeout_ms);
    if let Some(budget) = allowance.budget_tokens {
        let _ = write!(most, " and {budget} tokens");
    }
    let summary = format!(
        "This {tool} would send {what} to {peer} {}, with {peer}'s own instructions on top, and may take {most} at most. Nothing was sent.",
        preflight.program.version,
    );
    let mut warnings = plan.warnings.clone();
    warnings.extend(preflight.warnings.iter().cloned());
    warnings.extend(Spending::of_plan(plan, &common.options, &ready.config).map(|spending| spending.told()));
    Reply {
        summary,
        body,
        next_steps: vec![format!(
            "call {tool} with the same arguments to run it; that costs tokens of the user's account"
        )],
        warnings,
        meta: meta(plan, preflight, ready.continued.as_ref(), (common, &ready.config)),
        ..Reply::default()
    }
}

/// How much is sent, in all runs together.
struct Sent {
    bytes: usize,
    chars: usize,
}

impl Sent {
    fn of(plan: &Plan) -> Self {
        let looks = match &plan.expects {
            Expects::Review { plan: Some(plan), .. } => plan.depth.looks() as usize,
            _ => 1,
        };
        let chars = std::iter::once(&plan.prompt)
            .chain(&plan.parts)
            .map(Prompt::chars);
        Self {
            bytes: plan.egress.prompt_bytes,
            chars: chars.sum::<usize>() * looks,
        }
    }

    /// No tokenizer of any model is known here; code in English has about four characters to a token.
    fn about_tokens(&self) -> usize {
        self.chars / 4
    }

    /// Tells how a review is made, and what that costs as far as it is known before.
    fn passes(&self, plan: &ReviewPlan) -> Value {
        let part = |part: &PartPlan| json!({"hunks": part.hunks(), "files": part.files(), "bytes": part.prompt_bytes});
        json!({
            "depth": plan.depth,
            "parts": plan.parts.len(),
            "looks": plan.depth.looks(),
            "passes": plan.passes(),
            "verifier": match plan.checks() {
                0 => "none".to_owned(),
                most => format!("when there are findings 1 run for up to {} of them, at most {most}", limits::VERIFIED_AT_ONCE),
            },
            "runs_at_most": plan.runs(),
            "bytes": self.bytes,
            "about_tokens": self.about_tokens(),
            "estimate": "characters of all prompts of the looks / 4; the peer's own instructions, what it reads by itself and its \
                         answers come on top, and so does the verifier",
            "each": plan.parts.iter().take(PARTS_LISTED).map(part).collect::<Vec<_>>(),
        })
    }
}

/// What is known of a run before it is one.
pub(super) fn meta(
    plan: &Plan,
    preflight: &Preflight,
    continued: Option<&Continued>,
    (common, config): (&Common, &Config),
) -> Meta {
    // What a run elsewhere may do, and with which model, is decided there.
    let is_here = plan.cloud().is_none();
    let peer = preflight.program.peer;
    Meta {
        workspace: Some(plan.workspace.root.display().to_string()),
        workspace_source: Some(plan.workspace.source),
        repo_root: plan.repo_root.as_ref().map(|root| root.display().to_string()),
        isolation: is_here.then(|| common.options.isolation.unwrap_or_default().as_str()),
        peer_version: Some(preflight.program.version.to_string()),
        tier: Some(plan.tier),
        sandbox: (is_here && peer.runs_commands()).then(|| plan.tier.sandbox()),
        tools: is_here.then_some(preflight.tools),
        model: config.model(peer, common).filter(|_| is_here).map(String::from),
        effort: config.effort(peer, common).filter(|_| is_here).map(String::from),
        thread: continued.map(|continued| continued.thread.as_str().to_owned()),
        ..Meta::default()
    }
}

fn arguments(ready: &Ready<'_>) -> Vec<Value> {
    let plan = &ready.plan;
    let place = Workplace {
        access: Access::Read,
        directory: plan.directory.clone(),
        project: plan.repo_root.clone().unwrap_or_else(|| plan.directory.clone()),
    };
    command(
        plan,
        &ready.preflight,
        ready.continued.as_ref(),
        (ready.common, &ready.config),
        place,
    )
}

/// Where a run would work, and what its commands may reach.
pub(super) struct Workplace {
    pub(super) access: Access,
    pub(super) directory: PathBuf,
    /// The repository around it.
    pub(super) project: PathBuf,
}

/// The command line that would be sent; paths inside the job's directory are named, since there is none yet.
pub(super) fn command(
    plan: &Plan,
    preflight: &Preflight,
    continued: Option<&Continued>,
    (common, config): (&Common, &Config),
    place: Workplace,
) -> Vec<Value> {
    let peer = preflight.program.peer;
    let last_message = match place.access {
        Access::Read => "JOB/tmp/last-message",
        Access::Write { .. } => "JOB/last-message",
    };
    let exec = Exec {
        access: place.access,
        directory: place.directory,
        resume: continued.map(|continued| continued.thread.clone()),
        fork: common.options.fork,
        roots: common.options.roots.clone(),
        model: config.model(peer, common),
        effort: config.effort(peer, common),
        session: ThreadId::of("dry run"),
        record: None,
        schema: plan.schema.as_ref().map(|schema| Schema {
            path: "JOB/schema.json".into(),
            text: schema.to_string(),
        }),
        last_message: last_message.into(),
        isolation: common.options.isolation.unwrap_or_default(),
        project: place.project,
        servers: preflight.servers.clone(),
        tools: preflight.tools,
        web_search: common.options.web_search,
        ephemeral: common.options.ephemeral,
        withheld: withheld_globs(peer, config, plan, &common.options.roots),
        budget_microusd: common.options.budget_microusd,
        max_turns: common.options.max_turns,
        counts_tokens: budget_tokens(&common.options, config).is_some(),
    };
    peer.arguments(&exec)
        .iter()
        .map(|argument| Value::from(argument.to_string_lossy()))
        .collect()
}
