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
/// Linux's `CLOCK_MONOTONIC` and macOS's `CLOCK_UPTIME_RAW`, which std uses there, stand still in a suspend.
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
