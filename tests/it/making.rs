//! Jobs as a worker leaves them, without a peer: a worktree of the vault that was edited and read back, and the records.
//! So every kind of result can be had, also those that no honest peer makes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use crosscheck::domain::delegation::{Baseline, Delegation, Diffstat, Place, ScopeReport, Work};
use crosscheck::domain::job::{JobId, WorkspaceHash};
use crosscheck::git::{Collected, Environment, Git, Keep, Oid, Renames, SnapshotOf, Vault, remove_tree};
use crosscheck::state::repositories::RepositoryFolder;
use crosscheck::state::store::Store;
use serde_json::{Value, json};

use crate::world::World;

/// A job to be.
pub(crate) struct Making<'a> {
    pub(crate) world: &'a World,
    pub(crate) vault: Vault,
    pub(crate) store: Store,
    pub(crate) base: Oid,
    pub(crate) base_tree: Oid,
    pub(crate) head: Option<String>,
    pub(crate) top: PathBuf,
    pub(crate) common: PathBuf,
}

impl<'a> Making<'a> {
    /// Takes the snapshot as a call of delegate does.
    pub(crate) fn begin(world: &'a World) -> Self {
        let variables = [
            ("PATH", std::env::var_os("PATH").unwrap()),
            ("HOME", world.home.home().into()),
        ];
        let git = Git::locate(Environment::new(
            variables.map(|(name, value)| (name.into(), value)),
        ))
        .unwrap();
        let repository = git.discover(&world.work()).unwrap();
        let store = Store::at(world.home.state());
        let folder = RepositoryFolder::of(&store, repository.common_directory());
        let vault = folder.open_vault(&repository).unwrap();
        let scratch = store.folder("scratch").unwrap();
        let snapshot = vault
            .snapshot(&repository, &SnapshotOf::WorkingTree, Keep::Objects, &scratch)
            .unwrap();
        Self {
            world,
            base: snapshot.commit.unwrap(),
            base_tree: snapshot.tree,
            head: snapshot.head.map(|head| head.as_str().to_owned()),
            top: repository.top_level().to_owned(),
            common: repository.common_directory().to_owned(),
            vault,
            store,
        }
    }

    /// Edits a worktree as a peer does, and reads it back.
    pub(crate) fn edited(&self, edit: impl FnOnce(&Path)) -> Oid {
        self.collected(edit).tree
    }

    /// As [`Self::edited`], with what is no part of the result.
    pub(crate) fn collected(&self, edit: impl FnOnce(&Path)) -> Collected {
        let place = self.world.home.private().join(format!("peer-{}", number()));
        self.vault.check_out(&place, &self.base).unwrap();
        edit(&place);
        let collected = self.vault.collect(&place, &self.base, &[]).unwrap();
        remove_tree(&place).unwrap();
        self.vault.forget(&place).unwrap();
        collected
    }

    /// Runs git in the vault.
    pub(crate) fn plumbing(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = self.world.home.command("git");
        command
            .arg("--git-dir")
            .arg(self.vault.directory())
            .args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a tree of the base with one more entry, whatever git thinks of its name.
    pub(crate) fn with_entry(&self, mode: &str, name: &str, oid: &str) -> Oid {
        let mut entries = Vec::new();
        for line in self.plumbing(&["ls-tree", self.base_tree.as_str()], b"").lines() {
            let (about, path) = line.split_once('\t').unwrap();
            let mut words = about.split(' ');
            let (mode, _, oid) = (words.next().unwrap(), words.next(), words.next().unwrap());
            entries.push((
                mode.trim_start_matches('0').to_owned(),
                path.to_owned(),
                oid.to_owned(),
            ));
        }
        entries.push((mode.to_owned(), name.to_owned(), oid.to_owned()));
        let key = |(mode, name, _): &(String, String, String)| {
            if mode == "40000" {
                format!("{name}/")
            } else {
                name.clone()
            }
        };
        entries.sort_by_key(key);
        let mut raw = Vec::new();
        for (mode, name, oid) in &entries {
            raw.extend(format!("{mode} {name}\0").as_bytes());
            raw.extend(
                (0..oid.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&oid[at..at + 2], 16).unwrap()),
            );
        }
        let oid = self.plumbing(
            &["hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
            &raw,
        );
        Oid::parse(&oid).unwrap()
    }

    /// Stores a blob in the vault.
    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        self.plumbing(&["hash-object", "-w", "--stdin"], bytes)
    }

