//! The user's configuration: a built-in floor, then the user's file, then the server's environment.
//!
//! Pure: text and variables come in. A repository's files are never read here; nothing in a repository can widen what
//! is allowed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::VersionReq;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::peer::codex::locate::PROGRAM_VARIABLE;

/// Where a value was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The user's file.
    File,
    /// A variable of this name.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File => out.write_str("file"),
            Self::Environment(name) => write!(out, "environment {name}"),
        }
    }
}

/// A value and where it was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it was taken from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn pick(default: T, file: Option<T>, environment: Option<(&'static str, T)>) -> Self {
        match (environment, file) {
            (Some((name, value)), _) => Self {
                value,
                origin: Origin::Environment(name),
            },
            (None, Some(value)) => Self {
                value,
                origin: Origin::File,
            },
            (None, None) => Self {
                value: default,
                origin: Origin::Default,
            },
        }
    }
}

/// When a person is asked before a result lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Folders that installers of packages make inside a workspace; checks rarely work without them.
const REUSE: [&str; 3] = ["node_modules", ".venv", "vendor/bundle"];

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The codex program; found when absent.
    pub codex_bin: Setting<Option<PathBuf>>,
    /// Replaces the tested version range.
    pub codex_versions: Setting<Option<VersionReq>>,
    /// Jobs at once.
    pub concurrency: Setting<usize>,
    /// Deadline of a run.
    pub timeout: Setting<Duration>,
    /// Tokens of a run; any number when absent.
    pub budget_tokens: Setting<Option<u64>>,
    /// Bytes of a prompt.
    pub prompt_bytes: Setting<usize>,
    /// Only workspaces below one of these; any when empty.
    pub roots: Setting<Vec<PathBuf>>,
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
    /// Whether a session of a host is told when a job of its own is over.
    pub notify: Setting<bool>,
    /// How deep runs may be nested.
    pub depth: Setting<u32>,
}

