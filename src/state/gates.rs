//! What the stop gate remembers of each conversation.
//!
//! `gates/<hash>.json` is written by whoever holds `gates/<hash>.lock`, so of two hooks at once one looks and the other one
//! leaves. `gates/<hash>.prompt` names the prompt that the person wrote last; it is replaced without the lock, which a
//! review may hold for minutes. The hash is one of the conversation's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::domain::fingerprint::sha256_hex;
use crate::domain::gate::change::{Look, Seen, State};
use crate::domain::gate::{Reason, Rounds};
use crate::domain::job::JobId;
use crate::domain::limits;
use crate::domain::wake::SessionName;
use crate::state::error::StateError;
use crate::state::store::Store;
use crate::sys::files;
use crate::sys::lock::HeldLock;

/// The version of the record that is written.
const VERSION: u32 = 1;
/// The folder of the records.
const GATES: &str = "gates";
/// Characters of a name: 80 bits, so that two conversations never meet.
const KEY_CHARS: usize = 20;
/// Bytes of one record: its working trees with two hundred files each, their names of usual length.
const RECORD_BYTES: u64 = 1024 * 1024;
/// Bytes of a prompt's name.
const PROMPT_BYTES: u64 = 256;
/// Working trees remembered of one conversation, the newest.
const PLACES: usize = 6;
/// Findings remembered of one conversation, the newest.
const TOLD: usize = 200;
/// Files looked at when old ones are swept.
const FILES: usize = 10_000;

/// What is remembered of one conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    version: u32,
    /// Reviews that were paid for.
    pub reviews: u32,
    /// Rounds with findings.
    pub rounds: Rounds,
    /// What the person was told once.
    said: Vec<String>,
    /// Findings that the conversation was told of.
    pub told: Vec<String>,
    places: Vec<Place>,
    /// The review that was started last and not settled yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A working tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    top_level: PathBuf,
    seen: Seen,
}

/// A review that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The job.
    pub job: JobId,
    /// The prompt in which it was started.
    pub prompt: String,
    /// Where.
    pub top_level: PathBuf,
    /// What a verdict is about.
    pub state: State,
}

impl Gate {
    /// Returns what was seen of a working tree.
    pub fn seen(&self, top_level: &Path) -> Option<&Seen> {
        let place = self.places.iter().find(|place| place.top_level == top_level);
        place.map(|place| &place.seen)
    }

    /// Takes a working tree as it is for settled: at the first look, or where a change has nothing to review.
    pub fn accept(&mut self, top_level: &Path, look: Look) {
        let seen = Seen {
            tree: look.tree,
            judged: look.state,
        };
        self.places.retain(|place| place.top_level != top_level);
        self.places.push(Place {
            top_level: top_level.to_owned(),
            seen,
        });
        let more = self.places.len().saturating_sub(PLACES);
        self.places.drain(..more);
    }

    /// Notes that a working tree was looked at. What it is judged by stays as it was.
    pub fn look(&mut self, top_level: &Path, look: &Look) {
        let judged = self
            .seen(top_level)
            .map_or_else(State::default, |seen| seen.judged.clone());
        self.accept(
            top_level,
            Look {
                tree: look.tree.clone(),
                state: judged,
            },
        );
    }

    /// Notes that there is a verdict about a state of a working tree.
    pub fn judge(&mut self, top_level: &Path, state: State) {
        let mut places = self.places.iter_mut();
        if let Some(place) = places.find(|place| place.top_level == top_level) {
            place.seen.judged = state;
        }
    }

    /// Remembers findings that the conversation is told of.
    pub fn tell<'a>(&mut self, ids: impl Iterator<Item = &'a String>) {
        self.told.extend(ids.cloned());
        let more = self.told.len().saturating_sub(TOLD);
        self.told.drain(..more);
    }

    /// Tells whether it is the first time that the person is told this reason.
    pub fn say_once(&mut self, reason: Reason) -> bool {
        self.say(reason.as_str())
    }

    /// Tells whether it is the first time that the person is told that the reviews are used up.
    pub fn say_reviews_are_used_up(&mut self) -> bool {
        self.say("reviews")
    }

    fn say(&mut self, what: &str) -> bool {
        // The reasons are a closed list, so this is one too.
        let is_new = !self.said.iter().any(|said| said == what);
        if is_new {
            self.said.push(what.to_owned());
        }
        is_new
    }
}

/// A record that nobody else can write.
#[derive(Debug)]
pub struct HeldGate {
    /// What is remembered.
    pub gate: Gate,
    path: PathBuf,
    lock: HeldLock,
}

impl HeldGate {
    /// Takes the record of a conversation; `None` when somebody else has it. One that cannot be read begins anew.
    pub fn try_take(store: &Store, session: &SessionName) -> Result<Option<Self>, StateError> {
        store.folder(GATES)?;
        let path = file(store, session, "lock");
        let lock = HeldLock::try_take(&path).map_err(StateError::io("lock", path))?;
        Ok(lock.map(|lock| Self {
            gate: read(store, session),
            path: file(store, session, "json"),
            lock,
        }))
    }

    /// Writes it down.
    pub fn save(&self) -> Result<(), StateError> {
        let written = Gate {
            version: VERSION,
            ..self.gate.clone()
        };
        let bytes = serde_json::to_vec(&written).map_err(|source| StateError::Damaged {
            path: self.path.clone(),
            source,
        })?;
        files::replace(&self.path, &bytes).map_err(StateError::io("write", &self.path))
    }
}

impl Drop for HeldGate {
    fn drop(&mut self) {
        // A worker that is being started has a copy of the descriptor for a moment.
        self.lock.release();
    }
}

