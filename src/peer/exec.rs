//! A run that is paid, decided and not yet a command line.

use std::path::PathBuf;

use crate::domain::request::{Effort, ModelName, ThreadId};
use crate::domain::tier::{Isolation, Tools};

/// What a run's commands may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read files.
    Read,
    /// Also write below the top of a tree of which the run's directory is a part.
    Write {
        /// The top of the tree.
        top: PathBuf,
        /// Whether they may use the network.
        network: bool,
    },
}

/// One run of a peer, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line that has nothing to do with the others"
)]
pub struct Exec {
    /// What commands may do.
    pub access: Access,
    /// Where the peer works.
    pub directory: PathBuf,
    /// The thread to continue.
    pub resume: Option<ThreadId>,
    /// Whether that thread is left as it is and a new one goes on from it.
    pub fork: bool,
    /// Further folders that may be read.
    pub roots: Vec<PathBuf>,
    /// The model, else the peer's default.
    pub model: Option<ModelName>,
    /// The effort, else the peer's default.
    pub effort: Option<Effort>,
    /// The id of a new thread, where the peer lets it be chosen.
    pub session: ThreadId,
    /// The peer's own record of the thread to continue, where it needs to be told.
    pub record: Option<PathBuf>,
    /// The JSON schema that the answer must fit.
    pub schema: Option<Schema>,
    /// Where a peer that keeps its last message in a file writes it, outside its sandbox: commands that may write must not
    /// reach the place, or they could put a link there.
    pub last_message: PathBuf,
    /// How much of the user's configuration takes part.
    pub isolation: Isolation,
    /// The root of the repository, or the directory where there is none: the project that is not trusted for this run.
    pub project: PathBuf,
    /// The user's MCP servers, all of them.
    pub servers: Vec<String>,
    /// Whether commands can run.
    pub tools: Tools,
    /// Whether the model may search the web.
    pub web_search: bool,
    /// Keep no thread.
    pub ephemeral: bool,
    /// Globs of files that are never read, where the peer can be kept from them.
    pub withheld: Vec<String>,
    /// What the run may cost, in millionths of a US dollar.
    pub budget_microusd: Option<u64>,
    /// How often the model may be asked in the run.
    pub max_turns: Option<u32>,
    /// Whether the tokens must be told while the run goes on.
    pub counts_tokens: bool,
}

/// A JSON schema, as a file and as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}
