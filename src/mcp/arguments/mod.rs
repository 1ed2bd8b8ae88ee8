//! The tools' arguments as hosts write them, and their way into the types of [`crate::domain::request`].

use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::service::call::Request;

/// Parses the arguments of a tool.
///
/// Every mistake is an `invalid_arguments` fault (or `input_too_large`) that names the field and never repeats its
/// value. A `null` is an absent argument.
pub fn parse(tool: &str, arguments: Option<Map<String, Value>>) -> Result<Request, Fault> {
    let _ = (tool, arguments);
    Err(Fault::argument("tool", "not a tool"))
}
