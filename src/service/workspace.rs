//! Which folder a call is about, and whether it may be read.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::WorkspaceHash;
use crate::service::context::Service;
use crate::service::guidance::project_root;

/// Folders that hold everybody's things; reading one whole is never what somebody wants. What is in them may be fine.
const SHARED: [&str; 22] = [
    "/",
    "/Applications",
    "/Users",
    "/Volumes",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/private",
    "/private/tmp",
    "/private/var",
    "/root",
    "/run",
    "/run/user",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/src",
    "/var",
    "/var/tmp",
    "/dev/shm",
];

/// Folders of the system with all that is in them: no project of anybody's lives there.
const SYSTEM: [&str; 17] = [
    "/Library",
    "/System",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
    "/usr/share",
    "/var/lib",
];

/// Folders inside of those in which people do keep projects.
const EXCEPTED: [&str; 1] = ["/dev/shm"];

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
        if !roots.is_empty() && !is_below_one_of(&root, roots) {
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

    /// Tells whether it is one of these folders or below one. A folder that does not exist admits nothing.
    pub fn is_below_one_of(&self, roots: &[PathBuf]) -> bool {
        is_below_one_of(&self.root, roots)
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

fn is_below_one_of(folder: &Path, roots: &[PathBuf]) -> bool {
    roots
        .iter()
        .any(|root| root.canonicalize().is_ok_and(|root| folder.starts_with(root)))
}

/// Says why a canonical path must not be read whole. The folders that it is compared with may be links themselves, as
/// `/bin` is one to `/usr/bin` on most systems and `/tmp` to `/private/tmp` on macOS.
fn danger(root: &Path, service: &Service) -> Option<&'static str> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_or_real = |path: &Path, is: &dyn Fn(&Path) -> bool| is(path) || is(&real(path));
    let environment = service.environment();
    let home = environment.path("HOME").map(|home| real(&home));
    let temp = environment.path("TMPDIR").map(|temp| real(&temp));
    let is_shared = SHARED
        .iter()
        .any(|folder| is_or_real(Path::new(folder), &|folder| folder == root));
    let in_system = SYSTEM
        .iter()
        .any(|folder| is_or_real(Path::new(folder), &|folder| root.starts_with(folder)));
    let is_excepted = EXCEPTED
        .iter()
        .any(|folder| is_or_real(Path::new(folder), &|folder| root.starts_with(folder)));
    if home.as_deref() == Some(root) {
        Some("the home folder itself")
    } else if temp.as_deref() == Some(root) {
        Some("the temporary folder itself")
    } else if is_shared || (in_system && !is_excepted) {
        Some("a system folder")
    } else if home.is_some_and(|home| home.starts_with(root)) {
        Some("a folder around the home folder")
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
        let root = dir.path().canonicalize().unwrap();
        let (home, temp) = (root.join("people/me"), root.join("temp"));
        for folder in ["people/me/project", "temp/project", "link"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let link = |name: &str, to: &Path| {
            std::os::unix::fs::symlink(to, root.join("link").join(name)).unwrap();
            root.join("link").join(name)
        };
        let config = Config::layered(None, &Environment::default()).unwrap();
        let environment = Environment::default()
            .with("HOME", link("home", &home))
            .with("TMPDIR", link("temp", &temp));
        let service = service(environment, Path::new("/"));
        let refused = |path: &Path| {
            let workspace = Workspace::resolve(&service, Some(path), &config).unwrap();
            workspace.readable().err().map(|fault| fault.code)
        };
        let dangerous = [
            PathBuf::from("/"),
            home.clone(),
            root.join("link/home"),
            root.join("people"),
            root.join("people/me/project/../../me"),
            temp.clone(),
            root.join("link/temp"),
            PathBuf::from("/etc"),
            PathBuf::from("/bin"),
            PathBuf::from("/usr/bin"),
            PathBuf::from("/usr"),
            PathBuf::from("/tmp"),
            PathBuf::from("/var/tmp"),
            PathBuf::from("/dev"),
            PathBuf::from("/proc/self"),
            PathBuf::from("/proc/self/cwd/../../../../../.."),
            link("system", Path::new("/etc")),
            link("everything", Path::new("/")),
        ];
        for path in dangerous {
            assert_eq!(
                refused(&path),
                Some(FaultCode::DangerousRoot),
                "{}",
                path.display()
            );
        }
        for path in [home.join("project"), temp.join("project"), root.join("link")] {
            assert_eq!(refused(&path), None, "{}", path.display());
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
