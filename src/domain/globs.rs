//! Globs of paths: which files a delegate may change.
//!
//! `*` and `?` stop at a `/`, `**` does not. A glob that fits a folder fits everything in it, so `src` and `src/` both
//! mean the whole folder.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Longest glob taken, in bytes. Longer than any path that somebody types, and short enough to compile at once.
pub const GLOB_BYTES: usize = 500;

/// A list of globs, compiled. An empty list fits every path.
#[derive(Clone, Debug)]
pub struct Globs {
    set: GlobSet,
    is_empty: bool,
}

/// Why a text is no glob of paths inside a folder. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// More than [`GLOB_BYTES`].
    #[error("is longer than {GLOB_BYTES} bytes")]
    TooLong,
    /// It begins with `/`.
    #[error("is an absolute path")]
    Absolute,
    /// It has a part `..`, or `.` alone.
    #[error("has a part `.` or `..`")]
    Dots,
    /// It is not written as globs are.
    #[error("is no valid glob")]
    Syntax,
}

/// Checks one glob.
pub fn check(glob: &str) -> Result<(), BadGlob> {
    if glob.trim().is_empty() {
        return Err(BadGlob::Empty);
    }
    if glob.len() > GLOB_BYTES {
        return Err(BadGlob::TooLong);
    }
    if glob.starts_with('/') {
        return Err(BadGlob::Absolute);
    }
    if glob.split('/').any(|part| part == ".." || part == ".") {
        return Err(BadGlob::Dots);
    }
    add(&mut GlobSetBuilder::new(), glob)
}

/// Makes a glob relative to a folder into one relative to a folder above it; `prefix` is the way down. `None` when the way
/// is no UTF-8, so that no glob can name it.
pub fn below(prefix: &Path, glob: &str) -> Option<String> {
    match prefix.to_str()? {
        "" => Some(glob.to_owned()),
        prefix => Some(format!("{}/{glob}", globset::escape(prefix))),
    }
}

fn add(builder: &mut GlobSetBuilder, glob: &str) -> Result<(), BadGlob> {
    add_as(builder, glob, Letters::Exact)
}

/// Whether `A` and `a` are two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letters {
    Exact,
    Any,
}

fn add_as(builder: &mut GlobSetBuilder, glob: &str, letters: Letters) -> Result<(), BadGlob> {
    let glob = glob.trim_end_matches('/');
    for text in [glob.to_owned(), format!("{glob}/**")] {
        let built = GlobBuilder::new(&text)
            .literal_separator(true)
            .backslash_escape(true)
            .case_insensitive(letters == Letters::Any)
            .build();
        builder.add(built.map_err(|_| BadGlob::Syntax)?);
    }
    Ok(())
}

impl Globs {
    /// Compiles globs. The index of a bad one comes with the reason.
    pub fn new(globs: &[String]) -> Result<Self, (usize, BadGlob)> {
        let mut builder = GlobSetBuilder::new();
        for (at, glob) in globs.iter().enumerate() {
            check(glob).map_err(|error| (at, error))?;
            add(&mut builder, glob).map_err(|error| (at, error))?;
        }
        // Together they may be too large for one automaton; then the last one is named.
        let set = builder
            .build()
            .map_err(|_| (globs.len().saturating_sub(1), BadGlob::Syntax))?;
        Ok(Self {
            set,
            is_empty: globs.is_empty(),
        })
    }

    /// Compiles globs of what is kept back: one without a `/` fits a name in any folder, and letters fit in either case,
    /// since some file systems take them for the same. An empty list fits nothing.
    pub fn anywhere(globs: &[String]) -> Result<Self, (usize, BadGlob)> {
        let mut builder = GlobSetBuilder::new();
        for (at, glob) in globs.iter().enumerate() {
            let add_all = |builder: &mut GlobSetBuilder| {
                check(glob)?;
                add_as(builder, glob, Letters::Any)?;
                if glob.trim_end_matches('/').contains('/') {
                    return Ok(());
                }
                add_as(builder, &format!("**/{glob}"), Letters::Any)
            };
            add_all(&mut builder).map_err(|error| (at, error))?;
        }
        let set = builder
            .build()
            .map_err(|_| (globs.len().saturating_sub(1), BadGlob::Syntax))?;
        Ok(Self { set, is_empty: false })
    }

