//! Which ended jobs may be deleted. Deciding is all that happens here; somebody else deletes.

use std::time::Duration;

use crate::domain::job::JobId;

/// What the decision needs to know of one ended job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub id: JobId,
    /// What deleting it would lose.
    pub worth: Worth,
}

/// What would be lost with a job's record. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Something that was paid for and that nobody has read.
    Unread,
    /// Something that was read, then.
    Read {
        /// When it was read, or when the job ended if that was later.
        since_ms: u64,
    },
    /// Nothing: the job ended before anything was paid.
    Nothing {
        /// When the job ended.
        since_ms: u64,
    },
}

/// Returns the jobs to delete: those past `ttl`, and the oldest read ones over `keep`.
///
/// What was paid for and never read is kept until somebody reads it, however old it is and however many there are.
pub fn evict(mut ended: Vec<Ended>, now_ms: u64, ttl: Duration, keep: usize) -> Vec<JobId> {
    let since = |job: &Ended| match job.worth {
        Worth::Unread => u64::MAX,
        Worth::Read { since_ms } | Worth::Nothing { since_ms } => since_ms,
    };
    ended.sort_by(|a, b| (since(b), &b.id).cmp(&(since(a), &a.id)));
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    let mut read_kept = 0;
    let mut gone = Vec::new();
    for job in ended {
        let expired = now_ms.saturating_sub(since(&job)) > ttl_ms;
        let read = matches!(job.worth, Worth::Read { .. });
        if expired || (read && read_kept >= keep) {
            gone.push(job.id);
        } else if read {
            read_kept += 1;
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::job::WorkspaceHash;

    fn job(number: u64, worth: Worth) -> Ended {
        Ended {
            id: JobId::new(number, WorkspaceHash::of(b"w"), number),
            worth,
        }
    }

    #[test]
    fn the_oldest_read_results_are_counted_out() {
        let read = |at| job(at, Worth::Read { since_ms: at });
        let jobs = vec![
            read(1),
            job(2, Worth::Unread),
            read(3),
            job(4, Worth::Nothing { since_ms: 4 }),
        ];
        let gone = evict(jobs.clone(), 5, Duration::from_secs(1), 1);
        assert_eq!(gone, vec![jobs[0].id.clone()]);
    }

    #[test]
    fn what_is_read_or_worth_nothing_expires() {
        let check = |worth: Worth, expected: bool| {
            let gone = evict(vec![job(1, worth)], 9_500, Duration::from_secs(5), 10);
            assert_eq!(!gone.is_empty(), expected, "{worth:?}");
        };
        check(Worth::Read { since_ms: 4_499 }, true);
        check(Worth::Read { since_ms: 4_500 }, false);
        check(Worth::Nothing { since_ms: 4_499 }, true);
        // The clock was set back since.
        check(Worth::Nothing { since_ms: 99_999 }, false);
        check(Worth::Unread, false);
    }

    fn worth() -> impl Strategy<Value = Worth> {
        prop_oneof![
            Just(Worth::Unread),
            any::<u64>().prop_map(|since_ms| Worth::Read { since_ms }),
            any::<u64>().prop_map(|since_ms| Worth::Nothing { since_ms }),
        ]
    }

    proptest! {
        #[test]
        fn what_nobody_has_read_is_never_deleted(
            worths in proptest::collection::vec(worth(), 0..20), now_ms: u64, keep in 0usize..5
        ) {
            let jobs: Vec<_> = (1u64..).zip(worths).map(|(number, worth)| job(number, worth)).collect();
            let gone = evict(jobs.clone(), now_ms, Duration::from_secs(5), keep);
            for job in jobs.iter().filter(|job| job.worth == Worth::Unread) {
                prop_assert!(!gone.contains(&job.id));
            }
        }
    }
}
