//! Ring 1, pure: what is said to the peer, and how its answer is read.
//!
//! A [`Prompt`] is put together from our own words and from redacted parts, and from nothing else. Everything that comes
//! out of a repository stands between the delimiters of a [`Fence`] and is called data. Answers are read leniently where
//! that is harmless and named precisely where it is not, because the peer gets one turn to repair them.

mod answer;
mod code;
mod consult;
mod delegate;
mod fence;
pub mod focus;
mod go_on;
mod repair;
mod review;
mod schema;
mod text;
mod verify;

pub use answer::{AnswerError, RawReview, parse_consult, parse_review};
pub use code::extract_code;
pub use consult::{ConsultParts, FilePart, consult};
pub use delegate::{DelegateParts, TaskPlace, delegate, parse_delegate};
pub use fence::{BadNonce, Fence};
pub use go_on::go_on;
pub use repair::repair;
pub use review::{OtherParts, ReviewParts, ReviewSubject, review};
pub use schema::{
    consult_schema, delegate_schema, plan_schema, review_schema, verify_schema, write_code_schema,
};
pub use text::Prompt;
pub use verify::{Holds, Ruling, Rulings, VerifyParts, list as list_findings, parse_verify, verify};
