//! Why codex's sandbox does not work on this machine, as far as the system tells, and what would mend it.

use std::path::Path;

use crate::domain::fault::{Fault, FaultCode};
use crate::run::probe::SandboxState;
use crate::sys::files;

/// Bytes of a file that holds one number.
const NUMBER_BYTES: u64 = 64;

/// What keeps users from namespaces of their own on this machine, without which codex's sandbox cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `AppArmor` takes them from programs that it does not know.
    AppArmor,
    /// The kernel makes none for ordinary users.
    SwitchedOff,
    /// Their number is limited to none.
    LimitedToNone,
    /// It may be the container in which this runs.
    Container,
    /// The system does not tell.
    Untold,
}

impl Machine {
    /// Looks at this machine. What is not told counts as fine.
    pub fn look() -> Self {
        let number = |path: &str| {
            let bytes = files::read_bounded(Path::new(path), NUMBER_BYTES).unwrap_or_default();
            String::from_utf8_lossy(&bytes).trim().parse().ok()
        };
        let marks = ["/.dockerenv", "/run/.containerenv"];
        Self::told(number, marks.iter().any(|mark| Path::new(mark).exists()))
    }

    fn told(number: impl Fn(&str) -> Option<u64>, is_container: bool) -> Self {
        if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
            Self::AppArmor
        } else if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
            Self::SwitchedOff
        } else if number("/proc/sys/user/max_user_namespaces") == Some(0) {
            Self::LimitedToNone
        } else if is_container {
            Self::Container
        } else {
            Self::Untold
        }
    }

    /// Says what would mend the sandbox.
    pub fn fix(self) -> &'static str {
        match self {
            Self::AppArmor => {
                "a person with the right to do so can run `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or \
                 give codex's program an AppArmor profile that allows `userns`"
            }
            Self::SwitchedOff => {
                "a person with the right to do so can run `sudo sysctl kernel.unprivileged_userns_clone=1`"
            }
            Self::LimitedToNone => {
                "a person with the right to do so can run `sudo sysctl user.max_user_namespaces=15000`"
            }
            Self::Container => {
                "start the container with user namespaces allowed, such as `docker run --security-opt seccomp=unconfined \
                 --security-opt apparmor=unconfined`, or run codex outside of it"
            }
            Self::Untold => {
                "run `codex sandbox -c sandbox_mode=workspace-write -- true` in a terminal, which says what is missing"
            }
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
        let check = |numbers: &[(&str, u64)], is_container: bool, word: &str| {
            let number = |path: &str| {
                let named = numbers.iter().find(|(name, _)| path.ends_with(name))?;
                Some(named.1)
            };
            let state = SandboxState {
                tools: Tools::None,
                reason: Some("bwrap: no".to_owned()),
            };
            let fault = unavailable(&state, Machine::told(number, is_container));
            assert_eq!(fault.code, FaultCode::SandboxUnavailable);
            assert!(fault.message.ends_with("bwrap: no"), "{}", fault.message);
            assert!(fault.repair.hint.contains(word), "{}", fault.repair.hint);
        };
        let fine = ("max_user_namespaces", 100_000);
        check(&[], false, "codex sandbox");
        check(&[fine, ("unprivileged_userns_clone", 1)], true, "container");
        check(
            &[fine, ("apparmor_restrict_unprivileged_userns", 1)],
            true,
            "apparmor_restrict",
        );
        check(&[fine, ("unprivileged_userns_clone", 0)], false, "userns_clone=1");
        check(&[("max_user_namespaces", 0)], true, "max_user_namespaces");
    }
}
