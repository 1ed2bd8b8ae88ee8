//! The behaviours of a model that the tests need, good and bad, chosen by name.
//!
//! A name with options comes from a marker in the turn's prompt, `[[fake:NAME key=value key="quoted value"]]`, or else
//! from the script itself. A marker is spent once the model has answered: the next prompt of the thread follows the
//! script's own choice again, so a bad answer can be followed by a good one in the turn that repairs it.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crosscheck::model::schema_instance::instance;
use crosscheck::model::turn::{is_answer, is_tool_output, item_text, role};
use crosscheck::model::{Close, HttpReply, Message, Quota, Reply, Script, Shell, Step, Turn, Usage};
use regex::Regex;
use serde_json::{Value, json};

/// A script that behaves as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    choice: Choice,
    quota: Quota,
    /// What is answered where a schema is asked for: the first of these that has everything that the schema demands.
    json: Vec<Value>,
}

impl Scripted {
    /// Answers well, unless a marker says otherwise: plain text, or an instance of the schema that is asked for.
    pub(crate) fn well() -> Self {
        Self::fixed("auto")
    }

    /// Behaves like the marker `[[fake:{choice}]]` in every turn without one, such as `usage_limit resets_in=60`.
    pub(crate) fn fixed(choice: &str) -> Self {
        let choice = Choice::parse(choice);
        Self {
            choice,
            quota: Quota::default(),
            json: Vec::new(),
        }
    }

    /// Answers `value` as JSON whenever a schema is asked for that it has all properties of; a review's findings, for
    /// example. Whoever tries to refute them says nothing of them, unless [`Self::or`] knows better.
    pub(crate) fn json(value: Value) -> Self {
        Self {
            json: vec![value, json!({"verdicts": []})],
            ..Self::well()
        }
    }

    /// Answers `value` where it has what the schema asks for and the values named before have not.
    #[must_use]
    pub(crate) fn or(mut self, value: Value) -> Self {
        let last = self.json.len().saturating_sub(1);
        self.json.insert(last, value);
        self
    }

    /// Sets the quota that the account reports.
    #[must_use]
    pub(crate) fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }
}

impl Script for Scripted {
    fn reply(&self, turn: &Turn) -> Reply {
        let (choice, step) = marked(turn).unwrap_or_else(|| (self.choice.clone(), turn.step()));
        let scene = Scene {
            turn,
            choice: &choice,
            step,
            json: &self.json,
        };
        scene.reply()
    }

    fn quota(&self) -> Quota {
        self.quota.clone()
    }
}

/// A behaviour's name with its options.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    name: String,
    options: BTreeMap<String, String>,
}

impl Choice {
    fn parse(text: &str) -> Self {
        static OPTION: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"([a-z0-9_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s\]]+))"#).expect("the pattern is fixed")
        });
        let name = text.split_whitespace().next().unwrap_or_default().to_owned();
        let options = OPTION.captures_iter(text).map(|found| {
            let quoted = found
                .get(2)
                .map(|value| value.as_str().replace("\\\"", "\"").replace("\\\\", "\\"));
            let value = quoted.unwrap_or_else(|| found[3].to_owned());
            (found[1].to_owned(), value)
        });
        let options = options.collect();
        Self { name, options }
    }
}

/// Returns the choice of the newest marker that is not spent, and how many tool outputs came after it.
fn marked(turn: &Turn) -> Option<(Choice, usize)> {
    static MARKER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\[\[fake:([a-z0-9_]+(?:\s+[a-z0-9_]+=(?:"(?:[^"\\]|\\.)*"|[^\s\]]+))*)\s*\]\]"#)
            .expect("the pattern is fixed")
    });
    let items = turn.items();
    let mut unmarked = false;
    for (position, item) in items.iter().enumerate().rev() {
        if unmarked && is_answer(item) {
            return None;
        }
        if role(item) != "user" {
            continue;
        }
        if let Some(found) = MARKER.captures_iter(&item_text(item)).last() {
            let step = items[position + 1..]
                .iter()
                .filter(|item| is_tool_output(item))
                .count();
            return Some((Choice::parse(&found[1]), step));
        }
        unmarked = true;
    }
    None
}

/// One turn with everything that a behaviour looks at.
struct Scene<'a> {
    turn: &'a Turn,
    choice: &'a Choice,
    step: usize,
    json: &'a [Value],
}

