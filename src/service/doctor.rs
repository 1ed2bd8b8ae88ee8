//! A look at everything that a run needs: what is ready, what wants attention, what is broken, each with one thing to do.
//!
//! Free: no model is asked, and nothing is changed. What `status` knows is taken from it; the rest is looked at here.

mod finding;
mod hosts;
mod machine;
mod overview;
mod released;
mod roots;

use std::path::Path;

use serde_json::json;

use crate::domain::count::counted;
use crate::domain::envelope::Envelope;
use crate::domain::request::{StatusRequest, Topic};
use crate::service::call::Call;
use crate::service::context::Service;
use crate::service::contract;
use crate::service::deliver::object;
use crate::service::doctor::finding::{Finding, Health};
use crate::service::reply::{Outcome, Reply};
use crate::service::status;
use crate::sys::clock::Stopwatch;

/// The name of this use case in envelopes.
const NAME: &str = "doctor";

/// Looks, and wraps what came of it. What is broken is a success of the look: `ready` is false then, and `blocked_by` names
/// it, as in the answer of `status`.
pub async fn call(service: &Service, workspace: Option<&Path>, call: &Call) -> Envelope {
    let watch = Stopwatch::start();
    let outcome = run(service, workspace, call).await;
    service.wrap(NAME, outcome, call, watch)
}

async fn run(service: &Service, workspace: Option<&Path>, call: &Call) -> Outcome {
    let request = StatusRequest {
        topic: Topic::Overview,
        workspace: workspace.map(Path::to_path_buf),
        ..StatusRequest::default()
    };
    let (overview, server) = tokio::join!(
        Box::pin(status::run(service, &request, call)),
        machine::server(service)
    );
    let overview = overview?;
    let mut findings = vec![machine::program(service), machine::on_path(service), server];
    findings.extend(overview::findings(
        &overview,
        service.peer(),
        service.environment(),
    ));
    if overview
        .body
        .get(service.peer().as_str())
        .is_some_and(|about| about["found"] == true)
    {
        findings.push(contract_finding(service).await);
    }
    findings.extend(released::finding(service));
    findings.push(machine::host(service.environment()));
    if let Ok(config) = service.config() {
        findings.extend(Box::pin(hosts::findings(service, &config)).await);
        findings.extend(roots::finding(service, &config));
    }
    findings.extend(machine::plugin(service.environment()));
    findings.push(machine::leftovers(service));
    Ok(told(&findings, overview))
}

async fn contract_finding(service: &Service) -> Finding {
    const WHAT: &str = "contract";
    match Box::pin(contract::run(service)).await {
        Ok(reply) if reply.body.get("passed").is_some_and(|passed| *passed == true) => {
            Finding::ready(WHAT, reply.summary)
        }
        Ok(reply) => {
            let fix = reply.next_steps.into_iter().next();
            let fix = fix.unwrap_or_else(|| "`crosscheck contract` lists every check".to_owned());
            Finding::broken(WHAT, reply.summary, fix)
        }
        // A check that cannot be made says nothing about the peer.
        Err(refusal) => Finding::attention(WHAT, refusal.fault.message, refusal.fault.repair.hint),
    }
}

fn told(findings: &[Finding], overview: Reply) -> Reply {
    let of = |health: Health| findings.iter().filter(move |finding| finding.health == health);
    let broken: Vec<&str> = of(Health::Broken).map(|finding| finding.name).collect();
    let attention = of(Health::Attention).count();
    let (state, summary) = match (broken.len(), attention) {
        (0, 0) => (
            Health::Ready,
            format!("Ready: {} checks, nothing to do.", findings.len()),
        ),
        (0, _) => (
            Health::Attention,
            format!("Ready, and {} attention.", wants(attention)),
        ),
        (_, _) => (Health::Broken, format!("Broken: {}.", broken.join(", "))),
    };
    let fixes = of(Health::Broken).chain(of(Health::Attention));
    let next_steps = fixes.filter_map(|finding| finding.fix.clone()).collect();
    Reply {
        summary,
        body: object(json!({
            "state": state,
            "ready": broken.is_empty(),
            "blocked_by": broken,
            "checks": findings,
        })),
        next_steps,
        meta: overview.meta,
        ..Reply::default()
    }
}

fn wants(count: usize) -> String {
    let verb = if count == 1 { "wants" } else { "want" };
    format!("{} {verb}", counted(count, "check"))
}
