//! What codex is called, what it reads from its environment, and where its native program lies.

use std::path::{Path, PathBuf};

/// The variable that names the program.
pub const PROGRAM_VARIABLE: &str = "CROSSCHECK_CODEX_BIN";
/// The program's name on PATH.
pub const PROGRAM: &str = "codex";
/// Variables of codex's own that it needs to find its login and configuration.
pub const OWN_VARIABLES: [&str; 4] = [
    "CODEX_HOME",
    "CODEX_API_KEY",
    "CODEX_ACCESS_TOKEN",
    "CODEX_SQLITE_HOME",
];

/// Returns where the native program of an npm package may be, given the resolved path of its JavaScript wrapper.
///
/// The wrapper costs 30 to 40 ms a call and leaves codex running when it is killed (seen with 0.169.0 on Node 20).
/// Older packages carry the binaries in their own `vendor` folder, newer ones in a package per platform.
pub fn native_candidates(wrapper: &Path) -> Vec<PathBuf> {
    let Some(triple) = target_triple() else {
        return Vec::new();
    };
    let Some(package) = wrapper.parent().and_then(Path::parent) else {
        return Vec::new();
    };
    let mut vendors = vec![package.join("vendor")];
    let platform = format!("codex-{}", platform_suffix());
    vendors.push(
        package
            .join("node_modules/@openai")
            .join(&platform)
            .join("vendor"),
    );
    if let Some(scope) = package.parent() {
        vendors.push(scope.join(&platform).join("vendor"));
        // A package installed under another name keeps its platform package under the same scope beside it.
        if let Some(modules) = scope.parent() {
            vendors.push(modules.join("@openai").join(&platform).join("vendor"));
        }
        vendors.push(scope.join("@openai").join(&platform).join("vendor"));
    }
    vendors
        .iter()
        .flat_map(|vendor| {
            [
                vendor.join(triple).join("bin/codex"),
                vendor.join(triple).join("codex/codex"),
            ]
        })
        .collect()
}

fn target_triple() -> Option<&'static str> {
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-musl",
        ("linux", "aarch64") => "aarch64-unknown-linux-musl",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        _ => return None,
    })
}

fn platform_suffix() -> String {
    let system = if std::env::consts::OS == "macos" {
        "darwin"
    } else {
        std::env::consts::OS
    };
    let machine = if std::env::consts::ARCH == "aarch64" {
        "arm64"
    } else {
        "x64"
    };
    format!("{system}-{machine}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_program_is_looked_for_beside_its_wrapper() {
        let found = native_candidates(Path::new("/n/lib/node_modules/@openai/codex/bin/codex.js"));
        assert!(
            found
                .iter()
                .any(|path| path.starts_with("/n/lib/node_modules/@openai/codex/vendor"))
        );
        assert!(found.iter().all(|path| path.ends_with("codex")));
    }
}
