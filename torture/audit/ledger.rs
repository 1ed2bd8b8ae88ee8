//! The ledger of the harness, as it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::{entries, name_of};

/// What was promised, as the folder has it.
pub(super) struct Ledger {
    pub(super) acknowledged: BTreeMap<String, Note>,
    pub(super) paid: Vec<Note>,
    pub(super) arrived: Vec<Note>,
    pub(super) forgotten: BTreeSet<String>,
    pub(super) left: BTreeMap<String, Note>,
    pub(super) untouched: Vec<Note>,
    pub(super) attempts: usize,
    pub(super) listed: Option<Listed>,
}

/// One file of it.
#[derive(Default)]
pub(super) struct Note(HashMap<String, String>);

/// What a reader of the program saw.
pub(super) struct Listed {
    pub(super) at: SystemTime,
    pub(super) states: BTreeMap<String, String>,
    pub(super) unread: usize,
}

impl Note {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        Self(
            lines
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The id of the job whose directory a peer noted.
    pub(super) fn job(&self) -> &str {
        let directory = self.get("job").unwrap_or_default();
        Path::new(directory)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }
}

impl Ledger {
    pub(super) fn read(folder: &Path) -> Self {
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let notes = |name: &str| {
            let paths = entries(&folder.join(name)).into_iter();
            paths
                .filter(|path| !name_of(path).starts_with('.'))
                .map(|path| (name_of(&path), Note::parse(&text(&path))))
        };
        let listed = folder.join("listed");
        let at = fs::metadata(&listed).and_then(|about| about.modified()).ok();
        Self {
            acknowledged: notes("acknowledged").collect(),
            paid: notes("paid").map(|(_, note)| note).collect(),
            arrived: notes("arrived").map(|(_, note)| note).collect(),
            forgotten: notes("forgotten").map(|(name, _)| name).collect(),
            left: notes("left").collect(),
            untouched: notes("untouched").map(|(_, note)| note).collect(),
            attempts: text(&folder.join("attempts")).trim().parse().unwrap_or(1),
            listed: at.map(|at| {
                let Note(mut states) = Note::parse(&text(&listed));
                let unread = states
                    .remove("unread")
                    .and_then(|count| count.parse().ok())
                    .unwrap_or(0);
                Listed {
                    at,
                    states: states.into_iter().collect(),
                    unread,
                }
            }),
        }
    }

    /// The key that a paid start stood for: as the peer noted it, else as its submit was acknowledged.
    pub(super) fn key_of<'a>(&'a self, note: &'a Note) -> Option<&'a str> {
        note.get("key")
            .or_else(|| self.acknowledged.get(note.job())?.get("key"))
    }
}
