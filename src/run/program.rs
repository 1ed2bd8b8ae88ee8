//! Finds the peer's program and its version.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use semver::Version;

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::peer::{places, support};
use crate::state::cache;
use crate::state::store::Store;
use crate::sys::process::{Ended, Invocation, run_captured};

/// How long the version of an unchanged file is believed.
const VERSION_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Bytes that a version may print.
const VERSION_BYTES: usize = 64 * 1024;

/// The peer as it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Which peer it is.
    pub peer: Peer,
    /// The native program.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Changes when the file is replaced.
    pub identity: String,
}

impl Program {
    /// Finds the program and asks for its version, unless the same file was asked before.
    pub async fn find(
        peer: Peer,
        config: &Config,
        environment: &Environment,
        store: &Store,
    ) -> Result<Self, Fault> {
        let found = match find_path(peer, config, environment) {
            Ok(path) => Self::at(peer, path, config, environment, store).await,
            Err(fault) => Err(fault),
        };
        found.map_err(|fault| fault.about(peer))
    }

    /// Asks the program at this path for its version, unless the same file was asked before.
    pub async fn at(
        peer: Peer,
        path: PathBuf,
        config: &Config,
        environment: &Environment,
        store: &Store,
    ) -> Result<Self, Fault> {
        let identity = identity(&path);
        let key = format!("version {identity}");
        if let Some(text) = cache::read::<String>(store, &key, VERSION_AGE)
            && let Ok(version) = Version::parse(&text)
        {
            return Ok(Self {
                peer,
                path,
                version,
                identity,
            });
        }
        let version = ask_version(peer, &path, config, environment, store).await?;
        cache::write(store, &key, version.to_string());
        Ok(Self {
            peer,
            path,
            version,
            identity,
        })
    }

    /// Makes the invocation of this program.
    pub fn invocation(
        &self,
        arguments: Vec<std::ffi::OsString>,
        directory: &Path,
        config: &Config,
        environment: &Environment,
    ) -> Invocation {
        Invocation {
            program: self.path.clone(),
            arguments,
            directory: directory.to_owned(),
            environment: peer_environment(self.peer, config, environment),
        }
    }
}

/// Returns what a peer may see of the environment, with what every process of it gets from us.
pub fn peer_environment(peer: Peer, config: &Config, environment: &Environment) -> Environment {
    let seen = environment.for_peer(peer.own_variables(), &config.env_pass.value);
    peer.pinned_variables()
        .fold(seen, |seen, (name, value)| seen.with(name, value))
}

async fn ask_version(
    peer: Peer,
    path: &Path,
    config: &Config,
    environment: &Environment,
    store: &Store,
) -> Result<Version, Fault> {
    // Even this leaves files in codex's home (seen with codex-cli 0.169.0), and a look must leave none in the user's.
    let home = store.folder("version-home")?;
    let invocation = Invocation {
        program: path.to_owned(),
        arguments: vec!["--version".into()],
        directory: "/".into(),
        environment: peer_environment(peer, config, environment).with(peer.home_variable(), home),
    };
    let captured = run_captured(&invocation, b"", limits::PROBE_TIMEOUT, VERSION_BYTES)
        .await
        .map_err(|error| Fault::new(FaultCode::PeerNotFound, format!("{error}")))?;
    if captured.ended != Ended::Exited(0) {
        return Err(Fault::new(
            FaultCode::PeerNotFound,
            format!(
                "`{}` does not run: it ended without telling its version",
                path.display()
            ),
        ));
    }
    support::parse_version(&String::from_utf8_lossy(&captured.stdout)).ok_or_else(|| {
        Fault::new(
            FaultCode::PeerNotFound,
            format!("`{}` is not {peer}: it tells no version", path.display()),
        )
    })
}

/// Finds the program without starting it.
pub fn find_path(peer: Peer, config: &Config, environment: &Environment) -> Result<PathBuf, Fault> {
    let setting = config.program_of(peer);
    if let Some(named) = &setting.value {
        return if is_program(named) {
            Ok(native(peer, named))
        } else {
            let message = format!(
                "`{}`, set by {}, is not a program",
                named.display(),
                setting.origin
            );
            Err(Fault::new(FaultCode::PeerNotFound, message).hint(format!(
                "correct or remove that setting ({}); without it the program is looked for",
                setting.origin
            )))
        };
    }
    let mut places = peer.candidates(environment);
    for folder in places::version_folders(environment) {
        let mut versions: Vec<PathBuf> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        places.extend(
            versions
                .into_iter()
                .map(|version| version.join("bin").join(peer.program())),
        );
    }
    places
        .iter()
        .find(|place| is_program(place))
        .map(|place| native(peer, place))
        .ok_or_else(|| {
            Fault::new(
                FaultCode::PeerNotFound,
                format!("the {peer} program is not on PATH nor in the usual places"),
            )
        })
}

/// Prefers the native program behind a script of a package manager.
fn native(peer: Peer, path: &Path) -> PathBuf {
    let Ok(real) = path.canonicalize() else {
        return path.to_owned();
    };
    let candidates = peer.native_candidates(&real);
    candidates
        .into_iter()
        .find(|candidate| is_program(candidate))
        .unwrap_or(real)
}

fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn identity(path: &Path) -> String {
    match fs::metadata(path) {
        Ok(about) => format!(
            "{} {} {} {}.{}",
            path.display(),
            about.ino(),
            about.len(),
            about.mtime(),
            about.mtime_nsec()
        ),
        Err(_) => path.display().to_string(),
    }
}
