//! The same call from 32 clients of 8 servers at the same instant, while a server is killed: one peer starts, and
//! everybody gets the same answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::census;
use crate::host::{Answer, Host};
use crate::parts::{Asked, Length, Report};
use crate::random::Random;
use crate::world::World;

/// Servers.
const SERVERS: usize = 8;
/// Clients; four share a server.
const CLIENTS: usize = 32;
/// How often a client repeats a call whose server was killed.
const RETRIES: usize = 20;

/// By what a repeated call is known.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// The caller's own key.
    Key,
    /// Claude Code's name of the use of a tool.
    ToolUse,
    /// Codex's names of its thread and of the call in it.
    CallOfThread,
}

impl Known {
    const ALL: [Self; 3] = [Self::Key, Self::ToolUse, Self::CallOfThread];

    fn call(self, prompt: &str, round: u64) -> (Value, Option<Value>) {
        let plain = json!({"prompt": prompt, "wait_s": 50});
        match self {
            Self::Key => {
                let key = format!("round {round}");
                let keyed = json!({"prompt": prompt, "wait_s": 50, "options": {"idempotency_key": key}});
                (keyed, None)
            }
            Self::ToolUse => (
                plain,
                Some(json!({"claudecode/toolUseId": format!("toolu_{round}")})),
            ),
            Self::CallOfThread => (
                plain,
                Some(json!({"threadId": "a thread of codex", "callId": format!("call_{round}")})),
            ),
        }
    }

    fn counted(self) -> &'static str {
        match self {
            Self::Key => "rounds with a key of the caller",
            Self::ToolUse => "rounds with a tool use of Claude Code",
            Self::CallOfThread => "rounds with a call of a codex thread",
        }
    }
}

/// What the clients of a round were told.
#[derive(Default)]
struct Told {
    answers: Mutex<BTreeSet<(String, String)>>,
    others: Mutex<Vec<String>>,
    answered: AtomicU64,
    died: AtomicU64,
    lost_unpaid: AtomicU64,
}

/// Runs the part.
pub(crate) fn run(asked: &Asked) -> Report {
    let rounds = asked.rounds.unwrap_or(match asked.length {
        Length::Short => 5,
        Length::Long => 50,
    });
    let mut report = Report::default();
    let world = World::new();
    // Codex's own name: only then its thread and call count. A tool use of Claude Code counts from everybody.
    let hosts: Vec<Host<'_>> = (0..SERVERS)
        .map(|_| Host::new(&world, "codex-mcp-client", &[]))
        .collect();
    let mut random = Random::new(asked.seed, 3000);
    for round in (0..rounds).filter(|round| asked.wants(*round)) {
        one_round(&world, &hosts, round, &mut random, &mut report);
    }
    for host in &hosts {
        if host.crashed() > 0 {
            report.violation(None, "a server ended although nobody killed it");
        }
    }
    report
}

fn one_round(world: &World, hosts: &[Host<'_>], round: u64, random: &mut Random, report: &mut Report) {
    let known = Known::ALL[usize::try_from(round % 3).expect("it is below 3")];
    let prompt = format!("question of round {round}\n[[peer steps=2 step_ms=20]]");
    let (arguments, meta) = known.call(&prompt, round);
    let (before, told, start) = (
        census::paid(world).len(),
        Told::default(),
        Barrier::new(CLIENTS + 1),
    );
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (host, told, start) = (&hosts[client % SERVERS], &told, &start);
            let (arguments, meta) = (&arguments, meta.as_ref());
            scope.spawn(move || {
                start.wait();
                ask(host, arguments, meta, told);
            });
        }
        start.wait();
        if round % 2 == 1 {
            std::thread::sleep(Duration::from_millis(random.below(80)));
            let killed = random.one_of(hosts).kill();
            report.count("servers killed in the middle", u64::from(killed));
        }
    });
    report.count("rounds", 1);
    report.count(known.counted(), 1);
    let starts = census::paid(world).len() - before;
    report.count("paid starts", u64::try_from(starts).unwrap_or(0));
    report.count("answers", told.answered.into_inner());
    report.count("calls repeated after a kill", told.died.into_inner());
    report.count(
        "calls repeated because nothing had been paid",
        told.lost_unpaid.into_inner(),
    );
    let case = Some(round);
    if starts != 1 {
        report.violation(case, format!("{starts} peers were paid for one call ({known:?})"));
    }
    let answers = told.answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    if answers.len() != 1 {
        report.violation(case, format!("{} different answers: {answers:?}", answers.len()));
    }
    for other in told.others.into_inner().unwrap_or_else(PoisonError::into_inner) {
        report.violation(case, format!("a client was told {other}"));
    }
}

/// Asks, and asks again as a host does when its server is gone.
fn ask(host: &Host<'_>, arguments: &Value, meta: Option<&Value>, told: &Told) {
    let other = |text: String| {
        told.others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    };
    for _ in 0..RETRIES {
        match host.call_with("consult", arguments, meta) {
            Answer::Died => {
                told.died.fetch_add(1, Ordering::Relaxed);
            }
            Answer::Silent => return other("nothing for a minute".to_owned()),
            Answer::Said(envelope) => {
                let id = envelope["job"]["id"].as_str().unwrap_or_default().to_owned();
                if let Some(answer) = envelope["answer"].as_str() {
                    told.answered.fetch_add(1, Ordering::Relaxed);
                    let mut answers = told.answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers.insert((id, answer.to_owned()));
                    return;
                }
                let message = envelope["error"]["message"].as_str().unwrap_or_default();
                if envelope["error"]["code"] != "job_lost" || !message.ends_with("nothing was paid") {
                    return other(envelope.to_string().chars().take(400).collect());
                }
                told.lost_unpaid.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    other(format!("nothing in {RETRIES} calls"));
}
