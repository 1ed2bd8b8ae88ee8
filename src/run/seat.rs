//! Where a peer sits: what of a job's directory is its own while others of the same job run beside it.

use std::path::PathBuf;

use crate::domain::request::ThreadId;
use crate::state::directory::JobDirectory;
use crate::state::error::StateError;
use crate::state::record::Spec;
use crate::sys::files;

/// A peer's own part of a job.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Which pass of a review, counted from 1; absent where a job has only one.
    pub pass: Option<u32>,
    /// Its temporary folder.
    pub tmp: PathBuf,
    /// The schema that its answer must fit, if that file exists.
    pub schema: PathBuf,
    /// The thread that it opens where the caller may name it.
    pub session: ThreadId,
}

impl Seat {
    /// Returns the seat of a job that has only one.
    pub fn only(directory: &JobDirectory, spec: &Spec) -> Self {
        Self {
            pass: None,
            tmp: directory.tmp_path(),
            schema: directory.schema_path(),
            session: ThreadId::of(spec.id.as_str()),
        }
    }

    /// Makes the seat of one pass among several.
    pub fn of_pass(
        directory: &JobDirectory,
        spec: &Spec,
        pass: u32,
        schema: PathBuf,
    ) -> Result<Self, StateError> {
        // The first one has the thread that a job has otherwise: whoever goes on with the job goes on with it.
        let purpose = match pass {
            1 => spec.id.as_str().to_owned(),
            pass => format!("{} {pass}", spec.id),
        };
        let tmp = directory.tmp_path().join(pass.to_string());
        files::create_private_dir(&tmp).map_err(StateError::io("make", &tmp))?;
        Ok(Self {
            pass: Some(pass),
            tmp,
            schema,
            session: ThreadId::of(&purpose),
        })
    }
}
