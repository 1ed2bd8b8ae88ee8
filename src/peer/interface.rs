//! What the rest of the program may ask of a peer, whichever it is.
//!
//! Nothing outside of this ring looks at a [`Peer`] to decide what to do: it asks one of these questions. A further peer is a
//! further arm in each of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use semver::Version;
use serde_json::{Value, json};

use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::peer::Peer;
use crate::peer::account::{Login, Question};
use crate::peer::ended::{End, Failure};
use crate::peer::event::Event;
use crate::peer::exec::Exec;
use crate::peer::support::Tested;
use crate::peer::transcript::Transcript;
use crate::peer::{claude, codex, places};

/// How an answer to a free question is had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asking {
    /// By a talk on the standard streams of the program.
    Talk {
        /// The program's arguments.
        arguments: Vec<OsString>,
        /// What to say. The answer carries id 2.
        request: String,
    },
    /// It is known without asking.
    Known(Value),
    /// The peer cannot tell.
    Untold(&'static str),
}

/// Where the tokens of a run are told while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// In the record that the peer keeps of its thread, as a total of the thread.
    InRecord,
    /// In its event stream, as what the process has used.
    InStream,
}

/// Reads the event stream of one run.
#[derive(Debug)]
pub enum Stream {
    /// One line is one event.
    Codex,
    /// What a line means depends on those before.
    Claude(Box<claude::events::Reader>),
}

impl Stream {
    /// Reads one line. `None` for one that is no event at all.
    pub fn read(&mut self, line: &[u8]) -> Option<Vec<Event>> {
        match self {
            Self::Codex => codex::events::parse_line(line).map(|event| vec![event]),
            Self::Claude(reader) => reader.read(line),
        }
    }
}

/// The program.
impl Peer {
    /// Tells whether this version can go on from a thread in a new one.
    pub fn forks(self, version: &Version) -> bool {
        match self {
            Self::Codex => *version >= codex::version::FORKS_SINCE,
            Self::Claude => true,
        }
    }