/// The file's own shape. Unknown keys are errors: a misspelt limit must not be silently absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    peer: Peers,
    limits: Limits,
    policy: Policy,
    env: Env,
    allow: Allow,
    delegate: Delegate,
    apply: Apply,
    host: Host,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Host {
    notify: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Delegate {
    reuse: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Apply {
    confirm: Option<Confirm>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Peers {
    codex: Codex,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Codex {
    bin: Option<PathBuf>,
    versions: Option<VersionReq>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    concurrency: Option<usize>,
    timeout_s: Option<u64>,
    budget_tokens: Option<u64>,
    prompt_bytes: Option<usize>,
    depth: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Policy {
    roots: Option<Vec<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Env {
    pass: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Allow {
    web_search: Option<bool>,
    network: Option<bool>,
    in_place: Option<bool>,
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
    pub fn layered(file: Option<&str>, environment: &Environment) -> Result<Self, Fault> {
        for name in ["CROSSCHECK_CONFIG", "CROSSCHECK_STATE_DIR", PROGRAM_VARIABLE] {
            // Taken for absent it would be a setting that silently does not hold.
            if environment.get(name).is_some() && environment.path(name).is_none() {
                return Err(invalid(
                    name,
                    format!("the variable `{name}` does not hold an absolute path"),
                ));
            }
        }
        let file: File = match file {
            Some(text) => toml::from_str(text).map_err(|error| bad_file(text, &error))?,
            None => File::default(),
        };
        let config = Self {
            codex_bin: Setting::pick(
                None,
                file.peer.codex.bin.map(Some),
                environment
                    .path(PROGRAM_VARIABLE)
                    .map(|path| (PROGRAM_VARIABLE, Some(path))),
            ),
            codex_versions: Setting::pick(
                None,
                file.peer.codex.versions.map(Some),
                variable(environment, "CROSSCHECK_PEER_CODEX_VERSIONS")?
                    .map(|(name, range)| (name, Some(range))),
            ),
            concurrency: Setting::pick(
                limits::CONCURRENCY_DEFAULT,
                file.limits.concurrency,
                variable(environment, "CROSSCHECK_LIMITS_CONCURRENCY")?,
            ),
            timeout: Setting::pick(
                limits::TIMEOUT_DEFAULT,
                file.limits.timeout_s.map(Duration::from_secs),
                variable::<u64>(environment, "CROSSCHECK_LIMITS_TIMEOUT_S")?
                    .map(|(name, seconds)| (name, Duration::from_secs(seconds))),
            ),
            budget_tokens: Setting::pick(
                None,
                file.limits.budget_tokens.map(Some),
                variable(environment, "CROSSCHECK_LIMITS_BUDGET_TOKENS")?
                    .map(|(name, tokens)| (name, Some(tokens))),
            ),
            prompt_bytes: Setting::pick(
                limits::PROMPT_BYTES,
                file.limits.prompt_bytes,
                variable(environment, "CROSSCHECK_LIMITS_PROMPT_BYTES")?,
            ),
            roots: Setting::pick(Vec::new(), file.policy.roots, None),
            env_pass: Setting::pick(Vec::new(), file.env.pass, None),
            allow_web_search: Setting::pick(false, file.allow.web_search, None),
            allow_network: Setting::pick(false, file.allow.network, None),
            allow_in_place: Setting::pick(false, file.allow.in_place, None),
            reuse: Setting::pick(REUSE.map(str::to_owned).to_vec(), file.delegate.reuse, None),
            confirm: Setting::pick(Confirm::Host, file.apply.confirm, None),
            notify: Setting::pick(
                true,
                file.host.notify,
                variable(environment, "CROSSCHECK_HOST_NOTIFY")?,
            ),
            depth: Setting::pick(1, file.limits.depth, None),
        };
        config.checked()
    }

    fn checked(self) -> Result<Self, Fault> {
        let range = |key: &str, ok: bool, bounds: String| {
            if ok {
                Ok(())
            } else {
                Err(invalid(key, format!("`{key}` must be {bounds}")))
            }
        };
        let seconds = |duration: Duration| duration.as_secs();
        let (low, high) = (limits::TIMEOUT_MIN, limits::TIMEOUT_MAX);
        range(
            "limits.concurrency",
            (1..=limits::CONCURRENCY_MAX).contains(&self.concurrency.value),
            format!("1 to {}", limits::CONCURRENCY_MAX),
        )?;
        range(
            "limits.timeout_s",
            (low..=high).contains(&self.timeout.value),
            format!("{} to {} seconds", seconds(low), seconds(high)),
        )?;
        let (low, high) = (limits::BUDGET_TOKENS_MIN, limits::BUDGET_TOKENS_MAX);
        range(
            "limits.budget_tokens",
            self.budget_tokens
                .value
                .is_none_or(|tokens| (low..=high).contains(&tokens)),
            format!("{low} to {high}"),
        )?;
        range(
            "limits.prompt_bytes",
            (10_000..=limits::PROMPT_BYTES).contains(&self.prompt_bytes.value),
            format!("10000 to {}", limits::PROMPT_BYTES),
        )?;
        range(
            "limits.depth",
            (1..=2).contains(&self.depth.value),
            "1 or 2".to_owned(),
        )?;
        range(
            "delegate.reuse",
            self.reuse.value.iter().all(|path| is_inside(path)),
            "a list of relative paths without `..`".to_owned(),
        )?;
        range(
            "policy.roots",
            self.roots.value.iter().all(|root| root.is_absolute()),
            "a list of absolute paths".to_owned(),
        )?;
        range(
            "peer.codex.bin",
            self.codex_bin.value.as_ref().is_none_or(|bin| bin.is_absolute()),
            "an absolute path".to_owned(),
        )?;
        Ok(self)
    }

    /// Lists every setting with its value and origin, for people and `status topic=policy`.
    pub fn rows(&self) -> Vec<Value> {
        fn row<T>(key: &str, setting: &Setting<T>, show: impl Fn(&T) -> Value) -> Value {
            json!({"key": key, "value": show(&setting.value), "origin": setting.origin.to_string()})
        }
        let paths = |paths: &Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect();
        vec![
            row("peer.codex.bin", &self.codex_bin, |bin| {
                bin.as_ref()
                    .map_or(Value::Null, |bin| bin.display().to_string().into())
            }),
            row("peer.codex.versions", &self.codex_versions, |range| {
                range
                    .as_ref()
                    .map_or(Value::Null, |range| range.to_string().into())
            }),
            row("limits.concurrency", &self.concurrency, |n| (*n).into()),
            row("limits.timeout_s", &self.timeout, |timeout| {
                timeout.as_secs().into()
            }),
            row("limits.budget_tokens", &self.budget_tokens, |n| (*n).into()),
            row("limits.prompt_bytes", &self.prompt_bytes, |n| (*n).into()),
            row("limits.depth", &self.depth, |n| (*n).into()),
            row("policy.roots", &self.roots, paths),
            row("env.pass", &self.env_pass, |names| names.clone().into()),
            row("allow.web_search", &self.allow_web_search, |allowed| {
                (*allowed).into()
            }),
            row("allow.network", &self.allow_network, |allowed| (*allowed).into()),
            row("allow.in_place", &self.allow_in_place, |allowed| {
                (*allowed).into()
            }),
            row("delegate.reuse", &self.reuse, |paths| paths.clone().into()),
            row("apply.confirm", &self.confirm, |confirm| confirm.as_str().into()),
            row("host.notify", &self.notify, |notify| (*notify).into()),
        ]
    }
}

/// Tells whether a relative path of a configuration stays inside the workspace and is not its git directory.
pub(crate) fn is_inside(path: &str) -> bool {
    use std::path::Component;
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some()
        && parts.all(|part| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git")))
}

fn variable<T: std::str::FromStr>(
    environment: &Environment,
    name: &'static str,
) -> Result<Option<(&'static str, T)>, Fault> {
    match environment.get(name) {
        None => Ok(None),
        Some(text) => match text.to_str().and_then(|text| text.parse().ok()) {
            Some(value) => Ok(Some((name, value))),
            None => Err(invalid(
                name,
                format!("the variable `{name}` does not hold what it should"),
            )),
        },
    }
}

fn bad_file(text: &str, error: &toml::de::Error) -> Fault {
    let before = error
        .span()
        .map_or("", |span| &text[..span.start.min(text.len())]);
    let line = before.matches('\n').count() + 1;
    // The library's message may repeat a value; a key's name it quotes in backticks for unknown fields only.
    let what = match error.message().strip_prefix("unknown field ") {
        Some(rest) => format!("unknown key {}", rest.split(',').next().unwrap_or_default()),
        None => "a value has the wrong type, or the text is no TOML".to_owned(),
    };
    invalid(
        "config",
        format!("the configuration file is not valid near line {line}: {what}"),
    )
}

fn invalid(key: &str, message: String) -> Fault {
    Fault::new(FaultCode::ConfigInvalid, message).field(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn the_environment_outranks_the_file_and_the_file_the_default() {
        let text = "[limits]\nconcurrency = 5\ntimeout_s = 60\n";
        let config = Config::layered(Some(text), &env(&[("CROSSCHECK_LIMITS_CONCURRENCY", "7")])).unwrap();
        assert_eq!(
            config.concurrency,
            Setting {
                value: 7,
                origin: Origin::Environment("CROSSCHECK_LIMITS_CONCURRENCY")
            }
        );
        assert_eq!(
            config.timeout,
            Setting {
                value: Duration::from_secs(60),
                origin: Origin::File
            }
        );
        assert_eq!(config.prompt_bytes.origin, Origin::Default);
        assert_eq!(config.rows().len(), 15);
    }

    #[test]
    fn mistakes_are_named_without_their_values() {
        let check = |text: &str, part: &str| {
            let fault = Config::layered(Some(text), &env(&[])).unwrap_err();
            assert_eq!(fault.code, FaultCode::ConfigInvalid);
            assert!(fault.message.contains(part), "{}", fault.message);
            assert!(!fault.message.contains("s3cret"), "{}", fault.message);
        };
        check("[limits]\nconcurency = 5\n", "line 2: unknown key `concurency`");
        check("[limits]\nconcurrency = 'sk-s3cret'\n", "line 2");
        check("[limits]\nconcurrency = 99\n", "1 to 10");
        check("[limits]\nbudget_tokens = 999\n", "1000 to 100000000");
        check("[policy]\nroots = ['relative/s3cret']\n", "absolute");
        check("nonsense s3cret", "line 1");
    }

    #[test]
    fn a_variable_that_does_not_parse_is_named() {
        let fault = Config::layered(None, &env(&[("CROSSCHECK_LIMITS_TIMEOUT_S", "soon")])).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some("CROSSCHECK_LIMITS_TIMEOUT_S"));
    }
}
