//! What the help offers is taken.

use clap::error::ErrorKind;

use crate::cli::command::command;

/// Calls of each command with each value that one of its flags offers, and with one that none does.
fn calls_with_values() -> Vec<(Vec<String>, bool)> {
    let mut calls = Vec::new();
    for named in command(80).get_subcommands() {
        for flag in named.get_arguments() {
            let offered = flag.get_possible_values();
            let (Some(long), false) = (
                flag.get_long(),
                offered.is_empty() || !flag.get_action().takes_values(),
            ) else {
                continue;
            };
            let mut names: Vec<(String, bool)> = offered
                .iter()
                .map(|value| (value.get_name().to_owned(), true))
                .collect();
            names.push(("no-such-value".to_owned(), false));
            for (value, is_offered) in names {
                let words = ["crosscheck", named.get_name()].map(str::to_owned);
                let call = words.into_iter().chain([format!("--{long}={value}")]);
                calls.push((call.collect(), is_offered));
            }
        }
    }
    calls
}

#[test]
fn every_value_that_is_offered_is_taken_and_any_other_is_refused() {
    let calls = calls_with_values();
    assert!(calls.len() > 20, "{calls:?}");
    for (call, is_offered) in calls {
        let refused = command(80)
            .try_get_matches_from(&call)
            .err()
            .map(|error| error.kind());
        assert_eq!(
            refused == Some(ErrorKind::InvalidValue),
            !is_offered,
            "{call:?}: {refused:?}"
        );
    }
}
