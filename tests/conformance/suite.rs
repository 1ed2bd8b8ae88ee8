//! The official conformance suite, for both protocol revisions that are served.
//!
//! Each revision is judged twice: with the samples that most scenarios call, which judges everything around our tools, and as
//! released, which judges what hosts meet. What fails is listed one by one with its reason; a failure that is not listed fails
//! the test, and so does one that is listed and does not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bridge::Bridge;
use crate::node;

/// The script of the suite.
const SUITE: &str = "@modelcontextprotocol/conformance/dist/index.js";

/// A scenario, or one check of it, that fails, and why that is right.
type Expected = (&'static str, &'static str);

const HTTP: &str = "looks at HTTP headers, which standard input and output have not";
const SAMPLE: &str = "calls a sample tool, which no release offers";
const PROMPTS: &str = "this server offers no prompts";
const RESOURCES: &str = "this server offers no resources";
const LOGGING: &str = "this server does not log to its host";
const COMPLETION: &str = "this server completes no arguments";

const OLDER_WITH_SAMPLES: &[Expected] = &[("dns-rebinding-protection", HTTP)];

const NEWER_WITH_SAMPLES: &[Expected] = &[
    ("dns-rebinding-protection", HTTP),
    ("server-stateless: sep-2575-http-server-header-mismatch-400", HTTP),
];

const OLDER_AS_RELEASED: &[Expected] = &[
    ("completion-complete", COMPLETION),
    ("dns-rebinding-protection", HTTP),
    ("elicitation-sep1034-defaults", SAMPLE),
    ("elicitation-sep1330-enums", SAMPLE),
    ("logging-set-level", LOGGING),
    ("prompts-get-embedded-resource", PROMPTS),
    ("prompts-get-simple", PROMPTS),
    ("prompts-get-with-args", PROMPTS),
    ("prompts-get-with-image", PROMPTS),
    ("prompts-list", PROMPTS),
    ("resources-list", RESOURCES),
    ("resources-read-binary", RESOURCES),
    ("resources-read-text", RESOURCES),
    ("resources-subscribe", RESOURCES),
    ("resources-templates-read", RESOURCES),
    ("resources-unsubscribe", RESOURCES),
    ("tools-call-audio", SAMPLE),
    ("tools-call-elicitation", SAMPLE),
    ("tools-call-embedded-resource", SAMPLE),
    ("tools-call-error", SAMPLE),
    ("tools-call-image", SAMPLE),
    ("tools-call-mixed-content", SAMPLE),
    ("tools-call-sampling", SAMPLE),
    ("tools-call-simple-text", SAMPLE),
    ("tools-call-with-logging", LOGGING),
    ("tools-call-with-progress", SAMPLE),
];

const NEWER_AS_RELEASED: &[Expected] = &[
    ("caching: sep-2549-prompts-list-caching-hints", PROMPTS),
    ("caching: sep-2549-resources-list-caching-hints", RESOURCES),
    (
        "caching: sep-2549-resources-templates-list-caching-hints",
        RESOURCES,
    ),
    ("completion-complete", COMPLETION),
    ("dns-rebinding-protection", HTTP),
    ("input-required-result-basic-elicitation", SAMPLE),
    ("input-required-result-basic-list-roots", SAMPLE),
    ("input-required-result-basic-sampling", SAMPLE),
    ("input-required-result-capability-check", SAMPLE),
    ("input-required-result-ignore-extra-params", SAMPLE),
    ("input-required-result-missing-input-response", SAMPLE),
    ("input-required-result-multi-round", SAMPLE),
    ("input-required-result-multiple-input-requests", SAMPLE),
    ("input-required-result-non-tool-request", PROMPTS),
    ("input-required-result-request-state", SAMPLE),
    ("input-required-result-result-type", SAMPLE),
    ("input-required-result-tampered-state", SAMPLE),
    ("prompts-get-embedded-resource", PROMPTS),
    ("prompts-get-simple", PROMPTS),
    ("prompts-get-with-args", PROMPTS),
    ("prompts-get-with-image", PROMPTS),
    ("prompts-list", PROMPTS),
    ("resources-list", RESOURCES),
    ("resources-read-binary", RESOURCES),
    ("resources-read-text", RESOURCES),
    ("resources-templates-read", RESOURCES),
    ("sep-2164-resource-not-found", RESOURCES),
    ("server-stateless: sep-2575-http-server-header-mismatch-400", HTTP),
    (
        "server-stateless: sep-2575-http-server-no-independent-requests-on-stream",
        SAMPLE,
    ),
    ("server-stateless: sep-2575-missing-capability-http-400", SAMPLE),
    (
        "server-stateless: sep-2575-server-no-log-without-loglevel",
        SAMPLE,
    ),
    (
        "server-stateless: sep-2575-server-rejects-undeclared-capability",
        SAMPLE,
    ),
    ("tools-call-audio", SAMPLE),
    ("tools-call-embedded-resource", SAMPLE),
    ("tools-call-error", SAMPLE),
    ("tools-call-image", SAMPLE),
    ("tools-call-mixed-content", SAMPLE),
    ("tools-call-simple-text", SAMPLE),
    ("tools-call-with-progress", SAMPLE),
];

