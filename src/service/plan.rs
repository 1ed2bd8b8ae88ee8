//! A paid call, decided to the last byte and not yet started. The dry run shows it, the call runs it.

use std::path::PathBuf;

use serde_json::Value;

use crate::config::Config;
use crate::diff::sent::SentPatch;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::fingerprint::{sha256_hex, sha256_hex_of};
use crate::domain::job::JobKind;
use crate::domain::limits;
use crate::domain::runner::CloudPlan;
use crate::domain::tier::Tier;
use crate::prompt::Prompt;
use crate::service::workspace::Workspace;
use crate::state::record::{Egress, EgressFile, Expects};

/// Everything that a run needs except the peer.
#[derive(Debug)]
pub struct Plan {
    /// The use case.
    pub kind: JobKind,
    /// The promise about effects.
    pub tier: Tier,
    /// What it is about, in a few words.
    pub label: String,
    /// The folder of the call.
    pub workspace: Workspace,
    /// Where the peer works.
    pub directory: PathBuf,
    /// The repository around it.
    pub repo_root: Option<PathBuf>,
    /// What the peer is told.
    pub prompt: Prompt,
    /// What it is told of the other parts of a change that does not fit one prompt, in their order.
    pub parts: Vec<Prompt>,
    /// The answer's schema.
    pub schema: Option<Value>,
    /// The change as sent.
    pub change: Option<SentPatch>,
    /// What the answer is read as.
    pub expects: Expects,
    /// What leaves this machine.
    pub egress: Egress,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Returns what was decided for a task that is done elsewhere; `None` for every other plan.
    pub fn cloud(&self) -> Option<&CloudPlan> {
        match &self.expects {
            Expects::Delegate { delegation } => delegation.cloud.as_ref(),
            Expects::Consult { .. } | Expects::Review { .. } => None,
        }
    }
}

/// Writes down what leaves the machine in several prompts, each of which is sent so often. Their hash is that of all of them
/// in a row.
pub fn egress_of(
    prompts: &[Prompt],
    times: usize,
    files: Vec<EgressFile>,
    withheld: Vec<String>,
    masked: u32,
) -> Egress {
    Egress {
        prompt_bytes: prompts.iter().map(|prompt| prompt.as_str().len()).sum::<usize>() * times,
        prompt_sha256: sha256_hex_of(prompts.iter().map(|prompt| prompt.as_str().as_bytes())),
        files,
        withheld,
        masked,
    }
}

/// Writes down what leaves the machine.
pub fn egress(prompt: &Prompt, files: Vec<EgressFile>, withheld: Vec<String>, masked: u32) -> Egress {
    Egress {
        prompt_bytes: prompt.as_str().len(),
        prompt_sha256: sha256_hex(prompt.as_str().as_bytes()),
        files,
        withheld,
        masked,
    }
}

/// Returns how much a prompt, or a part of one, is over the bounds, in words; `None` when it fits.
pub fn over_size(text: &str, config: &Config) -> Option<String> {
    let bytes = text.len();
    // Characters are counted only where they can be too many: there are never more of them than bytes.
    let chars = if bytes > limits::PROMPT_CHARS {
        text.chars().count()
    } else {
        bytes
    };
    if chars > limits::PROMPT_CHARS {
        Some(format!(
            "the prompt has {chars} characters; at most {} are taken",
            limits::PROMPT_CHARS
        ))
    } else if bytes > config.prompt_bytes.value {
        Some(format!(
            "the prompt has {bytes} bytes; the limit is {}",
            config.prompt_bytes.value
        ))
    } else {
        None
    }
}

/// Refuses a consult that is over its bounds.
pub fn checked_size(prompt: &Prompt, config: &Config) -> Result<(), Fault> {
    match over_size(prompt.as_str(), config) {
        None => Ok(()),
        Some(message) => {
            Err(Fault::new(FaultCode::InputTooLarge, message).hint("pass less context or fewer files"))
        }
    }
}

/// Cuts a text to a label of one short line.
pub fn label(text: &str) -> String {
    const CHARS: usize = 60;
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let short: String = line.chars().take(CHARS).collect();
    if short.len() < line.len() {
        format!("{short}…")
    } else {
        short
    }
}
