//! The project around a workspace, found without git, and the guidance for agents that it carries.

use std::path::{Path, PathBuf};

use crate::domain::peer::Peer;
use crate::redact::{Further, Redacted};
use crate::state::record::EgressFile;
use crate::sys::files;

/// Bytes of guidance that are passed on; codex's own default bound.
const BYTES: u64 = 32 * 1024;

/// The guidance of a project as it may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guidance {
    /// The name of its files.
    names: String,
    /// Its text.
    pub text: Redacted<String>,
    /// Values that were masked in it.
    pub masked: u32,
}

impl Guidance {
    /// Accounts for it as something that leaves this machine.
    pub fn accounted(&self) -> EgressFile {
        EgressFile::of(self.names.clone(), self.text.as_str())
    }
}

/// Returns the nearest folder upwards that holds a `.git`, as codex finds its project root.
///
/// A `.git` folder without a `HEAD` is none, to git neither. Outside of a repository codex's sandbox makes an empty one while
/// it runs, which stays when it is killed, and the jobs of a project must not seem to be gone meanwhile. Seen with 0.169.0.
pub fn project_root(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .find(|folder| is_top(folder))
        .map(Path::to_owned)
}

fn is_top(folder: &Path) -> bool {
    let entry = folder.join(".git");
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    if entry.is_dir() {
        is_there(&entry.join("HEAD"))
    } else {
        is_there(&entry)
    }
}

/// Reads the guidance from the project's root and from the workspace, in each from the first file that is written for this
/// peer. It is data of the repository: the prompt fences it.
///
/// A file beyond the bound is left out and named, never cut in the middle of a sentence.
pub fn read(
    peer: Peer,
    root: Option<&Path>,
    directory: &Path,
    further: &Further,
) -> (Option<Guidance>, Vec<String>) {
    let mut folders: Vec<&Path> = root.into_iter().collect();
    if root != Some(directory) {
        folders.push(directory);
    }
    let (mut texts, mut names, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let is_kept_back = |file: &Path| {
        let path = root.and_then(|root| file.strip_prefix(root).ok());
        let path = path
            .map(Path::as_os_str)
            .or_else(|| file.file_name())
            .unwrap_or_default()
            .as_encoded_bytes();
        further.is_denied(path) || further.is_secret(path)
    };
    for folder in folders {
        for name in peer.guidance() {
            let file = folder.join(name);
            if is_kept_back(&file) {
                continue;
            }
            match files::read_bounded(&file, BYTES) {
                Ok(bytes) => {
                    texts.push(String::from_utf8_lossy(&bytes).into_owned());
                    if !names.contains(name) {
                        names.push(*name);
                    }
                    break;
                }
                Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                    warnings.push(format!(
                        "{name} is larger than {BYTES} bytes and was not passed on"
                    ));
                    break;
                }
                Err(_) => {}
            }
        }
    }
    let guidance = (!texts.is_empty()).then(|| {
        let redacted = further.redact_counted(&texts.join("\n\n"));
        Guidance {
            names: names.join(", "),
            text: redacted.text,
            masked: redacted.count,
        }
    });
    (guidance, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_git_folder_and_what_lies_beside_it_is_no_project() {
        let dir = tempfile::tempdir().unwrap();
        let outer = dir.path().join("outer");
        let inner = outer.join("inner");
        std::fs::create_dir_all(inner.join(".git")).unwrap();
        let root = || project_root(&inner).filter(|root| root.starts_with(dir.path()));
        assert_eq!(root(), None);
        std::fs::create_dir(outer.join(".git")).unwrap();
        std::fs::write(outer.join(".git/HEAD"), "").unwrap();
        assert_eq!(root(), Some(outer));
        // A worktree's and a submodule's is a file.
        std::fs::remove_dir(inner.join(".git")).unwrap();
        std::fs::write(inner.join(".git"), "gitdir: elsewhere").unwrap();
        assert_eq!(root(), Some(inner.clone()));
    }

    #[test]
    fn guidance_comes_from_the_root_and_the_workspace_and_not_through_links() {
        const FILE: &str = "AGENTS.md";
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        std::fs::write(dir.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        std::fs::write(dir.path().join(FILE), "be brief").unwrap();
        std::fs::write(dir.path().join("secret"), "outside").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), inner.join(FILE)).unwrap();
        let root = project_root(&inner).unwrap();
        assert_eq!(root, dir.path());
        for peer in Peer::ALL {
            let (text, warnings) = read(peer, Some(&root), &inner, &Further::none());
            assert_eq!(text.unwrap().text.as_str(), "be brief");
            assert!(warnings.is_empty());
        }
    }

    #[test]
    fn each_peer_gets_the_file_that_is_written_for_it() {
        let check = |files: &[&str], peer: Peer, expected: Option<&str>| {
            let dir = tempfile::tempdir().unwrap();
            for name in files {
                std::fs::write(dir.path().join(name), *name).unwrap();
            }
            let (guidance, _) = read(peer, Some(dir.path()), dir.path(), &Further::none());
            let text = guidance.as_ref().map(|guidance| guidance.text.as_str());
            assert_eq!(text, expected, "{files:?} {peer}");
            let named = guidance.map(|guidance| guidance.accounted().path);
            assert_eq!(named.as_deref(), expected, "{files:?} {peer}");
        };
        let both = ["AGENTS.md", "CLAUDE.md"];
        check(&both, Peer::Codex, Some("AGENTS.md"));
        check(&both, Peer::Claude, Some("CLAUDE.md"));
        check(&both[..1], Peer::Claude, Some("AGENTS.md"));
        check(&both[1..], Peer::Codex, None);
        check(&[], Peer::Claude, None);
    }
}
