//! The smallest instance of a JSON schema, and a value bent into one.
//!
//! It covers what a request for structured output may contain: objects, arrays, enums, constants, unions and local
//! references. It is not a validator, and an instance of a schema with `pattern` or `format` may not satisfy it.

use serde_json::{Map, Value, json};

/// How deep schemas are followed, since a reference may point back at its own definition.
const MAX_DEPTH: usize = 64;
/// The most items that `minItems` can ask for, so that a schema cannot ask for an endless answer.
const MAX_ITEMS: u64 = 100;

/// Returns the smallest boring instance of `schema`: every listed property, one item per array, the first choice.
pub fn instance(schema: &Value) -> Value {
    Shape { root: schema }.instance(schema, "value", 0)
}

/// Returns `wanted` bent into an instance of `schema`: members that the schema does not list are left out, missing
/// ones are filled in, and a value of another type or outside an enum is replaced.
pub fn fit(schema: &Value, wanted: &Value) -> Value {
    Shape { root: schema }.fit(schema, wanted, "value", 0)
}

struct Shape<'a> {
    root: &'a Value,
}

impl<'a> Shape<'a> {
    fn instance(&self, schema: &'a Value, name: &str, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(target) = self.target(schema) {
            return self.instance(target, name, depth + 1);
        }
        if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
            return fixed.clone();
        }
        if let Some(first) = list(schema, "enum").first() {
            return first.clone();
        }
        if let Some(first) = choices(schema).next() {
            return self.instance(first, name, depth + 1);
        }
        match kinds(schema)
            .find(|kind| *kind != "null")
            .unwrap_or_else(|| default_kind(schema))
        {
            "object" => {
                let members = properties(schema);
                members
                    .map(|(key, inner)| (key.clone(), self.instance(inner, key, depth + 1)))
                    .collect()
            }
            "array" => {
                let least = schema
                    .get("minItems")
                    .and_then(Value::as_u64)
                    .unwrap_or(1)
                    .clamp(1, MAX_ITEMS);
                let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(least);
                let item = schema.get("items").map_or_else(
                    || json!("demo item"),
                    |items| self.instance(items, name, depth + 1),
                );
                (0..least.min(most)).map(|_| item.clone()).collect()
            }
            "integer" | "number" => schema
                .get("minimum")
                .or_else(|| schema.get("maximum"))
                .cloned()
                .unwrap_or_else(|| json!(1)),
            "boolean" => Value::Bool(true),
            "string" => Value::String(format!("demo {name}")),
            _ => Value::Null,
        }
    }

    fn fit(&self, schema: &'a Value, wanted: &Value, name: &str, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(target) = self.target(schema) {
            return self.fit(target, wanted, name, depth + 1);
        }
        if let Some(fixed) = schema.get("const") {
            return fixed.clone();
        }
        if let Some(choice) = choices(schema).find(|choice| self.accepts(choice, wanted, depth + 1)) {
            return self.fit(choice, wanted, name, depth + 1);
        }
        if !self.accepts(schema, wanted, depth + 1) {
            return self.instance(schema, name, depth + 1);
        }
        match wanted {
            Value::Object(members) => self.fit_object(schema, members, depth),
            Value::Array(items) => match schema.get("items") {
                Some(inner) => items
                    .iter()
                    .map(|item| self.fit(inner, item, name, depth + 1))
                    .collect(),
                None => wanted.clone(),
            },
            _ => wanted.clone(),
        }
    }

    fn fit_object(&self, schema: &'a Value, wanted: &Map<String, Value>, depth: usize) -> Value {
        let mut fitted = Map::new();
        for (key, inner) in properties(schema) {
            let value = match wanted.get(key) {
                Some(value) => self.fit(inner, value, key, depth + 1),
                None => self.instance(inner, key, depth + 1),
            };
            fitted.insert(key.clone(), value);
        }
        Value::Object(fitted)
    }

    /// Says whether `value` has the outer shape that `schema` asks for: its type and, of an enum, the choice.
    fn accepts(&self, schema: &'a Value, value: &Value, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return false;
        }
        if let Some(target) = self.target(schema) {
            return self.accepts(target, value, depth + 1);
        }
        if let Some(fixed) = schema.get("const") {
            return fixed == value;
        }
        let listed = list(schema, "enum");
        if !listed.is_empty() {
            return listed.contains(value);
        }
        if choices(schema).next().is_some() {
            return choices(schema).any(|choice| self.accepts(choice, value, depth + 1));
        }
        let mut kinds = kinds(schema).peekable();
        if kinds.peek().is_none() {
            return is_kind(default_kind(schema), value);
        }
        kinds.any(|kind| is_kind(kind, value))
    }

    /// Returns what a local reference points at.
    fn target(&self, schema: &Value) -> Option<&'a Value> {
        self.root
            .pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .flat_map(|key| list(schema, key))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// Returns the types that a schema names: none, one or several.
