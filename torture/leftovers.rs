//! What must not be in a world in which nothing runs any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::sys::lock;

use crate::world::World;

/// Lists what is left over, in words.
pub(crate) fn of(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let state = world.state();
    for path in entries(&state.join("jobs")) {
        if is_hidden(&path) {
            found.push(format!("a half-made or half-deleted job: {}", path.display()));
        }
        for inner in entries(&path) {
            let name = inner.file_name().unwrap_or_default();
            if is_hidden(&inner) || name == "tmp" || name == "reserve" {
                found.push(format!("a temporary file: {}", inner.display()));
            }
            if !matches!(lock::is_held(&inner), Ok(false)) && inner.is_file() {
                found.push(format!("a held lock: {}", inner.display()));
            }
        }
    }
    for folder in ["slots", "keys", "cache"] {
        for path in entries(&state.join(folder)) {
            if is_hidden(&path) {
                found.push(format!("a temporary file: {}", path.display()));
            } else if !matches!(lock::is_held(&path), Ok(false)) {
                found.push(format!("a held lock: {}", path.display()));
            }
        }
    }
    for path in [state.join("scratch"), state.join("worktrees"), world.path("tmp")] {
        found.extend(
            entries(&path)
                .iter()
                .map(|left| format!("scratch: {}", left.display())),
        );
    }
    let worktrees = Command::new("git")
        .args(["worktree", "list"])
        .current_dir(world.workspace())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", world.home())
        .output()
        .expect("git is there");
    let worktrees = String::from_utf8_lossy(&worktrees.stdout).lines().count();
    if worktrees != 1 {
        found.push(format!("git knows {worktrees} worktrees of the workspace"));
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
