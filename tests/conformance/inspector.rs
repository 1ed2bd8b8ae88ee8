//! The official inspector, in its mode without a window.

use std::process::Output;

use serde_json::Value;

use crate::node;

/// The script of the inspector.
const INSPECTOR: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// The ways to begin a session that it knows.
const ERAS: [&str; 3] = ["legacy", "modern", "auto"];

fn inspect(era: &str, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let output = node::script(INSPECTOR, home.path())
        .args([
            "--cli",
            env!("CARGO_BIN_EXE_crosscheck"),
            "serve",
            "--protocol-era",
            era,
        ])
        .args(["--format", "json"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{era} {arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn result(output: &Output) -> Value {
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    printed["result"].clone()
}

#[test]
fn no_host_would_stumble_over_a_schema() {
    for era in ERAS {
        let output = inspect(era, &["--method", "tools/list", "--strict"]);
        assert_eq!(
            result(&output)["tools"].as_array().map(Vec::len),
            Some(8),
            "{era}"
        );
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        for word in ["error", "warning", "portability"] {
            assert!(!said.contains(word), "{era}: {said}");
        }
    }
}

#[test]
fn a_tool_answers_in_every_era() {
    for era in ERAS {
        let call = [
            "--method",
            "tools/call",
            "--tool-name",
            "status",
            "--tool-args-json",
        ];
        let output = inspect(era, &[call.as_slice(), &["{\"topic\":\"errors\"}"]].concat());
        let answer = &result(&output)["structuredContent"];
        assert_eq!(answer["ok"], true, "{era}: {answer}");
        assert!(
            answer["errors"].as_array().is_some_and(|rows| rows.len() > 40),
            "{era}"
        );
    }
}
