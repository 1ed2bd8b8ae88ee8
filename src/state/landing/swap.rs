//! The machinery of a landing and of an undo: keep what is there, stage what shall be, swap, and put back.
//!
//! Whatever was swapped out is looked at afterwards, so that a file which somebody wrote in between is noticed and not
//! lost. Where everything stands follows from the journal and from what is on disk, never from memory, so the same code
//! takes back a landing that failed and one whose process was killed.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::state::error::StateError;
use crate::state::landing::Node;
use crate::state::landing::journal::{self, BEFORE, Entry, Journal, Kept, LANDED, LATE, STAGED, SWEPT, Side};
use crate::state::landing::node::{copy, copy_file, look_at, look_below};
use crate::state::landing::plan::{Content, Folders, Target, changed, plan};
use crate::sys::confined::{Exchanged, Modified, Place, Top, Way};
use crate::sys::files;
use crate::sys::seam::{self, Operation};

/// Bytes of a kept link's text; systems hold less.
pub(super) const LINK_BYTES: u64 = 64 * 1024;

/// Bytes of randomness in the names of temporary files.
const TOKEN_BYTES: usize = 8;

/// How a swap goes through its steps; tests stop at one, or write where nobody should.
#[derive(Clone, Copy)]
pub(super) struct Pace<'a> {
    /// Called after each step with its name.
    pub at: &'a dyn Fn(&'static str),
    /// How two files change places.
    pub exchanging: Exchanging,
}

/// How two files change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchanging {
    /// In one step where the file system can.
    AtOnce,
    /// In moves, as on file systems that cannot.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests go where no file system here leads")
    )]
    InSteps,
}

impl Pace<'static> {
    /// Straight on.
    pub(super) const STRAIGHT: Self = Self {
        at: &passed,
        exchanging: Exchanging::AtOnce,
    };
}

/// Marks a step for the harness. The steps in which two files change places on some file systems are not among them.
fn passed(step: &'static str) {
    match step {
        "checked" => seam::point("landing.checked"),
        "journaled" => seam::point("landing.journaled"),
        "staging" => seam::point("landing.staging"),
        "staged" => seam::point("landing.staged"),
        "swapped" => seam::point("landing.swapped"),
        "folder removed" => seam::point("landing.folder_removed"),
        "folder made" => seam::point("landing.folder_made"),
        "in place" => seam::point("landing.in_place"),
        "landed" => seam::point("landing.landed"),
        "sweeping" => seam::point("landing.sweeping"),
        "putting back" => seam::point("landing.putting_back"),
        _ => {}
    }
}

