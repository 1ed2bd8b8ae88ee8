//! Reads Claude Code's event stream: one JSON object a line, several of which may be about one message.
//!
//! Lenient on purpose: an unknown event is kept and counted, a broken line is counted, nothing here is fatal.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::usage::Usage;
use crate::peer::event::Event;

/// Tools whose call changes a file.
const EDITS: [&str; 3] = ["Edit", "Write", "NotebookEdit"];
/// The tool with which an answer that must fit a schema is given.
const ANSWER: &str = "StructuredOutput";

/// Reads the lines of one run in their order.
#[derive(Debug, Default)]
pub struct Reader {
    /// Tokens of the messages that are complete.
    settled: Usage,
    /// The message that is being written, with its tokens so far.
    message: Option<(String, Usage)>,
    /// The error of the last message, which is the program's own and none of the model's.
    error: Option<String>,
    /// When a used-up allowance is back, in seconds since 1970.
    back_at: Option<u64>,
    /// The last text of the model.
    said: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    error_status: Option<u64>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    event: Option<StreamEvent>,
    #[serde(default)]
    rate_limit_info: Option<Limit>,
    #[serde(default, borrow)]
    structured_output: Option<&'a RawValue>,
    #[serde(default)]
    result: Option<String>,
    #[serde(default)]
    is_error: bool,
    #[serde(default)]
    api_error_status: Option<u64>,
    #[serde(default)]
    api_error: Option<String>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    terminal_reason: Option<String>,
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default)]
    total_cost_usd: Option<f64>,
    #[serde(default)]
    model_usage_since_last_result: Option<std::collections::BTreeMap<String, ModelUsage>>,
    #[serde(default)]
    permission_denials: Vec<Denial>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    id: String,
    #[serde(default)]
    content: Vec<Block>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    thinking: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    input: Input,
}

/// What is told of a tool's call. A tool of a name that is known with arguments that are not is still a call.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    file_path: Option<String>,
    notebook_path: Option<String>,
    pattern: Option<String>,
    query: Option<String>,
    command: Option<String>,
}

#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Limit {
    #[serde(default)]
    status: String,
    #[serde(default, rename = "resetsAt")]
    resets_at: Option<u64>,
}

#[derive(Deserialize)]
struct ModelUsage {
    #[serde(default, rename = "costUSD")]
    cost: f64,
}

#[derive(Deserialize)]
struct Denial {
    #[serde(default)]
    tool_name: String,
}

/// Tokens as the service counts them: what came from a cache is told apart from the rest.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are those of the service")]
struct Counts {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let whole = counts
            .input_tokens
            .saturating_add(counts.cache_creation_input_tokens);
        Self {
            input: whole.saturating_add(counts.cache_read_input_tokens),
            cached: counts.cache_read_input_tokens,
            output: counts.output_tokens,
        }
    }
}

