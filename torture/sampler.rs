//! Looks at the processes of a world again and again: which peers live at the same instant.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::census::{self, Kind, Start, now};
use crate::model::{Alive, Micros};
use crate::world::World;

/// Time between two looks. A look costs a few milliseconds of a processor that the world needs too.
const PAUSE: Duration = Duration::from_millis(30);

/// What one look saw: peers that all lived at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    at: Micros,
    peers: Vec<(String, u32)>,
}

/// Looks until `stop` is set.
pub(crate) fn run(world: &World, stop: &AtomicBool) -> Vec<Sample> {
    let mut samples = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        samples.push(look(world));
        std::thread::sleep(PAUSE);
    }
    samples
}

/// Looks twice: who is seen at both times lived in between, so they all lived at once. One look alone could see a peer
/// and then its successor.
fn look(world: &World) -> Sample {
    let at = now();
    let first = census::of(world);
    let peers = first
        .into_iter()
        .filter_map(|process| match process.kind {
            Kind::Peer(job) if process.identity.is_alive() => Some((job, process.identity.pid)),
            _ => None,
        })
        .collect();
    Sample { at, peers }
}

/// Keeps of the samples only peers that were paid for: one that reads an empty prompt is none.
pub(crate) fn alive(samples: &[Sample], starts: &[Start]) -> Vec<Alive> {
    samples
        .iter()
        .map(|sample| Alive {
            at: sample.at,
            jobs: sample
                .peers
                .iter()
                .filter(|(job, pid)| {
                    starts
                        .iter()
                        .any(|start| start.paid.job == *job && start.pid.is_none_or(|noted| noted == *pid))
                })
                .map(|(job, _)| job.clone())
                .collect(),
        })
        .collect()
}

/// Returns the most peers that any sample saw.
pub(crate) fn most(alive: &[Alive]) -> u64 {
    let most = alive.iter().map(|alive| alive.jobs.len()).max().unwrap_or(0);
    u64::try_from(most).unwrap_or(u64::MAX)
}
