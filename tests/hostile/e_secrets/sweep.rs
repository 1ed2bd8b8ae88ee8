//! Ordinary source, a lot of it: what is masked there is masked wrongly, nearly always.
//!
//! The sources are those of our own dependencies, which building these tests has put on the machine. A part of them is
//! enough for every run; `CROSSCHECK_SWEEP=all cargo test --test hostile sweep -- --nocapture` reads all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crosscheck::redact::Redactor;

/// Bytes that are read when nobody asks for more.
const PART: usize = 24_000_000;
/// Bytes for which one masked value is allowed.
const EACH: usize = 10_000_000;
/// Files of data are no sources; generated ones beyond this size say nothing either.
const LARGEST: u64 = 2_000_000;

fn registry() -> PathBuf {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    cargo.or_else(home).unwrap().join("registry/src")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            files_below(&entry.path(), found);
        } else if kind.is_file() && entry.metadata().is_ok_and(|about| about.len() <= LARGEST) {
            found.push(entry.path());
        }
    }
}

#[test]
fn a_sweep_over_real_sources_masks_next_to_nothing() {
    let mut paths = Vec::new();
    files_below(&registry(), &mut paths);
    // In an order that mixes the packages, and is the same every time.
    paths.sort_by_key(|path| {
        let text = path.to_string_lossy();
        text.bytes().fold(7_u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte))
        })
    });
    let most = if std::env::var_os("CROSSCHECK_SWEEP").is_some() {
        usize::MAX
    } else {
        PART
    };
    let (mut bytes, mut files, mut masked) = (0, 0, 0);
    let mut rules: BTreeMap<&str, u32> = BTreeMap::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        bytes += text.len();
        files += 1;
        if let Some(found) = Redactor::shared().mask_found(&text) {
            masked += found.count as usize;
            for rule in &found.rules {
                *rules.entry(rule).or_default() += 1;
            }
            println!("{}: {} by {:?}", path.display(), found.count, found.rules);
        }
        if bytes > most {
            break;
        }
    }
    println!("{files} files, {bytes} bytes, {masked} values masked, files by rule: {rules:?}");
    assert!(
        bytes >= PART / 2,
        "only {bytes} bytes of sources are on this machine"
    );
    assert!(
        masked <= 1 + bytes / EACH,
        "{masked} values were masked in {bytes} bytes: {rules:?}"
    );
}
