//! Which ended jobs may be deleted. Deciding is all that happens here; somebody else deletes.

use std::time::Duration;

use crate::domain::job::JobId;

/// What the decision needs to know of one ended job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub id: JobId,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: u64,
    /// Whether somebody has read its result.
    pub fetched: bool,
}

/// Returns the jobs to delete: those past `ttl`, and the oldest read ones over `keep`.
///
/// A result that nobody has read is kept until its time is over, however many there are.
pub fn evict(mut ended: Vec<Ended>, now_ms: u64, ttl: Duration, keep: usize) -> Vec<JobId> {
    ended.sort_by(|a, b| (b.ended_ms, &b.id).cmp(&(a.ended_ms, &a.id)));
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    let mut read_kept = 0;
    let mut gone = Vec::new();
    for job in ended {
        let expired = now_ms.saturating_sub(job.ended_ms) > ttl_ms;
        if expired || (job.fetched && read_kept >= keep) {
            gone.push(job.id);
        } else if job.fetched {
            read_kept += 1;
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::WorkspaceHash;

    fn job(ended_ms: u64, fetched: bool) -> Ended {
        Ended {
            id: JobId::new(ended_ms, WorkspaceHash::of(b"w"), ended_ms),
            ended_ms,
            fetched,
        }
    }

    #[test]
    fn an_unread_result_is_never_counted_out() {
        let jobs: Vec<_> = (1..=5).map(|at| job(at, at % 2 == 0)).collect();
        let gone = evict(jobs.clone(), 5, Duration::from_secs(1), 1);
        assert_eq!(
            gone,
            vec![jobs[1].id.clone()],
            "only the older of the two read ones goes"
        );
    }

    #[test]
    fn everything_expires() {
        let jobs = vec![job(1_000, false), job(9_000, true)];
        assert_eq!(
            evict(jobs.clone(), 9_500, Duration::from_secs(5), 10),
            vec![jobs[0].id.clone()]
        );
    }
}
