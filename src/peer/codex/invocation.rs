//! The command lines that are sent to codex, each flag with the guarantee that it holds up.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::domain::request::{Effort, ModelName, ThreadId};
use crate::domain::tier::{Isolation, Sandbox, Tools};
use crate::peer::codex::servers::{switch_off, toml_string};

/// A setting that outranks the user's configuration, and what it guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// `key=value` behind `-c`.
    pub setting: &'static str,
    /// The guarantee, for people.
    pub guarantee: &'static str,
}

/// The pins of every run. Features are always set in this form: `--disable NAME` is an error on a version that does not
/// know the name; this form is at most a warning there.
pub const PINS: [Pin; 12] = [
    Pin {
        setting: "shell_environment_policy.inherit=core",
        guarantee: "commands do not see keys in codex's environment",
    },
    Pin {
        setting: "features.shell_snapshot=false",
        guarantee: "the same: up to 0.157.1 a snapshot of the shell hands the whole environment to commands again",
    },
    Pin {
        setting: NO_WAIT,
        guarantee: "a run without network ends by itself",
    },
    Pin {
        setting: "features.remote_plugin=false",
        guarantee: "no plugin is fetched for a run",
    },
    Pin {
        setting: "features.plugins=false",
        guarantee: "the user's plugins take no part",
    },
    Pin {
        setting: "features.apps=false",
        guarantee: "connected apps take no part",
    },
    Pin {
        setting: "features.hooks=false",
        guarantee: "hooks, which run outside the sandbox, do not run",
    },
    Pin {
        setting: "notify=[]",
        guarantee: "the user's notification program does not run",
    },
    Pin {
        setting: "features.sleep_tool=false",
        guarantee: "the model does not pass paid time sleeping",
    },
    Pin {
        setting: "project_doc_max_bytes=0",
        guarantee: "the repository's instructions reach the model only fenced, as data",
    },
    Pin {
        setting: "skills.include_instructions=false",
        guarantee: "the repository's skills do not reach the model unfenced",
    },
    Pin {
        setting: "analytics.enabled=false",
        guarantee: "a run sends no usage statistics",
    },
];

/// The pin that makes codex give up when nobody listens at the model's service, and the setting that makes it wait.
///
/// codex-cli 0.169.0 waits for ever then, trying after 3, 8 and 13 s and at last every 63 s; a stream that breaks while
/// somebody listens is tried as often as ever. Versions without the feature give up after 25 s (seen with 0.140.0).
const NO_WAIT: &str = "features.unbounded_connection_retries=false";
const WAIT: &str = "features.unbounded_connection_retries=true";

/// One call of `codex exec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// What commands may do.
    pub sandbox: Sandbox,
    /// Where codex works.
    pub directory: PathBuf,
    /// The thread to continue.
    pub resume: Option<ThreadId>,
    /// The model, else codex's default.
    pub model: Option<ModelName>,
    /// The effort, else codex's default.
    pub effort: Option<Effort>,
    /// A file with the JSON schema that the answer must fit.
    pub schema: Option<PathBuf>,
    /// Where codex writes its last message.
    pub last_message: PathBuf,
    /// How much of the user's configuration takes part.
    pub isolation: Isolation,
    /// The root of the repository, or the directory where there is none: the project that is not trusted for this run.
    pub project: PathBuf,
    /// The user's MCP servers, all of them.
    pub servers: Vec<String>,
    /// Whether commands can run.
    pub tools: Tools,
    /// Whether the model may search the web.
    pub web_search: bool,
    /// Keep no thread.
    pub ephemeral: bool,
}

impl Exec {
    /// Returns the arguments. The prompt follows on standard input, never here.
    ///
    /// Flags stand before `resume`: that sub-command knows neither `-s` nor `-C` and restores neither from the thread
    /// (seen with codex-cli 0.169.0; `a_resumed_run_stays_read_only` pins it).
    pub fn arguments(&self) -> Vec<OsString> {
        let mut line = Line(vec!["exec".into()]);
        line.flag("--json");
        line.pair("-s", sandbox_name(self.sandbox));
        line.pair("-C", self.directory.clone());
        line.flag("--skip-git-repo-check");
        // A rule that allows a command runs it outside the sandbox, read-only or not (seen with codex-cli 0.134.0 and
        // 0.169.0; `a_users_rule_does_not_leave_the_sandbox` pins it). So rules are never read.
        line.flag("--ignore-rules");
        line.pair("-c", untrusted(&self.project));
        for pin in PINS {
            line.pair("-c", pin.setting);
        }
        line.pair(
            "-c",
            if self.web_search {
                "web_search=live"
            } else {
                "web_search=disabled"
            },
        );
        if self.tools == Tools::None {
            line.pair("-c", "features.shell_tool=false");
        }
        if self.isolation == Isolation::IgnoreConfig {
            line.flag("--ignore-user-config");
        }
        if self.isolation != Isolation::IgnoreConfig
            && let Some(off) = switch_off(&self.servers)
        {
            line.pair("-c", off);
        }
        if let Some(effort) = &self.effort {
            line.pair(
                "-c",
                format!("model_reasoning_effort={}", toml_string(effort.as_str())),
            );
        }
        if let Some(model) = &self.model {
            line.pair("-m", model.as_str());
        }
        if self.ephemeral {
            line.flag("--ephemeral");
        }
        if let Some(schema) = &self.schema {
            line.pair("--output-schema", schema.clone());
        }
        line.pair("-o", self.last_message.clone());
        if let Some(thread) = &self.resume {
            line.pair("resume", thread.as_str());
        }
        line.flag("-");
        line.0
    }

