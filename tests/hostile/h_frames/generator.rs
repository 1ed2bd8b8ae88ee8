//! Makes frames that are nearly right. The same seed makes the same frames.

use serde_json::{Value, json};

/// A frame, and the id of the answer that it must have, if it must.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) answer_to: Option<Value>,
}

/// Numbers from a seed, and frames from numbers.
pub(super) struct Generator {
    state: u64,
    count: u64,
}

const METHODS: [&str; 16] = [
    "ping",
    "tools/list",
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/call",
    "initialize",
    "resources/list",
    "prompts/list",
    "logging/setLevel",
    "completion/complete",
    "server/discover",
    "tasks/list",
    "",
    "tools/call\u{0}",
    "rpc.x",
];
const TOOLS: [&str; 12] = [
    "status",
    "dry_run",
    "consult",
    "review",
    "delegate",
    "job",
    "cancel",
    "apply",
    "STATUS",
    "",
    "../status",
    "s\u{202e}",
];
const NAMES: [&str; 26] = [
    "prompt",
    "topic",
    "id",
    "wait_s",
    "workspace",
    "options",
    "files",
    "paths",
    "scope",
    "base",
    "head",
    "commit",
    "task",
    "tasks",
    "tool",
    "arguments",
    "token",
    "action",
    "tail",
    "detail",
    "limit",
    "__proto__",
    "focus",
    "resume",
    "timeout_s",
    "x",
];
const TEXTS: [&str; 18] = [
    "",
    "latest",
    "errors",
    "overview",
    "working_tree",
    "\u{0}",
    "a\nb",
    "../../etc/passwd",
    "--upload-pack=x",
    "\u{202e}",
    "\u{10ffff}",
    "null",
    "-1",
    "$(id)",
    "HEAD",
    "land",
    "/",
    "%s%s%n",
];

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed | 1,
            count: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Makes the next frame.
    pub(super) fn frame(&mut self) -> Frame {
        self.count += 1;
        match self.below(24) {
            0 => self.notification(),
            1 => self.response(),
            2 => self.batch(),
            3 => self.deep(),
            4 => self.huge(),
            5 | 6 => self.broken(),
            7 => self.doubled(),
            8 => self.raced(),
            9 => self.surrogates(),
            10 => self.odd_id(),
            _ => self.request(),
        }
    }

    fn id(&mut self) -> Value {
        if self.below(3) == 0 {
            json!(format!("f{}", self.count))
        } else {
            json!(self.count)
        }
    }

    fn request_value(&mut self) -> Value {
        let mut request = json!({"jsonrpc": "2.0", "id": self.id(), "method": self.one(&METHODS)});
        if self.below(8) > 0 {
            let params = match self.below(6) {
                0 => self.value(3),
                1 => json!({}),
                _ => {
                    let name = if self.below(10) == 0 {
                        self.value(1)
                    } else {
                        json!(self.one(&TOOLS))
                    };
                    let arguments = if self.below(10) == 0 {
                        self.value(2)
                    } else {
                        self.fields(3)
                    };
                    json!({"name": name, "arguments": arguments})
                }
            };
            request["params"] = params;
            if self.below(5) == 0 && request["params"].is_object() {
                request["params"]["_meta"] = self.value(3);
            }
        }
        request
    }

    fn request(&mut self) -> Frame {
        let request = self.request_value();
        let answer_to = Some(request["id"].clone());
        // A wait may be as long as it says.
        let text = request.to_string();
        Frame {
            bytes: text.into_bytes(),
            answer_to,
        }
    }

    fn fields(&mut self, depth: usize) -> Value {
        let mut fields = serde_json::Map::new();
        for _ in 0..self.below(5) {
            let name = self.one(&NAMES);
            if name != "wait_s" {
                let value = self.value(depth);
                fields.insert(name.to_owned(), value);
            }
        }
        Value::Object(fields)
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 9 } else { 12 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.next()),
            3 => json!(-1),
            4 => json!(0.5),
            5..=7 => json!(self.one(&TEXTS)),
            8 => json!(self.one(&TEXTS).repeat(self.below(200))),
            9 => (0..self.below(6)).map(|_| self.value(depth - 1)).collect(),
            _ => self.fields(depth - 1),
        }
    }

    fn silent(bytes: Vec<u8>) -> Frame {
        Frame {
            bytes,
            answer_to: None,
        }
    }

    fn notification(&mut self) -> Frame {
        let method = [
            "notifications/cancelled",
            "notifications/initialized",
            "notifications/progress",
            "x",
        ];
        let method = self.one(&method);
        let params = self.value(3);
        Self::silent(
            json!({"jsonrpc": "2.0", "method": method, "params": params})
                .to_string()
                .into_bytes(),
        )
    }

    fn response(&mut self) -> Frame {
        let id = self.value(1);
        let result = self.value(2);
        let name = self.one(&["result", "error"]);
        Self::silent(
            json!({"jsonrpc": "2.0", "id": id, name: result})
                .to_string()
                .into_bytes(),
        )
    }

    fn batch(&mut self) -> Frame {
        let all: Vec<Value> = (0..self.below(90)).map(|_| self.request_value()).collect();
        Self::silent(Value::from(all).to_string().into_bytes())
    }

    fn deep(&mut self) -> Frame {
        let depth = [100, 127, 128, 129, 1_000, 10_000][self.below(6)];
        let (open, close) = [("[", "]"), ("{\"a\":", "}")][self.below(2)];
        let id = self.id();
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"status\",\"arguments\":{{\"x\":{}1{}}}}}}}",
            open.repeat(depth),
            close.repeat(depth)
        );
        Frame {
            bytes: text.into_bytes(),
            answer_to: Some(id),
        }
    }

    fn huge(&mut self) -> Frame {
        let length = [1_000, 60_000, 300_000, 1_100_000][self.below(4)];
        let id = self.id();
        let name = self.one(&["prompt", "topic", "x"]);
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"status\",\"arguments\":{{\"{name}\":\"{}\"}}}}}}",
            self.one(&["x", "\\u0000", "\\\"", "\u{1f600}"])
                .repeat(length / 4)
        );
        Frame {
            bytes: text.into_bytes(),
            answer_to: Some(id),
        }
    }

    /// A request that lost or got bytes. What it is now nobody knows, so nothing is owed.
    fn broken(&mut self) -> Frame {
        let mut request = self.request_value();
        // A changed byte must not make it the id of another frame.
        request["id"] = json!(format!("broken-{}", self.count));
        let mut bytes = request.to_string().into_bytes();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = u8::try_from(self.next() & 0xff).unwrap_or(0),
                2 => bytes.insert(at, u8::try_from(self.next() & 0xff).unwrap_or(0)),
                _ => {
                    bytes.remove(at);
                    if bytes.is_empty() {
                        bytes.push(b' ');
                    }
                }
            }
        }
        bytes.retain(|byte| *byte != b'\n');
        Self::silent(bytes)
    }

    fn doubled(&mut self) -> Frame {
        let id = self.id();
        let name = self.one(&["method", "params", "jsonrpc", "x"]);
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"{name}\":{},\"method\":\"ping\",\"{name}\":\"2.0\"}}",
            self.value(1)
        );
        Self::silent(text.into_bytes())
    }

    /// A call and its cancel in one write: the answer may be there before, so none is owed.
    fn raced(&mut self) -> Frame {
        let request = self.request_value();
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": request["id"], "reason": self.one(&["AbortError: user-cancel", "timeout", ""])}});
        Self::silent(format!("{request}\n{cancel}\n{cancel}").into_bytes())
    }

    fn surrogates(&mut self) -> Frame {
        let id = self.id();
        let half = self.one(&["\\ud83d", "\\udc00\\ud800", "\\ud83d\\ud83d", "\\uD83Dx\\uDE00"]);
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"status\",\"arguments\":{{\"topic\":\"{half}\"}}}}}}"
        );
        Frame {
            bytes: text.into_bytes(),
            answer_to: Some(id),
        }
    }

    fn odd_id(&mut self) -> Frame {
        let id = self.one(&[
            "null",
            "1.5",
            "1e3",
            "-0",
            "{}",
            "[1]",
            "true",
            "99999999999999999999999999",
            "\"\"",
            "-9223372036854775809",
        ]);
        Self::silent(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}").into_bytes())
    }
}
