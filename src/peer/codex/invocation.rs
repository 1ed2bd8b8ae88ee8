//! The command line of a run that is paid, each flag with the guarantee that it holds up.

use std::ffi::OsString;

use crate::domain::tier::{Isolation, Tools};
use crate::peer::codex::pins::{NO_WAIT, PINS, WAIT, untrusted};
use crate::peer::codex::sandbox::WriteAccess;
use crate::peer::codex::servers::{switch_off, toml_string};
use crate::peer::exec::{Access, Exec};
use crate::peer::line::Line;

/// Returns the arguments. The prompt follows on standard input, never here.
///
/// Flags stand before `resume` and `fork`: that sub-command knows neither `-s` nor `-C` and restores neither from the thread
/// (seen with codex-cli 0.169.0; `a_resumed_run_stays_read_only` pins it).
pub fn arguments(exec: &Exec) -> Vec<OsString> {
    let mut line = Line(vec!["exec".into()]);
    line.flag("--json");
    line.pair(
        "-s",
        match exec.access {
            Access::Read => "read-only",
            Access::Write { .. } => "workspace-write",
        },
    );
    line.pair("-C", exec.directory.clone());
    line.flag("--skip-git-repo-check");
    // A rule that allows a command runs it outside the sandbox, read-only or not (seen with codex-cli 0.134.0 and
    // 0.169.0; `a_users_rule_does_not_leave_the_sandbox` pins it). So rules are never read.
    line.flag("--ignore-rules");
    line.pair("-c", untrusted(&exec.project));
    for pin in PINS {
        line.pair("-c", pin.setting);
    }
    match &exec.access {
        Access::Read => {}
        Access::Write { top, network } => {
            let access = WriteAccess {
                top: top.clone(),
                directory: exec.directory.clone(),
                network: *network,
            };
            access
                .settings()
                .into_iter()
                .for_each(|setting| line.pair("-c", setting));
        }
    }
    line.pair(
        "-c",
        if exec.web_search {
            "web_search=live"
        } else {
            "web_search=disabled"
        },
    );
    if exec.tools == Tools::None {
        line.pair("-c", "features.shell_tool=false");
    }
    if exec.isolation == Isolation::IgnoreConfig {
        line.flag("--ignore-user-config");
    }
    if exec.isolation != Isolation::IgnoreConfig
        && let Some(off) = switch_off(&exec.servers)
    {
        line.pair("-c", off);
    }
    if let Some(effort) = &exec.effort {
        line.pair(
            "-c",
            format!("model_reasoning_effort={}", toml_string(effort.as_str())),
        );
    }
    if let Some(model) = &exec.model {
        line.pair("-m", model.as_str());
    }
    if exec.ephemeral {
        line.flag("--ephemeral");
    }
    if let Some(schema) = &exec.schema {
        line.pair("--output-schema", schema.path.clone());
    }
    line.pair("-o", exec.last_message.clone());
    if let Some(thread) = &exec.resume {
        line.pair(if exec.fork { "fork" } else { "resume" }, thread.as_str());
    }
    line.flag("-");
    line.0
}

/// Returns the arguments of a run that waits for the network. Whoever starts it must bound its waiting.
pub fn waiting_arguments(exec: &Exec) -> Vec<OsString> {
    let switched = |argument: OsString| {
        if argument == NO_WAIT {
            WAIT.into()
        } else {
            argument
        }
    };
    arguments(exec).into_iter().map(switched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::ThreadId;

    fn exec() -> Exec {
        Exec {
            access: Access::Read,
            directory: "/w".into(),
            resume: None,
            fork: false,
            roots: Vec::new(),
            session: ThreadId::try_from("019a0000-0000-7000-8000-000000000000".to_owned()).unwrap(),
            record: None,
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
            withheld: Vec::new(),
            budget_microusd: None,
            max_turns: None,
            counts_tokens: false,
        }
    }

    fn line(exec: &Exec) -> String {
        arguments(exec)
            .iter()
            .map(|a| a.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_prompt_is_never_an_argument_and_stdin_is_asked_for_last() {
        assert_eq!(arguments(&exec()).last().unwrap(), "-");
        let resumed = Exec {
            resume: ThreadId::try_from("019a0000-0000-7000-8000-000000000001".to_owned()).ok(),
            ..exec()
        };
        assert!(line(&resumed).ends_with("-o /j/last resume 019a0000-0000-7000-8000-000000000001 -"));
    }

    #[test]
    fn a_run_that_waits_for_the_network_differs_in_nothing_else() {
        let (usual, waiting) = (arguments(&exec()), waiting_arguments(&exec()));
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
    fn a_run_that_edits_writes_nowhere_else() {
        let check = |directory: &str, roots: &str| {
            let written = line(&Exec {
                access: Access::Write {
                    top: "/w".into(),
                    network: false,
                },
                directory: directory.into(),
                ..exec()
            });
            assert!(
                written.starts_with(&format!("exec --json -s workspace-write -C {directory} ")),
                "{written}"
            );
            for setting in [
                "sandbox_workspace_write.network_access=false",
                "sandbox_workspace_write.exclude_slash_tmp=true",
                roots,
            ] {
                assert!(
                    written.contains(&format!("-c {setting} ")),
                    "{setting}: {written}"
                );
            }
            assert!(!line(&exec()).contains("workspace"), "{}", line(&exec()));
        };
        check("/w", "sandbox_workspace_write.writable_roots=[]");
        check("/w/sub", "sandbox_workspace_write.writable_roots=[\"/w\"]");
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
