//! The command line of a run that is paid, each flag with the guarantee that it holds up.

use std::ffi::OsString;

use crate::domain::tier::{Isolation, Tools};
use crate::peer::claude::pins::FLAGS;
use crate::peer::exec::{Access, Exec};

/// The tools of a run that reads. Never `Bash`: what it runs is confined by nothing but a list of words.
const READ: &str = "Read,Grep,Glob";
/// The tools of a run that edits.
const WRITE: &str = "Read,Grep,Glob,Edit,Write,NotebookEdit";

/// Returns the arguments. The prompt follows on standard input, never here.
pub fn arguments(exec: &Exec) -> Vec<OsString> {
    let mut line = Line(vec!["-p".into()]);
    line.pair("--output-format", "stream-json");
    // Without it that format is refused (seen with 2.1.197).
    line.flag("--verbose");
    for pin in FLAGS {
        line.flag(pin.setting);
    }
    let edits = matches!(exec.access, Access::Write { .. });
    // The repository's settings choose a program that is run and a model, also in safe mode, so only the user's are read. And
    // of a run that edits not even these: a rule of the user's that allows edits, or a further directory, would hold outside
    // of the worktree too (seen with 2.1.197 and 2.1.329; `edits_of_claude_stay_in_the_worktree` pins it).
    let sources = match exec.isolation {
        _ if edits => "",
        Isolation::IgnoreConfig => "",
        Isolation::Clean | Isolation::IgnoreRules => "user",
    };
    line.pair("--setting-sources", sources);
    let mut tools = match (exec.tools, edits) {
        (_, true) => WRITE.to_owned(),
        (Tools::Sandboxed | Tools::Files, false) => READ.to_owned(),
        (Tools::None, false) => String::new(),
    };
    if exec.web_search {
        tools.push_str(if tools.is_empty() {
            "WebSearch"
        } else {
            ",WebSearch"
        });
        line.pair("--allowedTools", "WebSearch");
    }
    line.pair("--tools", tools);
    // Whatever is neither in the directory nor allowed is denied, without a question to anybody.
    line.pair("--permission-mode", if edits { "acceptEdits" } else { "dontAsk" });
    let denied = denied(&exec.withheld);
    if !denied.is_empty() {
        line.pair("--disallowedTools", denied);
    }
    if let Some(effort) = &exec.effort {
        line.pair("--effort", effort.as_str());
    }
    if let Some(model) = &exec.model {
        line.pair("--model", model.as_str());
    }
    if let Some(most) = exec.budget_microusd {
        line.pair(
            "--max-budget-usd",
            format!("{}.{:06}", most / 1_000_000, most % 1_000_000),
        );
    }
    if let Some(most) = exec.max_turns {
        line.pair("--max-turns", most.to_string());
    }
    if exec.counts_tokens {
        // Only so the output of a message is told when it is whole and not at the run's end (seen with 2.1.197).
        line.flag("--include-partial-messages");
    }
    if let Some(schema) = &exec.schema {
        line.pair("--json-schema", schema.text.clone());
    }
    if exec.ephemeral {
        line.flag("--no-session-persistence");
    }
    match (&exec.resume, &exec.record) {
        // The record's path is taken from any directory; the id only from the one that the thread began in (seen with
        // 2.1.197).
        (Some(_), Some(record)) => line.pair("--resume", record.clone()),
        (Some(thread), None) => line.pair("--resume", thread.as_str()),
        (None, _) => line.pair("--session-id", exec.session.as_str()),
    }
    line.0
}

/// Returns the rules that keep files from every tool that reads. A path of its own is withheld from searches too (seen with
/// 2.1.197).
fn denied(withheld: &[String]) -> String {
    let rules: Vec<String> = withheld
        .iter()
        // A comma or a bracket would end the rule.
        .filter(|glob| !glob.is_empty() && !glob.contains([',', '(', ')']))
        .map(|glob| format!("Read({})", anchored(glob)))
        .collect();
    rules.join(",")
}

/// Lets a glob that is not absolute hold at any depth. A path from the root of the file system begins with two slashes there.
fn anchored(glob: &str) -> String {
    match glob.strip_prefix('/') {
        Some(path) => format!("//{path}"),
        None => format!("**/{}", glob.trim_start_matches("**/")),
    }
}

struct Line(Vec<OsString>);

impl Line {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    fn pair(&mut self, flag: &str, value: impl Into<OsString>) {
        self.0.push(flag.into());
        self.0.push(value.into());
    }
}
