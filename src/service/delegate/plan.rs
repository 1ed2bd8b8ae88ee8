//! The plans of a delegate: one for each task and attempt, decided to the last byte.

use std::path::Path;

use crate::config::Config;
use crate::domain::delegation::{Delegation, Member, Place};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::globs;
use crate::domain::job::{JobId, JobKind};
use crate::domain::peer::Peer;
use crate::domain::request::{DelegateRequest, Task};
use crate::domain::runner::RunnerName;
use crate::domain::tier::Tier;
use crate::domain::tier::Tools;
use crate::prompt::{DelegateParts, Fence, FilePart, delegate as write_prompt, delegate_schema};
use crate::redact::{Further, Redacted, redact_text};
use crate::service::consult::new_fence;
use crate::service::context_files::{ContextFile, read_files};
use crate::service::delegate::cloud::{CloudStart, place};
use crate::service::delegate::start::Start;
use crate::service::guidance::{self, Guidance};
use crate::service::plan::{Plan, checked_size, egress, label};
use crate::service::resume::Earlier;
use crate::service::workspace::Workspace;
use crate::state::record::{EgressFile, Expects};

/// What the plans are made of.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The peer.
    pub peer: Peer,
    /// What it can do.
    pub tools: Tools,
    /// The call.
    pub request: &'a DelegateRequest,
    /// The configuration in force.
    pub config: &'a Config,
    /// What is kept back beyond our own rules.
    pub further: &'a Further,
    /// The folder of the call.
    pub workspace: &'a Workspace,
    /// The same, if it may be read.
    pub directory: &'a Path,
    /// What the peer starts from.
    pub start: &'a Start,
    /// What the tasks of Codex Cloud start from.
    pub cloud: Option<&'a CloudStart>,
    /// The job to go on from.
    pub earlier: Option<&'a Earlier>,
}

/// Makes the plans, by task and attempt. Attempts at one task get the same prompt.
pub fn plans(asked: &Asked<'_>) -> Result<Vec<Plan>, Fault> {
    let fence = new_fence()?;
    let files = read_files(
        &asked.request.files,
        &asked.workspace.root,
        Some(asked.start.repository.top_level()),
        asked.further,
    )?;
    let mut plans = Vec::new();
    for task in &asked.request.tasks {
        for _ in 0..asked.request.attempts {
            plans.push(plan(asked, task, &files, &fence)?);
        }
    }
    Ok(plans)
}

/// Names the place of each plan in its group, in the order of [`plans`].
pub fn members(request: &DelegateRequest, group: &JobId) -> Vec<Member> {
    let of_task = |task: &Task| {
        let task = task.id.clone();
        (1..=request.attempts).map(move |attempt| Member {
            group: group.clone(),
            task: task.clone(),
            attempt,
        })
    };
    request.tasks.iter().flat_map(of_task).collect()
}

