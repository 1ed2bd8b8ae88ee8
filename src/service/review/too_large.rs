//! The faults of a change that is too large, each with calls that work.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::diff::count;
use crate::diff::narrow::narrow;
use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::fault::Fault;
use crate::domain::job::JobName;
use crate::domain::limits;
use crate::domain::request::{Effort, ModelName, Options, Resume, ReviewRequest, Subject};
use crate::domain::review_plan::{Depth, Needs};
use crate::domain::scope::Scope;
use crate::redact::redact_counted;
use crate::service::git_fault;
use crate::service::review_input::ReviewInput;

/// The fault of a change that has more parts than run unasked: what it needs, its largest files, and two calls, one that
/// asks for less and one that asks for all of it.
pub(super) fn too_many(needs: Needs, request: &ReviewRequest, input: &ReviewInput, config: &Config) -> Fault {
    let at_most = if request.common.options.max_parts.is_some() {
        "options.max_parts"
    } else {
        "limits.review_parts"
    };
    let left_out = match input.generated {
        0 => String::new(),
        files => format!(
            ", {} left out already",
            counted(u32::try_from(files).unwrap_or(u32::MAX), "generated file")
        ),
    };
    let message = format!(
        "the change does not fit: it needs {} of one prompt each ({} bytes, about {} tokens for each look{left_out}), and \
         `{at_most}` is {}",
        counted(needs.parts, "part"),
        needs.bytes,
        needs.about_tokens,
        needs.unasked
    );
    let mut fault = narrower(message, request, input, config);
    fault.needs = Some(Box::new(needs));
    let most = config.review_parts_most.unwrap_or(limits::REVIEW_PARTS_MAX);
    if needs.parts > most {
        return fault;
    }
    fault.repair.hint = format!(
        "{}; or pay for all of it: the same call with options.max_parts={}",
        fault.repair.hint, needs.parts
    );
    match again(request, input, needs.parts) {
        Some(whole) => fault.also("review", whole),
        None => fault,
    }
}

/// The fault of a change of which no prompt can show anything, with its largest files and a call that is narrow enough.
pub(super) fn narrower(
    message: String,
    request: &ReviewRequest,
    input: &ReviewInput,
    config: &Config,
) -> Fault {
    let fault = git_fault::too_large(message, &input.largest);
    let room = config.prompt_bytes.value.min(limits::PROMPT_CHARS) / 2;
    let patch = input.patch.get();
    let files = patch.files.iter().zip(&input.sizes);
    let files = files.filter(|(file, _)| count::omission(file).is_none());
    let files = files.map(|(file, size)| {
        let own: usize = size.hunks.iter().map(|hunk| hunk.bytes as usize).sum();
        (file.new_path.as_slice(), own + size.header.bytes as usize)
    });
    let paths = narrow(files.collect(), room, NARROWED).into_iter();
    let paths: Vec<String> = paths.map(|path| shown_path(&path)).collect();
    match target(request, input) {
        Some(mut arguments) if !paths.is_empty() => {
            arguments.insert("paths".to_owned(), json!(paths));
            if request.depth != Depth::UNSAID {
                arguments.insert("depth".to_owned(), json!(request.depth));
            }
            fault.call("review", Value::Object(arguments))
        }
        _ => fault,
    }
}

/// Paths of a ready call: as many as somebody reads.
const NARROWED: usize = 12;
/// Bytes of a caller's own text that is repeated to the caller in a ready call.
const REPEATED_BYTES: usize = 1024;

/// The same call again, with so many parts; `None` where that is more than is worth repeating.
fn again(request: &ReviewRequest, input: &ReviewInput, parts: u32) -> Option<Value> {
    let common = &request.common;
    let mut options = common.options.clone();
    options.max_parts = None;
    // A scope that nobody can name in a call is the gate's own.
    let is_gates = matches!(request.subject, Subject::Change(Scope::Since { .. }));
    if is_gates || options != Options::default() || common.resume.is_some() {
        return None;
    }
    let mut arguments = target(request, input)?;
    for (name, text) in [("focus", &request.focus), ("context", &request.context)] {
        let Some(text) = text else { continue };
        let shown = redact_counted(text);
        if shown.count > 0 || text.len() > REPEATED_BYTES {
            return None;
        }
        arguments.insert(name.to_owned(), json!(text));
    }
    for (name, value) in [
        ("model", common.model.as_ref().map(ModelName::as_str)),
        ("effort", common.effort.as_ref().map(Effort::as_str)),
    ] {
        if let Some(value) = value {
            arguments.insert(name.to_owned(), json!(value));
        }
    }
    if !input.target.paths.is_empty() {
        arguments.insert("paths".to_owned(), json!(input.target.paths));
    }
    if request.depth != Depth::UNSAID {
        arguments.insert("depth".to_owned(), json!(request.depth));
    }
    arguments.insert("options".to_owned(), json!({"max_parts": parts}));
    Some(Value::Object(arguments))
}

/// What names the same change in another call.
fn target(request: &ReviewRequest, input: &ReviewInput) -> Option<Map<String, Value>> {
    let target = &input.target;
    let mut arguments = Map::new();
    let workspace = input.repo_root.display().to_string();
    arguments.insert("workspace".to_owned(), json!(workspace));
    let (base, head) = (target.base_oid.as_deref(), target.head_oid.as_deref());
    // A call that follows a review and names no change means that review's, which no scope says.
    if let Subject::Change(Scope::Auto) = &request.subject {
        if let Some(since) = &request.common.options.since {
            arguments.insert("options".to_owned(), json!({"since": since.to_string()}));
            return Some(arguments);
        }
        if let Some(resume) = &request.common.resume {
            let named = match resume {
                Resume::Job(name) => name.to_string(),
                Resume::Thread(thread) => thread.as_str().to_owned(),
            };
            arguments.insert("resume".to_owned(), json!(named));
            return Some(arguments);
        }
    }
    match target.scope.as_str() {
        "snippet" => return None,
        "job" => {
            let Subject::Job(JobName::Exact(id)) = &request.subject else {
                return None;
            };
            arguments.insert("scope".to_owned(), json!("job"));
            arguments.insert("job".to_owned(), json!(id));
        }
        "range" => {
            arguments.insert("commit".to_owned(), json!(format!("{}..{}", base?, head?)));
        }
        "commit" => {
            arguments.insert("commit".to_owned(), json!(head?));
        }
        scope => {
            arguments.insert("scope".to_owned(), json!(scope));
        }
    }
    if let Some(base) = &input.target.base_name {
        arguments.insert("base".to_owned(), json!(base));
    }
    // Without it the tip is that of the present branch.
    if matches!(
        &request.subject,
        Subject::Change(Scope::Branch { head: Some(_), .. })
    ) {
        arguments.insert("head".to_owned(), json!(head?));
    }
    Some(arguments)
}
