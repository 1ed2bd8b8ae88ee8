//! The codex of the demo: the installed one, else the newest tested one, installed into the state directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::config::{Config, Origin, Setting};
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::peer::support::Support;
use crate::run::masking::mask;
use crate::run::program::Program;
use crate::service::call::Call;
use crate::service::context::Service;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;
use crate::sys::lock::HeldLock;
use crate::sys::process::{Ended, Invocation, run_captured};

/// The package that holds codex.
const PACKAGE: &str = "@openai/codex";
/// Begins the names of the homes in which a codex is asked for its version.
pub(super) const ASKING_PREFIX: &str = "ask-";
/// Time of npm, which fetches some hundred megabytes; and of waiting for another demo that installs.
const INSTALL_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// Time between two looks whether another demo has installed it.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Bytes that npm may print.
const OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// Characters kept of what npm said.
const SAID_CHARS: usize = 300;

/// The codex that the demo uses.
#[derive(Debug)]
pub(super) struct DemoCodex {
    /// The program.
    pub(super) program: Program,
    /// Whether it is the demo's own and not one that was installed before.
    pub(super) own: bool,
}

/// Finds a codex or installs one. `say` is told before anything takes long.
///
/// A program that the configuration names is used or refused: whoever named it wants to know.
pub(super) async fn find_or_install(
    service: &Service,
    config: &Config,
    store: &Store,
    call: &Call,
    say: &mut dyn FnMut(&str),
) -> Result<DemoCodex, Fault> {
    let environment = service.environment();
    // codex makes a home where there is none, and leaves a folder in it, even when it is asked for its version alone (seen
    // with 0.169.0). So it is asked with a home that goes away.
    let folder = store.folder("demo")?;
    let home = tempfile::Builder::new()
        .prefix(ASKING_PREFIX)
        .tempdir_in(&folder)
        .map_err(StateError::io("write", &folder))?;
    let asking = &environment.clone().with("CODEX_HOME", home.path());
    match Program::find(Peer::Codex, config, asking, store).await {
        Ok(program) => match Peer::Codex
            .tested()
            .support(&program.version, config.codex_versions.value.as_ref())
        {
            Support::Supported | Support::Untested => return Ok(DemoCodex { program, own: false }),
            Support::TooOld => say(&format!(
                "codex {} at {} is outside the supported range {}; the demo uses one of its own",
                program.version,
                program.path.display(),
                Peer::Codex.tested().range()
            )),
        },
        Err(fault) if fault.code == FaultCode::PeerNotFound && config.codex_bin.value.is_none() => {}
        Err(fault) => return Err(fault),
    }
    let folder = store.folder("demo/codex")?;
    let place = folder.join(Peer::Codex.newest().to_string());
    if !place.exists() {
        let _lock = wait_for_lock(&folder, call, say).await?;
        if !place.exists() {
            install(environment, &folder, &place, call, say).await?;
        }
    }
    let own = Config {
        codex_bin: Setting {
            value: Some(wrapper(&place)),
            origin: Origin::Default,
        },
        ..config.clone()
    };
    let program = Program::find(Peer::Codex, &own, asking, store)
        .await
        .map_err(|fault| {
            fault.hint(format!(
                "delete `{}` and run the demo again; it is installed anew",
                place.display()
            ))
        })?;
    Ok(DemoCodex { program, own: true })
}

/// Returns the package's script; the native program is found from it.
fn wrapper(place: &Path) -> PathBuf {
    place.join("node_modules").join(PACKAGE).join("bin/codex.js")
}

async fn wait_for_lock(folder: &Path, call: &Call, say: &mut dyn FnMut(&str)) -> Result<HeldLock, Fault> {
    let path = folder.join("lock");
    let mut told = false;
    let taken = tokio::time::timeout(INSTALL_DEADLINE, async {
        loop {
            if let Some(lock) = HeldLock::try_take(&path).map_err(StateError::io("lock", &path))? {
                return Ok(lock);
            }
            if !told {
                say("another demo is installing codex; waiting for it");
                told = true;
            }
            unless_cancelled(call, tokio::time::sleep(LOOK_EVERY)).await?;
        }
    });
    taken.await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultCode::TimedOut,
            "another demo has been installing codex for ten minutes",
        )
        .hint("end it, then run the demo again"))
    })
}

