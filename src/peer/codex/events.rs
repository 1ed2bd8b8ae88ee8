//! Reads codex's event stream: one JSON object a line.
//!
//! Lenient on purpose: an unknown event is kept and counted, a broken line is counted, nothing here is fatal.

use crate::domain::usage::Usage;
use crate::peer::codex::node::Node;
use crate::peer::event::Event;

/// Reads one line. `None` for a line that is not a JSON object with a type.
///
/// A `web_search` item carries the key `id` twice (seen with codex-cli 0.169.0), which a derived struct may refuse and
/// `Node` accepts; `a_duplicate_key_is_no_error` pins it.
pub fn parse_line(line: &[u8]) -> Option<Event> {
    let mut value = Node::parse(line)?;
    let kind = value.take_text("type")?;
    Some(match kind.as_ref() {
        "thread.started" => match value.take_text("thread_id").filter(|id| is_thread(id)) {
            Some(thread) => Event::ThreadStarted {
                thread: thread.into_owned(),
            },
            // It is named in a log and given back to codex: what could be anything else is not taken for one.
            None => Event::unknown("thread.started without an id"),
        },
        "turn.started" => Event::TurnStarted,
        "turn.completed" => Event::TurnCompleted {
            thread_usage: value.take("usage").and_then(|value| usage(&value)),
        },
        "turn.failed" => Event::TurnFailed {
            message: value
                .take("error")
                .map(|mut error| text(&mut error, "message"))
                .unwrap_or_default(),
        },
        // Mostly not fatal: the fatal one is repeated in `turn.failed` (seen with codex-cli 0.169.0).
        "error" => Event::Retrying {
            reason: text(&mut value, "message"),
        },
        "item.started" => item(&mut value.take("item")?, false),
        "item.completed" => item(&mut value.take("item")?, true),
        "item.updated" => Event::unknown("item.updated"),
        other => Event::unknown(other),
    })
}

/// Tells whether a text is an id and nothing else, whatever form later versions give it.
fn is_thread(id: &str) -> bool {
    (1..=100).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn item(item: &mut Node<'_>, completed: bool) -> Event {
    let kind = item.take_text("type").unwrap_or_default();
    match (kind.as_ref(), completed) {
        ("agent_message", true) => Event::Message {
            text: text(item, "text"),
        },
        ("reasoning", true) => Event::Thinking {
            text: text(item, "text"),
        },
        ("command_execution", false) => Event::CommandStarted {
            command: command(item),
        },
        ("command_execution", true) => Event::CommandEnded {
            command: command(item),
            exit_code: item.take("exit_code").and_then(|code| code.as_i64()),
            output: text(item, "aggregated_output"),
        },
        ("file_change", true) => {
            let mut change = item.take("changes").unwrap_or_default();
            Event::FileChanged {
                path: text(&mut change, "path"),
                kind: text(&mut change, "kind"),
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
        (kind, _) => Event::unknown(&format!(
            "{}{kind}",
            if completed { "completed " } else { "started " }
        )),
    }
}

/// Unwraps the shell that codex puts around a command: `/bin/bash -lc 'ls -l'` is shown as `ls -l`.
fn command(item: &mut Node<'_>) -> String {
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

fn usage(value: &Node<'_>) -> Option<Usage> {
    let count = |name: &str| value.get(name).and_then(Node::as_u64);
    Some(Usage {
        input: count("input_tokens")?,
        cached: count("cached_input_tokens").unwrap_or(0),
        output: count("output_tokens")?,
    })
}

fn text(value: &mut Node<'_>, name: &str) -> String {
    value.take_text(name).unwrap_or_default().into_owned()
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
        check(
            r#"{"type":"item.completed","item":{"type":"file_change","changes":[{"path":"a","kind":"add"},{"path":"b","kind":"add"}]}}"#,
            Some(Event::FileChanged {
                path: "a".into(),
                kind: "add".into(),
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

    #[test]
    fn what_is_no_thread_id_is_not_taken_for_one() {
        let unknown = Event::Unknown {
            kind: "thread.started without an id".into(),
        };
        for id in ["\"\"", "\"--yolo x\"", "\"a\\u001b[2J\"", "7", "[\"a\"]"] {
            let line = format!(r#"{{"type":"thread.started","thread_id":{id}}}"#);
            check(&line, Some(unknown.clone()));
        }
    }

    #[test]
    fn wrong_types_are_absent_values() {
        check(
            r#"{"type":"item.completed","item":{"type":"agent_message","text":["a"]}}"#,
            Some(Event::Message { text: String::new() }),
        );
        check(
            r#"{"type":"turn.completed","usage":"all of it"}"#,
            Some(Event::TurnCompleted { thread_usage: None }),
        );
        check(r#"{"type":7}"#, None);
        check(
            r#"{"type":"item.completed","item":[]}"#,
            Some(Event::unknown("completed ")),
        );
    }

    proptest! {
        #[test]
        fn no_line_is_fatal(line in any::<Vec<u8>>()) {
            let _ = parse_line(&line);
        }
    }
}
