//! The events of a streamed response: from steps to the frames that go on the wire.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::model::reply::{Close, Message, Shell, Step, Usage};
use crate::model::turn::Turn;

/// One thing that the connection does.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Sends the text of one event.
    Event(String),
    /// Waits.
    Pause(Duration),
    /// Closes the connection.
    Close(Close),
}

/// Encodes the steps of one response and remembers what it has sent.
#[derive(Debug)]
pub struct Encoder<'a> {
    turn: &'a Turn,
    started: bool,
    sequence: u64,
    output: Vec<Value>,
}

impl<'a> Encoder<'a> {
    /// Returns an encoder for the response to `turn`.
    pub fn new(turn: &'a Turn) -> Self {
        Self {
            turn,
            started: false,
            sequence: 0,
            output: Vec::new(),
        }
    }

    /// Returns the frames of one step.
    pub fn encode(&mut self, step: &Step) -> Vec<Frame> {
        let mut frames = Vec::new();
        match step {
            Step::Sleep(duration) => frames.push(Frame::Pause(*duration)),
            Step::Close(close) => frames.push(Frame::Close(*close)),
            other => {
                self.start(&mut frames);
                self.encode_output(other, &mut frames);
            }
        }
        frames
    }

    fn encode_output(&mut self, step: &Step, frames: &mut Vec<Frame>) {
        match step {
            Step::Start | Step::Sleep(_) | Step::Close(_) => {}
            Step::Message(message) => self.message(message, frames),
            Step::Unfinished(pieces) => self.unfinished(pieces, frames),
            Step::Item(item) => self.item(item.clone(), frames),
            Step::Call { name, arguments } => self.call(name, arguments, frames),
            Step::Custom { name, input } => self.custom(name, input, frames),
            Step::Shell(shell) => self.shell(shell, frames),
            Step::Patch(patch) => self.patch(patch, frames),
            Step::Completed(usage) => {
                let response = self.response(
                    "completed",
                    &[("output", json!(self.output)), ("usage", usage_value(usage))],
                );
                self.event(frames, "response.completed", json!({ "response": response }));
            }
            Step::Failed { code, message } => {
                let response = self.response(
                    "failed",
                    &[
                        ("output", json!([])),
                        ("error", json!({"code": code, "message": message})),
                        ("usage", Value::Null),
                    ],
                );
                self.event(frames, "response.failed", json!({ "response": response }));
            }
            Step::Incomplete { reason } => {
                let response = self.response(
                    "incomplete",
                    &[
                        ("output", json!(self.output)),
                        ("incomplete_details", json!({ "reason": reason })),
                    ],
                );
                self.event(frames, "response.incomplete", json!({ "response": response }));
            }
        }
    }

    fn start(&mut self, frames: &mut Vec<Frame>) {
        if !self.started {
            self.started = true;
            let response = self.response("in_progress", &[("output", json!([]))]);
            self.event(frames, "response.created", json!({ "response": response }));
        }
    }

    fn message(&mut self, message: &Message, frames: &mut Vec<Frame>) {
        let id = self.id("msg");
        let index = self.output.len();
        let mut base = json!({"id": id, "type": "message", "role": "assistant"});
        if let Some(phase) = &message.phase {
            base["phase"] = json!(phase);
        }
        let added = with(&base, &[("status", json!("in_progress")), ("content", json!([]))]);
        self.event(
            frames,
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
        );
        let whole = [message.text.clone()];
        let pieces = if message.deltas.is_empty() {
            &whole[..]
        } else {
            &message.deltas
        };
        for piece in pieces {
            if !message.pause.is_zero() {
                frames.push(Frame::Pause(message.pause));
            }
            self.delta(&id, index, piece, frames);
        }
        let text = json!({"item_id": id, "output_index": index, "content_index": 0, "text": message.text});
        self.event(frames, "response.output_text.done", text);
        let content = json!([{"type": "output_text", "text": message.text, "annotations": []}]);
        let done = with(&base, &[("status", json!("completed")), ("content", content)]);
        self.done(index, done, frames);
    }

    fn unfinished(&mut self, pieces: &[String], frames: &mut Vec<Frame>) {
        let id = self.id("msg");
        let index = self.output.len();
        let added =
            json!({"id": id, "type": "message", "role": "assistant", "status": "in_progress", "content": []});
        self.event(
            frames,
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
        );
        for piece in pieces {
            self.delta(&id, index, piece, frames);
        }
    }