fn plan(asked: &Asked<'_>, task: &Task, files: &[ContextFile], fence: &Fence) -> Result<Plan, Fault> {
    let cloud = asked.cloud.filter(|_| task.runner == RunnerName::Cloud);
    let asked = &Asked {
        start: cloud.map_or(asked.start, |cloud| &cloud.start),
        ..*asked
    };
    let request = asked.request;
    let options = &request.common.options;
    let mut delegation = delegation(asked, task)?;
    delegation.cloud = cloud.map(|cloud| cloud.plan(request.attempts));
    let further = asked.further;
    let text = further.redact_counted(&task.text);
    let context = request
        .context
        .as_deref()
        .map(|context| further.redact_counted(context));
    let top = asked.start.repository.top_level();
    let (guide, guide_warnings) = guidance::read(asked.peer, Some(top), asked.directory, further);
    let parts = Parts::of(asked, &delegation, files);
    let counted = |text: &Option<String>| text.as_deref().map(|text| further.redact_counted(text));
    let (language, instructions) = (counted(&options.language), counted(&options.instructions));
    let prompt = write_prompt(
        &DelegateParts {
            task: &text.text,
            guidance: guide.as_ref().map(|guide| &guide.text),
            context: context.as_ref().map(|context| &context.text),
            files: &parts.named,
            pasted: &parts.pasted,
            allowed_paths: &parts.allowed_paths,
            max_files: delegation.max_files,
            checks: &parts.checks,
            allow_commands: &parts.allow_commands,
            tools: asked.tools,
            network: delegation.network,
            place: place(task.runner, delegation.place),
            continues: delegation.continues.is_some(),
            language: language.as_ref().map(|language| &language.text),
            instructions: instructions.as_ref().map(|instructions| &instructions.text),
        },
        fence,
    );
    checked_size(&prompt, asked.config)?;
    let masks = text.count
        + [&context, &language, &instructions]
            .into_iter()
            .flatten()
            .map(|text| text.count)
            .sum::<u32>()
        + guide.as_ref().map_or(0, |guide| guide.masked)
        + parts.masked;
    let mut warnings = asked.start.warnings(asked.peer);
    warnings.extend(cloud.iter().flat_map(|cloud| cloud.warnings(asked.config)));
    warnings.extend(guide_warnings);
    warnings.extend(unmatched(asked, &delegation));
    if masks > 0 {
        warnings.push(format!(
            "{masks} values that look like secrets were masked before anything was sent"
        ));
    }
    if !parts.withheld.is_empty() {
        warnings.push(format!("withheld as secret: {}", parts.withheld.join(", ")));
    }
    let what = label(text.text.as_str());
    let mut sent = parts.sent;
    sent.extend(guide.as_ref().map(Guidance::accounted));
    Ok(Plan {
        parts: Vec::new(),
        kind: JobKind::Delegate,
        tier: Tier::Propose,
        label: if request.tasks.len() > 1 {
            label(&format!("{}: {what}", task.id))
        } else {
            what
        },
        workspace: asked.workspace.clone(),
        directory: asked.directory.to_owned(),
        repo_root: Some(asked.start.repository.top_level().to_owned()),
        // Whoever does it elsewhere is not held to one.
        schema: cloud.is_none().then(delegate_schema),
        change: None,
        expects: Expects::Delegate {
            delegation: Box::new(delegation),
        },
        egress: egress(&prompt, sent, parts.withheld, masks),
        prompt,
        warnings,
    })
}

/// Decides what a job may do. One that goes on from another keeps to what that one was told, where the call says nothing.
fn delegation(asked: &Asked<'_>, task: &Task) -> Result<Delegation, Fault> {
    let options = &asked.request.common.options;
    let earlier = asked.earlier.map(|earlier| &earlier.delegation);
    let prefix = &asked.start.prefix;
    let or_earlier = |own: Vec<String>, of: fn(&Delegation) -> &Vec<String>| match earlier {
        Some(earlier) if own.is_empty() => of(earlier).clone(),
        _ => own,
    };
    let mut allowed_paths = Vec::new();
    for glob in &task.allowed_paths {
        allowed_paths.push(globs::below(prefix, glob).ok_or_else(not_text)?);
    }
    let allowed_paths = or_earlier(allowed_paths, |earlier| &earlier.allowed_paths);
    // Each of them was checked alone; together they may be too large.
    globs::Globs::new(&allowed_paths).map_err(|(at, error)| {
        let field = format!("allowed_paths[{at}]");
        Fault::argument(field.clone(), format!("`{field}` {error}"))
    })?;
    let from_top = |names: &[String]| -> Vec<String> {
        let join = |name: &String| prefix.join(name).to_str().map(str::to_owned);
        // Below a folder whose name is no text only what lies at the top can be named.
        names
            .iter()
            .map(|name| join(name).unwrap_or_else(|| name.clone()))
            .collect()
    };
    let checks = or_earlier(task.checks.clone(), |earlier| &earlier.checks);
    let setup = options
        .setup
        .clone()
        .or_else(|| earlier.and_then(|earlier| earlier.setup.clone()));
    check_admitted(asked.config, &checks, setup.as_deref())?;
    let reuse = match (&options.reuse, earlier) {
        (Some(own), _) => from_top(own),
        (None, Some(earlier)) => earlier.reuse.clone(),
        (None, None) => from_top(&asked.config.reuse.value),
    };
    Ok(Delegation {
        baseline: asked.start.baseline.clone(),
        place: if options.in_place {
            Place::Live
        } else {
            Place::Worktree
        },
        allowed_paths,
        denied_paths: asked.config.paths_deny.value.clone(),
        checks,
        setup,
        reuse,
        max_files: options
            .max_files
            .or_else(|| earlier.and_then(|earlier| earlier.max_files)),
        allow_commands: or_earlier(options.allow_commands.clone(), |earlier| &earlier.allow_commands),
        network: options.network,
        member: None,
        continues: asked.earlier.map(|earlier| earlier.job.clone()),
        cloud: None,
    })
}

