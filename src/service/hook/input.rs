//! What a host says to a hook. Lenient: a field that is missing or of another kind is absent.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::domain::job::JobId;
use crate::domain::wake::SessionName;

/// The object that a host gave.
#[derive(Debug, Default)]
pub(super) struct Input(Map<String, Value>);

impl Input {
    /// Reads it. Anything but an object is an error.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Returns the conversation.
    pub(super) fn session(&self) -> Option<SessionName> {
        self.text("session_id")?.parse().ok()
    }

    /// Returns the last part of the name of the file that changed.
    pub(super) fn file_name(&self) -> Option<&OsStr> {
        Path::new(self.text("file_path")?).file_name()
    }

    /// Tells whether that file is gone.
    pub(super) fn is_unlinked(&self) -> bool {
        self.text("event") == Some("unlink")
    }

    /// Tells whether the process goes on after this end of a conversation.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.text("reason"), Some("clear" | "resume"))
    }

    /// Returns the file of the conversation.
    pub(super) fn transcript(&self) -> Option<PathBuf> {
        Some(PathBuf::from(self.text("transcript_path")?)).filter(|path| path.is_absolute())
    }

    /// Returns what stands behind a command.
    pub(super) fn command_arguments(&self) -> Option<&str> {
        self.text("command_args")
    }

    /// Returns the host's own name of the prompt that is worked on.
    ///
    /// Claude Code gives the same one to all hooks of a prompt, those of its subagents too. Seen with 2.1.197 and 2.1.329.
    /// Codex names the turn instead, and one that a hook kept going has the same name. Seen with 0.169.0.
    pub(super) fn prompt_id(&self) -> Option<&str> {
        self.text("prompt_id").or_else(|| self.text("turn_id"))
    }

    /// Returns what was written.
    pub(super) fn prompt(&self) -> Option<&str> {
        self.text("prompt")
    }

    /// Returns the tool that is about to be called.
    pub(super) fn tool_name(&self) -> Option<&str> {
        self.text("tool_name")
    }

    /// Tells whether a hook kept the turn from ending that ends now.
    pub(super) fn is_continued(&self) -> bool {
        self.0.get("stop_hook_active").and_then(Value::as_bool) == Some(true)
    }

    /// Tells whether the host has work of its own in the background.
    pub(super) fn has_background_tasks(&self) -> bool {
        let tasks = self.0.get("background_tasks").and_then(Value::as_array);
        tasks.is_some_and(|tasks| !tasks.is_empty())
    }

    /// Returns the job or group that the answer of a tool of ours names.
    ///
    /// Claude Code gives the structured content as a string of JSON, and a list of texts where there was none. Seen with
    /// 2.1.197 and 2.1.329.
    pub(super) fn job(&self) -> Option<JobId> {
        let answer = self.0.get("tool_response")?;
        let mut texts = vec![answer];
        texts.extend(
            answer
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|block| block.get("text")),
        );
        texts.extend(answer.get("structuredContent"));
        texts.into_iter().find_map(|value| match value {
            Value::String(text) => job_of(&serde_json::from_str(text).ok()?),
            value => job_of(value),
        })
    }
}

fn job_of(answer: &Value) -> Option<JobId> {
    answer.pointer("/job/id")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ID: &str = "01m7yptqjp-t9cew2-8rhn17gx15";

    fn input(value: &Value) -> Input {
        Input::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_job_is_found_in_every_form_of_an_answer() {
        let check = |answer: Value, expected: Option<&str>| {
            let found = input(&json!({"tool_response": answer})).job();
            assert_eq!(found.as_ref().map(JobId::as_str), expected, "{answer}");
        };
        let envelope = json!({"ok": true, "job": {"id": ID}});
        check(json!(envelope.to_string()), Some(ID));
        check(envelope.clone(), Some(ID));
        check(
            json!([{"type": "text", "text": "A line."}, {"type": "text", "text": envelope.to_string()}]),
            Some(ID),
        );
        check(json!({"content": [], "structuredContent": envelope}), Some(ID));
        check(json!({"job": {"id": "../../etc"}}), None);
        check(json!({"job": ID}), None);
        check(json!("{"), None);
        check(json!(7), None);
    }

    #[test]
    fn fields_of_another_kind_are_absent() {
        let odd = input(
            &json!({"session_id": 7, "file_path": [], "event": {}, "reason": null, "tool_response": null}),
        );
        assert_eq!((odd.session(), odd.file_name(), odd.job()), (None, None, None));
        assert!(!odd.is_unlinked() && !odd.goes_on());
        assert_eq!(input(&json!({"session_id": "a b"})).session(), None);
        assert!(Input::parse(b"[]").is_err() && Input::parse(b"").is_err());
    }

    proptest! {
        #[test]
        fn whatever_a_host_says_is_read_or_refused(bytes in any::<Vec<u8>>()) {
            if let Ok(input) = Input::parse(&bytes) {
                let _ = (input.session(), input.file_name(), input.job(), input.is_unlinked());
            }
        }

        #[test]
        fn whatever_a_tool_answers_names_a_job_or_none(text in any::<String>()) {
            let _ = input(&json!({"tool_response": text, "session_id": text, "file_path": text})).job();
        }
    }
}
