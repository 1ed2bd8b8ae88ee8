//! The progress line: what the peer does and for how long, on a terminal's stderr only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::render::page::one_line;
use crate::cli::streams::Device;
use crate::service::call::ProgressSink;

/// Time between two pictures of the line: smooth to the eye, nothing to the machine.
const TICK: Duration = Duration::from_millis(120);

/// A line that is redrawn in place and gone when the command is over.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Starts it, if somebody watches.
    pub(super) fn start(stderr: Device, first: &str) -> Self {
        if stderr != Device::Terminal {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_message(first.to_owned());
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }

    /// Returns what a call tells its progress to.
    pub(super) fn sink(&self) -> Option<ProgressSink> {
        let bar = self.0.clone()?;
        Some(ProgressSink::new(move |text| {
            bar.set_message(one_line(phase(text)));
        }))
    }

    /// Takes the line away while something else is written.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away for good.
    pub(super) fn finish(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Leaves out how long it took so far: the line shows that itself.
fn phase(text: &str) -> &str {
    match text.rsplit_once(" (") {
        Some((phase, rest)) if rest.ends_with(" so far)") => phase,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_told_once() {
        let check = |text, expected| assert_eq!(phase(text), expected);
        check("thinking (15 s so far)", "thinking");
        check("running (a b) (1 min 3 s so far)", "running (a b)");
        check("running (a b)", "running (a b)");
        check("thinking", "thinking");
    }

    #[test]
    fn nobody_watching_means_no_line() {
        let progress = Progress::start(Device::Other, "starting");
        assert!(progress.sink().is_none());
        assert_eq!(progress.suspend(|| 7), 7);
        progress.finish();
    }
}
