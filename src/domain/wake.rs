//! Telling a session of a host that a job is over: who is told what, decided from what is known.
//!
//! A session is told of its own jobs and of no other living session's. Nothing is told twice, nothing that somebody has
//! read, and nothing in the words of the model that answered: [`text`] has the words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub mod text;

/// Bytes of a conversation's name. Claude Code uses 36; what is longer is none.
const SESSION_BYTES: usize = 128;

/// The host's own name of a conversation, which it keeps when a conversation is resumed in another process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionName(String);

/// Says that a text is no name of a conversation. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a conversation")]
pub struct NotASessionName;

impl FromStr for SessionName {
    type Err = NotASessionName;

    fn from_str(text: &str) -> Result<Self, NotASessionName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if (1..=SESSION_BYTES).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASessionName)
        }
    }
}

impl TryFrom<String> for SessionName {
    type Error = NotASessionName;

    fn try_from(text: String) -> Result<Self, NotASessionName> {
        text.parse()
    }
}

impl From<SessionName> for String {
    fn from(name: SessionName) -> Self {
        name.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What has become of the process of a host from which a job was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It is the one that listens now.
    Here,
    /// It is another one, and it lives.
    Alive,
    /// It is gone for sure.
    Gone,
    /// Of another boot, machine or container: nobody here can say.
    Unknown,
}

/// Which conversation asked for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversation {
    /// The one that listens now.
    Same,
    /// Another one.
    Another,
}

/// What a job is to whoever listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Its own: of this process, whatever its conversation is called by now, or of this conversation in a process that is
    /// gone.
    Own,
    /// Of a conversation that is over, as far as is known.
    Orphan,
    /// Somebody else's, or nobody knows.
    Foreign,
}

impl Relation {
    /// Decides what a job is to a listener.
    ///
    /// The process counts first: `/clear` gives a conversation a new name and the person sits before the same window. The
    /// name counts where the process is gone: that is a conversation which was closed and taken up again.
    pub fn of(process: Process, conversation: Conversation) -> Self {
        match (process, conversation) {
            (Process::Here, _) | (Process::Gone | Process::Unknown, Conversation::Same) => Self::Own,
            (Process::Gone, Conversation::Another) => Self::Orphan,
            (Process::Alive, _) | (Process::Unknown, Conversation::Another) => Self::Foreign,
        }
    }
}

/// Where a job or a group stands, as far as telling it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no such job any more, or its record cannot be read.
    Absent,
    /// It goes on.
    Running,
    /// Somebody has read what came of it.
    Read,
    /// Its own session was told.
    Told,
    /// It is over and a call waits for it, which is about to read it.
    Awaited,
    /// It is over, nobody has read it, and its own session was not told.
    Unread,
    /// As [`Self::Unread`], and another session of the workspace was told that it lies there.
    Mentioned,
}

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// That it is over, to the session that asked for it.
    Ended,
    /// That it lies there, to a session of the same workspace.
    LiesThere,
    /// Nothing yet: whoever waits for it should be given a moment.
    Later,
    /// Nothing.
    Nothing,
}

/// Decides what is said of a job to whoever listens.
pub fn decide(relation: Relation, standing: Standing) -> Say {
    match (relation, standing) {
        (Relation::Own, Standing::Unread | Standing::Mentioned) => Say::Ended,
        (Relation::Own, Standing::Awaited) => Say::Later,
        (Relation::Orphan, Standing::Unread) => Say::LiesThere,
        (
            _,
            Standing::Absent
            | Standing::Running
            | Standing::Read
            | Standing::Told
            | Standing::Awaited
            | Standing::Unread
            | Standing::Mentioned,
        ) => Say::Nothing,
    }
}

impl Standing {
    /// Tells whether a session may still have to be told of it, now or later.
    pub fn is_open(self) -> bool {
        match self {
            Self::Running | Self::Awaited | Self::Unread | Self::Mentioned => true,
            Self::Absent | Self::Read | Self::Told => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROCESSES: [Process; 4] = [Process::Here, Process::Alive, Process::Gone, Process::Unknown];
    const STANDINGS: [Standing; 7] = [
        Standing::Absent,
        Standing::Running,
        Standing::Read,
        Standing::Told,
        Standing::Awaited,
        Standing::Unread,
        Standing::Mentioned,
    ];

    #[test]
    fn a_job_belongs_to_its_window_and_then_to_its_conversation() {
        let check = |process, conversation, expected| {
            assert_eq!(Relation::of(process, conversation), expected);
        };
        check(Process::Here, Conversation::Same, Relation::Own);
        // After `/clear`.
        check(Process::Here, Conversation::Another, Relation::Own);
        check(Process::Gone, Conversation::Same, Relation::Own);
        check(Process::Unknown, Conversation::Same, Relation::Own);
        check(Process::Gone, Conversation::Another, Relation::Orphan);
        check(Process::Unknown, Conversation::Another, Relation::Foreign);
        check(Process::Alive, Conversation::Same, Relation::Foreign);
        check(Process::Alive, Conversation::Another, Relation::Foreign);
    }

    #[test]
    fn a_living_sessions_jobs_are_told_to_nobody_else() {
        for conversation in [Conversation::Same, Conversation::Another] {
            for standing in STANDINGS {
                let relation = Relation::of(Process::Alive, conversation);
                assert_eq!(decide(relation, standing), Say::Nothing, "{standing:?}");
            }
        }
    }

    #[test]
    fn what_was_told_or_read_or_goes_on_is_told_to_nobody() {
        for process in PROCESSES {
            for standing in [
                Standing::Absent,
                Standing::Running,
                Standing::Read,
                Standing::Told,
            ] {
                let relation = Relation::of(process, Conversation::Same);
                assert_eq!(
                    decide(relation, standing),
                    Say::Nothing,
                    "{process:?} {standing:?}"
                );
            }
        }
    }

    #[test]
    fn an_end_is_told_to_its_own_session_and_lies_there_for_others() {
        let check = |relation, standing, expected| assert_eq!(decide(relation, standing), expected);
        check(Relation::Own, Standing::Unread, Say::Ended);
        check(Relation::Own, Standing::Mentioned, Say::Ended);
        check(Relation::Own, Standing::Awaited, Say::Later);
        check(Relation::Orphan, Standing::Unread, Say::LiesThere);
        check(Relation::Orphan, Standing::Mentioned, Say::Nothing);
        check(Relation::Orphan, Standing::Awaited, Say::Nothing);
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_still_open(process in 0usize..4, same in any::<bool>(), standing in 0usize..7) {
            let conversation = if same { Conversation::Same } else { Conversation::Another };
            let standing = STANDINGS[standing];
            let said = decide(Relation::of(PROCESSES[process], conversation), standing);
            prop_assert!(said == Say::Nothing || standing.is_open());
        }

        #[test]
        fn a_name_is_plain_or_no_name(text in ".{0,140}") {
            if let Ok(name) = text.parse::<SessionName>() {
                prop_assert_eq!(name.to_string(), text.clone());
                prop_assert!(!text.contains(['/', '\n', '\0', ' ', '"']));
            }
        }
    }

    #[test]
    fn a_name_of_a_conversation_is_short_and_plain() {
        let check = |text: &str, expected: bool| assert_eq!(text.parse::<SessionName>().is_ok(), expected);
        check("0f9b6a2e-9a53-4a0e-b6b6-1c2f6a1d9f11", true);
        check("", false);
        check("a b", false);
        check("../x", false);
        check(&"x".repeat(SESSION_BYTES), true);
        check(&"x".repeat(SESSION_BYTES + 1), false);
    }
}
