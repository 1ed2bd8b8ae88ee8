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

/// Turns an envelope into a result.
///
/// Claude Code shows the model only `structuredContent` of a success and only the text of a failure, so a success has a
/// short text and a failure the whole envelope as text. Seen with 2.1.197 and 2.1.329.
pub(super) fn pack(envelope: &Envelope) -> Result<CallToolResult, ReplyError> {
    let structured = serde_json::to_string(envelope).map_err(ReplyError::NotJson)?;
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
