//! Results of tools: an envelope, serialised once, on its way past rmcp's own value tree.
//!
//! rmcp holds a result as a tree of values. Building that tree and writing it again costs more than everything else a
//! quick tool does, so a result travels through rmcp as text blocks that hold pieces of its finished line, and the
//! transport adds the end. A large constant piece does not travel at all: the result holds its number, and the writer
//! copies it from where it lies. Every tool result of this server is made here, so the transport need not tell them apart.

use std::sync::{Arc, PoisonError, RwLock};

use rmcp::model::{CallToolResult, ContentBlock, RequestId};
use serde_json::Value;

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

/// Bytes of an ordinary small result with its frame and its id, so that the line is not moved while it is written.
const LINE_BYTES: usize = 1024;

/// One finished line, without its end.
#[derive(Debug, Default)]
pub(super) struct Line {
    head: Vec<u8>,
    constant: &'static str,
    tail: Vec<u8>,
}

impl Line {
    /// Returns its bytes, in order.
    pub(super) fn pieces(&self) -> [&[u8]; 3] {
        [&self.head, self.constant.as_bytes(), &self.tail]
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.constant.len() + self.tail.len()
    }
}

impl From<Vec<u8>> for Line {
    fn from(line: Vec<u8>) -> Self {
        Self {
            head: line,
            ..Self::default()
        }
    }
}

/// The constant pieces of results, by number: [`pack`] hands them in, [`line()`] takes them out.
///
/// There are as many as the backend has constants, which is a handful, so finding one is a walk.
#[derive(Clone, Debug, Default)]
pub(super) struct Constants(Arc<RwLock<Vec<&'static str>>>);

impl Constants {
    fn number_of(&self, piece: &'static str) -> usize {
        // Nothing panics while the lock is held; a poisoned list is still in order.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let place = |all: &[&'static str]| all.iter().position(|known| std::ptr::eq(*known, piece));
        if let Some(number) = place(&known) {
            return number;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        place(&known).unwrap_or_else(|| {
            known.push(piece);
            known.len() - 1
        })
    }

    fn get(&self, number: &Value) -> Option<&'static str> {
        let number = usize::try_from(number.as_u64()?).ok()?;
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(number).copied()
    }
}

/// Turns an envelope into a result.
///
/// Claude Code shows the model only `structuredContent` of a success and only the text of a failure, so a success has a
/// short text and a failure the whole envelope as text. Seen with 2.1.197 and 2.1.329.
///
/// `constant` are fields of a success's body that are JSON already, see [`crate::mcp::Backend::constant_fields`].
pub(super) fn pack(
    envelope: &Envelope,
    constant: Option<&'static str>,
    constants: &Constants,
) -> Result<CallToolResult, ReplyError> {
    let is_error = !envelope.is_ok();
    let mut line = Vec::with_capacity(LINE_BYTES);
    line.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":");
    let text = if is_error {
        let structured = serde_json::to_string(envelope).map_err(ReplyError::NotJson)?;
        serde_json::to_writer(&mut line, &structured)
    } else {
        serde_json::to_writer(&mut line, &envelope.summary())
    };
    text.map_err(ReplyError::NotJson)?;
    line.extend_from_slice(b"}],\"structuredContent\":");
    let begin = line.len();
    serde_json::to_writer(&mut line, envelope).map_err(ReplyError::NotJson)?;
    let bytes = line.len() - begin + constant.map_or(0, str::len);
    if bytes > RESULT_BYTES {
        return Err(ReplyError::TooLarge { bytes });
    }
    line.extend_from_slice(if is_error {
        b",\"isError\":true"
    } else {
        b",\"isError\":false"
    });
    let mut line = String::from_utf8(line).expect("JSON is UTF-8");
    let split = constant.filter(|_| !is_error).and_then(|constant| {
        let place = line[begin..].find(AFTER_BODY)?;
        Some((constant, line.split_off(begin + place)))
    });
    let Some((constant, tail)) = split else {
        return Ok(CallToolResult::success(vec![ContentBlock::text(line)]));
    };
    line.push(',');
    let mut result = CallToolResult::success(vec![ContentBlock::text(line), ContentBlock::text(tail)]);
    result.structured_content = Some(Value::from(constants.number_of(constant)));
    Ok(result)
}

/// Turns a whole result, written as JSON, into one that travels like those of the tools.
#[cfg(feature = "conformance")]
pub(super) fn pack_plain(result: &Value) -> Result<CallToolResult, ReplyError> {
    let text = serde_json::to_string(result).map_err(ReplyError::NotJson)?;
    // The transport closes the object, behind what it adds to it.
    let open = text.strip_suffix('}').unwrap_or(&text);
    let line = format!("{{\"jsonrpc\":\"2.0\",\"result\":{open}");
    Ok(CallToolResult::success(vec![ContentBlock::text(line)]))
}

/// Writes the line of a response whose result [`pack`] made.
pub(super) fn line(
    id: &RequestId,
    result: CallToolResult,
    constants: &Constants,
) -> Result<Line, serde_json::Error> {
    let not_packed = || serde::ser::Error::custom("a result that was not packed");
    let mut pieces = result.content.into_iter().map(|block| match block {
        ContentBlock::Text(text) => Some(text.text.into_bytes()),
        _ => None,
    });
    let head = pieces.next().flatten().ok_or_else(not_packed)?;
    let mut line = Line::from(head);
    let end = match &result.structured_content {
        Some(number) => {
            line.constant = constants.get(number).ok_or_else(not_packed)?;
            line.tail = pieces.next().flatten().ok_or_else(not_packed)?;
            &mut line.tail
        }
        None => &mut line.head,
    };
    if let Some(result_type) = &result.result_type {
        end.extend_from_slice(b",\"resultType\":");
        serde_json::to_writer(&mut *end, result_type.as_str())?;
    }
    end.extend_from_slice(b"},\"id\":");
    serde_json::to_writer(&mut *end, id)?;
    end.push(b'}');
    Ok(line)
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
        let constants = Constants::default();
        let read = |constant| {
            let result = pack(&envelope, constant, &constants).unwrap();
            let line = line(&RequestId::Number(7), result, &constants).unwrap();
            serde_json::from_slice::<Value>(&line.pieces().concat()).unwrap()
        };
        let without = read(None);
        assert_eq!(without["result"]["structuredContent"]["codes"], Value::Null);
        let other = read(Some("\"codes\":[2]"));
        assert_eq!(other["result"]["structuredContent"]["codes"], json!([2]));
        let read = read(Some("\"codes\":[1],\"more\":{}"));
        assert_eq!(read["id"], 7);
        let structured = &read["result"]["structuredContent"];
        assert_eq!(structured["codes"], json!([1]));
        assert_eq!(structured["next_steps"], json!(["go"]));
        assert_eq!(structured["own"], "a \",\"next_steps\":\"");
        let keys: Vec<&String> = structured.as_object().unwrap().keys().take(6).collect();
        assert_eq!(keys, ["ok", "tool", "summary", "own", "codes", "more"]);
        assert_eq!(read["result"]["content"][0]["text"], envelope.summary());
    }
}
