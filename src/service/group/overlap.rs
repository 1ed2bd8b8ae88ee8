//! What two tasks of a group have in common, told before anybody lands both.

use serde::Serialize;

use crate::diff::text::shown_path;
use crate::domain::delegation::{ChangedFile, Work};
use crate::git::{self, Git, Merged, Oid, Vault};
use crate::service::context::Service;
use crate::state::repositories::RepositoryFolder;

/// Files named for one pair.
const NAMED: usize = 10;

/// The result of a task that would be landed.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The task.
    pub task: String,
    /// Its result.
    pub work: Work,
    /// The tree that it started from.
    pub base: String,
}

/// Two tasks that change the same files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The tasks.
    pub tasks: [String; 2],
    /// Files that both change, at most `NAMED`.
    pub files: Vec<String>,
    /// More of them.
    pub more_files: usize,
    /// Whether both fit together, tried on what they started from.
    pub together: Together,
    /// The files in which they do not.
    pub conflicts: Vec<String>,
}

/// What a trial merge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Together {
    /// They merge.
    Clean,
    /// They do not.
    Conflicts,
    /// It could not be tried.
    Unknown,
}

/// Compares the results of different tasks with each other, on a thread that may block. Pairs without a common file are left
/// out.
pub async fn forecast(
    service: &Service,
    folder: RepositoryFolder,
    candidates: Vec<Candidate>,
) -> Vec<Overlap> {
    comparing(service, folder, move |vault| {
        let mut found = Vec::new();
        for (at, one) in candidates.iter().enumerate() {
            let others = candidates[at + 1..].iter();
            found.extend(others.filter_map(|other| compare(vault, one, other)));
        }
        found
    })
    .await
}

/// Compares one result with those of other tasks, which are no candidates together, such as attempts at one of them.
pub async fn forecast_for(
    service: &Service,
    folder: RepositoryFolder,
    one: Candidate,
    others: Vec<Candidate>,
) -> Vec<Overlap> {
    comparing(service, folder, move |vault| {
        let others = others.iter();
        others.filter_map(|other| compare(vault, &one, other)).collect()
    })
    .await
}

async fn comparing(
    service: &Service,
    folder: RepositoryFolder,
    compare: impl FnOnce(Option<&Vault>) -> Vec<Overlap> + Send + 'static,
) -> Vec<Overlap> {
    let environment = service.environment().clone();
    let comparing = move || {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let git = Git::locate(git::Environment::new(variables)).ok();
        let vault = git.and_then(|git| folder.vault(&git).ok());
        compare(vault.as_ref())
    };
    tokio::task::spawn_blocking(comparing).await.unwrap_or_default()
}

fn compare(vault: Option<&Vault>, one: &Candidate, other: &Candidate) -> Option<Overlap> {
    let files = common(&one.work, &other.work);
    if files.is_empty() {
        return None;
    }
    let (together, conflicts) = trial(vault, one, other);
    Some(Overlap {
        tasks: [one.task.clone(), other.task.clone()],
        more_files: files.len().saturating_sub(NAMED),
        files: files.into_iter().take(NAMED).collect(),
        together,
        conflicts,
    })
}

/// Returns the files that two results both change; a renamed one counts under both of its names.
fn common(one: &Work, other: &Work) -> Vec<String> {
    let names = |file: &ChangedFile| std::iter::once(file.path.clone()).chain(file.from.clone());
    let of_other: Vec<String> = other.changed.iter().flat_map(names).collect();
    let mut common: Vec<String> = one
        .changed
        .iter()
        .flat_map(names)
        .filter(|name| of_other.contains(name))
        .collect();
    common.sort_unstable();
    common.dedup();
    common
}

fn trial(vault: Option<&Vault>, one: &Candidate, other: &Candidate) -> (Together, Vec<String>) {
    let unknown = (Together::Unknown, Vec::new());
    // What started from different trees cannot be merged on either.
    if one.base != other.base {
        return unknown;
    }
    let trees = (
        Oid::parse(&one.base),
        Oid::parse(&one.work.tree),
        Oid::parse(&other.work.tree),
    );
    let (Some(vault), (Some(base), Some(ours), Some(theirs))) = (vault, trees) else {
        return unknown;
    };
    match vault.merge(&base, &ours, &theirs) {
        Ok(Merged::Clean { .. }) => (Together::Clean, Vec::new()),
        Ok(Merged::Conflicts(conflicts)) => {
            let paths = conflicts.iter().take(NAMED);
            let paths = paths.map(|conflict| shown_path(&conflict.path)).collect();
            (Together::Conflicts, paths)
        }
        Err(_) => unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delegation::FileChange;

    #[test]
    fn a_common_file_is_found_under_either_of_its_names() {
        let work = |names: &[(&str, Option<&str>)]| Work {
            changed: names
                .iter()
                .map(|(path, from)| ChangedFile {
                    path: (*path).to_owned(),
                    from: from.map(str::to_owned),
                    kind: FileChange::Modified,
                    mode: None,
                    risk: None,
                    refused: None,
                })
                .collect(),
            ..Work::default()
        };
        let check = |one: &[(&str, Option<&str>)], other: &[(&str, Option<&str>)], expected: &[&str]| {
            assert_eq!(common(&work(one), &work(other)), expected);
        };
        check(&[("a", None), ("b", None)], &[("b", None), ("c", None)], &["b"]);
        check(&[("new", Some("old"))], &[("old", None)], &["old"]);
        check(&[("x", Some("old"))], &[("y", Some("old"))], &["old"]);
        check(&[("a", None)], &[("b", None)], &[]);
        check(&[], &[("b", None)], &[]);
    }
}
