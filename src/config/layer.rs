//! What one file of settings says, each value within its bounds.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use semver::VersionReq;
use toml::de::DeValue;

use crate::config::document::{self, Entry, number, texts};
use crate::config::key::Key;
use crate::config::problem::Problem;
use crate::domain::delegation::CHECK_BYTES;
use crate::domain::gate::Mode;
use crate::domain::request::{Effort, ModelName};
use crate::domain::runner::is_environment;
use crate::domain::{globs, limits};
use crate::redact::Further;

/// Roots of one file.
const ROOTS: usize = 100;
/// Globs of one list.
const GLOBS: usize = 200;
/// Lines that may be checks.
const CHECKS: usize = 100;
/// Names of variables.
const NAMES: usize = 100;
/// Folders that are linked into a worktree.
const REUSED: usize = 50;
/// Bytes of a path, as long as systems take one.
const PATH_BYTES: usize = 4096;
/// Bytes of a variable's name.
const NAME_BYTES: usize = 128;
/// Smallest bound of a prompt: below it our own instructions alone would not fit.
const PROMPT_BYTES_MIN: usize = 10_000;
/// Deepest nesting of runs that can be configured.
const DEPTH_MAX: u32 = 2;

/// When a person is asked before a result lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// Where the host can ask; else its own permission prompt and the token have to do.
    Host,
    /// Always: where the host cannot ask, only the terminal lands.
    Always,
}

impl Confirm {
    /// Returns the name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Always => "always",
        }
    }
}

/// One file's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) codex_bin: Option<PathBuf>,
    pub(super) codex_versions: Option<VersionReq>,
    pub(super) claude_bin: Option<PathBuf>,
    pub(super) claude_versions: Option<VersionReq>,
    pub(super) concurrency: Option<usize>,
    pub(super) timeout: Option<Duration>,
    pub(super) codex_model: Option<ModelName>,
    pub(super) codex_effort: Option<Effort>,
    pub(super) claude_model: Option<ModelName>,
    pub(super) claude_effort: Option<Effort>,
    pub(super) budget_tokens: Option<u64>,
    pub(super) ask_above_tokens: Option<u64>,
    pub(super) prompt_bytes: Option<usize>,
    pub(super) review_parts: Option<u32>,
    pub(super) depth: Option<u32>,
    pub(super) roots: Option<Vec<PathBuf>>,
    pub(super) paths_deny: Option<Vec<String>>,
    pub(super) checks_only: Option<Vec<String>>,
    pub(super) secret_files: Option<Vec<String>>,
    pub(super) secret_patterns: Option<Vec<String>>,
    pub(super) env_pass: Option<Vec<String>>,
    pub(super) allow_web_search: Option<bool>,
    pub(super) allow_network: Option<bool>,
    pub(super) allow_in_place: Option<bool>,
    pub(super) reuse: Option<Vec<String>>,
    pub(super) confirm: Option<Confirm>,
    pub(super) cloud_environment: Option<String>,
    pub(super) notify: Option<bool>,
    pub(super) gate: Option<Mode>,
    /// The keys that were written, with their lines.
    pub(super) written: Vec<(&'static Key, usize)>,
}

/// Whose file is read: the roots of a project are below its top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user's own.
    User,
    /// A repository's.
    Project,
}

impl Layer {
    /// Reads a file. What is wrong comes back; its keys are absent then.
    pub(super) fn read(text: &str, owner: Owner) -> (Self, Vec<Problem>) {
        let mut layer = Self::default();
        let problems = document::read(text, |entry| {
            layer.written.push((entry.key, entry.line));
            if owner == Owner::Project && !entry.key.project {
                // Whoever narrows tells that it was ignored; its value is never looked at.
                return Ok(());
            }
            layer
                .set(entry, owner)
                .ok_or_else(|| format!("must be {}", entry.key.kind))
        });
        (layer, problems)
    }

