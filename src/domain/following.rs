//! When to ask about tasks that are done elsewhere: a decision on facts that are on disk anyway.
//!
//! Nothing of it has to be remembered. The pause before the next question follows from a task's age when it was asked about
//! last, so a process that was killed, or a machine that slept, goes on where it was. Only an outage of the whole service is
//! kept in memory: whoever forgets it asks once too often.

use crate::domain::runner::TaskId;

/// The shortest pause between two questions about a task, in milliseconds.
pub const PAUSE_FIRST_MS: u64 = 10_000;
/// The longest one.
pub const PAUSE_LONGEST_MS: u64 = 300_000;
/// A task is asked about again after this part of its age.
const PART: u64 = 6;
/// From this many tasks of one environment that are due at once a page of the list is asked for instead of each of them.
const LIST_FROM: usize = 3;
/// Tasks asked about one by one in one round: those that no page told of. The rest waits for the next round.
pub const ONE_BY_ONE: usize = 10;

/// One task that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The task.
    pub task: TaskId,
    /// Its environment.
    pub environment: String,
    /// When it was handed over, in milliseconds since 1970.
    pub since_ms: u64,
    /// When it was last asked about.
    pub asked_ms: Option<u64>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// For the newest tasks of an environment; those that are due and not among them are asked about one by one.
    List {
        /// The environment.
        environment: String,
        /// The tasks that are due.
        due: Vec<TaskId>,
    },
    /// For one task.
    Status(TaskId),
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The questions, in their order. After one that the service does not answer the others are not asked.
    pub asks: Vec<Ask>,
    /// When the next round is, in milliseconds since 1970.
    pub next_ms: u64,
}

/// Decides the rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Following {
    outage: Option<Outage>,
}

/// The service answers nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    since_ms: u64,
    asked_ms: u64,
}

/// Returns the pause after a question to a task of this age, in milliseconds.
pub fn pause_ms(age_ms: u64) -> u64 {
    (age_ms / PART).clamp(PAUSE_FIRST_MS, PAUSE_LONGEST_MS)
}

impl Followed {
    /// Returns when it is to be asked about next. A clock that was set back must not put that off.
    pub fn due_ms(&self, now_ms: u64) -> u64 {
        match self.asked_ms {
            None => self
                .since_ms
                .saturating_add(PAUSE_FIRST_MS)
                .min(now_ms.saturating_add(PAUSE_FIRST_MS)),
            Some(asked) if asked > now_ms.saturating_add(PAUSE_LONGEST_MS) => now_ms,
            Some(asked) => asked.saturating_add(pause_ms(asked.saturating_sub(self.since_ms))),
        }
    }
}

impl Followed {
    /// Tells whether at least half of the pause is over.
    fn is_half_due(&self, now_ms: u64) -> bool {
        let due_ms = self.due_ms(now_ms);
        let asked_ms = self.asked_ms.unwrap_or(self.since_ms);
        due_ms <= now_ms || now_ms.saturating_sub(asked_ms) >= due_ms.saturating_sub(asked_ms) / 2
    }
}

impl Following {
    /// Decides what is asked now and when to look again.
    ///
    /// Where enough tasks are due or half-way to it, all of them are asked about with one page: it costs no more, and then they
    /// fall due together.
    pub fn round(&self, tasks: &[Followed], now_ms: u64) -> Round {
        let due: Vec<&Followed> = tasks
            .iter()
            .filter(|task| task.due_ms(now_ms) <= now_ms)
            .collect();
        let later = tasks
            .iter()
            .map(|task| task.due_ms(now_ms))
            .filter(|at| *at > now_ms);
        // A question that a clock noted before it was set back lies ahead, and is no reason to wait for longer.
        let longest_ms = now_ms.saturating_add(PAUSE_LONGEST_MS);
        let next_ms = later.min().unwrap_or(longest_ms).min(longest_ms);
        let Some(outage) = self.outage else {
            let next_ms = if due.is_empty() {
                next_ms
            } else {
                next_ms.min(now_ms + PAUSE_FIRST_MS)
            };
            return Round {
                asks: asks(&due, tasks, now_ms),
                next_ms,
            };
        };
        // One question for all, at the pace of one task as old as the outage.
        let retry_ms = outage
            .asked_ms
            .min(now_ms)
            .saturating_add(pause_ms(outage.asked_ms.saturating_sub(outage.since_ms)));
        if retry_ms > now_ms {
            return Round {
                asks: Vec::new(),
                next_ms: retry_ms,
            };
        }
        let longest_unasked = due.iter().min_by_key(|task| (task.asked_ms, task.since_ms));
        Round {
            asks: longest_unasked
                .map(|task| Ask::Status(task.task.clone()))
                .into_iter()
                .collect(),
            next_ms: now_ms + PAUSE_FIRST_MS,
        }
    }

    /// Notes that the service answered a question, whatever it said of the task.
    pub fn answered(&mut self) {
        self.outage = None;
    }

    /// Notes that it did not answer, so the rest of the round is not asked.
    pub fn unanswered(&mut self, now_ms: u64) {
        let since_ms = self.outage.map_or(now_ms, |outage| outage.since_ms.min(now_ms));
        self.outage = Some(Outage {
            since_ms,
            asked_ms: now_ms,
        });
    }
}

/// Makes the questions: one page for the many of an environment, the oldest first for the few.
fn asks(due: &[&Followed], tasks: &[Followed], now_ms: u64) -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut alone: Vec<&Followed> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for task in due {
        let environment = task.environment.as_str();
        if seen.contains(&environment) {
            continue;
        }
        seen.push(environment);
        let of_environment = |other: &&Followed| other.environment == environment;
        let together: Vec<&Followed> = tasks
            .iter()
            .filter(of_environment)
            .filter(|task| task.is_half_due(now_ms))
            .collect();
        if together.len() >= LIST_FROM {
            asks.push(Ask::List {
                environment: environment.to_owned(),
                due: together.iter().map(|task| task.task.clone()).collect(),
            });
        } else {
            alone.extend(due.iter().copied().filter(of_environment));
        }
    }
    alone.sort_by_key(|task| (task.asked_ms, task.since_ms));
    asks.extend(
        alone
            .into_iter()
            .take(ONE_BY_ONE)
            .map(|task| Ask::Status(task.task.clone())),
    );
    asks
}

#[cfg(test)]
#[path = "following_tests.rs"]
mod tests;
