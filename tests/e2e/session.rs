//! One headless session of Claude Code in which a person types one of our commands, and what came of it.

use serde_json::{Value, json};

use crate::support::messages::{self, Answer, FakeMessages};
use crate::support::run::Finished;
use crate::world::World;

/// The commands as Claude Code lists them.
pub(crate) const SLASH_COMMANDS: [&str; 12] = [
    "codex:apply",
    "codex:cancel",
    "codex:consult",
    "codex:delegate",
    "codex:delegate-async",
    "codex:dry-run",
    "codex:jobs",
    "codex:result",
    "codex:review",
    "codex:setup",
    "codex:status",
    "codex:transfer",
];

/// How many messages a session may take: load the tool, call it, conclude, and one to spare.
const MESSAGES: usize = 4;

/// What a session did.
pub(crate) struct Session {
    command: String,
    tool: String,
    finished: Finished,
    requests: Vec<Value>,
}

impl Session {
    /// Types `command`; the model calls our tool `tool` with `input`, and loads it first where it is deferred.
    pub(crate) fn run(world: &World, command: &str, tool: &str, input: &Value) -> Self {
        let input = input.clone();
        let full = full_name(tool);
        let session = Self::run_script(world, command, tool, move |request| next(request, &full, &input));
        let count = session.requests.len();
        assert!(count <= MESSAGES, "{count} messages: {:#?}", session.finished);
        session
    }

    /// Types `command`; the model, which is to call `tool`, does what `script` says.
    pub(crate) fn run_script(
        world: &World,
        command: &str,
        tool: &str,
        script: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let api = FakeMessages::start(script);
        let finished = world.session(&api.url(), command);
        Self {
            command: command.to_owned(),
            tool: full_name(tool),
            finished,
            requests: api.requests(),
        }
    }

    /// Returns everything that the model was shown by the tool, in its order.
    pub(crate) fn all_shown(&self) -> Vec<String> {
        let last = self
            .requests
            .last()
            .unwrap_or_else(|| panic!("{:#?}", self.finished));
        let results = results_of(last, &self.tool).into_iter();
        results.map(|result| messages::flat(&result["content"])).collect()
    }

    /// Asserts that the server is connected, that all commands are there, and that the typed one reached the model.
    pub(crate) fn assert_plugin_is_there(&self) {
        // What a hook does at the start is told before it.
        let mut events = self.finished.events().into_iter();
        let begin = events
            .find(|event| event["type"] == "system" && event["subtype"] == "init")
            .unwrap_or_else(|| panic!("no beginning: {:#?}", self.finished));
        assert!(
            list(&begin["mcp_servers"])
                .iter()
                .any(|server| server["name"] == "plugin:codex:codex" && server["status"] == "connected"),
            "{begin:#}"
        );
        let commands = list(&begin["slash_commands"]);
        for command in SLASH_COMMANDS {
            assert!(commands.contains(&json!(command)), "{command}: {begin:#}");
        }
        assert!(list(&begin["tools"]).contains(&json!(self.tool)), "{begin:#}");
        let name = self.command.split(' ').next().unwrap_or_default();
        let typed = format!("<command-name>{name}</command-name>");
        assert!(self.expansion().contains(&typed), "{typed}");
    }

    /// Returns the result object that the model was shown, which must be the tool's only answer and no failure.
    pub(crate) fn shown(&self) -> Value {
        let (object, failed) = self.answer();
        assert!(!failed, "{object:#}");
        object
    }

    /// Returns the failure that the model was shown.
    pub(crate) fn shown_failure(&self) -> Value {
        let (object, failed) = self.answer();
        assert!(failed, "{object:#}");
        object
    }

    /// Returns what the model said at the end, once nobody had to be asked for permission.
    pub(crate) fn said(&self) -> String {
        let end = self.finished.event("result");
        assert_eq!(end["permission_denials"], json!([]), "{end:#}");
        end["result"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the first message to the model as text.
    pub(crate) fn expansion(&self) -> String {
        let first = self
            .requests
            .first()
            .unwrap_or_else(|| panic!("{:#?}", self.finished));
        let contents = list(&first["messages"])
            .iter()
            .map(|message| messages::flat(&message["content"]));
        contents.collect::<Vec<_>>().join("\n")
    }

    /// Tells whether the model had to load the tool before it could call it.
    pub(crate) fn tool_was_deferred(&self) -> bool {
        let last = self
            .requests
            .last()
            .unwrap_or_else(|| panic!("{:#?}", self.finished));
        !results_of(last, "ToolSearch").is_empty()
    }

    fn answer(&self) -> (Value, bool) {
        let last = self
            .requests
            .last()
            .unwrap_or_else(|| panic!("{:#?}", self.finished));
        let results = results_of(last, &self.tool);
        assert_eq!(results.len(), 1, "{:#?}", self.finished);
        let text = messages::flat(&results[0]["content"]);
        let object = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        (object, results[0]["is_error"] == json!(true))
    }

    /// Asserts that the only call of the tool was refused by Claude Code itself.
    pub(crate) fn assert_refused(&self) {
        let last = self
            .requests
            .last()
            .unwrap_or_else(|| panic!("{:#?}", self.finished));
        let results = results_of(last, &self.tool);
        assert_eq!(results.len(), 1, "{:#?}", self.finished);
        assert_eq!(results[0]["is_error"], json!(true), "{:#}", results[0]);
        let text = messages::flat(&results[0]["content"]);
        assert!(
            serde_json::from_str::<Value>(&text).is_err(),
            "our server answered: {text}"
        );
    }

    /// Asserts that the session ended as it should, and that nobody had to be asked for permission.
    pub(crate) fn assert_ended_well(&self) {
        assert!(self.finished.status.success(), "{:#?}", self.finished);
        let end = self.finished.event("result");
        assert_eq!(end["subtype"], "success", "{end:#}");
        assert_eq!(end["permission_denials"], json!([]), "{end:#}");
        assert_eq!(end["result"], "Told.", "{end:#}");
    }
}

/// Returns the name that Claude Code gives to one of our tools.
pub(crate) fn full_name(tool: &str) -> String {
    format!("mcp__plugin_codex_codex__{tool}")
}

/// What the model does next: it loads the tool if it cannot see it, calls it, and concludes.
fn next(request: &Value, tool: &str, input: &Value) -> Answer {
    let loaded = !results_of(request, "ToolSearch").is_empty();
    if !results_of(request, tool).is_empty() {
        Answer::text("Told.")
    } else if loaded || messages::tool_names(request).contains(&tool) {
        Answer::Blocks(vec![messages::tool_use(tool, input)])
    } else {
        let query = json!({"query": format!("select:{tool}"), "max_results": 1});
        Answer::Blocks(vec![messages::tool_use("ToolSearch", &query)])
    }
}

/// Returns the results in `request` of calls of `tool`.
pub(crate) fn results_of<'a>(request: &'a Value, tool: &str) -> Vec<&'a Value> {
    let blocks = list(&request["messages"])
        .iter()
        .flat_map(|message| list(&message["content"]));
    let calls: Vec<&Value> = blocks
        .filter(|block| block["type"] == "tool_use" && block["name"] == tool)
        .map(|block| &block["id"])
        .collect();
    let results = messages::tool_results(request).into_iter();
    results
        .filter(|result| calls.contains(&&result["tool_use_id"]))
        .collect()
}

/// Returns the elements of an array; anything else has none.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
