//! How long a running job has run and when its deadline falls, as somebody tells who only has the time of day.

/// Where a running job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Awake time so far, in milliseconds.
    pub elapsed_ms: u64,
    /// When its deadline falls if the machine stays awake, in milliseconds since 1970.
    pub deadline_ms: u64,
}

/// Judges a job by when it got its slot, what its worker noted of suspends, and the time it has.
///
/// Somebody may have set the clock meanwhile, and a suspend may not be noted yet: then this is wrong, but never by more
/// than the time the job has. Its worker counts awake time, and so does its result.
pub fn so_far(started_ms: u64, now_ms: u64, slept_ms: u64, timeout_ms: u64) -> Span {
    let elapsed = now_ms.saturating_sub(started_ms).saturating_sub(slept_ms);
    let deadline = started_ms.saturating_add(slept_ms).saturating_add(timeout_ms);
    Span {
        elapsed_ms: elapsed.min(timeout_ms),
        deadline_ms: deadline.clamp(now_ms, now_ms.saturating_add(timeout_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_suspend_is_not_counted_and_a_set_clock_does_no_great_harm() {
        const HOUR: u64 = 3_600_000;
        const START: u64 = 1_000 * HOUR;
        let check = |now_ms, slept_ms, elapsed_ms, deadline_ms| {
            let expected = Span {
                elapsed_ms,
                deadline_ms,
            };
            assert_eq!(
                so_far(START, now_ms, slept_ms, HOUR),
                expected,
                "{now_ms} {slept_ms}"
            );
        };
        check(START, 0, 0, START + HOUR);
        check(START + 1_000, 0, 1_000, START + HOUR);
        check(START + 5 * HOUR + 1_000, 5 * HOUR, 1_000, START + 6 * HOUR);
        // A suspend that is not noted yet, or a clock set forward.
        check(START + 24 * HOUR, 0, HOUR, START + 24 * HOUR);
        // A clock set back.
        check(START - 24 * HOUR, 0, 0, START - 23 * HOUR);
        check(0, 0, 0, HOUR);
    }

    proptest! {
        #[test]
        fn no_clock_makes_a_span_beyond_the_time_a_job_has(started: u64, now: u64, slept: u64, timeout: u64) {
            let span = so_far(started, now, slept, timeout);
            prop_assert!(span.elapsed_ms <= timeout);
            prop_assert!(span.deadline_ms >= now && span.deadline_ms - now <= timeout);
        }
    }
}
