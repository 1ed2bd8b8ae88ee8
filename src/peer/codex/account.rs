//! What codex tells about the user's account, for free: login, allowance and models.

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value, json};

use crate::peer::account::{Login, Model, Question, Quota, Window};
use crate::peer::codex::pins::untrusted;

/// Reads what `codex login status` prints on its standard error.
///
/// Its exit code is no help: 1 means logged out, cannot tell, or authenticated in another way (seen with 0.169.0).
pub fn parse_login(stderr: &str) -> Login {
    let line = |beginning: &str| {
        stderr
            .lines()
            .any(|line| line.trim_start().starts_with(beginning))
    };
    if line("Logged in using ChatGPT") {
        Login::ChatGpt
    } else if line("API key configured") || line("Logged in using an API key") {
        Login::ApiKey
    } else if line("Not logged in") {
        Login::LoggedOut
    } else {
        Login::Unknown
    }
}

/// Returns the arguments that start the app-server on its standard streams, with a project not trusted.
pub fn arguments(project: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["app-server".into()];
    // No telemetry and no plugin updates for a question.
    for pin in [
        "analytics.enabled=false",
        "features.plugins=false",
        "features.apps=false",
    ] {
        arguments.extend(["-c".into(), pin.into()]);
    }
    if let Some(project) = project {
        arguments.extend(["-c".into(), untrusted(project).into()]);
    }
    arguments
}

/// Returns the lines to send; the answer to the question carries id 2.
pub fn request(question: &Question) -> String {
    let hello = json!({"id": 1, "method": "initialize", "params": {"clientInfo":
        {"name": "codex_crosscheck", "title": null, "version": env!("CARGO_PKG_VERSION")}}});
    let (method, params) = match question {
        Question::Quota => ("account/rateLimits/read", json!(null)),
        Question::Models => ("model/list", json!({})),
        Question::Configuration { directory } => (
            "config/read",
            json!({"includeLayers": false, "cwd": directory.to_string_lossy()}),
        ),
    };
    let mut ask = json!({"id": 2, "method": method});
    if !params.is_null() {
        ask["params"] = params;
    }
    format!("{hello}\n{}\n{ask}\n", json!({"method": "initialized"}))
}

/// Returns the result with id 2 if this line is it; `Err` carries codex's refusal.
pub fn parse_answer(line: &[u8]) -> Option<Result<Value, String>> {
    let value: Value = serde_json::from_slice(line).ok()?;
    if value.get("id")?.as_u64()? != 2 {
        return None;
    }
    if let Some(result) = value.get("result") {
        return Some(Ok(result.clone()));
    }
    let message = value
        .get("error")
        .and_then(|error| error.get("message"))
        .and_then(Value::as_str);
    Some(Err(message.unwrap_or("no result").to_owned()))
}

/// Reads an allowance.
pub fn parse_quota(result: &Value) -> Option<Quota> {
    let limits = result.get("rateLimits")?;
    let window = |name: &str| {
        let window = limits.get(name)?;
        Some(Window {
            minutes: window.get("windowDurationMins").and_then(Value::as_u64),
            used_percent: number(window.get("usedPercent")?)?,
            resets_at: window.get("resetsAt").and_then(Value::as_u64),
        })
    };
    Some(Quota {
        plan: limits.get("planType").and_then(Value::as_str).map(str::to_owned),
        windows: ["primary", "secondary"].into_iter().filter_map(window).collect(),
    })
}

/// Reads the models that are not hidden.
pub fn parse_models(result: &Value) -> Option<Vec<Model>> {
    let list = result.get("data").or_else(|| result.get("models"))?.as_array()?;
    let shown = list
        .iter()
        .filter(|model| model.get("hidden").and_then(Value::as_bool) != Some(true));
    Some(
        shown
            .filter_map(|model| {
                let efforts = model.get("supportedReasoningEfforts").and_then(Value::as_array);
                Some(Model {
                    id: model
                        .get("id")
                        .or_else(|| model.get("model"))?
                        .as_str()?
                        .to_owned(),
                    name: model
                        .get("displayName")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                    efforts: efforts
                        .map(|list| list.iter().filter_map(effort).collect())
                        .unwrap_or_default(),
                    default: model.get("isDefault").and_then(Value::as_bool).unwrap_or(false),
                })
            })
            .collect(),
    )
}

fn effort(value: &Value) -> Option<String> {
    value
        .as_str()
        .or_else(|| value.get("reasoningEffort").and_then(Value::as_str))
        .map(str::to_owned)
}

/// Reads a percentage that may come with a fraction; it is rounded up so that "used up" is never hidden.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64()?;
        (0.0..=1000.0)
            .contains(&float)
            .then(|| (0..=1000u32).find(|n| f64::from(*n) >= float).map(u64::from))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_is_read_from_words_not_from_exit_codes() {
        let check = |text: &str, expected: Login| assert_eq!(parse_login(text), expected, "{text}");
        check("Logged in using ChatGPT\n", Login::ChatGpt);
        check("WARNING: x\nAPI key configured - ***\n", Login::ApiKey);
        check("Not logged in\n", Login::LoggedOut);
        check("Error checking login status: failed", Login::Unknown);
        check("", Login::Unknown);
    }

    #[test]
    fn the_reset_time_is_that_of_a_used_up_window() {
        let result = json!({"rateLimits": {"planType": "plus",
            "primary": {"usedPercent": 100, "windowDurationMins": 300, "resetsAt": 1000},
            "secondary": {"usedPercent": 40.5, "windowDurationMins": 10080, "resetsAt": 9000}}});
        let quota = parse_quota(&result).unwrap();
        assert_eq!(quota.resets_at(), Some(1000));
        assert_eq!(quota.windows[1].used_percent, 41);
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        assert_eq!(parse_answer(br#"{"method":"configWarning"}"#), None);
        assert_eq!(parse_answer(br#"{"id":1,"result":{}}"#), None);
        assert_eq!(
            parse_answer(br#"{"id":2,"error":{"message":"no"}}"#),
            Some(Err("no".to_owned()))
        );
    }
}