    fn set(&mut self, entry: &Entry<'_, '_>, owner: Owner) -> Option<()> {
        let value = entry.value;
        match entry.key.name {
            "peer.codex.bin" => self.codex_bin = Some(absolute(value.as_str()?)?),
            "peer.codex.versions" => self.codex_versions = Some(value.as_str()?.parse().ok()?),
            "peer.codex.model" => self.codex_model = Some(name(value.as_str()?)?),
            "peer.codex.effort" => self.codex_effort = Some(name(value.as_str()?)?),
            "peer.claude.model" => self.claude_model = Some(name(value.as_str()?)?),
            "peer.claude.effort" => self.claude_effort = Some(name(value.as_str()?)?),
            "peer.claude.bin" => self.claude_bin = Some(absolute(value.as_str()?)?),
            "peer.claude.versions" => self.claude_versions = Some(value.as_str()?.parse().ok()?),
            "limits.concurrency" => self.concurrency = Some(concurrency(number(value)?)?),
            "limits.timeout_s" => self.timeout = Some(timeout(number(value)?)?),
            "limits.budget_tokens" => self.budget_tokens = Some(budget_tokens(number(value)?)?),
            "limits.ask_above_tokens" => self.ask_above_tokens = Some(budget_tokens(number(value)?)?),
            "limits.prompt_bytes" => self.prompt_bytes = Some(prompt_bytes(number(value)?)?),
            "limits.review_parts" => self.review_parts = Some(review_parts(number(value)?)?),
            "limits.depth" => self.depth = Some(depth(number(value)?)?),
            "policy.roots" => self.roots = Some(roots(value, owner)?),
            "paths.deny" => self.paths_deny = Some(deny_list(value)?),
            "checks.only" => self.checks_only = Some(texts(value, CHECKS, is_line)?),
            "secrets.files" => self.secret_files = Some(deny_list(value)?),
            "secrets.patterns" => self.secret_patterns = Some(patterns(value)?),
            "env.pass" => self.env_pass = Some(texts(value, NAMES, is_name)?),
            "allow.web_search" => self.allow_web_search = Some(value.as_bool()?),
            "allow.network" => self.allow_network = Some(value.as_bool()?),
            "allow.in_place" => self.allow_in_place = Some(value.as_bool()?),
            "host.notify" => self.notify = Some(value.as_bool()?),
            "host.gate" => self.gate = Some(Mode::named(value.as_str()?)?),
            "runner.cloud.env" => {
                let text = value.as_str().filter(|text| is_environment(text))?;
                self.cloud_environment = Some(text.to_owned());
            }
            "delegate.reuse" => self.reuse = Some(texts(value, REUSED, is_inside)?),
            "apply.confirm" => {
                self.confirm = Some(match value.as_str()? {
                    "host" => Confirm::Host,
                    "always" => Confirm::Always,
                    _ => return None,
                });
            }
            // A key of the table that is not read here is one that nobody could set; a test sets them all.
            _ => return None,
        }
        Some(())
    }
}

/// Returns a name that can stand in a command line of the peer's.
pub(super) fn name<T: TryFrom<String>>(text: &str) -> Option<T> {
    text.to_owned().try_into().ok()
}

/// Returns a number of jobs within its bounds.
pub(super) fn concurrency(number: u64) -> Option<usize> {
    let jobs = usize::try_from(number).ok()?;
    (1..=limits::CONCURRENCY_MAX).contains(&jobs).then_some(jobs)
}

/// Returns a deadline within its bounds.
pub(super) fn timeout(seconds: u64) -> Option<Duration> {
    let time = Duration::from_secs(seconds);
    (limits::TIMEOUT_MIN..=limits::TIMEOUT_MAX)
        .contains(&time)
        .then_some(time)
}

/// Returns a budget within its bounds.
pub(super) fn budget_tokens(tokens: u64) -> Option<u64> {
    (limits::BUDGET_TOKENS_MIN..=limits::BUDGET_TOKENS_MAX)
        .contains(&tokens)
        .then_some(tokens)
}

/// Returns a size of prompts within its bounds.
pub(super) fn prompt_bytes(number: u64) -> Option<usize> {
    let bytes = usize::try_from(number).ok()?;
    (PROMPT_BYTES_MIN..=limits::PROMPT_BYTES)
        .contains(&bytes)
        .then_some(bytes)
}

/// Returns a number of parts within its bounds.
pub(super) fn review_parts(number: u64) -> Option<u32> {
    let parts = u32::try_from(number).ok()?;
    (1..=limits::REVIEW_PARTS_MAX).contains(&parts).then_some(parts)
}

fn depth(number: u64) -> Option<u32> {
    let depth = u32::try_from(number).ok()?;
    (1..=DEPTH_MAX).contains(&depth).then_some(depth)
}

/// Returns an absolute path.
pub(super) fn absolute(text: &str) -> Option<PathBuf> {
    let is_path = text.len() <= PATH_BYTES && !text.contains('\0') && text.starts_with('/');
    is_path.then(|| PathBuf::from(text))
}

fn roots(value: &DeValue<'_>, owner: Owner) -> Option<Vec<PathBuf>> {
    let admits = |text: &str| match owner {
        Owner::User => absolute(text).is_some(),
        Owner::Project => text == "." || (text.len() <= PATH_BYTES && is_inside(text)),
    };
    let texts = texts(value, ROOTS, admits)?;
    Some(texts.into_iter().map(PathBuf::from).collect())
}

fn deny_list(value: &DeValue<'_>) -> Option<Vec<String>> {
    let list = texts(value, GLOBS, |text| globs::check(text).is_ok())?;
    // Each of them may be right and all of them together too large.
    globs::Globs::anywhere(&list).ok()?;
    Some(list)
}

fn patterns(value: &DeValue<'_>) -> Option<Vec<String>> {
    let list = texts(value, Further::PATTERNS, |text| {
        text.len() <= Further::PATTERN_BYTES
    })?;
    Further::new(&[], &[], &list).ok()?;
    Some(list)
}

fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= CHECK_BYTES && !text.contains(['\0', '\n'])
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// Tells whether a relative path of a configuration stays inside the workspace and is not its git directory.
pub(crate) fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    !path.contains('\0')
        && parts.peek().is_some()
        && parts.all(|part| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git")))
}