/// Returns what is remembered of a conversation; nothing where there is no record that can be read.
pub fn read(store: &Store, session: &SessionName) -> Gate {
    let bytes = files::read_bounded(&file(store, session, "json"), RECORD_BYTES).ok();
    let gate = bytes.and_then(|bytes| serde_json::from_slice::<Gate>(&bytes).ok());
    gate.filter(|gate| gate.version <= VERSION).unwrap_or_default()
}

/// Notes the prompt that the person wrote last. A name that would not be read again is none.
pub fn note_prompt(store: &Store, session: &SessionName, prompt: &str) -> Result<(), StateError> {
    let prompt = if prompt.len() as u64 > PROMPT_BYTES {
        ""
    } else {
        prompt
    };
    store.folder(GATES)?;
    let path = file(store, session, "prompt");
    files::replace(&path, prompt.as_bytes()).map_err(StateError::io("write", path))
}

/// Returns the prompt that the person wrote last, as the host names it; empty where nobody knows.
pub fn prompt(store: &Store, session: &SessionName) -> String {
    let bytes = files::read_bounded(&file(store, session, "prompt"), PROMPT_BYTES).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Deletes what conversations left that nobody took up again for as long as results are kept.
pub fn sweep(store: &Store) {
    let now = SystemTime::now();
    let entries = fs::read_dir(store.root().join(GATES)).into_iter().flatten();
    for entry in entries.flatten().take(FILES) {
        let written = entry.metadata().and_then(|about| about.modified());
        let is_aged = written.is_ok_and(|written| {
            now.duration_since(written)
                .is_ok_and(|since| since >= limits::RETENTION)
        });
        // A lock is as old as its conversation, however often it is taken.
        let path = entry.path();
        let is_in_use =
            path.extension().is_some_and(|end| end == "lock") && path.with_extension("json").exists();
        if is_aged && !is_in_use {
            let _ = fs::remove_file(path);
        }
    }
}

fn file(store: &Store, session: &SessionName, extension: &str) -> PathBuf {
    let mut key = sha256_hex(session.to_string().as_bytes());
    key.truncate(KEY_CHARS);
    store.root().join(GATES).join(format!("{key}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::FaultCode;

    fn name(text: &str) -> SessionName {
        text.parse().unwrap()
    }

    fn look(tree: &str) -> Look {
        Look {
            tree: tree.to_owned(),
            state: State {
                head: Some(tree.to_owned()),
                files: None,
            },
        }
    }

    #[test]
    fn a_record_is_kept_for_each_conversation_and_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let mut held = HeldGate::try_take(&store, &name("one")).unwrap().unwrap();
        assert!(HeldGate::try_take(&store, &name("one")).unwrap().is_none());
        assert!(HeldGate::try_take(&store, &name("..")).unwrap().is_some());
        held.gate.reviews = 3;
        held.gate.accept(Path::new("/w"), look("t1"));
        held.save().unwrap();
        drop(held);
        assert_eq!(read(&store, &name("one")).reviews, 3);
        assert_eq!(read(&store, &name("two")), Gate::default());
        let held = HeldGate::try_take(&store, &name("one")).unwrap().unwrap();
        assert_eq!(held.gate.seen(Path::new("/w")).unwrap().tree, "t1");
    }

    #[test]
    fn a_look_without_a_verdict_leaves_what_was_judged() {
        let mut gate = Gate::default();
        let top = Path::new("/w");
        gate.accept(top, look("t1"));
        gate.look(top, &look("t2"));
        let seen = gate.seen(top).unwrap();
        assert_eq!((seen.tree.as_str(), &seen.judged), ("t2", &look("t1").state));
        gate.judge(top, look("t2").state);
        assert_eq!(gate.seen(top).unwrap().judged, look("t2").state);
    }

    #[test]
    fn a_record_stays_small() {
        let mut gate = Gate::default();
        for at in 0..20 {
            gate.accept(Path::new(&format!("/w{at}")), look("t"));
        }
        assert_eq!(gate.places.len(), PLACES);
        assert!(gate.seen(Path::new("/w19")).is_some() && gate.seen(Path::new("/w0")).is_none());
        let ids: Vec<String> = (0..500).map(|at| at.to_string()).collect();
        gate.tell(ids.iter());
        assert_eq!(
            (gate.told.len(), gate.told.last().unwrap().as_str()),
            (TOLD, "499")
        );
    }

    #[test]
    fn each_reason_is_said_once() {
        let mut gate = Gate::default();
        let quota = Reason::Fault(FaultCode::PeerUsageLimit);
        assert!(gate.say_once(quota) && !gate.say_once(quota));
        assert!(gate.say_once(Reason::TakesLong));
        assert!(gate.say_reviews_are_used_up() && !gate.say_reviews_are_used_up());
    }

    #[test]
    fn garbage_begins_anew_and_what_is_old_goes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        note_prompt(&store, &name("one"), "p1").unwrap();
        assert_eq!(prompt(&store, &name("one")), "p1");
        assert_eq!(prompt(&store, &name("two")), "");
        for bytes in [&b"{"[..], b"[]", br#"{"version":2}"#, b"\xff"] {
            fs::write(file(&store, &name("one"), "json"), bytes).unwrap();
            assert_eq!(read(&store, &name("one")), Gate::default());
        }
        sweep(&store);
        assert_eq!(fs::read_dir(dir.path().join(GATES)).unwrap().count(), 2);
        for entry in fs::read_dir(dir.path().join(GATES)).unwrap().flatten() {
            let file = fs::File::options().append(true).open(entry.path()).unwrap();
            file.set_modified(SystemTime::now() - 2 * limits::RETENTION)
                .unwrap();
        }
        sweep(&store);
        sweep(&store);
        assert_eq!(fs::read_dir(dir.path().join(GATES)).unwrap().count(), 0);
    }
}
