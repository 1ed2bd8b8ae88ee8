//! Whether a working tree and a git directory belong to each other, and whether the latter's parts are its own.
//!
//! A repository that somebody brings along can name another one's git directory as its own (`.git` as a link or a file,
//! `commondir`), or lend its objects and have its own refs lead into the other's. Whoever reads it then reads the other one,
//! and sends that to a model. Nothing in the brought files proves that they belong together; what lies in the git directory
//! that is named does, because its owner wrote it.
//!
//! Only files are looked at here; nothing is run and nothing is changed.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::git::command::path_line;

/// Bytes of a file that holds one path.
const PATH_FILE_BYTES: u64 = 8192;
/// Refs that are looked at one by one; with more of them the look ends. They lie in one packed file, mostly.
const REFS: usize = 200_000;
/// Files that each git reads whole, with the most bytes that they have for a good reason. Ten thousand branches take one
/// megabyte of configuration; a million refs take some seventy megabytes. A file of holes can be a terabyte for nothing.
const READ_WHOLE: [(&str, u64); 6] = [
    ("HEAD", PATH_FILE_BYTES),
    ("commondir", PATH_FILE_BYTES),
    ("config", 4 * 1024 * 1024),
    ("config.worktree", 4 * 1024 * 1024),
    ("packed-refs", 512 * 1024 * 1024),
    ("objects/info/alternates", 1024 * 1024),
];
/// What of a git directory says which objects are meant.
const NAMING: [&str; 5] = ["HEAD", "index", "packed-refs", "refs", "logs"];

/// Returns the git directory that the working trees of a repository share, for a top of one; nothing when its `.git` leads
/// nowhere. Where there is no `.git` it is the one that would be there.
pub fn common_directory(top_level: &Path) -> Option<PathBuf> {
    let top_level = top_level.canonicalize().ok()?;
    if top_level.join(".git").symlink_metadata().is_err() {
        return Some(top_level.join(".git"));
    }
    let directory = linked_git_directory(&top_level)?;
    match read_path(&directory.join("commondir")) {
        Some(common) => directory.join(common).canonicalize().ok(),
        None => Some(directory),
    }
}

/// Follows a working tree's `.git`, a folder or a file that names one.
pub(super) fn linked_git_directory(top_level: &Path) -> Option<PathBuf> {
    let entry = top_level.join(".git");
    if entry.metadata().ok()?.is_dir() {
        return entry.canonicalize().ok();
    }
    let bytes = read_file(&entry)?;
    let line = bytes.strip_prefix(b"gitdir: ")?;
    top_level.join(path_line(line)).canonicalize().ok()
}

/// Finds the repository around a folder without git, and in it a file that no git should be made to read.
pub(super) fn too_large(directory: &Path) -> Option<PathBuf> {
    // Git passes over a `.git` that it takes for none, so what is above it counts as well.
    directory
        .ancestors()
        .filter(|folder| folder.join(".git").symlink_metadata().is_ok())
        .find_map(too_large_in)
}

fn too_large_in(top: &Path) -> Option<PathBuf> {
    let mut owners = vec![linked_git_directory(top)?];
    if let Some(common) = read_path(&owners[0].join("commondir")) {
        owners.push(owners[0].join(common));
    }
    let mut files = owners
        .iter()
        .flat_map(|owner| READ_WHOLE.map(|(name, limit)| (owner.join(name), limit)));
    files
        .find(|(path, limit)| path.metadata().is_ok_and(|found| found.len() > *limit))
        .map(|(path, _)| path)
}

/// Says what of a repository leads to another one, if something does. All three are canonical paths; `says_top` tells
/// whether the git directory's own configuration says where its working tree is, which git then found to be this one.
pub(super) fn leads_elsewhere(
    top_level: &Path,
    git_directory: &Path,
    common_directory: &Path,
    says_top: impl FnOnce() -> bool,
) -> Option<&'static str> {
    let entry = top_level.join(".git");
    let is_shared = git_directory != common_directory;
    if is_shared {
        let is_below = git_directory.parent() == Some(&common_directory.join("worktrees"));
        let names = read_path(&git_directory.join("gitdir")).and_then(|path| {
            let path = git_directory.join(path);
            Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
        });
        if !is_below || names.as_ref() != Some(&entry) {
            return Some("its shared git directory");
        }
    } else if !git_directory.starts_with(top_level) && !says_top() {
        return Some("its git directory");
    }
    let owners = [git_directory, common_directory];
    for owner in &owners[..=usize::from(is_shared)] {
        if let Some(name) = NAMING.iter().find(|name| is_link_out(&owner.join(name), &owners)) {
            return Some(name);
        }
        if has_link_out(&owner.join("refs"), &owners) {
            return Some("a ref");
        }
    }
    None
}

