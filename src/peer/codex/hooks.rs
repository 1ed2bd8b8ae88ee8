//! How Codex, as a host, runs the stop gate: an entry in the file of hooks that the person keeps.
//!
//! Codex runs a hook only after the person has trusted it, in `/hooks`; one that is changed needs to be trusted again. It
//! gives a hook one JSON object on standard input and takes one back, in the shapes of Claude Code: `session_id`, `turn_id`,
//! `stop_hook_active`, and `decision: block` with a `reason` for the model. The turn that a hook keeps going has the same
//! `turn_id`. Seen with codex-cli 0.169.0; `a_gate_of_codex_sends_findings_back_and_lets_go` pins it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::domain::environment::Environment;
use crate::domain::gate::Mode;

/// The words by which our entry is known.
const WORDS: &str = " hook stop --host codex --gate ";
/// Seconds that codex gives the gate: a minute more than a turn is held up.
const STOP_SECONDS: u32 = 600;
/// Seconds that codex gives the look at a prompt.
const PROMPT_SECONDS: u32 = 5;

/// Returns the person's own file of hooks; it need not exist.
pub fn file(environment: &Environment) -> Option<PathBuf> {
    let home = environment
        .path("CODEX_HOME")
        .or_else(|| environment.path("HOME").map(|home| home.join(".codex")))?;
    Some(home.join("hooks.json"))
}

/// Returns what our entry in the text of such a file says the gate does; off where there is none.
pub fn chosen(text: &str) -> Mode {
    let Ok(file) = serde_json::from_str::<Value>(text) else {
        return Mode::Off;
    };
    let groups = file["hooks"]["Stop"].as_array().into_iter().flatten();
    let commands = groups
        .filter_map(|group| group["hooks"].as_array())
        .flatten()
        .filter_map(|hook| hook["command"].as_str());
    commands
        .filter_map(|command| command.split_once(WORDS))
        .filter_map(|(_, rest)| Mode::named(rest.split_whitespace().next()?))
        .max()
        .unwrap_or_default()
}

/// Returns what the file holds where nothing else is in it and the gate does this.
pub fn entries(program: &Path, mode: Mode) -> Value {
    let quoted = format!("'{}'", program.display().to_string().replace('\'', r"'\''"));
    let command = |event: &str| format!("{quoted} hook {event} --host codex --gate {}", mode.as_str());
    let entry = |event: &str, seconds: u32| {
        json!([{"hooks": [{
            "type": "command",
            "command": command(event),
            "timeout": seconds,
            "statusMessage": "Claude stop gate",
        }]}])
    };
    json!({"hooks": {"UserPromptSubmit": entry("prompt", PROMPT_SECONDS), "Stop": entry("stop", STOP_SECONDS)}})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_we_print_is_what_we_read() {
        for mode in [Mode::Off, Mode::Soft, Mode::Hard] {
            let text = entries(Path::new("/opt/it's here/crosscheck"), mode).to_string();
            assert_eq!(chosen(&text), mode, "{text}");
        }
        assert_eq!(chosen("{}"), Mode::Off);
        assert_eq!(chosen("not json"), Mode::Off);
        let others = json!({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "lint"}]}, 7]}});
        assert_eq!(chosen(&others.to_string()), Mode::Off);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = chosen(&text);
        }
    }
}
