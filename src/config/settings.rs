//! The configuration in force.

use std::path::PathBuf;
use std::time::Duration;

use semver::VersionReq;
use serde_json::{Value, json};

use crate::config::layer::{self, Confirm, Layer, Owner};
use crate::config::origin::{Origin, Setting};
use crate::config::problem::Problem;
use crate::domain::environment::{Environment, PLUGIN_PREFIX};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::gate::Mode;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::request::{Common, Effort, ModelName};
use crate::redact::Further;

/// Folders that installers of packages make inside a workspace; checks rarely work without them.
const REUSE: [&str; 3] = ["node_modules", ".venv", "vendor/bundle"];

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The codex program; found when absent.
    pub codex_bin: Setting<Option<PathBuf>>,
    /// Replaces the tested version range of codex.
    pub codex_versions: Setting<Option<VersionReq>>,
    /// The model of a call to codex that names none; codex's own default when absent.
    pub codex_model: Setting<Option<ModelName>>,
    /// The effort of a call to codex that names none; codex's own default when absent.
    pub codex_effort: Setting<Option<Effort>>,
    /// The claude program; found when absent.
    pub claude_bin: Setting<Option<PathBuf>>,
    /// Replaces the tested version range of claude.
    pub claude_versions: Setting<Option<VersionReq>>,
    /// The model of a call to claude that names none; claude's own default when absent.
    pub claude_model: Setting<Option<ModelName>>,
    /// The effort of a call to claude that names none; claude's own default when absent.
    pub claude_effort: Setting<Option<Effort>>,
    /// Jobs at once.
    pub concurrency: Setting<usize>,
    /// Deadline of a run.
    pub timeout: Setting<Duration>,
    /// The longest deadline that a project admits, whatever a call asks for.
    pub timeout_most: Option<Duration>,
    /// Tokens of a run; any number when absent.
    pub budget_tokens: Setting<Option<u64>>,
    /// Tokens that a paid call may use without a person being asked first; nobody is asked when absent.
    pub ask_above_tokens: Setting<Option<u64>>,
    /// Bytes of a prompt.
    pub prompt_bytes: Setting<usize>,
    /// Parts of a review that run unasked.
    pub review_parts: Setting<u32>,
    /// The most parts that a project admits, whatever a call asks for.
    pub review_parts_most: Option<u32>,
    /// How deep runs may be nested.
    pub depth: Setting<u32>,
    /// Only workspaces below one of these; any when empty.
    pub roots: Setting<Vec<PathBuf>>,
    /// And below one of these, which a project names; any when empty.
    pub project_roots: Setting<Vec<PathBuf>>,
    /// Globs of files that are never sent and that no result may change.
    pub paths_deny: Setting<Vec<String>>,
    /// The only lines that may be checks or set-up of a task; any when absent.
    pub checks_only: Setting<Option<Vec<String>>>,
    /// Globs of further files that are secrets.
    pub secret_files: Setting<Vec<String>>,
    /// Further expressions of values that are masked.
    pub secret_patterns: Setting<Vec<String>>,
    /// Variables passed on to the peer.
    pub env_pass: Setting<Vec<String>>,
    /// Whether a call may let the model search the web.
    pub allow_web_search: Setting<bool>,
    /// Whether a call may let a delegate's commands use the network.
    pub allow_network: Setting<bool>,
    /// Whether a call may let a delegate edit the user's own files.
    pub allow_in_place: Setting<bool>,
    /// Folders of the workspace that a delegate's worktree gets links to.
    pub reuse: Setting<Vec<String>>,
    /// Whether landing asks a person where the host can ask.
    pub confirm: Setting<Confirm>,
    /// The environment of Codex Cloud in which delegates are done; none are when absent.
    pub cloud_environment: Setting<Option<String>>,
    /// Whether a session of a host is told when a job of its own is over.
    pub notify: Setting<bool>,
    /// The most that the stop gate may do, whatever was chosen in the host; anything when absent.
    pub gate: Setting<Option<Mode>>,
}

