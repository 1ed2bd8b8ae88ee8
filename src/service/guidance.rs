//! The project around a workspace, found without git, and the guidance for agents that it carries.

use std::path::{Path, PathBuf};

use crate::domain::peer::Peer;
use crate::redact::{Further, Redacted};
use crate::service::base_files::{BaseFiles, GUIDANCE_BYTES, REVIEW_RULES};
use crate::service::standing::read_present;
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

/// Reads the guidance as [`read`] does, and before it the project's rules for its reviews. Where the change touches such a
/// file, what counts is the text of its base, and that is told: a change does not write its own review's rules.
pub(super) fn for_review(
    peer: Peer,
    root: &Path,
    directory: &Path,
    further: &Further,
    base: &BaseFiles,
) -> (Option<Guidance>, Vec<String>) {
    let (guide, mut warnings) = read_from(peer, Some(root), directory, further, Some(base));
    let path = Path::new(REVIEW_RULES);
    let is_kept_back = {
        let bytes = path.as_os_str().as_encoded_bytes();
        further.is_denied(bytes) || further.is_secret(bytes)
    };
    let rules = if is_kept_back {
        Ok(None)
    } else if base.is_touched(REVIEW_RULES) {
        warnings.push(edited(REVIEW_RULES));
        base.text(REVIEW_RULES)
            .map(|text| text.map(str::to_owned))
            .map_err(str::to_owned)
    } else {
        read_present(root, REVIEW_RULES, BYTES)
    };
    let rules = match rules {
        Ok(text) => text.filter(|text| !text.trim().is_empty()),
        Err(why) => {
            warnings.push(format!("{REVIEW_RULES} was not passed on: {why}"));
            None
        }
    };
    let Some(rules) = rules else {
        return (guide, warnings);
    };
    let redacted = further.redact_counted(&rules);
    let heading = Redacted::literal("Rules of this project for reviews of its changes:");
    let mut parts = vec![heading, redacted.text];
    let (mut names, mut masked) = (REVIEW_RULES.to_owned(), redacted.count);
    if let Some(guide) = guide {
        parts.push(Redacted::literal("Its guidance for agents:"));
        parts.push(guide.text);
        names = format!("{names}, {}", guide.names);
        masked += guide.masked;
    }
    let text = Redacted::join(&parts, "\n\n");
    (Some(Guidance { names, text, masked }), warnings)
}

fn edited(name: &str) -> String {
    format!("this change edits {name}; the reviewer was given what its base says")
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
    read_from(peer, root, directory, further, None)
}

fn read_from(
    peer: Peer,
    root: Option<&Path>,
    directory: &Path,
    further: &Further,
    base: Option<&BaseFiles>,
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
            let path = root
                .and_then(|root| file.strip_prefix(root).ok())
                .and_then(Path::to_str);
            let touched = base.zip(path).filter(|(base, path)| base.is_touched(path));
            let text = match touched {
                Some((base, path)) => {
                    warnings.push(edited(path));
                    base.text(path).ok().flatten().map(str::to_owned)
                }
                None => present(&file, name, &mut warnings),
            };
            let Some(text) = text else {
                continue;
            };
            match fitting(text) {
                Fitting::Whole(text) => texts.push(text),
                Fitting::Sections(text) => {
                    warnings.push(format!(
                        "{name} is larger than {BYTES} bytes; only its sections about reviews were passed on"
                    ));
                    texts.push(text);
                }
                Fitting::Nothing => {
                    warnings.push(format!(
                        "{name} is larger than {BYTES} bytes and was not passed on"
                    ));
                    break;
                }
            }
            if !names.contains(name) {
                names.push(*name);
            }
            break;
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

/// Reads a file of guidance; nothing where there is none that can be read.
fn present(file: &Path, name: &str, warnings: &mut Vec<String>) -> Option<String> {
    match files::read_bounded(file, GUIDANCE_BYTES) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            warnings.push(format!(
                "{name} is larger than {GUIDANCE_BYTES} bytes and was not passed on"
            ));
            None
        }
        Err(_) => None,
    }
}

/// What of a text is passed on.
#[derive(Debug, PartialEq, Eq)]
enum Fitting {
    Whole(String),
    Sections(String),
    Nothing,
}

/// A text beyond the bound is never cut in the middle of a sentence: only whole sections about reviews are left of it.
fn fitting(text: String) -> Fitting {
    let fits = |text: &str| text.len() as u64 <= BYTES;
    if fits(&text) {
        return Fitting::Whole(text);
    }
    let sections = review_sections(&text);
    if sections.is_empty() || !fits(&sections) {
        Fitting::Nothing
    } else {
        Fitting::Sections(sections)
    }
}

/// Returns the sections of a Markdown text whose heading speaks of reviews, each with what stands below it.
fn review_sections(text: &str) -> String {
    let mut kept = String::new();
    let mut open: Option<usize> = None;
    let mut is_code = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        is_code ^= trimmed.starts_with("```") || trimmed.starts_with("~~~");
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let is_heading = !is_code && (1..=6).contains(&level) && line[level..].starts_with(' ');
        if is_heading {
            if open.is_some_and(|open| level <= open) {
                open = None;
            }
            if open.is_none() && line.to_lowercase().contains("review") {
                open = Some(level);
            }
        }
        if open.is_some() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
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
    fn of_a_long_text_whole_sections_about_reviews_are_left() {
        let check = |text: &str, expected: &str| assert_eq!(review_sections(text), expected, "{text}");
        check(
            "# A\na\n## Code review\nlook\n### More\nm\n## B\nb\n",
            "## Code review\nlook\n### More\nm\n",
        );
        check(
            "# Reviews\n```sh\n# no heading\n```\n# C\n",
            "# Reviews\n```sh\n# no heading\n```\n",
        );
        check("#review\ntext\n", "");
        let long = "x".repeat(40_000);
        assert_eq!(fitting("short".to_owned()), Fitting::Whole("short".to_owned()));
        assert_eq!(fitting(long.clone()), Fitting::Nothing);
        let text = format!("# Build\n{long}\n# Review\nbe strict\n");
        assert_eq!(
            fitting(text),
            Fitting::Sections("# Review\nbe strict\n".to_owned())
        );
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
