//! How Claude Code takes over a conversation: a record of a session, as it writes them itself.
//!
//! It has no request for that. A file in the folder of the project is a session of its to `claude --resume ID`, from that
//! project alone. Seen with 2.1.197 and 2.1.329; `a_thread_of_codex_goes_on_in_claude` pins it.

use serde_json::json;

use crate::domain::request::ThreadId;
use crate::peer::conversation::{Conversation, Message, Speaker};

/// Returns the lines of a record. `directory` is the folder that it was about, `version` the one that goes on with it, and
/// `now` stands where a message has no time.
pub fn record(
    conversation: &Conversation,
    session: &ThreadId,
    directory: &str,
    version: &str,
    now: &str,
) -> String {
    // At the beginning: after a last word of a person's, Claude Code puts an answer of its own (seen with 2.1.329).
    let note = Message {
        speaker: Speaker::Person,
        at: None,
        text: conversation.note("Codex"),
    };
    let session = session.as_str();
    let mut lines = String::new();
    let mut parent: Option<ThreadId> = None;
    for (at, message) in [&note].into_iter().chain(&conversation.messages).enumerate() {
        let id = ThreadId::of(&format!("line {at} of {session}"));
        let said = match message.speaker {
            Speaker::Person => json!({"role": "user", "content": message.text}),
            Speaker::Agent => json!({
                "id": format!("msg_{}", id.as_str().replace('-', "")),
                "type": "message",
                "role": "assistant",
                // No model of the service: what is marked so is never counted or billed as an answer of one.
                "model": "<synthetic>",
                "content": [{"type": "text", "text": message.text}],
                "stop_reason": "end_turn",
                "stop_sequence": null,
                "usage": {"input_tokens": 0, "output_tokens": 0},
            }),
        };
        let line = json!({
            "parentUuid": parent.as_ref().map(ThreadId::as_str),
            "isSidechain": false,
            "userType": "external",
            "cwd": directory,
            "sessionId": session,
            "version": version,
            "type": message.speaker.as_str(),
            "message": said,
            "uuid": id.as_str(),
            "timestamp": message.at.as_deref().unwrap_or(now),
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
        parent = Some(id);
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_record_is_a_chain_that_is_read_back_as_it_was_said() {
        let said = |speaker, text: &str| Message {
            speaker,
            at: None,
            text: text.to_owned(),
        };
        let conversation = Conversation {
            messages: vec![said(Speaker::Person, "One?"), said(Speaker::Agent, "Two.")],
            left_out: 3,
        };
        let session = ThreadId::of("a test");
        let text = record(&conversation, &session, "/w", "2.1.329", "now");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["parentUuid"], Value::Null);
        for pair in lines.windows(2) {
            assert_eq!(pair[1]["parentUuid"], pair[0]["uuid"]);
        }
        let read = Conversation::parse(text.as_bytes());
        let words: Vec<&str> = read
            .messages
            .iter()
            .map(|message| message.text.as_str())
            .collect();
        assert_eq!(&words[1..], ["One?", "Two."]);
        assert!(
            words[0].contains("held with Codex") && words[0].contains("3 earlier messages"),
            "{words:?}"
        );
    }
}