impl Config {
    /// Returns where the user's file is; it need not exist.
    pub fn path_from(environment: &Environment) -> Option<PathBuf> {
        environment.path("CROSSCHECK_CONFIG").or_else(|| {
            let base = environment
                .path("XDG_CONFIG_HOME")
                .or_else(|| environment.path("HOME").map(|home| home.join(".config")))?;
            Some(base.join("crosscheck/config.toml"))
        })
    }

    /// Reads the layers. `file` is the text of the user's file, if there is one.
    ///
    /// # Errors
    /// `config_invalid` naming the key and its place, never its value.
    #[expect(
        clippy::too_many_lines,
        reason = "one entry for each setting, in the order of the file"
    )]
    pub fn layered(file: Option<&str>, environment: &Environment) -> Result<Self, Fault> {
        refuse_relative_places(environment)?;
        let (file, wrong) = Layer::read(file.unwrap_or_default(), Owner::User);
        if let Some(first) = wrong.first() {
            return Err(bad_file(first, wrong.len()));
        }
        let variables = Variables(environment);
        Ok(Self {
            codex_bin: Setting::pick(
                None,
                file.codex_bin.map(Some),
                match program_variable(Peer::Codex, environment) {
                    Some(named) => Some(named),
                    None => variables
                        .read(&["CROSSCHECK_PLUGIN_CODEX"], layer::absolute)?
                        .map(|(name, path)| (name, Some(path))),
                },
            ),
            codex_versions: Setting::pick(
                None,
                file.codex_versions.map(Some),
                variables
                    .read(&["CROSSCHECK_PEER_CODEX_VERSIONS"], |text| text.parse().ok())?
                    .map(|(name, range)| (name, Some(range))),
            ),
            codex_model: Setting::pick(
                None,
                file.codex_model.map(Some),
                variables
                    .read(
                        &["CROSSCHECK_PEER_CODEX_MODEL", "CROSSCHECK_PLUGIN_MODEL"],
                        layer::name,
                    )?
                    .map(|(name, model)| (name, Some(model))),
            ),
            codex_effort: Setting::pick(
                None,
                file.codex_effort.map(Some),
                variables
                    .read(
                        &["CROSSCHECK_PEER_CODEX_EFFORT", "CROSSCHECK_PLUGIN_EFFORT"],
                        layer::name,
                    )?
                    .map(|(name, effort)| (name, Some(effort))),
            ),
            claude_bin: Setting::pick(
                None,
                file.claude_bin.map(Some),
                program_variable(Peer::Claude, environment),
            ),
            claude_versions: Setting::pick(
                None,
                file.claude_versions.map(Some),
                variables
                    .read(&["CROSSCHECK_PEER_CLAUDE_VERSIONS"], |text| text.parse().ok())?
                    .map(|(name, range)| (name, Some(range))),
            ),
            claude_model: Setting::pick(
                None,
                file.claude_model.map(Some),
                variables
                    .read(&["CROSSCHECK_PEER_CLAUDE_MODEL"], layer::name)?
                    .map(|(name, model)| (name, Some(model))),
            ),
            claude_effort: Setting::pick(
                None,
                file.claude_effort.map(Some),
                variables
                    .read(&["CROSSCHECK_PEER_CLAUDE_EFFORT"], layer::name)?
                    .map(|(name, effort)| (name, Some(effort))),
            ),
            concurrency: Setting::pick(
                limits::CONCURRENCY_DEFAULT,
                file.concurrency,
                variables.number(
                    &["CROSSCHECK_LIMITS_CONCURRENCY", "CROSSCHECK_PLUGIN_CONCURRENCY"],
                    layer::concurrency,
                )?,
            ),
            timeout: Setting::pick(
                limits::TIMEOUT_DEFAULT,
                file.timeout,
                variables.number(&["CROSSCHECK_LIMITS_TIMEOUT_S"], layer::timeout)?,
            ),
            timeout_most: None,
            budget_tokens: Setting::pick(
                None,
                file.budget_tokens.map(Some),
                variables
                    .number(&["CROSSCHECK_LIMITS_BUDGET_TOKENS"], layer::budget_tokens)?
                    .map(|(name, tokens)| (name, Some(tokens))),
            ),
            ask_above_tokens: Setting::pick(
                None,
                file.ask_above_tokens.map(Some),
                variables
                    .number(&["CROSSCHECK_LIMITS_ASK_ABOVE_TOKENS"], layer::budget_tokens)?
                    .map(|(name, tokens)| (name, Some(tokens))),
            ),
            prompt_bytes: Setting::pick(
                limits::PROMPT_BYTES,
                file.prompt_bytes,
                variables.number(&["CROSSCHECK_LIMITS_PROMPT_BYTES"], layer::prompt_bytes)?,
            ),
            review_parts: Setting::pick(
                limits::REVIEW_PARTS_DEFAULT,
                file.review_parts,
                variables.number(&["CROSSCHECK_LIMITS_REVIEW_PARTS"], layer::review_parts)?,
            ),
            review_parts_most: None,
            depth: Setting::pick(1, file.depth, None),
            roots: Setting::pick(Vec::new(), file.roots, None),
            project_roots: Setting::pick(Vec::new(), None, None),
            paths_deny: Setting::pick(Vec::new(), file.paths_deny, None),
            checks_only: Setting::pick(None, file.checks_only.map(Some), None),
            secret_files: Setting::pick(Vec::new(), file.secret_files, None),
            secret_patterns: Setting::pick(Vec::new(), file.secret_patterns, None),
            env_pass: Setting::pick(Vec::new(), file.env_pass, None),
            allow_web_search: Setting::pick(false, file.allow_web_search, None),
            allow_network: Setting::pick(false, file.allow_network, None),
            allow_in_place: Setting::pick(false, file.allow_in_place, None),
            reuse: Setting::pick(REUSE.map(str::to_owned).to_vec(), file.reuse, None),
            confirm: Setting::pick(Confirm::Host, file.confirm, None),
            cloud_environment: Setting::pick(None, file.cloud_environment.map(Some), None),
            notify: Setting::pick(
                true,
                file.notify,
                variables.read(&["CROSSCHECK_HOST_NOTIFY"], |text| text.parse().ok())?,
            ),
            gate: Setting::pick(None, file.gate.map(Some), None),
        })
    }

    /// Returns the setting that names the program of a peer.
    pub fn program_of(&self, peer: Peer) -> &Setting<Option<PathBuf>> {
        match peer {
            Peer::Codex => &self.codex_bin,
            Peer::Claude => &self.claude_bin,
        }
    }

    /// Returns the setting that replaces the tested version range of a peer.
    pub fn versions_of(&self, peer: Peer) -> &Setting<Option<VersionReq>> {
        match peer {
            Peer::Codex => &self.codex_versions,
            Peer::Claude => &self.claude_versions,
        }
    }

    /// Returns the model of a call; the peer's own default when absent.
    pub fn model(&self, peer: Peer, asked: &Common) -> Option<ModelName> {
        let set = match peer {
            Peer::Codex => &self.codex_model,
            Peer::Claude => &self.claude_model,
        };
        asked.model.clone().or_else(|| set.value.clone())
    }

    /// Returns the effort of a call; the peer's own default when absent.
    pub fn effort(&self, peer: Peer, asked: &Common) -> Option<Effort> {
        let set = match peer {
            Peer::Codex => &self.codex_effort,
            Peer::Claude => &self.claude_effort,
        };
        asked.effort.clone().or_else(|| set.value.clone())
    }

    /// Returns how long a run may take that asks for nothing; `default` is what holds when nobody set anything.
    pub fn usual_timeout(&self, default: Duration) -> Duration {
        let usual = match self.timeout.origin {
            Origin::Default => default,
            _ => self.timeout.value,
        };
        usual.min(self.timeout_most.unwrap_or(usual))
    }

    /// Returns the longest deadline that a call may ask for, and who says so; none when that is only a default.
    pub fn longest_timeout(&self) -> Option<Setting<Duration>> {
        match (self.timeout_most, self.timeout.origin) {
            (Some(value), _) => Some(Setting {
                value,
                origin: Origin::Project,
            }),
            (None, Origin::Default) => None,
            (None, _) => Some(self.timeout.clone()),
        }
    }

    /// Returns what is kept back beyond our own rules.
    ///
    /// # Errors
    /// `config_invalid` when the user's lists and the project's are too large together.
    pub fn further(&self) -> Result<Further, Fault> {
        let (denied, files) = (&self.paths_deny.value, &self.secret_files.value);
        Further::new(denied, files, &self.secret_patterns.value).map_err(|error| {
            invalid(
                "secrets",
                format!("what is kept back cannot be put together: {error}"),
            )
        })
    }

    /// Tells whether a project's own file took values out of what is sent.
    pub fn has_project_patterns(&self) -> bool {
        matches!(
            self.secret_patterns.origin,
            Origin::Project | Origin::FileAndProject
        )
    }

    /// Lists every setting with its value and origin, for people and `status topic=policy`.
    pub fn rows(&self) -> Vec<Value> {
        fn row<T>(key: &str, setting: &Setting<T>, show: impl Fn(&T) -> Value) -> Value {
            json!({"key": key, "value": show(&setting.value), "origin": setting.origin.to_string()})
        }
        let paths = |paths: &Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect();
        let texts = |texts: &Vec<String>| texts.clone().into();
        let switch = |on: &bool| (*on).into();
        let program = |bin: &Option<PathBuf>| {
            bin.as_ref()
                .map_or(Value::Null, |bin| bin.display().to_string().into())
        };
        let versions = |range: &Option<VersionReq>| {
            range
                .as_ref()
                .map_or(Value::Null, |range| range.to_string().into())
        };
        let model = |name: &Option<ModelName>| name.as_ref().map_or(Value::Null, |name| name.as_str().into());
        let effort = |name: &Option<Effort>| name.as_ref().map_or(Value::Null, |name| name.as_str().into());
        let mut rows = vec![
            row("peer.codex.bin", &self.codex_bin, program),
            row("peer.codex.versions", &self.codex_versions, versions),
            row("peer.codex.model", &self.codex_model, model),
            row("peer.codex.effort", &self.codex_effort, effort),
            row("peer.claude.bin", &self.claude_bin, program),
            row("peer.claude.versions", &self.claude_versions, versions),
            row("peer.claude.model", &self.claude_model, model),
            row("peer.claude.effort", &self.claude_effort, effort),
            row("limits.concurrency", &self.concurrency, |n| (*n).into()),
            row("limits.timeout_s", &self.timeout, |timeout| {
                timeout.as_secs().into()
            }),
            row("limits.budget_tokens", &self.budget_tokens, |n| (*n).into()),
            row("limits.ask_above_tokens", &self.ask_above_tokens, |n| (*n).into()),
            row("limits.prompt_bytes", &self.prompt_bytes, |n| (*n).into()),
            row("limits.review_parts", &self.review_parts, |n| (*n).into()),
            row("limits.depth", &self.depth, |n| (*n).into()),
            row("policy.roots", &self.roots, paths),
            row("paths.deny", &self.paths_deny, texts),
            row("checks.only", &self.checks_only, |lines| {
                lines.as_ref().map_or(Value::Null, |lines| lines.clone().into())
            }),
            row("secrets.files", &self.secret_files, texts),
            row("secrets.patterns", &self.secret_patterns, texts),
            row("env.pass", &self.env_pass, texts),
            row("allow.web_search", &self.allow_web_search, switch),
            row("allow.network", &self.allow_network, switch),
            row("allow.in_place", &self.allow_in_place, switch),
            row("delegate.reuse", &self.reuse, texts),
            row("apply.confirm", &self.confirm, |confirm| confirm.as_str().into()),
            row("runner.cloud.env", &self.cloud_environment, |environment| {
                environment
                    .as_ref()
                    .map_or(Value::Null, |name| name.clone().into())
            }),
            row("host.notify", &self.notify, switch),
            row("host.gate", &self.gate, |gate| {
                gate.map_or(Value::Null, |gate| gate.as_str().into())
            }),
        ];
        if !self.project_roots.value.is_empty() {
            // Both lists hold, so neither replaces the other.
            rows.insert(16, row("policy.roots", &self.project_roots, paths));
        }
        if let Some(most) = self.timeout_most.filter(|most| *most > self.timeout.value) {
            let most = json!({"key": "limits.timeout_s", "value": format!("at most {}", most.as_secs()), "origin": "project"});
            rows.insert(10, most);
        }
        rows
    }
}

