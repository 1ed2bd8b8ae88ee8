//! A figure: how often something was measured, and its median between its smallest and its largest value.

use std::fmt;
use std::time::Duration;

/// Measurements of one thing in one unit.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Sorted, never empty.
    values: Vec<f64>,
    unit: &'static str,
}

impl Figure {
    /// Takes times, shown in milliseconds.
    pub(crate) fn of_times(times: &[Duration]) -> Self {
        let values = times.iter().map(|time| time.as_secs_f64() * 1e3);
        Self::of(values.collect(), "ms")
    }

    /// Takes values in `unit`. There must be at least one.
    pub(crate) fn of(mut values: Vec<f64>, unit: &'static str) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self { values, unit }
    }

    /// Takes the one value of something that does not vary.
    pub(crate) fn once(value: f64, unit: &'static str) -> Self {
        Self::of(vec![value], unit)
    }

    /// Returns the value in the middle, or the mean of the two there.
    pub(crate) fn median(&self) -> f64 {
        let count = self.values.len();
        f64::midpoint(self.values[(count - 1) / 2], self.values[count / 2])
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = (self.values.len(), self.unit);
        write!(out, "{} {unit}", rounded(self.median()))?;
        if count > 1 {
            let (least, most) = (self.values[0], self.values[count - 1]);
            write!(out, " ({}-{}, n={count})", rounded(least), rounded(most))?;
        }
        Ok(())
    }
}

/// Three digits are more than such measurements are worth.
fn rounded(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
