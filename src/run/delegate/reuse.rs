//! Folders of the user's workspace that the worktree borrows: installed packages, which a copy of the repository has not.
//!
//! They are linked, never copied: the peer's sandbox lets its commands read them and, since they lie outside the worktree,
//! not write them. A folder that leads back into the workspace is not linked, since checks would then test the user's
//! files instead of the peer's. Neither is one that git does not ignore: it is part of the tree that the task starts from, or
//! the caller wanted it left out.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use crate::diff::text::shown_path;
use crate::sys::files;

/// Entries looked at in one folder; the largest installations have some thousand packages. More is not looked through, and
/// what was not looked through is not linked.
const ENTRIES: usize = 50_000;
/// Bytes of a file that says where a package comes from; such files have a few lines.
const POINTER_BYTES: u64 = 64 * 1024;

/// What became of the folders.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// The links, relative to the worktree's top: no part of the result.
    pub(super) links: Vec<Vec<u8>>,
    /// What the caller should know.
    pub(super) warnings: Vec<String>,
}

/// Why a folder is not linked.
#[derive(Debug, thiserror::Error)]
enum Skipped {
    /// There is none, or it is no folder of the workspace itself, or the worktree has something of its own there.
    #[error("it is not there")]
    Absent,
    /// Something in it is the workspace's own code.
    #[error(
        "`{0}` in it leads back into the workspace, so checks would test the files there instead of the peer's"
    )]
    LeadsBack(String),
    /// It is the user's work and no installation.
    #[error("git does not ignore it, so it is taken for files of the project")]
    NotIgnored,
    /// Too much is in it.
    #[error("more is in it than is looked through")]
    TooMuch,
    /// It cannot be read.
    #[error("it cannot be looked through: {0}")]
    Io(#[from] io::Error),
}

/// Links the named folders of the workspace into a worktree: those at its top, and those in the caller's folder. Only one of
/// which git, asked through `is_ignored`, says that it is ignored.
pub(super) fn link(
    top: &Path,
    prefix: &Path,
    tree: &Path,
    names: &[String],
    is_ignored: &mut dyn FnMut(&Path) -> bool,
) -> Linked {
    let mut linked = Linked::default();
    for place in places(prefix, names) {
        match link_one(top, tree, &place, is_ignored) {
            Ok(()) => linked.links.push(place.as_os_str().as_bytes().to_vec()),
            Err(Skipped::Absent) => {}
            Err(why) => linked.warnings.push(format!(
                "`{}` of the workspace is not linked into the worktree: {why}",
                shown_path(place.as_os_str().as_bytes())
            )),
        }
    }
    linked
}

/// Finds the links that [`link()`] made in a worktree, for whoever collects it without having made them. `remembered` names
/// those of an earlier job, which was told to reuse other folders.
pub(super) fn links_in(
    top: &Path,
    prefix: &Path,
    tree: &Path,
    names: &[String],
    remembered: &[Vec<u8>],
) -> Vec<Vec<u8>> {
    let remembered = remembered
        .iter()
        .map(|place| PathBuf::from(OsStr::from_bytes(place)));
    let mut links: Vec<Vec<u8>> = places(prefix, names)
        .into_iter()
        .chain(remembered)
        .filter(|place| fs::read_link(tree.join(place)).is_ok_and(|target| target == top.join(place)))
        .map(|place| place.as_os_str().as_bytes().to_vec())
        .collect();
    links.sort();
    links.dedup();
    links
}

