//! Values that stand where a secret will be.

/// Parts of a value that mark it as an example, in lower case. They are long enough that a random token of 100
/// characters holds one of them by chance less than once in 10,000.
const EXAMPLE_PARTS: [&str; 18] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "replace",
    "redacted",
    "your_",
    "your-",
    "yourkey",
    "yourtoken",
    "yoursecret",
    "insert_",
    "dummy",
    "sample",
    "123456789",
    "abcdefgh",
    "process.env",
];

/// Parts that mean a value is computed or looked up where it stands.
const LOOKUPS: [&str; 10] = [
    "${",
    "$(",
    "{{",
    "}}",
    "%(",
    "#{",
    "os.environ",
    "getenv",
    "env.",
    "<%",
];

/// Words of which values in quotes and passwords in addresses are made when they are not real.
const WORDS: [&str; 26] = [
    "password", "passwd", "secret", "token", "test", "fake", "mock", "demo", "todo", "none", "null", "true",
    "false", "user", "admin", "pass", "foobar", "apikey", "api_key", "api-key", "hidden", "default",
    "string", "value", "auth", "http",
];

/// Longest run of one character in a real value; a random one of 100 characters has a longer run once in 100,000.
const RUN: usize = 5;

/// Tells whether a token with a provider's shape is only an example.
pub(super) fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    EXAMPLE_PARTS.iter().any(|part| lower.contains(part))
        || LOOKUPS.iter().any(|part| lower.contains(part))
        || has_run(&lower, RUN)
        || (lower.len() < 40 && lower.contains("xxxx"))
        || (lower.starts_with('<') && lower.ends_with('>'))
        || (lower.starts_with('{') && lower.ends_with('}'))
        || (lower.starts_with('%') && lower.ends_with('%'))
        || lower.starts_with('$')
}

/// Tells whether a value without a known shape reads like words rather than like a secret.
///
/// A value without a digit does: of 24 random letters and digits one in 70 has none, of words and paths nearly all.
pub(super) fn is_wordy(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    !lower.bytes().any(|byte| byte.is_ascii_digit()) || WORDS.iter().any(|word| lower.contains(word))
}

fn has_run(text: &str, longest: usize) -> bool {
    let mut run = 0;
    let mut last = None;
    for byte in text.bytes() {
        run = if last == Some(byte) { run + 1 } else { 1 };
        if run > longest {
            return true;
        }
        last = Some(byte);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_and_lookups_are_placeholders() {
        let check = |value: &str, expected: bool| assert_eq!(is_placeholder(value), expected, "{value}");
        check("AKIAIOSFODNN7EXAMPLE", true);
        check("sk_live_xxxxxxxxxxxxxxxx", true);
        check("${GITHUB_TOKEN}", true);
        check("$TOKEN", true);
        check("<your token here>", true);
        check("changeme", true);
        check("process.env.API_KEY", true);
        check("{{ vault.key }}", true);
        check("000000000000000000000000", true);
        check("kJ8s02mQpZr7Lw3T", false);
        check("hunter2", false);
    }
}
