//! From a line to a message, or to the error that its sender must get.
//!
//! rmcp drops what it cannot decode, and its sender waits for ever. Here every line that may be a request is answered.

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, ClientRequest, GetMeta, JsonObject,
    RequestId, RequestMetaObject,
};
use serde::Deserialize;
use serde_json::Value;

use crate::mcp::bounds::{BATCH_ANSWERS, LINE_BYTES};
use crate::mcp::lines::Line;
use crate::mcp::{ids, surrogates};

/// The line is no JSON.
const PARSE_ERROR: i32 = -32700;
/// The line is JSON and no request.
const INVALID_REQUEST: i32 = -32600;

/// What a line is.
pub(super) enum Decoded {
    /// A message for rmcp.
    Message(Box<ClientJsonRpcMessage>),
    /// No message; these lines answer it.
    Refused(Vec<Vec<u8>>),
    /// No message, and nobody waits for an answer.
    Ignored,
}

/// Decodes a line.
pub(super) fn decode(line: &Line<'_>) -> Decoded {
    let line = match *line {
        Line::Whole(line) => line,
        Line::TooLong { head, tail } => {
            let message = format!("the message is longer than {LINE_BYTES} bytes");
            return refused(ids::of_ends(head, tail), INVALID_REQUEST, &message);
        }
    };
    if let Some(message) = tool_call(line) {
        return Decoded::Message(Box::new(message));
    }
    if let Ok(message) = serde_json::from_slice(line) {
        return Decoded::Message(Box::new(message));
    }
    let repaired = surrogates::repair(line);
    if let Some(message) = repaired
        .as_deref()
        .and_then(|line| serde_json::from_slice(line).ok())
    {
        return Decoded::Message(Box::new(message));
    }
    match serde_json::from_slice(repaired.as_deref().unwrap_or(line)) {
        Ok(value) => classify(line, &value),
        Err(error) => {
            // The decoder's own words may repeat a part of the line.
            let message = match error.classify() {
                serde_json::error::Category::Eof => "the message is incomplete JSON",
                _ => "the message is not valid JSON in UTF-8 with at most 127 levels",
            };
            refused(ids::of_line(line), PARSE_ERROR, message)
        }
    }
}

/// Decodes the one message that comes often, without rmcp's detour: that reads every line into a buffer of its own and
/// tries each kind of message on it. Whatever is unusual about a line is left to rmcp.
fn tool_call(line: &[u8]) -> Option<ClientJsonRpcMessage> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wire<'a> {
        jsonrpc: &'a str,
        id: RequestId,
        method: &'a str,
        params: Params,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<RequestMetaObject>,
        name: String,
        arguments: Option<JsonObject>,
    }
    let Wire {
        jsonrpc,
        id,
        method,
        params,
    } = serde_json::from_slice(line).ok()?;
    if jsonrpc != "2.0" || method != "tools/call" {
        return None;
    }
    let mut call = CallToolRequestParams::new(params.name);
    call.arguments = params.arguments;
    let mut request = ClientRequest::CallToolRequest(CallToolRequest::new(call));
    if let Some(meta) = params.meta {
        *request.get_meta_mut() = meta;
    }
    Some(ClientJsonRpcMessage::request(request, id))
}

/// Decides what to do with JSON that is no message.
fn classify(line: &[u8], value: &Value) -> Decoded {
    match value {
        Value::Array(batch) => batch_refused(batch),
        Value::Object(object) => {
            let is_call = object.contains_key("method");
            let is_answer = object.contains_key("result") || object.contains_key("error");
            if (is_call && !object.contains_key("id")) || (!is_call && is_answer) {
                return Decoded::Ignored;
            }
            let message =
                "not a request: check jsonrpc, id (a string or a 64-bit integer), method and params";
            refused(ids::of_line(line), INVALID_REQUEST, message)
        }
        _ => refused(None, INVALID_REQUEST, "a message is a JSON object"),
    }
}

