//! Everything that can go wrong, as one closed vocabulary.
//!
//! A code exists only where a caller would act differently. Messages never repeat a rejected value: it may be a secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::review_plan::Needs;

/// Declares the codes once, with their names and their explanations.
macro_rules! fault_codes {
    ($($variant:ident $name:literal $explanation:literal;)+) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultCode {
            $(#[doc = $explanation] $variant,)+
        }

        impl FaultCode {
            /// All codes, in the order in which `status topic=errors` lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Explains the code in one sentence.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }
        }
    };
}

fault_codes! {
    PeerNotFound "peer_not_found" "The peer's program was not found on this machine.";
    PeerNotAuthenticated "peer_not_authenticated" "The peer is not logged in, or its key was refused.";
    PeerVersionUnsupported "peer_version_unsupported" "The peer is older than the oldest tested version.";
    PeerContractChanged "peer_contract_changed" "A newer peer no longer honours something this program relies on.";
    PeerConfigRejected "peer_config_rejected" "The peer refuses its own configuration file.";
    PeerModelUnavailable "peer_model_unavailable" "The account cannot use the model that was asked for.";
    PeerRateLimited "peer_rate_limited" "The model's service is refusing requests for a short while.";
    PeerUsageLimit "peer_usage_limit" "The account's allowance is used up.";
    PeerOverloaded "peer_overloaded" "The model's service is at capacity or failing.";
    PeerNetwork "peer_network" "The peer could not reach the model's service, or lost it.";
    PeerContextExceeded "peer_context_exceeded" "The input does not fit the model's context.";
    PeerRefused "peer_refused" "The model declined to answer.";
    PeerBadOutput "peer_bad_output" "The peer's answer was not what was asked for, also after one repair.";
    PeerFailed "peer_failed" "The peer ended without an answer for a reason of its own.";
    SandboxUnavailable "sandbox_unavailable" "The peer's sandbox does not work on this machine.";
    TimedOut "timed_out" "The run reached its deadline.";
    Cancelled "cancelled" "Somebody asked for the run's end.";
    BudgetExceeded "budget_exceeded" "The run reached the budget it was given.";
    JobNotFound "job_not_found" "No job has this id.";
    JobLost "job_lost" "The job's worker died and left no result.";
    JobNotFinished "job_not_finished" "The job has no result yet.";
    IdempotencyConflict "idempotency_conflict" "The key was used before with other arguments.";
    TooManyJobs "too_many_jobs" "Too many jobs wait for a slot already.";
    InvalidArguments "invalid_arguments" "The arguments do not fit the tool.";
    InvalidWorkspace "invalid_workspace" "The workspace does not exist or is not a folder.";
    PathOutsideWorkspace "path_outside_workspace" "A path leaves the workspace.";
    DangerousRoot "dangerous_root" "The workspace is a folder that must not be read whole, such as the home folder.";
    NotAGitRepository "not_a_git_repository" "The workspace is not inside a git repository.";
    NoCommitYet "no_commit_yet" "The repository has no commit yet.";
    GitFailed "git_failed" "A git command failed.";
    GitTooOld "git_too_old" "The installed git is older than the oldest tested version.";
    InvalidRevision "invalid_revision" "The revision does not exist in the repository.";
    NothingToReview "nothing_to_review" "The change is empty.";
    InputTooLarge "input_too_large" "The input is larger than one run takes.";
    DirtyWorkspace "dirty_workspace" "The workspace has uncommitted changes and the call asked to be told.";
    WorktreeFailed "worktree_failed" "The throw-away worktree could not be made.";
    ScopeViolation "scope_violation" "The result touches files outside the allowed paths.";
    ChecksFailed "checks_failed" "A check of the result failed.";
    ApplyConflict "apply_conflict" "The result does not fit the present files.";
    ApplyTokenStale "apply_token_stale" "The files changed since the preview.";
    ApplyNeedsApproval "apply_needs_approval" "A person must agree before the result lands.";
    PolicyDenied "policy_denied" "The configuration does not allow this.";
    RecursionRefused "recursion_refused" "The call comes from inside a run that this program started.";
    ConfigInvalid "config_invalid" "The configuration file is not valid.";
    StateUnavailable "state_unavailable" "The state directory cannot be used.";
    DiskFull "disk_full" "There is not enough free space to start a job safely.";
    Installing "installing" "The program is still being installed.";
    Internal "internal" "A defect of this program.";
}

