//! A conversation that is handed over: what was said, within bounds; Claude Code's as it lies on disk, and as codex takes one
//! over. How codex keeps one is in `codex::spoken`, and how Claude Code takes one over in `claude::session`.
//!
//! What people and the agent wrote is kept. What tools were given and what they returned is not, nor what the host added: it is
//! most of the bytes, and none of it was said to anybody. Lenient: a line that is not understood is passed over.
//!
//! Seen with Claude Code 2.1.197 and 2.1.329: one JSON object in a line, `type` user or assistant, `message.content` a text or
//! blocks, `isMeta` and `isSidechain` for what was not said in this conversation.

use std::fmt::Write;

use serde_json::{Value, json};

/// Bytes of one message; the rest of a longer one is left out, and it says so.
const MESSAGE_BYTES: usize = 40 * 1024;
/// Bytes of all of them: about a hundred thousand tokens, which a model still reads whole. The newest are kept.
const WHOLE_BYTES: usize = 400 * 1024;
/// How texts begin that the host puts into a person's mouth.
const HOSTS_OWN: [&str; 5] = [
    "<system-reminder>",
    "<command-",
    "<local-command-",
    "<task-notification>",
    "Caveat: The messages below",
];

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The person.
    Person,
    /// The agent.
    Agent,
}

impl Speaker {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Person => "user",
            Self::Agent => "assistant",
        }
    }
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub speaker: Speaker,
    /// When, as the file has it.
    pub at: Option<String>,
    /// The words.
    pub text: String,
}

/// A conversation within its bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// What was said, in its order.
    pub messages: Vec<Message>,
    /// Older messages that were left out.
    pub left_out: usize,
}

impl Conversation {
    /// Reads the bytes of a transcript.
    pub fn parse(bytes: &[u8]) -> Self {
        let said = bytes.split(|byte| *byte == b'\n').filter_map(message);
        Self {
            messages: said.collect(),
            left_out: 0,
        }
    }

