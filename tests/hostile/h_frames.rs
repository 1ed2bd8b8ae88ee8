//! Group H: what a host may send. The server stays up and answers or refuses each request with its id.
//!
//! The named cases are frames that once broke a server somewhere, or could. Then a generator with a seed makes as many as it
//! is told to: requests, notifications and answers with fields that are missing, doubled, of another type, deep, huge, cut
//! or mixed up, several at once, with cancels that race them. `CROSSCHECK_FUZZ_FRAMES` says how many.

mod generator;
mod host;
mod table;

use std::time::Duration;

use crate::case::{Case, Findings, numbered};
use crate::detect::work_of;
use generator::Generator;
use host::Host;
use table::{After, FRAMES};

const FORBIDDEN: &str =
    "the server ends, waits for ever, answers twice, or leaves the request without an answer";

/// Frames of a short run.
const SHORT: u64 = 4_000;
/// Frames after which the server is asked whether it lives.
const BATCH: u64 = 40;
/// Memory that the server may have used at its worst, in kB.
const MOST_KB: u64 = 64_000;

/// The cases of this group.
pub(crate) fn cases() -> Vec<Case> {
    numbered('H', 1, FORBIDDEN, FRAMES.iter().map(|(what, _, _)| what))
}

#[test]
fn every_frame_is_answered_or_refused_and_the_server_stays() {
    let cases = cases();
    let mut findings = Findings::default();
    let mut host = Host::start();
    for (case, (_, frame, after)) in cases.iter().zip(FRAMES) {
        let begun = work_of(host.pid());
        host.send(&frame());
        let least = match after {
            After::Refused(..) | After::Answered(_) => 1,
            After::Each(count) => count,
            After::Silence => 0,
        };
        let answers = host.answers_of(&case.id, |said| said.len() > least);
        let mut wrong = Vec::new();
        match (after, answers) {
            (_, None) => {
                wrong.push("the server does not answer any more".to_owned());
                host = Host::start();
            }
            (After::Refused(code, id), Some(answers)) => {
                let refused = answers.iter().filter(|answer| answer["error"]["code"] == code);
                let ids: Vec<String> = refused
                    .map(|answer| {
                        answer
                            .get("id")
                            .map_or_else(|| "none".to_owned(), ToString::to_string)
                    })
                    .collect();
                if ids != [id] || answers.len() != 1 {
                    wrong.push(format!("told {answers:?}"));
                }
            }
            (After::Answered(id), Some(answers)) => {
                if answers.len() != 1 || serde_json::from_str(id).ok().as_ref() != answers[0].get("id") {
                    wrong.push(format!("told {answers:?}"));
                }
            }
            (After::Each(count), Some(answers)) => {
                if answers.len() != count {
                    wrong.push(format!("{} answers to {count} requests", answers.len()));
                }
            }
            (After::Silence, Some(answers)) => {
                if !answers.is_empty() {
                    wrong.push(format!("told {answers:?}"));
                }
            }
        }
        let work = work_of(host.pid()).saturating_sub(begun);
        if work > Duration::from_secs(1) {
            wrong.push(format!("it took {work:?} of work"));
        }
        findings.note(case, wrong);
    }
    let most = host.most_memory_kb();
    assert!(most < MOST_KB, "the server used {most} kB");
    findings.assert_none(FRAMES.len());
}

#[test]
fn frames_before_the_handshake_end_no_server() {
    let lines: [&[u8]; 8] = [
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        b"[]",
        b"\xff\xfe\x00",
        b"{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"initialize\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"initialize\",\"params\":[]}",
        b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"initialize\",\"params\":{\"protocolVersion\":7}}",
    ];
    for line in lines {
        let mut host = Host::silent();
        host.send(line);
        host.shake_hands();
        assert!(
            host.answers_until_well("after").is_some(),
            "{}",
            String::from_utf8_lossy(line)
        );
    }
}

/// Reads a number that a person gave for a longer run.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment how long it is to be"
)]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_made_up_frame_ends_the_server_or_stays_without_an_answer() {
    let frames = asked("CROSSCHECK_FUZZ_FRAMES").unwrap_or(SHORT);
    let seed = asked("CROSSCHECK_FUZZ_SEED").unwrap_or(20_261_121);
    let mut generator = Generator::new(seed);
    let mut host = Host::start();
    let (mut sent, mut owed) = (0, 0_u64);
    while sent < frames {
        let mut expected = Vec::new();
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let frame = generator.frame();
            expected.extend(frame.answer_to);
            batch.extend(frame.bytes);
            batch.push(b'\n');
        }
        host.send_bytes(&batch);
        let barrier = format!("barrier {sent}");
        let answers = host.answers_of(&barrier, |said| {
            expected
                .iter()
                .all(|id| said.iter().any(|answer| answer["id"] == *id))
        });
        let Some(answers) = answers else {
            panic!(
                "seed {seed}: the server is gone after {sent} frames; the last were {}",
                String::from_utf8_lossy(&batch[..batch.len().min(4000)])
            );
        };
        for id in &expected {
            let count = answers.iter().filter(|answer| answer["id"] == *id).count();
            assert_eq!(
                count,
                1,
                "seed {seed}: {id} has {count} answers after {sent} frames of {}",
                String::from_utf8_lossy(&batch[..batch.len().min(20_000)])
            );
        }
        owed += expected.len() as u64;
        sent += BATCH;
    }
    let most = host.most_memory_kb();
    println!("seed {seed}: {sent} frames, {owed} of them requests and each answered once, {most} kB at most");
    assert!(owed > frames / 8, "only {owed} of {sent} frames were requests");
    assert!(most < MOST_KB, "the server used {most} kB");
    assert!(host.close(), "the server did not end well");
}

#[test]
fn a_flood_and_its_cancels_are_answered_each() {
    let mut host = Host::start();
    let mut lines = Vec::new();
    let count = 3_000;
    for number in 0..count {
        let tool = if number % 2 == 0 { "status" } else { "job" };
        let arguments = if number % 2 == 0 {
            "{\"topic\":\"errors\"}"
        } else {
            "{\"limit\":1}"
        };
        lines.extend(
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{number},\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\"arguments\":{arguments}}}}}\n"
            )
            .bytes(),
        );
        if number % 3 == 0 {
            lines.extend(
                format!(
                    "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{number},\"reason\":\"x\"}}}}\n"
                )
                .bytes(),
            );
        }
    }
    host.send_bytes(&lines);
    let answers = host.answers_until(count, "flood").expect("the server lives");
    let mut ids: Vec<u64> = answers
        .iter()
        .filter_map(|answer| answer["id"].as_u64())
        .collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(all, ids.len(), "a request has two answers");
    // A cancelled request needs no answer; any other has one.
    let missing: Vec<usize> = (0..count)
        .filter(|number| number % 3 != 0 && ids.binary_search(&(*number as u64)).is_err())
        .collect();
    assert!(
        missing.is_empty(),
        "{} requests without an answer: {missing:?}",
        missing.len()
    );
    let most = host.most_memory_kb();
    assert!(most < MOST_KB, "the server used {most} kB");
}

/// The negative control: a server that ends, and one that says nothing, are told from one that is well.
#[test]
fn the_detector_sees_a_server_that_is_gone_or_silent() {
    let mut gone = Host::of("exit 0");
    gone.send(b"x");
    assert!(gone.answers_until_well("a").is_none());
    let mut silent = Host::of("cat > /dev/null");
    silent.patience = Duration::from_millis(200);
    silent.send(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    assert!(silent.answers_until_well("a").is_none());
}
