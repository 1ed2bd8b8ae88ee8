//! Which peer suits a task, and which of our tools: advice from a table, for free.
//!
//! Everything here is data and arithmetic over what a caller says of a task. Nothing is known of the task itself, so the
//! confidence is what the table's row carries, and the words of a text alone never reach more than [`WORDS_MOST`]. A
//! modifier changes the confidence and never the pick.

use serde::Serialize;

use crate::domain::peer::Peer;

pub mod words;

/// The version of the table and of the facts. It changes with either, so that advice can be compared over time.
pub const VERSION: &str = "1";
/// Tokens of context above which the peer with the longer window is named whatever else is said.
const LONG_CONTEXT: u64 = 100_000;
/// Tokens of context above which it counts in favour of that peer.
const MUCH_CONTEXT: u64 = 50_000;
/// The most tokens of context that a task can be said to have; no model reads a thousandth of it.
pub const CONTEXT_TOKENS_MAX: u64 = 1_000_000_000;
/// Percent with a context above [`LONG_CONTEXT`].
const LONG_PERCENT: i32 = 90;
/// Percent of an answer without a type of task: a little better than a coin.
const UNTYPED_PERCENT: i32 = 55;
/// Percent of "don't know".
const UNKNOWN_PERCENT: i32 = 50;
/// The most that the words of a text alone can come to, in percent.
pub const WORDS_MOST: i32 = 55;
/// The least with a type of task, in percent.
const TYPED_LEAST: i32 = 60;
/// Percent that any answer keeps within: nothing is certain, and less than this would be advice for the other one.
const PERCENT: std::ops::RangeInclusive<i32> = 30..=95;

/// What kind of work a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskType {
    /// How a system is cut and why.
    Architecture,
    /// What an attacker could do.
    Security,
    /// Finding a cause.
    Debug,
    /// A script, a command line, glue.
    Scripting,
    /// The same behaviour in another shape.
    Refactor,
    /// An opinion on a change.
    Review,
    /// What people see.
    Ui,
    /// New behaviour.
    Implementation,
}

/// One row of the table: a type of task, its name, who is picked, and how sure the row is, in percent.
pub const TABLE: [(TaskType, &str, Peer, i32); 8] = [
    (TaskType::Architecture, "architecture", Peer::Claude, 85),
    (TaskType::Security, "security", Peer::Claude, 85),
    (TaskType::Debug, "debug", Peer::Claude, 80),
    (TaskType::Scripting, "scripting", Peer::Codex, 80),
    (TaskType::Refactor, "refactor", Peer::Claude, 75),
    (TaskType::Review, "review", Peer::Claude, 70),
    (TaskType::Ui, "ui", Peer::Claude, 65),
    (TaskType::Implementation, "implementation", Peer::Codex, 65),
];

impl TaskType {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Architecture,
        Self::Security,
        Self::Debug,
        Self::Scripting,
        Self::Refactor,
        Self::Review,
        Self::Ui,
        Self::Implementation,
    ];
    /// The names callers may write, in the same order.
    pub const NAMES: [&'static str; 8] = [
        TABLE[0].1, TABLE[1].1, TABLE[2].1, TABLE[3].1, TABLE[4].1, TABLE[5].1, TABLE[6].1, TABLE[7].1,
    ];
}

/// How hard a task is, as the caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complexity {
    /// Little to think about.
    Simple,
    /// Something in between; it changes nothing.
    Medium,
    /// Much to think about.
    Complex,
}

impl Complexity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Simple, Self::Medium, Self::Complex];
    /// The names callers may write, in the same order.
    pub const NAMES: [&'static str; 3] = ["simple", "medium", "complex"];
}

/// What a caller says of a task. Everything may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// What kind of work it is.
    pub task_type: Option<TaskType>,
    /// How hard it is.
    pub complexity: Option<Complexity>,
    /// How much has to be read, in tokens.
    pub context_tokens: Option<u64>,
    /// The task in words; looked at only where nothing else is said.
    pub text: Option<String>,
}

/// What an answer stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The row of the type of task.
    TaskType,
    /// The amount of context.
    Context,
    /// How hard it is, without a type.
    Complexity,
    /// The words of the text.
    Words,
    /// Nothing: either peer is as good a guess.
    Nothing,
}