/// Returns where the folders would be, relative to the top, each once: in the caller's folder, and at the top too, since
/// packages of a workspace with several members are often installed there.
pub fn places(prefix: &Path, names: &[String]) -> Vec<PathBuf> {
    let plain = |name: &&String| {
        let mut parts = Path::new(name.as_str()).components().peekable();
        parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let mut places = Vec::new();
    for name in names.iter().filter(plain) {
        let place = PathBuf::from(name);
        let at_top = place.strip_prefix(prefix).ok().map(Path::to_owned);
        for place in at_top.into_iter().chain([place]) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

fn link_one(
    top: &Path,
    tree: &Path,
    place: &Path,
    is_ignored: &mut dyn FnMut(&Path) -> bool,
) -> Result<(), Skipped> {
    let folder = top.join(place);
    let is_own = folder.canonicalize().is_ok_and(|real| real == folder) && folder.is_dir();
    let at = tree.join(place);
    if fs::read_link(&at).is_ok_and(|target| target == folder) && is_own {
        return Ok(());
    }
    if !is_own || fs::symlink_metadata(&at).is_ok() {
        return Err(Skipped::Absent);
    }
    // That the worktree has not got it does not say so: a task may start from a commit that has not got it either.
    if !is_ignored(place) {
        return Err(Skipped::NotIgnored);
    }
    if let Some(found) = leads_back(top, &folder)? {
        return Err(Skipped::LeadsBack(found));
    }
    let parent = place.parent().unwrap_or(Path::new(""));
    make_folders(tree, parent)?;
    symlink(&folder, &at)?;
    Ok(())
}

/// Makes the folders on the way to a place in a worktree. A link on the way is not followed: the repository chose it.
pub(super) fn make_folders(tree: &Path, way: &Path) -> io::Result<()> {
    let mut at = tree.to_owned();
    for part in way.components() {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => files::create_private_dir(&at)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Looks for the first thing in a folder that leads back into the workspace.
///
/// Packages of npm and its relatives are links beside the installed ones, at the top, in a scope, or in the store of pnpm;
/// Python's are files in `site-packages`. A folder that is neither is looked through for links in the same depth.
fn leads_back(top: &Path, folder: &Path) -> Result<Option<String>, Skipped> {
    let mut budget = ENTRIES;
    let name = |path: &Path| shown_path(path.strip_prefix(folder).unwrap_or(path).as_os_str().as_bytes());
    let mut below = Vec::new();
    for path in entries(folder, &mut budget)? {
        if is_link_into(&path, top, folder) {
            return Ok(Some(name(&path)));
        }
        if fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir()) {
            below.push(path);
        }
    }
    let stores = [".pnpm/node_modules", ".store"].map(|store| folder.join(store));
    for inner in below
        .into_iter()
        .chain(stores.into_iter().filter(|store| store.is_dir()))
    {
        for path in entries(&inner, &mut budget)? {
            if is_link_into(&path, top, folder) {
                return Ok(Some(name(&path)));
            }
            let python = path.join("site-packages");
            if python.is_dir()
                && let Some(found) = python_leads_back(top, folder, &python, &mut budget)?
            {
                return Ok(Some(name(&found)));
            }
        }
    }
    Ok(None)
}

fn entries(folder: &Path, budget: &mut usize) -> Result<Vec<PathBuf>, Skipped> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        *budget = budget.checked_sub(1).ok_or(Skipped::TooMuch)?;
        found.push(entry?.path());
    }
    found.sort_unstable();
    Ok(found)
}

/// Tells whether a link leads into the workspace and not into the folder itself. One that leads nowhere leads nowhere.
fn is_link_into(path: &Path, top: &Path, folder: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink())
        && path
            .canonicalize()
            .is_ok_and(|real| is_own_code(&real, top, folder))
}

fn is_own_code(path: &Path, top: &Path, folder: &Path) -> bool {
    path.starts_with(top) && !path.starts_with(folder)
}

/// Looks for packages that were installed in place: `pip install -e` and its relatives leave one of these.
fn python_leads_back(
    top: &Path,
    folder: &Path,
    packages: &Path,
    budget: &mut usize,
) -> Result<Option<PathBuf>, Skipped> {
    for path in entries(packages, budget)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = |path: &Path| {
            let bytes = files::read_bounded(path, POINTER_BYTES).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let extension = path.extension().unwrap_or_default();
        let found = if name.starts_with("__editable__") {
            true
        } else if extension == "pth" || extension == "egg-link" {
            // A file that cannot be read is not known to lead elsewhere.
            text(&path).is_none_or(|text| {
                text.lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty() && !line.starts_with("import"))
                    .filter_map(|line| packages.join(line).canonicalize().ok())
                    .any(|real| is_own_code(&real, top, folder))
            })
        } else if extension == "dist-info" {
            let origin = path.join("direct_url.json");
            origin.exists() && text(&origin).is_none_or(|text| names_workspace(&text, top))
        } else {
            is_link_into(&path, top, folder)
        };
        if found {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Tells whether the origin of a package is the workspace: installed in place, or a copy of what was there then.
fn names_workspace(origin: &str, top: &Path) -> bool {
    let Ok(origin) = serde_json::from_str::<serde_json::Value>(origin) else {
        return true;
    };
    let editable = origin
        .pointer("/dir_info/editable")
        .and_then(serde_json::Value::as_bool);
    let url = origin
        .get("url")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    let place = url.strip_prefix("file://").map(|path| path.replace("%20", " "));
    editable == Some(true) || place.is_some_and(|place| Path::new(&place).starts_with(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace and an empty worktree.
    struct Scene {
        _dir: tempfile::TempDir,
        top: PathBuf,
        tree: PathBuf,
    }

    impl Scene {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().canonicalize().unwrap();
            let (top, tree) = (root.join("work"), root.join("tree"));
            fs::create_dir_all(&top).unwrap();
            fs::create_dir_all(&tree).unwrap();
            Self { _dir: dir, top, tree }
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.top.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.top.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }

        fn linked(&self, names: &[&str]) -> (Vec<String>, String) {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let is_ignored = |place: &Path| !place.starts_with("kept");
            let linked = link(&self.top, Path::new("sub"), &self.tree, &names, &mut {
                is_ignored
            });
            let found = links_in(&self.top, Path::new("sub"), &self.tree, &names, &[]);
            assert_eq!(found, linked.links, "they are found again");
            let found = links_in(&self.top, Path::new("sub"), &self.tree, &[], &linked.links);
            assert_eq!(found, linked.links, "they are remembered");
            let links = linked.links.into_iter();
            (
                links.map(|link| String::from_utf8(link).unwrap()).collect(),
                linked.warnings.join("\n"),
            )
        }
    }

    #[test]
    fn folders_at_the_top_and_in_the_callers_folder_are_linked() {
        let scene = Scene::new();
        scene.write("node_modules/a/index.js", "1");
        scene.write("sub/node_modules/b/index.js", "2");
        scene.write("vendor/bundle/c", "3");
        fs::create_dir(scene.tree.join("sub")).unwrap();
        let names = [
            "sub/node_modules",
            "sub/vendor/bundle",
            ".venv",
            "../work",
            "/etc",
        ];
        let (links, warnings) = scene.linked(&names);
        assert_eq!(links, ["node_modules", "sub/node_modules", "vendor/bundle"]);
        assert_eq!(warnings, "");
        assert_eq!(
            fs::read_link(scene.tree.join("sub/node_modules")).unwrap(),
            scene.top.join("sub/node_modules")
        );
        // A worktree that is gone on with has the links already.
        assert_eq!(
            scene.linked(&["sub/node_modules"]).0,
            ["node_modules", "sub/node_modules"]
        );
    }

    #[test]
    fn what_the_worktree_has_itself_and_what_is_no_folder_is_left() {
        let scene = Scene::new();
        scene.write("node_modules/a", "1");
        fs::create_dir(scene.tree.join("node_modules")).unwrap();
        scene.write("elsewhere/a", "1");
        scene.link(".venv", "elsewhere");
        scene.write("target", "a file");
        assert_eq!(
            scene.linked(&["node_modules", ".venv", "target"]),
            (Vec::new(), String::new())
        );
    }

    #[test]
    fn what_git_does_not_ignore_is_not_linked() {
        let scene = Scene::new();
        scene.write("kept/a", "the user's own");
        let (links, warnings) = scene.linked(&["kept"]);
        assert_eq!(links, Vec::<String>::new());
        assert!(
            warnings.contains("`kept`") && warnings.contains("does not ignore it"),
            "{warnings}"
        );
    }

    #[test]
    fn a_link_of_the_repository_is_not_followed_on_the_way() {
        let scene = Scene::new();
        scene.write("vendor/bundle/c", "3");
        let outside = tempfile::tempdir().unwrap();
        symlink(outside.path(), scene.tree.join("vendor")).unwrap();
        let (links, warnings) = scene.linked(&["vendor/bundle"]);
        assert_eq!(links, Vec::<String>::new());
        assert!(warnings.contains("vendor/bundle"), "{warnings}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_leads_back_is_skipped_with_a_warning_that_names_the_place() {
        let check = |prepare: &dyn Fn(&Scene), folder: &str, named: Option<&str>| {
            let scene = Scene::new();
            scene.write("packages/own/index.js", "own");
            scene.write(&format!("{folder}/lib/python3.11/site-packages/six.py"), "");
            scene.write(&format!("{folder}/@scope/foreign/index.js"), "");
            prepare(&scene);
            let (links, warnings) = scene.linked(&[folder]);
            assert_eq!(links.is_empty(), named.is_some(), "{warnings}");
            assert!(warnings.contains(named.unwrap_or_default()), "{warnings}");
            assert_eq!(warnings.is_empty(), named.is_none(), "{warnings}");
        };
        let packages = ".venv/lib/python3.11/site-packages";
        check(
            &|scene| scene.link("node_modules/own", "../packages/own"),
            "node_modules",
            Some("`own`"),
        );
        check(
            &|scene| scene.link("node_modules/@scope/own", "../../packages/own"),
            "node_modules",
            Some("`@scope/own`"),
        );
        check(
            &|scene| scene.link("node_modules/.bin/tool", "../@scope/foreign/index.js"),
            "node_modules",
            None,
        );
        check(
            &|scene| scene.link("node_modules/gone", "../nowhere"),
            "node_modules",
            None,
        );
        check(
            &|scene| scene.write(&format!("{packages}/__editable___own_finder.py"), ""),
            ".venv",
            Some("__editable___own_finder.py"),
        );
        check(
            &|scene| scene.write(&format!("{packages}/own.pth"), "../../../../packages\n"),
            ".venv",
            Some("own.pth"),
        );
        check(
            &|scene| {
                scene.write(
                    &format!("{packages}/distutils.pth"),
                    "import os; x = '/project'\n/usr/lib\n",
                );
            },
            ".venv",
            None,
        );
        check(
            &|scene| {
                let origin = format!(r#"{{"url": "file://{}", "dir_info": {{}}}}"#, scene.top.display());
                scene.write(&format!("{packages}/own-1.dist-info/direct_url.json"), &origin);
            },
            ".venv",
            Some("own-1.dist-info"),
        );
        check(
            &|scene| {
                let origin = r#"{"url": "https://example.invalid/x.whl", "archive_info": {}}"#;
                scene.write(&format!("{packages}/x-1.dist-info/direct_url.json"), origin);
            },
            ".venv",
            None,
        );
    }
}
