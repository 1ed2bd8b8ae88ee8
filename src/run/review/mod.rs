//! A review of several passes: looks at the parts of a change, run beside each other, and then a check of what they found.
//!
//! One worker does it all in its one slot, and borrows free slots for more passes at once. Each pass is a run like any
//! other, and what it said is on disk the moment it is there. A pass that fails takes nothing from the others: what it was
//! to look at counts as not examined, and is told so.

mod side_by_side;

mod pass;

pub mod combine;

pub mod check;

mod flow;

mod early;

mod gather;
pub use gather::salvaged;
