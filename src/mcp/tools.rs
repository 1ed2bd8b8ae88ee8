//! The tools as hosts see them: names, schemas, hints. A committed snapshot of each is the contract.

use std::sync::OnceLock;

use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::domain::peer::Peer;
use crate::mcp::arguments::{TOOLS, schema};

/// Whether the paid tools say that they only read.
///
/// They change nothing in the workspace, so it is true, and it was measured what hosts make of it: with it neither version
/// of Claude Code runs them unasked, and without it the newer one refuses them in plan mode, where a second opinion is worth
/// most. Seen with 2.1.197 and 2.1.329; `claude_by_itself_starts_nothing_paid_unasked` pins the first half.
const PAID_READ_ONLY_HINT: bool = true;

/// What makes a tool known to its host.
struct Card {
    name: &'static str,
    title: &'static str,
    /// Effect, cost, and what it never does; the first sentence holds the words a search would use.
    description: &'static str,
    read_only: bool,
    idempotent: bool,
    open_world: bool,
    reach: Reach,
    visibility: Visibility,
}

/// What a tool can do to the user's files.
enum Reach {
    /// Nothing.
    Nothing,
    /// It changes them, so a host should have a person look at each call.
    Files,
}

/// How a host that defers tools finds this one.
enum Visibility {
    /// Its schema is sent up front. Costs context in every session, so only the tools that start most work.
    Always,
    /// Found by its name, its description and these words.
    Search(&'static str),
}

const CARDS: [Card; TOOLS.len()] = [
    Card {
        name: "apply",
        title: "Apply a Codex diff",
        description: "Puts a Codex delegate's result into the user's files: preview first, then land with its token; or \
                      branch, discard, undo. Free: calls no model. land and undo change files; never the index, never \
                      half of a result.",
        read_only: false,
        idempotent: false,
        open_world: false,
        reach: Reach::Files,
        visibility: Visibility::Search(
            "apply land merge accept patch diff branch discard undo revert delegate result codex",
        ),
    },
    Card {
        name: "cancel",
        title: "Cancel a Codex job",
        description: "Ends a running Codex job; its partial answer and thread are kept for resume. Free. With forget it \
                      also deletes our record after returning it whole. Never touches your files or other jobs.",
        read_only: false,
        idempotent: true,
        open_world: false,
        reach: Reach::Nothing,
        visibility: Visibility::Search("stop abort kill end interrupt forget delete codex job run"),
    },
    Card {
        name: "consult",
        title: "Ask Codex",
        description: "Asks Codex, a second model, for an opinion, a challenge, a plan review or code. Costs money on the \
                      user's Codex account. Reads the workspace {reads}; never writes files. Long runs \
                      return a job handle.",
        read_only: PAID_READ_ONLY_HINT,
        idempotent: false,
        open_world: true,
        reach: Reach::Nothing,
        visibility: Visibility::Always,
    },
    Card {
        name: "delegate",
        title: "Hand a task to Codex",
        description: "Has Codex, a second model, do a task in a throw-away worktree; returns a diff to look at, then apply. \
                      Costs money on the user's Codex account. Never changes the user's files, index or branches. Long runs \
                      return a job handle.",
        read_only: false,
        idempotent: false,
        open_world: true,
        reach: Reach::Nothing,
        visibility: Visibility::Search(
            "delegate task implement fix refactor write code edit worktree diff patch attempts codex agent",
        ),
    },
    Card {
        name: "dry_run",
        title: "Preview a paid call",
        description: "Previews a consult, review or delegate (what would be sent to Codex, how large it is, what is \
                      withheld) or an apply (what would land, and its token). Free: no model is called. Never changes \
                      files and never starts a job.",
        read_only: true,
        idempotent: true,
        open_world: false,
        reach: Reach::Nothing,
        visibility: Visibility::Search(
            "preview estimate check cost size secrets egress before codex consult review delegate apply token",
        ),
    },
    Card {
        name: "job",
        title: "Look at Codex jobs",
        description: "Shows, waits for or lists Codex jobs: state, result, log, transcript. Free: it never starts paid \
                      work and never changes files. With id it shows one job, without id it lists the workspace's.",
        read_only: true,
        idempotent: true,
        open_world: false,
        reach: Reach::Nothing,
        visibility: Visibility::Always,
    },
    Card {
        name: "review",
        title: "Codex code review",
        description: "Has Codex, a second model, review git changes or a snippet; returns findings with file and line. \
                      Costs money on the user's Codex account. {confined}; never edits, stages or commits. Long \
                      runs return a job handle.",
        read_only: PAID_READ_ONLY_HINT,
        idempotent: false,
        open_world: true,
        reach: Reach::Nothing,
        visibility: Visibility::Search(
            "code review diff git changes branch commit staged pull request bugs audit codex",
        ),
    },
    Card {
        name: "status",
        title: "Codex status",
        description: "Tells whether Codex is ready, and its models, quota, options, policy and error codes. Free: calls no \
                      model, starts no job and never changes files.",
        read_only: true,
        idempotent: true,
        open_world: false,
        reach: Reach::Nothing,
        visibility: Visibility::Search(
            "codex ready version login models quota limits options errors configuration doctor",
        ),
    },
];

/// Returns the name of a tool for as long as the program runs, if there is such a tool.
pub(super) fn known(name: &str) -> Option<&'static str> {
    TOOLS.into_iter().find(|known| *known == name)
}

