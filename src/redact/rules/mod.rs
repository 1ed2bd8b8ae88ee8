//! The shapes of secrets, as data.
//!
//! A rule is kept only if it is right nearly always: a masked constant makes a review worse, and people switch off what
//! cries wolf. True examples stand beside the rules in pieces that only a test puts together, because hosts of code refuse
//! a push that holds a whole one.

mod clouds;
mod forges;
mod generic;
mod models;
mod rule;
mod services;
mod tools;

pub use rule::{Check, Gate, Rule};

/// All rules. Where two find the same place, the earlier one names it, so the specific ones come first.
pub static ALL: [Rule; COUNT] = collect();

const GROUPS: [&[Rule]; 7] = [
    &generic::PRIVATE_KEYS,
    &models::RULES,
    &forges::RULES,
    &clouds::RULES,
    &services::RULES,
    &tools::RULES,
    &generic::RULES,
];

const COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

const fn collect() -> [Rule; COUNT] {
    let mut all = [GROUPS[0][0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut index = 0;
        while index < GROUPS[group].len() {
            all[at] = GROUPS[group][index];
            at += 1;
            index += 1;
        }
        group += 1;
    }
    all
}

/// Returns the names of all rules.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|rule| rule.name)
}

#[cfg(test)]
pub(in crate::redact) mod examples {
    //! Makes examples at run time.

    use crate::redact::scan::Redactor;

    const LETTERS: &[u8] = b"qW7eR3tY9uI2oP5aS8dF1gH4jK6lZxX0cVvBbNnMmLkJhGfDsAzQwErTyUiOp";

    /// Letters and digits that look random and are the same every time.
    pub(in crate::redact) fn body(length: usize) -> String {
        pick(LETTERS, length)
    }

    /// Lower-case hexadecimal digits.
    pub(in crate::redact) fn hex(length: usize) -> String {
        pick(b"3fa9c07e51d8b264", length)
    }

    /// Upper-case letters and the digits 2 to 7.
    pub(in crate::redact) fn base32(length: usize) -> String {
        pick(b"QX4M7ZT2KRWC5HJ3YVNP6GBD", length)
    }

    fn pick(letters: &[u8], length: usize) -> String {
        let mut state = 0x2545_f491_u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(letters[(state >> 16) as usize % letters.len()])
            })
            .collect()
    }

    /// Tells a secret's body from the words around it.
    fn is_body(piece: &str) -> bool {
        let has = |found: fn(&u8) -> bool| piece.as_bytes().iter().any(found);
        piece.len() >= 10
            && piece.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
    }

    /// Checks that the rule, and no other, masks the pieces put together.
    #[track_caller]
    pub(in crate::redact) fn masks(rule: &str, pieces: &[&str]) {
        let text = pieces.concat();
        let masked = Redactor::shared().mask(&text);
        let rules: Vec<_> = masked.rules.iter().copied().collect();
        assert_eq!(rules, [rule], "{text}");
        assert!(
            masked.text.contains(&format!("[REDACTED:{rule}]")),
            "{}",
            masked.text
        );
        for secret in pieces.iter().filter(|piece| is_body(piece)) {
            assert!(!masked.text.contains(*secret), "{}", masked.text);
        }
    }

    /// Checks that no rule masks anything of the pieces put together.
    #[track_caller]
    pub(in crate::redact) fn keeps(pieces: &[&str]) {
        let text = pieces.concat();
        let masked = Redactor::shared().mask(&text);
        assert_eq!((masked.text.as_str(), masked.count), (text.as_str(), 0));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_compiles_and_has_its_own_name() {
        let mut seen = BTreeSet::new();
        for rule in &ALL {
            let pattern = regex::Regex::new(rule.pattern).unwrap();
            assert!(rule.group < pattern.captures_len(), "{}", rule.name);
            assert!(!rule.keywords.is_empty(), "{}", rule.name);
            assert!(seen.insert(rule.name), "{} twice", rule.name);
            let plain = rule.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            assert!(plain, "{}", rule.name);
        }
    }
}
