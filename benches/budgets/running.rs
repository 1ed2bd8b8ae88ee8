//! What we hold in memory for each running job: the worker, while codex waits for a model that says nothing.

use std::time::Duration;

use crosscheck::model::{Reply, Step, Turn};
use serde_json::json;

use crate::figure::Figure;
use crate::host::Host;
use crate::memory::{read_command, read_descendants, read_memory};
use crate::others;
use crate::support::model::wait_until;
use crate::table::Row;
use crate::world::World;

/// Jobs that run at once; as many as run at once by default.
const JOBS: usize = 3;

/// Measures the workers of ours and of the one other bridge that can be measured.
pub(crate) fn measure() -> Vec<Row> {
    let stalled = |_: &Turn| Reply::stream([Step::Sleep(Duration::from_secs(600))]);
    let world = World::new(stalled);
    let mut ours = world.server();
    for _ in 0..JOBS {
        ours.call_ok("consult", &json!({"prompt": "Wait.", "background": true}));
    }
    world.model.wait_for_turns(JOBS);
    let (rss, pss) = workers(&ours, "worker");
    for id in ids(&mut ours) {
        ours.call("cancel", &json!({"id": id}));
    }
    let mut rows = [
        Row::new("memory per running job, RSS", "10 MB", &rss),
        Row::new("the same, PSS", "", &pss),
    ];
    if let Some(other) = others::codex_in_claude() {
        let mut host = Host::start(others::configured(other, &world));
        let arguments = json!({"question": "Wait.", "workspace_root": world.home.work()});
        let mut started = Vec::new();
        for _ in 0..JOBS {
            let job = host.call_ok("codex_consult_async", &arguments);
            started.push(job["job_id"].clone());
        }
        world.model.wait_for_turns(2 * JOBS);
        let (rss, pss) = workers(&host, "codex_in_claude._worker");
        for id in started {
            host.call(
                "codex_job_cancel",
                &json!({"job_id": id, "workspace_root": world.home.work()}),
            );
        }
        let mut figures = [rss, pss].into_iter();
        rows = rows.map(|row| row.beside(other.name, &figures.next().unwrap()));
    }
    rows.into()
}

fn ids(host: &mut Host) -> Vec<String> {
    let list = host.call_ok("job", &json!({"state": "active"}));
    let rows = list["jobs"].as_array().unwrap();
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Returns the memory of each worker below a server.
fn workers(host: &Host, word: &str) -> (Figure, Figure) {
    let find = || {
        let below = read_descendants(host.pid());
        let workers = below
            .into_iter()
            .filter(|pid| read_command(*pid).iter().skip(1).any(|argument| argument == word));
        workers.collect::<Vec<u32>>()
    };
    wait_until("all workers", || find().len() >= JOBS);
    let memories = find().into_iter().map(read_memory);
    let (rss, pss) = memories
        .map(|memory| (memory.rss_kb / 1024.0, memory.pss_kb / 1024.0))
        .unzip();
    (Figure::of(rss, "MB"), Figure::of(pss, "MB"))
}
