//! What Claude Code tells about the user's account, for free: the login. It tells no allowance, and no list of models.

use serde_json::{Value, json};

use crate::peer::account::Login;

/// The arguments that ask for the login.
pub const LOGIN: [&str; 2] = ["auth", "status"];

/// The names that stand for the newest model of a family, with the efforts they know.
///
/// Seen in `claude --help` of 2.1.197 and 2.1.329. A full name of a model is taken as well.
const ALIASES: [&str; 3] = ["opus", "sonnet", "haiku"];
/// The efforts of `--effort`; an unknown one is only a warning to Claude Code (seen with 2.1.197).
pub const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

/// Reads what `claude auth status` prints: a JSON object. Its exit code is 1 when nobody is logged in.
pub fn parse_login(stdout: &str) -> Login {
    let Ok(value) = serde_json::from_str::<Value>(stdout) else {
        return Login::Unknown;
    };
    match (
        value.get("loggedIn").and_then(Value::as_bool),
        value.get("authMethod").and_then(Value::as_str),
    ) {
        (Some(true), Some("api_key" | "api_key_helper")) => Login::ApiKey,
        (Some(true), Some("claude.ai" | "oauth_token")) => Login::ClaudeAi,
        (Some(false), _) => Login::LoggedOut,
        _ => Login::Unknown,
    }
}

/// The models in the form in which a list of them is read.
pub fn models() -> Value {
    let models: Vec<Value> = ALIASES
        .iter()
        .map(|alias| json!({"id": alias, "displayName": format!("the newest {alias}"), "supportedReasoningEfforts": EFFORTS}))
        .collect();
    json!({ "data": models })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_read_from_what_is_printed() {
        let check = |text: &str, expected: Login| assert_eq!(parse_login(text), expected, "{text}");
        check(r#"{"loggedIn": false, "authMethod": "none"}"#, Login::LoggedOut);
        check(r#"{"loggedIn": true, "authMethod": "api_key"}"#, Login::ApiKey);
        check(
            r#"{"loggedIn": true, "authMethod": "oauth_token"}"#,
            Login::ClaudeAi,
        );
        check(
            r#"{"loggedIn": true, "authMethod": "claude.ai"}"#,
            Login::ClaudeAi,
        );
        check(
            r#"{"loggedIn": true, "authMethod": "third_party"}"#,
            Login::Unknown,
        );
        check("Not logged in", Login::Unknown);
        check("", Login::Unknown);
    }
}
