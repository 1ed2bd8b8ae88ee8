//! The five arguments that name a change, and which of them go together. One place for both doors.

use crate::domain::fault::Fault;
use crate::domain::request::Subject;
use crate::domain::scope::{Revision, RevisionError, Scope};
use crate::service::choice;

/// The names of the scopes.
pub(crate) const SCOPES: [&str; 6] = ["auto", "working_tree", "staged", "branch", "commit", "job"];

/// The arguments that name a change, as they were written.
pub(crate) struct Target {
    /// One of [`SCOPES`].
    pub(crate) scope: Option<String>,
    /// Where the branch left.
    pub(crate) base: Option<String>,
    /// The tip of the branch.
    pub(crate) head: Option<String>,
    /// One commit, or a range `A..B`.
    pub(crate) commit: Option<String>,
    /// A delegate's job.
    pub(crate) job: Option<String>,
}

impl Target {
    /// Refuses them beside a snippet, which is no change.
    pub(crate) fn refuse_with_snippet(&self) -> Result<(), Fault> {
        let given = [
            ("scope", &self.scope),
            ("base", &self.base),
            ("head", &self.head),
            ("commit", &self.commit),
            ("job", &self.job),
        ];
        match given.into_iter().find(|(_, value)| value.is_some()) {
            Some((field, _)) => Err(Fault::argument(
                field,
                format!("`{field}` is about a change, and a `snippet` was given"),
            )
            .hint(format!("leave out `{field}` or `snippet`"))),
            None => Ok(()),
        }
    }

    /// Decides the scope. A `base`, `head`, `commit` or `job` says it when `scope` does not.
    pub(crate) fn parse(self) -> Result<Subject, Fault> {
        let Self {
            scope,
            base,
            head,
            commit,
            job,
        } = self;
        let implied = match (commit.is_some(), base.is_some() || head.is_some()) {
            (true, _) => "commit",
            (false, true) => "branch",
            (false, false) if job.is_some() => "job",
            (false, false) => "auto",
        };
        let scope = scope.as_deref().map_or(Ok(implied), |text| {
            choice::choose("scope", text, &SCOPES, &SCOPES)
        })?;
        let misplaced = [
            ("base", base.is_some() && scope != "branch", "branch"),
            ("head", head.is_some() && scope != "branch", "branch"),
            ("commit", commit.is_some() && scope != "commit", "commit"),
            ("job", job.is_some() && scope != "job", "job"),
        ];
        if let Some((field, _, home)) = misplaced.into_iter().find(|(_, wrong, _)| *wrong) {
            return Err(Fault::argument(
                field,
                format!("`{field}` belongs to scope `{home}`, not to scope `{scope}`"),
            )
            .hint(format!(
                "leave out `{field}`, or pass scope={home} without the others"
            )));
        }
        let revision = |field: &str, text: Option<String>| {
            text.map(|text| Revision::parse(&text).map_err(|error| not_a_revision(field, error)))
                .transpose()
        };
        if scope == "job" {
            let missing = || {
                Fault::argument("job", "`job` is missing")
                    .hint("pass the id of a delegate's job, or `latest`")
            };
            let name = job.ok_or_else(missing)?;
            let name = name.strip_prefix("job:").unwrap_or(&name);
            return name.parse().map(Subject::Job).map_err(|_| {
                Fault::argument("job", "`job` is no job id")
                    .hint("pass the id of a delegate's job, or `latest`")
            });
        }
        Ok(Subject::Change(match scope {
            "working_tree" => Scope::WorkingTree,
            "staged" => Scope::Staged,
            "branch" => Scope::Branch {
                base: revision("base", base)?,
                head: revision("head", head)?,
            },
            "commit" => match commit {
                Some(text) if text.contains("...") => {
                    return Err(
                        Fault::argument("commit", "`commit` has three dots, which name no range here").hint(
                            "pass A..B for what lies between two commits, or base A and head B for what B did since it left A",
                        ),
                    );
                }
                Some(text) => Scope::parse_commit(&text).map_err(|error| not_a_revision("commit", error))?,
                None => {
                    return Err(Fault::argument("commit", "`commit` is missing")
                        .hint("pass one commit, such as HEAD, or a range A..B"));
                }
            },
            _ => Scope::Auto,
        }))
    }
}

fn not_a_revision(field: &str, error: RevisionError) -> Fault {
    Fault::argument(field, format!("`{field}` is not a revision: {error}"))
        .hint("pass a commit id, a branch or a tag")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_dots_are_told_from_a_range() {
        let parse = |commit: &str| {
            let target = Target {
                scope: None,
                base: None,
                head: None,
                commit: Some(commit.to_owned()),
                job: None,
            };
            target.parse()
        };
        assert!(matches!(parse("a..b"), Ok(Subject::Change(Scope::Range { .. }))));
        let fault = parse("a...b").unwrap_err();
        assert!(fault.message.contains("three dots"), "{fault:?}");
        assert!(fault.repair.hint.contains("A..B"), "{fault:?}");
    }
}
