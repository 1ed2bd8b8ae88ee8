//! The attributes at the top of a commit.

use std::path::Path;

use crate::git::command::QUERY;
use crate::git::private::Private;
use crate::git::{GitError, Oid, Repository};

impl Repository {
    /// Reads `.gitattributes` at the top of a commit; empty when there is none, or it cannot be had without fetching.
    ///
    /// The file of the commit is read, never that of the working tree. `scratch` is an existing folder of ours outside of the
    /// repository.
    pub fn read_attributes(&self, commit: &Oid, scratch: &Path) -> Result<Vec<u8>, GitError> {
        let private = Private::create(self, scratch)?;
        let name = format!("{}:.gitattributes", commit.as_str());
        let output = private.command("cat-file").args(["blob", &name]).run(&QUERY)?;
        Ok(if output.is_success() {
            output.stdout
        } else {
            Vec::new()
        })
    }
}