impl FaultCode {
    /// Tells whether the same call may succeed later without anybody changing anything.
    pub fn retryable(self) -> bool {
        match self {
            Self::PeerRateLimited
            | Self::PeerUsageLimit
            | Self::PeerOverloaded
            | Self::PeerNetwork
            | Self::TooManyJobs
            | Self::JobNotFinished
            | Self::Installing => true,
            Self::PeerNotFound
            | Self::PeerNotAuthenticated
            | Self::PeerVersionUnsupported
            | Self::PeerContractChanged
            | Self::PeerConfigRejected
            | Self::PeerModelUnavailable
            | Self::PeerContextExceeded
            | Self::PeerRefused
            | Self::PeerBadOutput
            | Self::PeerFailed
            | Self::SandboxUnavailable
            | Self::TimedOut
            | Self::Cancelled
            | Self::BudgetExceeded
            | Self::JobNotFound
            | Self::JobLost
            | Self::IdempotencyConflict
            | Self::InvalidArguments
            | Self::InvalidWorkspace
            | Self::PathOutsideWorkspace
            | Self::DangerousRoot
            | Self::NotAGitRepository
            | Self::NoCommitYet
            | Self::GitFailed
            | Self::GitTooOld
            | Self::InvalidRevision
            | Self::NothingToReview
            | Self::InputTooLarge
            | Self::DirtyWorkspace
            | Self::WorktreeFailed
            | Self::ScopeViolation
            | Self::ChecksFailed
            | Self::ApplyConflict
            | Self::ApplyTokenStale
            | Self::ApplyNeedsApproval
            | Self::PolicyDenied
            | Self::RecursionRefused
            | Self::ConfigInvalid
            | Self::StateUnavailable
            | Self::DiskFull
            | Self::Internal => false,
        }
    }

