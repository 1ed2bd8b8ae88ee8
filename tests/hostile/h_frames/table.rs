//! Frames by name, and what must come of each.

/// What must come of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// One error with this code, and this id as it is written; `none` for an error without an id.
    Refused(i64, &'static str),
    /// One answer with this id.
    Answered(&'static str),
    /// So many answers.
    Each(usize),
    /// Nothing: nobody waits for it.
    Silence,
}

use After::{Answered, Each, Refused, Silence};

/// A name, how the frame is made, and what must come of it.
type Row = (&'static str, fn() -> Vec<u8>, After);

const BAD: i64 = -32600;
const BROKEN: i64 = -32700;
const PARAMS: i64 = -32602;
const UNKNOWN: i64 = -32601;

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn call(id: u32, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"status","arguments":{arguments}}}}}"#
    )
}

fn deep(open: &str, close: &str, depth: usize) -> Vec<u8> {
    text(&call(
        1,
        &format!(r#"{{"x":{}1{}}}"#, open.repeat(depth), close.repeat(depth)),
    ))
}

pub(super) const FRAMES: [Row; 62] = [
    ("an empty list", || text("[]"), Refused(BAD, "none")),
    (
        "a list of one request",
        || text(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#),
        Refused(BAD, "1"),
    ),
    (
        "a list of two requests",
        || text(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#),
        Each(2),
    ),
    (
        "a list of notifications",
        || text(r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#),
        Each(1),
    ),
    ("a list of lists", || text("[[[[]]]]"), Refused(BAD, "none")),
    (
        "a list of 100,000 numbers",
        || text(&format!("[{}1]", "1,".repeat(100_000))),
        Each(1),
    ),
    ("a number", || text("42"), Refused(BAD, "none")),
    ("a text", || text("\"ping\""), Refused(BAD, "none")),
    ("a null", || text("null"), Refused(BAD, "none")),
    ("an empty object", || text("{}"), Refused(BAD, "none")),
    ("no JSON", || text("hello"), Refused(BROKEN, "none")),
    ("a NUL", || b"\0".to_vec(), Refused(BROKEN, "none")),
    (
        "bytes that are no text",
        || b"\xff\xfe\xfd".to_vec(),
        Refused(BROKEN, "none"),
    ),
    (
        "an escape sequence",
        || b"\x1b[2J".to_vec(),
        Refused(BROKEN, "none"),
    ),
    (
        "a header of another transport",
        || text("Content-Length: 52"),
        Refused(BROKEN, "none"),
    ),
    (
        "a request of HTTP",
        || text("POST /mcp HTTP/1.1"),
        Refused(BROKEN, "none"),
    ),
    (
        "a cut request",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"ping""#),
        Refused(BROKEN, "1"),
    ),
    (
        "a request and a word",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#),
        Refused(BROKEN, "1"),
    ),
    (
        "two requests on a line",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}"#),
        Refused(BROKEN, "1"),
    ),
    (
        "a trailing comma",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#),
        Refused(BROKEN, "1"),
    ),
    (
        "a comment",
        || text(r#"{"jsonrpc":"2.0","id":1,/* x */"method":"ping"}"#),
        Refused(BROKEN, "1"),
    ),
    (
        "single quotes",
        || text("{'jsonrpc':'2.0','id':1,'method':'ping'}"),
        Refused(BROKEN, "none"),
    ),
    (
        "a doubled id",
        || text(r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#),
        Refused(BAD, "1"),
    ),
    (
        "an id of null",
        || text(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#),
        Refused(BAD, "none"),
    ),
    (
        "an id of a list",
        || text(r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#),
        Refused(BAD, "none"),
    ),
    (
        "an id of an object",
        || text(r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#),
        Refused(BAD, "none"),
    ),
    (
        "an id of a truth",
        || text(r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#),
        Refused(BAD, "none"),
    ),
    (
        "an id of half a number",
        || text(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#),
        Refused(BAD, "1.5"),
    ),
    (
        "an id beyond 63 bits",
        || text(r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}"#),
        Refused(BAD, "9223372036854775808"),
    ),
    (
        "an id of one megabyte",
        || {
            text(&format!(
                r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#,
                "x".repeat(1_000_000)
            ))
        },
        Each(1),
    ),
    (
        "an empty id",
        || text(r#"{"jsonrpc":"2.0","id":"","method":"ping"}"#),
        Answered("\"\""),
    ),
    (
        "a negative id",
        || text(r#"{"jsonrpc":"2.0","id":-7,"method":"ping"}"#),
        Answered("-7"),
    ),
    (
        "an id with a NUL",
        || text(r#"{"jsonrpc":"2.0","id":"\u0000","method":"ping"}"#),
        Answered("\"\\u0000\""),
    ),
    (
        "another version",
        || text(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#),
        Refused(BAD, "1"),
    ),
    (
        "no version",
        || text(r#"{"id":1,"method":"ping"}"#),
        Refused(BAD, "1"),
    ),
    (
        "no method",
        || text(r#"{"jsonrpc":"2.0","id":1}"#),
        Refused(BAD, "1"),
    ),
    (
        "a method that is a number",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":7}"#),
        Refused(BAD, "1"),
    ),
    (
        "an empty method",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":""}"#),
        Refused(UNKNOWN, "1"),
    ),
    (
        "an unknown method",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#),
        Refused(UNKNOWN, "1"),
    ),
    (
        "a method of one megabyte",
        || {
            text(&format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#,
                "m".repeat(1_000_000)
            ))
        },
        Answered("1"),
    ),
    (
        "parameters that are a list",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#),
        Refused(BAD, "1"),
    ),
    (
        "parameters that are a text",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"status"}"#),
        Each(1),
    ),
    (
        "a call without a name",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#),
        Refused(PARAMS, "1"),
    ),
    (
        "a call of a number",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#),
        Refused(PARAMS, "1"),
    ),
    (
        "a call of an unknown tool",
        || text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shell"}}"#),
        Refused(PARAMS, "1"),
    ),
    (
        "arguments that are a list",
        || text(&call(1, "[]")),
        Refused(PARAMS, "1"),
    ),
    (
        "arguments that are JSON in a text",
        || text(&call(1, r#""{\"topic\":\"errors\"}""#)),
        Refused(PARAMS, "1"),
    ),
    (
        "an unknown argument",
        || text(&call(1, r#"{"topic":"errors","__proto__":{"x":1}}"#)),
        Answered("1"),
    ),
    (
        "an argument twice",
        || text(&call(1, r#"{"topic":"errors","topic":"quota"}"#)),
        Each(1),
    ),
    (
        "a number beyond all",
        || text(&call(1, r#"{"x":1e400}"#)),
        Refused(BROKEN, "1"),
    ),
    (
        "a number of 100,000 digits",
        || text(&call(1, &format!(r#"{{"x":{}}}"#, "9".repeat(100_000)))),
        Each(1),
    ),
    (
        "half a character",
        || text(&call(1, r#"{"topic":"\ud83d"}"#)),
        Answered("1"),
    ),
    (
        "halves in the wrong order",
        || text(&call(1, r#"{"topic":"\ude00\ud83d"}"#)),
        Answered("1"),
    ),
    (
        "lists 10,000 deep",
        || deep("[", "]", 10_000),
        Refused(BROKEN, "1"),
    ),
    (
        "objects 10,000 deep",
        || deep("{\"a\":", "}", 10_000),
        Refused(BROKEN, "1"),
    ),
    (
        "lists 1,000,000 deep that never end",
        || text(&"[".repeat(1_000_000)),
        Each(1),
    ),
    (
        "an argument of three megabytes",
        || text(&call(1, &format!(r#"{{"topic":"{}"}}"#, "x".repeat(3_000_000)))),
        Answered("1"),
    ),
    (
        "a line over its bound",
        || text(&call(1, &format!(r#"{{"topic":"{}"}}"#, "x".repeat(6_000_000)))),
        Refused(BAD, "1"),
    ),
    (
        "a notification of an unknown kind",
        || text(r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"a":[1]}}"#),
        Silence,
    ),
    (
        "a cancel of nobody",
        || text(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}"#),
        Silence,
    ),
    (
        "a cancel of a list",
        || {
            text(
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[1,{"a":2}],"reason":7}}"#,
            )
        },
        Silence,
    ),
    (
        "an answer that nobody asked for",
        || text(r#"{"jsonrpc":"2.0","id":77,"result":{"content":[]}}"#),
        Silence,
    ),
];
