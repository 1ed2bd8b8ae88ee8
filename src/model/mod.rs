//! A model server on loopback: the wire of the Responses API with scripted answers.
//!
//! It ships in the binary so that `crosscheck demo` shows a whole review without an account, and so that
//! `crosscheck contract` can prove a peer's flags without paying. The tests drive the real peers with it.
//!
//! A [`Script`] decides in pure code what the model answers: it is given a [`Turn`] and returns a [`Reply`], which
//! is data. The [`ModelServer`] acts on it. Nothing here knows how a peer is started.
//!
//! It must never listen on anything but 127.0.0.1 and never open a connection of its own.

pub mod answers;
pub mod demo;
pub mod http;
pub mod reply;
pub mod schema_instance;
pub mod script;
pub mod server;
pub mod sse;
pub mod turn;

mod connection;
mod recording;

pub use recording::RecordedRequest;
pub use reply::{Close, HttpReply, Message, Reply, Shell, Step, Usage};
pub use script::{Quota, Script, Window};
pub use server::ModelServer;
pub use turn::Turn;
