//! Who calls: what a request and its `_meta` say about the host.

use std::sync::Arc;

use rmcp::model::{Implementation, RequestMetaObject};
use serde_json::Value;

use crate::mcp::bounds::{HOST_BYTES, META_ID_BYTES};
use crate::service::call::Host;

/// How Claude Code names one use of a tool. Seen with 2.1.197 and 2.1.329.
const TOOL_USE_ID: &str = "claudecode/toolUseId";
/// How codex names its conversation. Seen with codex-cli 0.169.0.
const THREAD_ID: &str = "threadId";
/// How codex names one use of a tool inside a conversation. Seen with codex-cli 0.169.0.
const CALL_ID: &str = "callId";
/// The name under which codex calls.
const CODEX: &str = "codex-mcp-client";

/// Takes over what a host says about itself, cut to what can be stored.
pub(super) fn host(info: &Implementation) -> Arc<Host> {
    Arc::new(Host {
        name: cut(&info.name),
        version: cut(&info.version),
    })
}

/// Returns the host's own name for this use of the tool, by which a retry is recognised.
pub(super) fn tool_use_id(meta: &RequestMetaObject, host: Option<&Host>) -> Option<String> {
    if let Some(id) = text(meta, TOOL_USE_ID) {
        return Some(id.to_owned());
    }
    if host.is_none_or(|host| host.name != CODEX) {
        return None;
    }
    Some(format!("{}/{}", text(meta, THREAD_ID)?, text(meta, CALL_ID)?))
}

/// Returns the host's conversation.
pub(super) fn host_thread(meta: &RequestMetaObject) -> Option<String> {
    text(meta, THREAD_ID).map(str::to_owned)
}

fn text<'a>(meta: &'a RequestMetaObject, key: &str) -> Option<&'a str> {
    meta.0
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| (1..=META_ID_BYTES).contains(&text.len()))
}

fn cut(text: &str) -> String {
    let mut end = HOST_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_of_a_tool_has_one_name_per_host() {
        let check = |json: Value, host: &str, expected: Option<&str>| {
            let meta: RequestMetaObject = serde_json::from_value(json.clone()).unwrap();
            let host = Host {
                name: host.to_owned(),
                version: "1".to_owned(),
            };
            assert_eq!(tool_use_id(&meta, Some(&host)).as_deref(), expected, "{json}");
        };
        check(
            serde_json::json!({"claudecode/toolUseId": "toolu_1"}),
            "claude-code",
            Some("toolu_1"),
        );
        check(
            serde_json::json!({"threadId": "t", "callId": "c"}),
            "codex-mcp-client",
            Some("t/c"),
        );
        check(serde_json::json!({"threadId": "t"}), "codex-mcp-client", None);
        check(
            serde_json::json!({"threadId": "t", "callId": "c"}),
            "another",
            None,
        );
        check(
            serde_json::json!({"claudecode/toolUseId": 7}),
            "claude-code",
            None,
        );
        check(
            serde_json::json!({"claudecode/toolUseId": "x".repeat(300)}),
            "claude-code",
            None,
        );
        check(serde_json::json!({}), "claude-code", None);
    }

    #[test]
    fn a_hosts_name_is_cut_between_characters() {
        let info = Implementation::new("ä".repeat(100), "1");
        assert_eq!(host(&info).name, "ä".repeat(64));
    }
}
