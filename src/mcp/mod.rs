//! Ring 5: the door for hosts that speak MCP, and the only place that knows rmcp.

pub mod arguments;
pub mod backend;