    /// Writes the records of a job that left this tree.
    pub(crate) fn end(&self, tree: &Oid, change: impl FnOnce(&mut Delegation, &mut Work)) -> String {
        let id = JobId::new(
            1_750_000_000_000 + number(),
            WorkspaceHash::of(self.top.as_os_str().as_encoded_bytes()),
            number(),
        );
        let commit = self.vault.commit(tree, &[&self.base], "result").unwrap();
        let set = |name: &str, commit: &Oid| {
            self.vault
                .set_ref(&format!("refs/jobs/{id}/{name}"), commit)
                .unwrap();
        };
        set("base", &self.base);
        set("result", &commit);
        self.vault.keep_change(&self.base, &commit).unwrap();
        let mut delegation = Delegation {
            baseline: Baseline {
                top_level: self.top.clone(),
                common_directory: self.common.clone(),
                prefix: PathBuf::new(),
                head: self.head.clone(),
                commit: self.base.as_str().to_owned(),
                tree: self.base_tree.as_str().to_owned(),
                start: None,
                uncommitted: 0,
                files: 5,
                left_out: Vec::new(),
            },
            place: Place::Worktree,
            allowed_paths: Vec::new(),
            denied_paths: Vec::new(),
            checks: Vec::new(),
            setup: None,
            reuse: Vec::new(),
            max_files: None,
            allow_commands: Vec::new(),
            network: false,
            member: None,
            continues: None,
            cloud: None,
        };
        let changes = self.vault.changes(&self.base_tree, tree, Renames::Found).unwrap();
        let mut work = Work {
            commit: commit.as_str().to_owned(),
            tree: tree.as_str().to_owned(),
            diffstat: Diffstat {
                files: u32::try_from(changes.len()).unwrap(),
                ..Diffstat::default()
            },
            scope: ScopeReport::default(),
            ..Work::default()
        };
        change(&mut delegation, &mut work);
        let directory = self.store.directory(&id);
        fs::create_dir_all(directory.path()).unwrap();
        let spec = json!({
            "version": 2, "id": id, "kind": "delegate", "label": "make it better", "created_ms": id.created_ms(),
            "workspace": self.top, "workspace_source": "cwd", "directory": self.top, "tier": "propose",
            "isolation": "clean", "tools": "sandboxed", "web_search": false, "ephemeral": false,
            "timeout_ms": 3_600_000, "expects": {"expects": "delegate", "delegation": delegation},
            "peer": {"program": "/opt/codex", "version": "0.169.0", "servers": []}, "request_id": "r", "warnings": [],
            "egress": {"prompt_bytes": 1, "prompt_sha256": "", "files": [], "withheld": [], "masked": 0}});
        let result = json!({
            "version": 2, "state": "succeeded", "ended_ms": id.created_ms() + 1, "elapsed_ms": 1,
            "answer": {"kind": "delegate", "report": "done", "risks": [], "remaining": [], "questions": [],
                "assumptions": []},
            "work": work, "commands": [], "warnings": []});
        let write = |path: PathBuf, value: &Value| fs::write(path, value.to_string()).unwrap();
        write(directory.spec_path(), &spec);
        write(directory.result_path(), &result);
        fs::write(directory.prompt_path(), "p").unwrap();
        fs::write(directory.lock_path(), "").unwrap();
        id.to_string()
    }
}

/// A number that no other job of this process has.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Makes a job whose peer edited the files like this.
pub(crate) fn job(world: &World, edit: impl FnOnce(&Path)) -> String {
    let making = Making::begin(world);
    let tree = making.edited(edit);
    making.end(&tree, |_, _| {})
}
