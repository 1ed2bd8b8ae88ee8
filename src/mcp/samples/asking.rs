//! The samples that ask the host something: with a request of their own up to 2025-11-25, with an answer that asks after it.

use rmcp::model::{ClientCapabilities, JsonObject, ServerRequest};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

/// The tools.
pub(super) const TOOLS: [&str; 13] = [
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_streaming_elicitation",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

/// What the first and the second round leave with the host. A real tool would leave what nobody can guess.
const STATES: [&str; 2] = ["the state after round one", "the state after round two"];

/// What a call that may ask does next.
pub(super) enum Round {
    /// It is no such call.
    None,
    /// It asks.
    Ask {
        /// The questions by name.
        requests: Value,
        /// What the host is to bring back.
        state: Option<String>,
    },
    /// What came back is not what was left.
    Refuse(&'static str),
    /// It has what it needs.
    Answered(String),
}

/// Decides what such a call does, by what the host brought along.
pub(super) fn round(name: &str, responses: &Value, state: Option<&str>, can: &ClientCapabilities) -> Round {
    let name_form = || form("What is your name?", "name", "string");
    let ask = |requests: Value, state: Option<&str>| Round::Ask {
        requests,
        state: state.map(str::to_owned),
    };
    let given = |key: &str| responses[key].is_object();
    match name {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            match responses["user_name"]["content"]["name"].as_str() {
                Some(name) => Round::Answered(format!("Hello, {name}!")),
                None => ask(json!({"user_name": name_form()}), None),
            }
        }
        "test_input_required_result_sampling" if given("capital_question") => {
            Round::Answered(responses["capital_question"]["content"]["text"].to_string())
        }
        "test_input_required_result_sampling" => ask(
            json!({"capital_question": sample("What is the capital of France?")}),
            None,
        ),
        "test_input_required_result_list_roots" if given("client_roots") => {
            Round::Answered(responses["client_roots"]["roots"].to_string())
        }
        "test_input_required_result_list_roots" => ask(json!({"client_roots": roots()}), None),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            match state {
                None => ask(
                    json!({"confirm": form("Please confirm", "ok", "boolean")}),
                    Some(STATES[0]),
                ),
                Some(state) if state == STATES[0] => Round::Answered("state-ok".to_owned()),
                Some(_) => Round::Refuse("the state is not the one that was left"),
            }
        }
        "test_input_required_result_multiple_inputs" => match state {
            None => ask(
                json!({"user_name": name_form(), "greeting": sample("Generate a greeting"), "client_roots": roots()}),
                Some(STATES[0]),
            ),
            Some(_) => Round::Answered("all of them were answered".to_owned()),
        },
        "test_input_required_result_multi_round" => match state {
            None => ask(json!({"step1": name_form()}), Some(STATES[0])),
            Some(state) if state == STATES[0] => ask(
                json!({"step2": form("Step 2: Which color?", "color", "string")}),
                Some(STATES[1]),
            ),
            Some(_) => Round::Answered("both rounds are done".to_owned()),
        },
        "test_input_required_result_capabilities" => {
            let mut requests = json!({});
            if can.sampling.is_some() {
                requests["greeting"] = sample("Generate a greeting");
            }
            if can.elicitation.is_some() {
                requests["user_name"] = name_form();
            }
            ask(requests, None)
        }
        _ => Round::None,
    }
}

/// Returns what the prompt that asks asks for.
pub(super) fn prompt_context() -> Value {
    json!({"user_context": form("What context should the prompt use?", "context", "string")})
}

/// Returns the request that a tool makes of a host of the older revisions.
pub(super) fn question(name: &str, arguments: Option<&JsonObject>) -> Option<Value> {
    let words = |key: &str, otherwise: &str| {
        let given = arguments.and_then(|arguments| arguments.get(key)?.as_str());
        given.unwrap_or(otherwise).to_owned()
    };
    let (message, properties, required) = match name {
        "test_sampling" => return Some(sample(&words("prompt", "Hello"))),
        "test_elicitation" => (
            words("message", "Who are you?"),
            json!({"username": {"type": "string", "description": "A name"},
                "email": {"type": "string", "description": "An address"}}),
            json!(["username", "email"]),
        ),
        "test_elicitation_sep1034_defaults" => (
            "Change what you like".to_owned(),
            json!({"name": {"type": "string", "default": "John Doe"}, "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5}, "verified": {"type": "boolean", "default": true},
                "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"}}),
            json!([]),
        ),
        "test_elicitation_sep1330_enums" => (
            "Choose".to_owned(),
            json!({
                "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
                "titledSingle": {"type": "string", "oneOf": titled()},
                "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"]},
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
                "titledMulti": {"type": "array", "items": {"anyOf": titled()}},
            }),
            json!([]),
        ),
        _ => return None,
    };
    Some(
        json!({"method": "elicitation/create", "params": {"message": message,
        "requestedSchema": {"type": "object", "properties": properties, "required": required}}}),
    )
}

/// Puts a question to the host and returns what it said, in words.
pub(super) async fn put(context: &RequestContext<RoleServer>, question: Value) -> String {
    let request: ServerRequest = match serde_json::from_value(question) {
        Ok(request) => request,
        Err(error) => return format!("a sample is wrong: {error}"),
    };
    match context.peer.send_request(request).await {
        Ok(answer) => {
            let answer = serde_json::to_value(answer).unwrap_or_default();
            let action = answer["action"].as_str().unwrap_or("none");
            format!("completed: action={action}, content={}", answer["content"])
        }
        Err(error) => format!("the host did not answer: {error}"),
    }
}

fn form(message: &str, field: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message,
        "requestedSchema": {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}}})
}

fn sample(prompt: &str) -> Value {
    json!({"method": "sampling/createMessage", "params": {"maxTokens": 100,
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}]}})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

fn titled() -> Value {
    json!([{"const": "value1", "title": "First Option"}, {"const": "value2", "title": "Second Option"},
        {"const": "value3", "title": "Third Option"}])
}
