//! What makes a changed path dangerous to land: what runs or instructs something, and what must never land at all.
//!
//! Pure: everything about the trees around a path comes in as arguments. A path is judged by its names alone, in any
//! spelling that some file system takes for the same, because the tree may travel to that file system later.

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;

use crate::domain::delegation::{Refused, Risk};

/// Git's mode of a symbolic link.
pub const MODE_LINK: u32 = 0o120_000;
/// Git's mode of a repository inside the repository.
pub const MODE_GITLINK: u32 = 0o160_000;

/// Names by what they are to whoever reads or runs them, at any depth and in any case. A blank ends a name. A name that
/// ends in `/` is a folder with all that is in it; one `*` at the beginning or the end of a name stands for any letters.
///
/// `.gitignore` is not here: it runs nothing, peers change it for good reasons, and it is read in the diff like any file.
const RISKS: [(Risk, &str); 5] = [
    (
        Risk::Hook,
        ".githooks/ .git-hooks/ githooks/ git-hooks/ .hooks/ .husky/ .cargo-husky/ .lefthook/ \
         .lefthook-local/ .pre-commit-config.* .pre-commit-hooks.* prek.toml lefthook.* .lefthook.* \
         lefthook-local.* .lefthook-local.* .huskyrc* husky.config.* .overcommit.yml captainhook.json \
         .simple-git-hooks.* simple-git-hooks.* .rusty-hook.toml rusty-hook.toml .lintstagedrc* \
         lint-staged.config.*",
    ),
    (
        Risk::Ci,
        ".github/workflows/ .github/actions/ .gitea/workflows/ .forgejo/workflows/ .gitlab-ci.* .gitlab-ci/ \
         .gitlab/ .circleci/ jenkinsfile* *.jenkinsfile azure-pipelines* .azure-pipelines* .azure-pipelines/ \
         .drone.* .travis.yml .travis.yaml .buildkite/ buildkite.yml buildkite.yaml bitbucket-pipelines.* \
         .woodpecker/ .woodpecker.* .cirrus.* appveyor.yml .appveyor.yml cloudbuild.* .semaphore/ \
         codefresh.yml .teamcity/ buildspec.yml buildspec.yaml .builds/ .build.yml wercker.yml .tekton/ \
         .harness/ .ci/",
    ),
    (
        Risk::Agent,
        ".mcp.json .vscode/mcp.json .claude/ .claude-plugin/ hooks/hooks.json .codex/ .codex-plugin/ .cursor/ \
         .cursorrules .windsurf/ .windsurfrules .clinerules .clinerules/ .roo/ .roomodes .roorules* .aider* \
         .continue/ .gemini/ .qwen/ .opencode/ opencode.json* crush.json .crush.json .kiro/ .junie/ .amazonq/ \
         .augment/ .trae/ .goosehints .agents/ .agent/ agents.md agents.override.md claude.md claude.local.md \
         gemini.md qwen.md .rules .github/copilot-instructions.md .github/instructions/ .github/prompts/ \
         .github/chatmodes/ .github/agents/ .crosscheck/",
    ),
    (
        Risk::Attributes,
        ".gitattributes .gitmodules .lfsconfig .gitconfig",
    ),
    (
        Risk::Autorun,
        ".vscode/tasks.json .vscode/settings.json .vscode/launch.json *.code-workspace .envrc .devcontainer/ \
         .devcontainer.json .idea/runconfigurations/ .idea/workspace.xml .idea/watchertasks.xml .run/ \
         .zed/tasks.json .zed/settings.json .vs/ .gitpod.yml mise.toml .mise.toml mise.local.toml .mise/ \
         .exrc .vimrc .nvimrc .nvim.lua .lvimrc .dir-locals.el .dir-locals-2.el .gdbinit .lldbinit",
    ),
];

/// Says why a changed path deserves a look of its own, whatever was done to it: also a deleted hook changes what runs.
/// Of a renamed file both paths are to be asked for.
pub fn risk(path: &[u8]) -> Option<Risk> {
    let names: Vec<String> = components(path).map(plain).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fits = |patterns: &str| patterns.split(' ').any(|pattern| fits(pattern, &names));
    RISKS
        .iter()
        .find(|(_, patterns)| fits(patterns))
        .map(|(risk, _)| *risk)
}

