//! Which paths a snapshot holds, without taking it.

use std::path::Path;

use crate::git::command::LIST;
use crate::git::private::Private;
use crate::git::untracked::names;
use crate::git::{GitError, Repository, SnapshotOf};

impl Repository {
    /// Lists the paths that a snapshot of this would hold, sorted, relative to the top. Tracked files that somebody has
    /// deleted and not yet committed are among them, and so are submodules: good enough for a look, and much cheaper than
    /// the snapshot. `scratch` is a folder of ours for what is deleted again.
    pub fn list(&self, of: &SnapshotOf, scratch: &Path) -> Result<Vec<Vec<u8>>, GitError> {
        let private = Private::create(self, scratch)?;
        let (name, output) = match of {
            SnapshotOf::WorkingTree => (
                "ls-files",
                private
                    .command("ls-files")
                    .args(["--cached", "--others", "--exclude-standard", "-z"])
                    .run(&LIST)?,
            ),
            SnapshotOf::Commit(oid) => (
                "ls-tree",
                private
                    .command("ls-tree")
                    .args(["-r", "-z", "--name-only", "--full-tree", oid.as_str()])
                    .run(&LIST)?,
            ),
        };
        if !output.is_success() {
            return Err(private.explain(name, &output));
        }
        let mut paths: Vec<Vec<u8>> = names(&output.stdout).iter().map(|name| name.to_vec()).collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }
}
