//! What is built from: only what `Cargo.lock` names, with its hash, and no program of ours that runs while it is built.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use toml::{Table, Value};

fn read(name: &str) -> Table {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    text.parse().unwrap()
}

fn packages() -> Vec<Table> {
    let lock = read("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    packages
        .iter()
        .map(|package| package.as_table().unwrap().clone())
        .collect()
}

#[test]
fn no_build_script_of_ours_exists() {
    let manifest = read("Cargo.toml");
    let package = manifest["package"].as_table().unwrap();
    assert!(!package.contains_key("build") && !package.contains_key("links"));
    assert!(!manifest.contains_key("build-dependencies"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(!root.join("build.rs").exists());
    // A configuration of cargo in the repository could name a linker, a wrapper or another registry.
    assert!(!root.join(".cargo").exists());
    let macros = manifest.get("lib").and_then(|lib| lib.get("proc-macro"));
    assert!(macros.is_none());
}

#[test]
fn the_lock_file_is_tracked_and_names_a_hash_for_everything() {
    let tracked = Command::new("git")
        .args(["ls-files", "--error-unmatch", "Cargo.lock"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tracked.status.success(), "{tracked:?}");
    let packages = packages();
    assert!(packages.len() > 100);
    let mut sources = BTreeSet::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        if name == env!("CARGO_PKG_NAME") {
            continue;
        }
        let hash = package.get("checksum").and_then(Value::as_str);
        assert!(hash.is_some_and(|hash| hash.len() == 64), "{name} has no hash");
        sources.insert(package["source"].as_str().unwrap().to_owned());
    }
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")));
}

#[test]
fn every_library_that_is_there_twice_is_explained() {
    let mut versions: BTreeMap<String, u32> = BTreeMap::new();
    for package in packages() {
        *versions
            .entry(package["name"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let twice = versions.iter().filter(|(_, count)| **count > 1);
    let deny = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    for (name, _) in twice {
        assert!(
            deny.contains(name.as_str()),
            "deny.toml does not say why {name} is there twice"
        );
    }
    let skipped = read("deny.toml");
    for entry in skipped["bans"]["skip"].as_array().unwrap() {
        let reason = entry["reason"].as_str().unwrap();
        assert!(reason.len() > 20, "{entry}");
        let name = entry["crate"].as_str().unwrap().split('@').next().unwrap();
        assert!(versions[name] > 1, "{name} is there once only");
    }
}

#[test]
fn no_dependency_is_asked_for_by_any_version() {
    let manifest = read("Cargo.toml");
    for table in ["dependencies", "dev-dependencies"] {
        for (name, wanted) in manifest[table].as_table().unwrap() {
            let version = wanted
                .as_str()
                .or_else(|| wanted.get("version").and_then(Value::as_str));
            assert!(version.is_some_and(|version| version.contains('.')), "{name}");
            assert!(
                wanted.get("git").is_none() && wanted.get("path").is_none(),
                "{name}"
            );
        }
    }
}
