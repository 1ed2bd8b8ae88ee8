//! Who may start paid work: what is decided about a call that Claude makes of itself.
//!
//! A command that the person typed is the person's own word, and nothing here comes between. The free tools are never
//! asked about. Nothing here widens what the host's own permissions allow: the most it says is nothing.

/// Who may start paid work where no command of ours was typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Autonomy {
    /// Nobody: only the person, by a command.
    CommandsOnly,
    /// Claude, after the person was asked each time.
    #[default]
    Ask,
    /// Claude, as far as the host's own permissions go.
    Allow,
}

/// What brought the turn in which a paid tool is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A command of ours, typed by the person.
    ByCommand,
    /// Anything else: other words of the person's, a notice of the host's, or nobody knows.
    Otherwise,
}

/// What is said to the host about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: its own permissions decide.
    Silent,
    /// That the person is to be asked, whatever was granted before.
    Ask,
    /// That it must not be made.
    Deny,
}

impl Autonomy {
    /// Reads the name of a value.
    pub fn named(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "commands_only" => Some(Self::CommandsOnly),
            "ask" => Some(Self::Ask),
            "allow" => Some(Self::Allow),
            _ => None,
        }
    }

    /// Returns what is in force: what the person chose in the host, and no more than the variable admits, which a
    /// project's own settings may carry. What cannot be read is the default.
    pub fn in_force(chosen: Option<&str>, variable: Option<&str>) -> Self {
        let read = |text: &str| Self::named(text).unwrap_or_default();
        let most = variable.map_or(Self::Allow, read);
        chosen.map_or_else(Self::default, read).min(most)
    }

    /// Decides about one call of a paid tool.
    pub fn decide(self, begun: Begun) -> Decision {
        match (self, begun) {
            (_, Begun::ByCommand) | (Self::Allow, Begun::Otherwise) => Decision::Silent,
            (Self::Ask, Begun::Otherwise) => Decision::Ask,
            (Self::CommandsOnly, Begun::Otherwise) => Decision::Deny,
        }
    }
}

/// Tells whether these words are a command of ours, as the person typed it.
pub fn is_command(prompt: &str) -> bool {
    let name = prompt.strip_prefix("/codex:").unwrap_or_default();
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Tells whether a person wrote these words. Hosts begin a turn of their own, such as one for work that ended
/// in the background, with a prompt that is a tag. Seen with Claude Code 2.1.197 and 2.1.329.
pub fn is_typed(prompt: &str) -> bool {
    let begin = prompt.trim_start();
    !["<task-notification", "<system-reminder"]
        .iter()
        .any(|tag| begin.starts_with(tag))
}

/// Says why a call must wait for the person; `tool` is one of ours without its prefix.
pub fn reason(decision: Decision, tool: &str) -> Option<String> {
    let setting = "the plugin's setting `autonomy`";
    match decision {
        Decision::Silent => None,
        Decision::Ask => Some(format!(
            "This starts a Codex {tool}, which is paid for, and no /codex: command was typed ({setting} is `ask`)."
        )),
        Decision::Deny => Some(format!(
            "Only the person starts paid Codex work here ({setting} is `commands_only`): they can type /codex:{tool} \
             followed by the request."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_takes_away_and_never_gives() {
        let check = |chosen: Option<&str>, variable: Option<&str>, expected: Autonomy| {
            assert_eq!(
                Autonomy::in_force(chosen, variable),
                expected,
                "{chosen:?} {variable:?}"
            );
        };
        check(None, None, Autonomy::Ask);
        check(Some("allow"), None, Autonomy::Allow);
        check(Some(" Commands_Only "), None, Autonomy::CommandsOnly);
        check(Some("yes"), None, Autonomy::Ask);
        check(None, Some("allow"), Autonomy::Ask);
        check(Some("ask"), Some("allow"), Autonomy::Ask);
        check(Some("allow"), Some("ask"), Autonomy::Ask);
        check(Some("allow"), Some("commands_only"), Autonomy::CommandsOnly);
        check(Some("allow"), Some("nonsense"), Autonomy::Ask);
    }

    #[test]
    fn a_typed_command_is_never_come_between() {
        let check = |autonomy: Autonomy, begun, expected| {
            assert_eq!(autonomy.decide(begun), expected, "{autonomy:?} {begun:?}");
        };
        for autonomy in [Autonomy::CommandsOnly, Autonomy::Ask, Autonomy::Allow] {
            check(autonomy, Begun::ByCommand, Decision::Silent);
        }
        check(Autonomy::Allow, Begun::Otherwise, Decision::Silent);
        check(Autonomy::Ask, Begun::Otherwise, Decision::Ask);
        check(Autonomy::CommandsOnly, Begun::Otherwise, Decision::Deny);
    }

    #[test]
    fn a_command_is_told_from_words_about_one() {
        let check = |prompt: &str, command: bool| assert_eq!(is_command(prompt), command, "{prompt}");
        check("/codex:consult is it right?", true);
        check("/codex:review", true);
        check("/codex:", false);
        check("/codex: review", false);
        check("please run /codex:review", false);
        check(" /codex:review", false);
        check("/codexx:review", false);
        check("<task-notification>/codex:review</task-notification>", false);
        check("", false);
    }

    #[test]
    fn a_notice_of_the_host_is_nobodys_word() {
        let check = |prompt: &str, typed: bool| assert_eq!(is_typed(prompt), typed, "{prompt}");
        check("go on", true);
        check("", true);
        check("<b>bold</b> is what I want", true);
        check("<task-notification>\n<task-id>7", false);
        check("\n<system-reminder>", false);
    }

    #[test]
    fn the_person_is_told_how_to_start_it() {
        assert_eq!(reason(Decision::Silent, "review"), None);
        let deny = reason(Decision::Deny, "review").unwrap();
        assert!(
            deny.contains("/codex:review") && deny.lines().count() == 1,
            "{deny}"
        );
        assert!(reason(Decision::Ask, "consult").unwrap().contains("paid"));
    }
}