/// Lists what is wrong with the text of the user's file; at most a few dozen mistakes.
pub fn problems(file: &str) -> Vec<Problem> {
    Layer::read(file, Owner::User).1
}

fn program_variable(peer: Peer, environment: &Environment) -> Option<(&'static str, Option<PathBuf>)> {
    let name = peer.program_variable();
    environment.path(name).map(|path| (name, Some(path)))
}

struct Variables<'a>(&'a Environment);

impl Variables<'_> {
    /// Reads a number within its bounds.
    fn number<T>(
        &self,
        names: &[&'static str],
        within: impl Fn(u64) -> Option<T>,
    ) -> Result<Option<(&'static str, T)>, Fault> {
        self.read(names, |text| text.parse().ok().and_then(&within))
    }

    /// Reads the first of these that is set; one that does not hold what it should is a fault, not an absent one.
    fn read<T>(
        &self,
        names: &[&'static str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<(&'static str, T)>, Fault> {
        let set = names
            .iter()
            .find_map(|name| self.0.get(name).map(|text| (*name, text)));
        let Some((name, text)) = set else {
            return Ok(None);
        };
        match text.to_str().and_then(parse) {
            Some(value) => Ok(Some((name, value))),
            None => Err(unusable(name)),
        }
    }
}

/// Refuses a place that is no absolute path: taken for absent it would be a setting that silently does not hold.
fn refuse_relative_places(environment: &Environment) -> Result<(), Fault> {
    let programs = Peer::ALL.map(Peer::program_variable);
    for name in ["CROSSCHECK_CONFIG", "CROSSCHECK_STATE_DIR"]
        .into_iter()
        .chain(programs)
    {
        if environment.get(name).is_some() && environment.path(name).is_none() {
            let message = format!("the variable `{name}` does not hold an absolute path");
            return Err(invalid(name, message));
        }
    }
    Ok(())
}

/// Says that a variable, or a setting of the plugin that came in one, holds nothing that can be used.
fn unusable(name: &'static str) -> Fault {
    match name.strip_prefix(PLUGIN_PREFIX) {
        Some(setting) => {
            let setting = setting.to_ascii_lowercase();
            let message = format!("the plugin's setting `{setting}` does not hold what it should");
            invalid(name, message)
                .hint("mend it with `/plugin configure codex@crosscheck`, then `/mcp` to reconnect")
        }
        None => invalid(
            name,
            format!("the variable `{name}` does not hold what it should"),
        ),
    }
}

fn bad_file(first: &Problem, count: usize) -> Fault {
    let keys = match first.valid.as_slice() {
        [] => String::new(),
        valid => format!(" (the keys here are {})", valid.join(", ")),
    };
    let more = match count - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let message = format!(
        "the configuration file is not valid in line {}: {}{keys}{more}",
        first.line, first.message
    );
    invalid(first.key.as_deref().unwrap_or("config"), message)
        .hint("`crosscheck config check` lists every mistake with its line")
}

fn invalid(key: &str, message: String) -> Fault {
    Fault::new(FaultCode::ConfigInvalid, message).field(key)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
