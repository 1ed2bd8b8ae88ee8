//! Which peer suits a task: advice, for free. Looks at nothing but what the caller says.

use serde_json::json;

use crate::domain::route::words::{Guess, guess};
use crate::domain::route::{self, Advice, FACTS, Task};
use crate::service::context::Service;
use crate::service::deliver::object;
use crate::service::reply::Reply;

/// Advises.
pub(super) fn route(service: &Service, task: &Task) -> Reply {
    let advice = route::advise(task);
    let tool = task.text.as_deref().map(|text| match guess(text) {
        Guess::Ask => "consult",
        Guess::Review => "review",
        Guess::Write => "delegate",
    });
    Reply {
        summary: format!(
            "{}: confidence {:.2}, since {}.",
            advice.pick.title(),
            advice.confidence(),
            advice.why()
        ),
        body: object(json!({
            "route": {
                "peer": advice.pick,
                "confidence": advice.confidence(),
                "basis": advice.basis,
                "why": advice.why(),
                // A guess by words alone, so it is told apart from the advice and never acted on.
                "tool_guess": tool,
                "table_version": route::VERSION,
            },
            "facts": FACTS,
        })),
        next_steps: vec![next(service, advice)],
        ..Reply::default()
    }
}

fn next(service: &Service, advice: Advice) -> String {
    let (pick, asked) = (advice.pick, service.peer());
    if pick == asked {
        format!(
            "consult asks {}, paid; its dry run shows for free what would be sent",
            pick.title()
        )
    } else {
        format!(
            "{} is asked from here; `crosscheck --peer {pick} consult TEXT` asks {}, paid",
            asked.title(),
            pick.title()
        )
    }
}