/// Which peer, how sure that is, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Who is asked.
    pub pick: Peer,
    /// How sure that is, in percent: 30 to 95.
    pub percent: i32,
    /// What it stands on.
    pub basis: Basis,
}

impl Advice {
    /// Returns how sure it is as a part of one, with two decimals.
    pub fn confidence(&self) -> f64 {
        f64::from(self.percent) / 100.0
    }

    /// Says what it stands on, in a sentence for people.
    pub fn why(&self) -> &'static str {
        match self.basis {
            Basis::TaskType => "the table has a row for this type of task",
            Basis::Context => "it has to read so much that the amount decides",
            Basis::Complexity => "only how hard it is was said, which decides little",
            Basis::Words => "words of the text hint at it, which is little more than a guess",
            Basis::Nothing => "nothing that was said decides it",
        }
    }
}

/// Advises.
pub fn advise(task: &Task) -> Advice {
    let context = task.context_tokens.unwrap_or(0);
    let much = context > MUCH_CONTEXT;
    if context > LONG_CONTEXT {
        return Advice {
            pick: Peer::Claude,
            percent: LONG_PERCENT,
            basis: Basis::Context,
        };
    }
    if let Some((_, _, pick, base)) = task
        .task_type
        .and_then(|wanted| TABLE.iter().find(|row| row.0 == wanted))
    {
        let percent = base + by_complexity(*pick, task.complexity) + by_context(*pick, much);
        return Advice {
            pick: *pick,
            percent: percent.max(TYPED_LEAST).clamp(*PERCENT.start(), *PERCENT.end()),
            basis: Basis::TaskType,
        };
    }
    let untyped = |pick, basis| Advice {
        pick,
        percent: UNTYPED_PERCENT,
        basis,
    };
    match (task.complexity, task.context_tokens) {
        (Some(Complexity::Complex), _) => untyped(Peer::Claude, Basis::Complexity),
        _ if much => untyped(Peer::Claude, Basis::Context),
        (Some(_), _) => untyped(Peer::Codex, Basis::Complexity),
        (None, Some(_)) => untyped(Peer::Codex, Basis::Context),
        (None, None) => by_words(task.text.as_deref().unwrap_or_default()),
    }
}

/// A hard task speaks for the one and an easy one for the other; against the pick it takes away more than it gives.
fn by_complexity(pick: Peer, complexity: Option<Complexity>) -> i32 {
    match (complexity, pick) {
        (Some(Complexity::Complex), Peer::Claude) | (Some(Complexity::Simple), Peer::Codex) => 5,
        (Some(Complexity::Complex), Peer::Codex) | (Some(Complexity::Simple), Peer::Claude) => -10,
        (Some(Complexity::Medium) | None, _) => 0,
    }
}

fn by_context(pick: Peer, much: bool) -> i32 {
    match (much, pick) {
        (true, Peer::Claude) => 3,
        (true, Peer::Codex) => -3,
        (false, _) => 0,
    }
}

/// Weighs the words: who has the larger part of the weight is picked, and the part beyond a half counts a tenth of itself.
fn by_words(text: &str) -> Advice {
    let (codex, claude) = words::weights(text);
    let total = codex + claude;
    let (pick, more) = if claude > codex {
        (Peer::Claude, claude)
    } else {
        (Peer::Codex, codex)
    };
    if total == 0 || codex == claude {
        return Advice {
            pick: Peer::Codex,
            percent: UNKNOWN_PERCENT,
            basis: Basis::Nothing,
        };
    }
    let beyond = (more * 100 / total - 50) / 10;
    Advice {
        pick,
        percent: (UNKNOWN_PERCENT + beyond).min(WORDS_MOST),
        basis: Basis::Words,
    }
}

/// Something that a peer can or cannot do when we run it, with the version that it was seen with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The peer.
    pub peer: Peer,
    /// What was seen.
    pub fact: &'static str,
    /// The version of the peer that showed it.
    pub seen_with: &'static str,
}

