//! Ring 5: the door for hosts that speak MCP, and the only place that knows rmcp.

pub mod arguments;
pub mod backend;
mod tools;

pub use tools::contract_bytes;

/// Returns the parts of the contract's fingerprint that only this door knows, by name.
pub fn fingerprint_parts() -> Vec<(&'static str, Vec<u8>)> {
    vec![("tools", contract_bytes())]
}
