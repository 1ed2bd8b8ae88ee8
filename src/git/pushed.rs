//! What of the branch that is checked out this repository knows to be at its remote. No network is asked: a remote-tracking
//! ref says what the remote had when somebody fetched or pushed last.

use crate::git::command::QUERY;
use crate::git::{GitError, Head, Oid, Repository, Vault};

/// A branch at its remote, as far as this repository knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The branch's name at the remote, such as `main`.
    pub branch: String,
    /// The name of the ref that tells of it, such as `origin/main`.
    pub tracking: String,
    /// Its tip.
    pub tip: Oid,
}

/// Where the branch that is checked out stands towards its remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// No branch is checked out, or it has no commit.
    NoBranch,
    /// Nothing is known of it at a remote.
    Unknown {
        /// The branch.
        branch: String,
    },
    /// It is there.
    Known(Pushed),
}

/// How the names of remote-tracking refs begin.
const REMOTES: &str = "refs/remotes/";
/// How the names of branches begin.
const HEADS: &str = "refs/heads/";

impl Repository {
    /// Finds the branch that is checked out at its remote: its upstream, else the branch of the same name at `origin`.
    pub fn upstream(&self) -> Result<Upstream, GitError> {
        let Head::Born {
            branch: Some(short), ..
        } = self.head()
        else {
            return Ok(Upstream::NoBranch);
        };
        let full = format!("{HEADS}{short}");
        let unknown = || Upstream::Unknown {
            branch: short.clone(),
        };
        // A name with a pattern's characters is no branch's name.
        if full.contains(['*', '?', '[', '\\']) {
            return Ok(unknown());
        }
        let output = self
            .own("for-each-ref")
            .args(["--format=%(refname)%09%(upstream)%09%(upstream:remoteref)"])
            .args([&full])
            .run_ok(&QUERY)?;
        let text = String::from_utf8_lossy(&output);
        let told = text.lines().find_map(|line| {
            let mut fields = line.split('\t');
            (fields.next()? == full.as_str())
                .then_some((fields.next()?.to_owned(), fields.next()?.to_owned()))
        });
        let (tracking, remote) = match told {
            Some((tracking, remote)) if tracking.starts_with(REMOTES) && remote.starts_with(HEADS) => {
                (tracking, remote)
            }
            // Another branch of this repository is no remote, and neither is nothing.
            _ => (format!("{REMOTES}origin/{short}"), full.clone()),
        };
        let output = self
            .own("for-each-ref")
            .args(["--format=%(refname)%09%(objectname)"])
            .args([&tracking])
            .run_ok(&QUERY)?;
        let text = String::from_utf8_lossy(&output);
        let tip = text.lines().find_map(|line| {
            let (name, oid) = line.split_once('\t')?;
            (name == tracking).then(|| Oid::parse(oid))?
        });
        Ok(match tip {
            Some(tip) => Upstream::Known(Pushed {
                branch: remote.strip_prefix(HEADS).unwrap_or(&remote).to_owned(),
                tracking: tracking.strip_prefix(REMOTES).unwrap_or(&tracking).to_owned(),
                tip,
            }),
            None => unknown(),
        })
    }
}

impl Vault {
    /// Tells whether one commit is another's ancestor, or the same.
    pub fn is_ancestor(&self, one: &Oid, other: &Oid) -> Result<bool, GitError> {
        let output = self
            .command("merge-base")
            .args(["--is-ancestor", one.as_str(), other.as_str()])
            .run(&QUERY)?;
        match output.exit_code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(self.explain("merge-base", &output)),
        }
    }
}
