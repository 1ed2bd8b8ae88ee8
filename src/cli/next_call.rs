//! A tool call as the command that does the same in a terminal.

use serde_json::{Map, Value};

use crate::domain::envelope::Meta;
use crate::domain::peer::Peer;

pub(super) use crate::domain::shell::quoted;

/// Returns how a command begins that starts something new with this peer. A command about a job does without: the job's
/// record says whom it asked.
pub(super) fn program(peer: Peer) -> String {
    if peer.is_default() {
        "crosscheck".to_owned()
    } else {
        format!("crosscheck --peer {peer}")
    }
}

/// Returns the peer that an envelope is about, else the one that was asked for.
pub(super) fn peer_of(meta: &Meta, asked: Peer) -> Peer {
    meta.peer.and_then(Peer::parse).unwrap_or(asked)
}

/// Writes a call as a shell command; `None` when no command can hold it.
pub(super) fn terminal_command(tool: &str, arguments: &Map<String, Value>, peer: Peer) -> Option<String> {
    let previewed = arguments.get("tool").and_then(Value::as_str);
    let starts = match tool {
        "dry_run" => previewed.is_some_and(|tool| tool != "apply"),
        tool => matches!(tool, "consult" | "review" | "delegate" | "status"),
    };
    let mut words = vec![program(if starts { peer } else { Peer::default() })];
    match tool {
        "apply" => apply(&mut words, arguments)?,
        "dry_run" if arguments.get("tool")?.as_str() == Some("apply") => {
            apply(&mut words, arguments.get("arguments")?.as_object()?)?;
        }
        "dry_run" => {
            let previewed = arguments.get("tool")?.as_str()?;
            words.push("dry-run".to_owned());
            push(&mut words, previewed, arguments.get("arguments")?.as_object()?)?;
        }
        "job" if !arguments.contains_key("id") => push(&mut words, "jobs", arguments)?,
        "status" | "consult" | "review" | "delegate" | "job" | "cancel" => push(&mut words, tool, arguments)?,
        _ => return None,
    }
    Some(words.join(" "))
}

/// The actions of one tool are commands and flags here. Its token is none: the command makes its own preview and asks.
fn apply(words: &mut Vec<String>, arguments: &Map<String, Value>) -> Option<()> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let action = text("action").unwrap_or("preview");
    words.push(if action == "undo" { "undo" } else { "apply" }.to_owned());
    words.push(quoted(text("id")?));
    match action {
        "land" | "discard" => words.push(format!("--{action}")),
        "branch" => {
            words.push("--branch".to_owned());
            words.extend(text("branch").map(quoted));
        }
        _ => {}
    }
    let files = arguments.get("files").and_then(Value::as_array);
    for file in files.into_iter().flatten() {
        words.extend(["--file".to_owned(), quoted(file.as_str()?)]);
    }
    if let Some(workspace) = text("workspace") {
        words.extend(["--workspace".to_owned(), quoted(workspace)]);
    }
    if action == "land" && arguments.get("accept_failed_checks") == Some(&Value::Bool(true)) {
        words.push("--accept-failed-checks".to_owned());
    }
    Some(())
}

