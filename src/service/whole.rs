//! Whole numbers as models write them: `1`, `1.0` and `"1"`.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::domain::fault::Fault;

/// A whole number of zero or more, read leniently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u64);

impl Whole {
    /// Checks the bounds of a field.
    pub(crate) fn within(self, field: &str, bounds: RangeInclusive<u64>) -> Result<u64, Fault> {
        if bounds.contains(&self.0) {
            return Ok(self.0);
        }
        let (low, high) = (bounds.start(), bounds.end());
        Err(
            Fault::argument(field, format!("`{field}` is not between {low} and {high}"))
                .hint(format!("pass a whole number from {low} to {high}")),
        )
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a whole number of zero or more")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
        Ok(Whole(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
        u64::try_from(value)
            .map(Whole)
            .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
        // Every bound of ours is far below this, and up to here each whole number has its own float.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && (0.0..=EXACT).contains(&value) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the value was just checked to be a whole number within bounds"
            )]
            return Ok(Whole(value as u64));
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
        let digits = text.trim();
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse() {
            Ok(value) if plain => Ok(Whole(value)),
            _ => Err(E::custom("not a whole number")),
        }
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_models_write_them() {
        let check = |json: &str, expected: Option<u64>| {
            let read = serde_json::from_str::<Whole>(json).ok().map(|whole| whole.0);
            assert_eq!(read, expected, "{json}");
        };
        check("7", Some(7));
        check("7.0", Some(7));
        check("\"7\"", Some(7));
        check("\" 7.0 \"", Some(7));
        check("0", Some(0));
        check("-1", None);
        check("7.5", None);
        check("\"seven\"", None);
        check("\"+7\"", None);
        check("\"\"", None);
        check("true", None);
        check("1e300", None);
    }
}