impl Reader {
    /// Reads one line. `None` for a line that is not a JSON object with a type.
    pub fn read(&mut self, line: &[u8]) -> Option<Vec<Event>> {
        if line.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        let line: Line<'_> = match serde_json::from_slice(line) {
            Ok(line) => line,
            // Something that is read has another type than it had: the event is there, and nothing of it is understood.
            Err(_) => return Some(vec![Event::unknown(&kind_of(line)?)]),
        };
        Some(match (line.kind.as_str(), line.subtype.as_deref()) {
            ("system", Some("init")) => begun(line.session_id),
            ("system", Some("api_retry")) => vec![retrying(&line)],
            // Parts of a message, what tools gave back, and notices that change nothing.
            ("system" | "user", _) => Vec::new(),
            ("assistant", _) => self.said(&line),
            ("stream_event", _) => self.counted(line.event),
            ("rate_limit_event", _) => {
                let limit = line.rate_limit_info.filter(|limit| limit.status == "rejected");
                self.back_at = limit.and_then(|limit| limit.resets_at).or(self.back_at);
                Vec::new()
            }
            ("result", _) => self.result(&line),
            (other, _) => vec![Event::unknown(other)],
        })
    }

    /// Reads one message of the model, or a part of one: each part comes in a line of its own, with the message's id.
    fn said(&mut self, line: &Line<'_>) -> Vec<Event> {
        let message = line
            .message
            .and_then(|raw| serde_json::from_str::<Message>(raw.get()).ok());
        let Some(message) = message else {
            return vec![Event::unknown("assistant without a message")];
        };
        if let Some(error) = &line.error {
            // These are the program's own words, which the result repeats.
            self.error = error.as_str().map(str::to_owned);
            return Vec::new();
        }
        let before = self.used();
        self.count(message.id, message.usage);
        let mut events: Vec<Event> = message
            .content
            .into_iter()
            .filter_map(|block| self.block(block))
            .collect();
        let used = self.used();
        if used.total() > before.total() {
            events.push(Event::Tokens { used });
        }
        events
    }

    fn block(&mut self, block: Block) -> Option<Event> {
        match block.kind.as_str() {
            "text" => {
                self.said.clone_from(&block.text);
                Some(Event::Message { text: block.text })
            }
            "thinking" | "redacted_thinking" => Some(Event::Thinking { text: block.thinking }),
            "tool_use" | "server_tool_use" => called(&block.name, block.input),
            other => Some(Event::unknown(other)),
        }
    }

    /// Notes the tokens of a message. What is told at its beginning has almost nothing of its output; the whole is told by
    /// an event that comes only when it is asked for.
    fn count(&mut self, id: String, usage: Option<Counts>) {
        let usage = usage.map(Usage::from).unwrap_or_default();
        match &mut self.message {
            Some((known, counted)) if *known == id => {
                counted.input = counted.input.max(usage.input);
                counted.cached = counted.cached.max(usage.cached);
                counted.output = counted.output.max(usage.output);
            }
            other => {
                if let Some((_, counted)) = other.replace((id, usage)) {
                    self.settled = counted.after(self.settled);
                }
            }
        }
    }

    fn counted(&mut self, event: Option<StreamEvent>) -> Vec<Event> {
        let counts = event
            .filter(|event| event.kind == "message_delta")
            .and_then(|event| event.usage);
        let (Some(counts), Some((_, counted))) = (counts, &mut self.message) else {
            return Vec::new();
        };
        counted.output = counted.output.max(counts.output_tokens);
        vec![Event::Tokens { used: self.used() }]
    }

    fn used(&self) -> Usage {
        match &self.message {
            Some((_, counted)) => counted.after(self.settled),
            None => self.settled,
        }
    }

    /// Reads the last line. `subtype` proves nothing: a run that is not logged in ends with `success` (seen with 2.1.197).
    fn result(&mut self, line: &Line<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let told = line.usage.map(Usage::from).unwrap_or_default();
        let used = self.used();
        // A run that was ended early tells less than it had used.
        let used = if told.total() >= used.total() { told } else { used };
        if used.total() > 0 {
            events.push(Event::Tokens { used });
        }
        if let Some(usd) = cost(line) {
            events.push(Event::Cost { usd });
        }
        if !line.permission_denials.is_empty() {
            events.push(denied(&line.permission_denials));
        }
        if line.is_error {
            events.push(Event::TurnFailed {
                message: self.failure(line),
            });
            return events;
        }
        let answer = match line.structured_output {
            Some(value) => Some(value.get().to_owned()),
            None => line
                .result
                .clone()
                .filter(|text| !text.is_empty() && *text != self.said),
        };
        events.extend(answer.map(|text| Event::Message { text }));
        events.push(Event::TurnCompleted { thread_usage: None });
        events
    }

    /// Says in one line why a run failed: the name of the error, its HTTP status and when it is over, as far as they are
    /// told, and then the program's own words.
    fn failure(&self, line: &Line<'_>) -> String {
        let name = match (
            line.stop_reason.as_deref(),
            line.terminal_reason.as_deref(),
            line.subtype.as_deref(),
        ) {
            (Some("refusal"), ..) => "refusal",
            (_, Some("prompt_too_long"), _) => "prompt_too_long",
            (_, _, Some(subtype)) if subtype != "success" => subtype,
            _ => match (line.api_error.as_deref(), &self.error) {
                (Some("connection_failed"), _) => "connection_failed",
                (_, Some(error)) => error,
                _ => "unknown",
            },
        };
        let mut text = name.to_owned();
        if let Some(status) = line.api_error_status {
            let _ = write!(text, " {status}");
        }
        if let Some(at) = self.back_at {
            let _ = write!(text, " until {at}");
        }
        let words = line.result.clone().unwrap_or_else(|| line.errors.join("; "));
        let _ = write!(text, ": {words}");
        text
    }
}

fn begun(session: Option<String>) -> Vec<Event> {
    let thread = session.filter(|id| is_thread(id));
    let started = match thread {
        Some(thread) => Event::ThreadStarted { thread },
        None => Event::unknown("init without a session"),
    };
    vec![started, Event::TurnStarted]
}

/// The cost of this run. Newer versions tell the cost of the whole thread as the total and this run's by model (seen with
/// 2.1.329); older ones have only the total, which is this run's (seen with 2.1.197).
fn cost(line: &Line<'_>) -> Option<f64> {
    let usd = match &line.model_usage_since_last_result {
        Some(models) => models.values().map(|model| model.cost).sum(),
        None => line.total_cost_usd?,
    };
    (usd.is_finite() && usd > 0.0).then_some(usd)
}

fn denied(denials: &[Denial]) -> Event {
    let mut tools: Vec<&str> = denials.iter().map(|denial| denial.tool_name.as_str()).collect();
    tools.sort_unstable();
    tools.dedup();
    tools.truncate(10);
    Event::Warning {
        text: format!(
            "claude was not allowed {} calls of tools: {}",
            denials.len(),
            tools.join(", ")
        ),
    }
}

fn called(name: &str, input: Input) -> Option<Event> {
    let file = input.file_path.or(input.notebook_path);
    Some(match (name, file) {
        (ANSWER, _) => return None,
        (name, Some(path)) if EDITS.contains(&name) => Event::FileChanged {
            path,
            kind: if name == "Write" { "write" } else { "update" }.to_owned(),
        },
        ("WebSearch" | "web_search", _) => Event::Searched {
            query: input.query.unwrap_or_default(),
        },
        ("Bash", _) => Event::CommandStarted {
            command: input.command.unwrap_or_default(),
        },
        (name, file) => Event::ToolCalled {
            tool: match file.or(input.pattern) {
                Some(about) => format!("{name} {about}"),
                None => name.to_owned(),
            },
        },
    })
}

fn retrying(line: &Line<'_>) -> Event {
    let error = line.error.as_ref().and_then(Value::as_str).unwrap_or("unknown");
    let reason = match line.error_status {
        Some(status) => format!("{error} ({status})"),
        None => format!("{error}: the service cannot be reached"),
    };
    Event::Retrying { reason }
}

fn kind_of(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_slice::<Kind>(line).ok().map(|line| line.kind)
}

/// Tells whether a text is an id and nothing else: it is named in a log and given back to the program.
fn is_thread(id: &str) -> bool {
    (1..=100).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