/// Tells whether a pattern fits a path's plain names at some depth.
fn fits(pattern: &str, names: &[&str]) -> bool {
    let (pattern, is_folder) = match pattern.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (pattern, false),
    };
    let wanted: Vec<&str> = pattern.split('/').collect();
    let whole = names.windows(wanted.len()).enumerate().any(|(at, window)| {
        (is_folder || at + wanted.len() == names.len())
            && wanted
                .iter()
                .zip(window)
                .all(|(wanted, name)| fits_name(wanted, name))
    });
    // A file or a link in the place of a folder that such a path begins with, such as a link called `.vscode`: whoever
    // follows it finds the rest behind it.
    whole || (wanted.len() > 1 && wanted[0].starts_with('.') && names.last() == Some(&wanted[0]))
}

fn fits_name(wanted: &str, name: &str) -> bool {
    if let Some(end) = wanted.strip_prefix('*') {
        name.ends_with(end)
    } else if let Some(begin) = wanted.strip_suffix('*') {
        name.starts_with(begin)
    } else {
        wanted == name
    }
}

/// One changed path as it would land. A renamed file is one of its new path; its old one needs no answer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The path, its later one.
    pub path: &'a [u8],
    /// Git's mode of what was at this path; absent for a path that is new.
    pub old_mode: Option<u32>,
    /// Git's mode of what shall be there; absent for a deleted file.
    pub new_mode: Option<u32>,
    /// The text of the link, where it becomes one; without it a link is refused.
    pub link: Option<&'a [u8]>,
}

/// What a path can run into: facts about the trees around the changed paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// New paths that some file system takes for another path.
    colliding: HashSet<Vec<u8>>,
    /// Links of the working tree, behind which nothing lands.
    links: HashSet<Vec<u8>>,
}

impl Facts {
    /// Compares the new paths with all that will be there: the paths of the result and of the present tree, those apart
    /// that the change deletes. A path that is in the present tree already collides with nothing, or it could not be there.
    pub fn of<'a>(candidates: &[Candidate<'a>], trees: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let deleted: HashSet<&[u8]> = candidates
            .iter()
            .filter(|candidate| candidate.new_mode.is_none())
            .map(|candidate| candidate.path)
            .collect();
        let new: Vec<&[u8]> = candidates
            .iter()
            .filter(|candidate| candidate.old_mode.is_none() && candidate.new_mode.is_some())
            .map(|candidate| candidate.path)
            .collect();
        if new.is_empty() {
            return Self::default();
        }
        let mut spellings: HashMap<Vec<u8>, HashSet<&[u8]>> = HashMap::new();
        for prefix in new.iter().flat_map(|path| prefixes(path)) {
            spellings.entry(fold(prefix)).or_default().insert(prefix);
        }
        // Only what has the letters of a new path is kept, so a large tree costs time and no memory.
        let mut last_folder: &[u8] = b"";
        for path in trees {
            if deleted.contains(path) {
                continue;
            }
            let folder = folder_of(path);
            let same_folder = folder == last_folder;
            last_folder = folder;
            let parts = prefixes(path).filter(|prefix| !same_folder || prefix.len() > folder.len());
            for prefix in parts {
                if let Some(known) = spellings.get_mut(&fold(prefix)) {
                    known.insert(prefix);
                }
            }
        }
        let collides = |prefix: &[u8]| spellings.get(&fold(prefix)).is_some_and(|known| known.len() > 1);
        let colliding = new
            .into_iter()
            .filter(|path| prefixes(path).any(collides))
            .map(<[u8]>::to_vec)
            .collect();
        Self {
            colliding,
            links: HashSet::new(),
        }
    }

    /// Adds links of the working tree that stay where they are.
    #[must_use]
    pub fn with_links(mut self, links: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.links.extend(links);
        self
    }
}

/// Says why a changed path can never land, if it cannot.
pub fn refused(candidate: &Candidate<'_>, facts: &Facts) -> Option<Refused> {
    let Candidate { path, link, .. } = *candidate;
    let is = |wanted| candidate.new_mode == Some(wanted) || candidate.old_mode == Some(wanted);
    if components(path).any(is_git_directory) {
        Some(Refused::GitDirectory)
    } else if is(MODE_GITLINK) {
        Some(Refused::Gitlink)
    } else if is_no_path(path)
        || (candidate.new_mode == Some(MODE_LINK) && link.is_none_or(|link| leads_out(path, link)))
    {
        Some(Refused::SymlinkOutside)
    } else if prefixes(path).any(|prefix| prefix.len() < path.len() && facts.links.contains(prefix)) {
        Some(Refused::BehindSymlink)
    } else if facts.colliding.contains(path) {
        Some(Refused::Collision)
    } else {
        None
    }
}

