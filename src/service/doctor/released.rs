//! Whether our program is the one that was released, as far as the plugin knows its checksum.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::fingerprint::sha256_hex;
use crate::service::claude::ClaudeFolder;
use crate::service::context::{Service, VERSION};
use crate::service::doctor::finding::Finding;
use crate::sys::files;

/// Where a plugin keeps the checksums of its release, as its launcher reads them.
const SUMS: &str = "launcher/SHA256SUMS";
/// Bytes of that file; a line for each platform.
const SUMS_BYTES: u64 = 64 * 1024;
/// Bytes of a program.
const PROGRAM_BYTES: u64 = 1024 * 1024 * 1024;

/// Compares; nothing is said where no checksum is known, and of a program that lies outside of a plugin's data, which
/// somebody built.
pub(super) fn finding(service: &Service) -> Option<Finding> {
    const WHAT: &str = "release";
    let data = ClaudeFolder::of(service.environment())?.plugin_data();
    if !service.program().starts_with(data) {
        return None;
    }
    let asset = format!("crosscheck-{VERSION}-{}", platform()?);
    let sums = plugins(service)
        .into_iter()
        .find_map(|root| files::read_bounded_linked(&root.join(SUMS), SUMS_BYTES).ok())?;
    let expected = expected(&String::from_utf8_lossy(&sums), &asset)?;
    let bytes = files::read_bounded_linked(service.program(), PROGRAM_BYTES).ok()?;
    Some(if sha256_hex(&bytes) == expected {
        Finding::ready(WHAT, format!("it is {asset} as it was released"))
    } else {
        Finding::attention(
            WHAT,
            format!("the installed program is not {asset} as it was released"),
            "run `crosscheck install` of the plugin, unless it was built on this machine",
        )
    })
}

/// Returns the folders of our plugin.
fn plugins(service: &Service) -> Vec<PathBuf> {
    let given = service.environment().path("CLAUDE_PLUGIN_ROOT");
    let installed = ClaudeFolder::of(service.environment()).map(|folder| folder.read_installed());
    let installed = installed.unwrap_or_default();
    let ours = installed
        .get("plugins")
        .and_then(|plugins| plugins.get("codex@crosscheck"));
    let ours = ours.and_then(Value::as_array).into_iter().flatten();
    let paths = ours.filter_map(|one| one["installPath"].as_str().map(PathBuf::from));
    given
        .into_iter()
        .chain(paths.filter(|path| Path::is_absolute(path)))
        .collect()
}

/// Finds the checksum of an asset.
fn expected(sums: &str, asset: &str) -> Option<String> {
    sums.lines().find_map(|line| {
        let (sum, name) = line.split_once("  ")?;
        (name == asset && sum.len() == 64).then(|| sum.to_owned())
    })
}

/// Returns the platform as releases name it; nothing where there are none.
fn platform() -> Option<&'static str> {
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-musl",
        ("linux", "aarch64") => "aarch64-unknown-linux-musl",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::Environment;
    use crate::service::doctor::finding::Health;
    use serde_json::json;

    #[test]
    fn a_program_is_compared_with_what_the_plugin_knows_of_its_release() {
        let Some(platform) = platform() else { return };
        let dir = tempfile::tempdir().unwrap();
        let claude = dir.path().join("claude");
        let program = claude.join("plugins/data/codex-crosscheck/bin/1-1/crosscheck");
        let root = dir.path().join("root");
        for folder in [
            program.parent().unwrap(),
            &root.join("launcher"),
            &claude.join("plugins"),
        ] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(&program, "released").unwrap();
        let installed = json!({"plugins": {"codex@crosscheck": [{"installPath": root}]}});
        std::fs::write(
            claude.join("plugins/installed_plugins.json"),
            installed.to_string(),
        )
        .unwrap();
        let check = |line: Option<String>, program: &Path, expected: Option<Health>| {
            if let Some(line) = line {
                std::fs::write(root.join(SUMS), line).unwrap();
            }
            let environment = Environment::default().with("CLAUDE_CONFIG_DIR", &claude);
            let service = Service::new(program.to_owned(), environment, "/".into(), String::new());
            assert_eq!(finding(&service).map(|finding| finding.health), expected);
        };
        let line = |bytes: &[u8]| format!("{}  crosscheck-{VERSION}-{platform}\n", sha256_hex(bytes));
        check(None, &program, None);
        check(Some(line(b"released")), &program, Some(Health::Ready));
        check(Some(line(b"another")), &program, Some(Health::Attention));
        check(Some("x  another-asset\n".to_owned()), &program, None);
        check(Some(line(b"another")), Path::new("/bin/sh"), None);
    }
}
