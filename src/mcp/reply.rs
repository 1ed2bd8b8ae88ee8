//! Results of tools: an envelope, serialised once, on its way past rmcp's own value tree.
//!
//! rmcp holds a result as a tree of values. Building that tree and writing it again costs more than everything else a
//! quick tool does, so a result travels through rmcp as one text block that holds the beginning of its finished line,
//! and the transport adds the end. Every tool result of this server is made here, so the transport need not tell them
//! apart.

use rmcp::model::{CallToolResult, ContentBlock, RequestId};

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

/// Bytes around a result: its frame, its type and an id of ordinary length, so that the line is not moved again.
const FRAME_BYTES: usize = 256;

/// Turns an envelope into a result.
///
/// Claude Code shows the model only `structuredContent` of a success and only the text of a failure, so a success has a
/// short text and a failure the whole envelope as text. Seen with 2.1.197 and 2.1.329.
///
/// `constant` are fields of a success's body that are JSON already, see [`crate::mcp::Backend::constant_fields`].
pub(super) fn pack(envelope: &Envelope, constant: Option<&str>) -> Result<CallToolResult, ReplyError> {
    let structured = serde_json::to_string(envelope).map_err(ReplyError::NotJson)?;
    let place = constant
        .and_then(|_| structured.find(AFTER_BODY))
        .unwrap_or(structured.len());
    let constant = constant.filter(|_| envelope.is_ok() && place < structured.len());
    let bytes = structured.len() + constant.map_or(0, str::len);
    if bytes > RESULT_BYTES {
        return Err(ReplyError::TooLarge { bytes });
    }
    let is_error = !envelope.is_ok();
    let text = if is_error {
        json_string(&structured)
    } else {
        json_string(&envelope.summary())
    };
    let (before, after) = structured.split_at(place);
    let mut line = String::with_capacity(text.len() + bytes + FRAME_BYTES);
    line.push_str("{\"jsonrpc\":\"2.0\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":");
    line.push_str(&text);
    line.push_str("}],\"structuredContent\":");
    line.push_str(before);
    if let Some(constant) = constant {
        line.push(',');
        line.push_str(constant);
    }
    line.push_str(after);
    line.push_str(if is_error {
        ",\"isError\":true"
    } else {
        ",\"isError\":false"
    });
    Ok(CallToolResult::success(vec![ContentBlock::text(line)]))
}

/// Writes the line of a response whose result [`pack`] made.
pub(super) fn line(id: &RequestId, result: CallToolResult) -> Result<Vec<u8>, serde_json::Error> {
    let begun = result.content.into_iter().next();
    let Some(ContentBlock::Text(begun)) = begun else {
        return Err(serde::ser::Error::custom("a result that was not packed"));
    };
    let mut line = begun.text.into_bytes();
    if let Some(result_type) = &result.result_type {
        line.extend_from_slice(b",\"resultType\":");
        serde_json::to_writer(&mut line, result_type.as_str())?;
    }
    line.extend_from_slice(b"},\"id\":");
    serde_json::to_writer(&mut line, id)?;
    line.push(b'}');
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
        let line = line(&RequestId::Number(7), result).unwrap();
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
