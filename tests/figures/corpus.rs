//! Real text to make changes of: this project's own files.
//!
//! They are always there when the tests are, they are of several kinds (Rust, shell, JSON, Markdown, TOML), and they have
//! what invented text has not: lines that stand there twice, long lines, empty lines, and blanks in all places.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::dice::Dice;
use crate::edits::{Edit, Edited};

/// Lines of a file that are used: enough for several hunks, and quick to search.
const LINES: usize = 400;
/// Lines below which a file is no use.
const LEAST: usize = 40;

/// A file of ours.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path.
    pub(crate) path: String,
    /// Its first lines.
    pub(crate) lines: Vec<String>,
}

/// Returns the files, in the order of their paths.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["src", "docs", "hooks", "launcher", "commands", "benches"] {
            collect(&root.join(folder), &mut found);
        }
        found.sort();
        let sources: Vec<Source> = found.iter().filter_map(|path| read(root, path)).collect();
        assert!(sources.len() > 100, "only {} files of our own", sources.len());
        sources
    })
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Option<Source> {
    let text = std::fs::read_to_string(path).ok()?;
    let lines: Vec<String> = text.lines().take(LINES).map(str::to_owned).collect();
    (lines.len() >= LEAST).then(|| Source {
        path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
        lines,
    })
}

/// Makes a change of one to five files, each edited in one to six places: lines that go, that come from another file of
/// ours, and that are changed a little.
pub(crate) fn change(dice: &mut Dice) -> Vec<Edited> {
    let mut files: Vec<Edited> = Vec::new();
    for _ in 0..dice.between(1, 5) {
        let source = dice.pick(sources());
        if files.iter().all(|file| file.path != source.path) {
            let edits = (0..dice.between(1, 6)).map(|_| edit(dice, &source.lines));
            let edits = edits.collect();
            files.push(Edited::new(source.path.clone(), source.lines.clone(), edits));
        }
    }
    files
}

fn edit(dice: &mut Dice, old: &[String]) -> Edit {
    let at = dice.below(old.len());
    let most = (old.len() - at).min(6);
    let borrowed = |dice: &mut Dice, count: usize| -> Vec<String> {
        let lines = &dice.pick(sources()).lines;
        let first = dice.below(lines.len() - count);
        lines[first..first + count].to_vec()
    };
    match dice.below(4) {
        0 => Edit {
            at,
            gone: dice.between(1, most),
            come: Vec::new(),
        },
        1 => {
            let count = dice.between(1, 20);
            Edit {
                at,
                gone: 0,
                come: borrowed(dice, count),
            }
        }
        2 => {
            let count = dice.between(1, 8);
            Edit {
                at,
                gone: dice.between(1, most),
                come: borrowed(dice, count),
            }
        }
        _ => Edit {
            at,
            gone: 1,
            come: vec![format!("{}  // changed {}", old[at], dice.below(1000))],
        },
    }
}