impl Scene<'_> {
    fn reply(&self) -> Reply {
        let times = self.number("times", u64::MAX);
        let failing = self.turn.attempt <= times;
        match self.choice.name.as_str() {
            "auto" => self.auto(),
            "plain" => self.paid(self.option("text", "Hello from the fake model.")),
            "schema" => Reply::text(self.instance().to_string()),
            "badjson" => self.bad_json(),
            "slow" => self.slow(),
            "stall" => self.stall(),
            "http" | "rate_limit" | "failed" | "disconnect" if !failing => self.auto(),
            "http" => self.http(),
            "rate_limit" => self.rate_limit(),
            "failed" => failed(
                &self.option("code", "server_error"),
                &self.option("message", "The fake model failed."),
            ),
            "disconnect" => self.disconnect(),
            "unauthorized" => error(
                401,
                "Incorrect API key provided: sk-test.",
                &[("code", "invalid_api_key")],
            ),
            "usage_limit" => self.usage_limit(),
            "quota" => error(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                &[("type", "insufficient_quota"), ("code", "insufficient_quota")],
            ),
            "context" => failed(
                "context_length_exceeded",
                "Your input exceeds the context window of this model. Please adjust your input and try again.",
            ),
            "incomplete" => Reply::stream([
                Step::Message(Message::new("Half an answ")),
                Step::Incomplete {
                    reason: self.option("reason", "max_output_tokens"),
                },
            ]),
            "no_completed" => Reply::stream([Step::Message(Message::new("An answer without an end."))]),
            "garbage" => Reply::Http(HttpReply {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body: "<html><body>Sign in to the network</body></html>".to_owned(),
            }),
            "empty" => Reply::stream([Step::Completed(Usage::default())]),
            "refusal" => Reply::stream([
                Step::Item(
                    json!({"id": "msg_refusal", "type": "message", "role": "assistant", "status": "completed",
                    "content": [{"type": "refusal", "refusal": "I cannot help with that."}]}),
                ),
                Step::Completed(Usage::default()),
            ]),
            "huge" => self.huge(),
            "model_not_found" => error(
                404,
                &format!(
                    "The model `{}` does not exist or you do not have access to it.",
                    self.turn.model()
                ),
                &[("code", "model_not_found")],
            ),
            "model_unsupported" => {
                let model = self.turn.model();
                let detail =
                    format!("The '{model}' model is not supported when using Codex with a ChatGPT account.");
                Reply::Http(HttpReply::json(400, &json!({ "detail": detail })))
            }
            "bad_schema" => error(
                400,
                "Invalid schema for response_format 'codex_output_schema': In context=(), 'additionalProperties' is \
                 required to be supplied and to be false.",
                &[("param", "text.format.schema"), ("code", "invalid_json_schema")],
            ),
            "shell" => self.shell(),
            "loop" => then_completed(Step::Shell(Shell::new(self.option("cmd", "echo again")))),
            "patch" => self.patch(),
            "tool" => self.tool(),
            "reason" => Reply::stream([
                Step::Item(
                    json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "ZmFrZQ==",
                    "summary": [{"type": "summary_text", "text": "**Thinking**\n\nAbout it."}]}),
                ),
                Step::Message(Message::commentary("I am looking at it.")),
                Step::Message(Message {
                    phase: Some("final_answer".to_owned()),
                    ..Message::new("Done.")
                }),
                Step::Completed(Usage::default()),
            ]),
            "web" => Reply::stream([
                Step::Item(
                    json!({"type": "web_search_call", "id": "ws_1", "status": "completed",
                    "action": {"type": "search", "query": "fake query", "queries": ["fake query"]}}),
                ),
                Step::Message(Message::new("Searched.")),
                Step::Completed(Usage::default()),
            ]),
            other => panic!("the fake model knows no behaviour `{other}`"),
        }
    }

    /// A good answer to whatever is asked.
    fn auto(&self) -> Reply {
        if self.turn.schema().is_some() {
            Reply::text(self.instance().to_string())
        } else {
            Reply::text("Hello from the fake model.")
        }
    }

    fn instance(&self) -> Value {
        let none = json!({"const": "no schema in request"});
        let schema = self.turn.schema().unwrap_or(&none);
        let has_all = |value: &&Value| {
            let required = schema["required"].as_array().into_iter().flatten();
            required
                .filter_map(Value::as_str)
                .all(|name| value.get(name).is_some())
        };
        let fitting = self.json.iter().find(has_all);
        fitting.cloned().unwrap_or_else(|| instance(schema))
    }

    /// `fenced=1`: right JSON in a code fence. `then=good`: bad until the thread holds an answer.
    fn bad_json(&self) -> Reply {
        if self.option("then", "") == "good" && self.turn.answers() > 0 {
            self.auto()
        } else if self.flag("fenced") {
            Reply::text(format!("```json\n{}\n```", self.instance()))
        } else {
            self.paid("Sure! {\"verdict\": \"ok\", trailing".to_owned())
        }
    }

    /// `ms=5000 every=250`: a stream of pieces. `quiet=1`: nothing between the announcement and the answer.
    fn slow(&self) -> Reply {
        let (total, every) = (self.number("ms", 5_000), self.number("every", 250).max(1));
        if self.flag("quiet") {
            return Reply::stream([
                Step::Start,
                Step::Sleep(Duration::from_millis(total)),
                Step::Message(Message::new("Slow and quiet.")),
                Step::Completed(Usage::default()),
            ]);
        }
        let pieces = (0..(total / every).max(1))
            .map(|number| format!("tick{number} "))
            .collect();
        let message = Message::in_pieces(pieces, Duration::from_millis(every));
        then_completed(Step::Message(message))
    }

    /// The announcement and then nothing for `ms`, an hour by default. `before=1`: not even headers.
    fn stall(&self) -> Reply {
        if self.flag("before") {
            return Reply::Silence;
        }
        let pause = Duration::from_millis(self.number("ms", 3_600_000));
        Reply::stream([Step::Start, Step::Sleep(pause), Step::Close(Close::Finish)])
    }

    /// `status=500 times=N message= type= code= retry_after=`.
    fn http(&self) -> Reply {
        let fields: Vec<_> = ["type", "code"]
            .into_iter()
            .filter_map(|name| self.choice.options.get(name).map(|value| (name, value.as_str())))
            .collect();
        let status = u16::try_from(self.number("status", 500)).expect("a status has three digits");
        let mut reply = HttpReply::error(status, &self.option("message", "fake error"), &fields);
        if let Some(after) = self.choice.options.get("retry_after") {
            reply = reply.with_header("retry-after", after);
        }
        Reply::Http(reply)
    }

    fn rate_limit(&self) -> Reply {
        let after = self.option("retry_after", "1");
        let message = format!(
            "Rate limit reached for fake in organization org-x on tokens per min (TPM): Limit 1, Used 1, Requested 1. \
             Please try again in {after}s."
        );
        let fields = [("type", "tokens"), ("code", "rate_limit_exceeded")];
        Reply::Http(HttpReply::error(429, &message, &fields).with_header("retry-after", after))
    }

    /// What a plan without quota gets: `resets_in=3600` seconds, `plan=plus`.
    fn usage_limit(&self) -> Reply {
        let seconds = self.number("resets_in", 3_600);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is past 1970")
            .as_secs();
        let at = now + seconds;
        let body = json!({"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached",
            "plan_type": self.option("plan", "plus"), "resets_at": at, "resets_in_seconds": seconds}});
        let reply = HttpReply::json(429, &body)
            .with_header("x-codex-primary-used-percent", "100")
            .with_header("x-codex-primary-window-minutes", "300")
            .with_header("x-codex-primary-reset-at", at.to_string())
            .with_header("x-codex-secondary-used-percent", "40")
            .with_header("x-codex-secondary-window-minutes", "10080")
            .with_header("x-codex-secondary-reset-at", (at + 86_400).to_string());
        Reply::Http(reply)
    }

    /// Cuts the connection after some pieces; `times=N`, `reset=1`.
    fn disconnect(&self) -> Reply {
        let close = if self.flag("reset") {
            Close::Reset
        } else {
            Close::Finish
        };
        let pieces = ["This answer ", "never ", "ends"].map(str::to_owned).to_vec();
        Reply::stream([Step::Unfinished(pieces), Step::Close(close)])
    }

    /// `bytes=5000000` in pieces of 20 kB; `oneline=1` for no line ends.
    fn huge(&self) -> Reply {
        let bytes = usize::try_from(self.number("bytes", 5_000_000)).expect("a test's answer fits in memory");
        let line = format!(
            "{}{}",
            "x".repeat(79),
            if self.flag("oneline") { "x" } else { "\n" }
        );
        let text: String = line.chars().cycle().take(bytes).collect();
        let pieces = text
            .as_bytes()
            .chunks(20_000)
            .map(|piece| String::from_utf8_lossy(piece).into_owned());
        then_completed(Step::Message(Message::in_pieces(
            pieces.collect(),
            Duration::ZERO,
        )))
    }

    /// `cmd=...` `n` times, then the answer; `yield_ms=`, `escalate=1`, `tty=1`, `commentary=1`.
    fn shell(&self) -> Reply {
        if self.step as u64 >= self.number("n", 1) {
            return self.after_tool("The command said");
        }
        let mut shell = Shell::new(self.option("cmd", "echo hi"));
        let mut extra = json!({});
        if self.choice.options.contains_key("yield_ms") {
            extra["yield_time_ms"] = json!(self.number("yield_ms", 1_000));
        }
        if self.flag("escalate") {
            extra["sandbox_permissions"] = json!("require_escalated");
            extra["justification"] = json!("May I?");
        }
        if self.flag("tty") {
            extra["tty"] = json!(true);
        }
        extra
            .as_object()
            .expect("it was made as an object")
            .clone_into(&mut shell.extra);
        let mut steps = Vec::new();
        if self.flag("commentary") {
            steps.push(Step::Message(Message::commentary("Running a command.")));
        }
        steps.extend([Step::Shell(shell), Step::Completed(self.usage())]);
        Reply::stream(steps)
    }

    /// Adds `file=` with `text=`, then the answer. `update=1`: changes its line `old=` to `new=`.
    fn patch(&self) -> Reply {
        if self.step > 0 {
            return self.after_tool("Patched");
        }
        let file = self.option("file", "hello.txt");
        let change = if self.flag("update") {
            let (old, new) = (self.option("old", "old"), self.option("new", "new"));
            format!("*** Update File: {file}\n@@\n-{old}\n+{new}\n")
        } else {
            format!("*** Add File: {file}\n+{}\n", self.option("text", "hello"))
        };
        then_completed(Step::Patch(format!("*** Begin Patch\n{change}*** End Patch\n")))
    }

    /// Calls the function `name=` with `args=` as JSON, in `namespace=` for a tool of an MCP server, then answers.
    fn tool(&self) -> Reply {
        if self.step > 0 {
            return self.after_tool("Tool said");
        }
        let number = self.turn.items().len();
        let mut item = json!({"type": "function_call", "id": format!("fc_tool_{number}"), "status": "completed",
            "call_id": format!("call_tool_{number}"), "name": self.option("name", "no_such_tool"),
            "arguments": self.option("args", "{}")});
        if let Some(namespace) = self.choice.options.get("namespace") {
            item["namespace"] = json!(namespace);
        }
        then_completed(Step::Item(item))
    }

    /// The answer after tool calls: what the tool said, unless a schema asks for something else.
    fn after_tool(&self, what: &str) -> Reply {
        if self.turn.schema().is_some() {
            return self.auto();
        }
        Reply::text(format!(
            "{what}: {}",
            self.turn.last_output().unwrap_or(&Value::Null)
        ))
    }

    fn paid(&self, text: String) -> Reply {
        Reply::stream([Step::Message(Message::new(text)), Step::Completed(self.usage())])
    }

    /// What an answer, a bad one or a shell command cost: `input=` tokens, besides the usual ones.
    fn usage(&self) -> Usage {
        let usual = Usage::default();
        Usage {
            input: self.number("input", usual.input),
            ..usual
        }
    }

    fn option(&self, name: &str, default: &str) -> String {
        self.choice
            .options
            .get(name)
            .cloned()
            .unwrap_or_else(|| default.to_owned())
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        let given = self.choice.options.get(name);
        given.map_or(default, |value| {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name}={value} is not a number"))
        })
    }

    fn flag(&self, name: &str) -> bool {
        self.number(name, 0) != 0
    }
}

fn error(status: u16, message: &str, fields: &[(&str, &str)]) -> Reply {
    Reply::Http(HttpReply::error(status, message, fields))
}

fn failed(code: &str, message: &str) -> Reply {
    Reply::stream([Step::Failed {
        code: code.to_owned(),
        message: message.to_owned(),
    }])
}

fn then_completed(step: Step) -> Reply {
    Reply::stream([step, Step::Completed(Usage::default())])
}
