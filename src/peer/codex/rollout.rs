//! codex's own record of a thread, read for one number only: the tokens used before a run.
//!
//! codex counts tokens per thread, so the tokens of one run are a difference (seen with codex-cli 0.169.0;
//! `usage_is_of_this_run_alone` pins it).

use serde_json::Value;

use crate::domain::envelope::Usage;

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

fn total(line: &[u8]) -> Option<Usage> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let payload = value.get("payload")?;
    if payload.get("type")?.as_str()? != "token_count" {
        return None;
    }
    let usage = payload.get("info")?.get("total_token_usage")?;
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    Some(Usage {
        input: count("input_tokens")?,
        cached: count("cached_input_tokens").unwrap_or(0),
        output: count("output_tokens")?,
    })
}
