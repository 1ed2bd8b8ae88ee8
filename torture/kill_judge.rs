//! What must have become of a job, given who was hit and when.

use rustix::process::Signal;

use crate::facts::JobFacts;
use crate::kill::{Case, Scene, Target};

/// Who was hit.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// The job's worker.
    pub worker: bool,
    /// Whether there was a worker at that moment.
    pub worker_lived: bool,
}

/// Says every rule that was broken.
pub fn judge(
    case: Case,
    hit: &Hit,
    before: Option<&JobFacts>,
    after: Option<&JobFacts>,
    acknowledged: Option<&str>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if case.spot.scene == Scene::Forget {
        if let Some(job) = after {
            wrong.push(format!("the forgotten job {} is still there", job.id));
        }
        return wrong;
    }
    if let Some(id) = acknowledged
        && after.is_none_or(|job| job.id != id)
    {
        wrong.push(format!("the acknowledged job {id} does not exist"));
    }
    let Some(after) = after else {
        if before.is_some() {
            wrong.push("the job vanished".to_owned());
        }
        return wrong;
    };
    let state = after.state().unwrap_or("none");
    if let Some(first) = before.and_then(|job| job.result_bytes.as_ref()) {
        if after.result_bytes.as_ref() != Some(first) {
            wrong.push(format!("the result that was there changed to {state}"));
        }
        return wrong;
    }
    let may = allowed(case, *hit);
    if !may.contains(&state) {
        let fault = after.result.as_ref().map(|result| result["fault"].to_string());
        wrong.push(format!("the job is {state}, not {may:?}: {fault:?}"));
    }
    if state == "failed" && !fault_code(after).starts_with("peer_") {
        wrong.push(format!("a killed peer is told as `{}`", fault_code(after)));
    }
    if state != "succeeded" && case.spot.scene != Scene::Repair {
        if after.said("partial") != after.message.as_deref() {
            wrong.push(format!(
                "the partial answer is {:?}, and the last thing said {:?}",
                after.said("partial"),
                after.message
            ));
        }
        if after.said("thread") != after.thread.as_deref() {
            wrong.push(format!(
                "the thread is {:?}, and the one that was opened {:?}",
                after.said("thread"),
                after.thread
            ));
        }
    }
    // The peer had said its first words before these; they were paid for.
    let spoke = matches!(case.spot.scene, Scene::Cancel | Scene::Stubborn | Scene::Reap)
        || (case.spot.point, case.spot.nth) == ("peer.logged", 3);
    if spoke && state != "succeeded" && after.said("partial").is_none() {
        wrong.push("what the peer had said is lost".to_owned());
    }
    wrong
}

fn fault_code(job: &JobFacts) -> &str {
    let fault = job.result.as_ref().map(|result| &result["fault"]["code"]);
    fault.and_then(|code| code.as_str()).unwrap_or("none")
}

/// Returns the ends that tell the truth.
fn allowed(case: Case, hit: Hit) -> &'static [&'static str] {
    let point = case.spot.point;
    let cancelled = matches!(case.spot.scene, Scene::Cancel | Scene::Stubborn);
    if case.spot.scene == Scene::Reap {
        return &["lost"];
    }
    if hit.worker && case.signal == Signal::KILL {
        return &["lost"];
    }
    match case.target {
        // Nobody had been asked to run it, or it may just have been asked by a server that ends in good order.
        Target::Server | Target::All if !hit.worker_lived && case.signal == Signal::KILL => &["lost"],
        Target::Server if !hit.worker_lived => &["lost", "succeeded"],
        Target::Server if cancelled => &["cancelled"],
        Target::Server => &["succeeded"],
        Target::Worker if cancelled => &["cancelled"],
        Target::Worker => match point {
            // Before the worker listens for signals, a signal ends it where it stands.
            "worker.begun" | "worker.adopted" | "worker.spec_read" => &["lost"],
            "peer.spawned" | "peer.noted" | "peer.fed" | "peer.said" | "peer.logged"
                if case.spot.scene == Scene::Slow =>
            {
                &["cancelled"]
            }
            "peer.ended" | "peer.swept" | "run.judged" if case.spot.scene != Scene::Repair => &["succeeded"],
            _ if point.starts_with("finish.") => &["succeeded"],
            // The worker runs, or is about to start or to repair: it depends on which comes first.
            _ if case.spot.role == "server" => &["lost", "cancelled", "succeeded"],
            _ => &["cancelled", "succeeded"],
        },
        Target::Peer if cancelled => &["cancelled", "failed"],
        Target::Peer if case.spot.scene == Scene::Slow => &["failed"],
        Target::Peer => &["failed", "succeeded"],
        Target::All => &["cancelled", "failed", "succeeded", "lost"],
    }
}