/// Refuses lines that the configuration does not admit as checks or set-up.
fn check_admitted(config: &Config, checks: &[String], setup: Option<&str>) -> Result<(), Fault> {
    let Some(only) = &config.checks_only.value else {
        return Ok(());
    };
    let refuse = |field: String| {
        let owner = config.checks_only.origin.owner();
        let message = format!("`{field}` is not among the lines of [checks] only in {owner}");
        Err(Fault::new(FaultCode::PolicyDenied, message)
            .field(field)
            .hint("use one of those lines; `crosscheck config show` lists them"))
    };
    match checks.iter().position(|line| !only.contains(line)) {
        Some(at) => refuse(format!("checks[{at}]")),
        None if setup.is_some_and(|line| !only.iter().any(|admitted| admitted == line)) => {
            refuse("options.setup".to_owned())
        }
        None => Ok(()),
    }
}

fn not_text() -> Fault {
    Fault::new(
        FaultCode::InvalidWorkspace,
        "the way from the top of the repository to the workspace is no UTF-8, so no path in it can be named",
    )
    .field("workspace")
    .hint("call from the top of the repository")
}

/// Names the globs that fit no file there is. They may be meant for new ones, so this is only said.
fn unmatched(asked: &Asked<'_>, delegation: &Delegation) -> Option<String> {
    let paths = asked.start.paths.as_ref()?;
    let fits_none = |glob: &&String| {
        globs::Globs::new(std::slice::from_ref(glob))
            .is_ok_and(|globs| !paths.iter().any(|path| globs.fit(path)))
    };
    let none: Vec<&str> = delegation
        .allowed_paths
        .iter()
        .filter(fits_none)
        .map(String::as_str)
        .collect();
    (!none.is_empty()).then(|| {
        format!(
            "no file fits these allowed_paths yet, which is fine for new ones: {}",
            none.join(", ")
        )
    })
}

/// The lists of a prompt, and what of the files leaves this machine with it.
struct Parts {
    named: Vec<Redacted<String>>,
    pasted: Vec<FilePart>,
    allowed_paths: Vec<Redacted<String>>,
    checks: Vec<Redacted<String>>,
    allow_commands: Vec<Redacted<String>>,
    sent: Vec<EgressFile>,
    withheld: Vec<String>,
    masked: u32,
}

impl Parts {
    /// A file that the peer has is named; one that its tree has not is pasted.
    fn of(asked: &Asked<'_>, delegation: &Delegation, files: &[ContextFile]) -> Self {
        let redacted = |texts: &[String]| texts.iter().map(|text| redact_text(text)).collect();
        let mut parts = Self {
            named: Vec::new(),
            pasted: Vec::new(),
            allowed_paths: redacted(&delegation.allowed_paths),
            checks: redacted(&delegation.checks),
            allow_commands: redacted(&delegation.allow_commands),
            sent: Vec::new(),
            withheld: Vec::new(),
            masked: 0,
        };
        for file in files {
            if asked.start.has(&file.inside) {
                let path = asked.start.prefix.join(&file.inside);
                let shown = crate::diff::text::shown_path(path.as_os_str().as_encoded_bytes());
                parts.named.push(redact_text(&shown));
                continue;
            }
            parts.pasted.push(file.part.clone());
            if file.withheld {
                parts.withheld.push(file.path.clone());
            } else {
                parts.masked += file.masked;
                let sent = EgressFile::of(file.path.clone(), file.part.text.as_str());
                parts.sent.push(sent);
            }
        }
        parts
    }
}
