//! The tool calls and options that the guide for users of other bridges names are ones that exist.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::tests::call;
use super::{TOOLS, schema};
use crate::service::options;

/// The guide, as it is published.
const GUIDE: &str = include_str!("../../../docs/migrating.md");

#[test]
fn every_tool_call_of_the_guide_is_accepted() {
    let named = Regex::new("`([a-z_]+) (\\{[^`]*\\})`").unwrap();
    let mut tools = BTreeSet::new();
    for found in named.captures_iter(GUIDE) {
        let (tool, text) = (&found[1], &found[2]);
        let arguments: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let schema = Value::Object(schema::of(tool).clone());
        let wrong = jsonschema::validator_for(&schema)
            .unwrap()
            .validate(&arguments)
            .err();
        assert!(wrong.is_none(), "{tool} {text}: {wrong:?}");
        let parsed = call(tool, arguments);
        assert!(parsed.is_ok(), "{tool} {text}: {parsed:?}");
        tools.insert(tool.to_owned());
    }
    let all: BTreeSet<String> = TOOLS.iter().map(|tool| (*tool).to_owned()).collect();
    assert_eq!(tools, all, "each tool is named with a call");
}

#[test]
fn every_option_of_the_guide_exists() {
    let named = Regex::new(r"`options\.([a-z_]+)`").unwrap();
    let mut count = 0;
    for found in named.captures_iter(GUIDE) {
        assert!(
            options::TABLE.iter().any(|row| row.name == &found[1]),
            "{}",
            &found[1]
        );
        count += 1;
    }
    assert!(count > 3, "the pattern finds options");
}
