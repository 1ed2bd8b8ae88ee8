//! The command line of a run that is paid, each flag with the guarantee that it holds up.

use std::ffi::OsString;

use crate::domain::tier::{Isolation, Tools};
use crate::peer::claude::pins::FLAGS;
use crate::peer::exec::{Access, Exec};
use crate::peer::line::Line;

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
        (None, _) => {}
    }
    if exec.fork && exec.resume.is_some() {
        line.flag("--fork-session");
    }
    // A session that is gone on from has its name already.
    if exec.fork || exec.resume.is_none() {
        line.pair("--session-id", exec.session.as_str());
    }
    for root in &exec.roots {
        line.pair("--add-dir", root.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::ThreadId;
    use crate::peer::exec::Schema;

    fn exec() -> Exec {
        Exec {
            access: Access::Read,
            directory: "/w".into(),
            resume: None,
            fork: false,
            roots: Vec::new(),
            session: ThreadId::of("a job"),
            record: None,
            model: None,
            effort: None,
            schema: None,
            last_message: "/j/last".into(),
            isolation: Isolation::Clean,
            project: "/w".into(),
            servers: Vec::new(),
            tools: Tools::Files,
            web_search: false,
            ephemeral: false,
            withheld: Vec::new(),
            budget_microusd: None,
            max_turns: None,
            counts_tokens: false,
        }
    }

    fn line(exec: &Exec) -> String {
        let words: Vec<_> = arguments(exec)
            .iter()
            .map(|word| format!("[{}]", word.to_string_lossy()))
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_run_that_reads_has_neither_a_command_nor_an_edit() {
        let thread = ThreadId::of("a job");
        assert_eq!(
            line(&exec()),
            format!(
                "[-p] [--output-format] [stream-json] [--verbose] [--safe-mode] [--strict-mcp-config] \
                 [--disable-slash-commands] [--no-chrome] [--setting-sources] [user] [--tools] [Read,Grep,Glob] \
                 [--permission-mode] [dontAsk] [--session-id] [{}]",
                thread.as_str()
            )
        );
        let blind = Exec {
            tools: Tools::None,
            ..exec()
        };
        assert!(line(&blind).contains("[--tools] []"), "{}", line(&blind));
    }

    #[test]
    fn a_run_that_edits_reads_nobodys_settings() {
        let edits = Exec {
            access: Access::Write {
                top: "/w".into(),
                network: true,
            },
            ..exec()
        };
        let line = line(&edits);
        assert!(line.contains("[--setting-sources] []"), "{line}");
        assert!(
            line.contains("[--tools] [Read,Grep,Glob,Edit,Write,NotebookEdit]"),
            "{line}"
        );
        assert!(line.contains("[--permission-mode] [acceptEdits]"), "{line}");
        assert!(!line.contains("Bash"), "{line}");
    }

    #[test]
    fn what_bounds_a_run_is_passed_on() {
        let bounded = Exec {
            budget_microusd: Some(1_250_000),
            max_turns: Some(7),
            counts_tokens: true,
            ephemeral: true,
            schema: Some(Schema {
                path: "/j/schema.json".into(),
                text: "{}".to_owned(),
            }),
            ..exec()
        };
        let line = line(&bounded);
        for part in [
            "[--max-budget-usd] [1.250000]",
            "[--max-turns] [7]",
            "[--include-partial-messages]",
            "[--no-session-persistence]",
            "[--json-schema] [{}]",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    #[test]
    fn a_thread_is_gone_on_from_by_its_record_where_there_is_one() {
        let thread = ThreadId::of("another job");
        let resumed = Exec {
            resume: Some(thread.clone()),
            ..exec()
        };
        assert!(line(&resumed).ends_with(&format!("[--resume] [{}]", thread.as_str())));
        let found = Exec {
            record: Some("/c/projects/x/y.jsonl".into()),
            ..resumed
        };
        assert!(line(&found).ends_with("[--resume] [/c/projects/x/y.jsonl]"));
    }

    #[test]
    fn no_glob_ends_its_rule() {
        let check = |glob: &str, expected: &str| assert_eq!(denied(&[glob.to_owned()]), expected, "{glob}");
        check(".env", "Read(**/.env)");
        check(".aws/credentials", "Read(**/.aws/credentials)");
        check("/w/private/**", "Read(//w/private/**)");
        check("a),Bash(*", "");
        check("", "");
    }
}