    /// Returns the arguments of a run that waits for the network. Whoever starts it must bound its waiting.
    pub fn waiting_arguments(&self) -> Vec<OsString> {
        let switched = |argument: OsString| {
            if argument == NO_WAIT {
                WAIT.into()
            } else {
                argument
            }
        };
        self.arguments().into_iter().map(switched).collect()
    }
}

/// Returns the override that takes the trust from a project for one run, so that the repository's own configuration
/// does not take part: a trusted one may start servers and choose the model.
///
/// codex looks a project up by the canonical path of its git root (seen with 0.110.0 to 0.169.0;
/// `a_trusted_repository_configures_nothing` pins it).
pub fn untrusted(project: &Path) -> String {
    format!(
        "projects={{{}={{trust_level=\"untrusted\"}}}}",
        toml_string(&project.to_string_lossy())
    )
}

/// Returns the arguments of the free probe that tells whether the sandbox works: exit code 0 means that it does.
///
/// `codex doctor` does not notice a broken sandbox (seen with codex-cli 0.169.0).
pub fn sandbox_probe() -> Vec<OsString> {
    ["sandbox", "-c", "sandbox_mode=read-only", "--", "true"]
        .map(OsString::from)
        .to_vec()
}

fn sandbox_name(sandbox: Sandbox) -> &'static str {
    match sandbox {
        Sandbox::ReadOnly => "read-only",
        Sandbox::WorkspaceWrite => "workspace-write",
    }
}

struct Line(Vec<OsString>);

impl Line {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    fn pair(&mut self, flag: &str, value: impl Into<OsString>) {
        self.0.push(flag.into());
        self.0.push(value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec() -> Exec {
        Exec {
            sandbox: Sandbox::ReadOnly,
            directory: "/w".into(),
            resume: None,
            model: None,
            effort: None,
            schema: None,
            last_message: "/j/last".into(),
            isolation: Isolation::Clean,
            project: "/w".into(),
            servers: vec!["a.b c".into()],
            tools: Tools::Sandboxed,
            web_search: false,
            ephemeral: false,
        }
    }

    fn line(exec: &Exec) -> String {
        exec.arguments()
            .iter()
            .map(|a| a.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_prompt_is_never_an_argument_and_stdin_is_asked_for_last() {
        assert_eq!(exec().arguments().last().unwrap(), "-");
        let resumed = Exec {
            resume: ThreadId::try_from("019a0000-0000-7000-8000-000000000001".to_owned()).ok(),
            ..exec()
        };
        assert!(line(&resumed).ends_with("-o /j/last resume 019a0000-0000-7000-8000-000000000001 -"));
    }

    #[test]
    fn a_run_that_waits_for_the_network_differs_in_nothing_else() {
        let (usual, waiting) = (exec().arguments(), exec().waiting_arguments());
        assert_eq!(usual.len(), waiting.len());
        let changed: Vec<_> = usual.iter().zip(&waiting).filter(|(a, b)| a != b).collect();
        assert_eq!(changed, [(&OsString::from(NO_WAIT), &OsString::from(WAIT))]);
    }

    #[test]
    fn servers_are_switched_off_unless_their_configuration_is_not_read() {
        assert!(line(&exec()).contains(r#"-c mcp_servers={"a.b c"={enabled=false}}"#));
        let ignoring = Exec {
            isolation: Isolation::IgnoreConfig,
            ..exec()
        };
        assert!(!line(&ignoring).contains("mcp_servers"));
        assert!(line(&ignoring).contains("--ignore-user-config"));
    }

    #[test]
    fn a_broken_sandbox_takes_the_shell_away() {
        assert!(
            line(&Exec {
                tools: Tools::None,
                ..exec()
            })
            .contains("features.shell_tool=false")
        );
    }
}