    /// Returns the files in which a project guides this peer, the first one that is there counting.
    pub fn guidance(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &["AGENTS.md"],
            Self::Claude => &["CLAUDE.md", "AGENTS.md"],
        }
    }

    /// Returns the program's name on PATH.
    pub fn program(self) -> &'static str {
        match self {
            Self::Codex => codex::locate::PROGRAM,
            Self::Claude => claude::locate::PROGRAM,
        }
    }

    /// Returns the variable of ours that names the program.
    pub fn program_variable(self) -> &'static str {
        match self {
            Self::Codex => codex::locate::PROGRAM_VARIABLE,
            Self::Claude => claude::locate::PROGRAM_VARIABLE,
        }
    }

    /// Returns the package of npm that holds the program.
    pub fn package(self) -> &'static str {
        match self {
            Self::Codex => "@openai/codex",
            Self::Claude => "@anthropic-ai/claude-code",
        }
    }

    /// Returns how to sign in, wherever the program runs.
    pub fn sign_in(self) -> &'static str {
        match self {
            Self::Codex => {
                "run `codex login`; over SSH or in a container `codex login --device-auth`; in CI set CODEX_API_KEY"
            }
            Self::Claude => "run `claude auth login`; in CI set ANTHROPIC_API_KEY",
        }
    }

    /// Returns what a contract check that passed has shown, in words behind the version.
    pub fn contract_shows(self) -> &'static str {
        match self {
            Self::Codex => "honours what is relied on",
            // What it does with them is seen in the tests of the versions of the range, and nowhere else.
            Self::Claude => "knows what it is started with, which is not yet that it keeps to it",
        }
    }

    /// Returns the variable whose key the program takes, and one that people take for it. Seen with codex-cli 0.169.0.
    pub fn key_variables(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Codex => ("CODEX_API_KEY", Some("OPENAI_API_KEY")),
            Self::Claude => ("ANTHROPIC_API_KEY", None),
        }
    }

    /// Returns the command by which a person logs in.
    pub fn login_command(self) -> &'static str {
        match self {
            Self::Codex => "codex login",
            Self::Claude => "claude auth login",
        }
    }

    /// Returns the places to look for the program at, best first.
    pub fn candidates(self, environment: &Environment) -> Vec<PathBuf> {
        places::candidates(self.program(), environment)
    }

    /// Returns where the native program behind a script of a package manager may be.
    pub fn native_candidates(self, wrapper: &Path) -> Vec<PathBuf> {
        match self {
            Self::Codex => codex::locate::native_candidates(wrapper),
            // Its package holds the native program under the name of the script (seen with 2.1.197).
            Self::Claude => Vec::new(),
        }
    }

    /// Returns the variables of its own that the peer needs to find its login and configuration.
    pub fn own_variables(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &codex::locate::OWN_VARIABLES,
            Self::Claude => &claude::locate::OWN_VARIABLES,
        }
    }

    /// Returns the variables that every process of the peer gets from us, whatever the user's are.
    pub fn pinned_variables(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let pinned: &[(&str, &str, &str)] = match self {
            Self::Codex => &[],
            Self::Claude => &claude::pins::VARIABLES,
        };
        pinned.iter().map(|(name, value, _)| (*name, *value))
    }

    /// Returns the variable that says where the peer keeps its files.
    pub fn home_variable(self) -> &'static str {
        match self {
            Self::Codex => "CODEX_HOME",
            Self::Claude => claude::locate::HOME_VARIABLE,
        }
    }

    /// Returns the versions that the tests ran against.
    pub fn tested(self) -> &'static Tested {
        static CODEX: Tested = codex::version::TESTED;
        static CLAUDE: Tested = claude::version::TESTED;
        match self {
            Self::Codex => &CODEX,
            Self::Claude => &CLAUDE,
        }
    }

    /// Returns what to do about a fault when the fault itself knows nothing better.
    pub fn hint(self, code: FaultCode) -> String {
        let package = self.package();
        match (self, code) {
            (_, FaultCode::PeerNotFound) => {
                let variable = self.program_variable();
                format!("install it with `npm install -g {package}`, or set {variable} to the program")
            }
            (_, FaultCode::PeerNotAuthenticated) => {
                format!(
                    "run `{}` in a terminal, then repeat the call",
                    self.login_command()
                )
            }
            (_, FaultCode::PeerVersionUnsupported) => {
                format!("update it with `npm install -g {package}@latest`")
            }
            (Self::Claude, FaultCode::PeerContractChanged) => {
                format!(
                    "install a tested version with `npm install -g {package}@{}`",
                    self.tested().newest
                )
            }
            (Self::Claude, FaultCode::PeerModelUnavailable) => {
                "repeat the call with an alias such as opus, sonnet or haiku, or without a model".to_owned()
            }
            (Self::Claude, FaultCode::PeerUsageLimit) => {
                "wait until the allowance is back; `/usage` in claude shows when that is".to_owned()
            }
            (Self::Codex | Self::Claude, code) => code.hint().to_owned(),
        }
    }
}

impl Fault {
    /// Lets the hint of a fault that knows nothing better be about this peer.
    #[must_use]
    pub fn about(mut self, peer: Peer) -> Self {
        if self.repair.hint == self.code.hint() {
            self.repair.hint = peer.hint(self.code);
        }
        self
    }
}

/// A run.
impl Peer {
    /// Returns the arguments of a run. The prompt follows on standard input, never here.
    pub fn arguments(self, exec: &Exec) -> Vec<OsString> {
        match self {
            Self::Codex => codex::invocation::arguments(exec),
            Self::Claude => claude::invocation::arguments(exec),
        }
    }

    /// Returns the arguments of a run that waits for the network. Whoever starts it must bound its waiting.
    pub fn waiting_arguments(self, exec: &Exec) -> Vec<OsString> {
        match self {
            Self::Codex => codex::invocation::waiting_arguments(exec),
            // It tries ten times by itself, for some minutes.
            Self::Claude => claude::invocation::arguments(exec),
        }
    }

