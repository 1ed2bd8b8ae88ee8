//! Who may start paid work: answers the host's question before one of our paid tools is called.
//!
//! It never lets a call through that the host's own permissions would not: it says nothing, or that the person is to be
//! asked, or no.

use serde_json::json;

use crate::domain::autonomy::{Autonomy, Begun, is_command, reason};
use crate::domain::autonomy::{Decision, is_typed};
use crate::domain::environment::Environment;
use crate::service::hook::Said;
use crate::service::hook::input::Input;
use crate::state::store::Store;
use crate::state::typed;

/// The plugin's setting `autonomy` where the person made it; see `plugin_settings`.
const OPTION: &str = "CROSSCHECK_PLUGIN_AUTONOMY";
/// The variable that admits less than was chosen.
const VARIABLE: &str = "CROSSCHECK_AUTONOMY";
/// How Claude Code names the tools of this plugin.
const TOOLS: &str = "mcp__plugin_codex_codex__";
/// Those that are paid for.
const PAID: [&str; 3] = ["consult", "review", "delegate"];

fn in_force(environment: &Environment) -> Autonomy {
    Autonomy::in_force(environment.text(OPTION), environment.text(VARIABLE))
}

/// Notes a command of ours that the person typed, so that the calls it brings are known.
pub(super) fn note(environment: &Environment, store: &Store, input: &Input) {
    let (Some(prompt), Some(id)) = (input.prompt(), input.prompt_id()) else {
        return;
    };
    let is_needed = in_force(environment) != Autonomy::Allow;
    if is_needed
        && is_typed(prompt)
        && is_command(prompt)
        && let Err(error) = typed::note(store, id)
    {
        // The person is asked then, or told to type it: nothing is started that nobody wants.
        tracing::warn!(%error, "a typed command is not noted");
    }
}

/// Answers. Without a state directory nobody knows what was typed, and that is no command.
pub(super) fn answer(environment: &Environment, store: Option<&Store>, input: &Input) -> Said {
    let tool = input.tool_name().and_then(|name| name.strip_prefix(TOOLS));
    let Some(tool) = tool.filter(|tool| PAID.contains(tool)) else {
        return Said::Nothing;
    };
    let noted = store.zip(input.prompt_id());
    let begun = if noted.is_some_and(|(store, id)| typed::is_noted(store, id)) {
        Begun::ByCommand
    } else {
        Begun::Otherwise
    };
    let decision = in_force(environment).decide(begun);
    let word = match decision {
        Decision::Silent => return Said::Nothing,
        Decision::Ask => "ask",
        Decision::Deny => "deny",
    };
    Said::Output(json!({"hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": word,
        "permissionDecisionReason": reason(decision, tool),
    }}))
}
