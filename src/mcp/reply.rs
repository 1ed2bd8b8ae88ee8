//! Results of tools: an envelope, serialised once, on its way past rmcp's own value tree.
//!
//! rmcp holds a result as a tree of values. Building that tree and writing it again costs more than everything else a
//! quick tool does, so a finished result travels as one text block that holds the JSON, and the transport puts it into
//! its frame. Every tool result of this server is made here, so the transport need not tell them apart.

use rmcp::model::{CallToolResult, ContentBlock, RequestId};
use serde::Serialize;

use crate::domain::envelope::Envelope;
use crate::mcp::bounds::RESULT_BYTES;

/// Says that a result cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplyError {
    /// It is larger than [`RESULT_BYTES`].
    #[error("the result has {bytes} bytes; the limit is {RESULT_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It holds something that JSON cannot.
    #[error("the result cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
}

/// The key that follows the body of a success. With bare quotes it can only be a key: those inside a text are escaped.
/// A body's own nested `next_steps` would come first, so nothing but the place among the body's fields would change.
const AFTER_BODY: &str = ",\"next_steps\":";

/// Turns an envelope into a result.
///
/// Claude Code shows the model only `structuredContent` of a success and only the text of a failure, so a success has a
/// short text and a failure the whole envelope as text. Seen with 2.1.197 and 2.1.329.
///
/// `constant` are fields of a success's body that are JSON already, see [`crate::mcp::Backend::constant_fields`].
pub(super) fn pack(envelope: &Envelope, constant: Option<&str>) -> Result<CallToolResult, ReplyError> {
    let mut structured = serde_json::to_string(envelope).map_err(ReplyError::NotJson)?;
    if let (Envelope::Success(_), Some(constant)) = (envelope, constant)
        && let Some(place) = structured.find(AFTER_BODY)
    {
        structured.insert_str(place, constant);
        structured.insert(place, ',');
    }
    if structured.len() > RESULT_BYTES {
        return Err(ReplyError::TooLarge {
            bytes: structured.len(),
        });
    }
    let is_error = !envelope.is_ok();
    let text = if is_error {
        json_string(&structured)
    } else {
        json_string(&envelope.summary())
    };
    let fields = format!(
        "\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"structuredContent\":{structured},\"isError\":{is_error}"
    );
    Ok(CallToolResult::success(vec![ContentBlock::text(fields)]))
}

/// Writes the response line of a result that [`pack`] made.
pub(super) fn line(id: &RequestId, result: &CallToolResult) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Unpacked<'a> {
        jsonrpc: &'static str,
        id: &'a RequestId,
        result: &'a CallToolResult,
    }
    let packed = match result.content.as_slice() {
        [only] => only.as_text().map(|text| text.text.as_str()),
        _ => None,
    };
    let Some(fields) = packed else {
        return serde_json::to_vec(&Unpacked {
            jsonrpc: "2.0",
            id,
            result,
        });
    };
    let mut line = Vec::with_capacity(fields.len() + 96);
    line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    serde_json::to_writer(&mut line, id)?;
    line.extend_from_slice(b",\"result\":{");
    if let Some(result_type) = &result.result_type {
        line.extend_from_slice(b"\"resultType\":");
        serde_json::to_writer(&mut line, result_type.as_str())?;
        line.push(b',');
    }
    line.extend_from_slice(fields.as_bytes());
    line.extend_from_slice(b"}}");
    Ok(line)
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::envelope::{Meta, Success};
    use serde_json::{Map, Value, json};

    #[test]
    fn constant_fields_stand_in_the_body() {
        let mut body = Map::new();
        body.insert("own".to_owned(), json!("a \",\"next_steps\":\""));
        let envelope = Envelope::Success(Box::new(Success {
            ok: true,
            tool: "status",
            summary: ",\"next_steps\":".to_owned(),
            job: None,
            body,
            next_steps: vec!["go".to_owned()],
            warnings: Vec::new(),
            meta: Meta::default(),
            fingerprint: String::new(),
        }));
        let result = pack(&envelope, Some("\"codes\":[1],\"more\":{}")).unwrap();
        let line = line(&RequestId::Number(7), &result).unwrap();
        let read: Value = serde_json::from_slice(&line).unwrap();
        let structured = &read["result"]["structuredContent"];
        assert_eq!(structured["codes"], json!([1]));
        assert_eq!(structured["next_steps"], json!(["go"]));
        assert_eq!(structured["own"], "a \",\"next_steps\":\"");
        let keys: Vec<&String> = structured.as_object().unwrap().keys().take(6).collect();
        assert_eq!(keys, ["ok", "tool", "summary", "own", "codes", "more"]);
        assert_eq!(read["result"]["content"][0]["text"], envelope.summary());
    }
}