    /// Returns what reads the event stream of a new run.
    pub fn stream(self) -> Stream {
        match self {
            Self::Codex => Stream::Codex,
            Self::Claude => Stream::Claude(Box::default()),
        }
    }

    /// Judges a run that ended by itself. `Ok` means that the last message is the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub fn classify(self, end: End, transcript: &Transcript, stderr: &str) -> Result<(), Failure> {
        match self {
            Self::Codex => codex::classify::classify(end, transcript, stderr),
            Self::Claude => claude::classify::classify(end, transcript, stderr),
        }
    }

    /// Tells whether a start failed because an override named an MCP server that is not configured any more.
    pub fn names_an_absent_server(self, transcript: &Transcript, stderr: &str) -> bool {
        match self {
            Self::Codex => codex::classify::names_an_absent_server(transcript, stderr),
            Self::Claude => false,
        }
    }

    /// Tells whether a run that failed for want of network had reached the model before, so that going on is worth a wait.
    pub fn reached_the_model(self, transcript: &Transcript) -> bool {
        match self {
            Self::Codex => codex::classify::reached_the_model(transcript),
            Self::Claude => transcript.worked,
        }
    }

    /// Returns when a used-up allowance is back, in seconds since 1970, where the run itself was told.
    pub fn back_at(self, said: &str) -> Option<u64> {
        match self {
            Self::Codex => None,
            Self::Claude => claude::classify::back_at(said),
        }
    }

    /// Tells where the tokens of a run are told.
    pub fn counting(self) -> Counting {
        match self {
            Self::Codex => Counting::InRecord,
            Self::Claude => Counting::InStream,
        }
    }

    /// Returns the folder of the records of threads that are found by name there, one folder further down; `None` where a
    /// thread is continued by its id from any directory.
    pub fn records_by_name(self, environment: &Environment, thread: &str) -> Option<(PathBuf, String)> {
        match self {
            Self::Codex => None,
            Self::Claude => {
                let folder = claude::record::folder(environment)?;
                Some((folder, claude::record::file_name(thread)))
            }
        }
    }

    /// Says what the peer itself keeps of a run whose record of ours was deleted.
    pub fn keeps(self, thread: Option<&str>) -> String {
        match (self, thread) {
            (_, None) => format!("{self} keeps nothing of it"),
            (Self::Codex, Some(thread)) => {
                format!("codex itself still keeps thread {thread}; `codex delete {thread}` removes it")
            }
            (Self::Claude, Some(thread)) => {
                format!(
                    "claude itself still keeps thread {thread}, as {thread}.jsonl below the folder projects of its home"
                )
            }
        }
    }
}

/// Free questions.
impl Peer {
    /// Returns the arguments of the probe that tells whether commands of a run that reads can be confined; `None` where such
    /// a run has no commands.
    pub fn read_probe(self) -> Option<Vec<OsString>> {
        match self {
            Self::Codex => Some(codex::sandbox::read_probe()),
            Self::Claude => None,
        }
    }

    /// Tells whether a run that edits has commands, which must be confined by a sandbox.
    pub fn runs_commands(self) -> bool {
        match self {
            Self::Codex => true,
            Self::Claude => false,
        }
    }

    /// Tells whether the peer itself ends a run that costs more, or takes more turns, than it may.
    pub fn bounds_cost(self) -> bool {
        match self {
            Self::Codex => false,
            Self::Claude => true,
        }
    }

    /// Tells whether the peer can be kept from reading some files of a folder that it reads.
    pub fn withholds(self) -> bool {
        match self {
            Self::Codex => false,
            Self::Claude => true,
        }
    }

    /// Tells whether the contract check can lead the peer to a model of ours and try every guarantee.
    pub fn takes_a_trial(self) -> bool {
        match self {
            Self::Codex => true,
            Self::Claude => false,
        }
    }