/// Tells whether something is a link that leads out of these folders.
fn is_link_out(path: &Path, owners: &[&Path]) -> bool {
    let Ok(text) = fs::read_link(path) else {
        return false;
    };
    match path.canonicalize() {
        Ok(target) => !owners.iter().any(|owner| target.starts_with(owner)),
        // A branch without a commit; old versions of git made `HEAD` such a link.
        Err(_) => !text
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir)),
    }
}

/// Tells whether a link below a folder of refs leads out. No link is followed.
fn has_link_out(refs: &Path, owners: &[&Path]) -> bool {
    let mut folders = vec![refs.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            seen += 1;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() && is_link_out(&entry.path(), owners) {
                return true;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            }
            // Nobody has so many loose refs for a good reason, and what is not looked at is not trusted.
            if seen > REFS {
                return true;
            }
        }
    }
    false
}

/// Reads a file that holds one path.
fn read_path(file: &Path) -> Option<PathBuf> {
    let bytes = read_file(file)?;
    (!bytes.trim_ascii().is_empty()).then(|| path_line(&bytes))
}

/// Reads a small regular file, also behind a link; a FIFO is not waited for.
pub(super) fn read_file(file: &Path) -> Option<Vec<u8>> {
    let found = file.metadata().ok()?;
    if !found.is_file() || found.len() > PATH_FILE_BYTES {
        return None;
    }
    fs::read(file).ok().filter(|bytes| !bytes.as_slice().contains(&0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_working_tree_knows_what_it_shares() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let own = top.join("main/.git");
        fs::create_dir_all(own.join("worktrees/x")).unwrap();
        fs::create_dir_all(top.join("linked")).unwrap();
        fs::create_dir_all(top.join("bare")).unwrap();
        fs::write(own.join("worktrees/x/commondir"), "../..\n").unwrap();
        let git_file = format!("gitdir: {}\n", own.join("worktrees/x").display());
        fs::write(top.join("linked/.git"), git_file).unwrap();
        assert_eq!(common_directory(&top.join("main")), Some(own.clone()));
        assert_eq!(common_directory(&top.join("linked")), Some(own));
        assert_eq!(common_directory(&top.join("bare")), Some(top.join("bare/.git")));
        assert_eq!(common_directory(&top.join("absent")), None);
    }

    #[test]
    fn what_git_would_read_for_hours_is_found_without_git() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap().join("top");
        fs::create_dir_all(top.join(".git/objects/info")).unwrap();
        fs::create_dir_all(top.join("a/b")).unwrap();
        for (name, limit) in READ_WHOLE {
            let path = top.join(".git").join(name);
            let file = fs::File::create(&path).unwrap();
            file.set_len(limit).unwrap();
            assert_eq!(too_large(&top.join("a/b")), None, "{name}");
            file.set_len(1 << 40).unwrap();
            assert_eq!(too_large(&top.join("a/b")), Some(path.clone()), "{name}");
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_link_of_a_ref_may_stay_inside() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().canonicalize().unwrap().join("top/.git");
        fs::create_dir_all(own.join("refs/heads")).unwrap();
        let judge = || leads_elsewhere(own.parent().unwrap(), &own, &own, || false);
        fs::write(own.join("refs/heads/main"), "x").unwrap();
        symlink("refs/heads/main", own.join("HEAD")).unwrap();
        symlink("main", own.join("refs/heads/same")).unwrap();
        assert_eq!(judge(), None);
        fs::remove_file(own.join("refs/heads/main")).unwrap();
        assert_eq!(judge(), None, "a branch without a commit");
        symlink("/etc/passwd", own.join("refs/heads/main")).unwrap();
        assert_eq!(judge(), Some("HEAD"));
        fs::remove_file(own.join("HEAD")).unwrap();
        assert_eq!(judge(), Some("a ref"));
    }
}
