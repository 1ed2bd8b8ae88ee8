//! Where a branch left, when nobody says so.

use crate::domain::scope::Revision;
use crate::git::command::QUERY;
use crate::git::private::Private;
use crate::git::{GitError, Head, Oid, Repository, RevisionRole};
use std::collections::BTreeMap;

/// Both ends of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    /// What it is compared with, such as `origin/main`.
    pub base_name: String,
    /// The merge base of both.
    pub base: Oid,
    /// Its tip.
    pub head: Oid,
}

/// A commit with the name under which it may be a base.
#[derive(Clone, Debug)]
struct Candidate {
    name: String,
    oid: Oid,
}

/// A ref as `for-each-ref` tells it.
#[derive(Clone, Debug)]
struct Ref {
    oid: Oid,
    /// The ref it points to, when it is symbolic.
    target: String,
    /// The upstream, when it is a branch that has one.
    upstream: String,
}

/// Refs that a repository's default branch may be, in order. The first one says so itself.
const DEFAULTS: [&str; 5] = [
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/heads/main",
    "refs/heads/master",
];

impl Repository {
    /// Finds both ends of a branch.
    ///
    /// Without a base, the branch's upstream is taken if the branch is ahead of it; else the default branch. So a branch
    /// that was pushed is still compared with where it left, which is what a pull request would show.
    pub(super) fn branch(
        &self,
        private: &Private,
        base: Option<&Revision>,
        head: Option<&Revision>,
    ) -> Result<Branch, GitError> {
        let (head, branch) = self.tip(head)?;
        if let Some(base) = base {
            let oid = self.resolve_as(base, RevisionRole::Base)?;
            let name = base.as_str().to_owned();
            let merge_base = private.merge_base(&oid, &head)?;
            let merge_base = merge_base.ok_or_else(|| GitError::NoMergeBase { base: name.clone() })?;
            return Ok(Branch {
                base_name: name,
                base: merge_base,
                head,
            });
        }
        let mut level = None;
        let mut unrelated = None;
        let (candidates, tried) = self.candidates(branch.as_deref())?;
        for Candidate { name, oid } in candidates {
            match private.merge_base(&oid, &head)? {
                Some(merge_base) => {
                    let is_ahead = merge_base != head;
                    let found = Branch {
                        base_name: name,
                        base: merge_base,
                        head: head.clone(),
                    };
                    if is_ahead {
                        return Ok(found);
                    }
                    level = level.or(Some(found));
                }
                None => unrelated = unrelated.or(Some(name)),
            }
        }
        match (level, unrelated) {
            (Some(found), _) => Ok(found),
            (None, Some(base)) => Err(GitError::NoMergeBase { base }),
            (None, None) => Err(GitError::NoBase { tried }),
        }
    }

