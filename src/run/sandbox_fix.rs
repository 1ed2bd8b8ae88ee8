//! Why codex's sandbox does not work on this machine, as far as the system tells, and what would mend it.

use std::path::Path;

use crate::domain::fault::{Fault, FaultCode};
use crate::run::probe::SandboxState;
use crate::sys::files;

/// Bytes of a file that holds one number.
const NUMBER_BYTES: u64 = 64;

/// What the system says about namespaces of users, without which codex's sandbox cannot be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// `AppArmor` takes them from programs that it does not know.
    apparmor_restricts: bool,
    /// The kernel makes none for ordinary users.
    switched_off: bool,
    /// Their number is limited to none.
    limited_to_none: bool,
    /// This is a container.
    container: bool,
}

impl Machine {
    /// Looks at this machine. What is not told counts as fine.
    pub fn look() -> Self {
        let number = |path: &str| {
            let bytes = files::read_bounded(Path::new(path), NUMBER_BYTES).unwrap_or_default();
            String::from_utf8_lossy(&bytes).trim().parse::<u64>().ok()
        };
        Self {
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1),
            switched_off: number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0),
            limited_to_none: number("/proc/sys/user/max_user_namespaces") == Some(0),
            container: ["/.dockerenv", "/run/.containerenv"]
                .iter()
                .any(|mark| Path::new(mark).exists()),
        }
    }

    /// Says what would mend the sandbox.
    pub fn fix(self) -> &'static str {
        if self.apparmor_restricts {
            "a person with the right to do so can run `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or give \
             codex's program an AppArmor profile that allows `userns`"
        } else if self.switched_off {
            "a person with the right to do so can run `sudo sysctl kernel.unprivileged_userns_clone=1`"
        } else if self.limited_to_none {
            "a person with the right to do so can run `sudo sysctl user.max_user_namespaces=15000`"
        } else if self.container {
            "start the container with user namespaces allowed, such as `docker run --security-opt seccomp=unconfined \
             --security-opt apparmor=unconfined`, or run codex outside of it"
        } else {
            "run `codex sandbox -c sandbox_mode=workspace-write -- true` in a terminal, which says what is missing"
        }
    }
}

/// Refuses a run whose commands could not be confined. Nothing was paid.
pub fn unavailable(state: &SandboxState, machine: Machine) -> Fault {
    let reason = state.reason.as_deref().unwrap_or("it says nothing");
    let message = format!(
        "codex cannot confine what its commands write on this machine, so it is not started: {reason}"
    );
    Fault::new(FaultCode::SandboxUnavailable, message).hint(machine.fix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tier::Tools;

    #[test]
    fn the_fix_is_the_one_for_this_machine() {
        let check = |machine: Machine, word: &str| {
            let state = SandboxState {
                tools: Tools::None,
                reason: Some("bwrap: no".to_owned()),
            };
            let fault = unavailable(&state, machine);
            assert_eq!(fault.code, FaultCode::SandboxUnavailable);
            assert!(fault.message.ends_with("bwrap: no"), "{}", fault.message);
            assert!(fault.repair.hint.contains(word), "{}", fault.repair.hint);
        };
        let fine = Machine::default();
        check(fine, "codex sandbox");
        check(
            Machine {
                container: true,
                ..fine
            },
            "container",
        );
        check(
            Machine {
                apparmor_restricts: true,
                container: true,
                ..fine
            },
            "apparmor_restrict",
        );
        check(
            Machine {
                switched_off: true,
                ..fine
            },
            "userns_clone=1",
        );
        check(
            Machine {
                limited_to_none: true,
                ..fine
            },
            "max_user_namespaces",
        );
    }
}
