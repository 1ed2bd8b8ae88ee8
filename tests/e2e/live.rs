//! A session of Claude Code that goes on until it is told to end, and a model for it that does what its prompts say.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::session::{full_name, results_of};
use crate::support::messages::{self, Answer, FakeMessages};
use crate::support::model::wait_until;
use crate::world::World;

/// Time between two keys: far more than a host takes to read one.
const BETWEEN_KEYS: Duration = Duration::from_secs(3);

/// What begins a line of a prompt that names a tool of ours and its input.
const CALL: &str = "CALL ";

/// Calls what each prompt says, in its order, and loads it first where it is deferred.
fn obey(request: &Value) -> Answer {
    let messages = request["messages"].as_array().into_iter().flatten();
    let (mut calls, mut used) = (Vec::new(), 0);
    for message in messages {
        let blocks = message["content"].as_array().into_iter().flatten();
        let ours = |block: &&Value| {
            block["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(&full_name("")))
        };
        used += blocks.filter(ours).count();
        if message["role"] == "user" {
            let text = messages::flat(&message["content"]);
            calls.extend(
                text.lines()
                    .filter_map(|line| line.trim().strip_prefix(CALL))
                    .map(str::to_owned),
            );
        }
    }
    let Some(call) = calls.get(used) else {
        return Answer::text("Told.");
    };
    let (tool, input) = call.split_once(' ').unwrap_or((call, "{}"));
    let full = full_name(tool);
    let query = format!("select:{full}");
    let loaded = results_of(request, "ToolSearch").len() > used;
    if loaded || messages::tool_names(request).contains(&full.as_str()) {
        let input = serde_json::from_str(input).unwrap_or_else(|error| panic!("{error}: {call}"));
        Answer::Blocks(vec![messages::tool_use(&full, &input)])
    } else {
        let query = json!({"query": query, "max_results": 1});
        Answer::Blocks(vec![messages::tool_use("ToolSearch", &query)])
    }
}

/// Returns what a terminal was sent without the sequences that move, colour and clear, and without spaces.
fn letters(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter != '\u{1b}' {
            kept.extend(Some(letter).filter(|letter| !letter.is_whitespace() && !letter.is_control()));
            continue;
        }
        match rest.next() {
            // A control sequence ends with its first letter, and a title with a bell or a backslash.
            Some('[') => drop(rest.by_ref().find(|end| ('@'..='~').contains(end))),
            Some(']') => drop(rest.by_ref().find(|end| ['\u{7}', '\\'].contains(end))),
            _ => {}
        }
    }
    kept
}

/// A prompt that makes the model call a tool of ours.
pub(crate) fn call(tool: &str, input: &Value) -> String {
    format!("{CALL}{tool} {input}")
}

/// A running session. It is killed when it is dropped.
pub(crate) struct Live {
    child: Child,
    input: Option<ChildStdin>,
    output: Arc<Mutex<Vec<u8>>>,
    api: FakeMessages,
}

impl Live {
    /// Starts a session that takes its prompts from a program.
    pub(crate) fn program(world: &World, arguments: &[&str]) -> Self {
        Self::program_with(world, arguments, obey)
    }

    /// The same with a model that does what `script` says.
    pub(crate) fn program_with(
        world: &World,
        arguments: &[&str],
        script: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let streams = [
            "-p",
            "--input-format",
            "stream-json",
            "--output-format",
            "stream-json",
            "--verbose",
        ];
        Self::start(script, |url| {
            world.claude_command(url, &[&streams[..], arguments].concat())
        })
    }

    /// Starts a session in a terminal, in a project that the person trusts.
    pub(crate) fn terminal(world: &World) -> Self {
        Self::terminal_with(world, obey)
    }

    /// The same with a model that does what `script` says.
    pub(crate) fn terminal_with(
        world: &World,
        script: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let live = Self::start(script, |url| world.claude_in_a_terminal(url));
        // What stands below the line in which a person writes. Where a terminal is too narrow the rest is cut off.
        wait_until("the prompt", || {
            live.shows("? for shortcuts") || live.shows("auto mode on")
        });
        live
    }

