//! How answers to free questions are read. One form serves all peers: what a peer of another form tells is put into this one
//! by [`crate::peer::interface`].

pub use crate::peer::codex::account::{parse_answer as answer, parse_models as models, parse_quota as quota};
pub use crate::peer::codex::servers::parse_names as server_names;
