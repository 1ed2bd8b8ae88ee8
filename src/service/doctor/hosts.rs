//! The hosts of this machine: whether our server is registered in them, and whether it would work from there.
//!
//! What is registered is started as the host starts it, with the variables that the host passes on, and asked for its tools.
//! Nothing of a host is started: Claude Code's command that tells a server's state starts every server.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde_json::Value;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::peer::claude::host as claude_host;
use crate::peer::codex::host::{self, key};
use crate::run::program::find_path;
use crate::service::claude as claude_files;
use crate::service::context::{Service, VERSION};
use crate::service::doctor::finding::Finding;
use crate::service::guidance::project_root;
use crate::service::setup;
use crate::service::setup::entry::{is_ours, variables, words};
use crate::service::setup::registration;
use crate::sys::files;
use crate::sys::process::{Ended, Invocation, run_captured};

/// Bytes of a host's file.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes that a server may answer.
const ANSWER_BYTES: usize = 1024 * 1024;
/// The tools that a server of ours has.
const TOOLS: usize = 8;
/// Variables that codex gives every server. Seen with codex-cli 0.169.0.
const GIVEN: [&str; 8] = ["HOME", "PATH", "TMPDIR", "TERM", "LANG", "USER", "SHELL", "PWD"];
/// What a host says first; a server ends by itself when its input does.
const HELLO: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"crosscheck-doctor","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}
"#;

/// Looks at both hosts; one that is not on this machine is not told.
pub(super) async fn findings(service: &Service, config: &Config) -> Vec<Finding> {
    let (codex, claude) = tokio::join!(codex(service, config), claude(service, config));
    codex.into_iter().chain(claude).collect()
}

/// A server of ours in a host's file.
struct Registered {
    file: PathBuf,
    name: String,
    entry: Value,
}

async fn codex(service: &Service, config: &Config) -> Option<Finding> {
    const WHAT: &str = "host codex";
    const FIX: &str = "crosscheck setup --host codex";
    let user = host::user_file(service.environment())?;
    if !user.exists() && find_path(Peer::Codex, config, service.environment()).is_err() {
        return None;
    }
    let project = project_root(service.directory()).map(|root| root.join(host::PROJECT_FILE));
    let (mut found, mut plugin) = (None, false);
    for file in [Some(user.clone()), project].into_iter().flatten() {
        let Ok(bytes) = files::read_bounded_linked(&file, FILE_BYTES) else {
            continue;
        };
        plugin |= registration::has_plugin(&bytes);
        match registration::read_all(&bytes) {
            Ok(entries) => {
                let ours = entries.into_iter().find(|(_, entry)| is_ours(entry));
                found = found.or_else(|| ours.map(|(name, entry)| Registered { file, name, entry }));
            }
            Err(why) => {
                let says = format!("`{}` cannot be read: {why}", file.display());
                return Some(Finding::attention(
                    WHAT,
                    says,
                    "correct it; codex does not start before",
                ));
            }
        }
    }
    if found.is_none() && plugin {
        return Some(Finding::ready(WHAT, "our plugin is installed in codex"));
    }
    let Some(registered) = found else {
        let says = format!("our server is not in codex; `{FIX}` lets codex ask claude");
        return Some(Finding::ready(WHAT, says));
    };
    let entry = &registered.entry;
    let place = format!("`{}` in `{}`", registered.name, registered.file.display());
    let passed = passed(entry, service.environment());
    let health = if entry.get(key::ENABLED) == Some(&Value::Bool(false)) {
        Finding::attention(
            WHAT,
            format!("{place} is switched off"),
            format!("set `{} = true` in it", key::ENABLED),
        )
    } else if let Some(problem) = start(WHAT, service, &registered, &passed, FIX).await {
        problem
    } else if let Some(problem) = patience(WHAT, entry, &place) {
        problem
    } else if let Some(problem) = kept_back(WHAT, service, config, &passed, &place) {
        problem
    } else {
        Finding::ready(WHAT, format!("{place} starts, and has {TOOLS} tools"))
    };
    Some(health)
}

async fn claude(service: &Service, config: &Config) -> Option<Finding> {
    const WHAT: &str = "host claude";
    const FIX: &str = "crosscheck setup --host claude";
    let user = claude_host::user_file(service.environment())?;
    if !user.exists() && find_path(Peer::Claude, config, service.environment()).is_err() {
        return None;
    }
    if setup::has_plugin(service) {
        return Some(Finding::ready(WHAT, "our plugin is installed in Claude Code"));
    }
    let project = project_root(service.directory()).map(|root| root.join(claude_host::PROJECT_FILE));
    let found = [Some(user), project].into_iter().flatten().find_map(|file| {
        let servers = claude_files::read(&file);
        let servers = servers.get(claude_host::SERVERS)?.as_object()?;
        let (name, entry) = servers.iter().find(|(_, entry)| is_ours(entry))?;
        let (name, entry) = (name.clone(), entry.clone());
        Some(Registered { file, name, entry })
    });
    let Some(registered) = found else {
        let says = format!("our server is not in Claude Code; `{FIX}` lets it ask codex");
        return Some(Finding::ready(WHAT, says));
    };
    let place = format!("`{}` in `{}`", registered.name, registered.file.display());
    // Claude Code gives its servers all of its own environment.
    let problem = start(WHAT, service, &registered, service.environment(), FIX).await;
    Some(problem.unwrap_or_else(|| Finding::ready(WHAT, format!("{place} starts, and has {TOOLS} tools"))))
}

