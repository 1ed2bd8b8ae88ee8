//! Which program a host is told to start.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::domain::fault::{Fault, FaultCode};
use crate::service::context::Service;

/// Returns where this program lies for long: a link to it on PATH outlives an update, which the folder of one version does
/// not.
pub fn lasting(service: &Service) -> PathBuf {
    let folders = service.environment().get("PATH");
    let named = folders.into_iter().flat_map(std::env::split_paths);
    named
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("crosscheck"))
        .find(|path| is_same(path, service.program()))
        .unwrap_or_else(|| service.program().to_owned())
}

/// Tells whether two paths lead to one file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let about = |path: &Path| {
        std::fs::metadata(path)
            .map(|about| (about.dev(), about.ino()))
            .ok()
    };
    about(one).is_some_and(|one| Some(one) == about(other))
}

/// Returns a path as text, which a configuration is.
pub(super) fn text(path: &Path) -> Result<String, Fault> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Fault::new(
            FaultCode::ConfigInvalid,
            "the path of this program is not UTF-8, and a host's configuration is",
        )
        .hint("move the program to a folder with a plain name")
    })
}
