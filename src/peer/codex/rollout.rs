//! codex's own record of a thread, read for one number only: the tokens that the thread has used.
//!
//! codex counts tokens per thread, so the tokens of one run are a difference (seen with codex-cli 0.169.0;
//! `usage_is_of_this_run_alone` pins it). It writes two counters. A `token_usage_record` comes as soon as a response of
//! the model is complete; a `token_count` comes only when the tools that the response called are done too, which is when
//! the next request is on its way. Both hold the thread's total, and older versions have only the second one (seen with
//! codex-cli 0.169.0; `tokens_so_far_are_told_while_a_command_runs` pins the first).

use serde_json::Value;

use crate::domain::usage::Usage;

/// The counter of every version.
const COUNT: &str = "token_count";
/// The counter that comes early.
const RECORD: &str = "token_usage_record";

/// Tells whether a file name is the record of a thread.
pub fn is_record_of(file_name: &str, thread: &str) -> bool {
    file_name.starts_with("rollout-")
        && file_name
            .strip_suffix(".jsonl")
            .is_some_and(|stem| stem.ends_with(thread))
}

/// Returns the thread's total of the last counter in a record, or `None` when it holds none.
pub fn last_total<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Usage> {
    lines.filter_map(total).last()
}

/// Returns the thread's total that one line of a record tells. Most lines tell none, and most are long: they are not
/// parsed.
pub fn total(line: &[u8]) -> Option<Usage> {
    let text = std::str::from_utf8(line).ok()?;
    if !text.contains(COUNT) && !text.contains(RECORD) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let payload = value.get("payload")?;
    let is = |value: &Value, kind| value.get("type").and_then(Value::as_str) == Some(kind);
    let usage = if is(&value, RECORD) {
        payload.get("thread_token_usage")?
    } else if is(payload, COUNT) {
        payload.get("info")?.get("total_token_usage")?
    } else {
        // The words of somebody who speaks of counters.
        return None;
    };
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    Some(Usage {
        input: count("input_tokens")?,
        cached: count("cached_input_tokens").unwrap_or(0),
        output: count("output_tokens")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn count(input: u64, output: u64) -> Value {
        json!({"timestamp": "t", "type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage":
            {"input_tokens": input, "cached_input_tokens": 1, "output_tokens": output}, "last_token_usage":
            {"input_tokens": 9, "output_tokens": 9}}}})
    }

    #[test]
    fn the_total_of_the_thread_is_read_from_either_counter() {
        let check = |line: Value, expected: Option<(u64, u64, u64)>| {
            let expected = expected.map(|(input, cached, output)| Usage {
                input,
                cached,
                output,
            });
            assert_eq!(total(line.to_string().as_bytes()), expected, "{line}");
        };
        check(count(120, 30), Some((120, 1, 30)));
        check(
            json!({"type": "token_usage_record", "payload": {"usage": {"input_tokens": 1, "output_tokens": 1},
                "thread_token_usage": {"input_tokens": 240, "cached_input_tokens": 40, "output_tokens": 60}}}),
            Some((240, 40, 60)),
        );
        // Limits are told without a count before the first answer.
        check(
            json!({"type": "event_msg", "payload": {"type": "token_count", "info": null}}),
            None,
        );
        let quoted = count(9, 9).to_string();
        check(
            json!({"type": "response_item", "payload": {"type": "function_call_output", "output": quoted}}),
            None,
        );
        check(
            json!({"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage":
                {"input_tokens": -1, "output_tokens": "many"}}}}),
            None,
        );
    }

    #[test]
    fn a_record_is_known_by_its_name() {
        let thread = "01a1fdc2-9f8c-79a0-8485-67bbbf52be3e";
        assert!(is_record_of(
            &format!("rollout-2026-11-21T10-59-12-{thread}.jsonl"),
            thread
        ));
        assert!(!is_record_of(
            &format!("rollout-2026-11-21T10-59-12-{thread}.jsonl.tmp"),
            thread
        ));
        assert!(!is_record_of("rollout-2026-11-21T10-59-12-x.jsonl", thread));
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange_to_be_read(line in any::<Vec<u8>>()) {
            prop_assert_eq!(total(&line), None);
        }

        #[test]
        fn a_torn_counter_tells_nothing(input in 0u64..1 << 53, output in 0u64..1 << 53, cut in any::<prop::sample::Index>()) {
            let whole = count(input, output).to_string();
            prop_assert_eq!(total(whole.as_bytes()), Some(Usage { input, cached: 1, output }));
            prop_assert_eq!(total(&whole.as_bytes()[..cut.index(whole.len())]), None);
        }
    }
}
