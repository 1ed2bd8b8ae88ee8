//! The clocks of this machine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sys::seam;

/// Returns milliseconds since 1970. A clock before 1970 reads as 0.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since).saturating_add_signed(seam::clock_skew_ms())
}

/// Returns a duration in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Measures awake time: `Instant` does not advance while the machine is suspended.
///
/// Linux's `CLOCK_MONOTONIC` and macOS's `CLOCK_UPTIME_RAW`, which std uses there, stand still in a suspend. tokio's
/// `Instant`, which deadlines are made of, is std's. No clock that somebody sets takes part.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the awake time since the start, in milliseconds.
    pub fn elapsed_ms(self) -> u64 {
        millis(self.0.elapsed())
    }
}

/// Differences between the clocks up to this are no suspend: the two are not read at the same instant.
const SHORTEST_SLEEP: Duration = Duration::from_secs(2);

/// The clock that stands still in a suspend and the one that goes on, read together. Setting the time moves neither.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    awake: Instant,
    /// Since some instant in the past.
    whole: Duration,
}

impl Clocks {
    /// Reads both.
    pub fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};
        #[cfg(target_os = "linux")]
        const WHOLE: ClockId = ClockId::Boottime;
        // macOS's goes on in a suspend. Where it does not, no suspend is seen.
        #[cfg(not(target_os = "linux"))]
        const WHOLE: ClockId = ClockId::Monotonic;
        Self {
            awake: Instant::now(),
            whole: Duration::try_from(clock_gettime(WHOLE)).unwrap_or_default(),
        }
    }

    /// Returns the reading that would have been taken before a suspend of this length.
    #[cfg(test)]
    #[must_use]
    pub fn before_sleep(mut self, slept: Duration) -> Self {
        self.whole = self.whole.saturating_sub(slept);
        self
    }

    /// Returns how long the machine was suspended between an earlier reading and this one; `None` when it was not.
    pub fn slept_since(&self, earlier: &Self) -> Option<Duration> {
        let whole = self.whole.saturating_sub(earlier.whole);
        let slept = whole.saturating_sub(self.awake.saturating_duration_since(earlier.awake));
        (slept > SHORTEST_SLEEP).then_some(slept)
    }
}

/// Names the present boot, so that a process id of an earlier one is never taken for a live process.
///
/// Empty where the system does not say.
pub fn boot_id() -> String {
    if let Some(pretended) = seam::pretended_boot() {
        return pretended;
    }
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspend_is_what_one_clock_counts_and_the_other_does_not() {
        let check = |awake_ms: u64, whole_ms: u64, expected_ms: Option<u64>| {
            let earlier = Clocks::now();
            let later = Clocks {
                awake: earlier.awake + Duration::from_millis(awake_ms),
                whole: earlier.whole + Duration::from_millis(whole_ms),
            };
            let slept = later.slept_since(&earlier);
            assert_eq!(slept.map(millis), expected_ms, "{awake_ms} of {whole_ms}");
            assert_eq!(
                earlier.slept_since(&later),
                None,
                "clocks that go back are no suspend"
            );
        };
        check(15_000, 15_000, None);
        check(15_000, 15_003, None);
        check(15_000, 17_000, None);
        check(15_000, 17_001, Some(2_001));
        check(15_000, 3 * 3_600_000 + 15_000, Some(3 * 3_600_000));
        check(15_000, 14_999, None);
    }

    #[test]
    fn both_clocks_of_this_machine_go_on_together() {
        let earlier = Clocks::now();
        assert!(earlier.whole > Duration::ZERO);
        std::thread::sleep(Duration::from_millis(20));
        let now = Clocks::now();
        assert!(now.whole >= earlier.whole + Duration::from_millis(20));
        assert_eq!(now.slept_since(&earlier), None);
    }
}
