//! A question for the peer.

use std::path::PathBuf;

use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobKind;
use crate::domain::peer::Peer;
use crate::domain::request::{ConsultRequest, Wait};
use crate::domain::tier::Tier;
use crate::prompt::{ConsultParts, Fence, FilePart, consult as write_prompt, consult_schema};
use crate::redact::Further;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::context_files::read_files;
use crate::service::guidance::{self, Guidance};
use crate::service::opening::{Opening, check_fork};
use crate::service::plan::{Plan, checked_size, egress, label};
use crate::service::preflight::{Preflight, preflight};
use crate::service::reply::Outcome;
use crate::service::submit::{Ready, submit};
use crate::service::workspace::Workspace;
use crate::state::record::{EgressFile, Expects};
use crate::state::store::Store;

/// Asks the peer.
pub async fn run(service: &Service, request: &ConsultRequest, call: &Call) -> Outcome {
    let ready = prepare(service, request, call).await?;
    submit(service, ready, call).await
}

/// Decides the whole consult without starting it.
pub async fn prepare<'a>(
    service: &Service,
    request: &'a ConsultRequest,
    call: &Call,
) -> Result<Ready<'a>, Fault> {
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
    let (directory, danger) = directory(&workspace, request, &store, service.peer())?;
    let isolation = request.common.options.isolation.unwrap_or_default();
    let preflight = preflight(service, &config, &store, &directory, isolation).await?;
    check_fork(&request.common, &preflight.program)?;
    let mut plan = plan(request, workspace, directory, danger, &preflight, &further)?;
    plan.warnings.extend(notes);
    checked_size(&plan.prompt, &config)?;
    Ok(Ready {
        plan,
        preflight,
        continued,
        common: &request.common,
        arguments: retry_arguments(request),
        config,
        store,
        start: None,
        depth,
        roots,
    })
}

/// What a caller's retry would repeat: everything but how long it waits.
fn retry_arguments(request: &ConsultRequest) -> String {
    let mut same = request.clone();
    same.common.wait = Wait::HostDefault;
    format!("{same:?}")
}

/// Returns where the peer works: the workspace, or an empty folder when that must not be read whole.
fn directory(
    workspace: &Workspace,
    request: &ConsultRequest,
    store: &Store,
    peer: Peer,
) -> Result<(PathBuf, Option<String>), Fault> {
    match workspace.readable() {
        Ok(root) => Ok((root.to_owned(), None)),
        Err(fault) if !request.files.is_empty() => Err(fault),
        Err(_) => {
            let empty = store.folder("empty")?;
            let why = workspace.danger.unwrap_or_default();
            Ok((
                empty,
                Some(format!(
                    "the workspace is {why}, so {peer} works in an empty folder instead"
                )),
            ))
        }
    }
}

/// Writes the prompt and accounts for it.
fn plan(
    request: &ConsultRequest,
    workspace: Workspace,
    directory: PathBuf,
    danger: Option<String>,
    preflight: &Preflight,
    further: &Further,
) -> Result<Plan, Fault> {
    let repo_root = guidance::project_root(&directory);
    let (guide, mut warnings) =
        guidance::read(preflight.program.peer, repo_root.as_deref(), &directory, further);
    warnings.extend(danger);
    let context_files = read_files(&request.files, &workspace.root, repo_root.as_deref(), further)?;
    let parts: Vec<FilePart> = context_files.iter().map(|file| file.part.clone()).collect();
    let counted = |text: &Option<String>| text.as_deref().map(|text| further.redact_counted(text));
    let (question, context) = (further.redact_counted(&request.prompt), counted(&request.context));
    let options = &request.common.options;
    let (language, instructions) = (counted(&options.language), counted(&options.told()));
    let masks = question.count
        + context.as_ref().map_or(0, |context| context.count)
        + [&language, &instructions]
            .into_iter()
            .flatten()
            .map(|text| text.count)
            .sum::<u32>()
        + guide.as_ref().map_or(0, |guide| guide.masked)
        + context_files.iter().map(|file| file.masked).sum::<u32>();
    if masks > 0 {
        warnings.push(format!(
            "{masks} values that look like secrets were masked before anything was sent"
        ));
    }
    let withheld: Vec<String> = context_files
        .iter()
        .filter(|file| file.withheld)
        .map(|file| file.path.clone())
        .collect();
    if !withheld.is_empty() {
        warnings.push(format!("withheld as secret: {}", withheld.join(", ")));
    }
    let prompt = write_prompt(
        &ConsultParts {
            kind: request.kind,
            question: &question.text,
            context: context.as_ref().map(|context| &context.text),
            files: &parts,
            guidance: guide.as_ref().map(|guide| &guide.text),
            language: language.as_ref().map(|language| &language.text),
            instructions: instructions.as_ref().map(|instructions| &instructions.text),
            tools: preflight.tools,
        },
        &new_fence()?,
    );
    let sent = context_files.iter().filter(|file| !file.withheld);
    let sent = sent
        .map(|file| EgressFile::of(file.path.clone(), file.part.text.as_str()))
        .chain(guide.as_ref().map(Guidance::accounted))
        .collect();
    Ok(Plan {
        parts: Vec::new(),
        kind: JobKind::Consult,
        tier: Tier::Consult,
        label: label(question.text.as_str()),
        workspace,
        directory,
        repo_root,
        schema: consult_schema(request.kind),
        change: None,
        expects: Expects::Consult { kind: request.kind },
        egress: egress(&prompt, sent, withheld, masks),
        prompt,
        warnings,
    })
}

/// Makes the fence of one run from random bytes.
pub fn new_fence() -> Result<Fence, Fault> {
    let internal = |text: String| Fault::new(FaultCode::Internal, text);
    let random =
        getrandom::u64().map_err(|error| internal(format!("no random numbers from the system: {error}")))?;
    Fence::new(&format!("{random:016x}")).map_err(|error| internal(error.to_string()))
}
