//! The settings of a repository that change what a diff shows, picked from an allow-list and checked value by value.
//!
//! Everything else of a repository's configuration (drivers, hooks, remotes, aliases, includes) never reaches the
//! private git directory, because nothing but the names below is copied.

use std::fmt::Write as _;

/// What a copied setting may hold.
#[derive(Clone, Copy)]
enum Allowed {
    /// A truth value; written back as `true` or `false`.
    Bool,
    /// One of these words, or a truth value.
    Words(&'static [&'static str]),
}

/// Section, name, what it may hold. Keys as git lists them: section and name in lower case.
const COPIED: [(&str, &str, Allowed); 14] = [
    ("core", "ignorecase", Allowed::Bool),
    ("core", "filemode", Allowed::Bool),
    ("core", "symlinks", Allowed::Bool),
    ("core", "trustctime", Allowed::Bool),
    ("core", "precomposeunicode", Allowed::Bool),
    ("core", "protecthfs", Allowed::Bool),
    ("core", "protectntfs", Allowed::Bool),
    ("core", "sparsecheckout", Allowed::Bool),
    ("core", "sparsecheckoutcone", Allowed::Bool),
    ("core", "autocrlf", Allowed::Words(&["input"])),
    ("core", "eol", Allowed::Words(&["lf", "crlf", "native"])),
    ("core", "checkstat", Allowed::Words(&["default", "minimal"])),
    (
        "diff",
        "algorithm",
        Allowed::Words(&["default", "myers", "minimal", "patience", "histogram"]),
    ),
    ("diff", "indentheuristic", Allowed::Bool),
];

/// What of a repository's effective configuration is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Copied settings: section, name, value.
    copied: Vec<(&'static str, &'static str, String)>,
    /// `core.excludesFile` as it is written; its home is not expanded.
    pub excludes_file: Option<Vec<u8>>,
    /// `core.attributesFile`, likewise.
    pub attributes_file: Option<Vec<u8>>,
    /// Whether only a part of the tree is checked out.
    pub is_sparse: bool,
    /// Whether a remote promises objects that are not here.
    pub is_partial_clone: bool,
}

impl Settings {
    /// Reads the output of `git config --list -z`. Later entries win, as they do for git.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut settings = Self::default();
        for entry in bytes.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()) {
            let at = entry.iter().position(|&byte| byte == b'\n');
            let (key, value) = match at {
                Some(at) => (&entry[..at], Some(&entry[at + 1..])),
                // A name without `=` means true.
                None => (entry, None),
            };
            settings.take(key, value);
        }
        settings
    }

    fn take(&mut self, key: &[u8], value: Option<&[u8]>) {
        match key {
            b"core.excludesfile" => self.excludes_file = value.map(<[u8]>::to_vec),
            b"core.attributesfile" => self.attributes_file = value.map(<[u8]>::to_vec),
            b"extensions.partialclone" => self.is_partial_clone = true,
            _ if key.starts_with(b"remote.") && key.ends_with(b".promisor") => {
                self.is_partial_clone |= read_bool(value) == Some(true);
            }
            _ => self.copy(key, value),
        }
    }

    fn copy(&mut self, key: &[u8], value: Option<&[u8]>) {
        let named = COPIED
            .iter()
            .find(|(section, name, _)| key == format!("{section}.{name}").as_bytes());
        let Some(&(section, name, allowed)) = named else {
            return;
        };
        let Some(value) = read_value(allowed, value) else {
            return;
        };
        if name == "sparsecheckout" {
            self.is_sparse = value == "true";
        }
        self.copied
            .retain(|(other_section, other, _)| (*other_section, *other) != (section, name));
        self.copied.push((section, name, value));
    }

    /// Writes the copied settings as lines of a configuration file. All words come from this module.
    pub(super) fn to_config(&self) -> String {
        self.write(|_| true)
    }

    /// Writes those that hold for the repository's content wherever it is checked out.
    pub(super) fn to_config_elsewhere(&self) -> String {
        self.write(|name| !OF_ONE_WORKING_TREE.contains(&name))
    }

    /// Writes those that say how the working tree at hand holds its files, without the conversions.
    pub(super) fn to_config_raw(&self) -> String {
        self.write(|name| !matches!(name, "autocrlf" | "eol" | "sparsecheckoutcone"))
    }

    /// Tells whether git converts the ends of lines without being told to by an attribute.
    pub(super) fn converts_unasked(&self) -> bool {
        self.copied
            .iter()
            .any(|(_, name, value)| *name == "autocrlf" && value != "false")
    }

    fn write(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        for (section, name, value) in &self.copied {
            if is_wanted(name) {
                let _ = writeln!(text, "[{section}]\n\t{name} = {value}");
            }
        }
        text
    }
}

/// Copied settings that say how one working tree holds its files. Ours holds them byte for byte, whole, on another disk.
const OF_ONE_WORKING_TREE: [&str; 9] = [
    "ignorecase",
    "filemode",
    "symlinks",
    "trustctime",
    "checkstat",
    "sparsecheckout",
    "sparsecheckoutcone",
    "autocrlf",
    "eol",
];

fn read_value(allowed: Allowed, value: Option<&[u8]>) -> Option<String> {
    if let Some(truth) = read_bool(value) {
        return Some(truth.to_string());
    }
    match allowed {
        Allowed::Bool => None,
        Allowed::Words(words) => words
            .iter()
            .find(|word| value.is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes())))
            .map(|word| (*word).to_owned()),
    }
}

fn read_bool(value: Option<&[u8]>) -> Option<bool> {
    let Some(value) = value else { return Some(true) };
    match value.to_ascii_lowercase().as_slice() {
        b"true" | b"yes" | b"on" | b"1" => Some(true),
        b"false" | b"no" | b"off" | b"0" | b"" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_settings_with_known_values_are_copied() {
        let settings = Settings::parse(
            b"core.filemode\nfalse\0core.ignorecase\0core.autocrlf\nInput\0core.autocrlf\ntrue\0\
              core.eol\nlf\n[alias]\n\tx = !touch y\0core.fsmonitor\n/evil\0filter.a=b.clean\nevil\0\
              diff.external\nevil\0core.symlinks\nmaybe\0diff.algorithm\nhistogram\0",
        );
        assert_eq!(
            settings.to_config(),
            "[core]\n\tfilemode = false\n[core]\n\tignorecase = true\n[core]\n\tautocrlf = true\n\
             [diff]\n\talgorithm = histogram\n"
        );
    }

    #[test]
    fn what_else_must_be_known_is_read() {
        let settings = Settings::parse(
            b"core.excludesfile\n~/ignore\0core.sparsecheckout\ntrue\0remote.o.promisor\ntrue\0",
        );
        assert_eq!(settings.excludes_file.as_deref(), Some(&b"~/ignore"[..]));
        assert!(settings.is_sparse && settings.is_partial_clone);
        assert_eq!(Settings::parse(b""), Settings::default());
    }
}
