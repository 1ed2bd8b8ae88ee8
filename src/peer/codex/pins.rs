//! The settings that outrank the user's configuration, each with what it guarantees.
//!
//! Features are always set as `features.NAME=false`: `--disable NAME` is an error on a version that does not know the
//! name; this form is at most a warning there.

use std::path::Path;

use crate::peer::codex::servers::toml_string;

/// A setting, and what it guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// `key=value` behind `-c`.
    pub setting: &'static str,
    /// The guarantee, for people.
    pub guarantee: &'static str,
}

/// The pins of every run.
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

/// The further pins of a run that edits. [`writable_roots`] and [`network_access`] make up the rest.
///
/// Seen with codex-cli 0.169.0: without them a user's own `[sandbox_workspace_write]` lets commands write elsewhere and open
/// connections; `commands_of_a_delegate_stay_in_the_worktree` and the contract check `write_pins` pin that these suffice.
pub const WRITE_PINS: [Pin; 2] = [
    Pin {
        setting: "sandbox_workspace_write.exclude_slash_tmp=true",
        guarantee: "commands do not write into /tmp, which others use too",
    },
    Pin {
        setting: "sandbox_workspace_write.exclude_tmpdir_env_var=false",
        guarantee: "commands have the job's own folder for temporary files",
    },
];

/// The pin that makes codex give up when nobody listens at the model's service, and the setting that makes it wait.
///
/// codex-cli 0.169.0 waits for ever then, trying after 3, 8 and 13 s and at last every 63 s; a stream that breaks while
/// somebody listens is tried as often as ever. Versions without the feature give up after 25 s (seen with 0.140.0).
pub(super) const NO_WAIT: &str = "features.unbounded_connection_retries=false";
pub(super) const WAIT: &str = "features.unbounded_connection_retries=true";

/// Returns the pin that says whether commands of a run that edits may use the network.
pub fn network_access(allowed: bool) -> String {
    format!("sandbox_workspace_write.network_access={allowed}")
}

/// Returns the pin that says where commands may write besides the directory they are started in: nowhere, or below the top
/// of the tree where that directory is further down.
///
/// codex keeps `.git`, `.agents` and `.codex` of each such folder from being written, a `.git` that is a file too (seen with
/// codex-cli 0.169.0; `commands_of_a_delegate_stay_in_the_worktree` pins it).
pub fn writable_roots(top: Option<&Path>) -> String {
    let roots = top.map(|top| toml_string(&top.to_string_lossy()));
    format!(
        "sandbox_workspace_write.writable_roots=[{}]",
        roots.unwrap_or_default()
    )
}

/// Returns the override that takes the trust from a project for one run, so that the repository's own configuration
/// does not take part: a trusted one may start servers and choose the model.
///
/// codex looks a project up by the canonical path of its git root (seen with 0.110.0 to 0.169.0;
/// `a_trusted_repository_configures_nothing` pins it). Of a linked worktree that is its own top, wherever its `.git` file
/// leads (seen with 0.169.0; `a_poisoned_worktree_configures_nothing` pins it).
pub fn untrusted(project: &Path) -> String {
    format!(
        "projects={{{}={{trust_level=\"untrusted\"}}}}",
        toml_string(&project.to_string_lossy())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_so_that_no_name_ends_its_setting() {
        let check = |top: Option<&str>, expected: &str| {
            let written = writable_roots(top.map(Path::new));
            assert_eq!(
                written,
                format!("sandbox_workspace_write.writable_roots={expected}")
            );
            let value = written.split_once('=').unwrap().1;
            let parsed: toml::Table = format!("x = {value}").parse().unwrap();
            let roots = parsed["x"].as_array().unwrap();
            assert_eq!(roots.len(), usize::from(top.is_some()), "{written}");
            assert_eq!(roots.first().and_then(|root| root.as_str()), top);
        };
        check(None, "[]");
        check(Some("/a b"), r#"["/a b"]"#);
        check(Some(r#"/q"uo\te"#), r#"["/q\"uo\\te"]"#);
    }
}
