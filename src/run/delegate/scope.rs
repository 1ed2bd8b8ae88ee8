//! What went beyond what a task allowed. Pure; it tells and refuses nothing.

use crate::diff::text::shown_path;
use crate::domain::delegation::{Delegation, ScopeReport};
use crate::domain::globs::Globs;
use crate::domain::limits;
use crate::git::TreeChange;
use crate::peer::transcript::Transcript;
use crate::run::masking::mask;

/// Commands listed; a peer that runs more than these beyond what was asked is known well enough by then.
const COMMANDS_LISTED: usize = 20;
/// Characters of a listed command.
const COMMAND_CHARS: usize = 200;

/// Compares changed paths with what was allowed. Both ends of a rename count: what is gone changed too.
pub(super) fn of_paths(delegation: &Delegation, changes: &[TreeChange]) -> ScopeReport {
    let mut report = ScopeReport::default();
    // They were checked when the job was made; a list that cannot be read allows nothing.
    let globs = Globs::new(&delegation.allowed_paths).ok();
    let denied = Globs::anywhere(&delegation.denied_paths).ok();
    let fits = |path: &[u8]| {
        globs.as_ref().is_some_and(|globs| globs.fit(path))
            && denied.as_ref().is_some_and(|denied| !denied.fit(path))
    };
    for change in changes {
        let ends = change.from.iter().chain([&change.path]);
        for path in ends.filter(|path| !fits(path)) {
            if report.outside.len() < limits::CHANGED_LISTED {
                report.outside.push(shown_path(path));
            } else {
                report.more_outside += 1;
            }
        }
    }
    let files = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    report.over_max_files = delegation.max_files.filter(|most| files > *most);
    report
}

/// Lists the commands of a run that go beyond what a task allowed, secrets masked.
pub fn commands_outside(delegation: &Delegation, transcript: &Transcript) -> Vec<String> {
    let commands = transcript.commands.iter().map(|run| run.command.as_str());
    outside(&delegation.allow_commands, commands)
        .iter()
        .map(|command| mask(command))
        .collect()
}

/// Lists the commands that begin with none of the allowed beginnings, each once, in the order in which they ran.
///
/// A line of shell is taken apart at its operators, but not evaluated: what a script or a substitution runs is not seen.
fn outside<'a>(allowed: &[String], commands: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    if allowed.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    for shown in commands {
        let line = unwrapped(shown);
        for command in simple_commands(&line) {
            let kept = allowed
                .iter()
                .any(|beginning| begins_with(command, beginning.trim()));
            let text: String = command.chars().take(COMMAND_CHARS).collect();
            if !kept && found.len() < COMMANDS_LISTED && !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}

/// Tells whether a command begins with these whole words.
fn begins_with(command: &str, beginning: &str) -> bool {
    command
        .strip_prefix(beginning)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Returns the line of shell in `/bin/bash -lc 'LINE'`, the form in which codex shows commands (seen with 0.169.0); any
/// other text is returned as it is.
fn unwrapped(shown: &str) -> String {
    let inner = || {
        let (shell, rest) = shown.trim().split_once(' ')?;
        let name = shell.rsplit('/').next()?;
        let (flag, word) = rest.trim_start().split_once(' ')?;
        let is_shell = ["sh", "bash", "zsh", "dash"].contains(&name) && ["-lc", "-c"].contains(&flag);
        is_shell.then(|| unquoted(word.trim()))
    };
    inner().unwrap_or_else(|| shown.to_owned())
}

/// Takes the quotes off one word of shell.
fn unquoted(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut quote = None;
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None | Some('"'), '\\') => out.extend(characters.next()),
            _ => out.push(character),
        }
    }
    out
}

/// Splits a line of shell at the operators that stand outside quotes.
fn simple_commands(line: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let (mut quote, mut start, mut escaped) = (None, 0, false);
    for (at, character) in line.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match (quote, character) {
            (None | Some('"'), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ';' | '|' | '&' | '\n' | '(' | ')') => {
                commands.push(&line[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    commands.push(&line[start..]);
    commands
        .into_iter()
        .map(str::trim)
        // What is left of `2>&1` is no command.
        .filter(|command| !command.is_empty() && !command.chars().all(|c| c.is_ascii_digit()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_beyond_the_allowed_beginnings_are_listed_once() {
        let check = |commands: &[&str], expected: &[&str]| {
            let allowed = ["cargo".to_owned(), "git diff".to_owned()];
            assert_eq!(
                outside(&allowed, commands.iter().copied()),
                expected,
                "{commands:?}"
            );
        };
        check(&["/bin/bash -lc 'cargo test'", "cargo"], &[]);
        check(&["/bin/bash -lc cargo"], &[]);
        check(&["/bin/bash -lc 'cargo test && rm -r x; rm -r x'"], &["rm -r x"]);
        check(&["bash -lc \"git diff | head\""], &["head"]);
        check(&["/bin/sh -c 'git difftool'"], &["git difftool"]);
        check(&["cargo test -- 'a; b' 2>&1"], &[]);
        check(&["cargonaut", "cargonaut"], &["cargonaut"]);
        check(&[r#"/bin/bash -lc "cargo run -- \"a && b\"""#], &[]);
        check(&["(cd x && make)"], &["cd x", "make"]);
        assert_eq!(outside(&[], ["anything"]), Vec::<String>::new());
        let many: Vec<String> = (0..50).map(|number| format!("tool-{number}")).collect();
        let listed = outside(&["cargo".to_owned()], many.iter().map(String::as_str));
        assert_eq!(listed.len(), COMMANDS_LISTED);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_taken_apart(text in "[a-z'\"\\\\;|& \n(é)]{0,40}") {
            let whole = unwrapped(&text);
            for command in simple_commands(&whole) {
                proptest::prop_assert!(whole.contains(command));
            }
        }
    }
}
