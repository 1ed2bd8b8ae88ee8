//! Instants as people and machines write them. The clock itself is elsewhere.

/// Writes milliseconds since 1970 as RFC 3339 in UTC, to the second: `2026-11-21T08:01:40Z`.
pub fn rfc3339(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Writes a duration for people: `42 s`, `3 min 5 s`, `2 h 10 min`.
pub fn spoken(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 if ms > 0 => format!("{ms} ms"),
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..172_800 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Leaves the smaller unit out when there is none of it.
fn two(large: u64, unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    }
}

/// Turns days since 1970 into a date of the Gregorian calendar (the well-known algorithm over 400-year eras).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc() {
        let check = |seconds: u64, expected: &str| assert_eq!(rfc3339(seconds * 1000), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_795_244_455, "2026-11-21T07:00:55Z");
        check(4_102_444_799, "2099-12-31T23:59:59Z");
    }

    #[test]
    fn durations_are_spoken() {
        let check = |ms: u64, expected: &str| assert_eq!(spoken(ms), expected);
        check(0, "0 s");
        check(7, "7 ms");
        check(42_000, "42 s");
        check(185_000, "3 min 5 s");
        check(1_800_000, "30 min");
        check(3_600_000, "1 h");
        check(7_800_000, "2 h 10 min");
    }
}
