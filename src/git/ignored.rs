//! Whether the user's ignore rules keep a folder out of every tree.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::git::command::LIST;
use crate::git::private::Private;
use crate::git::untracked::names;
use crate::git::{GitError, Repository};

impl Repository {
    /// Tells whether a folder of the working tree is ignored as a whole: it, or one around it. A folder with a tracked file
    /// is not, and neither is one that is absent. `folder` is relative to the top; `scratch` is a folder of ours that exists.
    pub fn ignores(&self, folder: &Path, scratch: &Path) -> Result<bool, GitError> {
        let private = Private::create(self, scratch)?;
        // `check-ignore` would be the name for it, but it refuses a path that is taken literally, which ours are.
        let output = private
            .command("ls-files")
            .args([
                "--others",
                "--ignored",
                "--exclude-standard",
                "--directory",
                "-z",
                "--",
            ])
            .args([folder.as_os_str()])
            .run(&LIST)?;
        if !output.is_success() {
            return Err(private.explain("ls-files", &output));
        }
        let folder = [folder.as_os_str().as_bytes(), b"/"].concat();
        // Git names whole folders with a slash at their end.
        Ok(names(&output.stdout)
            .iter()
            .any(|listed| listed.ends_with(b"/") && folder.starts_with(listed)))
    }
}
