//! The samples that ask nothing.

use std::sync::Arc;

use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use crate::mcp::calls::OpenCall;

/// The tools.
pub(super) const TOOLS: [&str; 10] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_tool_with_progress",
    "test_error_handling",
    "test_missing_capability",
];

/// A red dot, in base64.
const DOT_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A sound without a sample, in base64.
const SILENT_WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// Returns a result that is one text.
pub(super) fn text(words: &str) -> Value {
    json!({"content": [{"type": "text", "text": words}], "isError": false})
}

/// Returns the result of a tool that always says the same.
pub(super) fn plain(name: &str) -> Value {
    let image = json!({"type": "image", "data": DOT_PNG, "mimeType": "image/png"});
    let resource = |uri: &str, kind: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}});
    let content = match name {
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{"type": "audio", "data": SILENT_WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => json!([resource(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content."
        )]),
        "test_multiple_content_types" => json!([
            {"type": "text", "text": "Multiple content types test:"},
            image,
            resource("test://mixed-content-resource", "application/json", "{\"test\":\"data\",\"value\":123}"),
        ]),
        "test_error_handling" => {
            return json!({"content": [{"type": "text", "text": "This tool intentionally returns an error for testing"}],
                "isError": true});
        }
        _ => return text("This is a simple text response for testing."),
    };
    json!({"content": content, "isError": false})
}

/// Writes three lines to the host's log. A host of the newer revision gets them only when the request asks for a level.
pub(super) async fn logging(context: &RequestContext<RoleServer>) -> Value {
    let is_modern = context.meta.protocol_version().is_some();
    if !is_modern || context.meta.log_level().is_some() {
        for line in [
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ] {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(line));
            if let Err(error) = context.peer.notify_logging_message(message).await {
                tracing::warn!(%error, "a sample could not log");
            }
        }
    }
    text("Logging is done.")
}

/// Tells three steps, through what the real tools tell theirs with.
pub(super) fn progress(context: &RequestContext<RoleServer>) -> Value {
    let open = context.extensions.get::<Arc<OpenCall>>();
    let token = context.meta.get_progress_token();
    if let Some(sink) = open.zip(token).and_then(|(open, token)| open.progress(&token)) {
        for step in ["begun", "half-way", "done"] {
            sink.send(step);
        }
    }
    text("Progress is done.")
}

/// Returns the prompts as they are listed.
pub(super) fn prompts() -> Value {
    let argument = |name: &str| json!({"name": name, "description": "An argument.", "required": true});
    json!([
        {"name": "test_simple_prompt", "description": "Without arguments."},
        {"name": "test_prompt_with_arguments", "description": "With two.", "arguments": [argument("arg1"), argument("arg2")]},
        {"name": "test_prompt_with_embedded_resource", "description": "With a resource.",
            "arguments": [argument("resourceUri")]},
        {"name": "test_prompt_with_image", "description": "With an image."},
        {"name": "test_input_required_result_prompt", "description": "Asks for its context."},
    ])
}

/// Returns the messages of a prompt.
pub(super) fn prompt(name: &str, arguments: &Value) -> Option<Value> {
    let said = |text: String| json!({"role": "user", "content": {"type": "text", "text": text}});
    let word = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
    Some(match name {
        "test_simple_prompt" => json!([said("This is a simple prompt for testing.".to_owned())]),
        "test_prompt_with_arguments" => json!([said(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            word("arg1"),
            word("arg2")
        ))]),
        "test_prompt_with_embedded_resource" => json!([
            {"role": "user", "content": {"type": "resource", "resource": {"uri": word("resourceUri"),
                "mimeType": "text/plain", "text": "Embedded resource content for testing."}}},
            said("Please process the embedded resource above.".to_owned()),
        ]),
        "test_prompt_with_image" => json!([
            {"role": "user", "content": {"type": "image", "data": DOT_PNG, "mimeType": "image/png"}},
            said("Please analyze the image above.".to_owned()),
        ]),
        "test_input_required_result_prompt" => {
            json!([said("A prompt with the context that was given.".to_owned())])
        }
        _ => return None,
    })
}

/// Returns the resources as they are listed.
pub(super) fn resources() -> Value {
    json!([
        {"uri": "test://static-text", "name": "static-text", "mimeType": "text/plain"},
        {"uri": "test://static-binary", "name": "static-binary", "mimeType": "image/png"},
        {"uri": "test://watched-resource", "name": "watched-resource", "mimeType": "text/plain"},
    ])
}

/// Returns what a resource holds.
pub(super) fn resource(uri: &str) -> Option<Value> {
    let id = uri
        .strip_prefix("test://template/")
        .and_then(|rest| rest.strip_suffix("/data"));
    Some(match (uri, id) {
        ("test://static-text" | "test://watched-resource", _) => {
            json!({"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."})
        }
        ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": DOT_PNG}),
        (_, Some(id)) => json!({"uri": uri, "mimeType": "application/json",
            "text": json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string()}),
        _ => return None,
    })
}