    /// Returns the exit code of the command line.
    ///
    /// 2 is a mistake in the call, 3 the peer, 4 the job's end, 5 the repository, 6 policy, 7 this machine, 1 the rest.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::InvalidArguments
            | Self::InvalidWorkspace
            | Self::PathOutsideWorkspace
            | Self::InvalidRevision
            | Self::IdempotencyConflict
            | Self::InputTooLarge
            | Self::JobNotFound => 2,
            Self::PeerNotFound
            | Self::PeerNotAuthenticated
            | Self::PeerVersionUnsupported
            | Self::PeerContractChanged
            | Self::PeerConfigRejected
            | Self::PeerModelUnavailable
            | Self::PeerRateLimited
            | Self::PeerUsageLimit
            | Self::PeerOverloaded
            | Self::PeerNetwork
            | Self::PeerContextExceeded
            | Self::PeerRefused
            | Self::PeerBadOutput
            | Self::PeerFailed
            | Self::SandboxUnavailable => 3,
            Self::TimedOut
            | Self::Cancelled
            | Self::BudgetExceeded
            | Self::JobLost
            | Self::JobNotFinished => 4,
            Self::NotAGitRepository
            | Self::NoCommitYet
            | Self::GitFailed
            | Self::GitTooOld
            | Self::NothingToReview
            | Self::DirtyWorkspace
            | Self::WorktreeFailed
            | Self::ScopeViolation
            | Self::ChecksFailed
            | Self::ApplyConflict
            | Self::ApplyTokenStale => 5,
            Self::ApplyNeedsApproval | Self::PolicyDenied | Self::RecursionRefused | Self::DangerousRoot => 6,
            Self::ConfigInvalid | Self::StateUnavailable | Self::DiskFull | Self::TooManyJobs => 7,
            Self::Installing | Self::Internal => 1,
        }
    }

    /// Returns what to do when the fault itself knows nothing better.
    pub fn hint(self) -> &'static str {
        match self {
            Self::PeerNotFound => {
                "install it with `npm install -g @openai/codex`, or set CROSSCHECK_CODEX_BIN to the program"
            }
            Self::PeerNotAuthenticated => "run `codex login` in a terminal, then repeat the call",
            Self::PeerVersionUnsupported => "update it with `npm install -g @openai/codex@latest`",
            Self::PeerContractChanged => {
                "run `crosscheck contract` to see what changed; install a tested version of the peer"
            }
            Self::PeerConfigRejected => {
                "correct the peer's configuration file, or repeat the call with options.isolation=ignore_config"
            }
            Self::PeerModelUnavailable => {
                "call status with topic=models and repeat with a listed model, or without one"
            }
            Self::PeerRateLimited => "wait a minute, then repeat the call",
            Self::PeerUsageLimit => "call status with topic=quota to see when the allowance is back",
            Self::PeerOverloaded => "wait a few minutes, then repeat the call",
            Self::PeerNetwork => "check the network, then resume the job",
            Self::PeerContextExceeded => "ask about fewer files or narrower paths",
            Self::PeerRefused => "read the peer's words in the job's log and put the question differently",
            Self::PeerBadOutput => "read the raw answer with job detail=full, or repeat the call",
            Self::PeerFailed => "read the job's log with job detail=log",
            Self::SandboxUnavailable => "run `crosscheck status` to see what this machine lacks",
            Self::TimedOut => "resume the job, with a larger options.timeout_s if it needs more time",
            Self::Cancelled => "resume the job to continue it in the same thread",
            Self::BudgetExceeded => "resume the job, with a larger options.budget_tokens if it needs more",
            Self::JobNotFound => "list the jobs and take an id from there",
            Self::JobLost => "read what is left with job detail=full, then resume the job",
            Self::JobNotFinished => "call job with wait_s to wait for it",
            Self::IdempotencyConflict => "use a new key for other arguments",
            Self::TooManyJobs => "wait for a job to end, or cancel one",
            Self::InvalidArguments => "correct the named field",
            Self::InvalidWorkspace => "pass the absolute path of an existing folder as workspace",
            Self::PathOutsideWorkspace => "name paths inside the workspace, relative to it",
            Self::DangerousRoot => "pass the folder of one project as workspace",
            Self::NotAGitRepository => {
                "name a folder inside a git repository as workspace; a review can do without one with a snippet"
            }
            Self::NoCommitYet => "make a first commit, or review with scope=working_tree",
            Self::GitFailed => "run `git status` in the repository to see whether it is healthy",
            Self::GitTooOld => "install git 2.39.5 or newer",
            Self::InvalidRevision => {
                "list revisions with `git log --oneline` or branches with `git branch -a`"
            }
            Self::NothingToReview => "name another scope",
            Self::InputTooLarge => "narrow the call",
            Self::DirtyWorkspace => "commit or stash the changes, or choose what to do with them",
            Self::WorktreeFailed => "check the free space of the state directory",
            Self::ScopeViolation => {
                "look at the files outside and widen allowed_paths if they belong to the task"
            }
            Self::ChecksFailed => "read the output of the checks and continue the job with resume",
            Self::ApplyConflict => "look at the preview and resume the job on the present files",
            Self::ApplyTokenStale => "make a new preview and use its token",
            Self::ApplyNeedsApproval => "let a person run the terminal command",
            Self::PolicyDenied => "ask the user to change the configuration file",
            Self::RecursionRefused => "answer without calling the other model again",
            Self::ConfigInvalid => {
                "correct the named key in the configuration file, or the variable that sets it"
            }
            Self::StateUnavailable => "set CROSSCHECK_STATE_DIR to a folder that you can write to",
            Self::DiskFull => {
                "free some space, or set CROSSCHECK_STATE_DIR to a folder with more; existing results stay readable"
            }
            Self::Installing => "wait a minute, then call status",
            Self::Internal => "repeat the call; if it happens again, report it with the request id",
        }
    }
}

