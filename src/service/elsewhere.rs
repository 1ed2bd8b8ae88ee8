//! Looking after jobs that are done elsewhere: whoever looks lets them be followed, and asks about the one that is looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::domain::following::PAUSE_FIRST_MS;
use crate::domain::runner::{TaskId, TaskStatus};
use crate::run::follow;
use crate::run::runner::Runner;
use crate::run::runner::cloud::Asking;
use crate::service::context::Service;
use crate::state::directory::{Job, JobDirectory};
use crate::state::remote;
use crate::state::store::Store;
use crate::sys::clock;

/// For how long a look at many tasks begins to ask about one more.
const LOOK: Duration = Duration::from_secs(5);

/// Lets what is done elsewhere be followed, if there is any and nobody does. Reads one folder.
pub fn see_to_it(service: &Service, config: &Config, store: &Store) {
    follow::ensure(service.program(), service.environment(), config, store);
}

/// As [`see_to_it`], for whoever has no configuration at hand.
pub fn see_to_all(service: &Service) {
    let store = service.store();
    // Nearly always there is nothing, and then no configuration is read.
    if let Ok(store) = store
        && !remote::followed(&store).is_empty()
        && let Ok(config) = service.config()
    {
        see_to_it(service, &config, &store);
    }
}

/// Asks how the tasks of these jobs stand, each once, where nobody did a moment ago.
pub async fn refresh<'a>(
    service: &Service,
    config: &Config,
    store: &Store,
    jobs: impl Iterator<Item = &'a JobDirectory>,
) {
    // By task, since the attempts of one stand alike.
    let mut asked: BTreeMap<TaskId, bool> = BTreeMap::new();
    let begun = Instant::now();
    for directory in jobs.filter(|directory| directory.is_elsewhere()) {
        let Ok(spec) = directory.read_spec() else { continue };
        // Somebody may have removed it from those that are followed, or a power cut did.
        let _ = remote::follow(store, &spec.id);
        let Some(task) = directory.task() else { continue };
        let is_over = if let Some(is_over) = asked.get(&task.task) {
            *is_over
        } else if begun.elapsed() > LOOK {
            // Somebody waits, and whoever follows asks about the others.
            continue;
        } else {
            let asking = Asking {
                program: &spec.peer.program,
                config,
                environment: service.environment(),
                store,
            };
            let seen = Runner::of(&spec).observe(&asking, directory).await;
            seen.is_some_and(|seen| {
                seen.unreachable.is_none() && seen.status.is_some_and(TaskStatus::is_over)
            })
        };
        asked.insert(task.task, is_over);
        if is_over && directory.is_try_due(clock::now_ms(), PAUSE_FIRST_MS) {
            follow::start_fetch(service.program(), service.environment(), config, directory, &spec);
        }
    }
    see_to_it(service, config, store);
}

/// As [`refresh`], of one job.
pub async fn refresh_one(service: &Service, config: &Config, store: &Store, job: &Job) {
    refresh(service, config, store, std::iter::once(&job.directory)).await;
}