    /// Finds both ends of the present branch, for whoever knows a commit that it grew from and perhaps the branch that it was
    /// compared with. `None` where neither says where it left.
    ///
    /// The other branch says it best: what was merged from there, or what this one was rebased onto, is no part of it. Its own
    /// upstream does not, which holds what was pushed.
    pub(super) fn branch_onward(
        &self,
        private: &Private,
        commit: &Revision,
        name: Option<&Revision>,
    ) -> Result<Option<Branch>, GitError> {
        for base in name.into_iter().chain([commit]) {
            let is_commit = base == commit;
            if !is_commit && !self.is_another_branch(base.as_str())? {
                continue;
            }
            match self.branch(private, Some(base), None) {
                // It was rewritten since, and other people's work may lie between.
                Ok(found) if is_commit && found.base.as_str() != commit.as_str() => {}
                // It went into the other one.
                Ok(found) if !is_commit && found.base == found.head => {}
                Ok(found) => return Ok(Some(found)),
                Err(
                    GitError::InvalidRevision { .. }
                    | GitError::NoBase { .. }
                    | GitError::NoMergeBase { .. }
                    | GitError::NoCommitYet,
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Tells whether a name is a branch, here or at a remote, and not the upstream of the present one.
    fn is_another_branch(&self, name: &str) -> Result<bool, GitError> {
        if name.contains(['*', '?', '[', '\\']) {
            return Ok(false);
        }
        let Head::Born { branch, .. } = self.head() else {
            return Ok(false);
        };
        let own = branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let names = ["", "refs/heads/", "refs/remotes/"].map(|prefix| format!("{prefix}{name}"));
        let refs = self.refs(names.iter().chain(&own).map(String::as_str))?;
        let upstream = own.as_ref().and_then(|own| refs.get(own));
        let upstream = upstream.map_or("", |own| own.upstream.as_str());
        let is_other = |full: &String| {
            full.starts_with("refs/")
                && refs.contains_key(full)
                && full != upstream
                && Some(full) != own.as_ref()
        };
        Ok(names.iter().any(is_other))
    }

    /// Returns the tip and the full name of its branch.
    fn tip(&self, head: Option<&Revision>) -> Result<(Oid, Option<String>), GitError> {
        if let Some(revision) = head {
            let oid = self.resolve_as(revision, RevisionRole::Head)?;
            let name = revision.as_str();
            let name = if name.starts_with("refs/heads/") {
                name.to_owned()
            } else {
                format!("refs/heads/{name}")
            };
            return Ok((oid, Some(name)));
        }
        match self.head() {
            Head::Unborn { .. } => Err(GitError::NoCommitYet),
            Head::Born { oid, branch } => {
                let branch = branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
                Ok((oid.clone(), branch))
            }
        }
    }

    /// Returns the upstream and the default branch, as far as they exist, and what was tried.
    fn candidates(&self, branch: Option<&str>) -> Result<(Vec<Candidate>, Vec<String>), GitError> {
        let mut tried = Vec::new();
        let mut found = Vec::new();
        // A name with a pattern's characters is no branch's name.
        let branch = branch.filter(|branch| !branch.contains(['*', '?', '[', '\\']));
        let refs = self.refs(branch.iter().copied().chain(DEFAULTS))?;
        if let Some(branch) = branch {
            tried.push(format!("the upstream of `{}`", short(branch)));
            let upstream = refs.get(branch).map_or("", |found| found.upstream.as_str());
            if !upstream.is_empty()
                && let Some(upstream_ref) = self.refs([upstream])?.get(upstream)
            {
                found.push(Candidate {
                    name: short(upstream).to_owned(),
                    oid: upstream_ref.oid.clone(),
                });
            }
        }
        for name in DEFAULTS {
            if Some(name) == branch {
                continue;
            }
            tried.push(format!("`{}`", short(name)));
            if let Some(default) = refs.get(name) {
                let shown = if default.target.is_empty() {
                    name
                } else {
                    &default.target
                };
                found.push(Candidate {
                    name: short(shown).to_owned(),
                    oid: default.oid.clone(),
                });
                break;
            }
        }
        Ok((found, tried))
    }

    /// Returns those of the named refs that exist.
    fn refs<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, Ref>, GitError> {
        let names: Vec<&str> = names.into_iter().collect();
        let output = self
            .own("for-each-ref")
            .args(["--format=%(refname)%09%(objectname)%09%(symref)%09%(upstream)"])
            .args(&names)
            .run_ok(&QUERY)?;
        let text = String::from_utf8_lossy(&output);
        // Names with a tab or a line feed do not exist. A name also matches refs below it, which are not asked for.
        Ok(text
            .lines()
            .filter_map(|line| {
                let mut fields = line.split('\t');
                let name = fields.next().filter(|name| names.contains(name))?;
                let found = Ref {
                    oid: Oid::parse(fields.next()?)?,
                    target: fields.next()?.to_owned(),
                    upstream: fields.next()?.to_owned(),
                };
                Some((name.to_owned(), found))
            })
            .collect())
    }
}

fn short(name: &str) -> &str {
    ["refs/heads/", "refs/remotes/", "refs/tags/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}
