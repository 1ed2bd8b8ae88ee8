//! What a run may take at most: the user's limits, and what a call asks for within them.

use std::time::Duration;

use crate::config::{Config, Origin, Setting};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobKind;
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::domain::request::Options;
use crate::peer::interface::Counting;

/// The deadline and the budget of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Awake time.
    pub timeout: Duration,
    /// Tokens, read and written; no bound when absent.
    pub budget_tokens: Option<u64>,
}

impl Allowance {
    /// Returns what a call gets that passed [`Self::check`].
    pub fn of(kind: JobKind, options: &Options, config: &Config) -> Self {
        // Editing and testing take longer than reading, so its default is another one; a limit of the user's is one for
        // all.
        let usual = config.usual_timeout(match kind {
            JobKind::Delegate => limits::DELEGATE_TIMEOUT_DEFAULT,
            JobKind::Consult | JobKind::Review => limits::TIMEOUT_DEFAULT,
        });
        Self {
            timeout: options.timeout.unwrap_or(usual),
            budget_tokens: budget_tokens(options, config),
        }
    }

    /// Refuses a call that asks for more than a limit which the user set, or for a budget that cannot be kept.
    ///
    /// A built-in default is no limit: only a value in the user's file, in a variable or in a project's file is.
    pub fn check(options: &Options, config: &Config, peer: Peer) -> Result<(), Fault> {
        if let Some(longest) = config.longest_timeout() {
            let timeout = options.timeout.is_some_and(|asked| asked > longest.value);
            refuse_if(timeout, "timeout_s", &longest)?;
        }
        let budget = options.budget_tokens > config.budget_tokens.value;
        refuse_if(budget, "budget_tokens", &config.budget_tokens)?;
        if let Some(most) = config
            .review_parts_most
            .filter(|most| options.max_parts > Some(*most))
        {
            let message = format!(
                "`options.max_parts` is more than the {most} that the project's `limits.review_parts` admits"
            );
            return Err(Fault::new(FaultCode::PolicyDenied, message)
                .field("options.max_parts")
                .hint("leave options.max_parts out or ask for less, and narrow the review with paths"));
        }
        let is_blind = peer.counting() == Counting::InRecord;
        if is_blind && options.ephemeral && budget_tokens(options, config).is_some() {
            // codex tells the tokens of a running turn only in the record that it keeps of its thread.
            let message = format!(
                "a budget cannot be kept in an ephemeral run: {peer} tells its tokens only at its end"
            );
            return Err(Fault::argument("options.ephemeral", message)
                .hint("leave out options.ephemeral, or the budget"));
        }
        Ok(())
    }
}

/// Returns the tokens that a run may use; no bound when absent.
pub fn budget_tokens(options: &Options, config: &Config) -> Option<u64> {
    options.budget_tokens.or(config.budget_tokens.value)
}

fn refuse_if<T>(more: bool, name: &str, limit: &Setting<T>) -> Result<(), Fault> {
    if !more || limit.origin == Origin::Default {
        return Ok(());
    }
    let owner = limit.origin.owner();
    let message = format!("`options.{name}` is more than `limits.{name}` of {owner}");
    Err(Fault::new(FaultCode::PolicyDenied, message)
        .field(format!("options.{name}"))
        .hint(format!(
            "leave options.{name} out or ask for less; only whoever wrote that file can raise the limit"
        )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::Environment;

    /// Checks a call that asks for so many seconds and tokens; `refused` is the field that is too large.
    fn check(config: &str, timeout_s: Option<u64>, budget_tokens: Option<u64>, refused: Option<&str>) {
        let config = Config::layered(Some(config), &Environment::default()).unwrap();
        let options = Options {
            timeout: timeout_s.map(Duration::from_secs),
            budget_tokens,
            ..Options::default()
        };
        let fault = Allowance::check(&options, &config, Peer::Codex).err();
        let field = fault.as_ref().and_then(|fault| fault.field.as_deref());
        assert_eq!(field, refused, "{timeout_s:?} {budget_tokens:?}");
        assert!(fault.is_none_or(|fault| fault.code == FaultCode::PolicyDenied));
    }

    #[test]
    fn a_call_may_ask_for_less_than_the_user_allows_and_not_for_more() {
        let set = "[limits]\ntimeout_s = 60\nbudget_tokens = 5000\n";
        check(set, None, None, None);
        check(set, Some(60), Some(5000), None);
        check(set, Some(10), Some(1000), None);
        check(set, Some(61), None, Some("options.timeout_s"));
        check(set, None, Some(5001), Some("options.budget_tokens"));
    }

    #[test]
    fn a_default_is_no_limit() {
        check("", Some(14_400), Some(100_000_000), None);
    }

    #[test]
    fn the_users_limit_holds_for_a_call_that_asks_for_nothing() {
        let config =
            Config::layered(Some("[limits]\nbudget_tokens = 5000\n"), &Environment::default()).unwrap();
        let allowance = Allowance::of(JobKind::Consult, &Options::default(), &config);
        assert_eq!(allowance.budget_tokens, Some(5000));
        let ephemeral = Options {
            ephemeral: true,
            ..Options::default()
        };
        let fault = Allowance::check(&ephemeral, &config, Peer::Codex).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some("options.ephemeral"));
    }

    #[test]
    fn a_delegate_has_longer_unless_the_user_says_how_long() {
        let check = |text: &str, kind, seconds: u64| {
            let config = Config::layered(Some(text), &Environment::default()).unwrap();
            let allowance = Allowance::of(kind, &Options::default(), &config);
            assert_eq!(allowance.timeout.as_secs(), seconds, "{text} {kind:?}");
        };
        check("", JobKind::Review, 1800);
        check("", JobKind::Delegate, 3600);
        check("[limits]\ntimeout_s = 60\n", JobKind::Delegate, 60);
    }
}
