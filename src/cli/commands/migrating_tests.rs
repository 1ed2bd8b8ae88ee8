//! The commands that the guide for users of other bridges names are parsed as they stand there.

use regex::Regex;

use crate::cli::command::command;

/// The guide, as it is published.
const GUIDE: &str = include_str!("../../../docs/migrating.md");

/// Splits a line into words as a shell does, as far as the guide goes: double quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn every_command_of_the_guide_is_parsed() {
    let named = Regex::new("`(crosscheck [^`]*)`").unwrap();
    let mut count = 0;
    for found in named.captures_iter(GUIDE) {
        let parsed = command(80).try_get_matches_from(words(&found[1]));
        assert!(parsed.is_ok(), "{}: {}", &found[1], parsed.unwrap_err());
        count += 1;
    }
    assert!(count > 15, "the pattern finds commands");
}
