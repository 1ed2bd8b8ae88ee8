//! When a task in the cloud is asked about, over a day of virtual time.

use super::*;

fn task(name: &str, since_ms: u64, asked_ms: Option<u64>) -> Followed {
    Followed {
        task: name.parse().unwrap(),
        environment: "e".to_owned(),
        since_ms,
        asked_ms,
    }
}

#[test]
fn the_pause_grows_with_the_age_within_its_bounds() {
    let check =
        |age_s: u64, expected_s: u64| assert_eq!(pause_ms(age_s * 1000), expected_s * 1000, "{age_s}");
    check(0, 10);
    check(60, 10);
    check(120, 20);
    check(600, 100);
    check(1800, 300);
    check(86_400, 300);
}

#[test]
fn a_task_is_asked_about_when_it_is_due_and_a_clock_set_back_puts_nothing_off() {
    let now = 1_000_000_000;
    let check = |since: u64, asked: Option<u64>, due: bool| {
        let task = task("t", since, asked);
        assert_eq!(task.due_ms(now) <= now, due, "{task:?}");
    };
    check(now, None, false);
    check(now - 10_000, None, true);
    check(now - 60_000, Some(now - 9_000), false);
    check(now - 60_000, Some(now - 10_000), true);
    check(now - 86_400_000, Some(now - 299_000), false);
    check(now - 86_400_000, Some(now - 300_000), true);
    // The clock was ahead by a day when it was asked about.
    check(now - 60_000, Some(now + 86_400_000), true);
    // It was ahead when the task was handed over: ten seconds from now at the latest.
    assert_eq!(
        task("t", now + 86_400_000, None).due_ms(now),
        now + PAUSE_FIRST_MS
    );
}

#[test]
fn few_are_asked_about_one_by_one_and_many_by_a_page() {
    let now = 1_000_000;
    let ask = |tasks: &[Followed]| Following::default().round(tasks, now).asks;
    assert_eq!(ask(&[]), []);
    assert_eq!(
        ask(&[task("b", 20, None), task("a", 10, None)]),
        [
            Ask::Status("a".parse().unwrap()),
            Ask::Status("b".parse().unwrap())
        ]
    );
    let many: Vec<Followed> = (0..50).map(|at| task(&format!("t{at}"), at, None)).collect();
    assert!(
        matches!(ask(&many).as_slice(), [Ask::List { due, .. }] if due.len() == 50),
        "{:?}",
        ask(&many)
    );
}

#[test]
fn an_outage_is_asked_out_of_by_one_question_at_a_growing_pause() {
    let tasks: Vec<Followed> = (0..50).map(|at| task(&format!("t{at}"), at, None)).collect();
    let mut following = Following::default();
    let (mut now, mut asked) = (1_000_000, 0);
    following.unanswered(now);
    while now < 1_000_000 + 3_600_000 {
        let round = following.round(&tasks, now);
        assert!(round.asks.len() <= 1, "{round:?}");
        assert!(round.next_ms > now, "{round:?}");
        if !round.asks.is_empty() {
            asked += 1;
            following.unanswered(now);
        }
        now = round.next_ms;
    }
    assert!((20..60).contains(&asked), "{asked} questions in an hour");
    following.answered();
    assert!(matches!(
        following.round(&tasks, now).asks.as_slice(),
        [Ask::List { .. }]
    ));
}

#[test]
fn the_next_round_is_never_further_away_than_the_longest_pause() {
    // A clock that was set back by some minutes leaves questions in the future, and whoever waits takes a longer wait for none.
    let now = 1_000_000_000;
    for ahead in [
        0, 1, 9_999, 10_000, 150_000, 299_999, 300_000, 300_001, 86_400_000,
    ] {
        for age in [0, 60_000, 86_400_000] {
            let tasks = [task("t", now - age, Some(now + ahead))];
            let mut following = Following::default();
            for _ in 0..2 {
                let next = following.round(&tasks, now).next_ms;
                assert!(
                    next > now && next <= now + PAUSE_LONGEST_MS,
                    "{ahead} {age} {next}"
                );
                following.unanswered(now + ahead);
            }
        }
    }
}