/// Why a swap did not go through.
#[derive(Debug)]
pub(super) enum Trouble {
    /// These are not what they must be.
    Changed(Vec<Vec<u8>>),
    /// The working tree failed.
    Io(io::Error),
    /// The journal failed.
    State(StateError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<StateError> for Trouble {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// A landing or an undo under way.
pub(super) struct Swap<'a> {
    /// The working tree.
    pub top: Top,
    /// The folder of the journal.
    pub folder: &'a Path,
    /// The journal.
    pub journal: Journal,
    /// Called at each step.
    pub pace: Pace<'a>,
}

impl<'a> Swap<'a> {
    /// Goes on where a journal stands.
    pub(super) fn resume(folder: &'a Path, journal: Journal, pace: Pace<'a>) -> io::Result<Self> {
        Ok(Self {
            top: Top::open(&journal.top_level())?,
            folder,
            journal,
            pace,
        })
    }

    /// Checks all targets and writes the journal with what is there now. Changes nothing in the working tree.
    pub(super) fn prepare(mut self, targets: &[Target<'_>], folders: &Folders) -> Result<Self, Trouble> {
        let moved = changed(&self.top, targets)?;
        if !moved.is_empty() {
            return Err(Trouble::Changed(moved));
        }
        let planned = plan(&self.top, targets, folders, &token()?)?.map_err(Trouble::Changed)?;
        (self.pace.at)("checked");
        let mut moved = Vec::new();
        for (target, temporary) in targets.iter().zip(planned.temporaries) {
            let number = self.journal.entries.len();
            let kept = match target.before {
                Node::File { .. } | Node::Link { .. } => {
                    let kept = self.keep(target, number)?;
                    if kept.is_none() {
                        moved.push(target.path.to_vec());
                    }
                    kept
                }
                Node::Absent | Node::Folder | Node::Other => None,
            };
            self.journal.entries.push(Entry {
                side: Side {
                    path: target.path.to_vec(),
                    before: target.before.clone(),
                    after: target.after.clone(),
                },
                temporary,
                kept,
            });
        }
        if !moved.is_empty() {
            return Err(Trouble::Changed(moved));
        }
        self.journal.removed = planned.removed;
        self.journal.made = planned.made;
        let before = self.folder.join(BEFORE);
        files::sync_dir(&before).map_err(StateError::io("write", before))?;
        self.journal.write(self.folder)?;
        (self.pace.at)("journaled");
        Ok(self)
    }

    /// Copies what is at a target; nothing when it is not what it must be.
    fn keep(&self, target: &Target<'_>, number: usize) -> Result<Option<Kept>, Trouble> {
        let place = self.top.place(target.path)?;
        let Some(about) = place.about()? else {
            return Ok(None);
        };
        let path = self.folder.join(BEFORE).join(number.to_string());
        let mut file = files::open_private(files::private().create_new(true).write(true), &path)
            .map_err(StateError::io("write", &path))?;
        let found = copy(&place, &mut Counted(&mut file)).map_err(|error| {
            // Reading and writing fail alike; a disk that is full is ours.
            StateError::io("copy a file to", &path)(error)
        })?;
        files::sync(&file).map_err(StateError::io("write", &path))?;
        Ok((found == target.before).then_some(Kept {
            number,
            mode: Some(about.mode),
            modified: Some((about.modified.seconds, about.modified.nanoseconds)),
        }))
    }

    /// Writes everything new beside its target. A full disk shows here, while nothing has changed yet.
    pub(super) fn stage(&self, targets: &[Target<'_>]) -> Result<(), Trouble> {
        for (target, entry) in targets.iter().zip(&self.journal.entries) {
            let Some(content) = &target.content else { continue };
            let place = self.top.place(&entry.temporary)?;
            if matches!(target.after, Node::Link { .. }) {
                place.make_link(&self.link_text(content)?)?;
            } else {
                // The bits of a link say nothing about a file.
                let kept = entry
                    .kept
                    .as_ref()
                    .filter(|_| matches!(target.before, Node::File { .. }));
                let file = create(&place, &target.after, target.mode, kept)?;
                let node = write(content, &file, &target.after)?;
                if node != target.after {
                    return Err(
                        StateError::damaged(self.folder, "the kept bytes are not what they were").into(),
                    );
                }
                files::sync(&file)?;
            }
            if let Some(modified) = target.modified {
                place.set_modified(modified)?;
            }
            (self.pace.at)("staging");
        }
        journal::mark(self.folder, STAGED)?;
        (self.pace.at)("staged");
        Ok(())
    }

    fn link_text(&self, content: &Content<'_>) -> Result<Vec<u8>, Trouble> {
        match content {
            Content::Bytes(bytes) => Ok(bytes.to_vec()),
            Content::Kept(path) => {
                Ok(files::read_bounded(path, LINK_BYTES).map_err(StateError::io("read", self.folder))?)
            }
        }
    }

    /// Puts everything into place and marks it `landed`. After an error the caller takes it back.
    pub(super) fn swap(&self) -> Result<(), Trouble> {
        let entries = &self.journal.entries;
        for entry in entries.iter().filter(|entry| entry.side.after == Node::Absent) {
            let (path, aside) = self.places(entry)?;
            path.move_to(&aside).map_err(changed_if_gone(entry))?;
            (self.pace.at)("swapped");
            check_out(entry, &aside)?;
        }
        for removed in &self.journal.removed {
            let place = self.top.place(&removed.path)?;
            match place.remove_folder() {
                // Somebody put a file into it. It only matters where a file of ours is to take its place, and that fails.
                Err(error) if is_in_use(&error) => {}
                outcome => outcome?,
            }
            (self.pace.at)("folder removed");
        }
        for made in &self.journal.made {
            match self.top.place(&made.path)?.make_folder(made.mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                outcome => outcome?,
            }
            (self.pace.at)("folder made");
        }
        for entry in entries.iter().filter(|entry| entry.side.after != Node::Absent) {
            let (path, waiting) = self.places(entry)?;
            if entry.kept.is_none() {
                waiting.move_to(&path).map_err(changed_if_gone(entry))?;
                (self.pace.at)("swapped");
                continue;
            }
            exchange(&path, &waiting, &self.top.place(&aside_name(entry))?, self.pace)
                .map_err(changed_if_gone(entry))?;
            (self.pace.at)("swapped");
            check_out(entry, &waiting)?;
        }
        self.sync_folders()?;
        (self.pace.at)("in place");
        journal::mark(self.folder, LANDED)?;
        (self.pace.at)("landed");
        Ok(())
    }

    fn sync_folders(&self) -> io::Result<()> {
        let mut folders: Vec<&[u8]> = Vec::new();
        for entry in &self.journal.entries {
            for path in [&entry.side.path, &entry.temporary] {
                let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                folders.push(&path[..end]);
            }
        }
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            if folder.is_empty() {
                self.top.sync()?;
                continue;
            }
            // A folder that was emptied is gone, or a file or link is in its place; that name is in a folder of the list.
            if let Way::Reached(place) = self.top.way(&[folder, b"/x"].concat())? {
                place.sync_folder()?;
            }
        }
        Ok(())
    }

    /// Deletes what was swapped out of the working tree. Returns the paths of which somebody wrote to the earlier file after
    /// it was swapped out; what they wrote is in the folder `late`.
    pub(super) fn sweep(&self) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut late = Vec::new();
        for (number, entry) in self.journal.entries.iter().enumerate() {
            let Ok(place) = self.top.place(&entry.temporary) else {
                continue;
            };
            if self.discard(&place, number, &[&entry.side.before])? {
                late.push(entry.side.path.clone());
            }
            (self.pace.at)("sweeping");
        }
        journal::mark(self.folder, SWEPT)?;
        Ok(late)
    }

    /// Deletes a temporary file. One that holds none of what is known is kept in the folder `late` first, and told.
    pub(super) fn discard(&self, place: &Place, number: usize, known: &[&Node]) -> Result<bool, Trouble> {
        let found = look_at(place)?;
        if !matches!(found, Node::File { .. } | Node::Link { .. }) {
            return Ok(false);
        }
        let is_late = !known.iter().any(|known| same_content(known, &found));
        if is_late {
            let late = self.folder.join(LATE);
            files::create_private_dir(&late).map_err(StateError::io("make", &late))?;
            let path = late.join(number.to_string());
            let mut file = File::create(&path).map_err(StateError::io("write", &path))?;
            copy(place, &mut Counted(&mut file)).map_err(StateError::io("write", &path))?;
            files::sync(&file).map_err(StateError::io("write", &path))?;
        }
        place.remove()?;
        Ok(is_late)
    }

    /// Returns where an entry belongs, and where it waits.
    pub(super) fn places(&self, entry: &Entry) -> Result<(Place, Place), Trouble> {
        let changed = |_| Trouble::Changed(vec![entry.side.path.clone()]);
        Ok((
            self.top.place(&entry.side.path).map_err(changed)?,
            self.top.place(&entry.temporary).map_err(changed)?,
        ))
    }

    /// Looks at a path of the working tree.
    pub(super) fn look(&self, path: &[u8]) -> Result<Node, Trouble> {
        Ok(look_below(&self.top, path)?)
    }
}

/// Makes sure that what was swapped out is what the caller saw.
fn check_out(entry: &Entry, place: &Place) -> Result<(), Trouble> {
    if look_at(place)? == entry.side.before {
        Ok(())
    } else {
        Err(Trouble::Changed(vec![entry.side.path.clone()]))
    }
}

/// A change of permission bits alone is no content of anybody's.
fn same_content(one: &Node, other: &Node) -> bool {
    match (one, other) {
        (Node::File { sha256: one, .. }, Node::File { sha256: other, .. })
        | (Node::Link { sha256: one }, Node::Link { sha256: other }) => one == other,
        _ => false,
    }
}

/// The name beside a temporary one that file systems need which cannot exchange.
pub(super) fn aside_name(entry: &Entry) -> Vec<u8> {
    [entry.temporary.as_slice(), b"-old"].concat()
}

/// Exchanges two files. Where the file system cannot, the earlier one is moved aside first: for a moment nothing is at the
/// path, and nothing that somebody wrote is ever replaced.
pub(super) fn exchange(path: &Place, waiting: &Place, aside: &Place, pace: Pace<'_>) -> io::Result<()> {
    if pace.exchanging == Exchanging::AtOnce && path.exchange_with(waiting)? == Exchanged::Done {
        return Ok(());
    }
    path.move_to(aside)?;
    (pace.at)("moved aside");
    waiting.move_to(path)?;
    (pace.at)("moved in");
    aside.move_to(waiting)
}

/// Makes a file beside its target. A new one gets what the process's umask leaves, as git does it; one that replaces a file
/// keeps its bits but for the right to execute it, and for those that let others run it as its owner: they were given to
/// other bytes.
fn create(place: &Place, after: &Node, exact: Option<u32>, kept: Option<&Kept>) -> io::Result<File> {
    let executable = matches!(after, Node::File { executable: true, .. });
    let mode = exact.or_else(|| Some(with_execute(kept?.mode? & 0o777, executable)));
    let Some(mode) = mode else {
        return place.create(if executable { 0o777 } else { 0o666 });
    };
    let file = place.create(0o600)?;
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(mode))?;
    Ok(file)
}

/// Gives or takes the right to execute: to whoever may read, as git does it, and from all.
fn with_execute(mode: u32, executable: bool) -> u32 {
    match (executable, mode & 0o100 != 0) {
        (true, false) => mode | ((mode & 0o444) >> 2) | 0o100,
        (false, true) => mode & !0o111,
        _ => mode,
    }
}

fn write(content: &Content<'_>, mut file: &File, after: &Node) -> Result<Node, Trouble> {
    let executable = matches!(after, Node::File { executable: true, .. });
    match content {
        Content::Bytes(bytes) => {
            seam::write_all(&mut file, bytes)?;
            Ok(after.clone())
        }
        Content::Kept(path) => {
            let mut kept = files::open_regular(path).map_err(StateError::io("read", path))?;
            Ok(copy_file(&mut kept, executable, &mut Counted(&mut file))?)
        }
    }
}

fn changed_if_gone(entry: &Entry) -> impl FnOnce(io::Error) -> Trouble {
    let path = entry.side.path.clone();
    move |error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            Trouble::Changed(vec![path])
        }
        _ => Trouble::Io(error),
    }
}

fn is_in_use(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
    )
}

fn token() -> io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(crate::domain::fingerprint::hex(&bytes))
}

/// Writes through the seam, so that the harness's disk can be full.
struct Counted<'a, W>(&'a mut W);

impl<W: io::Write> io::Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        seam::before(Operation::Write)?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A time of change as a journal keeps it.
pub(super) fn modified(kept: &Kept) -> Option<Modified> {
    kept.modified
        .map(|(seconds, nanoseconds)| Modified { seconds, nanoseconds })
}