/// Tells whether a path is none below the top of a tree. Git lets no such path into a tree, so this is a second lock.
fn is_no_path(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|name| matches!(name, b"" | b"."))
        || components(path).any(|name| name == b"..")
}

/// Tells whether the text of a link at `path` is absolute, names nothing, leads above the top of the working tree or into
/// a git directory.
///
/// A `..` behind a name is taken for a way out: what the name means is only known where the link is followed, and it may
/// be another link. What a name in the text leads to is not looked at: a link that is there already is its owner's.
fn leads_out(path: &[u8], link: &[u8]) -> bool {
    let below_top = path.split(|byte| *byte == b'/').count() - 1;
    let is_absolute = link.first().is_none_or(|byte| is_separator(*byte)) || link.get(1) == Some(&b':');
    let (mut up, mut named) = (0, false);
    for name in components(link) {
        match name {
            b"" | b"." => {}
            b".." if named => return true,
            b".." => up += 1,
            _ => named = true,
        }
    }
    is_absolute || up > below_top || components(link).any(is_git_directory) || link.contains(&0)
}

/// Tells whether some file system takes a name for `.git`: in any case, with what HFS+ does not see, with the dots, blanks
/// and streams that NTFS drops, or as its short name there.
fn is_git_directory(name: &[u8]) -> bool {
    let name = plain(name);
    let short = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    name == ".git" || name.strip_prefix("git~").is_some_and(short)
}

/// Returns a name as the most careless file system sees it: in one case, without what cannot be seen, without streams and
/// without dots and blanks at its end.
fn plain(name: &[u8]) -> String {
    let folded = String::from_utf8_lossy(&fold(name)).into_owned();
    let whole = folded.split(':').next().unwrap_or_default();
    // A name of nothing but dots stays, it is no file's.
    whole.trim_end_matches([' ', '.']).to_owned()
}

/// Writes a path in one case and one form of its letters. Bytes that are no text stay as they are.
fn fold(path: &[u8]) -> Vec<u8> {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    let mut folded = Vec::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        // Upper case first: letters such as the sharp s and the long s meet their plain forms only there.
        let text: String = chunk
            .valid()
            .nfd()
            .filter(|letter| !is_unseen(*letter))
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .nfc()
            .collect();
        folded.extend_from_slice(text.as_bytes());
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}

/// Tells whether HFS+ ignores a letter in a name.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// A backslash separates names where the tree may travel to.
fn is_separator(byte: u8) -> bool {
    byte == b'/' || byte == b'\\'
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| is_separator(*byte))
}

/// Returns the folders on the way to a path, from the top down, and the path itself.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}

