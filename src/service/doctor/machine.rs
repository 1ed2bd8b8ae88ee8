//! What is looked at beside codex, git and the state directory: our own program, the host, and what lies around.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::count::counted;
use crate::domain::environment::Environment;
use crate::domain::fingerprint::sha256_hex;
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::request::StateFilter;
use crate::service::context::{Service, VERSION};
use crate::service::doctor::finding::Finding;
use crate::service::{namesake, plugin_settings};
use crate::sys::files;
use crate::sys::process::{Ended, Invocation, run_captured};

/// Bytes of our own program that are read for its checksum; a build with everything in it has a tenth of that.
const PROGRAM_BYTES: u64 = 1024 * 1024 * 1024;
/// Bytes that our server may answer.
const ANSWER_BYTES: usize = 1024 * 1024;
/// Lost jobs that are counted one by one.
const LOST: usize = 100;
/// A host that gives a tool less time than this ends the wait for most answers.
const SHORT_TIMEOUT_MS: u64 = 30_000;
/// What our server is asked; it ends by itself when its input does.
const HELLO: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"crosscheck-doctor","version":"1"}}}
"#;

/// Says which program this is.
pub(super) fn program(service: &Service) -> Finding {
    let path = service.program();
    let sum = files::read_bounded_linked(path, PROGRAM_BYTES).map(|bytes| sha256_hex(&bytes));
    let sum = sum.unwrap_or_else(|error| format!("unknown: {error}"));
    Finding::ready(
        "program",
        format!("crosscheck {VERSION} at {}, sha256 {sum}", path.display()),
    )
}

/// Says which program a terminal finds under our name.
pub(super) fn on_path(service: &Service) -> Finding {
    const WHAT: &str = "path";
    let Some(found) = find_on_path(service.environment()) else {
        return Finding::ready(
            WHAT,
            "`crosscheck` is not on PATH, which only a terminal of your own needs: the plugin finds its program without",
        );
    };
    if is_same(&found, service.program()) {
        return Finding::ready(WHAT, format!("`crosscheck` is {}", found.display()));
    }
    Finding::attention(
        WHAT,
        format!(
            "`crosscheck` in a terminal is {}, another program than this one",
            found.display()
        ),
        format!(
            "compare `{} --version` with {VERSION}, and remove the older one",
            found.display()
        ),
    )
}

fn find_on_path(environment: &Environment) -> Option<PathBuf> {
    let folders = environment.get("PATH")?;
    std::env::split_paths(folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("crosscheck"))
        .find(|path| path.is_file() && !is_launcher(path))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let about = |path: &Path| {
        std::fs::metadata(path)
            .map(|about| (about.dev(), about.ino()))
            .ok()
    };
    about(one).is_some_and(|one| Some(one) == about(other))
}

/// Tells whether it is the plugin's launcher, which becomes the program. Claude's own shell has it on its PATH, and no other one.
fn is_launcher(path: &Path) -> bool {
    path.ancestors()
        .nth(2)
        .is_some_and(|root| root.join(".claude-plugin/plugin.json").is_file())
}

/// Starts our own server as a host does, and says hello.
pub(super) async fn server(service: &Service) -> Finding {
    const WHAT: &str = "server";
    let invocation = Invocation {
        program: service.program().to_owned(),
        arguments: vec!["serve".into()],
        directory: service.directory().to_owned(),
        environment: service.environment().for_worker(&[], &[]),
    };
    let captured = run_captured(&invocation, HELLO, limits::PROBE_TIMEOUT, ANSWER_BYTES).await;
    let fix = "install the program again: `crosscheck install` of the plugin, or `cargo install --locked --path .` in its source";
    match captured {
        Ok(captured) => {
            let answer: Option<Value> = captured
                .stdout
                .split(|byte| *byte == b'\n')
                .find_map(|line| serde_json::from_slice(line).ok());
            let name = answer
                .as_ref()
                .and_then(|answer| answer["result"]["serverInfo"]["version"].as_str());
            match (name, captured.ended) {
                (Some(version), Ended::Exited(0)) => Finding::ready(
                    WHAT,
                    format!("answers a host, and ends with it (version {version})"),
                ),
                (Some(_), ended) => Finding::broken(
                    WHAT,
                    format!("answers a host, and then ended with {ended:?}"),
                    fix,
                ),
                (None, _) => Finding::broken(WHAT, "our own server does not answer a host", fix),
            }
        }
        Err(error) => Finding::broken(WHAT, format!("our own server cannot be tried: {error}"), fix),
    }
}

/// Says what is known of the host's patience.
pub(super) fn host(environment: &Environment) -> Finding {
    const WHAT: &str = "host";
    match environment.text("MCP_TOOL_TIMEOUT").map(str::parse::<u64>) {
        None => Finding::ready(
            WHAT,
            "no time-out of its own is set for tools; a call that ends early loses nothing, the job goes on",
        ),
        Some(Ok(ms)) if ms >= SHORT_TIMEOUT_MS => Finding::ready(
            WHAT,
            format!(
                "gives a tool {} s; a call returns before, and the job goes on",
                ms / 1000
            ),
        ),
        Some(_) => Finding::attention(
            WHAT,
            "MCP_TOOL_TIMEOUT gives a tool too little time for most answers",
            "set MCP_TOOL_TIMEOUT to 600000 or more, or remove it",
        ),
    }
}

/// Says what stands beside our plugin, if anything does.
pub(super) fn plugin(environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(note) = plugin_settings::note(environment) {
        let fix = "set them with `/plugin configure codex@crosscheck`, or leave them";
        findings.push(Finding::attention("plugin", note, fix));
    }
    if let Some(note) = namesake::note(environment) {
        let fix = "keep one of the two: the lines are above";
        findings.push(Finding::attention("namesake", note, fix));
    }
    findings
}

/// Counts what killed runs left.
pub(super) fn leftovers(service: &Service) -> Finding {
    const WHAT: &str = "leftovers";
    let Ok(store) = service.store() else {
        return Finding::ready(WHAT, "there is no state directory");
    };
    let lost = store.list(None, StateFilter::Only(JobState::Lost), LOST);
    match lost.map(|(jobs, damaged)| (jobs.len(), damaged.len())) {
        Ok((0, 0)) => Finding::ready(WHAT, "no run was lost"),
        Ok((lost, 0)) => Finding::ready(
            WHAT,
            format!(
                "{} lost and kept what there was: `crosscheck jobs --state lost`",
                were(lost)
            ),
        ),
        Ok((lost, damaged)) => Finding::attention(
            WHAT,
            format!("{} lost, and {damaged} records cannot be read", were(lost)),
            "`crosscheck jobs` names them; `crosscheck cancel ID --forget` removes one",
        ),
        Err(error) => Finding::attention(WHAT, error.to_string(), "look at the state directory"),
    }
}

fn were(count: usize) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(count, "run"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::doctor::finding::Health;

    #[test]
    fn a_host_with_little_patience_is_told() {
        let check = |value: Option<&str>, expected: Health| {
            let environment = Environment::default().with("MCP_TOOL_TIMEOUT", value.unwrap_or_default());
            assert_eq!(host(&environment).health, expected, "{value:?}");
        };
        check(None, Health::Ready);
        check(Some("600000"), Health::Ready);
        check(Some("2000"), Health::Attention);
        check(Some("soon"), Health::Attention);
    }
}
