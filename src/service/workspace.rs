//! Which folder a call is about, and whether it may be read.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::WorkspaceHash;
use crate::service::context::Service;
use crate::service::guidance::project_root;

/// Folders that hold everybody's things; reading one whole is never what somebody wants.
const SYSTEM: [&str; 22] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc",
    "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/tmp", "/Users",
];

/// The folder of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its canonical path.
    pub root: PathBuf,
    /// Where it was taken from: `argument`, `project_dir` or `cwd`.
    pub source: &'static str,
    /// Why it must not be read whole, if it must not.
    pub danger: Option<&'static str>,
}

impl Workspace {
    /// Finds the folder: the argument, else the host's project, else where we were started.
    ///
    /// # Errors
    /// `invalid_workspace` when it does not exist, `policy_denied` when the configuration does not admit it.
    pub fn resolve(service: &Service, argument: Option<&Path>, config: &Config) -> Result<Self, Fault> {
        let (path, source) = match (argument, service.environment().path("CLAUDE_PROJECT_DIR")) {
            (Some(path), _) => (path.to_owned(), "argument"),
            (None, Some(path)) => (path, "project_dir"),
            (None, None) => (service.directory().to_owned(), "cwd"),
        };
        if !path.is_absolute() {
            return Err(
                Fault::new(FaultCode::InvalidWorkspace, "`workspace` is not an absolute path")
                    .field("workspace"),
            );
        }
        let root = path.canonicalize().map_err(|error| {
            let message = format!("the workspace (from {source}) cannot be opened: {}", error.kind());
            Fault::new(FaultCode::InvalidWorkspace, message).field("workspace")
        })?;
        if !root.is_dir() {
            let message = format!("the workspace (from {source}) is not a folder");
            return Err(Fault::new(FaultCode::InvalidWorkspace, message).field("workspace"));
        }
        let roots = &config.roots.value;
        let admitted = roots.is_empty()
            || roots.iter().any(|allowed| {
                allowed
                    .canonicalize()
                    .is_ok_and(|allowed| root.starts_with(allowed))
            });
        if !admitted {
            return Err(Fault::new(
                FaultCode::PolicyDenied,
                "the workspace is not below any folder of [policy] roots",
            )
            .field("workspace"));
        }
        let danger = danger(&root, service);
        Ok(Self { root, source, danger })
    }

    /// Returns the folder if it may be read whole.
    pub fn readable(&self) -> Result<&Path, Fault> {
        match self.danger {
            None => Ok(&self.root),
            Some(why) => Err(
                Fault::new(FaultCode::DangerousRoot, format!("the workspace is {why}")).field("workspace"),
            ),
        }
    }

    /// Returns the hash that the ids of its jobs carry: one for the whole repository, wherever in it a call is made.
    pub fn hash(&self) -> WorkspaceHash {
        let project = project_root(&self.root);
        WorkspaceHash::of(
            project
                .as_deref()
                .unwrap_or(&self.root)
                .as_os_str()
                .as_encoded_bytes(),
        )
    }
}

fn danger(root: &Path, service: &Service) -> Option<&'static str> {
    let environment = service.environment();
    let is = |path: Option<PathBuf>| {
        path.and_then(|path| path.canonicalize().ok())
            .is_some_and(|path| path == root)
    };
    if is(environment.path("HOME")) {
        Some("the home folder itself")
    } else if is(environment.path("TMPDIR")) {
        Some("the temporary folder itself")
    } else if SYSTEM.iter().any(|folder| Path::new(folder) == root) {
        Some("a system folder")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::Environment;

    fn service(environment: Environment, directory: &Path) -> Service {
        Service::new(
            "/bin/true".into(),
            environment,
            directory.to_owned(),
            String::new(),
        )
    }

    #[test]
    fn the_argument_comes_before_the_project_and_the_project_before_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        let config = Config::layered(None, &Environment::default()).unwrap();
        let plain = service(Environment::default(), &two);
        let hosted = service(Environment::default().with("CLAUDE_PROJECT_DIR", &one), &two);
        let source =
            |service: &Service, argument| Workspace::resolve(service, argument, &config).unwrap().source;
        assert_eq!(source(&plain, None), "cwd");
        assert_eq!(source(&hosted, None), "project_dir");
        assert_eq!(source(&hosted, Some(two.as_path())), "argument");
    }

    #[test]
    fn a_folder_of_everything_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::layered(None, &Environment::default()).unwrap();
        let service = service(Environment::default().with("HOME", dir.path()), Path::new("/"));
        for path in [Path::new("/"), dir.path(), Path::new("/etc")] {
            let workspace = Workspace::resolve(&service, Some(path), &config).unwrap();
            assert_eq!(workspace.readable().unwrap_err().code, FaultCode::DangerousRoot);
        }
    }

    #[test]
    fn roots_narrow_and_missing_folders_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("[policy]\nroots = [{:?}]", dir.path().join("in"));
        std::fs::create_dir_all(dir.path().join("in/deep")).unwrap();
        let config = Config::layered(Some(&text), &Environment::default()).unwrap();
        let service = service(Environment::default(), Path::new("/"));
        let code = |path: PathBuf| {
            Workspace::resolve(&service, Some(&path), &config)
                .map_err(|fault| fault.code)
                .err()
        };
        assert_eq!(code(dir.path().join("in/deep")), None);
        assert_eq!(code(dir.path().to_owned()), Some(FaultCode::PolicyDenied));
        assert_eq!(code(dir.path().join("absent")), Some(FaultCode::InvalidWorkspace));
    }
}
