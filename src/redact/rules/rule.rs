//! One rule.

/// How a secret of one kind is recognised.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in markers and reports: lower-case letters and hyphens.
    pub name: &'static str,
    /// Texts of which one is in every match, in their exact case.
    pub keywords: &'static [&'static str],
    /// A cheap look around a keyword before the pattern is tried.
    pub gate: Gate,
    /// The pattern.
    pub pattern: &'static str,
    /// The capture group that is masked; 0 is the whole match.
    pub group: usize,
    /// Least Shannon entropy of the masked part in bits per byte; 0 admits everything.
    pub min_entropy: f64,
    /// What else the masked part must not be.
    pub check: Check,
    /// How many bytes before a keyword a match may begin.
    pub before: usize,
    /// How many bytes behind a keyword the pattern needs to see to match; a longer match is followed to its end.
    pub after: usize,
}

/// What a match must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing: the shape is proof enough.
    Shape,
    /// Not an example or a variable.
    NotExample,
    /// Not an example, a variable, or made of words: for values that have no shape of their own.
    NotWords,
    /// Base64 of a text in which another rule finds a secret.
    Wrapped,
}

/// A cheap look at the bytes around a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The keyword is rare enough.
    Any,
    /// A token begins with the keyword: no letter or digit stands before it, so many token characters behind it.
    Token(usize),
    /// So many token characters stand behind the keyword.
    Followed(usize),
    /// The keyword ends a name, or nearly, to which something is assigned.
    Assigned,
    /// Behind the keyword stands a user and an `@`, as in an address.
    Address,
}

/// Longest rest of a name behind a keyword such as `secret`: `secret_for_production`.
const NAME_REST: usize = 24;
/// Most spaces, quotes and brackets between a name and its assignment.
const PADDING: usize = 12;

/// Longest user with its password in an address.
const ADDRESS_USER: usize = 200;

impl Gate {
    /// Tells whether the pattern is worth trying at the keyword that spans `start..end` of `text`.
    pub(in crate::redact) fn admits(self, text: &[u8], start: usize, end: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Token(least) => {
                let apart = start == 0 || !text[start - 1].is_ascii_alphanumeric();
                apart && followed(text, end, least)
            }
            Self::Followed(least) => followed(text, end, least),
            Self::Assigned => is_assigned(&text[end..text.len().min(end + NAME_REST + PADDING)]),
            Self::Address => {
                let rest = &text[end..text.len().min(end + ADDRESS_USER)];
                rest.iter()
                    .take_while(|byte| !b"/ \n\"'<>`?#)".contains(*byte))
                    .any(|byte| *byte == b'@')
            }
        }
    }
}

/// Tells whether a name ends here, or nearly, and something is assigned to it. A comma assigns behind a quote only, as in
/// `set("token", "...")`.
fn is_assigned(rest: &[u8]) -> bool {
    let name = rest
        .iter()
        .take(NAME_REST)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte == b'-')
        .count();
    let mut quoted = false;
    for byte in &rest[name..] {
        match byte {
            b'=' | b':' => return true,
            b',' => return quoted,
            b'"' | b'\'' | b'`' => quoted = true,
            b' ' | b'\t' | b']' | b')' | b'\\' => {}
            _ => return false,
        }
    }
    false
}

fn followed(text: &[u8], end: usize, least: usize) -> bool {
    text.get(end..end + least).is_some_and(|body| {
        body.iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte))
    })
}

impl Rule {
    /// A token that begins with one of the keywords and is masked whole.
    pub(super) const fn token(
        name: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self {
            name,
            keywords,
            gate: Gate::Token(8),
            pattern,
            group: 0,
            min_entropy: 2.5,
            check: Check::NotExample,
            before: 1,
            after: 512,
        }
    }

    /// A value that a keyword somewhere before it explains; the first group is masked.
    pub(super) const fn named(
        name: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self {
            gate: Gate::Any,
            group: 1,
            before: 64,
            min_entropy: 3.0,
            ..Self::token(name, keywords, pattern)
        }
    }

    /// As it is, with another gate.
    pub(super) const fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// As it is, with another least entropy.
    pub(super) const fn entropy(mut self, bits: f64) -> Self {
        self.min_entropy = bits;
        self
    }

    /// As it is, with a wider window.
    pub(super) const fn window(mut self, before: usize, after: usize) -> Self {
        self.before = before;
        self.after = after;
        self
    }

    /// As it is, with another check.
    pub(super) const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// As it is, masking another group.
    pub(super) const fn group(mut self, group: usize) -> Self {
        self.group = group;
        self
    }
}
