//! The project's own file of settings, which can only narrow, and what else a repository carries that has no say.
//!
//! The file is read from the working tree, component by component without following a link, and never through git: what
//! holds is what somebody can look at.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::{Config, Ignored, Narrowing, Problem};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::service::guidance::project_root;
use crate::service::workspace::Workspace;
use crate::sys::confined::{Kind, Top, Way};

/// Where the file is, below the top of the repository.
pub const FILE: &str = ".crosscheck/config.toml";
/// Bytes of it. A list of a few hundred globs takes a tenth of it.
const BYTES: u64 = 64 * 1024;

/// What a repository may carry that configures other programs or us, and what becomes of it here, whoever is asked. Its
/// guidance for agents is told by [`guidance`].
const CARRIED: [(&str, &str); 8] = [
    (
        ".codex/config.toml",
        "not used: the project is not trusted for a run",
    ),
    (".codex/hooks.json", "not used: hooks are off in a run"),
    ("AGENTS.override.md", "not read"),
    (".mcp.json", "not read: no MCP server of it is started"),
    (
        ".env",
        "not read: withheld as a secret, and never part of an environment",
    ),
    (
        ".envrc",
        "not read: withheld as a secret, and never part of an environment",
    ),
    (".claude/settings.json", "not read"),
    (".claude/settings.local.json", "not read"),
];
/// The files of guidance of all peers.
const GUIDANCE: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];

/// A project's file.
#[derive(Clone, Debug)]
pub struct Project {
    top: PathBuf,
    narrowing: Narrowing,
}

/// Why a file that is there cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// It cannot be opened, or is none that is followed.
    #[error("{0}")]
    File(String),
    /// What it says cannot be read.
    #[error("line {}: {}", .0.line, .0.message)]
    Content(Box<Problem>),
}

impl Project {
    /// Finds the file of the repository around a workspace. A folder that must not be read whole has none.
    ///
    /// # Errors
    /// `config_invalid` when there is one and what it narrows cannot be told: going on without it would send what the
    /// project wants kept back.
    pub fn find(workspace: &Workspace) -> Result<Option<Self>, Fault> {
        let Some(top) = top(workspace) else {
            return Ok(None);
        };
        let read =
            text(&top)
                .map_err(Unusable::File)
                .and_then(|text| match text.as_deref().map(Narrowing::read) {
                    None => Ok(None),
                    Some(Ok(narrowing)) => Ok(Some(narrowing)),
                    Some(Err(problems)) => match problems.into_iter().next() {
                        Some(first) => Err(Unusable::Content(Box::new(first))),
                        None => Ok(None),
                    },
                });
        match read {
            Ok(narrowing) => Ok(narrowing.map(|narrowing| Self { top, narrowing })),
            Err(why) => {
                let message = format!("the project's `{FILE}` cannot be used: {why}");
                Err(Fault::new(FaultCode::ConfigInvalid, message).hint(format!(
                    "mend or delete `{FILE}`; `crosscheck config check` lists its mistakes"
                )))
            }
        }
    }

    /// Returns the user's configuration as this file narrows it, and what of the file has no effect.
    pub fn narrow(&self, users: &Config) -> (Config, Ignored) {
        users.narrowed(&self.narrowing, &self.top)
    }

    /// Refuses a workspace that is below none of the folders which the project names.
    pub fn check_roots(&self, config: &Config, workspace: &Workspace) -> Result<(), Fault> {
        let roots = &config.project_roots.value;
        if roots.is_empty() || workspace.is_below_one_of(roots) {
            return Ok(());
        }
        let message =
            format!("the workspace is not below any folder of [policy] roots in the project's `{FILE}`");
        Err(Fault::new(FaultCode::PolicyDenied, message).field("workspace"))
    }

    /// Tells what it narrows and what of it is ignored, for `status`.
    pub fn view(&self, users: &Config) -> Value {
        let (_, ignored) = self.narrow(users);
        json!({
            "file": self.top.join(FILE).display().to_string(),
            "narrows": self.narrowing.keys(),
            "ignored": ignored.listed,
            "ignored_more": ignored.more,
        })
    }
}

