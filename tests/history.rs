//! The checker of histories: one that is right passes, and one that breaks a rule is caught by that rule.

#[expect(
    dead_code,
    reason = "the harness reads states by their names; the histories here name them directly"
)]
#[path = "../torture/model.rs"]
mod model;

use model::{Alive, Asked, History, Operation, Paid, Sight, State, Told, violations};

const DONE: State = State::Ended("succeeded");
const LOST: State = State::Ended("lost");

fn sight(job: &str, state: State) -> Sight {
    Sight {
        job: job.to_owned(),
        label: format!("label of {}", &job[..1]),
        state,
        result: match state {
            State::Ended("succeeded") => Some(format!("answer of {job}")),
            State::Ended(end) => Some(end.to_owned()),
            _ => None,
        },
    }
}

fn submit(at: u64, key: Option<&str>, job: &str) -> Operation {
    Operation {
        began: at,
        ended: at + 5,
        asked: Asked::Submit {
            key: key.map(str::to_owned),
            label: format!("label of {}", &job[..1]),
        },
        told: Told::Job(sight(job, State::Queued)),
    }
}

fn look(at: u64, job: &str, state: State) -> Operation {
    Operation {
        began: at,
        ended: at + 5,
        asked: Asked::Look(job.to_owned()),
        told: Told::Job(sight(job, state)),
    }
}

fn list(at: u64, rows: &[(&str, State)], whole: bool) -> Operation {
    Operation {
        began: at,
        ended: at + 5,
        asked: Asked::List { all: true },
        told: Told::Jobs {
            rows: rows.iter().map(|(job, state)| sight(job, *state)).collect(),
            whole,
        },
    }
}

fn forget(at: u64, job: &str, state: State) -> Operation {
    Operation {
        asked: Asked::Forget(job.to_owned()),
        ..look(at, job, state)
    }
}

fn cancel(at: u64, job: &str) -> Operation {
    Operation {
        asked: Asked::Cancel(job.to_owned()),
        ..look(at, job, State::Ended("cancelled"))
    }
}

fn told(operation: Operation, told: Told) -> Operation {
    Operation { told, ..operation }
}

fn paid(at: u64, job: &str) -> Paid {
    Paid {
        job: job.to_owned(),
        at,
        answer: format!("answer of {job}"),
    }
}

fn alive(at: u64, jobs: &[&str]) -> Alive {
    Alive {
        at,
        jobs: jobs.iter().map(|job| (*job).to_owned()).collect(),
    }
}

fn history(operations: &[Operation], paid: &[Paid], alive: &[Alive]) -> History {
    History {
        concurrency: 2,
        kept: 500,
        operations: operations.to_vec(),
        paid: paid.to_vec(),
        alive: alive.to_vec(),
    }
}

fn holds(operations: &[Operation], paid: &[Paid], alive: &[Alive]) {
    assert_eq!(
        violations(&history(operations, paid, alive)),
        Vec::<String>::new()
    );
}

/// The rule is broken, and nothing else is found.
fn breaks(operations: &[Operation], paid: &[Paid], alive: &[Alive], rule: &str) {
    let found = violations(&history(operations, paid, alive));
    assert!(
        !found.is_empty() && found.iter().all(|what| what.contains(rule)),
        "wanted `{rule}`, found {found:?}"
    );
}

#[test]
fn a_life_without_faults_breaks_no_rule() {
    holds(
        &[
            submit(10, Some("k"), "a1"),
            submit(12, Some("k"), "a1"),
            look(20, "a1", State::Running),
            list(30, &[("a1", State::Running)], true),
            look(40, "a1", DONE),
            look(50, "a1", DONE),
            forget(60, "a1", DONE),
            told(look(70, "a1", DONE), Told::Gone),
            list(70, &[], true),
            submit(80, Some("k"), "a2"),
            cancel(90, "a2"),
        ],
        &[paid(22, "a1"), paid(85, "a2")],
        &[alive(30, &["a1"]), alive(86, &["a2"])],
    );
}

#[test]
fn calls_at_the_same_time_may_be_told_in_either_order() {
    let early = Operation {
        began: 20,
        ..look(60, "a1", State::Running)
    };
    holds(
        &[submit(10, None, "a1"), look(30, "a1", DONE), early],
        &[paid(12, "a1")],
        &[],
    );
}

#[test]
fn an_end_that_is_taken_back_is_caught() {
    let begin = submit(10, None, "a1");
    let said = [paid(12, "a1")];
    breaks(
        &[
            begin.clone(),
            look(20, "a1", DONE),
            look(40, "a1", State::Running),
        ],
        &said,
        &[],
        "and later",
    );
    breaks(
        &[
            begin.clone(),
            look(20, "a1", State::Running),
            list(40, &[("a1", State::Queued)], true),
        ],
        &said,
        &[],
        "and later",
    );
    // Two ends of calls at the same time: no order is wrong, but a job ends once.
    let lost = Operation {
        began: 19,
        told: Told::Job(Sight {
            result: None,
            ..sight("a1", LOST)
        }),
        ..look(20, "a1", LOST)
    };
    breaks(
        &[begin, look(20, "a1", DONE), lost],
        &said,
        &[],
        "ended in 2 ways",
    );
}

#[test]
fn a_result_that_changes_is_caught() {
    let changed = Sight {
        result: Some("failed otherwise".to_owned()),
        ..sight("a1", State::Ended("failed"))
    };
    breaks(
        &[
            submit(10, None, "a1"),
            look(20, "a1", State::Ended("failed")),
            told(look(40, "a1", DONE), Told::Job(changed)),
        ],
        &[],
        &[],
        "with 2 results",
    );
}

