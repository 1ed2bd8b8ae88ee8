//! Tokens, as the peer counts them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, the cached ones included.
    pub input: u64,
    /// Of these, read from the service's cache.
    pub cached: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
}

impl Usage {
    /// Returns what a budget counts: all that was read, the cached part too, and all that was written.
    #[must_use]
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Writes the total for people: `950`, `12.4k`, `1.2M`.
    pub fn spoken(self) -> String {
        let total = self.total();
        let tenths = |unit: u64| format!("{}.{}", total / unit, total % unit * 10 / unit);
        match total {
            0..1000 => total.to_string(),
            1000..1_000_000 => format!("{}k", tenths(1000)),
            _ => format!("{}M", tenths(1_000_000)),
        }
    }

    /// Returns the counter that reads `self` after `before`.
    #[must_use]
    pub fn after(self, before: Self) -> Self {
        Self {
            input: self.input.saturating_add(before.input),
            cached: self.cached.saturating_add(before.cached),
            output: self.output.saturating_add(before.output),
        }
    }

    /// Returns what was used since `before`, two readings of one cumulative counter.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            input: self.input.saturating_sub(before.input),
            cached: self.cached.saturating_sub(before.cached),
            output: self.output.saturating_sub(before.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_spoken_short_and_never_rounded_up() {
        let check = |input, output, expected: &str| {
            let usage = Usage {
                input,
                cached: input,
                output,
            };
            assert_eq!(usage.spoken(), expected);
        };
        check(0, 0, "0");
        check(900, 99, "999");
        check(1000, 0, "1.0k");
        check(12_000, 499, "12.4k");
        check(999_999, 0, "999.9k");
        check(1_000_000, 250_000, "1.2M");
        check(u64::MAX, 1, "18446744073709.5M");
    }
}
