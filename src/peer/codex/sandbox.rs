//! Commands in codex's own sandbox without a model: what it can do here is found out for free, and checks run in it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::peer::codex::pins::{WRITE_PINS, network_access, untrusted, writable_roots};

/// What commands of a run that edits may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteAccess {
    /// The top of the tree they may write below. The directory they are started in lies there.
    pub top: PathBuf,
    /// The directory they are started in.
    pub directory: PathBuf,
    /// Whether they may use the network.
    pub network: bool,
}

impl WriteAccess {
    /// Returns the values behind `-c` that hold commands to it, whatever the user's configuration says.
    pub fn settings(&self) -> Vec<String> {
        let further = (self.top != self.directory).then_some(self.top.as_path());
        let mut settings = vec![network_access(self.network), writable_roots(further)];
        settings.extend(WRITE_PINS.map(|pin| pin.setting.to_owned()));
        settings
    }

    /// Returns the arguments that run a line of shell in the sandbox; the process is to be started in the directory.
    ///
    /// Its exit code is the line's own, and 101 where the sandbox itself fails. `-P :workspace` would not honour the pins
    /// (seen with codex-cli 0.169.0).
    pub fn shell(&self, line: &str) -> Vec<OsString> {
        let mut arguments = self.sandbox();
        arguments.extend(["--", "sh", "-c", line].map(OsString::from));
        arguments
    }

    /// Returns the arguments of the free probe that tells whether this sandbox works: exit code 0 means that it does.
    pub fn probe(&self) -> Vec<OsString> {
        let mut arguments = self.sandbox();
        arguments.extend(["--", "true"].map(OsString::from));
        arguments
    }

    fn sandbox(&self) -> Vec<OsString> {
        let fixed = [
            "sandbox_mode=workspace-write".to_owned(),
            // The same for commands without a model: a check needs no keys.
            "shell_environment_policy.inherit=core".to_owned(),
            untrusted(&self.top),
        ];
        let settings = fixed.into_iter().chain(self.settings());
        let mut arguments = vec![OsString::from("sandbox")];
        arguments.extend(settings.flat_map(|setting| [OsString::from("-c"), setting.into()]));
        arguments
    }
}

/// Returns the arguments of the free probe that tells whether the read-only sandbox works: exit code 0 means that it does.
///
/// `codex doctor` does not notice a broken sandbox (seen with codex-cli 0.169.0).
pub fn read_probe() -> Vec<OsString> {
    ["sandbox", "-c", "sandbox_mode=read-only", "--", "true"]
        .map(OsString::from)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_argument_behind_the_pins() {
        let access = WriteAccess {
            top: "/t".into(),
            directory: "/t/sub".into(),
            network: false,
        };
        let line: Vec<String> = access
            .shell("npm test; echo \"$HOME\"")
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            line.join(" "),
            "sandbox -c sandbox_mode=workspace-write -c shell_environment_policy.inherit=core \
             -c projects={\"/t\"={trust_level=\"untrusted\"}} -c sandbox_workspace_write.network_access=false \
             -c sandbox_workspace_write.writable_roots=[\"/t\"] -c sandbox_workspace_write.exclude_slash_tmp=true \
             -c sandbox_workspace_write.exclude_tmpdir_env_var=false -- sh -c npm test; echo \"$HOME\""
        );
        assert_eq!(line.last().unwrap(), "npm test; echo \"$HOME\"");
    }
}
