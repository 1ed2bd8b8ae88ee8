//! Asking for the state of things.

use std::path::PathBuf;

use crate::domain::route;

/// What `status` tells about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topic {
    /// Ready or not, and why.
    #[default]
    Overview,
    /// The peer's models.
    Models,
    /// What is left of the account's allowance.
    Quota,
    /// The rare knobs with type and default.
    Options,
    /// The configuration in force and where each value comes from.
    Policy,
    /// Our worktrees, landings and groups, and the room they take.
    Worktrees,
    /// The error codes.
    Errors,
    /// What the tools can do, what they cost, and the bounds in force.
    Capabilities,
    /// What the stop gate is set to and what it last said.
    Gate,
    /// Which peer suits a task.
    Route,
    /// Who can do a delegate's tasks, and what stands in the way.
    Runners,
}

impl Topic {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 11] = [
        Self::Overview,
        Self::Models,
        Self::Quota,
        Self::Options,
        Self::Policy,
        Self::Worktrees,
        Self::Errors,
        Self::Capabilities,
        Self::Gate,
        Self::Route,
        Self::Runners,
    ];
    /// The names callers may write.
    pub const NAMES: [&'static str; 11] = [
        "overview",
        "models",
        "quota",
        "options",
        "policy",
        "worktrees",
        "errors",
        "capabilities",
        "gate",
        "route",
        "runners",
    ];

    /// Returns the name used in calls.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Asks for the state of things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusRequest {
    /// What about.
    pub topic: Topic,
    /// The folder.
    pub workspace: Option<PathBuf>,
    /// Of [`Topic::Route`]: what the caller says of the task.
    pub task: route::Task,
}
