//! Other bridges, installed with pip into private environments beside the build on first use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::world::World;

/// Another bridge that can be measured.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    /// Its name with its version.
    pub(crate) name: &'static str,
    /// Its server; takes no argument.
    pub(crate) program: PathBuf,
    /// Everything that was installed for it.
    pub(crate) place: PathBuf,
}

/// A package with the server that it installs.
const PACKAGES: [(&str, &str); 2] = [
    ("codex-in-claude==0.24.0", "codex-in-claude-mcp"),
    ("amicus==0.11.1", "amicus-mcp"),
];

/// Returns the bridges that could be installed; says on standard output which could not.
pub(crate) fn installed() -> &'static [Other] {
    static INSTALLED: LazyLock<Vec<Other>> = LazyLock::new(|| {
        let found = PACKAGES.iter().filter_map(|(package, server)| {
            let other = install(package, server);
            if other.is_none() {
                println!("({package} could not be installed, so its figures are missing)");
            }
            other
        });
        found.collect()
    });
    &INSTALLED
}

/// Returns the bridge whose consult can be compared with ours.
pub(crate) fn codex_in_claude() -> Option<&'static Other> {
    installed()
        .iter()
        .find(|other| other.name.starts_with("codex-in-claude"))
}

/// Returns the command of a codex-in-claude that uses this world's codex and keeps its state there.
pub(crate) fn configured(other: &Other, world: &World) -> Command {
    let mut command = world.home.command(&other.program);
    command
        .env("CODEX_IN_CLAUDE_CODEX_BIN", &world.codex)
        .env("CODEX_IN_CLAUDE_SUPPORTED_VERSIONS", "0.169")
        .env("CODEX_IN_CLAUDE_STATE_DIR", world.home.private().join("other"));
    command
}

/// Installs one package. pip alone keeps the machine's environment: its configuration says where packages come from.
fn install(package: &'static str, server: &str) -> Option<Other> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let place = target.join("bench-peers").join(package.replace("==", "-"));
    let program = place.join("bin").join(server);
    let ready = place.join("ready");
    if !ready.exists() {
        fs::create_dir_all(place.parent()?).ok()?;
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&place));
        let pip = place.join("bin/pip");
        let filled = made && run(Command::new(pip).args(["install", "--quiet", package]));
        if !filled || !program.is_file() {
            return None;
        }
        fs::write(&ready, "").ok()?;
    }
    Some(Other {
        name: package,
        program,
        place,
    })
}

fn run(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    quiet
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
