//! A repository, as seen from one directory of its working tree.

use crate::domain::scope::Revision;
use crate::git::belonging::{leads_elsewhere, linked_git_directory, read_file, too_large};
use crate::git::command::{Command, Output, QUERY, failure, path_line};
use crate::git::{Environment, Git, GitError, RevisionRole};
use std::path::{Path, PathBuf};

/// An object id in lower-case hexadecimal, 40 or 64 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(String);

/// How a repository names its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFormat {
    /// 40 digits.
    Sha1,
    /// 64 digits.
    Sha256,
}

/// Where `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a branch without a commit.
    Unborn {
        /// The branch's short name, when it can be read.
        branch: Option<String>,
    },
    /// On a commit.
    Born {
        /// The commit.
        oid: Oid,
        /// The branch's short name; nothing when `HEAD` is detached.
        branch: Option<String>,
    },
}

/// A repository with a working tree.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(super) git: Git,
    pub(super) directory: PathBuf,
    pub(super) top_level: PathBuf,
    pub(super) git_directory: PathBuf,
    pub(super) common_directory: PathBuf,
    pub(super) object_format: ObjectFormat,
    pub(super) head: Head,
    /// Environment of the few commands that see the repository's own configuration.
    own_environment: Environment,
}

/// Facts asked for in one call, in this order. The last three are paths and may hold a line feed.
const FACTS: [&str; 6] = [
    "--is-bare-repository",
    "--is-inside-work-tree",
    "--show-object-format",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-toplevel",
];

impl Git {
    /// Finds the repository of a directory. Sub-directories and linked worktrees are fine; a bare repository, one of
    /// another user, and one whose working tree is not where its `.git` lies are refused.
    pub fn discover(&self, directory: &Path) -> Result<Repository, GitError> {
        let directory = directory
            .canonicalize()
            .map_err(GitError::file("read", directory))?;
        if let Some(path) = too_large(&directory) {
            return Err(GitError::file("read", path)(
                std::io::ErrorKind::FileTooLarge.into(),
            ));
        }
        let environment = own_environment(self.environment());
        let rev_parse = |facts: &[&str]| {
            Command::new(self.program(), "rev-parse", &directory, &environment)
                .args(["--path-format=absolute"])
                .args(facts)
                .run(&QUERY)
        };
        let output = rev_parse(&FACTS)?;
        let lines: Vec<&[u8]> = output.stdout.split(|&byte| byte == b'\n').collect();
        match (lines.first().copied(), lines.get(1).copied()) {
            (Some(b"true"), _) => return Err(GitError::Bare { directory }),
            (Some(b"false"), Some(b"false")) => return Err(GitError::NoWorkingTree { directory }),
            _ => {}
        }
        if !output.is_success() {
            return Err(refusal(directory, &output));
        }
        let object_format = match lines.get(2).copied() {
            Some(b"sha1") => ObjectFormat::Sha1,
            Some(b"sha256") => ObjectFormat::Sha256,
            _ => return Err(GitError::Output { command: "rev-parse" }),
        };
        // Six facts end in six line feeds. More of them mean that a path holds one; then each path is asked for alone.
        let [git_directory, common_directory, top_level] = if lines.len() == FACTS.len() + 1 {
            [3, 4, 5].map(|at| path_line(lines[at]))
        } else {
            let mut paths = [PathBuf::new(), PathBuf::new(), PathBuf::new()];
            for (path, fact) in paths.iter_mut().zip(&FACTS[3..]) {
                *path = path_line(&rev_parse(&[fact])?.stdout);
            }
            paths
        };
        let canonical = |path: PathBuf| path.canonicalize().map_err(GitError::file("read", path));
        let mut repository = Repository {
            git: self.clone(),
            git_directory: canonical(git_directory)?,
            common_directory: canonical(common_directory)?,
            top_level: canonical(top_level)?,
            object_format,
            head: Head::Unborn { branch: None },
            directory: directory.clone(),
            own_environment: environment.clone(),
        };
        // A repository may claim any folder as its working tree (`core.worktree`), such as a home directory. Only one
        // that holds its `.git` is believed.
        if linked_git_directory(&repository.top_level) != Some(repository.git_directory.clone()) {
            return Err(GitError::NoWorkingTree {
                directory: repository.directory,
            });
        }
        let elsewhere = leads_elsewhere(
            &repository.top_level,
            &repository.git_directory,
            &repository.common_directory,
            || repository.says_where_its_files_are(),
        );
        if let Some(what) = elsewhere {
            return Err(GitError::LeadsElsewhere { directory, what });
        }
        repository.head = repository.read_head()?;
        Ok(repository)
    }
}

