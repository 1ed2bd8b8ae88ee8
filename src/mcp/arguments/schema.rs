//! The schemas of the tools' arguments, in the one dialect that every known host can read.
//!
//! Generators write `$ref`, `$schema`, numeric formats and nullable types. Each of them makes some host warn its user,
//! drop the tool or show the argument as something else, so they are taken out here.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::mcp::arguments::{TOOLS, apply, cancel, consult, delegate, dry_run, job, review, status};

/// Returns the schema of a tool's arguments; an empty one for a name that is no tool.
pub(crate) fn of(tool: &str) -> &'static Map<String, Value> {
    static NONE: OnceLock<Map<String, Value>> = OnceLock::new();
    static SCHEMAS: OnceLock<[Map<String, Value>; TOOLS.len()]> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        [
            slim::<apply::ApplyArguments>(),
            slim::<cancel::CancelArguments>(),
            slim::<consult::ConsultArguments>(),
            slim::<delegate::DelegateArguments>(),
            slim::<dry_run::DryRunArguments>(),
            slim::<job::JobArguments>(),
            slim::<review::ReviewArguments>(),
            slim::<status::StatusArguments>(),
        ]
    });
    match TOOLS.iter().position(|name| *name == tool) {
        Some(at) => &schemas[at],
        None => NONE.get_or_init(Map::new),
    }
}

/// Makes the schema of a type and takes out what hosts cannot read.
fn slim<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    slim_down(&mut schema);
    let Value::Object(mut root) = schema else {
        return Map::new();
    };
    // The root is described by the tool itself.
    root.remove("title");
    root.remove("description");
    root
}

fn slim_down(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    map.remove("$schema");
    map.remove("$defs");
    map.remove("format");
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if map.contains_key("properties") {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    } else if map.get("additionalProperties") == Some(&Value::Bool(true)) {
        map.remove("additionalProperties");
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(slim_down);
    }
    if let Some(items) = map.get_mut("items") {
        slim_down(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no schema of ours may hold anywhere.
    const UNREADABLE: [&str; 9] = [
        "$ref", "$defs", "$schema", "format", "oneOf", "anyOf", "allOf", "not", "default",
    ];
    /// Longest description of a parameter: more is for `status topic=options` and the skill.
    const DESCRIPTION_CHARS: usize = 40;

    fn walk(schema: &Value, at: &str) {
        let Value::Object(map) = schema else { return };
        for key in UNREADABLE {
            assert!(!map.contains_key(key), "{at} holds {key}");
        }
        assert!(
            map.get("type").is_some_and(Value::is_string),
            "{at} has no single type"
        );
        if let Some(properties) = map.get("properties") {
            assert_eq!(map.get("additionalProperties"), Some(&Value::Bool(false)), "{at}");
            for (name, property) in properties.as_object().unwrap() {
                let description = property["description"].as_str().unwrap_or_default();
                let length = description.chars().count();
                assert!(
                    (1..=DESCRIPTION_CHARS).contains(&length),
                    "{at}.{name}: {length} characters"
                );
                walk(property, &format!("{at}.{name}"));
            }
        }
        if let Some(items) = map.get("items") {
            walk(items, &format!("{at}[]"));
        }
    }

    #[test]
    fn schemas_hold_only_what_every_host_reads() {
        for tool in TOOLS {
            walk(&Value::Object(of(tool).clone()), tool);
        }
    }
}
