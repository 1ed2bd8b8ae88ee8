//! Waiting for a directory to change without asking it all the time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::AccessKind;
use notify::{EventKind, Watcher};
use tokio::sync::Notify;

/// Looked at again after this long even if the system told nothing: network file systems tell nothing.
const FALLBACK: Duration = Duration::from_secs(1);

/// Wakes whoever waits when an entry of a directory is made, renamed, written or closed.
pub struct DirectoryWatch {
    changed: Arc<Notify>,
    // Dropping it ends the watch. Absent when the system refuses one more: then only the fallback wakes.
    watcher: Option<notify::RecommendedWatcher>,
}

impl DirectoryWatch {
    /// Starts to watch. Never fails: without a watch the fallback interval still wakes.
    pub fn start(directory: &Path) -> Self {
        let changed = Arc::new(Notify::new());
        let wake = Arc::clone(&changed);
        let on_event = move |event: notify::Result<notify::Event>| {
            // Looking at a file opens it; waking for that would turn every wait into a loop.
            let looked = event.is_ok_and(|event| {
                matches!(
                    event.kind,
                    EventKind::Access(AccessKind::Open(_) | AccessKind::Read)
                )
            });
            if !looked {
                wake.notify_one();
            }
        };
        let watcher = notify::recommended_watcher(on_event)
            .ok()
            .and_then(|mut watcher| {
                watcher
                    .watch(directory, notify::RecursiveMode::NonRecursive)
                    .ok()?;
                Some(watcher)
            });
        Self { changed, watcher }
    }

    /// Watches one more directory. Without room for it the fallback interval still wakes.
    pub fn add(&mut self, directory: &Path) {
        if let Some(watcher) = &mut self.watcher {
            let _ = watcher.watch(directory, notify::RecursiveMode::NonRecursive);
        }
    }

    /// Watches a directory no longer. One that is gone is not watched any more anyway.
    pub fn remove(&mut self, directory: &Path) {
        if let Some(watcher) = &mut self.watcher {
            let _ = watcher.unwatch(directory);
        }
    }

    /// Waits for a change, at most for the fallback interval. A change since the last wait returns at once.
    pub async fn changed(&self) {
        let _ = tokio::time::timeout(FALLBACK, self.changed.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_file_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let watch = DirectoryWatch::start(dir.path());
        std::fs::write(dir.path().join("a"), "x").unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.changed.notified())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_directory_that_was_added_wakes_until_it_is_removed() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut watch = DirectoryWatch::start(one.path());
        watch.add(two.path());
        std::fs::write(two.path().join("a"), "x").unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.changed.notified())
            .await
            .unwrap();
        watch.remove(two.path());
        // What was on its way when it was removed comes before what the other one tells.
        std::fs::write(one.path().join("a"), "x").unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.changed.notified())
            .await
            .unwrap();
        while tokio::time::timeout(Duration::from_millis(50), watch.changed.notified())
            .await
            .is_ok()
        {}
        std::fs::write(two.path().join("b"), "x").unwrap();
        let removed = tokio::time::timeout(Duration::from_millis(100), watch.changed.notified()).await;
        assert!(removed.is_err(), "a removed directory must not wake");
    }

    #[tokio::test]
    async fn the_end_of_a_writer_wakes_and_a_reader_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let writer = std::fs::File::create(dir.path().join("a")).unwrap();
        let watch = DirectoryWatch::start(dir.path());
        drop(std::fs::File::open(dir.path().join("a")).unwrap());
        let reader = tokio::time::timeout(Duration::from_millis(100), watch.changed.notified()).await;
        assert!(reader.is_err(), "a reader must not wake");
        drop(writer);
        tokio::time::timeout(Duration::from_secs(5), watch.changed.notified())
            .await
            .unwrap();
    }
}