/// Installs beside the place and renames, so that the place is whole or absent. The caller holds the lock.
async fn install(
    environment: &Environment,
    folder: &Path,
    place: &Path,
    call: &Call,
    say: &mut dyn FnMut(&str),
) -> Result<(), Fault> {
    let npm = find_npm(environment).ok_or_else(|| {
        Fault::new(
            FaultCode::PeerNotFound,
            "codex is not installed, and npm, which would install it, is not on PATH",
        )
        .hint("install Node.js, which brings npm, and run the demo again")
    })?;
    let newest = Peer::Codex.newest();
    say(&format!(
        "installing codex {newest} with npm into {} (once; it needs the network and some hundred MB)",
        place.display()
    ));
    let draft = folder.join(".installing");
    // What an interrupted installation left. The lock says that nobody is at it.
    let _ = fs::remove_dir_all(&draft);
    files::create_private_dir(&draft).map_err(StateError::io("make", &draft))?;
    let manifest = json!({
        "name": "crosscheck-demo",
        "private": true,
        "description": "The codex of `crosscheck demo`.",
        "license": "MIT",
        "dependencies": {PACKAGE: Peer::Codex.newest().to_string()},
    });
    let path = draft.join("package.json");
    fs::write(&path, manifest.to_string()).map_err(StateError::io("write", &path))?;
    let arguments = [
        "install",
        "--no-package-lock",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ];
    let invocation = Invocation {
        program: npm,
        arguments: arguments.map(Into::into).to_vec(),
        directory: draft.clone(),
        // npm is the user's own program here: its configuration says where packages come from.
        environment: environment.clone(),
    };
    let running = run_captured(&invocation, b"", INSTALL_DEADLINE, OUTPUT_BYTES);
    let failed = |why: String| {
        Fault::new(
            FaultCode::PeerNotFound,
            format!("npm could not install {PACKAGE}@{newest}: {why}"),
        )
        .hint("check the network and npm's configuration, or install codex yourself, and run the demo again")
    };
    let captured = unless_cancelled(call, running)
        .await?
        .map_err(|error| failed(error.to_string()))?;
    if captured.ended != Ended::Exited(0) {
        return Err(failed(said(&captured.stderr)));
    }
    fs::rename(&draft, place).map_err(StateError::io("write", place))?;
    Ok(())
}

fn find_npm(environment: &Environment) -> Option<PathBuf> {
    std::env::split_paths(environment.get("PATH")?)
        // A relative entry would find a program that lies in the directory at hand.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("npm"))
        .find(|program| {
            program
                .metadata()
                .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
        })
}

/// Waits for `work` unless the person gives the demo up first.
async fn unless_cancelled<T>(call: &Call, work: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::select! {
        done = work => Ok(done),
        _ = call.cancelled.wait() => Err(given_up()),
        () = call.closing.cancelled() => Err(given_up()),
    }
}

fn given_up() -> Fault {
    Fault::new(
        FaultCode::Cancelled,
        "the demo was given up while codex was being installed",
    )
    .hint("run the demo again; an unfinished installation is not used")
}

/// Returns the beginning of what npm said, in one line.
fn said(stderr: &[u8]) -> String {
    let text = mask(&String::from_utf8_lossy(stderr));
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches("npm error").trim())
        .filter(|line| !line.is_empty());
    let joined = lines.collect::<Vec<_>>().join("; ");
    if joined.is_empty() {
        return "it says nothing".to_owned();
    }
    joined.chars().take(SAID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npm_is_quoted_in_one_line() {
        let text = "npm error code ENOTFOUND\nnpm error network down\n\nnpm error\n";
        assert_eq!(said(text.as_bytes()), "code ENOTFOUND; network down");
        assert_eq!(said(b"\n"), "it says nothing");
    }

    #[tokio::test]
    async fn a_person_can_give_up_a_wait() {
        let call = Call::new("test");
        assert_eq!(unless_cancelled(&call, async { 7 }).await, Ok(7));
        call.cancelled.cancel(crate::service::call::CancelReason::User);
        let waited = unless_cancelled(&call, std::future::pending::<()>()).await;
        assert_eq!(waited.map_err(|fault| fault.code), Err(FaultCode::Cancelled));
    }
}