    /// Keeps the newest messages within the bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for message in &mut self.messages {
            shorten(&mut message.text);
        }
        let mut bytes = 0;
        let kept = self.messages.iter().rev().take_while(|message| {
            bytes += message.text.len();
            bytes <= WHOLE_BYTES
        });
        let drop = self.messages.len() - kept.count();
        self.messages.drain(..drop);
        self.left_out += drop;
        self
    }

    /// Returns how many bytes were said.
    pub fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.text.len()).sum()
    }

    /// Writes it in the form in which codex takes one over: a transcript with nothing else in it. `session` is a UUID,
    /// `directory` the folder that it was about, and `now` stands where a message has no time.
    pub fn transcript(&self, session: &str, directory: &str, now: &str) -> String {
        let mut lines = String::new();
        let note = Message {
            speaker: Speaker::Person,
            at: None,
            text: self.note("Claude Code"),
        };
        for (at, message) in self.messages.iter().chain([&note]).enumerate() {
            let content = match message.speaker {
                Speaker::Person => json!(message.text),
                Speaker::Agent => json!([{"type": "text", "text": message.text}]),
            };
            let parent = at.checked_sub(1).map(|before| format!("{session}-{before}"));
            let line = json!({
                "parentUuid": parent,
                "isSidechain": false,
                "type": message.speaker.as_str(),
                "message": {"role": message.speaker.as_str(), "content": content},
                "uuid": format!("{session}-{at}"),
                "timestamp": message.at.as_deref().unwrap_or(now),
                "cwd": directory,
                "sessionId": session,
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        lines
    }

    /// Returns what is said at its end to whoever goes on with it.
    pub(super) fn note(&self, held_with: &str) -> String {
        let earlier = match self.left_out {
            0 => String::new(),
            count => format!(" {count} earlier messages are left out."),
        };
        format!(
            "[This conversation was held with {held_with} and handed over. What tools were given and returned is left out, and \
             values that look like secrets are masked.{earlier} Look at the files as they are now before you build on it.]"
        )
    }
}

fn message(line: &[u8]) -> Option<Message> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let speaker = match value.get("type")?.as_str()? {
        "user" => Speaker::Person,
        "assistant" => Speaker::Agent,
        _ => return None,
    };
    if ["isMeta", "isSidechain"].iter().any(|name| value[*name] == true) {
        return None;
    }
    let content = value.pointer("/message/content")?;
    let texts: Vec<&str> = match content {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks
            .iter()
            .filter(|block| block["type"] == "text")
            .filter_map(|block| block["text"].as_str())
            .collect(),
        _ => return None,
    };
    let said: Vec<&str> = texts
        .into_iter()
        .map(str::trim)
        .filter(|text| !text.is_empty() && !HOSTS_OWN.iter().any(|own| text.starts_with(own)))
        .collect();
    (!said.is_empty()).then(|| Message {
        speaker,
        at: value.get("timestamp").and_then(Value::as_str).map(str::to_owned),
        text: said.join("\n\n"),
    })
}

fn shorten(text: &mut String) {
    if text.len() <= MESSAGE_BYTES {
        return;
    }
    let mut end = MESSAGE_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let left_out = text.len() - end;
    text.truncate(end);
    // Writing into a text cannot fail.
    let _ = write!(text, "\n[{left_out} bytes left out]");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(lines: &[Value]) -> Vec<(Speaker, String)> {
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        let conversation = Conversation::parse(text.join("\n").as_bytes());
        conversation
            .messages
            .into_iter()
            .map(|message| (message.speaker, message.text))
            .collect()
    }

    #[test]
    fn what_was_said_is_kept_and_nothing_else() {
        let user = |content: Value| json!({"type": "user", "message": {"role": "user", "content": content}});
        let claude = |content: Value| json!({"type": "assistant", "message": {"role": "assistant", "content": content}});
        let check = |line: Value, expected: Option<(Speaker, &str)>| {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(who, text)| (who, text.to_owned()))
                .collect();
            assert_eq!(said(std::slice::from_ref(&line)), expected, "{line}");
        };
        check(user(json!("Look at it")), Some((Speaker::Person, "Look at it")));
        check(
            user(json!([{"type": "text", "text": "Look"}])),
            Some((Speaker::Person, "Look")),
        );
        check(
            user(json!([{"type": "tool_result", "content": "secret file"}])),
            None,
        );
        check(user(json!("<system-reminder>\nx")), None);
        check(
            user(json!("<command-message>codex:transfer</command-message>")),
            None,
        );
        let thought = json!([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Done."},
            {"type": "tool_use", "name": "Bash", "input": {"command": "cat .env"}}]);
        check(claude(thought), Some((Speaker::Agent, "Done.")));
        let mut meta = user(json!("The body of a command"));
        meta["isMeta"] = json!(true);
        check(meta, None);
        check(json!({"type": "queue-operation", "content": "x"}), None);
        check(json!({"type": "user"}), None);
        check(json!([1]), None);
    }

    #[test]
    fn the_newest_messages_are_kept_and_a_long_one_is_cut() {
        let line = |text: &str| json!({"type": "user", "message": {"content": text}}).to_string();
        let long = "é".repeat(MESSAGE_BYTES);
        let lines: Vec<String> = (0..20).map(|at| line(&format!("{at} {long}"))).collect();
        let conversation = Conversation::parse(lines.join("\n").as_bytes()).bounded();
        assert!(conversation.bytes() <= WHOLE_BYTES);
        assert_eq!(conversation.messages.len() + conversation.left_out, 20);
        let last = &conversation.messages.last().unwrap().text;
        assert!(last.starts_with("19 ") && last.ends_with("bytes left out]"));
        let told = conversation.transcript("id", "/work", "now");
        assert!(told.contains(&format!(
            "{} earlier messages are left out",
            conversation.left_out
        )));
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_is_read_and_bounded(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            let line = json!({"type": "assistant", "message": {"content": text}}).to_string();
            let whole = [&bytes[..], b"\n", line.as_bytes()].concat();
            let conversation = Conversation::parse(&whole).bounded();
            let again = Conversation::parse(conversation.transcript("id", "/w", "t").as_bytes());
            prop_assert_eq!(again.messages.len(), conversation.messages.len() + 1);
        }
    }
}