#[test]
fn a_job_that_vanishes_is_caught() {
    let begin = submit(10, None, "a1");
    breaks(
        &[begin.clone(), told(look(20, "a1", DONE), Told::Gone)],
        &[],
        &[],
        "then not found",
    );
    breaks(&[begin.clone(), list(20, &[], true)], &[], &[], "then not listed");
    // A list that was cut short says nothing about what is older than its last row.
    let newer = submit(12, None, "b1");
    let rows = [("b1", State::Queued)];
    holds(&[begin.clone(), newer.clone(), list(20, &rows, false)], &[], &[]);
    breaks(
        &[begin, newer, list(20, &rows, true)],
        &[],
        &[],
        "then not listed",
    );
}

#[test]
fn a_forgotten_job_that_comes_back_is_caught() {
    let begin = [submit(10, None, "a1"), forget(20, "a1", DONE)];
    let said = [paid(12, "a1")];
    let again = |operation: Operation| [begin.to_vec(), vec![operation]].concat();
    breaks(&again(look(40, "a1", DONE)), &said, &[], "then told again");
    breaks(
        &again(list(40, &[("a1", DONE)], true)),
        &said,
        &[],
        "then told again",
    );
}

#[test]
fn a_key_with_two_jobs_is_caught() {
    let two = [submit(10, Some("k"), "a1"), submit(20, Some("k"), "a2")];
    breaks(&two, &[paid(12, "a1"), paid(22, "a2")], &[], "key k stands for");
    // The first was lost before anything was paid: the same call starts it anew.
    holds(&two, &[paid(22, "a2")], &[]);
}

#[test]
fn a_key_that_is_refused_for_nothing_is_caught() {
    let begin = submit(10, Some("k"), "a1");
    let refused = told(submit(20, Some("k"), "a1"), Told::KeyTaken);
    breaks(&[begin.clone(), refused], &[], &[], "key k was refused");
    let other = told(submit(20, Some("k"), "b1"), Told::KeyTaken);
    holds(&[begin, other], &[], &[]);
}

#[test]
fn a_job_with_the_wrong_arguments_is_caught() {
    let wrong = told(submit(20, Some("k"), "a1"), Told::Job(sight("b1", State::Queued)));
    breaks(
        &[submit(10, Some("k"), "b1"), wrong],
        &[],
        &[],
        "who asked for `label of a`",
    );
    let mut changed = look(20, "a1", State::Running);
    if let Told::Job(sight) = &mut changed.told {
        sight.label = "label of b".to_owned();
    }
    breaks(
        &[submit(10, None, "a1"), changed],
        &[],
        &[],
        "changed what it is about",
    );
    breaks(&[look(20, "a1", State::Running)], &[], &[], "asked for by nobody");
    breaks(
        &[look(2, "a1", State::Queued), submit(10, None, "a1")],
        &[],
        &[],
        "asked for by nobody",
    );
}

#[test]
fn a_call_that_makes_two_jobs_is_caught() {
    breaks(
        &[
            submit(10, None, "a1"),
            list(20, &[("a2", State::Queued), ("a1", State::Queued)], true),
        ],
        &[],
        &[],
        "one call made 2 jobs",
    );
}

#[test]
fn paying_twice_is_caught() {
    breaks(
        &[submit(10, None, "a1")],
        &[paid(12, "a1"), paid(14, "a1")],
        &[],
        "paid for 2 times",
    );
}

#[test]
fn an_answer_that_no_peer_gave_is_caught() {
    let done = [submit(10, None, "a1"), look(20, "a1", DONE)];
    breaks(&done, &[], &[], "that no peer gave");
    let other = Paid {
        answer: "another answer".to_owned(),
        ..paid(12, "a1")
    };
    breaks(&done, &[other], &[], "that no peer gave");
}

#[test]
fn life_after_the_end_is_caught() {
    let over = [submit(10, None, "a1"), cancel(20, "a1")];
    breaks(&over, &[paid(40, "a1")], &[], "over and then paid for");
    breaks(
        &over,
        &[paid(12, "a1")],
        &[alive(40, &["a1"])],
        "its peer lived on",
    );
    holds(&over, &[paid(12, "a1")], &[alive(22, &["a1"])]);
}

#[test]
fn more_peers_than_slots_are_caught() {
    let jobs = [
        submit(10, None, "a1"),
        submit(10, None, "b1"),
        submit(10, None, "c1"),
    ];
    breaks(
        &jobs,
        &[],
        &[alive(20, &["a1", "b1", "c1"])],
        "3 peers lived at once",
    );
    holds(&jobs, &[], &[alive(20, &["a1", "b1"]), alive(30, &["c1", "b1"])]);
}

#[test]
fn a_refusal_without_a_reason_is_caught() {
    let refused = |operation: Operation, code: &str| told(operation, Told::Refused(code.to_owned()));
    let begin = submit(10, None, "a1");
    breaks(
        &[begin.clone(), refused(cancel(20, "a1"), "job_not_finished")],
        &[],
        &[],
        "cancel was refused with job_not_finished",
    );
    breaks(
        &[refused(begin.clone(), "internal")],
        &[],
        &[],
        "refused with internal",
    );
    holds(&[refused(begin, "too_many_jobs")], &[], &[]);
}
