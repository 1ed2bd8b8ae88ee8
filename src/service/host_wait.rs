//! How long a call may wait for its job before the host would give it up. Pure.

use std::time::Duration;

use semver::Version;

use crate::domain::limits;
use crate::domain::request::Wait;
use crate::service::call::Host;

/// Claude Code puts calls of more than two minutes in the background by itself from this version on.
const AUTO_BACKGROUND: Version = Version::new(2, 1, 212);
/// Before that a call blocks the conversation, so it comes back while people still watch.
const OLD_CLAUDE: Duration = Duration::from_secs(100);
/// Codex gives a tool 300 s and progress does not extend it (seen with 0.169.0).
const CODEX: Duration = Duration::from_secs(240);
/// Hosts commonly give a tool 60 s.
const OTHER: Duration = Duration::from_secs(50);
/// Time left to answer before a time-out that the host was told of.
const MARGIN: Duration = Duration::from_secs(10);

/// Returns how long to wait. `tool_timeout_ms` is the host's `MCP_TOOL_TIMEOUT`, where it is set.
pub fn wait_of(wait: Wait, host: Option<&Host>, tool_timeout_ms: Option<u64>) -> Duration {
    match wait {
        Wait::Background => Duration::ZERO,
        Wait::AtMost(time) => time.min(limits::WAIT_MAX),
        Wait::HostDefault => default_wait(host, tool_timeout_ms),
    }
}

fn default_wait(host: Option<&Host>, tool_timeout_ms: Option<u64>) -> Duration {
    match host {
        None => limits::WAIT_MAX,
        Some(host) if host.name == "claude-code" => {
            let waits = Version::parse(&host.version).is_ok_and(|version| version >= AUTO_BACKGROUND);
            let time = if waits { limits::WAIT_MAX } else { OLD_CLAUDE };
            match tool_timeout_ms {
                Some(ms) => time.min(Duration::from_millis(ms).saturating_sub(MARGIN)),
                None => time,
            }
        }
        Some(host) if host.name == "codex-mcp-client" => CODEX,
        Some(_) => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_comes_back_before_its_host_gives_it_up() {
        let check = |name: &str, version: &str, timeout: Option<u64>, expected: u64| {
            let host = Host {
                name: name.into(),
                version: version.into(),
            };
            let wait = wait_of(Wait::HostDefault, Some(&host), timeout);
            assert_eq!(wait.as_secs(), expected, "{name} {version} {timeout:?}");
        };
        check("claude-code", "2.1.197", None, 100);
        check("claude-code", "2.1.329", None, limits::WAIT_MAX.as_secs());
        check("claude-code", "2.1.329", Some(60_000), 50);
        check("claude-code", "2.1.197", Some(5_000), 0);
        check("claude-code", "odd", None, 100);
        check("codex-mcp-client", "0.169.0", None, 240);
        check("inspector", "1", None, 50);
        assert_eq!(wait_of(Wait::HostDefault, None, None), limits::WAIT_MAX);
        assert_eq!(wait_of(Wait::Background, None, None), Duration::ZERO);
    }
}
