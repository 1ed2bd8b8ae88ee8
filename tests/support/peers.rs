//! The pinned CLIs, installed with npm on first use.
//!
//! One folder per content of `package.json` lies under `target/peers`, so a new pin installs beside the old one. A file
//! lock makes parallel test processes install once; a marker says that an installation is complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// Returns the native binary of the pinned codex.
pub(crate) fn codex() -> PathBuf {
    codex_in(&install("tests/peers"), "@openai/codex")
}

/// Returns the native binary of the oldest codex that is supported. Installs it on first use.
pub(crate) fn codex_oldest() -> PathBuf {
    codex_in(&install("tests/peers-older"), "codex-oldest")
}

/// Returns the native binary of a codex in the middle of the supported range. Installs it on first use.
pub(crate) fn codex_middle() -> PathBuf {
    codex_in(&install("tests/peers-older"), "codex-middle")
}

/// Returns the executable of Claude Code 2.1.197, the oldest that is supported.
pub(crate) fn claude_197() -> PathBuf {
    claude_in(&install("tests/peers"), "@anthropic-ai/claude-code")
}

/// Returns the executable of the newest Claude Code that is tested.
pub(crate) fn claude_newest() -> PathBuf {
    claude_in(&install("tests/peers"), "claude-newest")
}

/// Returns the folder of the packages that judge the protocol from outside. Installs them on first use.
pub(crate) fn suites() -> PathBuf {
    install("tests/suites")
}

/// Installs the packages that `folder` of this repository names, once, and returns their `node_modules`.
fn install(folder: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let manifest =
        fs::read(source.join("package.json")).expect("the peers' package.json is in the repository");
    // The older versions have no lock file: npm writes one without the platforms that it cannot resolve, and then
    // refuses it. Their versions are exact in package.json. Seen with npm 11.19.1.
    let lock = fs::read(source.join("package-lock.json")).ok();
    let mut hash = Sha256::new();
    hash.update(&manifest);
    hash.update(lock.as_deref().unwrap_or_default());
    let digest = hash.finalize();
    let short = digest
        .iter()
        .take(8)
        .fold(0_u64, |short, byte| short << 8 | u64::from(*byte));
    let key = format!("{short:016x}");

    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the tests' temp dir lies in the target dir");
    let root = target.join("peers");
    let place = root.join(&key);
    let ready = place.join("ready");
    let modules = place.join("node_modules");
    if ready.exists() {
        return modules;
    }
    fs::create_dir_all(&place).expect("the target directory is writable");
    let guard = File::create(root.join(format!("{key}.lock"))).expect("the target directory is writable");
    guard.lock().expect("the file system has locks");
    if !ready.exists() {
        fs::write(place.join("package.json"), &manifest).expect("the target directory is writable");
        if let Some(lock) = &lock {
            fs::write(place.join("package-lock.json"), lock).expect("the target directory is writable");
            run_npm(&place, &["ci"]);
        } else {
            run_npm(&place, &["install", "--no-package-lock"]);
        }
        fs::write(&ready, "").expect("the target directory is writable");
    }
    modules
}

/// npm alone keeps the machine's environment: its configuration says where packages come from.
fn run_npm(place: &Path, action: &[&str]) {
    let output = Command::new("npm")
        .args(action)
        .args(["--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(place)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("the tests need npm to install the pinned peers: {error}"));
    assert!(
        output.status.success(),
        "npm could not install the peers into {}: {}\n{}{}",
        place.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// Finds the native binary that the package `name` of codex uses. npm puts the platform's package either below it or,
/// when no other version claims that place, at the top; the versions must agree.
fn codex_in(modules: &Path, name: &str) -> PathBuf {
    let (platform, triple) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => ("linux-x64", "x86_64-unknown-linux-musl"),
        ("linux", "aarch64") => ("linux-arm64", "aarch64-unknown-linux-musl"),
        ("macos", "x86_64") => ("darwin-x64", "x86_64-apple-darwin"),
        ("macos", "aarch64") => ("darwin-arm64", "aarch64-apple-darwin"),
        (os, arch) => panic!("no codex is published for {os} on {arch}"),
    };
    let wanted = version(&modules.join(name));
    let package = format!("@openai/codex-{platform}");
    let places = [
        modules.join(name).join("node_modules").join(&package),
        modules.join(&package),
    ];
    let found = places
        .iter()
        .find(|place| place.exists() && version(place).starts_with(&wanted));
    let found = found.unwrap_or_else(|| panic!("npm installed no {package} {wanted} for {name}: {places:?}"));
    // The binary's folder was renamed between versions.
    let binaries = ["bin/codex", "codex/codex"].map(|tail| found.join("vendor").join(triple).join(tail));
    let binary = binaries.iter().find(|binary| binary.is_file());
    binary
        .unwrap_or_else(|| panic!("{name} {wanted} has no binary at {binaries:?}"))
        .clone()
}

/// The executable is called `claude.exe` on every platform.
fn claude_in(modules: &Path, name: &str) -> PathBuf {
    let binary = modules.join(name).join("bin/claude.exe");
    assert!(binary.is_file(), "npm installed no {}", binary.display());
    binary
}

fn version(package: &Path) -> String {
    let file = package.join("package.json");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("a package's manifest is JSON");
    manifest["version"]
        .as_str()
        .expect("a package has a version")
        .to_owned()
}
