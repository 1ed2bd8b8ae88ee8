//! The two records of a job: what was asked, and what came of it. Each is written once.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::diff::count;
use crate::diff::patch::Patch;
use crate::diff::text::shown_path;
use crate::domain::answer::{ConsultAnswer, DelegateAnswer};
use crate::domain::coverage::Coverage;
use crate::domain::delegation::{Delegation, Work};
use crate::domain::fault::Fault;
use crate::domain::fingerprint::sha256_hex;
use crate::domain::job::{JobId, JobKind, JobState};
use crate::domain::pass::Pass;
use crate::domain::peer::Peer;
use crate::domain::request::{ConsultKind, Effort, ModelName, ThreadId};
use crate::domain::review_answer::{ReviewAnswer, Target};
use crate::domain::review_plan::ReviewPlan;
use crate::domain::standing::Standing;
use crate::domain::tier::{Isolation, Tier, Tools};
use crate::domain::tracking::EarlierReview;
use crate::domain::usage::Usage;
use crate::domain::wake::SessionName;
use crate::sys::signal::ProcessIdentity;

/// The version of both records. A reader accepts its own and older ones; a writer writes its own.
pub const VERSION: u32 = 2;
/// The version of the record of a job that is done elsewhere. A program that does not know it would take the free lock of such a
/// job for that of a lost one, so it must not read it at all.
pub const REMOTE_VERSION: u32 = 3;

/// What a job was asked to do: `spec.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// [`VERSION`] of the writer, or [`REMOTE_VERSION`].
    pub version: u32,
    /// The job.
    pub id: JobId,
    /// Its use case.
    pub kind: JobKind,
    /// What it is about, in a few words.
    pub label: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// The workspace.
    pub workspace: PathBuf,
    /// Where the workspace was taken from.
    pub workspace_source: String,
    /// The repository around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_root: Option<PathBuf>,
    /// Where the peer works.
    pub directory: PathBuf,
    /// The promise about effects.
    pub tier: Tier,
    /// How much of the user's peer configuration takes part.
    pub isolation: Isolation,
    /// Whether the peer can run commands.
    pub tools: Tools,
    /// Whether the model may search the web.
    pub web_search: bool,
    /// Keep no thread at the peer.
    pub ephemeral: bool,
    /// The model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// The effort asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// Deadline in milliseconds of awake time.
    pub timeout_ms: u64,
    /// Tokens that the run may use; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_tokens: Option<u64>,
    /// Millionths of a US dollar that the run may cost; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_microusd: Option<u64>,
    /// How often the model may be asked; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// Globs of files that the peer is kept from, where that can be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// The most that the user's configuration allowed as a budget; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_most: Option<u64>,
    /// The thread to continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<ThreadId>,
    /// Tokens that the thread had used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_before: Option<Usage>,
    /// What the answer is read as.
    pub expects: Expects,
    /// The peer to start.
    pub peer: PeerSpec,
    /// The host that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The session of a host that is told when the job is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Asker>,
    /// Who started it where nobody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starter: Option<Starter>,
    /// The call that asked.
    pub request_id: String,
    /// How deep it is nested in other runs of ours; 0 when somebody else than a peer asked for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// How many of the user's slots it may take one of, where its project admits fewer than the user does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<usize>,
    /// Whether the thread to continue is left as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fork: bool,
    /// Further folders that may be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<PathBuf>,
    /// A label of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The job whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<JobId>,
    /// What the caller should know whatever comes of it.
    pub warnings: Vec<String>,
    /// What left this machine with the prompt.
    pub egress: Egress,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls this with a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// The session of a host from which a job was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The host's process.
    pub process: ProcessIdentity,
    /// The conversation that went on in it then.
    pub session: SessionName,
}

/// Who starts a job that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Starter {
    /// The stop gate. Such a job is never the `latest`: nobody means it by that.
    Gate,
}

/// What an answer is read as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "expects", rename_all = "snake_case")]
pub enum Expects {
    /// The answer of a consult of this kind.
    Consult {
        /// The kind.
        kind: ConsultKind,
    },
    /// The answer of a review.
    Review {
        /// What was looked at.
        target: Box<Target>,
        /// What of it was sent.
        coverage: Box<Coverage>,
        /// The review that this one follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        earlier: Option<Box<EarlierReview>>,
        /// What stood before it began; absent in records of versions that knew nothing of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        standing: Option<Box<Standing>>,
        /// How it is made; one look at one prompt when absent, as in records of versions that knew nothing else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Box<ReviewPlan>>,
    },
    /// The report of a delegate; what it did is told by the worktree.
    Delegate {
        /// What was decided.
        delegation: Box<Delegation>,
    },
}