    fn start(
        script: impl Fn(&Value) -> Answer + Send + Sync + 'static,
        command: impl FnOnce(&str) -> Command,
    ) -> Self {
        let api = FakeMessages::start(script);
        let mut child = command(&api.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Claude Code starts");
        let output = Arc::new(Mutex::new(Vec::new()));
        let mut pipe = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let kept = Arc::clone(&output);
        thread::spawn(move || {
            let mut piece = [0; 16 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&piece[..count]);
            }
        });
        Self {
            input: child.stdin.take(),
            child,
            output,
            api,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Tells whether the terminal has shown these words. Spaces do not count, which it may draw by moving its cursor.
    pub(crate) fn shows(&self, words: &str) -> bool {
        letters(&self.text()).contains(&letters(words))
    }

    fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the session goes on");
        input
            .write_all(bytes)
            .and_then(|()| input.flush())
            .expect("the session reads");
    }

    /// Presses a key in a terminal.
    fn press(&mut self, keys: &str) {
        self.write(keys.as_bytes());
    }

    /// Presses a key in a terminal until something is so. A key that comes before a dialog listens is lost, and keys that
    /// come together are taken for a text, so there is time between them.
    pub(crate) fn press_until(&mut self, key: &str, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let mut pressed: Option<Instant> = None;
        wait_until(what, || {
            if is_so(self) {
                return true;
            }
            if pressed.is_none_or(|pressed| pressed.elapsed() > BETWEEN_KEYS) {
                self.press(key);
                pressed = Some(Instant::now());
            }
            false
        });
    }

    /// Hands a prompt to a session of a program and waits for the end of the turn.
    pub(crate) fn prompt(&mut self, text: &str) {
        let before = self.turns();
        self.write(
            format!(
                "{}\n",
                json!({"type": "user", "message": {"role": "user", "content": text}})
            )
            .as_bytes(),
        );
        wait_until("the end of a turn", || self.turns() > before);
    }

    /// Types a line into a terminal and waits until it was taken.
    pub(crate) fn type_line(&mut self, text: &str, mark: &str) {
        let before = letters(&self.text()).len();
        self.write(text.as_bytes());
        // A return that comes together with the words would be a line break in them.
        wait_until("the words to be shown", || {
            letters(&self.text())
                .get(before..)
                .is_some_and(|new| new.contains(mark))
        });
        self.write(b"\r");
    }

    fn events(&self) -> Vec<Value> {
        let text = self.text();
        text.as_bytes()
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect()
    }

    fn turns(&self) -> usize {
        self.events()
            .iter()
            .filter(|event| event["type"] == "result")
            .count()
    }

    /// Returns the name of the conversation.
    pub(crate) fn name(&self) -> String {
        let events = self.events();
        let begin = events.iter().rfind(|event| event["subtype"] == "init");
        let name = begin.and_then(|event| event["session_id"].as_str());
        name.expect("a session says its name").to_owned()
    }

    /// Returns the id of the newest job that a tool of ours named in its answer, once the model has seen one.
    ///
    /// A host may look a tool up first, so the answer can come with a later request than the second.
    pub(crate) fn job(&self) -> String {
        let mut id = None;
        wait_until("an answer that names a job", || {
            id = self.named_job();
            id.is_some()
        });
        id.expect("it was waited for")
    }

    fn named_job(&self) -> Option<String> {
        let requests = self.api.requests();
        let results = requests.iter().flat_map(messages::tool_results);
        let mut ids = results.filter_map(|result| {
            let answer: Value = serde_json::from_str(&messages::flat(&result["content"])).ok()?;
            answer.pointer("/job/id")?.as_str().map(str::to_owned)
        });
        ids.next_back()
    }

    /// Returns how often the model was told of the end of a job, in what it was sent last.
    pub(crate) fn told(&self, job: &str) -> usize {
        let requests = self.api.requests();
        let Some(last) = requests.last() else { return 0 };
        let messages = last["messages"].as_array().into_iter().flatten();
        let system = messages::flat(&last["system"]);
        let texts: Vec<String> = messages
            .map(|message| messages::flat(&message["content"]))
            .chain([system])
            .collect();
        ["job", "group"]
            .iter()
            .map(|noun| texts.join("\n").matches(&format!("Codex {noun} {job} ")).count())
            .sum()
    }

    /// Returns everything that the model was sent last, as text.
    pub(crate) fn last(&self) -> String {
        self.api
            .requests()
            .last()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Returns how many messages the model was sent.
    pub(crate) fn requests(&self) -> usize {
        self.api.requests().len()
    }

    /// Ends it without a word.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Closes the input, and waits for the end.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        wait_until("the end of a session", || {
            self.child.try_wait().is_ok_and(|ended| ended.is_some())
        });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
