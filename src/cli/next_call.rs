//! A tool call as the command that does the same in a terminal.

use serde_json::{Map, Value};

pub(super) use crate::domain::shell::quoted;

/// Writes a call as a shell command; `None` when no command can hold it.
pub(super) fn terminal_command(tool: &str, arguments: &Map<String, Value>) -> Option<String> {
    let mut words = vec!["crosscheck".to_owned()];
    match tool {
        "dry_run" => {
            let previewed = arguments.get("tool")?.as_str()?;
            words.push("dry-run".to_owned());
            push(&mut words, previewed, arguments.get("arguments")?.as_object()?)?;
        }
        "job" if !arguments.contains_key("id") => push(&mut words, "jobs", arguments)?,
        "status" | "consult" | "review" | "job" | "cancel" => push(&mut words, tool, arguments)?,
        _ => return None,
    }
    Some(words.join(" "))
}

fn push(words: &mut Vec<String>, command: &str, arguments: &Map<String, Value>) -> Option<()> {
    words.push(command.to_owned());
    let (mut named, mut lists, mut positional) = (Vec::new(), Vec::new(), None);
    for (name, value) in arguments {
        let flag = format!("--{}", name.replace('_', "-"));
        match (name.as_str(), value) {
            ("id" | "prompt", Value::String(text)) => positional = Some(text),
            // A snippet is a file here, and which one it was is not known.
            ("snippet", _) => return None,
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
            let command = terminal_command(tool, arguments.as_object().unwrap());
            assert_eq!(command.as_deref(), expected, "{tool} {arguments}");
        };
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
    }
}
