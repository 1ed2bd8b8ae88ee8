//! Repositories that cannot be read as they should: damaged, endless, blocking, oversized.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Place, Poison, fifo, write};

pub(crate) const TABLE: &[(&str, Poison)] = &[
    ("the index is noise", |p| p.write(".git/index", [0xa5; 5000])),
    ("the index claims four billion entries", |p| {
        p.write(".git/index", b"DIRC\0\0\0\x02\xff\xff\xff\xff".repeat(20));
    }),
    ("the index is cut off", |p| {
        let bytes = fs::read(p.dot_git().join("index")).unwrap();
        p.write(".git/index", &bytes[..bytes.len() / 2]);
    }),
    (
        "the index holds paths of the git directory and ways out",
        hostile_index,
    ),
    ("the index is a split one whose other half is a link", |p| {
        p.git(&["update-index", "--split-index"]);
        let entries = fs::read_dir(p.dot_git()).unwrap().flatten();
        let shared = entries
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains("sharedindex"));
        let shared = shared.unwrap();
        fs::rename(&shared, p.beside.join("shared")).unwrap();
        symlink(&p.secret, shared).unwrap();
    }),
    ("packed refs are noise of five megabytes", |p| {
        p.write(
            ".git/packed-refs",
            b"# pack-refs with: peeled fully-peeled sorted \n0123 refs/x\n".repeat(80_000),
        );
    }),
    ("the configuration has ten megabytes", |p| {
        let mut config = fs::read(p.dot_git().join("config")).unwrap();
        config.extend(b"[x]\n\ty = zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n".repeat(220_000));
        p.write(".git/config", config);
    }),
    ("one value of the configuration has a megabyte", |p| {
        let mut config = fs::read(p.dot_git().join("config")).unwrap();
        config.extend(format!("[x]\n\ty = {}\n", "z".repeat(1_000_000)).as_bytes());
        p.write(".git/config", config);
    }),
    ("the configuration includes itself", |p| {
        let config = p.dot_git().join("config");
        p.config("include.path", config.to_str().unwrap());
    }),
    ("two configurations include each other many times", |p| {
        for (one, other) in [("one", "two"), ("two", "one")] {
            let path = p.beside.join(other);
            let line = format!("[include]\n\tpath = {}\n", path.display());
            write(&p.beside.join(one), line.repeat(50).as_bytes());
        }
        p.write(
            ".git/config",
            format!(
                "[core]\n\trepositoryformatversion = 0\n[include]\n\tpath = {}\n",
                p.beside.join("one").display()
            ),
        );
    }),
    ("packed refs are a terabyte of holes", |p| {
        holes(&p.dot_git().join("packed-refs"));
    }),
    ("HEAD is a terabyte of holes", |p| {
        holes(&p.dot_git().join("HEAD"));
    }),
    ("ignored names are a terabyte of holes", |p| {
        holes(&p.top.join(".gitignore"));
    }),
    ("the index is a terabyte of holes", |p| {
        holes(&p.dot_git().join("index"));
    }),
    ("the configuration is no configuration", |p| {
        p.write(".git/config", "[core\n\tx = \"\n");
    }),
    ("an unknown format of repositories", |p| {
        p.config("core.repositoryFormatVersion", "1");
        p.config("extensions.unheardOf", "true");
    }),
    ("the configuration is a FIFO", |p| {
        fifo(&p.dot_git().join("config"));
    }),
    ("an included configuration is a FIFO", |p| {
        fifo(&p.beside.join("pipe"));
        p.config("include.path", p.beside.join("pipe").to_str().unwrap());
    }),
    ("HEAD is a FIFO", |p| fifo(&p.dot_git().join("HEAD"))),
    ("the branch is a FIFO", |p| {
        fifo(&p.dot_git().join("refs/heads/topic"));
    }),
    ("packed refs are a FIFO", |p| {
        fifo(&p.dot_git().join("packed-refs"));
    }),
    ("the index is a FIFO", |p| fifo(&p.dot_git().join("index"))),
    ("commondir is a FIFO", |p| fifo(&p.dot_git().join("commondir"))),
    ("alternates are a FIFO", |p| {
        fifo(&p.dot_git().join("objects/info/alternates"));
    }),
    ("an object is a FIFO", |p| {
        let blob = p.git(&["rev-parse", "HEAD:a.d"]);
        fifo(&p.dot_git().join("objects").join(&blob[..2]).join(&blob[2..]));
    }),
    (".git is a FIFO", |p| {
        fs::remove_dir_all(p.dot_git()).unwrap();
        fifo(&p.dot_git());
    }),
    (".gitattributes is a FIFO", |p| {
        fifo(&p.top.join(".gitattributes"));
    }),
    (".gitignore is a FIFO", |p| fifo(&p.top.join(".gitignore"))),
    (".gitignore of a folder below is a FIFO", |p| {
        fifo(&p.top.join("sub/.gitignore"));
    }),
    (".gitmodules is a FIFO", |p| fifo(&p.top.join(".gitmodules"))),
    ("a tracked file is a FIFO", |p| fifo(&p.top.join("f"))),
    ("AGENTS.md is a FIFO", |p| fifo(&p.top.join("AGENTS.md"))),
    (".git/info/exclude and attributes are FIFOs", |p| {
        fifo(&p.dot_git().join("info/exclude"));
        fifo(&p.dot_git().join("info/attributes"));
    }),
    (".git/shallow is a FIFO", |p| fifo(&p.dot_git().join("shallow"))),
    ("ignored names are a device without an end", |p| {
        symlink("/dev/zero", p.top.join(".gitignore")).unwrap();
        p.config("core.excludesFile", "/dev/zero");
        p.config("core.attributesFile", "/dev/urandom");
    }),
    ("the configuration includes a device without an end", |p| {
        p.config("include.path", "/dev/zero");
    }),
    (".git is a link to itself", |p| {
        fs::remove_dir_all(p.dot_git()).unwrap();
        symlink(".git", p.dot_git()).unwrap();
    }),
    (".git is a file that names itself", |p| {
        fs::remove_dir_all(p.dot_git()).unwrap();
        p.write(".git", "gitdir: .git\n");
    }),
    (".git is a file of noise", |p| {
        fs::remove_dir_all(p.dot_git()).unwrap();
        p.write(".git", vec![b'x'; 100_000]);
    }),
    ("ten thousand packs that are none", |p| {
        for number in 0..10_000 {
            p.write(&format!(".git/objects/pack/pack-{number:040}.idx"), "");
        }
    }),
    ("a branch whose name is full of terminal codes", |p| {
        p.write(".git/HEAD", "ref: refs/heads/\u{1b}[31m\u{202e}x\n");
    }),
    ("a reftable that is none", |p| {
        p.config("core.repositoryFormatVersion", "1");
        p.config("extensions.refStorage", "reftable");
        p.write(".git/reftable/tables.list", "../../../x\n");
    }),
];

