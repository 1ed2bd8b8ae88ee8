//! What a paid call would do, for free: the same plan, shown instead of run.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::envelope::{JobLimits, Meta};
use crate::domain::request::{Common, ConsultRequest, ReviewRequest, ThreadId};
use crate::domain::time::spoken;
use crate::peer::exec::{Access, Exec, Schema};
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
    let peer = preflight.program.peer;
    let allowance = Allowance::of(plan.kind, &common.options, &ready.config);
    let timeout_ms = clock::millis(allowance.timeout);
    let mut body = object(json!({
        "would_call": tool,
        "would_send": {
            "prompt_bytes": plan.egress.prompt_bytes,
            "prompt_chars": plan.prompt.chars(),
            "about_tokens": plan.prompt.chars() / 4,
            "files": plan.egress.files,
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
    let mut what = format!("{} bytes", plan.egress.prompt_bytes);
    if let Expects::Review { target, coverage, .. } = &plan.expects {
        body.insert("target".to_owned(), json!(target));
        body.insert("coverage".to_owned(), json!(coverage));
        what = format!(
            "{} of {} in {}, {what},",
            coverage.hunks.sent,
            counted(coverage.hunks.total, "hunk"),
            counted(coverage.files, "file")
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
    warnings.extend(Spending::of(&common.options, &ready.config, 1).map(|spending| spending.told()));
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

/// What is known of a run before it is one.
pub(super) fn meta(
    plan: &Plan,
    preflight: &Preflight,
    continued: Option<&Continued>,
    (common, config): (&Common, &Config),
) -> Meta {
    Meta {
        workspace: Some(plan.workspace.root.display().to_string()),
        workspace_source: Some(plan.workspace.source),
        repo_root: plan.repo_root.as_ref().map(|root| root.display().to_string()),
        isolation: Some(common.options.isolation.unwrap_or_default().as_str()),
        peer_version: Some(preflight.program.version.to_string()),
        tier: Some(plan.tier),
        sandbox: preflight
            .program
            .peer
            .runs_commands()
            .then(|| plan.tier.sandbox()),
        tools: Some(preflight.tools),
        model: config.model(preflight.program.peer, common).map(String::from),
        effort: config.effort(preflight.program.peer, common).map(String::from),
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