fn folder_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_runs_or_instructs_something_is_a_risk_in_any_case_at_any_depth() {
        let check =
            |path: &str, expected: Option<Risk>| assert_eq!(risk(path.as_bytes()), expected, "{path}");
        check(".githooks/pre-commit", Some(Risk::Hook));
        check("sub/.Husky/_/x", Some(Risk::Hook));
        check(".pre-commit-config.yaml", Some(Risk::Hook));
        check("lefthook.yml", Some(Risk::Hook));
        check(".github/workflows/ci.yml", Some(Risk::Ci));
        check("sub/.GitHub/Workflows/ci.yml", Some(Risk::Ci));
        check(".github/actions/a/action.yml", Some(Risk::Ci));
        check(".github/ISSUE_TEMPLATE.md", None);
        check(".github", Some(Risk::Ci));
        check(".gitlab-ci.yml", Some(Risk::Ci));
        check(".circleci/config.yml", Some(Risk::Ci));
        check("Jenkinsfile", Some(Risk::Ci));
        check("azure-pipelines-release.yml", Some(Risk::Ci));
        check(".drone.yml", Some(Risk::Ci));
        check(".travis.yml", Some(Risk::Ci));
        check(".buildkite/pipeline.yml", Some(Risk::Ci));
        check(".mcp.json", Some(Risk::Agent));
        check(".claude", Some(Risk::Agent));
        check(".claude/settings.json", Some(Risk::Agent));
        check("docs/AGENTS.md", Some(Risk::Agent));
        check("agents.md", Some(Risk::Agent));
        check("CLAUDE.md. ", Some(Risk::Agent));
        check("CLA\u{200c}UDE.md", Some(Risk::Agent));
        check("GEMINI.md", Some(Risk::Agent));
        check(".github/copilot-instructions.md", Some(Risk::Agent));
        check(".crosscheck/config.toml", Some(Risk::Agent));
        check(".vscode/mcp.json", Some(Risk::Agent));
        check(".gitattributes", Some(Risk::Attributes));
        check("a\\.gitattributes", Some(Risk::Attributes));
        check(".gitmodules", Some(Risk::Attributes));
        check(".gitignore", None);
        check(".vscode/tasks.json", Some(Risk::Autorun));
        check(".vscode/snippets.json", None);
        check(".envrc", Some(Risk::Autorun));
        check(".devcontainer/devcontainer.json", Some(Risk::Autorun));
        check(".idea/runConfigurations/a.xml", Some(Risk::Autorun));
        check("src/hooks/useThing.ts", None);
        check("hooks/hooks.json", Some(Risk::Agent));
        check("src/claude.rs", None);
        check("my.claude/x", None);
        check("", None);
    }

    #[test]
    fn a_git_directory_is_known_in_every_spelling() {
        let check = |path: &str, expected: bool| {
            let candidate = added(path.as_bytes());
            let found = refused(&candidate, &Facts::default()) == Some(Refused::GitDirectory);
            assert_eq!(found, expected, "{path}");
        };
        check(".git/config", true);
        check("sub/.git", true);
        check(".GIT/hooks/pre-commit", true);
        check("git~1/config", true);
        check("GIT~27/config", true);
        check(".git./config", true);
        check(".git  . /config", true);
        check(".git::$INDEX_ALLOCATION/config", true);
        check(".git:stream", true);
        check(".g\u{200c}it/config", true);
        check("\u{feff}.git/config", true);
        check(".git\u{202e}/config", true);
        check("a\\.git\\config", true);
        check(".gitignore", false);
        check(".github/x", false);
        check("git/config", false);
        check("git~x", false);
        check("x.git/config", false);
    }

    #[test]
    fn a_link_stays_inside_or_does_not_land() {
        let check = |path: &str, link: &str, expected: bool| {
            let candidate = Candidate {
                new_mode: Some(MODE_LINK),
                link: Some(link.as_bytes()),
                ..added(path.as_bytes())
            };
            let found = refused(&candidate, &Facts::default()) == Some(Refused::SymlinkOutside);
            assert_eq!(found, expected, "{path} -> {link}");
        };
        check("a", "b", false);
        check("a", "./b/c", false);
        check("d/a", "../b", false);
        check("d/e/a", "../../b", false);
        check("a", "..", true);
        check("a", "../x", true);
        check("d/a", "../../x", true);
        check("d/a", "..", false);
        check("a", "/etc/passwd", true);
        check("a", "\\\\server\\x", true);
        check("a", "C:/x", true);
        check("a", "b/../../x", true);
        check("d/e/a", "b/../x", true);
        check("a", ".git/config", true);
        check("d/a", "../.GIT", true);
        check("a", "", true);
        check("a", "..\\x", true);
    }

    #[test]
    fn a_gitlink_and_a_link_of_unknown_text_are_refused() {
        let gitlink = Candidate {
            new_mode: Some(MODE_GITLINK),
            ..added(b"lib")
        };
        assert_eq!(refused(&gitlink, &Facts::default()), Some(Refused::Gitlink));
        let gone = Candidate {
            old_mode: Some(MODE_GITLINK),
            new_mode: None,
            ..added(b"lib")
        };
        assert_eq!(refused(&gone, &Facts::default()), Some(Refused::Gitlink));
        let unknown = Candidate {
            new_mode: Some(MODE_LINK),
            ..added(b"x")
        };
        assert_eq!(
            refused(&unknown, &Facts::default()),
            Some(Refused::SymlinkOutside)
        );
        assert_eq!(
            refused(&added(b"a/../../x"), &Facts::default()),
            Some(Refused::SymlinkOutside)
        );
    }

    #[test]
    fn nothing_lands_behind_a_link() {
        let facts = Facts::default().with_links([b"d".to_vec()]);
        let check =
            |path: &str, expected| assert_eq!(refused(&added(path.as_bytes()), &facts), expected, "{path}");
        check("d/x", Some(Refused::BehindSymlink));
        check("d/e/x", Some(Refused::BehindSymlink));
        check("d", None);
        check("dd/x", None);
    }

    #[test]
    fn paths_that_some_file_system_takes_for_one_are_refused() {
        let check = |new: &[&str], there: &[&str], expected: &[bool]| {
            let candidates: Vec<Candidate<'_>> = new.iter().map(|path| added(path.as_bytes())).collect();
            let all = new.iter().chain(there).map(|path| path.as_bytes());
            let facts = Facts::of(&candidates, all);
            let found: Vec<bool> = candidates
                .iter()
                .map(|candidate| refused(candidate, &facts) == Some(Refused::Collision))
                .collect();
            assert_eq!(found, expected, "{new:?} beside {there:?}");
        };
        check(&["readme"], &["README"], &[true]);
        check(&["readme"], &["readme.md"], &[false]);
        check(&["a/x", "A/y"], &[], &[true, true]);
        check(&["a/x"], &["A"], &[true]);
        check(&["A"], &["a/x"], &[true]);
        check(&["a/x"], &["a/y"], &[false]);
        check(&["stra\u{df}e"], &["STRASSE"], &[true]);
        check(&["caf\u{e9}"], &["cafe\u{301}"], &[true]);
        check(&["\u{c9}"], &["e\u{301}"], &[true]);
        check(&["b/x"], &["B/c", "B/d", "e"], &[true]);
    }

    #[test]
    fn a_path_that_only_changes_its_case_meets_itself_and_nothing_else() {
        let gone = Candidate {
            path: b"Readme",
            old_mode: Some(0o100_644),
            new_mode: None,
            link: None,
        };
        let candidates = [gone, added(b"README")];
        let facts = Facts::of(&candidates, [b"Readme".as_slice(), b"README"]);
        assert_eq!(refused(&candidates[1], &facts), None);
        let changed = Candidate {
            old_mode: Some(0o100_644),
            ..added(b"readme")
        };
        let facts = Facts::of(&[changed], [b"readme".as_slice(), b"README"]);
        assert_eq!(refused(&changed, &facts), None, "both are there already");
    }

    fn added(path: &[u8]) -> Candidate<'_> {
        Candidate {
            path,
            old_mode: None,
            new_mode: Some(0o100_644),
            link: None,
        }
    }

    /// Follows a link's text as the kernel does where no name on the way is a link.
    fn ends_outside(path: &str, link: &str) -> bool {
        let mut place: Vec<&str> = path.split('/').collect();
        place.pop();
        for name in link.split('/') {
            match name {
                "" | "." => {}
                ".." => {
                    if place.pop().is_none() {
                        return true;
                    }
                }
                name => place.push(name),
            }
        }
        false
    }

    proptest! {
        #[test]
        fn no_link_that_is_let_through_leads_out(path in "[ab]{1,2}(/[ab]{1,2}){0,3}", link in "[./a]{1,12}") {
            let candidate = Candidate { new_mode: Some(MODE_LINK), link: Some(link.as_bytes()), ..added(path.as_bytes()) };
            if refused(&candidate, &Facts::default()).is_none() {
                prop_assert!(!link.starts_with('/'));
                prop_assert!(!ends_outside(&path, &link));
            }
        }

        #[test]
        fn letters_do_not_hide_a_git_directory(upper in prop::collection::vec(any::<bool>(), 4), end in "[. ]{0,4}", before in "([a-z]{1,3}/){0,2}") {
            let name: String = ".git".chars().zip(upper)
                .map(|(letter, upper)| if upper { letter.to_ascii_uppercase() } else { letter }).collect();
            let path = format!("{before}{name}{end}/config");
            prop_assert_eq!(refused(&added(path.as_bytes()), &Facts::default()), Some(Refused::GitDirectory));
        }

        #[test]
        fn two_new_paths_that_fold_alike_are_both_refused(path in "[a-c]{1,3}(/[a-c]{1,3}){0,2}", at in any::<prop::sample::Index>()) {
            let mut other = path.clone().into_bytes();
            let letters: Vec<usize> = (0..other.len()).filter(|at| other[*at] != b'/').collect();
            let at = letters[at.index(letters.len())];
            other[at] = other[at].to_ascii_uppercase();
            let candidates = [added(path.as_bytes()), added(&other)];
            let facts = Facts::of(&candidates, [path.as_bytes(), &other]);
            for candidate in &candidates {
                prop_assert_eq!(refused(candidate, &facts), Some(Refused::Collision));
            }
        }

        #[test]
        fn any_bytes_are_judged_without_a_panic(path in prop::collection::vec(any::<u8>(), 0..40), link in prop::collection::vec(any::<u8>(), 0..20)) {
            let candidate = Candidate { new_mode: Some(MODE_LINK), link: Some(&link), ..added(&path) };
            let _ = (risk(&path), refused(&candidate, &Facts::of(&[candidate], [path.as_slice()])));
        }

        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,12}") {
            let once = fold(text.as_bytes());
            prop_assert_eq!(fold(&once), once.clone());
        }
    }
}
