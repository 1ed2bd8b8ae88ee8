//! What must be so once a case of kill-clouds is over, given who was hit and when: facts in, broken rules out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::facts::JobFacts;
use crate::kill_clouds::{Case, Has, Target};

/// Folders below one that are looked into for what a command left there.
const DEEP: usize = 8;

/// One job at its end.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// What its files say.
    pub job: JobFacts,
    /// The patch that is its result.
    pub patch: Option<String>,
}

/// What was seen of a case.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The job that the first call was told of.
    pub acknowledged: String,
    /// The job that the same call was told of afterwards.
    pub repeated: Option<String>,
    /// What each look said of a job: its id and a state.
    pub told: Vec<(String, String)>,
    /// Each job when all of them were over for the first time.
    pub ended: Vec<Ended>,
    /// Each job when all was over after the repeated call.
    pub later: Vec<JobFacts>,
    /// Tasks that had arrived at the service when the jobs were over for the first time.
    pub tasks: usize,
    /// Tasks that had arrived at the very end.
    pub tasks_later: usize,
    /// Processes that did not end.
    pub running: Vec<String>,
    /// Whether the workspace is as the user had it.
    pub is_untouched: bool,
    /// Files that nobody should find.
    pub left: Vec<PathBuf>,
}

/// Says every rule that was broken.
pub fn judge(case: Case, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    if seen.ended.len() != case.attempts {
        wrong.push(format!(
            "{} jobs for {} attempts",
            seen.ended.len(),
            case.attempts
        ));
    }
    for ended in &seen.ended {
        wrong.extend(job(case, ended, seen.tasks));
    }
    let later: BTreeMap<&str, &JobFacts> = seen.later.iter().map(|job| (job.id.as_str(), job)).collect();
    for Ended { job, .. } in &seen.ended {
        match later.get(job.id.as_str()) {
            None => wrong.push(format!("the job {} vanished", job.id)),
            Some(now) if now.result_bytes != job.result_bytes => {
                wrong.push(format!("the result of {} changed", job.id));
            }
            Some(_) => {}
        }
    }
    wrong.extend(told_otherwise(seen));
    // What was certainly not sent may be sent by a call that is repeated.
    let is_the_same = seen.repeated.as_deref() == Some(seen.acknowledged.as_str());
    if !is_the_same && case.has != Has::Nothing {
        wrong.push(format!(
            "the repeated call found another job: {:?}",
            seen.repeated
        ));
    }
    if seen.tasks_later > 1 {
        wrong.push(format!("the service got {} tasks", seen.tasks_later));
    }
    if !seen.running.is_empty() {
        wrong.push(format!("still runs: {:?}", seen.running));
    }
    if !seen.is_untouched {
        wrong.push("the workspace is not as the user had it".to_owned());
    }
    wrong.extend(
        seen.left
            .iter()
            .map(|path| format!("`{}` is left", path.display())),
    );
    wrong
}

/// Says which look told an end that was not the job's.
fn told_otherwise(seen: &Seen) -> BTreeSet<String> {
    let is_end = |state: &str| !["queued", "running"].contains(&state);
    let ends = seen
        .ended
        .iter()
        .filter_map(|Ended { job, .. }| Some((job.id.as_str(), job.state()?)));
    let ends: BTreeMap<&str, &str> = ends.collect();
    let told = seen.told.iter().filter(|(_, state)| is_end(state));
    told.filter_map(|(id, state)| {
        let end = ends.get(id.as_str()).filter(|end| **end != state)?;
        Some(format!("{id} was told as {state} and ended as {end}"))
    })
    .collect()
}

/// Judges one job by its end.
fn job(case: Case, ended: &Ended, tasks: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let state = ended.job.state().unwrap_or("none");
    let fault = ended
        .job
        .result
        .as_ref()
        .map(|result| result["fault"].to_string());
    let fault = fault.unwrap_or_default();
    let may = allowed(case);
    if state != may {
        wrong.push(format!("the job is {state}, not {may}: {fault}"));
    }
    let holds = |patch: &String| patch.contains("+attempt ");
    if state == "succeeded" && !ended.patch.as_ref().is_some_and(holds) {
        wrong.push("what the service did is not the result".to_owned());
    }
    if state == "lost" && !tells_the_truth(case, &fault, tasks) {
        wrong.push(format!(
            "with {tasks} tasks at the service a lost job says {fault}"
        ));
    }
    wrong
}

/// Tells whether what is said of a lost job is so.
fn tells_the_truth(case: Case, fault: &str, tasks: usize) -> bool {
    let says_nothing_was_sent = fault.contains("nothing was paid");
    let says_look = fault.contains("codex cloud list");
    match case.has {
        Has::Nothing => says_nothing_was_sent && tasks == 0,
        Has::Perhaps | Has::Task => says_look && !says_nothing_was_sent,
    }
}

