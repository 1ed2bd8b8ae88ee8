//! What the peer may do to the machine in a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The promise a tool makes about effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Reads the workspace to answer a question.
    Consult,
    /// Reads the workspace to judge a change.
    Review,
    /// Edits a throw-away worktree and proposes a diff.
    Propose,
}

impl Tier {
    /// Returns the sandbox that keeps the promise.
    pub fn sandbox(self) -> Sandbox {
        match self {
            Self::Consult | Self::Review => Sandbox::ReadOnly,
            Self::Propose => Sandbox::WorkspaceWrite,
        }
    }
}

/// The peer's own sandbox for the commands it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Commands may read files; they can neither write nor use the network.
    ReadOnly,
    /// Commands may also write below the directory they are started in, and below their temporary folder.
    WorkspaceWrite,
}

/// How much of the user's own peer configuration takes part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// The user's model, provider, profile and login, but no MCP servers, hooks, plugins or apps.
    #[default]
    Clean,
    /// As `Clean`, and the user's configuration file is not read at all.
    IgnoreConfig,
    /// As `Clean`, which never reads the user's command rules; the name is kept for callers who ask for it.
    IgnoreRules,
}

impl Isolation {
    /// The names callers may write.
    pub const NAMES: [&'static str; 3] = ["clean", "ignore_config", "ignore_rules"];

    /// Returns the name used in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => Self::NAMES[0],
            Self::IgnoreConfig => Self::NAMES[1],
            Self::IgnoreRules => Self::NAMES[2],
        }
    }
}

/// What the peer can do in a run, found out before anything is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// The sandbox works: the peer may read files with commands.
    Sandboxed,
    /// The peer reads files with tools of its own and runs no commands.
    Files,
    /// The sandbox is broken here: the peer answers from the prompt alone.
    None,
}
