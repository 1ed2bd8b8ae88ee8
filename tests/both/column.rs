//! One column of the table: a peer with its model, and how that model is told what to do.

use std::path::PathBuf;

use crosscheck::domain::peer::Peer;
use serde_json::{Value, json};

use crate::support::home::{ANTHROPIC_KEY, Home};
use crate::support::messages::{Answer, FakeMessages, tool_names, tool_results, tool_use};
use crate::support::model::FakeModel;
use crate::support::peers;
use crate::support::scripts::Scripted;
use crate::world::{Server, World};

/// What the model does, for either peer.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    /// It gives this answer, as JSON where a schema is asked for and else as the text in it.
    Answers(Value),
    /// It gives a text where JSON is asked for.
    Garbage,
    /// It writes this file and then reports.
    Writes(&'static str, &'static str),
    /// It never answers.
    Silence,
    /// Nobody is logged in.
    LoggedOut,
    /// The account's allowance is used up.
    OverLimit,
}

/// A peer in a world of its own.
pub(crate) struct Column {
    pub(crate) peer: Peer,
    pub(crate) world: World,
    pub(crate) messages: Option<FakeMessages>,
}

/// The report of a task.
pub(crate) fn report() -> Value {
    json!({"report": "It is done.", "risks": [], "remaining": [], "questions": [], "assumptions": []})
}

/// Returns both columns; of claude both versions.
pub(crate) fn columns(model: &Model) -> Vec<Column> {
    let claude = [peers::claude_197(), peers::claude_newest()];
    let claudes = claude.into_iter().map(|program| Column::claude(program, model));
    std::iter::once(Column::codex(model)).chain(claudes).collect()
}

impl Column {
    /// Makes a world in which codex is asked.
    pub(crate) fn codex(model: &Model) -> Self {
        let script = match model {
            Model::Answers(value) => Scripted::json(value.clone()),
            Model::Garbage => Scripted::fixed("badjson"),
            Model::Writes(file, text) => Scripted::fixed(&format!("patch file={file} text=\"{text}\"")),
            Model::Silence => Scripted::fixed("stall before=1"),
            Model::LoggedOut => Scripted::fixed("unauthorized"),
            Model::OverLimit => Scripted::fixed("usage_limit resets_in=5400"),
        };
        Self {
            peer: Peer::Codex,
            world: World::new(script),
            messages: None,
        }
    }

    /// Makes a world in which this claude is asked.
    pub(crate) fn claude(program: PathBuf, model: &Model) -> Self {
        let told = model.clone();
        Self::claude_with(program, matches!(model, Model::LoggedOut), move |request| {
            answer(&told, request)
        })
    }

    /// Makes a world in which this claude is asked, looks for its model at `url`, and tries again as it does by itself.
    pub(crate) fn claude_at(program: PathBuf, url: &str) -> Self {
        let mut column = Self::claude(program, &Model::Silence);
        column.world.home = column
            .world
            .home
            .with_variable("ANTHROPIC_BASE_URL", url)
            .with_variable("CLAUDE_CODE_MAX_RETRIES", "10");
        column
    }

    /// Makes a world in which this claude is asked, with a script of its own.
    pub(crate) fn claude_with(
        program: PathBuf,
        logged_out: bool,
        script: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let messages = FakeMessages::start(script);
        let model = FakeModel::start(Scripted::well());
        let home = Home::new(&model.base_url())
            .with_variable("CROSSCHECK_CLAUDE_BIN", program)
            .with_variable("ANTHROPIC_BASE_URL", messages.url())
            // Without this an error is tried again for more than two minutes, even 401. Seen with 2.1.197.
            .with_variable("CLAUDE_CODE_MAX_RETRIES", "0");
        let home = if logged_out {
            home
        } else {
            home.with_variable("ANTHROPIC_API_KEY", ANTHROPIC_KEY)
        };
        Self {
            peer: Peer::Claude,
            world: World::of(model, home),
            messages: Some(messages),
        }
    }

    /// Makes the project a repository with a change.
    pub(crate) fn with_change(mut self) -> Self {
        self.world = self.world.with_change();
        self
    }

    /// Starts our server for this peer.
    pub(crate) fn server(&self) -> Server {
        self.world.server_asking(self.peer.as_str())
    }

    /// Returns how often the model was asked.
    pub(crate) fn asked(&self) -> usize {
        match &self.messages {
            Some(messages) => messages.requests().len(),
            None => self.world.model.turns().len(),
        }
    }

    /// Returns everything that the model was told.
    pub(crate) fn told(&self) -> String {
        match &self.messages {
            Some(messages) => format!("{:?}", messages.requests()),
            None => format!(
                "{:?}",
                self.world
                    .model
                    .turns()
                    .iter()
                    .map(|turn| turn.body.to_string())
                    .collect::<Vec<_>>()
            ),
        }
    }

    /// Names the column in a failure.
    pub(crate) fn name(&self) -> String {
        match &self.messages {
            None => "codex".to_owned(),
            Some(_) => format!("claude {:?}", self.world.home.variable("CROSSCHECK_CLAUDE_BIN")),
        }
    }
}

/// What a claude's model answers.
fn answer(model: &Model, request: &Value) -> Answer {
    match model {
        Model::Answers(value) => said(request, value),
        Model::Garbage => Answer::text("Sure! {\"verdict\": \"ok\", trailing"),
        Model::Writes(file, text) => {
            if tool_results(request).is_empty() {
                let path = format!("{}/{file}", working_directory(request));
                Answer::Blocks(vec![tool_use(
                    "Write",
                    &json!({"file_path": path, "content": text}),
                )])
            } else {
                said(request, &report())
            }
        }
        Model::Silence => Answer::Silence,
        // It never gets as far as a request.
        Model::LoggedOut => Answer::error(401, "authentication_error", "invalid x-api-key"),
        Model::OverLimit => Answer::error(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
        ),
    }
}

/// Gives an answer in the way that a request asks for.
pub(crate) fn said(request: &Value, value: &Value) -> Answer {
    if tool_names(request).contains(&"StructuredOutput") {
        Answer::Blocks(vec![tool_use("StructuredOutput", value)])
    } else {
        let text = value["answer"]
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Answer::text(&text)
    }
}

/// Returns the directory in which a claude works, as it tells its model.
pub(crate) fn working_directory(request: &Value) -> String {
    let text = request.to_string();
    let at = text
        .find("working directory: ")
        .unwrap_or_else(|| panic!("no directory in {text}"));
    let rest = &text[at + "working directory: ".len()..];
    let end = rest.find(['\\', '"', '\n']).unwrap();
    rest[..end].to_owned()
}
