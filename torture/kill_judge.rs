//! What must have become of a job, given who was hit and when.

use std::collections::BTreeSet;

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
    hit: Hit,
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
    let may = allowed(case, hit);
    if !may.contains(&state) {
        let fault = after.result.as_ref().map(|result| result["fault"].to_string());
        wrong.push(format!("the job is {state}, not {may:?}: {fault:?}"));
    }
    if state == "failed" && !fault_code(after).starts_with("peer_") {
        wrong.push(format!("a killed peer is told as `{}`", fault_code(after)));
    }
    if case.spot.scene == Scene::Parts {
        wrong.extend(parts(after, state));
    } else if state != "succeeded" && case.spot.scene != Scene::Repair {
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
    let spoke = matches!(
        case.spot.scene,
        Scene::Cancel | Scene::Stubborn | Scene::Reap | Scene::DelegateReap
    ) || (case.spot.point, case.spot.nth) == ("peer.logged", 3);
    if spoke && state != "succeeded" && after.said("partial").is_none() {
        wrong.push("what the peer had said is lost".to_owned());
    }
    wrong
}

/// Says what of a review in parts is lost, or told as more than it is.
fn parts(job: &JobFacts, state: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let kept: Vec<&str> = job
        .passes
        .iter()
        .filter_map(|pass| pass["text"].as_str())
        .collect();
    if state == "succeeded" {
        return wrong;
    }
    let partial = job.said("partial").unwrap_or_default();
    let said = job
        .messages
        .iter()
        .map(String::as_str)
        .chain(kept.iter().copied());
    let lost: BTreeSet<&str> = said.filter(|text| !partial.contains(text)).collect();
    if !lost.is_empty() {
        wrong.push(format!("what passes had said is lost: {lost:?}"));
    }
    let looked = job
        .passes
        .iter()
        .any(|pass| pass["does"] == "look" && pass["text"].is_string());
    let review = job.result.as_ref().map(|result| &result["partial_review"]);
    let review = review.filter(|review| review.is_object());
    match review {
        None if looked => wrong.push("what finished looks had found is not merged".to_owned()),
        Some(review)
            if review["verdict"] == "pass" || review["findings"].as_array().is_none_or(Vec::is_empty) =>
        {
            wrong.push(format!("a part of a review is told as {review}"));
        }
        None | Some(_) => {}
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
    if matches!(case.spot.scene, Scene::Reap | Scene::DelegateReap) {
        return &["lost"];
    }
    if hit.worker && case.signal == Signal::KILL {
        // The worker is not halted there: it has been asked to end the job, and may have done so before it was hit.
        let may_have_ended = point == "cancel.requested" && case.spot.scene == Scene::Cancel;
        return if may_have_ended {
            &["lost", "cancelled"]
        } else {
            &["lost"]
        };
    }
    match case.target {
        // Nobody had been asked to run it, or it may just have been asked by a server that ends in good order.
        Target::Server | Target::All if !hit.worker_lived && case.signal == Signal::KILL => &["lost"],
        Target::Server if !hit.worker_lived => &["lost", "succeeded"],
        Target::Server | Target::Worker if cancelled => &["cancelled"],
        Target::Server => &["succeeded"],
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kill::Spot;

    fn case(point: &'static str, scene: Scene, target: Target) -> Case {
        let spot = Spot {
            point,
            scene,
            role: "worker",
            nth: 1,
        };
        Case {
            number: 0,
            spot,
            target,
            signal: Signal::KILL,
        }
    }

    fn job(result: &serde_json::Value) -> JobFacts {
        JobFacts {
            id: "one".to_owned(),
            result: Some(result.clone()),
            result_bytes: Some(result.to_string().into_bytes()),
            thread: Some("t".to_owned()),
            message: Some("m".to_owned()),
            ..JobFacts::default()
        }
    }

    #[test]
    fn what_a_finished_pass_said_is_told_and_merged_and_passes_nothing() {
        let check = |result: &serde_json::Value, expected: &str| {
            let job = JobFacts {
                passes: vec![json!({"number": 1, "does": "look", "text": "one look"})],
                messages: vec!["one look".to_owned(), "another".to_owned()],
                ..job(result)
            };
            let wrong = parts(&job, "lost");
            let is_told = wrong.iter().any(|told| told.contains(expected));
            assert!(
                is_told && !expected.is_empty() || wrong.is_empty() && expected.is_empty(),
                "{wrong:?}"
            );
        };
        let review = |verdict: &str| json!({"verdict": verdict, "findings": [{"title": "t"}]});
        let both = "one look, another";
        check(&json!({"partial": both, "partial_review": review("fail")}), "");
        check(
            &json!({"partial": "one look", "partial_review": review("fail")}),
            "is lost",
        );
        check(&json!({"partial": both}), "is not merged");
        check(
            &json!({"partial": both, "partial_review": review("pass")}),
            "is told as",
        );
    }

    #[test]
    fn a_worker_that_was_asked_to_cancel_may_have_done_so_before_it_was_killed() {
        let check = |point, scene, expected: &[&str]| {
            assert_eq!(
                allowed(case(point, scene, Target::All), KILLED),
                expected,
                "{point}"
            );
        };
        check("cancel.requested", Scene::Cancel, &["lost", "cancelled"]);
        check("cancel.requested", Scene::Stubborn, &["lost"]);
        check("cancel.begun", Scene::Cancel, &["lost"]);
        check("cancel.seen", Scene::Cancel, &["lost"]);
    }

    const KILLED: Hit = Hit {
        worker: true,
        worker_lived: true,
    };

    #[test]
    fn a_lost_job_that_kept_what_was_said_breaks_no_rule() {
        let lost = job(&json!({"state": "lost", "partial": "m", "thread": "t"}));
        let case = case("peer.fed", Scene::Slow, Target::Worker);
        assert!(judge(case, KILLED, None, Some(&lost), Some("one")).is_empty());
    }

    #[test]
    fn each_broken_rule_is_told() {
        let check = |case: Case, after: Option<JobFacts>, expected: &str| {
            let before = job(&json!({"state": "succeeded"}));
            let before = expected.contains("changed").then_some(&before);
            let told = judge(case, KILLED, before, after.as_ref(), Some("one"));
            assert!(told.iter().any(|wrong| wrong.contains(expected)), "{told:?}");
        };
        let slow = case("peer.fed", Scene::Slow, Target::Worker);
        let lost = |partial: &str, thread: &str| {
            job(&json!({"state": "lost", "partial": partial, "thread": thread}))
        };
        check(slow, None, "the acknowledged job one does not exist");
        check(slow, Some(lost("other", "t")), "the partial answer is");
        check(slow, Some(lost("m", "other")), "the thread is");
        check(slow, Some(lost("m", "t")), "the result that was there changed");
        check(
            slow,
            Some(job(&json!({"state": "succeeded"}))),
            "the job is succeeded, not",
        );
        let reap = case("reap.locked", Scene::Reap, Target::Peer);
        check(
            reap,
            Some(job(&json!({"state": "lost"}))),
            "what the peer had said is lost",
        );
        let forget = case("delete.renamed", Scene::Forget, Target::Server);
        check(forget, Some(lost("m", "t")), "is still there");
        let peer = case("peer.fed", Scene::Slow, Target::Peer);
        let failed = json!({"state": "failed", "partial": "m", "thread": "t", "fault": {"code": "internal"}});
        let whole = judge(
            peer,
            Hit {
                worker: false,
                worker_lived: true,
            },
            None,
            Some(&job(&failed)),
            None,
        );
        assert_eq!(whole, ["a killed peer is told as `internal`"]);
    }
}
