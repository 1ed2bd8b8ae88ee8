//! The paths that a caller narrows a review to.

use crate::git::GitError;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Turns a caller's paths into literal pathspecs relative to the top of the working tree. No pathspec means everything.
///
/// `workspace` is the directory that the caller works in, below `top`. A path is relative to it, or absolute and below
/// it; one that leads out of it is refused. Nothing is looked up on disk: a deleted file is a good path.
pub(super) fn pathspecs(top: &Path, workspace: &Path, paths: &[String]) -> Result<Vec<OsString>, GitError> {
    let prefix = workspace.strip_prefix(top).unwrap_or(Path::new(""));
    let mut specs: Vec<OsString> = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        let inside = inside(workspace, Path::new(path)).filter(|_| !path.contains('\0'));
        let spec = prefix.join(inside.ok_or(GitError::PathOutside { index })?);
        if spec.as_os_str().is_empty() {
            return Ok(Vec::new());
        }
        // `join` with an empty path leaves a slash at the end, which git would take for a folder's name.
        specs.push(spec.components().collect::<PathBuf>().into_os_string());
    }
    Ok(specs)
}

/// Returns the path relative to the workspace, without `.` and `..`.
fn inside(workspace: &Path, path: &Path) -> Option<PathBuf> {
    let relative = if path.is_absolute() {
        path.strip_prefix(workspace).ok()?
    } else {
        path
    };
    let mut inside = PathBuf::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !inside.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn specs(workspace: &str, paths: &[&str]) -> Option<Vec<OsString>> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        pathspecs(Path::new("/top"), Path::new(workspace), &paths).ok()
    }

    #[test]
    fn paths_count_from_the_workspace_and_stay_inside() {
        let check = |workspace: &str, path: &str, expected: Option<&[&str]>| {
            let expected = expected.map(|specs| specs.iter().map(OsString::from).collect::<Vec<_>>());
            assert_eq!(specs(workspace, &[path]), expected, "{workspace} {path}");
        };
        check("/top", "a/b.rs", Some(&["a/b.rs"]));
        check("/top", "./a//b/", Some(&["a/b"]));
        check("/top", "a/../b", Some(&["b"]));
        check("/top", ".", Some(&[]));
        check("/top", "/top/a", Some(&["a"]));
        check("/top", "/etc/passwd", None);
        check("/top", "../x", None);
        check("/top", "a/../../x", None);
        check("/top", "a\0b", None);
        check("/top", ":(glob)*", Some(&[":(glob)*"]));
        check("/top/sub", "a", Some(&["sub/a"]));
        check("/top/sub", ".", Some(&["sub"]));
        check("/top/sub", "../a", None);
        check("/top/sub", "/top/sub/a", Some(&["sub/a"]));
        check("/top/sub", "/top/a", None);
    }

    proptest! {
        #[test]
        fn no_path_leads_out(path in "[a./]{0,12}") {
            if let Some(specs) = specs("/top/sub", &[&path]) {
                for spec in specs {
                    prop_assert!(Path::new(&spec).starts_with("sub"));
                    prop_assert!(Path::new(&spec).components().all(|part| matches!(part, Component::Normal(_))));
                }
            }
        }
    }
}
