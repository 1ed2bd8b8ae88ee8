//! How fast text is searched for secrets, and how large the program is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crosscheck::redact::Redactor;

use crate::figure::Figure;
use crate::others;
use crate::table::Row;
use crate::world::program;

/// Rounds over the source.
const ROUNDS: usize = 12;

/// Measures the search over our own source, file by file.
pub(crate) fn measure_scan() -> Vec<Row> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let texts: Vec<String> = files_below(&root)
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    assert!(bytes > 0, "there is no source at {}", root.display());
    let round = || {
        let begun = Instant::now();
        let masked: usize = texts
            .iter()
            .map(|text| Redactor::shared().mask(text).text.len())
            .sum();
        assert!(masked > 0, "a masked text is not empty");
        megabytes(bytes as u64) / begun.elapsed().as_secs_f64()
    };
    round();
    let rates = (0..ROUNDS).map(|_| round()).collect();
    vec![Row::new(
        "secret scan of our own source",
        "300 MB/s",
        &Figure::of(rates, "MB/s"),
    )]
}

/// Measures our program and what the others install.
pub(crate) fn measure_size() -> Vec<Row> {
    let size = fs::metadata(program()).unwrap().len();
    let mut row = Row::new("release binary", "8 MB", &Figure::once(megabytes(size), "MB"));
    for other in others::installed() {
        let files = files_below(&other.place);
        let size = files.iter().filter_map(|path| fs::symlink_metadata(path).ok());
        let size = size.map(|about| about.len()).sum();
        row = row.beside(other.name, &Figure::once(megabytes(size), "MB environment"));
    }
    vec![row]
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Returns all files below a folder. Links are listed, not followed.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}
