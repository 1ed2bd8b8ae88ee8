//! What the integration tests share: the real peers, a private world to run them in, and fake model APIs on loopback.
//!
//! Nothing here leaves loopback, except npm on the first use of a peer. No test sees the machine's own homes, keys or
//! environment: every child gets a cleared environment and exactly the variables named in `home`.

#![expect(dead_code, reason = "every test binary uses its own part of this module")]

pub(crate) mod cloud;
pub(crate) mod home;
pub(crate) mod messages;
pub(crate) mod model;
pub(crate) mod peers;
pub(crate) mod run;
pub(crate) mod scripts;
pub(crate) mod tree;

/// No test uses this, so the expectation above also holds in a binary that uses everything else.
const USED_NOWHERE: () = ();
