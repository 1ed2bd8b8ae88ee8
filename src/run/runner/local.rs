//! The worker on this machine: it waits for a slot, runs the peer in it and says what came of that.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::job::JobState;
use crate::run::attempt::Attempt;
use crate::run::conclude;
use crate::run::control::Stop;
use crate::run::keep::Reserve;
use crate::run::reap::reap_killed;
use crate::run::remains::Remains;
use crate::run::runner::{Job, Salvaged, Went};
use crate::run::seat::Seat;
use crate::run::shared::Shared;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::ResultRecord;
use crate::state::slots;
use crate::sys::clock::{self, Stopwatch};
use crate::sys::lock::HeldLock;
use crate::sys::seam;
use crate::sys::watch::DirectoryWatch;

/// How long a free slot is left to an older job, which takes it within milliseconds unless its worker is stopped.
const TURN: Duration = Duration::from_secs(2);

/// Does the work of a job from its slot to its result.
pub(super) async fn work(job: &Job<'_>) -> Result<Went, StateError> {
    let mut reserve = None;
    let result = match job.wait_for_slot().await {
        Ok(Some(slot)) => {
            reserve = Some(Reserve::take(job.directory));
            seam::point("slot.reserved");
            let result = job.run().await;
            slots::give_back(slot);
            result
        }
        Ok(None) => {
            let (state, fault) = conclude::stopped(job.spec.peer.name, job.stop(), job.spec.timeout_ms);
            Remains::of(job.spec).failed(job.spec, state, fault)
        }
        Err(error) => Remains::of(job.spec).failed(job.spec, JobState::Failed, error.into()),
    };
    Ok(Went::Ended {
        result: Box::new(result),
        reserve,
    })
}

/// Says what is known of a job whose worker died.
pub(super) fn salvage(directory: &JobDirectory) -> Salvaged {
    // What `started` holds is not synced, so after a power cut only the note of a peer says for sure that one ran.
    let message = if directory.was_started() {
        "the job's worker died; what the run had said is kept"
    } else {
        "the job's worker died before the peer was started; nothing was paid"
    };
    Salvaged::Lost {
        message: message.to_owned(),
        hint: None,
    }
}

impl Job<'_> {
    /// Returns why the worker ends before its time.
    pub(super) fn stop(&self) -> Stop {
        if self.directory.is_cancel_requested() {
            Stop::Cancelled
        } else {
            Stop::WorkerSignal
        }
    }

    /// Returns what is needed to run the peer, whose time begins now.
    pub(super) fn attempt<'a>(&'a self, shared: &'a Shared) -> Attempt<'a> {
        Attempt {
            directory: self.directory,
            spec: self.spec,
            config: self.config,
            environment: self.environment,
            store: self.store,
            ended: self.ended.clone(),
            deadline: Instant::now() + Duration::from_millis(self.spec.timeout_ms),
            shared,
            seat: Seat::only(self.directory, self.spec),
        }
    }

    /// Waits until a slot is free; `None` when the job was cancelled first.
    pub(super) async fn wait_for_slot(&self) -> Result<Option<HeldLock>, StateError> {
        let slots_watch = DirectoryWatch::start(&slots::folder(self.store)?);
        let job_watch = DirectoryWatch::start(self.directory.path());
        let mut kept_back: Option<Instant> = None;
        loop {
            if self.directory.is_cancel_requested() || self.ended.is_cancelled() {
                return Ok(None);
            }
            let slots = self.config.concurrency.value;
            // The first ones only: then no more of the project's jobs run at once than it admits.
            let slots = self.spec.slots.map_or(slots, |most| most.clamp(1, slots));
            let mine = kept_back.is_some_and(|since| since.elapsed() > TURN)
                || slots::is_first_in_line(self.store, &self.spec.id);
            if !mine && slots::is_any_free(self.store, slots) {
                kept_back.get_or_insert_with(Instant::now);
            } else {
                kept_back = None;
            }
            if mine && let Some(slot) = slots::try_take(self.store, slots)? {
                seam::point("slot.taken");
                if let Some(job) = slots::killed_job(&slot) {
                    reap_killed(&self.store.directory(&job)).await;
                }
                self.directory.mark_started_once(clock::now_ms())?;
                slots::note_job(&slot, &self.spec.id);
                seam::point("slot.started");
                return Ok(Some(slot));
            }
            tokio::select! {
                () = slots_watch.changed() => {}
                () = job_watch.changed() => {}
                () = self.ended.cancelled() => {}
            }
        }
    }

    /// Gets an answer or the reason why there is none.
    async fn run(&self) -> ResultRecord {
        let watch = Stopwatch::start();
        let mut remains = Remains::of(self.spec);
        let shared = match Shared::open(self.directory) {
            Ok(shared) => shared,
            Err(error) => return remains.failed(self.spec, JobState::Failed, error.into()),
        };
        let outcome = self.attempt(&shared).run(&mut remains).await;
        remains.elapsed_ms = watch.elapsed_ms();
        match outcome {
            Ok(answer) => remains.succeeded(self.spec, answer),
            Err((state, fault)) => remains.failed(self.spec, state, fault),
        }
    }
}