/// A file of a terabyte that takes no room.
fn holes(path: &std::path::Path) {
    fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
}

/// Writes an index with names that git itself refuses to add.
fn hostile_index(p: &Place<'_>) {
    use sha1_of_index as checksum;
    let blob = p.git(&["rev-parse", "HEAD:f"]);
    let oid: Vec<u8> = (0..40)
        .step_by(2)
        .map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap())
        .collect();
    let mut names = [
        ".git/config",
        "../outside",
        "/etc/passwd",
        "a//b",
        "sub/../../x",
        ".GIT/hooks/pre-commit",
    ];
    names.sort_unstable();
    let mut bytes = b"DIRC\0\0\0\x02".to_vec();
    bytes.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
    for name in names {
        let begin = bytes.len();
        bytes.extend([0; 24]);
        bytes.extend(0o100_644_u32.to_be_bytes());
        bytes.extend([0; 12]);
        bytes.extend(&oid);
        bytes.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(name.as_bytes());
        let filled = 8 - (bytes.len() - begin) % 8;
        bytes.extend(vec![0; filled]);
    }
    bytes.extend(checksum());
    p.write(".git/index", bytes);
    p.config("index.skipHash", "true");
}

/// No checksum: git takes twenty zeros for one that was left out.
fn sha1_of_index() -> [u8; 20] {
    [0; 20]
}
