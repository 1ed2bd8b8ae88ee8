//! The JSON schemas that structured answers follow.
//!
//! They keep to the strict form that the model's service demands: every property is required, no others are allowed, and
//! what may be absent is a type that may be null. The service refuses a schema that does otherwise, and codex does not
//! check it before.

use serde_json::{Map, Value, json};

use crate::domain::request::ConsultKind;

/// Returns the schema of a consult's answer; free text has none.
pub fn consult_schema(kind: ConsultKind) -> Option<Value> {
    match kind {
        ConsultKind::Answer | ConsultKind::Challenge => None,
        ConsultKind::ReviewPlan => Some(plan_schema()),
        ConsultKind::WriteCode => Some(write_code_schema()),
    }
}

/// Returns the schema of a review's answer.
pub fn review_schema() -> Value {
    object([
        ("summary", string()),
        ("verdict", one_of(&["pass", "concerns", "fail"])),
        ("confidence", one_of(&["high", "medium", "low"])),
        ("score", nullable("integer")),
        (
            "findings",
            list(object([
                ("severity", one_of(&["critical", "high", "medium", "low", "nit"])),
                ("title", string()),
                ("file", string()),
                ("line", nullable("integer")),
                ("end_line", nullable("integer")),
                ("side", one_of(&["new", "old"])),
                ("evidence", string()),
                ("risk", string()),
                ("recommendation", string()),
                ("confidence", nullable_one_of(&["high", "medium", "low"])),
            ])),
        ),
        ("questions", list(string())),
        ("assumptions", list(string())),
    ])
}

/// Returns the schema of a check of findings.
pub fn verify_schema() -> Value {
    let verdict = object([
        ("id", string()),
        ("verdict", one_of(&["confirmed", "refuted", "undecided"])),
        ("reason", string()),
        ("command", nullable("string")),
        ("in_base", nullable("boolean")),
    ]);
    object([("verdicts", list(verdict))])
}

/// Returns the schema of a plan review's answer.
pub fn plan_schema() -> Value {
    object([
        ("answer", string()),
        ("missing_tasks", list(string())),
        ("dependency_issues", list(string())),
        ("parallelization", list(string())),
        ("test_gaps", list(string())),
        ("risks", list(string())),
        ("splits", list(string())),
        ("questions", list(string())),
        ("assumptions", list(string())),
    ])
}

/// Returns the schema of the report on a task.
pub fn delegate_schema() -> Value {
    object([
        ("report", string()),
        ("risks", list(string())),
        ("remaining", list(string())),
        ("questions", list(string())),
        ("assumptions", list(string())),
    ])
}

/// Returns the schema of an answer with code.
pub fn write_code_schema() -> Value {
    let block = object([
        ("language", string()),
        ("path", nullable("string")),
        ("text", string()),
    ]);
    object([
        ("answer", string()),
        ("code", list(block)),
        ("questions", list(string())),
        ("assumptions", list(string())),
    ])
}

fn object<const N: usize>(properties: [(&'static str, Value); N]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = properties
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn nullable(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn one_of(values: &[&str]) -> Value {
    json!({ "type": "string", "enum": values })
}

fn nullable_one_of(values: &[&str]) -> Value {
    let values: Vec<Option<&str>> = values.iter().copied().map(Some).chain([None]).collect();
    json!({ "type": ["string", "null"], "enum": values })
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a type where it is used")]
fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_strict(schema: &Value) {
        if schema["type"] == "object" {
            let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
            let required: Vec<&str> = schema["required"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(names, required);
            assert_eq!(schema["additionalProperties"], false);
        }
        match schema {
            Value::Object(map) => map.values().for_each(assert_strict),
            Value::Array(items) => items.iter().for_each(assert_strict),
            _ => {}
        }
    }

    #[test]
    fn schemas_keep_to_the_strict_form() {
        for (name, schema) in [
            ("schema_review", review_schema()),
            ("schema_verify", verify_schema()),
            ("schema_plan", plan_schema()),
            ("schema_delegate", delegate_schema()),
            ("schema_write_code", write_code_schema()),
        ] {
            assert_strict(&schema);
            assert!(jsonschema::validator_for(&schema).is_ok(), "{name}");
            insta::assert_snapshot!(name, serde_json::to_string_pretty(&schema).unwrap());
        }
    }

    #[test]
    fn free_text_has_no_schema() {
        assert_eq!(consult_schema(ConsultKind::Answer), None);
        assert_eq!(consult_schema(ConsultKind::Challenge), None);
        assert!(consult_schema(ConsultKind::ReviewPlan).is_some());
        assert!(consult_schema(ConsultKind::WriteCode).is_some());
    }
}
