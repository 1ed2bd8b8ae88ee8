//! Which file system a path is on, from the kernel's table of mounts. Only Linux has one.

use std::fs;
use std::path::{Path, PathBuf};

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// Its type, as `ext4` or `nfs4`.
    pub kind: String,
    /// Its options, those of the mount before those of the file system.
    pub options: Vec<String>,
}

/// Finds the file system of a path, which exists; `None` where the system does not tell.
pub fn mount_of(path: &Path) -> Option<Mount> {
    let path = fs::canonicalize(path).ok()?;
    let table = fs::read("/proc/self/mountinfo").ok()?;
    find(&table, &path)
}

/// Finds the mount with the longest point above the path; of several at one point the last covers the others.
fn find(table: &[u8], path: &Path) -> Option<Mount> {
    // Somebody may have mounted something under a name that is no text.
    String::from_utf8_lossy(table)
        .lines()
        .filter_map(parse_line)
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

/// Parses `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda rw`, with any number of fields before the dash.
fn parse_line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let (point, own) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, shared) = (after.next()?, after.nth(1).unwrap_or_default());
    let options = own.split(',').chain(shared.split(','));
    Some(Mount {
        point: unescape(point),
        kind: kind.to_owned(),
        options: options
            .filter(|option| !option.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// Undoes the kernel's `\040` for a blank, a tab, a newline or a backslash.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 4).filter(|_| *byte == b'\\');
        if let Some(code) = code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            plain.push(code);
            at += 4;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    std::ffi::OsString::from_vec(plain).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw shared:2 master:3 - nfs server:/home rw,vers=3,local_lock=flock
31 30 0:31 / /home/a\\040b rw - tmpfs tmpfs rw,size=4m
32 22 0:32 / /old rw - tmpfs tmpfs rw
33 22 0:33 / /old ro - xfs /dev/sdb ro
a line that nobody knows";

    #[test]
    fn a_path_is_on_the_deepest_and_last_mount_above_it() {
        let check = |path: &str, kind: &str| {
            assert_eq!(
                find(TABLE.as_bytes(), Path::new(path)).map(|mount| mount.kind),
                Some(kind.to_owned())
            );
        };
        check("/var", "ext4");
        check("/home", "nfs");
        check("/home/a", "nfs");
        check("/home/a b/c", "tmpfs");
        check("/homes", "ext4");
        check("/old/x", "xfs");
    }

    #[test]
    fn a_mount_with_an_odd_name_hides_no_other() {
        let table = [b"23 22 0:9 / /odd\xff rw - tmpfs tmpfs rw\n", TABLE.as_bytes()].concat();
        let kind = find(&table, Path::new("/home")).map(|mount| mount.kind);
        assert_eq!(kind.as_deref(), Some("nfs"));
    }

    #[test]
    fn both_lists_of_options_count() {
        let mount = find(TABLE.as_bytes(), Path::new("/home")).unwrap();
        assert_eq!(mount.options, ["rw", "rw", "vers=3", "local_lock=flock"]);
    }

    proptest! {
        #[test]
        fn any_table_is_read(table in "([0-9a-z/\\\\, :-]{0,60}\n){0,5}", path in "/[a-z/]{0,9}") {
            let _ = find(table.as_bytes(), Path::new(&path));
        }

        #[test]
        fn what_the_kernel_escapes_comes_back(name in "[a-z \t\\\\é]{1,12}") {
            let escaped: String = name
                .chars()
                .map(|letter| match letter {
                    ' ' => "\\040".to_owned(),
                    '\t' => "\\011".to_owned(),
                    '\\' => "\\134".to_owned(),
                    letter => letter.to_string(),
                })
                .collect();
            let line = format!("1 1 0:1 / /{escaped} rw - ext4 disk rw");
            prop_assert_eq!(parse_line(&line).map(|mount| mount.point), Some(PathBuf::from(format!("/{name}"))));
        }
    }
}
