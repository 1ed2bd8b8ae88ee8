//! From an object on the wire to a struct, with faults that name the field and what it may hold.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::mcp::arguments::schema;
use crate::service::choice::unknown;

/// Decodes the arguments of a tool: unknown names, missing ones and wrong types are told apart.
pub(super) fn decode<T: DeserializeOwned>(tool: &str, mut arguments: Map<String, Value>) -> Result<T, Fault> {
    let schema = schema::of(tool);
    let names = || {
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
    };
    for name in arguments.keys() {
        if !names().any(|known| known == name) {
            return Err(unknown(tool, "", name, names().map(String::as_str)));
        }
    }
    arguments.retain(|_, value| !value.is_null());
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !arguments.contains_key(name) {
            return Err(Fault::argument(name, format!("`{name}` is missing"))
                .hint(format!("call {tool} with `{name}`")));
        }
    }
    serde_path_to_error::deserialize(Value::Object(arguments))
        .map_err(|error| wrong_type(schema, error.path()))
}

/// Says what a field should have held, in the words of the tool's schema.
///
/// The decoder's own message is not used: it repeats the value.
fn wrong_type(schema: &Map<String, Value>, path: &serde_path_to_error::Path) -> Fault {
    let field = path.to_string();
    let name = field.split(['.', '[']).next().unwrap_or_default();
    let mut expected = schema.get("properties").and_then(|all| all.get(name));
    if field.contains('[') {
        expected = expected.and_then(|array| array.get("items"));
    }
    let words = expected.map_or("of another type", in_words);
    Fault::argument(field.clone(), format!("`{field}` is not {words}"))
        .hint(format!("pass {words} as `{name}`"))
}

/// Puts a schema's type into words.
fn in_words(schema: &Value) -> &'static str {
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => "a string",
        Some("integer") => "a whole number of zero or more",
        Some("boolean") => "true or false",
        Some("array") => "a list of strings",
        Some("object") => "an object",
        _ => "of the right type",
    }
}