/// Returns the tools in the order in which they are listed: sorted by name.
pub(super) fn list(peer: Peer) -> &'static [Tool] {
    static LISTS: OnceLock<[Vec<Tool>; Peer::ALL.len()]> = OnceLock::new();
    let lists =
        LISTS.get_or_init(|| Peer::ALL.map(|peer| CARDS.iter().map(|card| card.tool(peer)).collect()));
    let at = Peer::ALL.iter().position(|each| *each == peer);
    at.map_or(&[], |at| &lists[at])
}

/// Lets a text that is written for one peer name another.
pub(super) fn naming(peer: Peer, text: &str) -> String {
    let usual = Peer::default();
    text.replace("{reads}", peer.reads())
        .replace("{confined}", peer.confined())
        .replace(usual.title(), peer.title())
        .replace(usual.as_str(), peer.as_str())
}

impl Card {
    fn tool(&self, peer: Peer) -> Tool {
        let title = naming(peer, self.title);
        let annotations = ToolAnnotations::from_raw(
            Some(title.clone()),
            Some(self.read_only),
            Some(matches!(self.reach, Reach::Files)),
            Some(self.idempotent),
            Some(self.open_world),
        );
        let (key, value) = match self.visibility {
            Visibility::Always => ("anthropic/alwaysLoad", json!(true)),
            Visibility::Search(words) => ("anthropic/searchHint", json!(naming(peer, words))),
        };
        let mut meta = MetaObject::new();
        meta.insert(key.to_owned(), value);
        if matches!(self.reach, Reach::Files) {
            meta.insert("anthropic/requiresUserInteraction".to_owned(), json!(true));
        }
        let mut tool = Tool::new(
            self.name,
            naming(peer, self.description),
            schema::of(self.name).clone(),
        );
        tool.title = Some(title);
        tool.annotations = Some(annotations);
        tool.meta = Some(meta);
        tool
    }
}

/// Returns the tools as they are listed, serialised: the part of the contract that this door knows.
pub fn contract_bytes(peer: Peer) -> Vec<u8> {
    let tools: Vec<Value> = list(peer)
        .iter()
        .map(|tool| serde_json::to_value(tool).unwrap_or_default())
        .collect();
    Value::Array(tools).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session pays for our list, deferred or not.
    const LIST_BYTES: usize = 12_000;
    /// Longest description of a tool.
    const DESCRIPTION_CHARS: usize = 250;

    #[test]
    fn the_list_is_sorted_and_small() {
        let names: Vec<&str> = list(Peer::Codex).iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, TOOLS);
        assert!(names.is_sorted());
        assert!(
            contract_bytes(Peer::Codex).len() <= LIST_BYTES,
            "{} bytes",
            contract_bytes(Peer::Codex).len()
        );
    }

    #[test]
    fn every_tool_says_what_it_costs_and_never_does() {
        for tool in list(Peer::Codex) {
            let description = tool.description.as_deref().unwrap();
            assert!(
                description.chars().count() <= DESCRIPTION_CHARS,
                "{}: {}",
                tool.name,
                description.len()
            );
            assert!(
                description.contains("never") || description.contains("Never"),
                "{}",
                tool.name
            );
            assert!(
                description.contains("Free") || description.contains("Costs money"),
                "{}",
                tool.name
            );
            assert!(description.contains("Codex"), "{}", tool.name);
        }
    }

    #[test]
    fn the_contract_of_each_tool_is_the_committed_one() {
        for tool in list(Peer::Codex) {
            let shown = serde_json::to_string_pretty(tool).unwrap();
            insta::assert_snapshot!(format!("tool_{}", tool.name), shown);
        }
    }
}
