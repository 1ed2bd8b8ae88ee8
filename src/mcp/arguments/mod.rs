//! The tools' arguments as hosts write them, and their way into the types of [`crate::domain::request`].
//!
//! Each tool has one file: the struct on the wire, from which its schema is made, and its conversion. Hosts are read
//! strictly, with three mercies that models need: a `null` is an absent argument, and a whole number may be written as
//! `1.0` or `"1"`. No fault repeats a value, because a value may be a secret.

mod apply;
mod cancel;
mod common;
mod consult;
mod decode;
mod delegate;
mod dry_run;
mod job;
mod review;
pub(crate) mod schema;
mod status;

use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::service::call::Request;
use crate::service::{choice, options, whole};

/// The tools, sorted, which is also the order in which they are listed.
pub const TOOLS: [&str; 8] = [
    "apply", "cancel", "consult", "delegate", "dry_run", "job", "review", "status",
];

/// Parses the arguments of a tool.
///
/// Every mistake is a fault that names the field and never repeats its value: `invalid_arguments`, or
/// `input_too_large` for a text over its limit.
pub fn parse(tool: &str, arguments: Option<Map<String, Value>>) -> Result<Request, Fault> {
    let arguments = arguments.unwrap_or_default();
    match tool {
        "apply" => apply::parse(arguments).map(Request::Apply),
        "cancel" => cancel::parse(arguments).map(Request::Cancel),
        "consult" => consult::parse(arguments).map(Request::Consult),
        "delegate" => delegate::parse(arguments).map(Request::Delegate),
        "dry_run" => dry_run::parse(arguments).map(Request::DryRun),
        "job" => job::parse(arguments).map(Request::Job),
        "review" => review::parse(arguments).map(Request::Review),
        "status" => status::parse(arguments).map(Request::Status),
        _ => Err(Fault::argument("tool", "there is no such tool").allowing(TOOLS)),
    }
}

#[cfg(test)]
mod migrating_tests;
#[cfg(test)]
mod mistake_tests;
#[cfg(test)]
mod task_tests;
#[cfg(test)]
mod tests;