/// Answers each request of a batch, because each of them has a caller of its own.
fn batch_refused(batch: &[Value]) -> Decoded {
    let message = "batches are not supported; send one message per line";
    let ids = batch
        .iter()
        .filter(|member| member.get("method").is_some())
        .filter_map(|member| member.get("id"))
        .filter(|id| id.is_string() || id.is_number());
    let answers: Vec<Vec<u8>> = ids
        .take(BATCH_ANSWERS)
        .map(|id| error_line(Some(id.to_string().as_bytes()), INVALID_REQUEST, message))
        .collect();
    if answers.is_empty() {
        return refused(None, INVALID_REQUEST, message);
    }
    Decoded::Refused(answers)
}

fn refused(id: Option<&[u8]>, code: i32, message: &str) -> Decoded {
    Decoded::Refused(vec![error_line(id, code, message)])
}

/// Writes an error without going through rmcp, whose ids cannot hold what some senders use.
///
/// An unknown id is left out: the protocol's schema has no null for it.
fn error_line(id: Option<&[u8]>, code: i32, message: &str) -> Vec<u8> {
    let mut line = b"{\"jsonrpc\":\"2.0\",".to_vec();
    if let Some(id) = id {
        line.extend_from_slice(b"\"id\":");
        line.extend_from_slice(id);
        line.push(b',');
    }
    let error = serde_json::json!({ "code": code, "message": message });
    line.extend_from_slice(b"\"error\":");
    line.extend_from_slice(error.to_string().as_bytes());
    line.push(b'}');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers(line: &[u8]) -> Option<Vec<String>> {
        match decode(&Line::Whole(line)) {
            Decoded::Message(_) => None,
            Decoded::Refused(answers) => Some(
                answers
                    .into_iter()
                    .map(|answer| String::from_utf8(answer).unwrap())
                    .collect(),
            ),
            Decoded::Ignored => Some(Vec::new()),
        }
    }

    #[test]
    fn what_nobody_waits_for_is_ignored() {
        for line in [
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}"#,
            r#"{"jsonrpc":"2.0","id":[1],"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"error":{"code":1,"message":"x"}}"#,
        ] {
            let answers = answers(line.as_bytes());
            assert!(answers.is_none_or(|answers| answers.is_empty()), "{line}");
        }
    }

    #[test]
    fn each_request_of_a_batch_is_answered() {
        let line = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"method":"x"},{"id":"b","method":"ping"}]"#;
        let answers = answers(line).unwrap();
        assert_eq!(answers.len(), 2);
        assert!(answers[0].contains("\"id\":1,") && answers[1].contains("\"id\":\"b\","));
    }

    #[test]
    fn the_short_way_and_rmcps_own_read_the_same() {
        let read_shortly = |line: &str, expected: bool| {
            let short = tool_call(line.as_bytes());
            assert_eq!(short.is_some(), expected, "{line}");
            if let Some(short) = short {
                let own: ClientJsonRpcMessage = serde_json::from_str(line).unwrap();
                assert_eq!(
                    serde_json::to_value(&short).unwrap(),
                    serde_json::to_value(&own).unwrap(),
                    "{line}"
                );
                let (ClientJsonRpcMessage::Request(short), ClientJsonRpcMessage::Request(own)) = (short, own)
                else {
                    panic!("{line}");
                };
                assert_eq!(short.request.get_meta(), own.request.get_meta(), "{line}");
            }
        };
        read_shortly(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            true,
        );
        read_shortly(
            r#"{"method":"tools/call","params":{"arguments":{"x":[1.0,null]},"name":"a","_meta":{"progressToken":"p",
                "claudecode/toolUseId":"t"}},"jsonrpc":"2.0","id":"q"}"#,
            true,
        );
        read_shortly(
            r#"{"jsonrpc":"2.0","id":9.0,"method":"tools/call","params":{"name":"a","arguments":null}}"#,
            true,
        );
        read_shortly(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task":{}}}"#,
            false,
        );
        read_shortly(
            r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            false,
        );
        read_shortly(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"a"}}"#,
            false,
        );
        read_shortly(
            r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"a"}}"#,
            false,
        );
        read_shortly(
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"a"}}"#,
            false,
        );
    }

    proptest! {
        #[test]
        fn no_line_panics_and_every_answer_is_json(line in any::<Vec<u8>>()) {
            for answer in answers(&line).unwrap_or_default() {
                prop_assert!(serde_json::from_str::<Value>(&answer).is_ok());
            }
        }
    }
}
