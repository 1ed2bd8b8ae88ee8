//! Claude Code's own record of a thread: where it is. What is in it is never read.

use std::path::PathBuf;

use crate::domain::environment::Environment;

/// Returns the folder whose sub-folders, one for each directory that was worked in, hold the records.
pub fn folder(environment: &Environment) -> Option<PathBuf> {
    let home = environment
        .path("CLAUDE_CONFIG_DIR")
        .or_else(|| environment.path("HOME").map(|home| home.join(".claude")))?;
    Some(home.join("projects"))
}

/// Returns the name of a thread's record.
pub fn file_name(thread: &str) -> String {
    format!("{thread}.jsonl")
}