/// The peer's program as it was found when the job was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSpec {
    /// Which peer; absent in records of versions that knew only one.
    #[serde(default, skip_serializing_if = "Peer::is_default")]
    pub name: Peer,
    /// The native program.
    pub program: PathBuf,
    /// Its version.
    pub version: String,
    /// The user's MCP servers, to be switched off.
    pub servers: Vec<String>,
    /// The program in whose sandbox checks run, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checker: Option<PathBuf>,
}

impl PeerSpec {
    /// Returns the program in whose sandbox checks run.
    pub fn checker(&self) -> &Path {
        self.checker.as_deref().unwrap_or(&self.program)
    }
}

/// What was sent to the model's service, so that a person can check it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// Bytes of the prompt.
    pub prompt_bytes: usize,
    /// SHA-256 of the prompt.
    pub prompt_sha256: String,
    /// Files whose text is in the prompt.
    pub files: Vec<EgressFile>,
    /// Files that were withheld.
    pub withheld: Vec<String>,
    /// Values that were masked.
    pub masked: u32,
}

/// One file in a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressFile {
    /// Its path.
    pub path: String,
    /// Bytes of it in the prompt.
    pub bytes: usize,
    /// SHA-256 of these bytes; absent in records of versions that did not write it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

impl EgressFile {
    /// Accounts for the files of a change as it is shown.
    pub fn of_change(patch: &Patch) -> Vec<Self> {
        let sent = patch.files.iter().filter(|file| count::omission(file).is_none());
        sent.map(|file| Self {
            path: shown_path(&file.new_path),
            bytes: file.shown_bytes(),
            sha256: file.shown_sha256(),
        })
        .collect()
    }

    /// Accounts for a text as it stands in a prompt.
    pub fn of(path: String, text: &str) -> Self {
        Self {
            path,
            bytes: text.len(),
            sha256: sha256_hex(text.as_bytes()),
        }
    }
}

/// What came of a job: `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// How it ended; never `queued` or `running`.
    pub state: JobState,
    /// When, in milliseconds since 1970.
    pub ended_ms: u64,
    /// Awake time of the run in milliseconds.
    pub elapsed_ms: u64,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What a delegate's edits came to, also where it has no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The last thing the model said in a run without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// What the passes of a review had found that ended before its time, merged. It is a part of a review, and never passes
    /// a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_review: Option<Box<ReviewAnswer>>,
    /// The model's text as it came, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The peer's thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Tokens of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Tokens of the thread, this run included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_usage: Option<Usage>,
    /// What it cost in US dollars, as the peer told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Commands the peer ran.
    pub commands: Vec<CommandRecord>,
    /// Commands beyond those listed.
    #[serde(default)]
    pub more_commands: u32,
    /// Process numbers that outlived the run.
    #[serde(default)]
    pub leaked: Vec<u32>,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// The model calls behind a review that was planned as several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<Pass>,
}

/// One command of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// As the peer shows it.
    pub command: String,
    /// Its exit code; absent when it never ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

/// An answer of either kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// Of a consult.
    Consult(ConsultAnswer),
    /// Of a review.
    Review(Box<ReviewAnswer>),
    /// Of a delegate.
    Delegate(DelegateAnswer),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small record for tests.
    pub(crate) fn spec(id: &JobId) -> Spec {
        serde_json::from_value(serde_json::json!({
            "version": VERSION, "id": id, "kind": "consult", "label": "l", "created_ms": id.created_ms(),
            "workspace": "/w", "workspace_source": "cwd", "directory": "/w", "tier": "consult", "isolation": "clean",
            "tools": "sandboxed", "web_search": false, "ephemeral": false, "timeout_ms": 1_800_000,
            "expects": {"expects": "consult", "kind": "answer"},
            "peer": {"program": "/opt/codex", "version": "0.169.0", "servers": []}, "request_id": "r", "warnings": [],
            "egress": {"prompt_bytes": 1, "prompt_sha256": "", "files": [], "withheld": [], "masked": 0}}))
        .unwrap()
    }
}
