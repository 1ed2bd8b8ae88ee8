//! The entry by which a host starts our server, and how an entry of ours is known again.

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::domain::environment::{DEPTH_VARIABLE, Environment};
use crate::domain::limits;
use crate::domain::peer::Peer;
use crate::peer::codex::host::key;
use crate::peer::codex::servers::toml_string;
use crate::service::setup::document::{array, filled};

/// Seconds that an installed program gets to answer `initialize`. It takes milliseconds; a machine under load may not.
const STARTUP_S: u64 = 20;
/// Seconds that cargo gets to build the program first.
const BUILD_S: u64 = 900;
/// Seconds of a call beyond the longest wait: time to answer.
const MARGIN_S: u64 = 60;
/// The line above an entry that set-up wrote.
pub(super) const NOTE: &str =
    "# Written by `crosscheck setup --host codex`; `crosscheck uninstall --host codex --yes` takes it out.";
/// The line above the names of variables.
const NAMES: &str = "# Names alone: codex passes on those that are set, and no others.";

/// How our server is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Seconds until it must have answered `initialize`.
    pub startup_s: u64,
    /// Seconds that one call may take.
    pub tool_s: u64,
    /// Names of the variables that the host has to pass on.
    pub variables: Vec<String>,
}

impl Entry {
    /// Returns the entry that starts an installed program.
    ///
    /// `pass` are the names that the user's configuration passes on to peers.
    pub fn installed(program: String, peer: Peer, environment: &Environment, pass: &[String]) -> Self {
        Self {
            command: program,
            arguments: serve(peer),
            startup_s: STARTUP_S,
            tool_s: tool_s(),
            variables: variables(peer, environment, pass),
        }
    }

    /// Returns the entry that has cargo build the source at `manifest` first, and starts what came of it.
    pub fn built(manifest: &str, peer: Peer, environment: &Environment, pass: &[String]) -> Self {
        let cargo = ["run", "--release", "--quiet", "--manifest-path", manifest, "--"];
        let cargo = cargo.into_iter().map(str::to_owned);
        let mut entry = Self::installed("cargo".to_owned(), peer, environment, pass);
        entry.arguments = cargo.chain(serve(peer)).collect();
        entry.startup_s = BUILD_S;
        entry
            .variables
            .extend(["CARGO_HOME", "RUSTUP_HOME"].map(str::to_owned));
        entry
    }

    /// Writes the lines of a table of this name of codex's configuration, without the note above.
    pub fn toml(&self, table: &str, name: &str) -> String {
        format!(
            "[{table}.{name}]\n{} = {}\n{} = {}\n{} = {}\n{} = {}\n{NAMES}\n{} = {}\n",
            key::COMMAND,
            toml_string(&self.command),
            key::ARGUMENTS,
            array(&self.arguments),
            key::STARTUP_TIMEOUT,
            self.startup_s,
            key::TOOL_TIMEOUT,
            self.tool_s,
            key::VARIABLES,
            filled(&self.variables),
        )
    }

    /// Writes the same as a value in braces.
    pub(super) fn inline(&self) -> String {
        let keys: Vec<String> = self
            .values()
            .into_iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        format!("{{ {} }}", keys.join(", "))
    }

