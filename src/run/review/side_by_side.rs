//! Runs passes beside each other, as many as there are slots for.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::run::attempt::Attempt;
use crate::run::reap::reap_killed;
use crate::state::slots;
use crate::sys::lock::HeldLock;

/// A pass that was not begun.
pub(super) type Work<'f, T> = Pin<Box<dyn Future<Output = T> + 'f>>;

/// One that was.
struct Running<'f, T> {
    index: usize,
    work: Work<'f, T>,
    /// Absent for the one in the job's own slot.
    borrowed: Option<HeldLock>,
}

/// Runs all of them, in their order as far as one begins before another. What was not begun, since the job was to end or
/// had no tokens left, is `None`.
///
/// The job's own slot always serves one, so this ends whatever the others do. More slots are borrowed while they are free
/// and no other job waits for one; nobody waits here while holding any. Each goes back when its pass ends.
pub(super) async fn run_all<'f, T>(job: &Attempt<'_>, work: Vec<Work<'f, T>>) -> Vec<Option<T>>
where
    T: 'f,
{
    let mut done: Vec<Option<T>> = work.iter().map(|_| None).collect();
    let mut waiting: VecDeque<(usize, Work<'f, T>)> = work.into_iter().enumerate().collect();
    let mut running: Vec<Running<'f, T>> = Vec::new();
    loop {
        while !waiting.is_empty() && job.may_begin() {
            let is_own_free = running.iter().all(|other| other.borrowed.is_some());
            let borrowed = if is_own_free { None } else { borrow(job).await };
            if !is_own_free && borrowed.is_none() {
                break;
            }
            if let Some((index, work)) = waiting.pop_front() {
                running.push(Running {
                    index,
                    work,
                    borrowed,
                });
            }
        }
        if running.is_empty() {
            return done;
        }
        let (at, output) = first_to_end(&mut running).await;
        let ended = running.swap_remove(at);
        if let Some(slot) = ended.borrowed {
            slots::give_back(slot);
        }
        if let Some(place) = done.get_mut(ended.index) {
            *place = Some(output);
        }
    }
}

/// Takes a free slot that nobody waits for. A disk that fails lends none.
async fn borrow(job: &Attempt<'_>) -> Option<HeldLock> {
    let slot = slots::try_borrow(job.store, job.slots()).ok().flatten()?;
    if let Some(killed) = slots::killed_job(&slot)
        && killed != job.spec.id
    {
        reap_killed(&job.store.directory(&killed)).await;
    }
    slots::note_job(&slot, &job.spec.id);
    Some(slot)
}

/// Waits until one of them ends. They share the worker's one thread, so each is polled at every wake.
async fn first_to_end<T>(running: &mut [Running<'_, T>]) -> (usize, T) {
    poll_fn(|context| {
        for (at, one) in running.iter_mut().enumerate() {
            if let Poll::Ready(output) = one.work.as_mut().poll(context) {
                return Poll::Ready((at, output));
            }
        }
        Poll::Pending
    })
    .await
}
