//! What lies below a folder, to see whether something touched it.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// Returns every file below a folder with a hash of what it holds.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.expect("a folder of a test can be listed");
            let path = entry.path();
            // Links are listed and not followed: codex keeps some to its own program.
            if entry.file_type().expect("an entry has a type").is_symlink() {
                found.push((path, 0));
            } else if path.is_dir() {
                folders.push(path);
            } else {
                let mut hasher = DefaultHasher::new();
                fs::read(&path).unwrap_or_default().hash(&mut hasher);
                found.push((path, hasher.finish()));
            }
        }
    }
    found.sort();
    found
}
