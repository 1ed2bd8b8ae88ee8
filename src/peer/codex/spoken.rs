//! What was said in a thread of codex's, from its own record of it.
//!
//! What the person and codex wrote is kept. What commands were given and what they returned is not, nor what codex puts
//! before a prompt: its instructions, the surroundings, a project's guidance. Lenient: a line that is not understood is passed
//! over. Seen with codex-cli 0.169.0; `a_thread_of_codex_goes_on_in_claude` pins it.

use serde_json::Value;

use crate::peer::conversation::{Conversation, Message, Speaker};

/// How texts begin that codex puts into a person's mouth.
const HOSTS_OWN: [&str; 8] = [
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<hook_prompt",
    "<turn_aborted>",
    "<user_shell_command>",
    "<skill>",
    "<subagent_notification>",
];

/// Reads the bytes of a record.
pub fn conversation(bytes: &[u8]) -> Conversation {
    let said = bytes.split(|byte| *byte == b'\n').filter_map(message);
    Conversation {
        messages: said.collect(),
        left_out: 0,
    }
}

/// Returns the thread and the folder that a record is about, from its first line.
pub fn about(first_line: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(first_line).ok()?;
    if value["type"] != "session_meta" {
        return None;
    }
    let payload = &value["payload"];
    Some((
        payload["id"].as_str()?.to_owned(),
        payload["cwd"].as_str()?.to_owned(),
    ))
}

fn message(line: &[u8]) -> Option<Message> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let payload = value.get("payload")?;
    if value["type"] != "response_item" || payload["type"] != "message" {
        return None;
    }
    let speaker = match payload["role"].as_str()? {
        "user" => Speaker::Person,
        "assistant" => Speaker::Agent,
        _ => return None,
    };
    let blocks = payload["content"].as_array()?;
    let said: Vec<&str> = blocks
        .iter()
        .filter(|block| block["type"] == "input_text" || block["type"] == "output_text")
        .filter_map(|block| block["text"].as_str())
        .map(str::trim)
        .filter(|text| !text.is_empty() && !HOSTS_OWN.iter().any(|own| text.starts_with(own)))
        .collect();
    (!said.is_empty()).then(|| Message {
        speaker,
        at: value["timestamp"].as_str().map(str::to_owned),
        text: said.join("\n\n"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_said_is_kept_and_nothing_else() {
        let item = |role: &str, kind: &str, text: &str| {
            json!({"timestamp": "t", "type": "response_item", "payload": {"type": "message", "role": role,
                "content": [{"type": kind, "text": text}]}})
        };
        let check = |line: Value, expected: Option<(Speaker, &str)>| {
            let said = conversation(line.to_string().as_bytes()).messages;
            let said = said
                .first()
                .map(|message| (message.speaker, message.text.as_str()));
            assert_eq!(said, expected, "{line}");
        };
        check(
            item("user", "input_text", "Look\n"),
            Some((Speaker::Person, "Look")),
        );
        check(
            item("assistant", "output_text", "Done."),
            Some((Speaker::Agent, "Done.")),
        );
        check(item("developer", "input_text", "Be good."), None);
        check(
            item("user", "input_text", "<environment_context>\n <cwd>/w</cwd>"),
            None,
        );
        check(
            item("user", "input_text", "# AGENTS.md instructions for /w"),
            None,
        );
        check(item("user", "input_image", "x"), None);
        check(
            json!({"type": "response_item", "payload": {"type": "function_call_output", "output": "a file"}}),
            None,
        );
        check(
            json!({"type": "event_msg", "payload": {"type": "message", "role": "user"}}),
            None,
        );
        check(json!([]), None);
    }

    #[test]
    fn a_record_says_what_it_is_about() {
        let meta = json!({"type": "session_meta", "payload": {"id": "x", "cwd": "/w"}});
        assert_eq!(
            about(meta.to_string().as_bytes()),
            Some(("x".to_owned(), "/w".to_owned()))
        );
        assert_eq!(about(b"{}"), None);
        assert_eq!(about(b""), None);
    }

    proptest! {
        #[test]
        fn whatever_a_record_holds_is_read(bytes in any::<Vec<u8>>()) {
            let _ = (conversation(&bytes), about(&bytes));
        }
    }
}
