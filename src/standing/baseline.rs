//! `.crosscheck/baseline.json`: findings that were accepted as they stand.

use serde::{Deserialize, Serialize};

use crate::domain::baseline::Accepted;
use crate::standing::text::shown;

/// Where the file stands, from the repository's root.
pub const PATH: &str = ".crosscheck/baseline.json";
/// Bytes of it: some ten thousand findings with their quotes.
pub const BYTES: u64 = 8 * 1024 * 1024;
/// Findings of it.
pub const ENTRIES: usize = 10_000;
/// The version that is written. A newer one is not read: what it says may mean something else.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    findings: Vec<Accepted>,
}

/// Says why a text is no baseline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadBaseline(String);

/// Reads the text of the file, whole or not at all.
pub fn parse(text: &str) -> Result<Vec<Accepted>, BadBaseline> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        let what = if error.is_syntax() || error.is_eof() {
            "this is no JSON".to_owned()
        } else {
            shown(&error.to_string())
        };
        BadBaseline(format!("line {}: {what}", error.line()))
    })?;
    if file.version > VERSION {
        return Err(BadBaseline(format!(
            "it has version {}; this program reads {VERSION}",
            file.version
        )));
    }
    if file.findings.len() > ENTRIES {
        return Err(BadBaseline(format!("more than {ENTRIES} findings")));
    }
    Ok(file.findings)
}

/// Writes the file: one order whatever came first, so that two writers differ where they disagree.
pub fn write(mut findings: Vec<Accepted>) -> String {
    findings.sort_by(|a, b| (&a.file, &a.id, a.severity).cmp(&(&b.file, &b.id, b.severity)));
    findings.dedup();
    let file = File {
        version: VERSION,
        findings,
    };
    let text = serde_json::to_string_pretty(&file).unwrap_or_default();
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::Severity;

    #[test]
    fn a_baseline_is_read_whole_or_not_at_all() {
        let entry = |id: &str| Accepted {
            id: id.to_owned(),
            severity: Severity::Low,
            file: "a.rs".to_owned(),
            title: "t".to_owned(),
            evidence: "code();".to_owned(),
        };
        let text = write(vec![entry("b"), entry("a"), entry("b")]);
        assert_eq!(parse(&text), Ok(vec![entry("a"), entry("b")]));
        let check = |text: &str, words: &str| {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check("", "line 1: this is no JSON");
        check("{", "no JSON");
        check("{\"version\":2,\"findings\":[]}", "version 2");
        check("{\"version\":1,\"findings\":[],\"more\":1}", "unknown field");
        check(
            "{\"version\":1,\n\"findings\":[{\"id\":\"a\"}]}",
            "line 2: missing field",
        );
    }
}
