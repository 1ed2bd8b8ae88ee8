//! The JSON schema of everything that the tools return, generated from the types that are returned.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::domain::answer::ConsultAnswer;
use crate::domain::envelope::{Failure, Success};
use crate::domain::review_answer::ReviewAnswer;

/// The same schema as it is published with the program; a test keeps the two equal.
///
/// The fingerprint is made of this text, so that starting the server generates nothing.
pub const PUBLISHED: &str = include_str!("../../docs/envelope.schema.json");

/// Generates the schema: a success with the fields of its tool, or a failure.
///
/// The fields of the free tools are open: they are reports for people and models, not records to build on.
pub fn generate() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let head = generator.subschema_for::<Success>();
    let consult = generator.subschema_for::<ConsultAnswer>();
    let review = generator.subschema_for::<ReviewAnswer>();
    let failure = generator.subschema_for::<Failure>();
    let success = |tool: Value| json!([head, {"properties": {"ok": {"const": true}, "tool": tool}}]);
    // A paid call whose wait ended first returns the running job, which has no answer yet.
    let running = json!({"required": ["job"], "properties": {"job": {"properties":
        {"state": {"enum": ["queued", "running"]}}}}});
    let paid = |tool: &str, body: &Schema| {
        let if_over = json!({"if": running, "else": body});
        json!({"allOf": [success(json!({"const": tool})), if_over]})
    };
    // What a delegate returns differs by how it ended and is told by the tool itself.
    let free = json!({"enum": ["status", "dry_run", "job", "cancel", "delegate", "apply", "clean", "demo", "contract"]});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crosscheck envelope",
        "oneOf": [
            flat(&paid("consult", &consult)),
            flat(&paid("review", &review)),
            {"allOf": success(free)},
            {"allOf": [failure, {"properties": {"ok": {"const": false}}}]},
        ],
        "$defs": generator.take_definitions(true),
    })
}

/// Puts the parts of a success beside each other instead of into each other.
fn flat(paid: &Value) -> Value {
    let parts = paid["allOf"].as_array().into_iter().flatten();
    let all: Vec<&Value> = parts
        .flat_map(|part| {
            part.as_array()
                .map_or_else(|| vec![part], |inner| inner.iter().collect())
        })
        .collect();
    json!({"allOf": all})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let text = format!("{}\n", serde_json::to_string_pretty(&generate()).unwrap());
        if std::env::var_os("CROSSCHECK_WRITE_SCHEMA").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/envelope.schema.json");
            std::fs::write(path, &text).unwrap();
            return;
        }
        assert!(
            text == PUBLISHED,
            "the types have changed: run `CROSSCHECK_WRITE_SCHEMA=1 cargo test published_schema`, and say so in the changelog"
        );
    }
}