/// What is offered to the suite.
#[derive(Clone, Copy)]
enum Offer {
    Samples,
    AsReleased,
}

#[test]
fn the_older_revision_passes_with_samples() {
    check("2025-11-25", Offer::Samples, OLDER_WITH_SAMPLES);
}

#[test]
fn the_newer_revision_passes_with_samples() {
    check("2026-07-28", Offer::Samples, NEWER_WITH_SAMPLES);
}

#[test]
fn the_older_revision_passes_as_released() {
    check("2025-11-25", Offer::AsReleased, OLDER_AS_RELEASED);
}

#[test]
fn the_newer_revision_passes_as_released() {
    check("2026-07-28", Offer::AsReleased, NEWER_AS_RELEASED);
}

/// Runs all that a revision requires of a server and compares what failed with what must fail.
fn check(revision: &str, offer: Offer, expected: &[Expected]) {
    let home = tempfile::tempdir().unwrap();
    let at = home.path().to_owned();
    let bridge = Bridge::start(move || server(&at, offer));
    let results = home.path().join("results");
    let output = node::script(SUITE, home.path())
        .args(["server", "--url", &bridge.url(), "--requirements", revision, "-o"])
        .arg(&results)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let required = required(revision, home.path());
    let (judged, passed, failed) = read(&results, &required);
    assert_eq!(judged, required, "every scenario was run: {printed}");
    let matches = |listed: &str, failure: &str| {
        failure
            .strip_prefix(listed)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    let unlisted: Vec<_> = failed
        .iter()
        .filter(|(failure, _)| !expected.iter().any(|(listed, _)| matches(listed, failure)))
        .collect();
    let stale: Vec<_> = expected
        .iter()
        .filter(|(listed, _)| !failed.keys().any(|failure| matches(listed, failure)))
        .collect();
    assert!(
        unlisted.is_empty() && stale.is_empty(),
        "{revision}: {passed} checks passed; failed and not listed: {unlisted:#?}; listed and not failed: {stale:#?}"
    );
}

fn server(home: &Path, offer: Offer) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscheck"));
    command
        .arg("serve")
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(home);
    if let Offer::Samples = offer {
        command.env("CROSSCHECK_MCP_SAMPLES", "1");
    }
    command
}

/// Returns the scenarios that the suite says a revision requires of a server. It runs more: extensions, and what it does not
/// judge yet.
fn required(revision: &str, home: &Path) -> BTreeSet<String> {
    let output = node::script(SUITE, home)
        .args(["list", "--requirements", revision])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines = printed
        .lines()
        .skip_while(|line| !line.starts_with("Server scenarios"));
    lines.next();
    let names: BTreeSet<String> = lines
        .map_while(|line| line.strip_prefix("  - "))
        .map(|name| name.trim().to_owned())
        .collect();
    assert!(names.len() > 20, "the suite lists its scenarios: {printed}");
    names
}

/// Reads the results: which required scenarios were judged, how many of their checks passed, and which did not, with the
/// suite's own words.
fn read(results: &Path, required: &BTreeSet<String>) -> (BTreeSet<String>, usize, BTreeMap<String, String>) {
    let (mut judged, mut passed, mut failed) = (BTreeSet::new(), 0, BTreeMap::new());
    for entry in fs::read_dir(results).unwrap() {
        let entry = entry.unwrap();
        let folder = entry.file_name().into_string().unwrap();
        // A folder is called after its scenario and the time.
        let named = |name: &&String| {
            let rest = folder
                .strip_prefix("server-")
                .and_then(|rest| rest.strip_prefix(name.as_str()));
            rest.is_some_and(|rest| rest.starts_with("-20"))
        };
        let Some(scenario) = required.iter().find(named) else {
            continue;
        };
        let text = fs::read_to_string(entry.path().join("checks.json")).unwrap();
        let checks: Vec<Value> = serde_json::from_str(&text).unwrap();
        for check in checks {
            match check["status"].as_str() {
                Some("SUCCESS") => passed += 1,
                Some("FAILURE" | "WARNING") => {
                    let id = check["id"].as_str().unwrap_or_default();
                    failed.insert(format!("{scenario}: {id}"), check["errorMessage"].to_string());
                }
                _ => {}
            }
        }
        judged.insert(scenario.clone());
    }
    (judged, passed, failed)
}
