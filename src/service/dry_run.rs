//! What a paid call would do, for free: the same plan, shown instead of run.

use serde_json::{Value, json};

use crate::config::Config;
use crate::domain::coverage::CoverageStatus;
use crate::domain::envelope::Meta;
use crate::domain::fault::Fault;
use crate::domain::request::{Common, ConsultRequest, ReviewRequest};
use crate::domain::time::spoken;
use crate::peer::codex::invocation::Exec;
use crate::service::call::Call;
use crate::service::consult::{self as consults, check_allowed};
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::plan::{Plan, checked_size};
use crate::service::preflight::{Preflight, preflight};
use crate::service::reply::{Outcome, Reply};
use crate::service::review as reviews;
use crate::service::workspace::Workspace;
use crate::service::{recursion, resume};
use crate::state::record::Expects;
use crate::state::store::Store;
use crate::sys::clock;

/// Previews a consult.
pub async fn consult(service: &Service, request: &ConsultRequest, call: &Call) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    check_allowed(request.common.options.web_search, &config)?;
    recursion::check(service.environment(), &config, &store, call)?;
    let workspace = Workspace::resolve(service, request.common.workspace.as_deref(), &config)?;
    let thread = continued(service, &store, &workspace, &request.common).await?;
    let (directory, danger) = consults::directory(&workspace, request, &store)?;
    let isolation = request.common.options.isolation.unwrap_or_default();
    let preflight = preflight(service, &config, &store, &directory, isolation).await?;
    let plan = consults::plan(request, workspace, directory, danger, preflight.tools)?;
    checked_size(&plan.prompt, &config)?;
    Ok(show(&plan, &preflight, &request.common, &config, thread))
}

/// Previews a review.
pub async fn review(service: &Service, request: &ReviewRequest, call: &Call) -> Outcome {
    let config = service.config()?;
    let store = service.store()?;
    check_allowed(request.common.options.web_search, &config)?;
    recursion::check(service.environment(), &config, &store, call)?;
    let workspace = Workspace::resolve(service, request.common.workspace.as_deref(), &config)?;
    let thread = continued(service, &store, &workspace, &request.common).await?;
    let directory = workspace.readable()?.to_owned();
    let isolation = request.common.options.isolation.unwrap_or_default();
    let (input, preflight) = tokio::join!(
        reviews::read(service, &store, &workspace, request),
        preflight(service, &config, &store, &directory, isolation)
    );
    let (input, preflight) = (input?, preflight?);
    let plan = reviews::plan(request, workspace, input, preflight.tools, &config)?;
    Ok(show(&plan, &preflight, &request.common, &config, thread))
}

async fn continued(
    service: &Service,
    store: &Store,
    workspace: &Workspace,
    common: &Common,
) -> Result<Option<String>, Fault> {
    match &common.resume {
        None => Ok(None),
        Some(wanted) => {
            let found = resume::find(wanted, workspace.hash(), store, service.environment()).await?;
            Ok(Some(found.thread.as_str().to_owned()))
        }
    }
}

fn show(
    plan: &Plan,
    preflight: &Preflight,
    common: &Common,
    config: &Config,
    thread: Option<String>,
) -> Reply {
    let tool = plan.kind.as_str();
    let timeout_ms = clock::millis(common.options.timeout.unwrap_or(config.timeout.value));
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
            "arguments": arguments(plan, preflight, common),
            "directory": plan.directory.display().to_string(),
            "timeout_s": timeout_ms / 1000,
            "servers_switched_off": preflight.servers,
        },
        "creates": ["one job record in the state directory"],
        "touches_workspace": false,
    }));
    let mut what = format!("{} bytes", plan.egress.prompt_bytes);
    let mut not_run = false;
    if let Expects::Review { target, coverage } = &plan.expects {
        body.insert("target".to_owned(), json!(target));
        body.insert("coverage".to_owned(), json!(coverage));
        not_run = coverage.status == CoverageStatus::None;
        what = format!(
            "{} of {} hunks in {} files, {what},",
            coverage.hunks.sent, coverage.hunks.total, coverage.files
        );
    }
    let summary = if not_run {
        format!("This {tool} would not be run: nothing of the change can be shown.")
    } else {
        format!(
            "This {tool} would send {what} to codex {}, which may take {} at most. Nothing was sent.",
            preflight.program.version,
            spoken(timeout_ms)
        )
    };
    let mut warnings = plan.warnings.clone();
    warnings.extend(preflight.warnings.iter().cloned());
    Reply {
        summary,
        body,
        next_steps: vec![format!(
            "call {tool} with the same arguments to run it; that costs tokens of the user's account"
        )],
        warnings,
        meta: Meta {
            workspace: Some(plan.workspace.root.display().to_string()),
            workspace_source: Some(plan.workspace.source),
            repo_root: plan.repo_root.as_ref().map(|root| root.display().to_string()),
            isolation: Some(common.options.isolation.unwrap_or_default().as_str()),
            peer_version: Some(preflight.program.version.to_string()),
            tier: Some(plan.tier),
            sandbox: Some(plan.tier.sandbox()),
            tools: Some(preflight.tools),
            model: common.model.as_ref().map(|model| model.as_str().to_owned()),
            effort: common.effort.as_ref().map(|effort| effort.as_str().to_owned()),
            thread,
            ..Meta::default()
        },
        ..Reply::default()
    }
}

/// The command line that would be sent; paths inside the job's directory are named, since there is none yet.
fn arguments(plan: &Plan, preflight: &Preflight, common: &Common) -> Vec<Value> {
    let exec = Exec {
        sandbox: plan.tier.sandbox(),
        directory: plan.directory.clone(),
        resume: None,
        model: common.model.clone(),
        effort: common.effort.clone(),
        schema: plan.schema.as_ref().map(|_| "JOB/schema.json".into()),
        last_message: "JOB/tmp/last-message".into(),
        isolation: common.options.isolation.unwrap_or_default(),
        project: plan.repo_root.clone().unwrap_or_else(|| plan.directory.clone()),
        servers: preflight.servers.clone(),
        tools: preflight.tools,
        web_search: common.options.web_search,
        ephemeral: common.options.ephemeral,
    };
    exec.arguments()
        .iter()
        .map(|argument| Value::from(argument.to_string_lossy()))
        .collect()
}