/// What a caller can do about a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Repair {
    /// One sentence.
    pub hint: String,
    /// A tool whose call would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The arguments of that call, ready to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Map<String, Value>>,
    /// Other calls that would help, each in its own way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<RepairCall>,
}

/// A call that would help.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct RepairCall {
    /// The tool.
    pub tool: String,
    /// Its arguments, ready to use.
    pub arguments: Map<String, Value>,
}

/// One thing that went wrong, ready to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The code.
    pub code: FaultCode,
    /// One line: what is wrong. Never repeats a rejected value.
    pub message: String,
    /// Milliseconds until the call may succeed, only when somebody who knows said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The argument that is wrong, as a path such as `options.timeout_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the field may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// What a review would need that is too large to run unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Box<Needs>>,
    /// The next step.
    pub repair: Repair,
}

impl Fault {
    /// Makes a fault with the code's own hint.
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_ms: None,
            field: None,
            allowed: None,
            needs: None,
            repair: Repair {
                hint: code.hint().to_owned(),
                ..Repair::default()
            },
        }
    }

    /// Makes an `invalid_arguments` fault for one field.
    pub fn argument(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(FaultCode::InvalidArguments, message)
        }
    }

    /// Says what the field may hold.
    #[must_use]
    pub fn allowing<T: Into<String>>(self, allowed: impl IntoIterator<Item = T>) -> Self {
        Self {
            allowed: Some(allowed.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// Replaces the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.repair.hint = hint.into();
        self
    }

    /// Names the field.
    #[must_use]
    pub fn field(self, field: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..self
        }
    }

    /// Adds another call that would help.
    #[must_use]
    pub fn also(mut self, tool: &str, arguments: Value) -> Self {
        if let Value::Object(arguments) = arguments {
            let tool = tool.to_owned();
            self.repair.also.push(RepairCall { tool, arguments });
        }
        self
    }

    /// As this fault is told to somebody who asked for a preview: the calls that would help are previews too, where they are
    /// paid.
    #[must_use]
    pub fn previewed(mut self) -> Self {
        let preview = |tool: &mut String, arguments: &mut Map<String, Value>| {
            if ["consult", "review", "delegate"].contains(&tool.as_str()) {
                let previewed = std::mem::replace(tool, "dry_run".to_owned());
                let wanted = std::mem::take(arguments);
                arguments.insert("tool".to_owned(), Value::String(previewed));
                arguments.insert("arguments".to_owned(), Value::Object(wanted));
            }
        };
        if let (Some(tool), Some(arguments)) = (&mut self.repair.tool, &mut self.repair.arguments) {
            preview(tool, arguments);
        }
        for call in &mut self.repair.also {
            preview(&mut call.tool, &mut call.arguments);
        }
        self
    }

    /// Adds a call that would help.
    #[must_use]
    pub fn call(mut self, tool: &str, arguments: Value) -> Self {
        self.repair.tool = Some(tool.to_owned());
        self.repair.arguments = match arguments {
            Value::Object(map) => Some(map),
            _ => None,
        };
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_the_names_in_code() {
        for code in FaultCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), Value::from(code.as_str()));
        }
    }

    #[test]
    fn every_code_explains_itself_and_says_what_to_do() {
        for code in FaultCode::ALL {
            assert!(code.explanation().ends_with('.'), "{}", code.as_str());
            assert!(
                code.hint().len() > 10 && !code.hint().ends_with('.'),
                "{}",
                code.as_str()
            );
            assert!((1..=7).contains(&code.exit_code()));
        }
    }
}
