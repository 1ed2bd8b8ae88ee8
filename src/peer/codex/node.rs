//! A line of codex's event stream as a tree that holds only what is read of it.
//!
//! A general tree of a line of some megabytes may need fifty times its size: each `[]` of it is a value. This one keeps the
//! named fields alone, of a list its first item, and texts without escapes where they stand in the line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The names of all fields that are read, at any depth.
const FIELDS: [&str; 19] = [
    "type",
    "thread_id",
    "message",
    "error",
    "usage",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "item",
    "text",
    "command",
    "exit_code",
    "aggregated_output",
    "changes",
    "path",
    "kind",
    "server",
    "tool",
    "query",
];

/// A value.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Node<'a> {
    Text(Cow<'a, str>),
    Whole(i128),
    /// A field that comes twice has its last value.
    Fields(Vec<(&'static str, Node<'a>)>),
    /// Nothing that is read.
    #[default]
    Other,
}

impl<'a> Node<'a> {
    /// Reads a JSON object; `None` for anything else.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        if line.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(line).ok()
    }

    /// Returns a field.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        let found = fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, value)| value)
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &str) -> Option<Self> {
        let Self::Fields(fields) = self else { return None };
        let found = fields.iter_mut().find(|(field, _)| *field == name);
        found.map(|(_, value)| std::mem::take(value))
    }

    /// Takes a field that is a text out.
    pub(super) fn take_text(&mut self, name: &str) -> Option<Cow<'a, str>> {
        match self.take(name) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns a number that is whole.
    pub(super) fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Returns a number that is whole and not negative.
    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let first = items.next_element()?.unwrap_or_default();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        // A list of texts is no text.
        Ok(match first {
            Node::Fields(_) => first,
            Node::Text(_) | Node::Whole(_) | Node::Other => Node::Other,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut fields: Vec<(&'static str, Node<'de>)> = Vec::new();
        while let Some(name) = map.next_key::<Name>()? {
            let Name(Some(name)) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            // The earlier one is let go first: each may have megabytes.
            fields.retain(|(field, _)| *field != name);
            let value = map.next_value()?;
            fields.push((name, value));
        }
        Ok(Node::Fields(fields))
    }
}

/// The name of a field that is read.
struct Name(Option<&'static str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(FIELDS.iter().find(|field| **field == text).copied()))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Node<'_>> {
        Node::parse(line.as_bytes())
    }

    #[test]
    fn only_what_is_read_is_kept() {
        let node =
            parse(r#"{"x":{"type":"y"},"type":"a","text":"b\n","usage":{"input_tokens":3},"type":"c"}"#);
        let mut node = node.unwrap();
        assert_eq!(
            node.get("usage")
                .and_then(|u| u.get("input_tokens"))
                .and_then(Node::as_u64),
            Some(3)
        );
        assert_eq!(node.take_text("type").as_deref(), Some("c"));
        assert_eq!(node.take_text("text").as_deref(), Some("b\n"));
        assert_eq!(node.get("x"), None);
        assert!(matches!(
            parse(r#"{"type":"borrowed"}"#).unwrap().take_text("type"),
            Some(Cow::Borrowed(_))
        ));
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        let deep = format!("{{\"item\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        for line in [
            "[]",
            "[{\"type\":\"a\"}]",
            "7",
            "\"type\"",
            "{",
            "{} x",
            deep.as_str(),
        ] {
            assert_eq!(parse(line), None);
        }
    }

    #[test]
    fn a_list_is_its_first_item_and_numbers_have_their_bounds() {
        let line = r#"{"changes":[{"path":"a"},{"path":"b"}],"exit_code":-7,"text":["t"]}"#;
        let mut node = parse(line).unwrap();
        assert_eq!(
            node.take("changes").unwrap().take_text("path").as_deref(),
            Some("a")
        );
        assert_eq!(node.get("exit_code").and_then(Node::as_i64), Some(-7));
        assert_eq!(node.get("exit_code").and_then(Node::as_u64), None);
        assert_eq!(node.take_text("text"), None);
    }
}
