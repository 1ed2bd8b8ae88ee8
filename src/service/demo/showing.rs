//! One showing of the demo, from finding codex to taking the stage down.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::domain::envelope::{Envelope, Success};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobName;
use crate::domain::request::{CancelRequest, Common, Options, ReviewRequest, Subject, Wait};
use crate::domain::review_plan::Depth;
use crate::domain::scope::Scope;
use crate::model::ModelServer;
use crate::model::demo::DemoScript;
use crate::service::call::{Call, Request};
use crate::service::context::Service;
use crate::service::demo::codex::{DemoCodex, find_or_install};
use crate::service::demo::world::{World, sweep_abandoned};
use crate::state::store::Store;
use crate::sys::lock;

/// What everybody who sees the demo must know.
pub const STATEMENT: &str = "A demo model answered: no account was used and nothing left this machine.";

/// The name of this use case in envelopes of faults.
const NAME: &str = "demo";
/// Deadline of the demo's run. The demo model answers at once; a machine under load takes some seconds.
const RUN_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the demo waits for its job, queue and start included.
const WAIT: Duration = Duration::from_secs(150);
/// How long a worker may take from writing its result to its end; it takes milliseconds.
const WORKER_END: Duration = Duration::from_secs(5);
/// Time between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Jobs of a demo: one, and as many again as somebody may have started in a world that is kept.
const JOBS: usize = 16;

/// What a showing may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemoOptions {
    /// Leave the world where it is, to look at.
    pub keep: bool,
}

/// Reviews a small repository with real defects through the ordinary path, with a demo model in place of a paid one.
///
/// Returns the review's own envelope, whose summary begins with [`STATEMENT`] and whose field `demo` tells the facts. `say`
/// gets lines for people while it goes on; progress of the review goes where the call says.
pub async fn run(service: &Service, options: DemoOptions, call: Call, say: &mut dyn FnMut(&str)) -> Envelope {
    match Box::pin(show(service, options, &call, say)).await {
        Ok(envelope) => envelope,
        Err(fault) => service.refuse(NAME, fault, &call),
    }
}

async fn show(
    service: &Service,
    options: DemoOptions,
    call: &Call,
    say: &mut dyn FnMut(&str),
) -> Result<Envelope, Fault> {
    let config = service.config()?;
    let store = service.store()?;
    sweep_abandoned(&store);
    let codex = find_or_install(service, &config, &store, call, say).await?;
    say(&format!(
        "codex {} is at {}",
        codex.program.version,
        codex.program.path.display()
    ));
    let model = ModelServer::start(Arc::new(DemoScript)).await.map_err(|error| {
        Fault::new(
            FaultCode::Internal,
            format!("the demo model cannot listen on loopback: {error}"),
        )
    })?;
    let origin = model.origin();
    say(&format!("the demo model answers at {origin}, on this machine"));
    let world = World::make(&store, &origin, options)?;
    world.write_repository(service.environment()).await?;
    say(&format!(
        "a small repository with an uncommitted change is at {}",
        world.repository().display()
    ));
    say("codex reviews the change; everything but the model is as in a paid review");
    let private = Service::new(
        service.program().to_owned(),
        world.environment(service.environment(), &codex.program.path, &origin),
        world.repository(),
        service.fingerprint().to_owned(),
    );
    let envelope = Box::pin(private.call(request(&world), call.clone())).await;
    Box::pin(end_jobs(&private, &world.store())).await;
    let asked = model
        .requests()
        .iter()
        .filter(|request| request.is_turn())
        .count();
    model.shutdown().await;
    let envelope = match envelope {
        Envelope::Success(review) if review.body.contains_key("verdict") => {
            let mut review = told(*review, &codex, &world, asked, options);
            // Nobody has put us on PATH yet, so the way to us is written out.
            let program = service.program().display();
            review.next_steps.extend([
                format!(
                    "run `{program} status` in a repository of yours to see whether codex is ready there"
                ),
                format!("then run `{program} review` there; it asks codex with your own account"),
            ]);
            Envelope::Success(Box::new(review))
        }
        // The run took longer than anybody waits for a demo, and was ended.
        Envelope::Success(_) => {
            let fault = Fault::new(FaultCode::TimedOut, "the demo's review did not end in time")
                .hint("run the demo again when the machine is less busy");
            service.refuse(NAME, fault, call)
        }
        failure @ Envelope::Failure(_) => failure,
    };
    if options.keep {
        world.keep();
    } else if let Err(error) = world.end() {
        tracing::warn!(%error, "the demo's folder is still there");
    }
    Ok(envelope)
}

fn request(world: &World) -> Request {
    Request::Review(ReviewRequest {
        subject: Subject::Change(Scope::WorkingTree),
        paths: Vec::new(),
        focus: None,
        context: None,
        depth: Depth::Quick,
        common: Common {
            workspace: Some(world.repository()),
            wait: Wait::AtMost(WAIT),
            options: Options {
                timeout: Some(RUN_TIMEOUT),
                ..Options::default()
            },
            ..Common::default()
        },
    })
}

/// Ends what still runs and waits until no worker is left, so that nobody writes into a world that is being deleted.
async fn end_jobs(private: &Service, store: &Store) {
    for job in store.list_active(JOBS).unwrap_or_default() {
        let request = CancelRequest {
            name: JobName::Exact(job.id().clone()),
            forget: false,
            workspace: None,
        };
        Box::pin(private.call(Request::Cancel(request), Call::new("demo-end"))).await;
    }
    let locks: Vec<_> = store
        .ids(None)
        .unwrap_or_default()
        .iter()
        .map(|id| store.directory(id).lock_path())
        .collect();
    let free = async {
        while locks.iter().any(|path| lock::is_held(path).unwrap_or(false)) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // A worker that still lives finds its world gone and ends by that.
    let _ = tokio::time::timeout(WORKER_END, free).await;
}

/// Says first that this was the demo, and replaces what only holds where a job lives on.
fn told(
    mut review: Success,
    codex: &DemoCodex,
    world: &World,
    asked: usize,
    options: DemoOptions,
) -> Success {
    review.summary = format!("{STATEMENT} {}", review.summary);
    let repository = world.repository();
    review.body.insert(
        "demo".to_owned(),
        json!({
            "statement": STATEMENT,
            "repository": repository.display().to_string(),
            "kept": options.keep,
            "codex": {
                "path": codex.program.path.display().to_string(),
                "version": codex.program.version.to_string(),
                "own": codex.own,
            },
            "model_calls": asked,
        }),
    );
    review.next_steps.clear();
    if options.keep {
        let world = world.path().display();
        review.next_steps.push(format!(
            "look at the change with `git -C {} diff`; delete {world} when you are done",
            repository.display()
        ));
    } else {
        // Its record went with the world.
        review.job = None;
    }
    review
}
