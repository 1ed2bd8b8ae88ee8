//! Asks the person before a paid call that nothing holds below what the user lets pass unasked.
//!
//! What a run will use is not known before it, so no estimate is made: a call passes when its budget, which ends a run, keeps all
//! of its runs together within `limits.ask_above_tokens`.

use crate::config::Config;
use crate::domain::count::counted;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::request::Options;
use crate::service::allowance::budget_tokens;
use crate::service::call::{Call, Consent};
use crate::service::plan::Plan;
use crate::service::submit::Ready;
use crate::state::record::Expects;

/// What must be asked about, when something must.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spending {
    /// Tokens that pass unasked.
    unasked: u64,
    /// Jobs that the call starts, each with a budget of its own.
    runs: usize,
    /// Runs of the peer at most that share the budget of one job: those of a review that is planned as several.
    shared: u32,
    /// Tokens of all of them together; absent without a budget.
    most: Option<u64>,
}

impl Spending {
    /// Returns what a person is asked before one job is started as it is planned; `None` when it passes unasked. The passes of
    /// a review are one job: its budget is that of all of them together, and where there is none each of them may use any
    /// number.
    pub(super) fn of_plan(plan: &Plan, options: &Options, config: &Config) -> Option<Self> {
        let spending = Self::of(options, config, 1)?;
        let shared = match &plan.expects {
            Expects::Review { plan: Some(plan), .. } => plan.runs(),
            Expects::Review { plan: None, .. } | Expects::Consult { .. } | Expects::Delegate { .. } => 1,
        };
        Some(Self { shared, ..spending })
    }

    /// Returns what a person is asked before a call that starts so many jobs; `None` when it passes unasked.
    pub(super) fn of(options: &Options, config: &Config, runs: usize) -> Option<Self> {
        let budget = budget_tokens(options, config);
        Self::new(config.ask_above_tokens.value?, runs, budget)
    }

    fn new(unasked: u64, runs: usize, budget: Option<u64>) -> Option<Self> {
        let most = budget.map(|budget| budget.saturating_mul(runs as u64));
        let passes = most.is_some_and(|most| most <= unasked);
        (!passes).then_some(Self {
            unasked,
            runs,
            shared: 1,
            most,
        })
    }

    /// Tells what the call may use, in words.
    pub(super) fn said(&self) -> String {
        let runs = match self.runs {
            1 => String::new(),
            runs => format!("its {} together ", counted(runs, "run")),
        };
        match (self.most, self.shared) {
            (Some(most), 1) => format!("{runs}may use {most} tokens"),
            (Some(most), shared) => {
                format!(
                    "may use {most} tokens in up to {} together",
                    counted(shared, "run")
                )
            }
            (None, 1) => format!("{runs}may use any number of tokens, since no budget is set"),
            (None, shared) => format!(
                "may use any number of tokens in each of up to {}, since no budget is set",
                counted(shared, "run")
            ),
        }
    }

    /// Tells in a preview that the person is asked before it runs.
    pub(super) fn told(&self) -> String {
        format!(
            "the user is asked before it runs, where the host can ask: it {}, and `limits.ask_above_tokens` is {}",
            self.said(),
            self.unasked
        )
    }

    /// Returns the largest budget with which the same call would pass, if there is one.
    fn budget(&self) -> Option<u64> {
        let budget = self.unasked / self.runs.max(1) as u64;
        (budget >= limits::BUDGET_TOKENS_MIN).then_some(budget)
    }

    fn refused(&self, tool: &str, why: &str) -> Fault {
        let message = format!(
            "nothing was started and nothing was paid: this {tool} {}, more than the {} that `limits.ask_above_tokens` lets pass \
             unasked, and {why}",
            self.said(),
            self.unasked
        );
        let hint = match self.budget() {
            Some(budget) => format!(
                "repeat the call with options.budget_tokens of at most {budget}, which ends a run there; or a person raises \
                 limits.ask_above_tokens in their configuration"
            ),
            None => "ask for fewer tasks or attempts; or a person raises limits.ask_above_tokens in their configuration".to_owned(),
        };
        Fault::new(FaultCode::PolicyDenied, message)
            .field("options.budget_tokens")
            .hint(hint)
    }
}

/// Has the person agree to a call that starts so many jobs like this one, where they want to be asked. Nothing was done before it.
pub(super) async fn agreed(ready: &Ready<'_>, runs: usize, call: &Call) -> Result<(), Fault> {
    let asked = match runs {
        1 => Spending::of_plan(&ready.plan, &ready.common.options, &ready.config),
        runs => Spending::of(&ready.common.options, &ready.config, runs),
    };
    let Some(spending) = asked else {
        return Ok(());
    };
    let tool = ready.plan.kind.as_str();
    let why = match &call.approver {
        Some(approver) => match approver.ask(question(ready, tool, &spending)).await {
            Consent::Given => return Ok(()),
            Consent::Withheld => "the person who was asked did not agree",
            Consent::Unheard => "nobody answered the question whether it may run",
        },
        None => "this host cannot ask",
    };
    Err(spending.refused(tool, why))
}

/// What a person reads before it runs.
fn question(ready: &Ready<'_>, tool: &str, spending: &Spending) -> String {
    let plan = &ready.plan;
    [
        format!(
            "Let {} run this {tool}? It {}.",
            ready.preflight.program.peer.title(),
            spending.said()
        ),
        format!("What: {}", plan.label),
        format!("Where: {}", plan.workspace.root.display()),
        format!(
            "You are asked because `limits.ask_above_tokens` is {}.",
            spending.unasked
        ),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_budget_lets_a_call_pass() {
        let check = |runs, budget, expected: Option<&str>| {
            let asked = Spending::new(10_000, runs, budget);
            assert_eq!(asked.as_ref().map(Spending::said).as_deref(), expected);
        };
        check(1, Some(10_000), None);
        check(2, Some(5_000), None);
        check(1, Some(10_001), Some("may use 10001 tokens"));
        check(3, Some(5_000), Some("its 3 runs together may use 15000 tokens"));
        check(
            1,
            None,
            Some("may use any number of tokens, since no budget is set"),
        );
        let shared = |budget| {
            let asked = Spending::new(10_000, 1, budget).unwrap();
            Spending { shared: 7, ..asked }.said()
        };
        assert_eq!(
            shared(Some(60_000)),
            "may use 60000 tokens in up to 7 runs together"
        );
        assert_eq!(
            shared(None),
            "may use any number of tokens in each of up to 7 runs, since no budget is set"
        );
        check(
            2,
            Some(u64::MAX),
            Some("its 2 runs together may use 18446744073709551615 tokens"),
        );
    }

    #[test]
    fn a_refusal_says_with_which_budget_it_would_pass() {
        let check = |runs, expected: &str| {
            let fault = Spending::new(10_000, runs, None)
                .unwrap()
                .refused("delegate", "no");
            assert!(
                fault.message.starts_with("nothing was started"),
                "{}",
                fault.message
            );
            assert!(fault.repair.hint.contains(expected), "{}", fault.repair.hint);
        };
        check(1, "at most 10000,");
        check(4, "at most 2500,");
        check(11, "fewer tasks");
    }
}
