//! What a project's own file takes away from what the user's configuration allows.
//!
//! It can only narrow: a value that would widen anything is ignored and named. It comes out of a repository, so nothing
//! in it is trusted, and nothing in it is repeated but the names of keys.

use std::path::Path;

use crate::config::key::{self, Key};
use crate::config::layer::{Layer, Owner};
use crate::config::origin::{Origin, Setting};
use crate::config::problem::{Problem, TOLD};
use crate::config::settings::Config;
use crate::domain::limits;

/// A project's file that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowing {
    layer: Layer,
    ignored: Ignored,
}

/// Entries of a project's file that have no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// The first ones, in the order of their lines.
    pub listed: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl Ignored {
    /// Entries that are told one by one.
    const LISTED: usize = 20;

    fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.line);
        let more = problems.len().saturating_sub(Self::LISTED);
        problems.truncate(Self::LISTED);
        Self {
            listed: problems,
            more,
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.listed.len() + self.more
    }

    /// Returns a line that says how many there are and where they are told, if there are any.
    pub fn note(&self) -> Option<String> {
        let count = self.count();
        (count > 0).then(|| {
            format!(
                "{count} of the settings in the project's `.crosscheck/config.toml` are ignored; `crosscheck config \
                 show` and the topic policy of status name them"
            )
        })
    }

    fn add(&mut self, problem: Problem) {
        let mut all = std::mem::take(&mut self.listed);
        all.push(problem);
        let more = self.more;
        *self = Self::of(all);
        self.more += more;
    }
}

impl Narrowing {
    /// Reads a project's file.
    ///
    /// # Errors
    /// The mistakes in what was meant to narrow. Going on without it would send what the project wants kept back, so
    /// nothing is narrowed then and the caller refuses to spend anything.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let (layer, problems) = Layer::read(text, Owner::Project);
        let is_broken = |problem: &Problem| match problem.key.as_deref() {
            None => true,
            Some(name) => key::find(name).is_some_and(|key| key.project),
        };
        let (broken, mut ignored): (Vec<_>, Vec<_>) = problems.into_iter().partition(is_broken);
        if !broken.is_empty() {
            return Err(broken);
        }
        let foreign = layer.written.iter().filter(|(key, _)| !key.project);
        let why = "is ignored: only the user's configuration can set it";
        ignored.extend(foreign.take(TOLD).map(|(key, line)| told(key, *line, why)));
        Ok(Self {
            layer,
            ignored: Ignored::of(ignored),
        })
    }

    /// Returns the names of the keys that it may narrow and does set, in their order.
    pub fn keys(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for key in key::KEYS.iter().filter(|key| key.project) {
            if self.layer.written.iter().any(|(written, _)| *written == key) {
                names.push(key.name);
            }
        }
        names
    }

    fn line(&self, name: &str) -> usize {
        let found = self.layer.written.iter().find(|(key, _)| key.name == name);
        found.map_or(1, |(_, line)| *line)
    }
}

impl Config {
    /// Returns this configuration narrowed by a project's file, and what of that file has no effect. `top` is the
    /// project's folder.
    pub fn narrowed(&self, narrowing: &Narrowing, top: &Path) -> (Self, Ignored) {
        let mut config = self.clone();
        let mut ignored = narrowing.ignored.clone();
        let layer = &narrowing.layer;
        let mut checked = |name: &'static str, has_effect: Option<bool>| {
            if has_effect == Some(false)
                && let Some(key) = key::find(name)
            {
                let why = "has no effect: what holds already is as narrow";
                ignored.add(told(key, narrowing.line(name), why));
            }
        };
        checked(
            "limits.concurrency",
            layer.concurrency.map(|jobs| config.concurrency.lower(jobs)),
        );
        checked(
            "limits.timeout_s",
            layer.timeout.map(|most| config.lower_timeout(most)),
        );
        checked(
            "limits.budget_tokens",
            layer
                .budget_tokens
                .map(|most| lower_budget(&mut config.budget_tokens, most)),
        );
        checked(
            "limits.prompt_bytes",
            layer.prompt_bytes.map(|bytes| config.prompt_bytes.lower(bytes)),
        );
        checked(
            "limits.review_parts",
            layer.review_parts.map(|parts| config.lower_review_parts(parts)),
        );
        checked("limits.depth", layer.depth.map(|depth| config.depth.lower(depth)));
        checked(
            "policy.roots",
            layer.roots.as_ref().map(|roots| {
                config.project_roots = Setting {
                    value: roots.iter().map(|root| top.join(root)).collect(),
                    origin: Origin::Project,
                };
                !roots.is_empty()
            }),
        );
        config
            .paths_deny
            .add(layer.paths_deny.as_deref().unwrap_or_default());
        config
            .secret_files
            .add(layer.secret_files.as_deref().unwrap_or_default());
        config
            .secret_patterns
            .add(layer.secret_patterns.as_deref().unwrap_or_default());
        if let Some(lines) = &layer.checks_only {
            config.checks_only = common_checks(&config.checks_only, lines);
        }
        (config, ignored)
    }

    fn lower_review_parts(&mut self, most: u32) -> bool {
        // A call may ask for more parts than run unasked, so what a project says bounds both.
        if most >= limits::REVIEW_PARTS_MAX {
            return false;
        }
        self.review_parts_most = Some(most);
        self.review_parts.lower(most);
        true
    }

    fn lower_timeout(&mut self, most: std::time::Duration) -> bool {
        // A default is what holds when nobody asks; a call may ask for more than it.
        let held = match self.timeout.origin {
            Origin::Default => limits::TIMEOUT_MAX,
            _ => self.timeout.value,
        };
        if most >= held {
            return false;
        }
        self.timeout_most = Some(most);
        self.timeout.lower(most);
        true
    }
}

fn lower_budget(setting: &mut Setting<Option<u64>>, most: u64) -> bool {
    let lower = setting.value.is_none_or(|held| most < held);
    if lower {
        *setting = Setting {
            value: Some(most),
            origin: Origin::Project,
        };
    }
    lower
}

/// Keeps the lines that the user and the project both admit.
fn common_checks(user: &Setting<Option<Vec<String>>>, project: &[String]) -> Setting<Option<Vec<String>>> {
    let (lines, origin) = match &user.value {
        None => (project.to_vec(), Origin::Project),
        Some(own) => {
            let both = own.iter().filter(|line| project.contains(line));
            (both.cloned().collect(), Origin::FileAndProject)
        }
    };
    Setting {
        value: Some(lines),
        origin,
    }
}

fn told(key: &Key, line: usize, why: &str) -> Problem {
    Problem {
        line,
        key: Some(key.name.to_owned()),
        message: format!("`{}` {why}", key.name),
        valid: Vec::new(),
    }
}

#[cfg(test)]
#[path = "narrowing_tests.rs"]
mod tests;