/// Returns the end that tells the truth.
fn allowed(case: Case) -> &'static str {
    match (case.has, case.signal, case.target) {
        (Has::Task, ..) => "succeeded",
        // A worker that is told to end hands over what it has begun to hand over.
        (_, Signal::KILL, Target::Halted | Target::All) => "lost",
        // It never got the prompt, or nobody knows.
        (Has::Perhaps, _, Target::Codex) if case.point == "cloud.spawned" => "lost",
        _ => "succeeded",
    }
}

/// Where something may be left, once every job is over and nobody runs.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The state directory.
    pub state: &'a Path,
    /// The home folder.
    pub home: &'a Path,
    /// The workspace.
    pub workspace: &'a Path,
}

/// Lists what nobody should find there.
pub fn leftovers(places: Places<'_>, signal: Signal) -> Vec<PathBuf> {
    let mut left = entries(&places.state.join("following"));
    // A killed process sweeps nothing up; the next one that ends a job a day later does.
    let scratch = places.state.join("scratch");
    if signal == Signal::TERM {
        left.extend(entries(&scratch));
    }
    for folder in [places.home, places.workspace, places.state] {
        let logs = below(folder, DEEP)
            .into_iter()
            .filter(|path| path.ends_with("error.log") && !path.starts_with(&scratch));
        left.extend(logs);
    }
    for job in entries(&places.state.join("jobs")) {
        let names = ["tmp", "reserve"].map(|name| job.join(name));
        left.extend(names.into_iter().filter(|path| path.exists()));
    }
    left
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Lists everything below a folder that is no folder; links are not followed.
fn below(folder: &Path, deep: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir());
        if is_folder && deep > 0 {
            found.extend(below(&path, deep - 1));
        } else if !is_folder {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const LOOK: &str = "look at `codex cloud list`";
    const UNPAID: &str = "the worker died before; nothing was paid";

    fn case(point: &'static str, has: Has, target: Target) -> Case {
        Case {
            number: 0,
            point,
            role: "worker",
            nth: 1,
            attempts: 1,
            has,
            target,
            signal: Signal::KILL,
        }
    }

    fn ended(id: &str, result: &Value) -> Ended {
        let job = JobFacts {
            id: id.to_owned(),
            result: Some(result.clone()),
            result_bytes: Some(result.to_string().into_bytes()),
            ..JobFacts::default()
        };
        let patch = (result["state"] == "succeeded").then(|| "+attempt 1\n".to_owned());
        Ended { job, patch }
    }

    /// A case that broke nothing.
    fn seen(result: &Value, tasks: usize) -> Seen {
        let ended = ended("one", result);
        Seen {
            acknowledged: "one".to_owned(),
            repeated: Some("one".to_owned()),
            later: vec![ended.job.clone()],
            ended: vec![ended],
            tasks,
            tasks_later: tasks,
            is_untouched: true,
            ..Seen::default()
        }
    }

    fn done() -> (Case, Seen) {
        let case = case("cloud.kept", Has::Task, Target::Halted);
        (case, seen(&json!({"state": "succeeded"}), 1))
    }

    fn lost(says: &str) -> Value {
        json!({"state": "lost", "fault": {"code": "job_lost", "message": says}})
    }

    #[test]
    fn each_end_that_tells_the_truth_breaks_no_rule() {
        let nothing = case("cloud.followed", Has::Nothing, Target::Halted);
        let perhaps = case("cloud.noted", Has::Perhaps, Target::All);
        let codex = case("cloud.spawned", Has::Perhaps, Target::Codex);
        let told = Case {
            signal: Signal::TERM,
            ..perhaps
        };
        let succeeded = json!({"state": "succeeded"});
        for (case, seen) in [
            done(),
            (nothing, seen(&lost(UNPAID), 0)),
            (perhaps, seen(&lost(LOOK), 0)),
            // It may have arrived: that is why nobody can tell.
            (perhaps, seen(&lost(LOOK), 1)),
            (codex, seen(&lost(LOOK), 0)),
            (told, seen(&succeeded, 1)),
            (
                Case {
                    target: Target::Server,
                    ..nothing
                },
                seen(&succeeded, 1),
            ),
        ] {
            assert_eq!(judge(case, &seen), Vec::<String>::new(), "{case:?}");
        }
        // What was certainly not sent may be sent by a call that is repeated, as another job.
        let mut again = seen(&lost(UNPAID), 0);
        again.repeated = Some("two".to_owned());
        again.tasks_later = 1;
        assert_eq!(judge(nothing, &again), Vec::<String>::new());
    }

    /// Breaks one thing and looks that exactly one rule says so.
    fn check(mut case_and_seen: (Case, Seen), breaks: impl FnOnce(&mut Seen), expected: &str) {
        let (case, seen) = &mut case_and_seen;
        assert_eq!(judge(*case, seen), Vec::<String>::new(), "{expected}");
        breaks(seen);
        let told = judge(*case, seen);
        assert!(
            told.len() == 1 && told[0].contains(expected),
            "{expected}: {told:?}"
        );
    }

    #[test]
    fn each_broken_rule_is_told_and_only_that_one() {
        let replace = |seen: &mut Seen, result: &Value| {
            seen.ended[0] = ended("one", result);
            seen.later[0] = seen.ended[0].job.clone();
        };
        for state in ["lost", "failed", "cancelled", "timed_out", "running"] {
            check(
                done(),
                |seen| replace(seen, &json!({"state": state, "fault": {"message": LOOK}})),
                &format!("the job is {state}, not succeeded"),
            );
        }
        check(done(), |seen| replace(seen, &json!({})), "the job is none");
        for patch in [None, Some("+something else\n".to_owned())] {
            check(
                done(),
                |seen| seen.ended[0].patch = patch,
                "what the service did is not the result",
            );
        }
        check(done(), |seen| seen.ended.clear(), "0 jobs for 1 attempts");
        check(done(), |seen| seen.later.clear(), "the job one vanished");
        check(
            done(),
            |seen| seen.later[0].result_bytes = Some(b"other".to_vec()),
            "the result of one changed",
        );
        check(
            done(),
            |seen| seen.later[0].result_bytes = None,
            "the result of one changed",
        );
        for repeated in [None, Some("two".to_owned())] {
            check(
                done(),
                |seen| seen.repeated = repeated,
                "the repeated call found another job",
            );
        }
        for state in ["lost", "failed", "cancelled"] {
            let told = |state: &str| ("one".to_owned(), state.to_owned());
            check(
                done(),
                |seen| seen.told = ["queued", "running", state, "succeeded"].map(told).to_vec(),
                &format!("one was told as {state} and ended as succeeded"),
            );
        }
        check(done(), |seen| seen.tasks_later = 2, "the service got 2 tasks");
        check(
            done(),
            |seen| seen.running.push("torture follow".to_owned()),
            "still runs: [\"torture follow\"]",
        );
        check(done(), |seen| seen.is_untouched = false, "the workspace is not");
        check(
            done(),
            |seen| seen.left.push("/x/error.log".into()),
            "`/x/error.log` is left",
        );
    }

    #[test]
    fn a_second_attempt_without_its_end_is_told() {
        let (mut case, seen) = done();
        case.attempts = 2;
        assert_eq!(judge(case, &seen), ["1 jobs for 2 attempts"]);
    }

    #[test]
    fn a_lost_job_that_says_what_nobody_knows_is_told() {
        let nothing = case("cloud.followed", Has::Nothing, Target::Halted);
        let perhaps = case("cloud.noted", Has::Perhaps, Target::Halted);
        let check = |case: Case, good: &str, bad: &str, tasks: usize| {
            assert_eq!(
                judge(case, &seen(&lost(good), 0)),
                Vec::<String>::new(),
                "{case:?}"
            );
            let told = judge(case, &seen(&lost(bad), tasks));
            assert!(told.len() == 1 && told[0].contains("a lost job says"), "{told:?}");
        };
        check(perhaps, LOOK, UNPAID, 0);
        check(perhaps, LOOK, &format!("{UNPAID}; {LOOK}"), 0);
        check(perhaps, LOOK, "no word of it", 0);
        check(nothing, UNPAID, LOOK, 0);
        // It says that nothing was sent, and something was.
        check(nothing, UNPAID, UNPAID, 1);
    }

    #[test]
    fn each_thing_that_is_left_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let [state, home, workspace] = ["state", "home", "work"].map(|name| dir.path().join(name));
        for folder in [
            state.join("jobs/one/peers"),
            state.join("following"),
            state.join("scratch/cloud-x"),
            home.join("deep/er"),
            workspace.join("src"),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        let places = Places {
            state: &state,
            home: &home,
            workspace: &workspace,
        };
        let check = |path: PathBuf, signal: Signal| {
            let before = leftovers(places, signal);
            assert!(!before.contains(&path), "{}", path.display());
            fs::write(&path, "").unwrap();
            let after = leftovers(places, signal);
            assert_eq!(after.len(), before.len() + 1, "{after:?}");
            assert!(after.contains(&path), "{after:?}");
        };
        assert_eq!(leftovers(places, Signal::KILL), Vec::<PathBuf>::new());
        assert_eq!(leftovers(places, Signal::TERM), [state.join("scratch/cloud-x")]);
        check(state.join("following/one"), Signal::KILL);
        check(state.join("scratch/file"), Signal::TERM);
        for folder in [
            &home,
            &home.join("deep/er"),
            &workspace,
            &workspace.join("src"),
            &state,
            &state.join("jobs/one"),
        ] {
            check(folder.join("error.log"), Signal::KILL);
        }
        check(state.join("jobs/one/tmp"), Signal::KILL);
        check(state.join("jobs/one/reserve"), Signal::KILL);
        // A killed process cannot take its scratch folder away.
        fs::write(state.join("scratch/cloud-x/error.log"), "").unwrap();
        let left = leftovers(places, Signal::KILL);
        assert!(!left.iter().any(|path| path.starts_with(state.join("scratch"))));
    }
}
