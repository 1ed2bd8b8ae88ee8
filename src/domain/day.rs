//! A day of the calendar, as people write the date on which something ends.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::time::rfc3339;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// The last day that is read: four digits of a year.
const LAST: u32 = 2_932_896;

/// A day in UTC, counted from 1970-01-01, to 9999-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(u32);

/// Says that a text is no date of the calendar written as `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date as in `2026-12-31`")]
pub struct NotADay;

impl Day {
    /// Returns the day of an instant in milliseconds since 1970.
    pub fn of_ms(ms: u64) -> Self {
        let day = u32::try_from(ms / DAY_MS).unwrap_or(LAST);
        Self(day.min(LAST))
    }

    /// Returns the day so many days later, at most the last there is.
    #[must_use]
    pub fn later(self, days: u32) -> Self {
        Self(self.0.saturating_add(days).min(LAST))
    }

    /// Returns how many days lie between this day and a later one; 0 when it is earlier.
    pub fn until(self, later: Self) -> u32 {
        later.0.saturating_sub(self.0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(u64::from(self.0) * DAY_MS)[..10])
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let bytes = text.as_bytes();
        let is_form = bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| {
                if at == 4 || at == 7 {
                    *byte == b'-'
                } else {
                    byte.is_ascii_digit()
                }
            });
        if !is_form {
            return Err(NotADay);
        }
        let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().map_err(|_| NotADay);
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(NotADay);
        }
        // Every date lies within two days of this guess, and the calendar itself decides which one it is.
        let before = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
        let guess = before + (month - 1) * 30 + day - 1;
        let near = guess.saturating_sub(3)..=(guess + 10).min(LAST);
        near.map(Self).find(|day| day.to_string() == text).ok_or(NotADay)
    }
}

impl TryFrom<String> for Day {
    type Error = NotADay;

    fn try_from(text: String) -> Result<Self, NotADay> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_dates_of_the_calendar_are_read() {
        let check = |text: &str, good: bool| assert_eq!(text.parse::<Day>().is_ok(), good, "{text:?}");
        check("1970-01-01", true);
        check("2028-02-29", true);
        check("2027-02-29", false);
        check("2026-12-31", true);
        check("9999-12-31", true);
        check("2026-13-01", false);
        check("2026-1-1", false);
        check("2026-00-10", false);
        check("1969-12-31", false);
        check("tomorrow", false);
        check("2026-12-31T00", false);
        check("２026-12-3", false);
    }

    proptest! {
        #[test]
        fn a_day_comes_back(day in 0..=LAST) {
            prop_assert_eq!(Day(day).to_string().parse(), Ok(Day(day)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = text.parse::<Day>();
        }
    }
}