/// Returns the environment of the few commands that see the repository's own configuration.
fn own_environment(environment: &Environment) -> Environment {
    environment.with([
        ("GIT_CONFIG_COUNT", "2".into()),
        ("GIT_CONFIG_KEY_0", "core.hooksPath".into()),
        ("GIT_CONFIG_VALUE_0", "/dev/null".into()),
        ("GIT_CONFIG_KEY_1", "core.fsmonitor".into()),
        ("GIT_CONFIG_VALUE_1", "false".into()),
    ])
}

/// Tells why git does not take a directory for a repository. The words are those of git 2.39.5 and 2.47.3 in English.
fn refusal(directory: PathBuf, output: &Output) -> GitError {
    let says = |words: &str| {
        output
            .stderr
            .split(|&byte| byte == b'\n')
            .any(|line| line.starts_with(words.as_bytes()))
    };
    if says("fatal: not a git repository") || says("fatal: invalid gitfile format") {
        GitError::NotARepository { directory }
    } else if says("fatal: detected dubious ownership") || says("fatal: unsafe repository") {
        GitError::NotOwned { directory }
    } else if says("fatal: cannot use bare repository") {
        GitError::Bare { directory }
    } else {
        failure("rev-parse", output)
    }
}

impl Repository {
    /// Returns the directory it was found from, without symlinks.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the top of the working tree.
    pub fn top_level(&self) -> &Path {
        &self.top_level
    }

    /// Returns the git directory; that of a linked worktree is its own.
    pub fn git_directory(&self) -> &Path {
        &self.git_directory
    }

    /// Returns the git directory that all worktrees share.
    pub fn common_directory(&self) -> &Path {
        &self.common_directory
    }

    /// Returns how objects are named.
    pub fn object_format(&self) -> ObjectFormat {
        self.object_format
    }

    /// Returns where `HEAD` was when the repository was found.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the commit that a revision names.
    pub fn resolve(&self, revision: &Revision) -> Result<Oid, GitError> {
        self.resolve_as(revision, RevisionRole::Revision)
    }

    /// Returns the commit, or the error that says which revision is meant.
    pub(super) fn resolve_as(&self, revision: &Revision, role: RevisionRole) -> Result<Oid, GitError> {
        let commit = format!("{}^{{commit}}", revision.as_str());
        let output = self
            .own("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", &commit])
            .run(&QUERY)?;
        let line = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
        std::str::from_utf8(line)
            .ok()
            .filter(|_| output.is_success())
            .and_then(Oid::parse)
            .ok_or(GitError::InvalidRevision { role })
    }

    /// Makes one of the few commands that see the repository's own configuration.
    pub(super) fn own(&self, name: &'static str) -> Command<'_> {
        Command::new(self.git.program(), name, &self.top_level, &self.own_environment)
    }

    /// Tells whether the git directory's configuration names a working tree; git has found that one then.
    fn says_where_its_files_are(&self) -> bool {
        let asked = self.own("config").args(["--local", "--get", "core.worktree"]);
        asked.run(&QUERY).is_ok_and(|output| output.is_success())
    }

    fn read_head(&self) -> Result<Head, GitError> {
        let output = self
            .own("rev-parse")
            .args(["HEAD^{commit}", "--symbolic-full-name", "HEAD", "--"])
            .run(&QUERY)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        if output.is_success() {
            let oid = lines.next().and_then(Oid::parse);
            let oid = oid.ok_or(GitError::Output { command: "rev-parse" })?;
            let branch = lines.next().and_then(|name| name.strip_prefix("refs/heads/"));
            return Ok(Head::Born {
                oid,
                branch: branch.map(str::to_owned),
            });
        }
        // `HEAD` names a commit that is not there, or a branch that has none.
        let named = self
            .own("rev-parse")
            .args(["--verify", "--quiet", "HEAD"])
            .run(&QUERY)?;
        if named.is_success() {
            return Err(GitError::MissingObjects { partial_clone: false });
        }
        let file = read_file(&self.git_directory.join("HEAD")).unwrap_or_default();
        let branch = file
            .strip_prefix(b"ref: refs/heads/")
            .map(|name| String::from_utf8_lossy(name).trim_end().to_owned())
            // Repositories with a table of refs keep this name here.
            .filter(|name| name != ".invalid");
        Ok(Head::Unborn { branch })
    }
}

impl ObjectFormat {
    /// Returns the id of the tree without entries, which git knows without storing it.
    pub(super) fn empty_tree(self) -> &'static str {
        match self {
            Self::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            Self::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        }
    }
}

impl Oid {
    /// Reads 40 or 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (is_hex && matches!(text.len(), 40 | 64)).then(|| Self(text.to_owned()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first ten digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl std::fmt::Display for Oid {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}