    fn delta(&mut self, id: &str, index: usize, piece: &str, frames: &mut Vec<Frame>) {
        let delta = json!({"item_id": id, "output_index": index, "content_index": 0, "delta": piece});
        self.event(frames, "response.output_text.delta", delta);
    }

    fn item(&mut self, item: Value, frames: &mut Vec<Frame>) {
        let index = self.output.len();
        let added = with(&item, &[("status", json!("in_progress"))]);
        self.event(
            frames,
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
        );
        self.done(index, item, frames);
    }

    fn done(&mut self, index: usize, item: Value, frames: &mut Vec<Frame>) {
        self.event(
            frames,
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
        self.output.push(item);
    }

    fn call(&mut self, name: &str, arguments: &Value, frames: &mut Vec<Frame>) {
        let item = json!({"type": "function_call", "id": self.id("fc"), "call_id": self.id("call"), "name": name,
                          "arguments": arguments.to_string(), "status": "completed"});
        self.item(item, frames);
    }

    fn custom(&mut self, name: &str, input: &str, frames: &mut Vec<Frame>) {
        let item = json!({"type": "custom_tool_call", "id": self.id("ctc"), "call_id": self.id("call"), "name": name,
                          "input": input, "status": "completed"});
        self.item(item, frames);
    }

    fn shell(&mut self, shell: &Shell, frames: &mut Vec<Frame>) {
        let command = &shell.command;
        match ShellTool::offered(self.turn) {
            Some(ShellTool::Exec) => {
                self.call(
                    "exec_command",
                    &arguments("cmd", json!(command), &shell.extra),
                    frames,
                );
            }
            Some(ShellTool::ShellCommand) => {
                self.call(
                    "shell_command",
                    &arguments("command", json!(command), &shell.extra),
                    frames,
                );
            }
            Some(ShellTool::Shell) => {
                let line = json!(["bash", "-lc", command]);
                self.call("shell", &arguments("command", line, &shell.extra), frames);
            }
            // Without a shell of its own the model still tries the tool that runs JavaScript, as a model does that
            // remembers it from earlier in the thread; the peer then says that there is no such tool.
            Some(ShellTool::Code) | None => {
                let arguments = arguments("cmd", json!(command), &shell.extra);
                self.code(&format!("exec_command({arguments})"), frames);
            }
        }
    }

    fn patch(&mut self, patch: &str, frames: &mut Vec<Frame>) {
        if self.turn.tool_names().contains("apply_patch") {
            self.custom("apply_patch", patch, frames);
        } else {
            self.code(&format!("apply_patch({})", json!(patch)), frames);
        }
    }

    /// Calls a nested tool through the one that runs JavaScript.
    fn code(&mut self, call: &str, frames: &mut Vec<Frame>) {
        self.custom(
            "exec",
            &format!("const r = await tools.{call};\ntext(JSON.stringify(r));"),
            frames,
        );
    }

    fn response(&self, status: &str, members: &[(&str, Value)]) -> Value {
        let base = json!({"id": format!("resp_{}", self.turn.ordinal), "object": "response",
                          "model": self.turn.model(), "status": status});
        with(&base, members)
    }

    /// Returns an id that no other item of the thread has, not even one of an earlier server: the thread's length
    /// differs, and within one response the number of items sent so far.
    fn id(&self, kind: &str) -> String {
        format!(
            "{kind}_{}_{}_{}",
            self.turn.ordinal,
            self.turn.items().len(),
            self.output.len()
        )
    }

    fn event(&mut self, frames: &mut Vec<Frame>, kind: &str, members: Value) {
        let mut data = json!({"type": kind, "sequence_number": self.sequence});
        if let (Value::Object(data), Value::Object(members)) = (&mut data, members) {
            data.extend(members);
        }
        self.sequence += 1;
        frames.push(Frame::Event(format!("event: {kind}\ndata: {data}\n\n")));
    }
}

/// The ways in which a peer lets its model run a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellTool {
    /// `exec_command`.
    Exec,
    /// `shell_command`.
    ShellCommand,
    /// `shell`, which takes a list of arguments.
    Shell,
    /// `exec`, which runs JavaScript that calls tools.
    Code,
}

impl ShellTool {
    /// Returns the tool that the request offers.
    pub fn offered(turn: &Turn) -> Option<Self> {
        let names = turn.tool_names();
        let known = [
            ("exec_command", Self::Exec),
            ("shell_command", Self::ShellCommand),
            ("shell", Self::Shell),
            ("exec", Self::Code),
        ];
        known
            .into_iter()
            .find(|(name, _)| names.contains(name))
            .map(|(_, tool)| tool)
    }
}

