//! The rare knobs that both peers have: a thread of its own, further folders, and labels.

use std::fs;

use serde_json::{Value, json};

use crate::column::{Column, Model, columns, said};
use crate::support::messages::{Answer, flat, tool_results, tool_use};
use crate::support::peers;

/// Asks, in words that either peer's model follows.
fn ask(prompt: &str, more: &Value) -> Value {
    let mut arguments = json!({"prompt": format!("{prompt} [[fake:plain text=\"Yes.\"]]")});
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    arguments
}

#[test]
fn a_fork_goes_on_from_a_thread_and_leaves_it_as_it_is() {
    for column in columns(&Model::Answers(json!({"answer": "Yes."}))) {
        let column = column.with_change();
        let mut server = column.server();
        let first = server.ok("consult", &ask("The first word is heron.", &json!({})));
        let id = first["job"]["id"].clone();
        let forked = ask(
            "A second word is otter.",
            &json!({"resume": id, "options": {"fork": true}}),
        );
        let forked = server.ok("consult", &forked);
        assert_ne!(
            forked["meta"]["thread"],
            first["meta"]["thread"],
            "{}",
            column.name()
        );
        assert_eq!(forked["warnings"], json!([]), "{forked:#}");
        assert_eq!(
            forked["meta"]["usage"],
            first["meta"]["usage"],
            "tokens are those of the run alone: {}",
            column.name()
        );
        let again = server.ok("consult", &ask("Which words?", &json!({"resume": id})));
        assert_eq!(again["meta"]["thread"], first["meta"]["thread"]);
        let on_wire: Vec<String> = match &column.messages {
            Some(messages) => messages.requests().iter().map(Value::to_string).collect(),
            None => column
                .world
                .model
                .turns()
                .iter()
                .map(|turn| turn.body.to_string())
                .collect(),
        };
        let has = |at: usize, word: &str| on_wire[at].contains(word);
        assert_eq!(on_wire.len(), 3, "{}", column.name());
        assert!(has(1, "heron") && has(1, "otter"), "{}", on_wire[1]);
        assert!(has(2, "heron") && !has(2, "otter"), "{}", on_wire[2]);

        let alone = json!({"prompt": "x", "options": {"fork": true}});
        let fault = server.fault("consult", &alone, "invalid_arguments");
        assert_eq!(fault["error"]["field"], "options.fork");
    }
}

#[test]
fn labels_list_what_belongs_together() {
    for column in columns(&Model::Answers(json!({"answer": "Yes."}))) {
        let column = column.with_change();
        let mut server = column.server();
        let labelled = json!({"options": {"group": "goal-1"}});
        let first = server.ok("consult", &ask("One?", &labelled));
        server.ok("consult", &ask("Two?", &json!({})));
        let more = json!({"options": {"group": "goal-1", "supersedes": first["job"]["id"]}});
        let third = server.ok("consult", &ask("Three?", &more));
        let listed = server.ok("job", &json!({"id": "group:goal-1"}));
        let rows = listed["jobs"].as_array().unwrap();
        let ids: Vec<&Value> = rows.iter().map(|row| &row["id"]).collect();
        assert_eq!(ids, [&third["job"]["id"], &first["job"]["id"]], "{listed:#}");
        assert_eq!(rows[0]["supersedes"], first["job"]["id"]);
        let unknown = json!({"prompt": "x", "options": {"supersedes": "01m80dyqka-g1hpqa-ct4gshe5nx"}});
        let fault = server.fault("consult", &unknown, "invalid_arguments");
        assert_eq!(fault["error"]["field"], "options.supersedes", "{fault:#}");
        assert_eq!(rows[0]["group_label"], "goal-1");
        let none = server.ok("job", &json!({"id": "group:other"}));
        assert_eq!(none["jobs"], json!([]));
    }
}

#[test]
fn a_further_root_is_read_by_claude_but_for_its_secrets() {
    for program in [peers::claude_197(), peers::claude_newest()] {
        let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = outside.path().canonicalize().unwrap();
        fs::create_dir(root.join("inner")).unwrap();
        fs::write(root.join("inner/notes.txt"), "the word is heron").unwrap();
        fs::write(root.join("inner/.env"), "the word is otter").unwrap();
        let reads = root.clone();
        let column = Column::claude_with(program, false, move |request| {
            if tool_results(request).is_empty() {
                let read = |name: &str| {
                    let path = reads.join(name).display().to_string();
                    tool_use("Read", &json!({"file_path": path}))
                };
                return Answer::Blocks(vec![read("inner/notes.txt"), read("inner/.env")]);
            }
            said(request, &json!({"answer": "Read."}))
        })
        .with_change();
        let mut server = column.server();
        let asked = |roots: Value| json!({"prompt": "Read it.", "options": {"roots": roots}});
        server.ok("consult", &asked(json!([root])));
        let requests = column.messages.as_ref().unwrap().requests();
        let results: String = tool_results(requests.last().unwrap())
            .iter()
            .map(|result| flat(&result["content"]))
            .collect();
        assert!(results.contains("heron"), "{results}");
        assert!(!results.contains("otter"), "{results}");
        assert!(column.told().contains("You may also read these folders"));

        server.ok("consult", &json!({"prompt": "Read it."}));
        let requests = column.messages.as_ref().unwrap().requests();
        let results: String = tool_results(requests.last().unwrap())
            .iter()
            .map(|result| flat(&result["content"]))
            .collect();
        assert!(!results.contains("heron"), "without it: {results}");
        for dangerous in ["/", "/etc", "/tmp"] {
            let envelope = server.call("consult", &asked(json!([dangerous])));
            assert_eq!(
                envelope["error"]["field"], "options.roots",
                "{dangerous}: {envelope:#}"
            );
        }
    }
}
