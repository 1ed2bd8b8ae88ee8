//! The detectors: programs that ran, strings that left, files that changed, work that took too long.
//!
//! A detector reads the disk and `/proc` and asks nothing of the code under test. Each is shown to fire by a test here, and
//! by the negative control of each group that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// Work that one case may cost us: seconds of processor time, ours and our children's, since the machine is shared and the
/// clock on the wall measures the others as well.
pub(crate) const MOST_WORK: Duration = Duration::from_secs(1);

/// Programs that leave a file of their name when they run.
#[derive(Debug)]
pub(crate) struct Markers {
    folder: PathBuf,
}

impl Markers {
    /// Keeps programs and what they leave in a folder, which is made.
    pub(crate) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("left")).unwrap();
        fs::create_dir_all(folder.join("programs")).unwrap();
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Writes a program and returns its path. It leaves its name, reads what it is given and succeeds.
    pub(crate) fn program(&self, name: &str) -> String {
        let path = self.folder.join("programs").join(name);
        let script = format!(
            "#!/bin/sh\n{}\ncat 2>/dev/null </dev/null\nexit 0\n",
            self.command(name)
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Returns a line of shell that leaves a name.
    pub(crate) fn command(&self, name: &str) -> String {
        format!(": > '{}'", self.folder.join("left").join(name).display())
    }

    /// Returns the names of what ran.
    pub(crate) fn left(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.join("left")).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Forgets what ran, and returns it.
    pub(crate) fn take(&self) -> BTreeSet<String> {
        let left = self.left();
        for name in &left {
            fs::remove_file(self.folder.join("left").join(name)).unwrap();
        }
        left
    }
}

/// Strings that are found nowhere else, planted where nothing of ours may carry them from.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    planted: BTreeMap<String, String>,
}

impl Canaries {
    /// Makes the canary of a name. It looks like a word and like no secret, so that no rule masks it.
    pub(crate) fn plant(&mut self, name: &str) -> String {
        let mut seed = [0; 8];
        fs::File::open("/dev/urandom")
            .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut seed))
            .unwrap();
        let letters: String = seed
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from(b'a' + digit))
            .collect();
        let canary = format!("canary {letters}");
        self.planted.insert(name.to_owned(), letters);
        canary
    }

    /// Returns the names of those that are in some bytes.
    pub(crate) fn seen_in(&self, bytes: &[u8]) -> BTreeSet<String> {
        let is_in = |needle: &str| {
            bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        };
        self.planted
            .iter()
            .filter(|(_, canary)| is_in(canary))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Returns the names of those that are in a regular file below a folder, or in the name of anything there.
    pub(crate) fn seen_below(&self, folder: &Path) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                seen.extend(self.seen_in(entry.file_name().as_encoded_bytes()));
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    seen.extend(self.seen_in(&fs::read(entry.path()).unwrap_or_default()));
                }
            }
        }
        seen
    }
}

/// What lies below some places and must stay as it is: kinds, permissions, contents, link texts and times of change.
#[derive(Debug)]
pub(crate) struct Watch {
    places: Vec<PathBuf>,
    before: BTreeMap<PathBuf, String>,
}

impl Watch {
    /// Remembers what is there now. A place may be absent, and must be so later.
    pub(crate) fn over(places: impl IntoIterator<Item = PathBuf>) -> Self {
        let places: Vec<PathBuf> = places.into_iter().collect();
        let before = look_at(&places);
        Self { places, before }
    }

    /// Tells what is different now, each path with what happened to it.
    pub(crate) fn changes(&self) -> Vec<String> {
        let now = look_at(&self.places);
        let mut changes = Vec::new();
        for (path, found) in &now {
            match self.before.get(path) {
                None => changes.push(format!("{} is new", path.display())),
                Some(before) if before != found => {
                    changes.push(format!("{} was {before} and is {found}", path.display()));
                }
                Some(_) => {}
            }
        }
        let gone = self.before.keys().filter(|path| !now.contains_key(*path));
        changes.extend(gone.map(|path| format!("{} is gone", path.display())));
        changes
    }
}

fn look_at(places: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut pending = places.to_vec();
    while let Some(path) = pending.pop() {
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        let kind = about.file_type();
        // Git renews the time of an object that it would write and finds already, so that nobody collects it.
        let is_object = path.components().any(|part| part.as_os_str() == "objects");
        let time = if is_object {
            "any time".to_owned()
        } else {
            format!("{}.{}", about.mtime(), about.mtime_nsec())
        };
        let told = if kind.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| entry.path()));
            "a folder".to_owned()
        } else if kind.is_symlink() {
            format!("a link to {}", fs::read_link(&path).unwrap_or_default().display())
        } else if kind.is_file() && about.len() <= 64 * 1024 * 1024 {
            let hash = Sha256::digest(fs::read(&path).unwrap_or_default());
            format!("{} bytes {:02x?} of {time}", about.len(), &hash[..6])
        } else if kind.is_file() {
            format!("{} bytes of {time}", about.len())
        } else if kind.is_fifo() {
            "a FIFO".to_owned()
        } else {
            "special".to_owned()
        };
        found.insert(path, format!("{told}, mode {:o}", about.mode()));
    }
    found
}

/// Returns the processor time that a process and the children it waited for have used.
pub(crate) fn work_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // utime, stime, cutime and cstime are the 14th to 17th field of the whole line, in ticks of 10 ms.
    let ticks = after_name.split_whitespace().skip(11).take(4);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap_or(0)).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn each_detector_fires() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let markers = Markers::new(&top.join("markers"));
    let program = markers.program("a");
    assert_eq!(markers.left(), BTreeSet::new());
    assert!(std::process::Command::new(program).status().unwrap().success());
    assert_eq!(markers.take(), BTreeSet::from(["a".to_owned()]));
    assert_eq!(markers.left(), BTreeSet::new());

    let mut canaries = Canaries::default();
    let one = canaries.plant("one");
    canaries.plant("two");
    assert_eq!(canaries.seen_in(b"canary"), BTreeSet::new());
    fs::create_dir_all(top.join("c/d")).unwrap();
    fs::write(top.join("c/d/f"), format!("x{one}y")).unwrap();
    assert_eq!(
        canaries.seen_below(&top.join("c")),
        BTreeSet::from(["one".to_owned()])
    );

    let watch = Watch::over([top.join("c"), top.join("absent")]);
    assert_eq!(watch.changes(), Vec::<String>::new());
    fs::write(top.join("c/d/f"), "other").unwrap();
    fs::write(top.join("absent"), "").unwrap();
    std::os::unix::fs::symlink("d", top.join("c/l")).unwrap();
    assert_eq!(watch.changes().len(), 3, "{:?}", watch.changes());
    fs::remove_dir_all(top.join("c/d")).unwrap();
    assert_eq!(watch.changes().len(), 4, "{:?}", watch.changes());

    let before = work_of(std::process::id());
    while work_of(std::process::id()) < before + Duration::from_millis(20) {
        std::hint::black_box(Sha256::digest([0; 4096]));
    }
}