    /// Tells whether a run without a prompt ended for want of one, so that everything else that was sent is known.
    pub fn misses_only_a_prompt(self, stderr: &str) -> bool {
        match self {
            Self::Codex => stderr.contains("No prompt provided"),
            Self::Claude => claude::classify::misses_only_a_prompt(stderr),
        }
    }

    /// Returns the arguments that ask for the login.
    pub fn login_arguments(self) -> Vec<OsString> {
        match self {
            Self::Codex => ["login", "status"].map(OsString::from).to_vec(),
            Self::Claude => claude::account::LOGIN.map(OsString::from).to_vec(),
        }
    }

    /// Reads what the question for the login printed.
    pub fn parse_login(self, stdout: &str, stderr: &str) -> Login {
        match self {
            Self::Codex => codex::account::parse_login(stderr),
            Self::Claude => claude::account::parse_login(stdout),
        }
    }

    /// Tells how a question about the account is put, with a project that is not trusted.
    pub fn asking(self, question: &Question, project: Option<&Path>) -> Asking {
        match (self, question) {
            (Self::Codex, _) => Asking::Talk {
                arguments: codex::account::arguments(project),
                request: codex::account::request(question),
            },
            (Self::Claude, Question::Quota) => {
                Asking::Untold("claude tells no allowance outside of a session")
            }
            (Self::Claude, Question::Models) => Asking::Known(claude::account::models()),
            // None of its servers takes part in a run, so none has to be known.
            (Self::Claude, Question::Configuration { .. }) => Asking::Known(json!({"config": {}})),
        }
    }

    /// Returns every file that may configure an MCP server for a run in this folder; most do not exist.
    pub fn server_files(self, environment: &Environment, workspace: &Path) -> Vec<PathBuf> {
        match self {
            Self::Codex => codex::servers::configuration_files(environment, workspace),
            Self::Claude => Vec::new(),
        }
    }

    /// Tells which peer's program runs lines of shell that no model started, such as checks: the one with a sandbox that
    /// can be had without a model.
    #[must_use]
    pub fn checker(self) -> Self {
        match self {
            Self::Codex | Self::Claude => Self::Codex,
        }
    }
}

/// Words about a peer.
impl Peer {
    /// Says how the workspace is read by a run that must not write, in a tool's description.
    pub fn reads(self) -> &'static str {
        match self {
            Self::Codex => "in a read-only sandbox",
            Self::Claude => "with read-only tools",
        }
    }

    /// Says how a run that only reads is confined, as the beginning of a sentence in a tool's description.
    pub fn confined(self) -> &'static str {
        match self {
            Self::Codex => "Read-only sandbox",
            Self::Claude => "Read-only tools",
        }
    }

    /// Returns the variables by which a peer's process tells that it runs inside a thread: of all peers, since any may call.
    pub fn thread_variables() -> [&'static str; 2] {
        ["CODEX_THREAD_ID", "CLAUDE_CODE_SESSION_ID"]
    }

    /// Returns the newest tested version.
    pub fn newest(self) -> &'static Version {
        &self.tested().newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codex_keeps_the_hints_of_the_codes_themselves() {
        for code in FaultCode::ALL {
            assert_eq!(Peer::Codex.hint(*code), code.hint(), "{}", code.as_str());
            assert!(!Peer::Claude.hint(*code).contains("codex"), "{}", code.as_str());
        }
    }

    #[test]
    fn a_fault_that_knows_better_keeps_its_hint() {
        let fault = Fault::new(FaultCode::PeerNotFound, "gone").about(Peer::Claude);
        assert!(
            fault.repair.hint.contains("@anthropic-ai/claude-code"),
            "{}",
            fault.repair.hint
        );
        let fault = Fault::new(FaultCode::PeerNotFound, "gone")
            .hint("look")
            .about(Peer::Claude);
        assert_eq!(fault.repair.hint, "look");
    }
}
