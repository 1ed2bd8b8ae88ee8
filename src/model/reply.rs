//! What a script wants the model server to do, as data.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// The answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A stream of events with extra response `headers`. It ends in order unless a step closes the connection.
    Stream {
        /// Extra response headers.
        headers: Vec<(String, String)>,
        /// What to send, in this order.
        steps: Vec<Step>,
    },
    /// A plain HTTP response.
    Http(HttpReply),
    /// Nothing, not even response headers, until the client goes away or the server ends.
    Silence,
}

impl Reply {
    /// Returns a stream of `steps` without extra headers.
    pub fn stream(steps: impl Into<Vec<Step>>) -> Self {
        Self::Stream {
            headers: Vec::new(),
            steps: steps.into(),
        }
    }

    /// Returns a whole turn that answers `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::stream([
            Step::Message(Message::new(text)),
            Step::Completed(Usage::default()),
        ])
    }
}

/// A plain HTTP response.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// Extra headers; `content-type` is `application/json` unless one of them says otherwise.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl HttpReply {
    /// Returns a JSON response.
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    /// Returns an error in the shape of the Responses API; `fields` add to or replace `type`, `param` and `code`.
    pub fn error(status: u16, message: &str, fields: &[(&str, &str)]) -> Self {
        let mut error =
            json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
        for (name, value) in fields {
            error[*name] = json!(value);
        }
        Self::json(status, &json!({ "error": error }))
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// One thing to do in a stream. Every step but [`Step::Sleep`] and [`Step::Close`] first announces the response.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Announces the response and nothing else.
    Start,
    /// A whole message of the assistant.
    Message(Message),
    /// A message that begins with these pieces and never ends.
    Unfinished(Vec<String>),
    /// A whole output item as it is.
    Item(Value),
    /// A call of the function tool `name`.
    Call {
        /// The tool's name.
        name: String,
        /// The arguments, before they are encoded.
        arguments: Value,
    },
    /// A call of a custom tool, whose input is text.
    Custom {
        /// The tool's name.
        name: String,
        /// The input.
        input: String,
    },
    /// A shell command, through whichever tool the request offers.
    Shell(Shell),
    /// A patch in the `apply_patch` format, through whichever tool the request offers.
    Patch(String),
    /// The end of a turn that succeeded.
    Completed(Usage),
    /// The end of a turn that failed.
    Failed {
        /// The error's code, such as `server_error`.
        code: String,
        /// What went wrong.
        message: String,
    },
    /// The end of a turn that was cut off for `reason`, such as `max_output_tokens`.
    Incomplete {
        /// Why it ended early.
        reason: String,
    },
    /// Waits before the next step.
    Sleep(Duration),
    /// Closes the connection at once; later steps are not done.
    Close(Close),
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The orderly way of TCP (FIN), in the middle of the body.
    Finish,
    /// A reset (RST).
    Reset,
}

/// A message of the assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The whole text.
    pub text: String,
    /// `commentary` or `final_answer`, when the model says which.
    pub phase: Option<String>,
    /// The pieces in which the text is streamed; none means the whole text in one piece.
    pub deltas: Vec<String>,
    /// How long to wait before each piece.
    pub pause: Duration,
}

impl Message {
    /// Returns a message that is streamed in one piece.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            phase: None,
            deltas: Vec::new(),
            pause: Duration::ZERO,
        }
    }

    /// Returns a remark between tool calls, which is not the turn's answer.
    pub fn commentary(text: impl Into<String>) -> Self {
        Self {
            phase: Some("commentary".to_owned()),
            ..Self::new(text)
        }
    }

    /// Returns a message that is streamed in `deltas`, with a `pause` before each.
    pub fn in_pieces(deltas: Vec<String>, pause: Duration) -> Self {
        Self {
            text: deltas.concat(),
            phase: None,
            deltas,
            pause,
        }
    }
}

/// A shell command that the model runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Shell {
    /// The command line for a shell.
    pub command: String,
    /// More arguments of the tool, such as `yield_time_ms`.
    pub extra: Map<String, Value>,
}

impl Shell {
    /// Returns a command without further arguments.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            extra: Map::new(),
        }
    }
}

/// What a turn cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Of these, tokens that the cache held.
    pub cached: u64,
    /// Tokens written, those of the reasoning included.
    pub output: u64,
    /// Of these, tokens of the reasoning.
    pub reasoning: u64,
}

/// Figures that differ from each other and from 0, so that a mix-up shows.
impl Default for Usage {
    fn default() -> Self {
        Self {
            input: 120,
            cached: 20,
            output: 30,
            reasoning: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_shape_of_the_api_and_takes_further_fields() {
        let reply =
            HttpReply::error(401, "no key", &[("code", "invalid_api_key")]).with_header("retry-after", "3");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            body,
            json!({"error": {"message": "no key", "type": "invalid_request_error", "param": null,
                             "code": "invalid_api_key"}})
        );
        assert_eq!(reply.headers, [("retry-after".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn pieces_make_the_text() {
        let message = Message::in_pieces(vec!["a".to_owned(), "b".to_owned()], Duration::ZERO);
        assert_eq!(message.text, "ab");
    }
}
