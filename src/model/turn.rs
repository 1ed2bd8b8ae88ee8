//! One request of a peer for the model's next answer, parsed for the script that answers it.
//!
//! Lenient: a peer's newer version may send what is not known here, and a missing member reads as empty.

use std::collections::BTreeSet;

use serde_json::Value;

/// One parsed `POST .../responses`.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    body: Value,
    /// How often this very request was seen, counted from 1: a retry has the same thread and the same items.
    pub attempt: u64,
    /// Which request for an answer this is for the server, counted from 1 over all threads.
    pub ordinal: u64,
}

impl Turn {
    /// Wraps a request's body; the server counts `attempt` and `ordinal`.
    pub fn new(body: Value, attempt: u64, ordinal: u64) -> Self {
        Self {
            body,
            attempt,
            ordinal,
        }
    }

    /// Returns the whole body.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// Returns the input items in their order; empty when there are none.
    pub fn items(&self) -> &[Value] {
        self.body
            .get("input")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Returns the model asked for; empty when none is named.
    pub fn model(&self) -> &str {
        self.body.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the thread that the request belongs to. Codex 0.169.0 uses the thread id as the cache key.
    pub fn thread(&self) -> &str {
        self.body
            .get("prompt_cache_key")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns the text of the last user message: the prompt of the turn.
    pub fn last_user_text(&self) -> String {
        self.last_user()
            .map(|position| item_text(&self.items()[position]))
            .unwrap_or_default()
    }

    /// Returns how many tool outputs came after the last user message, so 0 when the turn begins.
    pub fn step(&self) -> usize {
        let after = self.last_user().map_or(0, |position| position + 1);
        self.items()[after..]
            .iter()
            .filter(|item| is_tool_output(item))
            .count()
    }

    /// Returns how many answers of the model the thread already holds, the commentary between tool calls left out.
    pub fn answers(&self) -> usize {
        self.items().iter().filter(|item| is_answer(item)).count()
    }

    /// Returns the newest tool output.
    pub fn last_output(&self) -> Option<&Value> {
        self.items()
            .iter()
            .rev()
            .find(|item| is_tool_output(item))
            .and_then(|item| item.get("output"))
    }

    /// Returns the JSON schema that the answer must satisfy, if one was asked for.
    pub fn schema(&self) -> Option<&Value> {
        self.body.get("text")?.get("format")?.get("schema")
    }

    /// Returns the names of the offered tools; a tool without a name counts by its type.
    pub fn tool_names(&self) -> BTreeSet<&str> {
        let direct = self
            .body
            .get("tools")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        // Models that codex drives in its code mode get no `tools`: a first item of the input carries them, in
        // namespaces. Seen with codex-cli 0.169.0.
        let listed = self
            .items()
            .iter()
            .filter(|item| kind(item) == "additional_tools");
        let listed = listed
            .filter_map(|item| item.get("tools").and_then(Value::as_array))
            .flatten();
        let nested = listed.flat_map(|tool| match tool.get("tools").and_then(Value::as_array) {
            Some(inner) => inner.as_slice(),
            None => std::slice::from_ref(tool),
        });
        direct
            .chain(nested)
            .filter_map(|tool| {
                tool.get("name")
                    .or_else(|| tool.get("type"))
                    .and_then(Value::as_str)
            })
            .collect()
    }

    fn last_user(&self) -> Option<usize> {
        self.items().iter().rposition(|item| role(item) == "user")
    }
}

/// Returns the text of a message item, its parts joined by line ends; empty when it has none.
pub fn item_text(item: &Value) -> String {
    match item.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts
                .iter()
                .map(|part| part.get("text").and_then(Value::as_str).unwrap_or_default());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// Says whether `item` is what a tool returned.
pub fn is_tool_output(item: &Value) -> bool {
    matches!(
        kind(item),
        "function_call_output"
            | "custom_tool_call_output"
            | "local_shell_call_output"
            | "mcp_tool_call_output"
            | "tool_search_output"
    )
}

/// Says whether `item` is an answer of the model, and not its commentary between tool calls.
pub fn is_answer(item: &Value) -> bool {
    role(item) == "assistant" && item.get("phase").and_then(Value::as_str) != Some("commentary")
}

/// Returns the role of a message item; empty for other items.
pub fn role(item: &Value) -> &str {
    item.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn turn(body: Value) -> Turn {
        Turn::new(body, 1, 1)
    }

    #[test]
    fn the_prompt_is_the_last_user_message_and_steps_count_after_it() {
        let turn = turn(json!({"model": "m", "prompt_cache_key": "t", "input": [
            {"role": "developer", "content": "rules"},
            {"role": "user", "content": [{"type": "input_text", "text": "first"}]},
            {"type": "function_call_output", "output": "old"},
            {"role": "assistant", "content": "answer"},
            {"role": "user", "content": [{"text": "second"}, {"text": "part"}]},
            {"role": "assistant", "phase": "commentary", "content": "looking"},
            {"type": "function_call", "name": "exec_command"},
            {"type": "function_call_output", "output": "new"},
        ]}));
        assert_eq!(turn.last_user_text(), "second\npart");
        assert_eq!((turn.step(), turn.answers()), (1, 1));
        assert_eq!(turn.last_output(), Some(&json!("new")));
        assert_eq!((turn.model(), turn.thread()), ("m", "t"));
    }

    #[test]
    fn a_body_of_any_shape_reads_as_empty() {
        for body in [
            json!(null),
            json!({}),
            json!({"input": "text", "tools": 3, "text": []}),
            json!([1]),
        ] {
            let turn = turn(body);
            assert_eq!((turn.items().len(), turn.step(), turn.answers()), (0, 0, 0));
            assert_eq!((turn.last_user_text(), turn.model()), (String::new(), ""));
            assert_eq!(
                (turn.schema(), turn.last_output(), turn.tool_names().len()),
                (None, None, 0)
            );
        }
    }

    #[test]
    fn tools_are_found_in_both_places() {
        let names = |body| {
            turn(body)
                .tool_names()
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(json!({"tools": [{"name": "exec_command"}, {"type": "web_search"}]})),
            ["exec_command", "web_search"]
        );
        let lite = json!({"input": [{"type": "additional_tools", "tools": [
            {"type": "namespace", "name": "functions", "tools": [{"name": "exec"}, {"name": "wait"}]},
            {"type": "custom", "name": "alone"},
        ]}]});
        assert_eq!(names(lite), ["alone", "exec", "wait"]);
    }

    #[test]
    fn the_schema_is_the_one_of_the_text_format() {
        let turn = turn(json!({"text": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}));
        assert_eq!(turn.schema(), Some(&json!({"type": "object"})));
    }
}
