//! Folders for the moment that a killed process left behind.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Deletes the sub-folders of `folder` whose name begins with `prefix` and that were made or filled longer than `age` ago.
///
/// Returns how many. What cannot be deleted is left for the next time; links are not followed.
pub fn sweep(folder: &Path, prefix: &str, age: Duration, now: SystemTime) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let old = entries.filter(|entry| {
        let named = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(prefix));
        let about = entry.metadata().ok().filter(fs::Metadata::is_dir);
        let changed = about.and_then(|about| about.modified().ok());
        named && changed.is_some_and(|changed| now.duration_since(changed).is_ok_and(|passed| passed > age))
    });
    old.filter(|entry| fs::remove_dir_all(entry.path()).is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_folders_of_the_name_go() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["run-1", "run-2", "kept-1"] {
            fs::create_dir_all(dir.path().join(name).join("inner")).unwrap();
        }
        fs::write(dir.path().join("run-file"), "x").unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        let later = SystemTime::now() + 2 * day;
        assert_eq!(sweep(dir.path(), "run-", day, SystemTime::now()), 0);
        assert_eq!(sweep(dir.path(), "run-", day, later), 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(sweep(&dir.path().join("absent"), "run-", day, later), 0);
    }
}