    /// Returns every key with its value as TOML.
    pub(super) fn values(&self) -> [(&'static str, String); 5] {
        [
            (key::COMMAND, toml_string(&self.command)),
            (key::ARGUMENTS, array(&self.arguments)),
            (key::STARTUP_TIMEOUT, self.startup_s.to_string()),
            (key::TOOL_TIMEOUT, self.tool_s.to_string()),
            (key::VARIABLES, array(&self.variables)),
        ]
    }
}

/// Returns the arguments of a server that asks this peer.
pub fn serve(peer: Peer) -> Vec<String> {
    let mut words = vec!["serve".to_owned()];
    if !peer.is_default() {
        words.extend(["--peer".to_owned(), peer.as_str().to_owned()]);
    }
    words
}

/// Returns the seconds that a host should give a tool: longer than the longest wait of a call.
pub fn tool_s() -> u64 {
    limits::WAIT_MAX.as_secs() + MARGIN_S
}

/// Returns the names of the variables that our server and its peer need: where the user's folders are, so that every host has
/// the same jobs, how the network is reached, the peer's login, our own settings, and how deep runs are nested.
pub fn variables(peer: Peer, environment: &Environment, pass: &[String]) -> Vec<String> {
    let own = Peer::ALL.map(Peer::program_variable);
    let ours = ["CROSSCHECK_CONFIG", "CROSSCHECK_STATE_DIR", DEPTH_VARIABLE];
    // Checks of a task run in another peer's sandbox, which has a home of its own.
    let checker = peer.checker().home_variable();
    // What the launcher and the plugin tell their own processes is nobody else's.
    let set = environment.own_settings().filter(|name| {
        !name.starts_with(crate::domain::environment::PLUGIN_PREFIX) && *name != "CROSSCHECK_LAUNCHER"
    });
    let mut all: Vec<&str> = Environment::of_place().collect();
    all.extend(peer.own_variables());
    all.push(checker);
    all.extend(ours);
    all.extend(own);
    all.extend(set);
    all.extend(pass.iter().map(String::as_str));
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Tells whether an entry of a host starts our server, wherever its program lies: the program itself, the launcher behind a
/// shell, or cargo in our source.
pub fn is_ours(entry: &Json) -> bool {
    let words = words(entry);
    let is_program = |word: &str| {
        Path::new(word)
            .file_name()
            .is_some_and(|name| name == "crosscheck")
    };
    let started = words
        .windows(2)
        .any(|pair| is_program(&pair[0]) && pair[1] == "serve");
    let built = words.first().is_some_and(|word| word == "cargo")
        && words.iter().any(|word| word == "--manifest-path")
        && words.windows(2).any(|pair| pair[0] == "--" && pair[1] == "serve");
    // A program under another name is known by what it is told.
    let told = matches!(words.as_slice(), [_, serve, flag, peer]
        if serve == "serve" && flag == "--peer" && Peer::parse(peer).is_some());
    started || built || told
}

/// Returns the program and the arguments of an entry.
pub fn words(entry: &Json) -> Vec<String> {
    let none = Map::new();
    let entry = entry.as_object().unwrap_or(&none);
    let command = entry.get(key::COMMAND).and_then(Json::as_str);
    let arguments = entry.get(key::ARGUMENTS).and_then(Json::as_array);
    let arguments = arguments.into_iter().flatten().filter_map(Json::as_str);
    command.into_iter().chain(arguments).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_of_ours_is_known_again_and_no_other() {
        let check = |command: &str, arguments: Json, expected: bool| {
            let entry = json!({"command": command, "args": arguments});
            assert_eq!(is_ours(&entry), expected, "{entry}");
        };
        check("/usr/bin/crosscheck", json!(["serve", "--peer", "claude"]), true);
        check("crosscheck", json!(["serve"]), true);
        check("sh", json!(["/p/bin/crosscheck", "serve"]), true);
        check(
            "cargo",
            json!(["run", "--manifest-path", "/c/Cargo.toml", "--", "serve"]),
            true,
        );
        check("cargo", json!(["run", "--", "serve"]), false);
        check("/usr/bin/crosscheck", json!(["doctor"]), false);
        check("/opt/xc", json!(["serve", "--peer", "claude"]), true);
        check("/opt/xc", json!(["serve", "--peer", "somebody"]), false);
        check("claude", json!(["mcp", "serve"]), false);
        check("/opt/crosscheck-other", json!(["serve"]), false);
        check("npx", json!(["crosscheck-mcp", "serve"]), false);
        assert!(!is_ours(&json!({"url": "https://example.invalid/crosscheck"})));
        assert!(!is_ours(&json!(5)));
    }

    #[test]
    fn every_variable_is_named_once_and_none_with_a_value() {
        let environment = Environment::default()
            .with("CROSSCHECK_STATE_DIR", "/s")
            .with("CROSSCHECK_LIMITS_CONCURRENCY", "2")
            .with("CROSSCHECK_LAUNCHER", "1:/x")
            .with("CROSSCHECK_PLUGIN_MODEL", "m")
            .with("ANTHROPIC_API_KEY", "a-value");
        let names = variables(Peer::Claude, &environment, &["MY_PROXY".to_owned()]);
        for wanted in [
            "XDG_STATE_HOME",
            "CROSSCHECK_STATE_DIR",
            "CROSSCHECK_LIMITS_CONCURRENCY",
            "CROSSCHECK_DEPTH",
            "CROSSCHECK_CLAUDE_BIN",
            "CODEX_HOME",
            "CLAUDE_CONFIG_DIR",
            "ANTHROPIC_API_KEY",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "https_proxy",
            "NO_PROXY",
            "NODE_EXTRA_CA_CERTS",
            "MY_PROXY",
        ] {
            assert_eq!(names.iter().filter(|name| *name == wanted).count(), 1, "{wanted}");
        }
        assert!(
            !names
                .iter()
                .any(|name| name.contains("LAUNCHER") || name.contains("PLUGIN"))
        );
        let entry = Entry::installed("/b".to_owned(), Peer::Claude, &environment, &[]);
        assert!(!entry.toml("t", "n").contains("a-value"));
    }

    #[test]
    fn a_call_may_take_longer_than_its_longest_wait() {
        assert!(tool_s() >= limits::WAIT_MAX.as_secs() + 60);
    }
}
