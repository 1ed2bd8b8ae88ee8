//! One thing that a set-up did, or would do.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::domain::fault::{Fault, FaultCode};
use crate::service::setup::change;
use crate::service::setup::registration::{Outcome, Refused};
use crate::service::setup::target::{Target, TargetError};
use crate::service::setup::wanted::Mode;

/// One thing that was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// What it is about: `codex`, `claude` or `roots`.
    pub(super) about: &'static str,
    /// `nothing`, `done` or `would`.
    pub(super) state: &'static str,
    /// The file, where one of ours to edit is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    /// Where the old file is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<PathBuf>,
    /// The lines that go and come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) change: Vec<String>,
    /// The commands of the host that were run, or would be, as a shell takes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) commands: Vec<String>,
}

impl Step {
    /// Exchanges a file, or says what would be exchanged.
    pub(super) fn edit(
        about: &'static str,
        target: &Target,
        outcome: &Outcome,
        mode: Mode,
        copies: Option<&Path>,
    ) -> Result<Self, Fault> {
        let old = target.bytes().unwrap_or_default();
        let (state, change) = match (outcome, mode) {
            (Outcome::Same, _) => ("nothing", Vec::new()),
            (Outcome::Text(new), _) => (done(mode), change::lines(old, new)),
            (Outcome::Gone, _) => (done(mode), change::lines(old, b"")),
        };
        let kept = match mode {
            Mode::Do => target.put(outcome, copies).map_err(|error| unwritten(&error))?,
            Mode::Look | Mode::Print => None,
        };
        Ok(Self {
            about,
            state,
            file: Some(target.path().to_owned()),
            kept,
            change,
            commands: Vec::new(),
        })
    }
}

/// Returns the state of something that is not there yet.
pub(super) fn done(mode: Mode) -> &'static str {
    match mode {
        Mode::Do => "done",
        Mode::Look | Mode::Print => "would",
    }
}

/// Reads a file that is to be edited.
pub(super) fn read(path: &Path) -> Result<Target, Fault> {
    Target::read(path).map_err(|error| unwritten(&error))
}

fn unwritten(error: &TargetError) -> Fault {
    let hint = match error {
        TargetError::Read { .. } => "look at its permissions; nothing was changed".to_owned(),
        TargetError::Dangling(path) => {
            format!(
                "make the file that `{}` leads to, or remove the link; nothing was changed",
                path.display()
            )
        }
        TargetError::ReadOnly(path) => format!(
            "nothing was changed; `chmod u+w {}` makes it writable, or paste what `crosscheck setup --print` prints",
            crate::domain::shell::quoted(&path.display().to_string())
        ),
        TargetError::Changed(_) => "nothing was changed; give the command again".to_owned(),
        TargetError::Write { .. } => {
            "the file is what it was; look at the folder's permissions and at the disk".to_owned()
        }
    };
    Fault::new(FaultCode::ConfigInvalid, error.to_string()).hint(hint)
}

/// Says that an entry of the same name is not ours to take out.
pub(super) fn not_ours(path: &Path, name: &str) -> Fault {
    let message = format!(
        "the entry `{name}` in `{}` does not start this program",
        path.display()
    );
    Fault::new(FaultCode::ConfigInvalid, message).hint("nothing was changed; whoever made it can take it out")
}

/// Says why a file stays as it is.
pub(super) fn refused(path: &Path, why: &Refused) -> Fault {
    let hint = match why {
        Refused::Unreadable(_) => "correct it first; nothing was changed".to_owned(),
        Refused::Foreign(_) => {
            "nothing was changed; `--force` replaces it and keeps a copy of the file, or rename it".to_owned()
        }
        Refused::Spelling(_) => {
            "nothing was changed; `--force` writes it anew and keeps a copy of the file".to_owned()
        }
        Refused::Odd(_) | Refused::Wrong => {
            "nothing was changed; paste what `crosscheck setup --print` prints".to_owned()
        }
    };
    let message = format!("`{}` is left alone: {why}", path.display());
    Fault::new(FaultCode::ConfigInvalid, message).hint(hint)
}