/// What decides between the two for a person, whatever the table says. Each is pinned by a test named in COMPATIBILITY.md.
pub const FACTS: [Fact; 5] = [
    Fact {
        peer: Peer::Codex,
        fact: "runs commands, in a sandbox of its own: it can look at history and run tests while it works",
        seen_with: "0.169.0",
    },
    Fact {
        peer: Peer::Codex,
        fact: "tells no cost in money; a budget is one of tokens",
        seen_with: "0.169.0",
    },
    Fact {
        peer: Peer::Claude,
        fact: "reads, searches and edits files, and runs no command",
        seen_with: "2.1.329",
    },
    Fact {
        peer: Peer::Claude,
        fact: "tells its cost, and keeps to budget_usd and max_turns",
        seen_with: "2.1.329",
    },
    Fact {
        peer: Peer::Claude,
        fact: "is kept from files that count as secrets while it reads",
        seen_with: "2.1.329",
    },
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn task(kind: Option<&str>, complexity: Option<&str>, context_tokens: Option<u64>, text: &str) -> Task {
        let at = |names: &[&str], name: &str| names.iter().position(|known| *known == name).unwrap();
        Task {
            task_type: kind.map(|name| TaskType::ALL[at(&TaskType::NAMES, name)]),
            complexity: complexity.map(|name| Complexity::ALL[at(&Complexity::NAMES, name)]),
            context_tokens,
            text: (!text.is_empty()).then(|| text.to_owned()),
        }
    }

    #[test]
    fn the_names_are_those_of_the_table() {
        for (row, kind) in TABLE.iter().zip(TaskType::ALL) {
            assert_eq!(row.0, kind);
        }
    }

    #[test]
    fn the_table_and_its_modifiers_decide() {
        let check = |kind, complexity, context, pick: Peer, percent: i32| {
            let advice = advise(&task(kind, complexity, context, ""));
            assert_eq!(
                (advice.pick, advice.percent),
                (pick, percent),
                "{kind:?} {complexity:?} {context:?}"
            );
        };
        check(Some("scripting"), None, None, Peer::Codex, 80);
        check(Some("scripting"), Some("complex"), None, Peer::Codex, 70);
        check(Some("scripting"), Some("simple"), None, Peer::Codex, 85);
        check(Some("implementation"), Some("complex"), None, Peer::Codex, 60);
        check(Some("ui"), Some("simple"), None, Peer::Claude, 60);
        check(
            Some("architecture"),
            Some("complex"),
            Some(60_000),
            Peer::Claude,
            93,
        );
        check(Some("scripting"), None, Some(150_000), Peer::Claude, 90);
        check(Some("scripting"), None, Some(60_000), Peer::Codex, 77);
        check(Some("review"), Some("medium"), None, Peer::Claude, 70);
        check(None, Some("complex"), None, Peer::Claude, 55);
        check(None, None, Some(60_000), Peer::Claude, 55);
        check(None, Some("simple"), None, Peer::Codex, 55);
        check(None, None, Some(100), Peer::Codex, 55);
        check(None, None, None, Peer::Codex, 50);
    }

    #[test]
    fn words_alone_hint_and_no_more() {
        let check = |text: &str, pick: Peer, basis: Basis| {
            let advice = advise(&task(None, None, None, text));
            assert_eq!((advice.pick, advice.basis), (pick, basis), "{text}");
            assert!((UNKNOWN_PERCENT..=WORDS_MOST).contains(&advice.percent), "{text}");
        };
        check(
            "explain the design pattern of the cache",
            Peer::Claude,
            Basis::Words,
        );
        check("fix the bug in the cli script", Peer::Codex, Basis::Words);
        check("hello", Peer::Codex, Basis::Nothing);
        check("", Peer::Codex, Basis::Nothing);
    }

    proptest! {
        #[test]
        fn a_modifier_never_changes_the_pick(kind in 0..8_usize, complexity in 0..3_usize, context in 0..=LONG_CONTEXT, text in ".{0,80}") {
            let alone = Task { task_type: Some(TaskType::ALL[kind]), ..Task::default() };
            let modified = Task {
                complexity: Some(Complexity::ALL[complexity]),
                context_tokens: Some(context),
                text: Some(text),
                ..alone.clone()
            };
            prop_assert_eq!(advise(&alone).pick, advise(&modified).pick);
        }

        #[test]
        fn the_confidence_keeps_within_its_bounds(context in any::<u64>(), text in any::<String>()) {
            let advice = advise(&Task { context_tokens: Some(context), text: Some(text.clone()), ..Task::default() });
            prop_assert!(PERCENT.contains(&advice.percent));
            let words = advise(&Task { text: Some(text), ..Task::default() });
            prop_assert!(words.percent <= WORDS_MOST);
        }
    }
}