    /// Tells whether a path, relative and as bytes, fits one of them.
    pub fn fit(&self, path: &[u8]) -> bool {
        self.is_empty || self.set.is_match(Path::new(OsStr::from_bytes(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_fits_what_people_expect() {
        let check = |glob: &str, path: &str, expected: bool| {
            let globs = Globs::new(&[glob.to_owned()]).unwrap();
            assert_eq!(globs.fit(path.as_bytes()), expected, "{glob} {path}");
        };
        check("src/**", "src/a/b.rs", true);
        check("src", "src/a/b.rs", true);
        check("src/", "src/a/b.rs", true);
        check("src/*.rs", "src/a.rs", true);
        check("src/*.rs", "src/a/b.rs", false);
        check("*.rs", "a.rs", true);
        check("*.rs", "src/a.rs", false);
        check("**/*.rs", "src/a/b.rs", true);
        check("**/*.rs", "a.rs", true);
        check("src/{a,b}.rs", "src/b.rs", true);
        check("src/[ab].rs", "src/c.rs", false);
        check("a\\*b", "a*b", true);
        check("a\\*b", "axb", false);
        check("src", "srcs/a", false);
        check("SRC/**", "src/a", false);
    }

    #[test]
    fn what_is_kept_back_is_found_in_every_folder_and_spelling() {
        let check = |glob: &str, path: &str, expected: bool| {
            let globs = Globs::anywhere(&[glob.to_owned()]).unwrap();
            assert_eq!(globs.fit(path.as_bytes()), expected, "{glob} {path}");
        };
        check("*.pem", "a/b/c.pem", true);
        check("*.pem", "c.PEM", true);
        check("private", "a/private/b", true);
        check("private/", "a/private/b", true);
        check("src/*.pem", "a/src/x.pem", false);
        check("src/*.pem", "SRC/x.pem", true);
        check("*.pem", "c.pem.txt", false);
        assert!(!Globs::anywhere(&[]).unwrap().fit(b"a"));
    }

    #[test]
    fn no_globs_fit_every_path_also_one_that_is_no_text() {
        assert!(Globs::new(&[]).unwrap().fit(b"a\xff\nb"));
        assert!(Globs::new(&["a*".to_owned()]).unwrap().fit(b"a\xff\nb"));
    }

    #[test]
    fn what_leaves_the_folder_is_no_glob() {
        let check = |glob: &str, expected: Result<(), BadGlob>| assert_eq!(check(glob), expected, "{glob}");
        check("src/**", Ok(()));
        check("..a/b", Ok(()));
        check("", Err(BadGlob::Empty));
        check(" ", Err(BadGlob::Empty));
        check("/etc/*", Err(BadGlob::Absolute));
        check("../x", Err(BadGlob::Dots));
        check("a/../b", Err(BadGlob::Dots));
        check("./a", Err(BadGlob::Dots));
        check("a[", Err(BadGlob::Syntax));
        check("a{b", Err(BadGlob::Syntax));
        check(&"a".repeat(501), Err(BadGlob::TooLong));
    }

    #[test]
    fn the_way_down_is_taken_literally() {
        let glob = below(Path::new("odd [name]*"), "*.rs").unwrap();
        let globs = Globs::new(&[glob]).unwrap();
        assert!(globs.fit(b"odd [name]*/a.rs"));
        assert!(!globs.fit(b"odd n/a.rs"));
        assert_eq!(below(Path::new(""), "a").as_deref(), Some("a"));
        assert_eq!(below(Path::new(OsStr::from_bytes(b"a\xff")), "a"), None);
    }
}