fn arguments(name: &str, command: Value, extra: &Map<String, Value>) -> Value {
    let mut arguments = Map::from_iter([(name.to_owned(), command)]);
    arguments.extend(extra.clone());
    Value::Object(arguments)
}

fn with(base: &Value, members: &[(&str, Value)]) -> Value {
    let mut extended = base.clone();
    for (name, value) in members {
        extended[*name] = value.clone();
    }
    extended
}

fn usage_value(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(tools: &[&str]) -> Turn {
        let tools: Vec<Value> = tools.iter().map(|name| json!({ "name": name })).collect();
        Turn::new(
            json!({"model": "m", "input": [{"role": "user", "content": "hi"}], "tools": tools}),
            1,
            7,
        )
    }

    /// Returns the events of `steps`, each as its data; the event's name is compared with the data's type.
    fn events(turn: &Turn, steps: &[Step]) -> Vec<Value> {
        let mut encoder = Encoder::new(turn);
        let frames = steps.iter().flat_map(|step| encoder.encode(step));
        frames
            .filter_map(|frame| {
                let Frame::Event(text) = frame else { return None };
                let (name, data) = text.trim_end().split_once('\n').unwrap();
                let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
                Some(data)
            })
            .collect()
    }

    #[test]
    fn a_plain_turn_is_announced_streamed_and_completed() {
        let turn = turn(&[]);
        let steps = [
            Step::Message(Message::new("hello")),
            Step::Completed(Usage::default()),
        ];
        let events = events(&turn, &steps);
        let kinds: Vec<_> = events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            [
                "response.created",
                "response.output_item.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.output_item.done",
                "response.completed"
            ]
        );
        for (position, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], json!(position));
        }
        assert_eq!(
            events[5]["response"]["output"],
            json!([{"id": "msg_7_1_0", "type": "message", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "hello", "annotations": []}]}])
        );
        assert_eq!(events[5]["response"]["usage"]["total_tokens"], json!(150));
    }

    #[test]
    fn a_command_goes_through_the_offered_tool() {
        let check = |tools: &[&str], name: &str, payload: Value| {
            let turn = turn(tools);
            let events = events(&turn, &[Step::Shell(Shell::new("ls"))]);
            let item = &events.last().unwrap()["item"];
            let sent = item.get("arguments").or_else(|| item.get("input")).unwrap();
            assert_eq!((item["name"].as_str(), sent), (Some(name), &payload));
        };
        check(
            &["exec_command", "shell"],
            "exec_command",
            json!(r#"{"cmd":"ls"}"#),
        );
        check(&["shell_command"], "shell_command", json!(r#"{"command":"ls"}"#));
        check(&["shell"], "shell", json!(r#"{"command":["bash","-lc","ls"]}"#));
        let code = json!("const r = await tools.exec_command({\"cmd\":\"ls\"});\ntext(JSON.stringify(r));");
        check(&["exec"], "exec", code.clone());
        check(&[], "exec", code);
    }

    #[test]
    fn pauses_stand_before_each_piece_and_a_close_needs_no_announcement() {
        let turn = turn(&[]);
        let pause = Duration::from_millis(5);
        let pieces = vec!["a".to_owned(), "b".to_owned()];
        let frames = Encoder::new(&turn).encode(&Step::Message(Message::in_pieces(pieces, pause)));
        assert_eq!(
            frames
                .iter()
                .filter(|frame| **frame == Frame::Pause(pause))
                .count(),
            2
        );
        let frames = Encoder::new(&turn).encode(&Step::Close(Close::Reset));
        assert_eq!(frames, [Frame::Close(Close::Reset)]);
    }

    #[test]
    fn items_of_one_response_have_their_own_ids() {
        let turn = turn(&["exec_command", "apply_patch"]);
        let steps = [
            Step::Shell(Shell::new("ls")),
            Step::Patch("*** Begin Patch\n*** End Patch\n".to_owned()),
            Step::Message(Message::commentary("looking")),
            Step::Failed {
                code: "server_error".to_owned(),
                message: "no".to_owned(),
            },
        ];
        let events = events(&turn, &steps);
        let done = events
            .iter()
            .filter(|event| event["type"] == "response.output_item.done");
        let mut ids: Vec<_> = done.map(|event| event["item"]["id"].to_string()).collect();
        assert_eq!(ids.len(), 3);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
        assert_eq!(
            events.last().unwrap()["response"]["error"]["code"],
            json!("server_error")
        );
    }
}