fn push(words: &mut Vec<String>, command: &str, arguments: &Map<String, Value>) -> Option<()> {
    words.push(command.to_owned());
    let (mut named, mut lists, mut positional) = (Vec::new(), Vec::new(), None);
    for (name, value) in arguments {
        let flag = format!("--{}", name.replace('_', "-"));
        match (name.as_str(), value) {
            ("id" | "prompt" | "task", Value::String(text)) => positional = Some(text),
            // A snippet is a file here, and which one it was is not known; tasks of their own paths and checks have no flags.
            ("snippet" | "tasks", _) => return None,
            ("allowed_paths" | "checks", Value::Array(items)) => {
                let flag = if name == "checks" {
                    "--check"
                } else {
                    "--allow-path"
                };
                for item in items {
                    named.extend([flag.to_owned(), quoted(&scalar(item)?)]);
                }
            }
            ("options", Value::Object(options)) => {
                for (key, value) in options {
                    named.push("--option".to_owned());
                    named.push(quoted(&format!("{key}={}", scalar(value)?)));
                }
            }
            (_, Value::Bool(true)) => named.push(flag),
            (_, Value::Bool(false) | Value::Null) => {}
            (_, Value::Array(items)) if items.is_empty() => {}
            (_, Value::Array(items)) => {
                lists.push(flag);
                for item in items {
                    lists.push(quoted(&scalar(item)?));
                }
            }
            (_, value) => {
                let text = scalar(value)?;
                if text.starts_with('-') {
                    named.push(format!("{flag}={}", quoted(&text)));
                } else {
                    named.extend([flag, quoted(&text)]);
                }
            }
        }
    }
    match positional {
        // A list flag takes every word that follows, so what stands alone comes first.
        Some(text) if !text.starts_with('-') => {
            words.push(quoted(text));
            words.extend(named);
            words.extend(lists);
        }
        Some(text) => {
            words.extend(named);
            words.extend(lists);
            words.extend(["--".to_owned(), quoted(text)]);
        }
        None => {
            words.extend(named);
            words.extend(lists);
        }
    }
    Some(())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_becomes_the_command_that_does_the_same() {
        let check = |tool: &str, arguments: Value, expected: Option<&str>| {
            let command = terminal_command(tool, arguments.as_object().unwrap(), Peer::Codex);
            assert_eq!(command.as_deref(), expected, "{tool} {arguments}");
        };
        let claudes = |tool: &str, arguments: Value| {
            terminal_command(tool, arguments.as_object().unwrap(), Peer::Claude).unwrap()
        };
        assert_eq!(
            claudes("consult", json!({"prompt": "x"})),
            "crosscheck --peer claude consult x"
        );
        assert_eq!(
            claudes("dry_run", json!({"tool": "review", "arguments": {}})),
            "crosscheck --peer claude dry-run review"
        );
        assert_eq!(
            claudes("dry_run", json!({"tool": "apply", "arguments": {"id": "01k"}})),
            "crosscheck apply 01k"
        );
        assert_eq!(claudes("job", json!({"id": "01k"})), "crosscheck job 01k");
        check("job", json!({}), Some("crosscheck jobs"));
        check(
            "job",
            json!({"id": "01k", "wait_s": 30, "detail": "full"}),
            Some("crosscheck job 01k --wait-s 30 --detail full"),
        );
        check(
            "cancel",
            json!({"id": "01k", "forget": true}),
            Some("crosscheck cancel 01k --forget"),
        );
        check(
            "status",
            json!({"topic": "models"}),
            Some("crosscheck status --topic models"),
        );
        check(
            "consult",
            json!({"resume": "01k", "prompt": "Go on."}),
            Some("crosscheck consult 'Go on.' --resume 01k"),
        );
        check(
            "review",
            json!({"paths": ["a b", "c"], "scope": "staged", "options": {"untracked": "exclude"}}),
            Some("crosscheck review --scope staged --option untracked=exclude --paths 'a b' c"),
        );
        check(
            "dry_run",
            json!({"tool": "review", "arguments": {"scope": "branch", "base": "main"}}),
            Some("crosscheck dry-run review --scope branch --base main"),
        );
        check(
            "consult",
            json!({"prompt": "-x", "focus": "-y", "background": false}),
            Some("crosscheck consult --focus=-y -- -x"),
        );
        check("review", json!({"snippet": "fn a() {}"}), None);
        check("apply", json!({}), None);
        check(
            "apply",
            json!({"id": "01k", "action": "land", "token": "t", "files": ["a b"], "accept_failed_checks": true}),
            Some("crosscheck apply 01k --land --file 'a b' --accept-failed-checks"),
        );
        check(
            "apply",
            json!({"id": "01k", "action": "undo"}),
            Some("crosscheck undo 01k"),
        );
        check(
            "apply",
            json!({"id": "01k", "action": "branch", "branch": "b"}),
            Some("crosscheck apply 01k --branch b"),
        );
        check(
            "dry_run",
            json!({"tool": "apply", "arguments": {"id": "01k", "action": "preview", "workspace": "/w"}}),
            Some("crosscheck apply 01k --workspace /w"),
        );
    }
}
