//! How long it takes to list the newest jobs of a workspace that has had many.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crosscheck::domain::job::{JobId, WorkspaceHash};
use crosscheck::model::{Reply, Turn};
use serde_json::{Value, json};

use crate::figure::Figure;
use crate::table::Row;
use crate::world::World;

/// Jobs of the workspace.
const JOBS: usize = 10_000;
/// Jobs that are listed.
const LISTED: usize = 20;
/// Lists.
const LISTS: usize = 20;

/// Measures the tool `job` without an id.
pub(crate) fn measure() -> Vec<Row> {
    let world = World::new(|_: &Turn| Reply::text("It is."));
    let mut host = world.server();
    let answer = host.call_ok("consult", &json!({"prompt": "Is it?"}));
    let jobs = world.home.state().join("jobs");
    let id = answer["job"]["id"].as_str().unwrap();
    fill(&jobs, id, &world.home.work());
    let list = json!({"limit": LISTED});
    host.call_ok("job", &list);
    let times: Vec<_> = (0..LISTS)
        .map(|_| {
            let begun = Instant::now();
            let answer = host.call_ok("job", &list);
            let time = begun.elapsed();
            assert_eq!(answer["jobs"].as_array().unwrap().len(), LISTED);
            time
        })
        .collect();
    vec![Row::new(
        "newest 20 of 10,000 jobs of a workspace",
        "50 ms",
        &Figure::of_times(&times),
    )]
}

/// Copies the record of a real job under older ids until there are enough.
fn fill(jobs: &Path, id: &str, workspace: &Path) {
    let real: JobId = id.parse().unwrap();
    let hash = WorkspaceHash::of(workspace.as_os_str().as_encoded_bytes());
    assert!(real.is_of(hash), "the copies belong to the real job's workspace");
    let from = jobs.join(id);
    let mut spec: Value = serde_json::from_slice(&fs::read(from.join("spec.json")).unwrap()).unwrap();
    for number in 1..JOBS as u64 {
        let copy = JobId::new(real.created_ms() - number * 1000, hash, number);
        let to = jobs.join(copy.as_str());
        fs::create_dir(&to).unwrap();
        spec["id"] = json!(copy);
        spec["created_ms"] = json!(copy.created_ms());
        fs::write(to.join("spec.json"), spec.to_string()).unwrap();
        for name in ["result.json", "worker.lock", "started", "events.jsonl", "fetched"] {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}