/// Returns the folder whose file would hold for a workspace.
fn top(workspace: &Workspace) -> Option<PathBuf> {
    workspace.readable().ok().and_then(project_root)
}

/// Says what becomes of a file of guidance where this peer is asked.
fn guidance(name: &str, peer: Peer) -> String {
    match peer.guidance().iter().position(|known| *known == name) {
        None => "not read".to_owned(),
        Some(0) => "only passed on as text, fenced as data".to_owned(),
        Some(_) => format!(
            "only passed on as text, fenced as data, where there is no {}",
            peer.guidance()[0]
        ),
    }
}

/// Lists what the repository carries that has no say where this peer is asked, with the reason.
pub fn carried(workspace: &Workspace, peer: Peer) -> Vec<Value> {
    let Some(Ok(folder)) = top(workspace).map(|top| Top::open(&top)) else {
        return Vec::new();
    };
    let is_there = |path: &str| match folder.way(path.as_bytes()) {
        Ok(Way::Reached(place)) => place.about().is_ok_and(|about| about.is_some()),
        Ok(Way::Blocked) => true,
        Ok(Way::Missing) | Err(_) => false,
    };
    let carried = CARRIED.iter().map(|(path, why)| (*path, (*why).to_owned()));
    let guided = GUIDANCE.iter().map(|name| (*name, guidance(name, peer)));
    guided
        .chain(carried)
        .filter(|(path, _)| is_there(path))
        .map(|(path, why)| json!({"path": path, "why": why}))
        .collect()
}

/// Lists what is wrong with the project's file, for `config check`; `None` without one.
pub fn problems(workspace: &Workspace, users: &Config) -> Option<(PathBuf, Vec<Problem>, bool)> {
    let top = top(workspace)?;
    let path = top.join(FILE);
    let unread = |message: String| Problem {
        line: 0,
        key: None,
        message,
        valid: Vec::new(),
    };
    match text(&top) {
        Ok(None) => None,
        Err(why) => Some((path, vec![unread(why)], false)),
        Ok(Some(text)) => Some(match Narrowing::read(&text) {
            Err(problems) => (path, problems, false),
            Ok(narrowing) => (path, users.narrowed(&narrowing, &top).1.listed, true),
        }),
    }
}

/// Reads the file's text; `None` when there is none. What is wrong is told without a name out of the repository.
fn text(top: &Path) -> Result<Option<String>, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {}", error.kind());
    let place = match Top::open(top)
        .and_then(|top| top.way(FILE.as_bytes()))
        .map_err(unreadable)?
    {
        Way::Missing => return Ok(None),
        Way::Blocked => return Err("its folder is a link".to_owned()),
        Way::Reached(place) => place,
    };
    match place.about().map_err(unreadable)? {
        None => return Ok(None),
        Some(about) if about.kind != Kind::File => return Err("it is no regular file".to_owned()),
        Some(about) if about.bytes > BYTES => return Err(format!("it is larger than {BYTES} bytes")),
        Some(_) => {}
    }
    let mut bytes = Vec::new();
    let file = place.open().map_err(unreadable)?;
    file.take(BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > BYTES {
        return Err(format!("it is larger than {BYTES} bytes"));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_is_told_what_becomes_of_guidance() {
        for peer in Peer::ALL {
            assert!(
                peer.guidance().iter().all(|name| GUIDANCE.contains(name)),
                "{peer}"
            );
        }
        assert_eq!(guidance("CLAUDE.md", Peer::Codex), "not read");
        assert!(guidance("AGENTS.md", Peer::Codex).ends_with("fenced as data"));
        assert!(guidance("CLAUDE.md", Peer::Claude).ends_with("fenced as data"));
        assert!(guidance("AGENTS.md", Peer::Claude).ends_with("there is no CLAUDE.md"));
    }
}
