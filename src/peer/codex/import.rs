//! How codex takes over a conversation of another agent's: a request to its app-server, free and without a model.
//!
//! It takes only files below `.claude/projects` of the home folder, and answers with a notification when it is done. Seen with
//! codex-cli 0.169.0; `a_conversation_is_handed_over_and_goes_on_in_codex` pins it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::domain::request::ThreadId;

/// Returns where the file of a conversation has to lie below a home folder.
pub fn place(home: &Path, session: &str) -> PathBuf {
    home.join(".claude/projects/handed-over")
        .join(format!("{session}.jsonl"))
}

/// Returns the lines to send.
pub fn request(file: &Path, directory: &Path) -> String {
    let hello = json!({"id": 1, "method": "initialize", "params": {"clientInfo":
        {"name": "codex_crosscheck", "title": null, "version": env!("CARGO_PKG_VERSION")}}});
    let item = json!({
        "itemType": "SESSIONS",
        "description": "a conversation that was handed over",
        "cwd": directory.to_string_lossy(),
        "details": {"sessions": [{"path": file.to_string_lossy(), "cwd": directory.to_string_lossy()}]},
    });
    let import =
        json!({"id": 2, "method": "externalAgentConfig/import", "params": {"migrationItems": [item]}});
    format!("{hello}\n{}\n{import}\n", json!({"method": "initialized"}))
}

/// What a line of the app-server says of the import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The thread that holds the conversation now.
    Thread(ThreadId),
    /// It was not taken over, with codex's words.
    Refused(String),
    /// This codex knows no such request.
    Unknown,
}

/// Reads one line; `None` when it says nothing of the end.
pub fn parse(line: &[u8]) -> Option<Told> {
    let value: Value = serde_json::from_slice(line).ok()?;
    if value["id"] == 2 {
        let error = value.get("error")?;
        let message = error["message"].as_str().unwrap_or("no reason");
        let unknown = error["code"] == -32601 || message.contains("unknown variant");
        return Some(if unknown {
            Told::Unknown
        } else {
            Told::Refused(message.to_owned())
        });
    }
    if value["method"] != "externalAgentConfig/import/completed" {
        return None;
    }
    let results = value.pointer("/params/itemTypeResults").and_then(Value::as_array);
    let results = results.map(Vec::as_slice).unwrap_or_default();
    let items = |name: &'static str| {
        results
            .iter()
            .filter_map(move |result| result.get(name)?.as_array())
            .flatten()
    };
    let thread = items("successes")
        .filter_map(|success| success["target"].as_str())
        .find_map(|id| ThreadId::try_from(id.to_owned()).ok());
    Some(thread.map_or_else(
        || {
            let why = items("failures").find_map(|failure| failure["message"].as_str());
            Told::Refused(why.unwrap_or("codex names no thread").to_owned())
        },
        Told::Thread,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_import_names_the_thread_or_the_reason() {
        let check = |line: Value, expected: Option<Told>| {
            assert_eq!(parse(line.to_string().as_bytes()), expected, "{line}");
        };
        let id = "01a1ffdb-b952-72b2-abd0-b9a3e6842b3d";
        let done = |result: Value| json!({"method": "externalAgentConfig/import/completed", "params": {"importId": "x", "itemTypeResults": [result]}});
        let thread = ThreadId::try_from(id.to_owned()).unwrap();
        check(
            done(json!({"successes": [{"target": id}], "failures": []})),
            Some(Told::Thread(thread)),
        );
        check(
            done(json!({"successes": [], "failures": [{"message": "not detected"}]})),
            Some(Told::Refused("not detected".to_owned())),
        );
        check(
            done(json!({"successes": [{"target": "../x"}]})),
            Some(Told::Refused("codex names no thread".to_owned())),
        );
        check(json!({"id": 2, "result": {"importId": "x"}}), None);
        check(
            json!({"id": 2, "error": {"code": -32601, "message": "no"}}),
            Some(Told::Unknown),
        );
        check(
            json!({"id": 2, "error": {"code": -32600, "message": "bad"}}),
            Some(Told::Refused("bad".to_owned())),
        );
        check(
            json!({"method": "externalAgentConfig/import/progress", "params": {}}),
            None,
        );
        check(json!(7), None);
    }
}
