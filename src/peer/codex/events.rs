//! Reads codex's event stream: one JSON object a line.
//!
//! Lenient on purpose: an unknown event is kept and counted, a broken line is counted, nothing here is fatal.

use serde_json::Value;

use crate::domain::envelope::Usage;
use crate::peer::event::Event;

/// Reads one line. `None` for a line that is not a JSON object with a type.
///
/// A `web_search` item carries the key `id` twice (seen with codex-cli 0.169.0), which a derived struct refuses and a
/// `Value` accepts; `a_duplicate_key_is_no_error` pins it.
pub fn parse_line(line: &[u8]) -> Option<Event> {
    let mut value: Value = serde_json::from_slice(line).ok()?;
    let kind = value.get("type")?.as_str()?.to_owned();
    Some(match kind.as_str() {
        "thread.started" => Event::ThreadStarted {
            thread: text(&value, "thread_id"),
        },
        "turn.started" => Event::TurnStarted,
        "turn.completed" => Event::TurnCompleted {
            thread_usage: value.get("usage").and_then(usage),
        },
        "turn.failed" => Event::TurnFailed {
            message: value
                .get("error")
                .map(|error| text(error, "message"))
                .unwrap_or_default(),
        },
        // Mostly not fatal: the fatal one is repeated in `turn.failed` (seen with codex-cli 0.169.0).
        "error" => Event::Retrying {
            reason: text(&value, "message"),
        },
        "item.started" => item(value.get_mut("item")?, false),
        "item.completed" => item(value.get_mut("item")?, true),
        "item.updated" => {
            return Some(Event::Unknown {
                kind: "item.updated".to_owned(),
            });
        }
        other => Event::Unknown {
            kind: other.to_owned(),
        },
    })
}

fn item(item: &mut Value, completed: bool) -> Event {
    let kind = text(item, "type");
    match (kind.as_str(), completed) {
        ("agent_message", true) => Event::Message {
            text: take_text(item, "text"),
        },
        ("reasoning", true) => Event::Thinking {
            text: take_text(item, "text"),
        },
        ("command_execution", false) => Event::CommandStarted {
            command: command(item),
        },
        ("command_execution", true) => Event::CommandEnded {
            command: command(item),
            exit_code: item.get("exit_code").and_then(Value::as_i64),
            output: take_text(item, "aggregated_output"),
        },
        ("file_change", true) => {
            let change = item.get("changes").and_then(|changes| changes.get(0));
            Event::FileChanged {
                path: change.map(|change| text(change, "path")).unwrap_or_default(),
                kind: change.map(|change| text(change, "kind")).unwrap_or_default(),
            }
        }
        ("mcp_tool_call", false) => Event::ToolCalled {
            tool: format!("{}/{}", text(item, "server"), text(item, "tool")),
        },
        ("web_search", true) => Event::Searched {
            query: text(item, "query"),
        },
        ("error", true) => Event::Warning {
            text: text(item, "message"),
        },
        _ => Event::Unknown {
            kind: format!("{}{kind}", if completed { "completed " } else { "started " }),
        },
    }
}

/// Unwraps the shell that codex puts around a command: `/bin/bash -lc 'ls -l'` is shown as `ls -l`.
fn command(item: &Value) -> String {
    let whole = text(item, "command");
    let inner = [
        "/bin/bash -lc ",
        "bash -lc ",
        "/bin/bash -c ",
        "/bin/sh -c ",
        "/bin/zsh -lc ",
    ]
    .iter()
    .find_map(|shell| whole.strip_prefix(shell));
    match inner {
        Some(quoted) => match quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Some(bare) if !bare.contains('\'') => bare.to_owned(),
            _ => quoted.to_owned(),
        },
        None => whole,
    }
}

fn usage(value: &Value) -> Option<Usage> {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    Some(Usage {
        input: count("input_tokens")?,
        cached: count("cached_input_tokens").unwrap_or(0),
        output: count("output_tokens")?,
    })
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Takes a text out of an object without copying it: it may have megabytes.
fn take_text(value: &mut Value, name: &str) -> String {
    match value.get_mut(name).map(Value::take) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &str, expected: impl Into<Option<Event>>) {
        assert_eq!(parse_line(line.as_bytes()), expected.into(), "{line}");
    }

    #[test]
    fn the_stream_of_codex_is_read() {
        check(
            r#"{"type":"thread.started","thread_id":"019a"}"#,
            Some(Event::ThreadStarted {
                thread: "019a".into(),
            }),
        );
        check(
            r#"{"type":"turn.completed","usage":{"input_tokens":120,"cached_input_tokens":20,"output_tokens":30,"reasoning_output_tokens":10}}"#,
            Some(Event::TurnCompleted {
                thread_usage: Some(Usage {
                    input: 120,
                    cached: 20,
                    output: 30,
                }),
            }),
        );
        check(
            r#"{"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"/bin/bash -lc 'ls -l'","aggregated_output":"x\n","exit_code":0,"status":"completed"}}"#,
            Some(Event::CommandEnded {
                command: "ls -l".into(),
                exit_code: Some(0),
                output: "x\n".into(),
            }),
        );
        check(
            r#"{"type":"turn.failed","error":{"message":"no"}}"#,
            Some(Event::TurnFailed { message: "no".into() }),
        );
        check(
            r#"{"type":"item.completed","item":{"type":"agent_message","text":"hi"}}"#,
            Some(Event::Message { text: "hi".into() }),
        );
        check(
            r#"{"type":"from.the.future","x":1}"#,
            Some(Event::Unknown {
                kind: "from.the.future".into(),
            }),
        );
        check("Reading prompt from stdin...", None);
        check("[1]", None);
    }

    #[test]
    fn a_duplicate_key_is_no_error() {
        check(
            r#"{"type":"item.completed","item":{"id":"item_0","type":"web_search","id":"ws_1","query":"q"}}"#,
            Some(Event::Searched { query: "q".into() }),
        );
    }

    proptest! {
        #[test]
        fn no_line_is_fatal(line in any::<Vec<u8>>()) {
            let _ = parse_line(&line);
        }
    }
}
