//! How long a run may wait for the network, which codex itself would do for ever.

use std::time::Duration;

use tokio::time::Instant;

use crate::peer::event::Event;

/// Watches a run that waits for the network by itself.
///
/// Only a further failed attempt ends it, at most about a minute after the limit: a run that is silent may just as well
/// have its network back and a model that thinks.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    waiting_since: Option<Instant>,
}

impl Patience {
    /// Allows this much awake time without anything done.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            waiting_since: None,
        }
    }

    /// Takes an event and tells whether the run has waited for too long.
    pub fn is_over(&mut self, event: &Event, now: Instant) -> bool {
        if event.is_work() {
            self.waiting_since = None;
        }
        if !matches!(event, Event::Retrying { .. }) {
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        now.saturating_duration_since(since) >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::NETWORK_WAIT;

    #[test]
    fn only_attempts_in_vain_use_patience_up_and_work_restores_it() {
        let start = Instant::now();
        let check = |events: &[(u64, Event)], expected: Option<u64>| {
            let mut patience = Patience::new(NETWORK_WAIT);
            let over = events
                .iter()
                .find(|(second, event)| patience.is_over(event, start + Duration::from_secs(*second)));
            assert_eq!(over.map(|(second, _)| *second), expected, "{events:?}");
        };
        let retry = || Event::Retrying { reason: "r".into() };
        let warning = || Event::Warning { text: "w".into() };
        let said = || Event::Message { text: "m".into() };
        // As codex-cli 0.169.0 tries.
        check(
            &[3, 11, 24, 47, 90, 153, 216, 279, 342].map(|second| (second, retry())),
            Some(342),
        );
        check(&[(3, retry()), (9, retry()), (4000, said())], None);
        check(&[(3, retry()), (300, said()), (310, retry())], None);
        check(&[(3, retry()), (200, warning()), (303, retry())], Some(303));
        check(&[(4000, warning()), (5000, Event::TurnStarted)], None);
    }
}
