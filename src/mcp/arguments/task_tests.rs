//! How the arguments of a delegate are read, and the rare knobs of all tools.

use serde_json::json;

use super::tests::call;
use super::*;
use crate::domain::delegation::Dirty;
use crate::domain::job::{JobId, WorkspaceHash};
use crate::domain::request::Options;

#[test]
fn every_knob_of_the_table_can_be_set() {
    for row in options::TABLE {
        let value = match row.name {
            "timeout_s" => json!(60),
            "budget_tokens" => json!(1000),
            "budget_usd" => json!(0.5),
            "max_turns" => json!(3),
            "isolation" => json!("ignore_config"),
            "web_search" | "ephemeral" | "network" | "in_place" | "fork" => json!(true),
            "roots" => json!(["/one"]),
            "supersedes" => json!(JobId::new(1, WorkspaceHash::of(b"w"), 7)),
            "concurrency" => json!(2),
            "since" => json!("latest"),
            "profile" => json!("default"),
            "untracked" => json!("exclude"),
            "runner" => json!("cloud"),
            "max_files" | "max_parts" => json!(5),
            "reuse" | "allow_commands" => json!(["text"]),
            _ => json!("text"),
        };
        let mut knobs = Map::new();
        knobs.insert(row.name.to_owned(), value);
        for tool in ["consult", "review", "delegate"] {
            match options::parse(tool, knobs.clone()) {
                Ok(read) => assert!(
                    row.tools.contains(&tool) && read != Options::default(),
                    "{}",
                    row.name
                ),
                Err(fault) => {
                    assert!(!row.tools.contains(&tool), "{}: {fault}", row.name);
                    assert_eq!(fault.field, Some(format!("options.{}", row.name)));
                }
            }
        }
        assert!(row.meaning.ends_with('.') && !row.kind.is_empty() && !row.default.is_empty());
    }
}

#[test]
fn a_knob_of_others_is_refused_with_what_holds_instead() {
    for (name, part) in [
        ("approval", "nobody can be asked"),
        ("sandbox", "the tool decides"),
        ("secrets", "always withheld"),
        ("refs", "options.roots"),
    ] {
        let mut knobs = Map::new();
        knobs.insert(name.to_owned(), json!("s3cret"));
        let fault = options::parse("delegate", knobs).unwrap_err();
        assert_eq!(fault.field, Some(format!("options.{name}")));
        assert!(
            fault.message.contains(part) && !fault.message.contains("s3cret"),
            "{fault}"
        );
    }
}

#[test]
fn each_profile_holds_the_ones_before_it() {
    let commands = |profile: &str| {
        let mut knobs = Map::new();
        knobs.insert("profile".to_owned(), json!(profile));
        knobs.insert("allow_commands".to_owned(), json!(["make"]));
        options::parse("delegate", knobs).unwrap().allow_commands
    };
    let (strict, usual, permissive) = (commands("strict"), commands("default"), commands("permissive"));
    assert!(strict.contains(&"cargo test".to_owned()) && strict.contains(&"make".to_owned()));
    assert!(!strict.contains(&"node".to_owned()) && usual.contains(&"node".to_owned()));
    assert!(!usual.contains(&"npx".to_owned()) && permissive.contains(&"npx".to_owned()));
    assert!(strict.iter().all(|command| usual.contains(command)));
    assert!(usual.iter().all(|command| permissive.contains(command)));
}

#[test]
fn a_task_takes_the_calls_lists_where_it_has_none_of_its_own() {
    let request = call(
        "delegate",
        json!({
            "tasks": [
                {"id": "a", "task": "first", "allowed_paths": ["docs/**"]},
                {"id": "b", "task": "second", "checks": ["make b"]},
            ],
            "allowed_paths": ["src/**"], "checks": ["make"], "attempts": "2", "base": "main",
        }),
    );
    let Ok(Request::Delegate(request)) = request else {
        panic!("{request:?}");
    };
    let lists: Vec<(&str, &[String], &[String])> = request
        .tasks
        .iter()
        .map(|task| {
            (
                task.id.as_str(),
                task.allowed_paths.as_slice(),
                task.checks.as_slice(),
            )
        })
        .collect();
    let list = |text: &str| vec![text.to_owned()];
    assert_eq!(
        lists,
        [
            ("a", list("docs/**").as_slice(), list("make").as_slice()),
            ("b", list("src/**").as_slice(), list("make b").as_slice()),
        ]
    );
    assert_eq!((request.attempts, request.dirty), (2, Dirty::Committed));
    assert!(request.is_group());
}
