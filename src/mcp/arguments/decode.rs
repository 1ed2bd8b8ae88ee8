//! From an object on the wire to a struct, with faults that name the field and what it may hold.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::mcp::arguments::{choice, schema};

/// Longest argument name repeated in a fault. Names are the caller's own words, but a whole text is no name.
const NAME_CHARS: usize = 40;

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

/// Refuses a name that does not exist, with the nearest one that does.
///
/// `prefix` is what stands before the name in a path, such as `options.`.
pub(super) fn unknown<'a>(
    tool: &str,
    prefix: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Fault {
    if is_approval(name) {
        return Fault::argument(
            format!("{prefix}approval"),
            "`approval` is not taken: a codex that runs for another program never asks",
        )
        .hint("leave it out; consult and review can only read");
    }
    let shown = printable(name);
    let hint = match choice::nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{prefix}{near}`?"),
        None if prefix.is_empty() => format!("leave it out; the arguments of {tool} are listed in `allowed`"),
        None => "call status with topic=options for the keys and their meaning".to_owned(),
    };
    Fault::argument(
        format!("{prefix}{shown}"),
        format!("there is no `{prefix}{shown}`"),
    )
    .allowing(known)
    .hint(hint)
}

/// Tells whether a name asks for codex's approval policy, in any of the spellings of its flag and its configuration.
fn is_approval(name: &str) -> bool {
    let name = name.replace('-', "_");
    matches!(
        name.as_str(),
        "approval"
            | "approvals"
            | "approval_policy"
            | "approval_mode"
            | "ask_for_approval"
            | "approvalPolicy"
    )
}

/// Cuts a name down to what can be shown on one line.
fn printable(name: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
    let shown: String = name.chars().take(NAME_CHARS).take_while(fits).collect();
    if shown.is_empty() {
        "that name".to_owned()
    } else {
        shown
    }
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
