//! Ring 5: the door for hosts that speak MCP, and the only place that knows rmcp.
//!
//! A line from the host is read and decoded in one thread (`lines`, `decode`), becomes a message for rmcp
//! (`transport`), which calls the `server`, which parses the arguments and asks the [`Backend`]. The envelope goes back
//! as finished JSON (`reply`) through the writer's thread (`writer`).
//!
//! Nothing here touches a file or starts a process: a host may start a server only to ask for its version.

mod approval;
pub mod arguments;
pub mod backend;
mod bounds;
mod caller;
mod calls;
mod decode;
mod handed_over;
mod ids;
mod isolate;
mod lines;
mod questions;
mod reply;
#[cfg(feature = "conformance")]
mod samples;
mod serve;
mod server;
mod service;
mod signals;
mod stdio;
mod surrogates;
mod tools;
mod transport;
mod writer;

use crate::domain::peer::Peer;

pub use backend::Backend;
pub use handed_over::HandedOver;
#[cfg(feature = "conformance")]
pub use serve::serve_samples;
pub use serve::{ExitReason, serve};
pub use server::Eras;
pub use signals::{Signal, ending_signals};
pub use stdio::claim_stdio;
pub use tools::contract_bytes;

/// Returns the parts of the contract's fingerprint that only this door knows, by name.
pub fn fingerprint_parts(peer: Peer) -> Vec<(&'static str, Vec<u8>)> {
    vec![("tools", contract_bytes(peer))]
}
