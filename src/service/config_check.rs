//! Looks for mistakes in the files of settings, and for variables that do not do what their names suggest.

use serde_json::{Value, json};

use crate::config::{Config, Problem, problems};
use crate::domain::envelope::Envelope;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::project;
use crate::service::reply::{Outcome, Reply};
use crate::service::workspace::Workspace;
use crate::sys::clock::Stopwatch;

/// The name of this use case in envelopes.
const NAME: &str = "config";
/// Variables that are settings.
const SETTINGS: [&str; 11] = [
    "CROSSCHECK_HOST_NOTIFY",
    "CROSSCHECK_PEER_CODEX_VERSIONS",
    "CROSSCHECK_PEER_CODEX_MODEL",
    "CROSSCHECK_PEER_CODEX_EFFORT",
    "CROSSCHECK_PEER_CLAUDE_VERSIONS",
    "CROSSCHECK_PEER_CLAUDE_MODEL",
    "CROSSCHECK_PEER_CLAUDE_EFFORT",
    "CROSSCHECK_LIMITS_CONCURRENCY",
    "CROSSCHECK_LIMITS_TIMEOUT_S",
    "CROSSCHECK_LIMITS_BUDGET_TOKENS",
    "CROSSCHECK_LIMITS_PROMPT_BYTES",
];
/// How the names of variables begin that look like settings: each of them is a table of the file.
const TABLES: [&str; 11] = [
    "HOST_",
    "PEER_",
    "LIMITS_",
    "POLICY_",
    "PATHS_",
    "CHECKS_",
    "SECRETS_",
    "ENV_",
    "ALLOW_",
    "DELEGATE_",
    "APPLY_",
];
/// Variables named one by one.
const NAMED: usize = 20;
/// Characters of a variable's name that are repeated.
const NAME_CHARS: usize = 60;

/// Looks, and wraps what was found.
///
/// Mistakes are a success of the look: the envelope lists them and its field `valid` is false. A door that ends with an
/// exit code takes it from there.
pub fn call(service: &Service, workspace: Option<&std::path::Path>, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service, workspace);
    service.wrap(NAME, outcome, call, watch)
}

/// Looks at the user's file, the project's and the variables. Its body holds `valid`, `files` and `variables`.
pub fn run(service: &Service, workspace: Option<&std::path::Path>) -> Outcome {
    let mut files = Vec::new();
    let mut wrong = 0;
    let users = match service.config_text() {
        Ok(text) => {
            let found = text.as_deref().map(problems).unwrap_or_default();
            wrong += found.len();
            files.push(file(
                "user",
                Config::path_from(service.environment()),
                text.is_some(),
                &found,
                &[],
            ));
            service.config()
        }
        Err(fault) => {
            wrong += 1;
            let unread = unread(&fault);
            files.push(file(
                "user",
                Config::path_from(service.environment()),
                true,
                &[unread],
                &[],
            ));
            Err(fault)
        }
    };
    // A variable may be wrong where no file is.
    let bad_variable = match &users {
        Err(fault) if wrong == 0 => Some(fault.clone()),
        _ => None,
    };
    let floor = Config::layered(None, &Environment::default())?;
    let users = users.unwrap_or(floor);
    let place = Workspace::resolve(service, workspace, &users);
    if workspace.is_some()
        && let Err(fault) = &place
        && fault.code == FaultCode::InvalidWorkspace
    {
        return Err(fault.clone().into());
    }
    if let Some((path, found, is_read)) = place.ok().and_then(|place| project::problems(&place, &users)) {
        let (mistakes, ignored) = if is_read {
            (Vec::new(), found)
        } else {
            (found, Vec::new())
        };
        wrong += mistakes.len();
        files.push(file("project", Some(path), true, &mistakes, &ignored));
    }
    let mut variables = odd_variables(service.environment());
    if let Some(fault) = bad_variable {
        wrong += 1;
        variables.insert(0, json!({"name": fault.field, "message": fault.message}));
    }
    let summary = match wrong {
        0 => "The settings are valid.".to_owned(),
        1 => "There is 1 mistake in the settings.".to_owned(),
        more => format!("There are {more} mistakes in the settings."),
    };
    Ok(Reply {
        summary,
        body: object(json!({"valid": wrong == 0, "files": files, "variables": variables})),
        ..Reply::default()
    })
}

fn file(
    whose: &str,
    path: Option<std::path::PathBuf>,
    exists: bool,
    problems: &[Problem],
    ignored: &[Problem],
) -> Value {
    json!({
        "whose": whose,
        "file": path.map(|path| path.display().to_string()),
        "exists": exists,
        "problems": problems,
        "ignored": ignored,
    })
}

fn unread(fault: &Fault) -> Problem {
    Problem {
        line: 0,
        key: None,
        message: fault.message.clone(),
        valid: Vec::new(),
    }
}

/// Lists variables that look like settings and are none: whoever set them believes that something holds.
fn odd_variables(environment: &Environment) -> Vec<Value> {
    let names = environment.iter().filter_map(|(name, _)| name.to_str());
    let odd = names.filter(|name| {
        name.strip_prefix("CROSSCHECK_")
            .is_some_and(|rest| TABLES.iter().any(|table| rest.starts_with(table)))
            && !SETTINGS.contains(name)
    });
    odd.take(NAMED)
        .map(|name| {
            let shown: String = crate::diff::text::shown_path(name.as_bytes())
                .chars()
                .take(NAME_CHARS)
                .collect();
            json!({"name": shown, "message": "is no setting and has no effect; what grants anything comes from the user's file alone"})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_only_looks_like_a_setting_is_named() {
        let environment = Environment::default()
            .with("CROSSCHECK_ALLOW_NETWORK", "true")
            .with("CROSSCHECK_LIMITS_CONCURRENCY", "2")
            .with("CROSSCHECK_STATE_DIR", "/x")
            .with("CROSSCHECK_LIMIT_DEPTH", "2");
        let odd = odd_variables(&environment);
        let names: Vec<&str> = odd.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["CROSSCHECK_ALLOW_NETWORK"]);
    }
}
