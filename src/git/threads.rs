//! Questions to git that are asked side by side.

use crate::git::GitError;
use std::thread::ScopedJoinHandle;

/// Waits for an answer.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, GitError>>) -> Result<T, GitError> {
    // A panic of ours goes on where it is waited for.
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