fn kinds(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema.get("type").and_then(Value::as_str);
    one.into_iter()
        .chain(list(schema, "type").iter().filter_map(Value::as_str))
}

/// Returns the type that a schema without a named one most likely means.
fn default_kind(schema: &Value) -> &'static str {
    if schema.get("properties").is_some() {
        "object"
    } else if schema.get("items").is_some() {
        "array"
    } else if schema.get("type").is_some() {
        "null"
    } else {
        "string"
    }
}

fn is_kind(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        _ => value.is_null(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_schema_has_its_smallest_instance() {
        let check = |schema: Value, expected: Value| assert_eq!(instance(&schema), expected, "{schema}");
        check(json!({"type": "string"}), json!("demo value"));
        check(json!({"type": ["integer", "null"], "minimum": 3}), json!(3));
        check(json!({"type": "null"}), json!(null));
        check(json!({"type": ["null"]}), json!(null));
        check(json!({"enum": ["a", "b"]}), json!("a"));
        check(json!({"const": 4}), json!(4));
        check(
            json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
            json!(true),
        );
        check(
            json!({"type": "array", "items": {"type": "number"}, "minItems": 2}),
            json!([1, 1]),
        );
        check(json!({"type": "array", "maxItems": 0}), json!([]));
        check(
            json!({"properties": {"b": {"type": "string"}, "a": {"items": {}}}}),
            json!({"b": "demo b",
            "a": ["demo a"]}),
        );
        check(
            json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "properties": {"k": {"enum": [1]}}}}}),
            json!({"k": 1}),
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema =
            json!({"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}});
        assert!(instance(&schema).is_object());
        assert_eq!(instance(&json!({"$ref": "#"})), json!(null));
    }

    #[test]
    fn a_value_is_bent_into_the_schema() {
        let schema = json!({"type": "object", "properties": {
            "severity": {"enum": ["high", "low"]},
            "line": {"type": ["integer", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "added": {"type": "boolean"},
        }});
        let wanted = json!({"severity": "critical", "line": null, "tags": ["a", 1], "unknown": 1});
        assert_eq!(
            fit(&schema, &wanted),
            json!({"severity": "high", "line": null, "tags": ["a", "demo tags"], "added": true})
        );
        assert_eq!(
            fit(
                &json!({"anyOf": [{"type": "null"}, {"type": "integer"}]}),
                &json!(7)
            ),
            json!(7)
        );
        assert_eq!(
            fit(&json!({"type": "array", "items": {"type": "string"}}), &json!([])),
            json!([])
        );
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!({"type": "string"})),
            Just(json!({"type": ["integer", "null"], "minimum": 0})),
            Just(json!({"enum": ["x", "y", null]})),
            Just(json!({"type": "boolean"})),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                inner
                    .clone()
                    .prop_map(|items| json!({"type": "array", "items": items})),
                inner
                    .clone()
                    .prop_map(|choice| json!({"anyOf": [choice, {"type": "null"}]})),
                proptest::collection::btree_map("[a-d]", inner, 0..4).prop_map(|properties| {
                    let required: Vec<_> = properties.keys().cloned().collect();
                    json!({"type": "object", "additionalProperties": false, "required": required,
                           "properties": properties})
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_instance_and_a_fitted_value_satisfy_their_schema(schema in schemas(), other in schemas()) {
            let made = instance(&schema);
            prop_assert!(jsonschema::is_valid(&schema, &made), "{} for {}", made, schema);
            prop_assert_eq!(fit(&schema, &made), made);
            let fitted = fit(&schema, &instance(&other));
            prop_assert!(jsonschema::is_valid(&schema, &fitted), "{} for {}", fitted, schema);
        }
    }
}