/// Returns what codex gives the server of an entry, of the variables that are set here.
fn passed(entry: &Value, environment: &Environment) -> Environment {
    let named = entry.get(key::VARIABLES).and_then(Value::as_array);
    let named: Vec<&str> = named
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().or_else(|| name["name"].as_str()))
        .collect();
    let given = environment.iter().filter(|(name, _)| {
        name.to_str()
            .is_some_and(|name| GIVEN.contains(&name) || named.contains(&name))
    });
    let mut passed: Environment = given
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let values = entry.get(key::VALUES).and_then(Value::as_object);
    for (name, value) in values.into_iter().flatten() {
        passed = passed.with(name, value.as_str().unwrap_or_default());
    }
    passed
}

/// Starts what is registered and asks for its tools; returns what is wrong with it.
async fn start(
    what: &'static str,
    service: &Service,
    registered: &Registered,
    environment: &Environment,
    fix: &'static str,
) -> Option<Finding> {
    let words = words(&registered.entry);
    let (command, arguments) = words.split_first()?;
    let place = format!("`{}` in `{}`", registered.name, registered.file.display());
    let Some(program) = program(command, environment) else {
        let says = format!("{place} starts a program that is not there: `{command}`");
        return Some(Finding::broken(what, says, fix));
    };
    if command == "cargo" {
        // It would build the program, which takes minutes.
        return None;
    }
    let invocation = Invocation {
        program,
        arguments: arguments.iter().map(Into::into).collect(),
        directory: service.directory().to_owned(),
        environment: environment.clone(),
    };
    let captured = match run_captured(&invocation, HELLO, limits::PROBE_TIMEOUT, ANSWER_BYTES).await {
        Ok(captured) => captured,
        Err(error) => {
            let says = format!("{place} does not answer: {error}");
            return Some(Finding::broken(what, says, fix));
        }
    };
    let answers: Vec<Value> = captured
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let result = |id: u64| {
        answers
            .iter()
            .find(|answer| answer["id"] == id)
            .map(|answer| &answer["result"])
    };
    let version = result(1).and_then(|result| result["serverInfo"]["version"].as_str());
    let tools = result(2)
        .and_then(|result| result["tools"].as_array())
        .map(Vec::len);
    match (version, tools, captured.ended) {
        (Some(version), _, _) if version != VERSION => Some(Finding::attention(
            what,
            format!("{place} starts version {version}, and this is {VERSION}"),
            fix,
        )),
        (Some(_), Some(TOOLS), Ended::Exited(0)) => None,
        _ => Some(Finding::broken(
            what,
            format!("{place} starts, and does not answer as a server of ours"),
            fix,
        )),
    }
}

/// Finds a program as a host does: by its path, else in the folders of PATH.
fn program(command: &str, environment: &Environment) -> Option<PathBuf> {
    let is_program = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let named = Path::new(command);
    if named.is_absolute() {
        return is_program(named).then(|| named.to_owned());
    }
    let folders = environment.get("PATH")?;
    std::env::split_paths(folders)
        .map(|folder| folder.join(named))
        .find(|path| is_program(path))
}

/// A call may wait as long as a host of this name is waited for by default, and comes back in time only if the host waits longer.
fn patience(what: &'static str, entry: &Value, place: &str) -> Option<Finding> {
    let seconds = entry.get(key::TOOL_TIMEOUT).and_then(Value::as_f64)?;
    #[expect(clippy::cast_precision_loss, reason = "some hundred seconds")]
    let is_short = seconds < host::TOOL_TIMEOUT_S as f64;
    is_short.then(|| {
        Finding::attention(
            what,
            format!("{place} gives a tool {seconds} s, and a call may wait longer; its job goes on then"),
            "crosscheck setup --host codex",
        )
    })
}

/// Names what is set here and does not reach the server. Where it says where files are, each host has jobs of its own.
fn kept_back(
    what: &'static str,
    service: &Service,
    config: &Config,
    passed: &Environment,
    place: &str,
) -> Option<Finding> {
    let environment = service.environment();
    let peer = Peer::Codex.other();
    let wanted = variables(peer, environment, &config.env_pass.value);
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| environment.get(name).is_some() && environment.get(name) != passed.get(name))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let store = ["XDG_STATE_HOME", "CROSSCHECK_STATE_DIR"];
    let apart = missing.iter().any(|name| store.contains(name));
    let harm = if apart {
        "so codex and this terminal have different jobs"
    } else {
        "so the server in codex does without"
    };
    Some(Finding::attention(
        what,
        format!(
            "{place} does not get {}, which is set here, {harm}",
            missing.join(", ")
        ),
        "crosscheck setup --host codex",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_server_sees_what_its_entry_names_and_no_more() {
        let environment = Environment::default()
            .with("HOME", "/h")
            .with("XDG_STATE_HOME", "/s")
            .with("ANTHROPIC_API_KEY", "k")
            .with("CROSSCHECK_STATE_DIR", "/d");
        let entry =
            json!({"env_vars": ["XDG_STATE_HOME", {"name": "CROSSCHECK_STATE_DIR"}], "env": {"A": "b"}});
        let passed = passed(&entry, &environment);
        let expected = Environment::default()
            .with("HOME", "/h")
            .with("XDG_STATE_HOME", "/s")
            .with("CROSSCHECK_STATE_DIR", "/d")
            .with("A", "b");
        assert_eq!(passed, expected);
    }

    #[test]
    fn a_short_time_out_is_told_and_the_usual_one_is_not() {
        let check = |entry: Value, expected: bool| {
            assert_eq!(patience("h", &entry, "x").is_some(), expected, "{entry}");
        };
        check(json!({}), false);
        check(json!({"tool_timeout_sec": 300}), false);
        check(json!({"tool_timeout_sec": 60}), true);
        check(json!({"tool_timeout_sec": 59.5}), true);
    }
}
