//! What a use case returns before it is wrapped into an envelope.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::envelope::Meta;
use crate::domain::fault::Fault;
use crate::domain::job_view::JobView;

/// A use case that did what it says.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// One line.
    pub summary: String,
    /// The job, where there is one.
    pub job: Option<JobView>,
    /// The tool's own fields.
    pub body: Map<String, Value>,
    /// What the caller may do next.
    pub next_steps: Vec<String>,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// Facts about the call, as far as the use case knows them.
    pub meta: Meta,
}

/// A use case that did not.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub fault: Fault,
    /// The job, where there is one.
    pub job: Option<JobView>,
    /// Facts about the call, as far as the use case knows them.
    pub meta: Meta,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            job: None,
            meta: Meta::default(),
        }
    }
}

/// The outcome of a use case.
pub type Outcome = Result<Reply, Box<Refusal>>;

impl From<Fault> for Box<Refusal> {
    fn from(fault: Fault) -> Self {
        Self::new(fault.into())
    }
}

/// Turns a value into the fields of a body. A value that is no object has none.
pub fn fields(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
