//! The result of a delegate, and of a group of them: what changed first, what to do next last.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::cli::next_call::{peer_of, program};
use crate::cli::render::consult::lists;
use crate::cli::render::job::text;
use crate::cli::render::page::{Page, Style};
use crate::cli::render::table::{facts, table};
use crate::cli::render::{review, truncated};
use crate::domain::answer::DelegateAnswer;
use crate::domain::count::counted;
use crate::domain::delegation::{ChangedFile, CheckOutcome, Diffstat, FileChange, Risk, ScopeReport};
use crate::domain::envelope::Success;
use crate::domain::peer::Peer;
use crate::domain::time::spoken;

/// Lines of a failed check's output that are shown.
const TAIL_LINES: usize = 12;

/// Writes the result of one job.
pub(super) fn render(success: &Success, page: &mut Page, notes: &mut Page) {
    let body = &success.body;
    page.wrapped(Style::Bold, &success.summary);
    let changed: Vec<ChangedFile> = part(body, "changed").unwrap_or_default();
    if !changed.is_empty() {
        page.blank();
        let rows: Vec<Vec<String>> = changed.iter().map(row).collect();
        table(page, &["", ""], &rows);
    }
    let more = body.get("more_changed").and_then(Value::as_u64).unwrap_or(0);
    if more > 0 {
        page.line(&format!("and {}", counted(more, "more file")));
    }
    let setup: Option<CheckOutcome> = part(body, "setup");
    let checks: Vec<CheckOutcome> = part(body, "checks").unwrap_or_default();
    if setup.is_some() || !checks.is_empty() {
        page.blank();
    }
    for check in setup.iter().chain(&checks) {
        self::check(check, page);
    }
    if let Some(scope) = part::<ScopeReport>(body, "scope") {
        self::scope(&scope, page);
    }
    if let Some(left_out) = part::<Vec<String>>(body, "left_out") {
        lists(&[("no part of the result", &left_out)], page);
    }
    if let Some(diff) = text(body, "diff") {
        page.blank();
        page.block("", diff);
    }
    if let Some(answer) = super::answer::<DelegateAnswer>(body) {
        if !answer.report.trim().is_empty() {
            page.blank();
            page.styled(
                Style::Bold,
                &format!("{} says:", success.meta.peer.unwrap_or("the peer")),
            );
            page.block("  ", &answer.report);
        }
        lists(
            &[
                ("risks", &answer.risks),
                ("left to do", &answer.remaining),
                ("questions", &answer.questions),
                ("taken for granted", &answer.assumptions),
            ],
            page,
        );
    }
    truncated(body, page);
    let spent = review::spent(success);
    notes.wrapped(Style::Dim, spent.trim_start_matches([',', ' ']));
}

fn part<T: serde::de::DeserializeOwned>(body: &Map<String, Value>, name: &str) -> Option<T> {
    serde_json::from_value(body.get(name)?.clone()).ok()
}

/// One changed file: a letter as git writes it, its name, and what to know of it.
fn row(file: &ChangedFile) -> Vec<String> {
    let letter = match file.kind {
        FileChange::Added => "A",
        FileChange::Modified => "M",
        FileChange::Deleted => "D",
        FileChange::Renamed => "R",
        FileChange::Mode => "X",
        FileChange::Type => "T",
    };
    let mut told = match &file.from {
        Some(from) => format!("{from} -> {}", file.path),
        None => file.path.clone(),
    };
    let is_plain = |mode: &str| file.kind == FileChange::Added && mode == "100644";
    if let Some(mode) = file.mode.as_deref().filter(|mode| !is_plain(mode)) {
        let _ = write!(told, " ({})", mode_name(mode));
    }
    if let Some(risk) = file.risk {
        let _ = write!(told, " [{}: name it to land it]", risk_name(risk));
    }
    if file.refused.is_some() {
        told.push_str(" [can never land]");
    }
    vec![letter.to_owned(), told]
}

/// What git's number of a mode means.
pub(super) fn mode_name(mode: &str) -> &str {
    match mode {
        "100644" => "not executable",
        "100755" => "executable",
        "120000" => "symbolic link",
        other => other,
    }
}

fn risk_name(risk: Risk) -> &'static str {
    match risk {
        Risk::Hook => "a hook",
        Risk::Ci => "runs in CI",
        Risk::Agent => "instructs agents",
        Risk::Attributes => "git attributes",
        Risk::Autorun => "runs by itself",
    }
}

fn check(check: &CheckOutcome, page: &mut Page) {
    let took = spoken(check.ms);
    let (label, style, how) = match check.exit_code {
        Some(0) => ("passed:", Style::Green, String::new()),
        Some(code) => ("failed:", Style::Red, format!(" (exit code {code})")),
        None => ("failed:", Style::Red, " (ended or not run)".to_owned()),
    };
    page.labelled(label, style, &format!("{} in {took}{how}", check.command));
    if check.exit_code != Some(0) {
        let lines: Vec<&str> = check.tail.lines().collect();
        let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        page.block("  ", &last.join("\n"));
    }
}

fn scope(scope: &ScopeReport, page: &mut Page) {
    lists(
        &[
            ("changed outside the allowed paths", &scope.outside),
            ("ran other commands than the allowed ones", &scope.commands),
        ],
        page,
    );
    if scope.more_outside > 0 {
        page.line(&format!(
            "and {} outside",
            counted(u64::from(scope.more_outside), "more file")
        ));
    }
    if let Some(most) = scope.over_max_files {
        page.labelled(
            "too large:",
            Style::Red,
            &format!("more than {most} files changed"),
        );
    }
}

/// Says what to do with a result, in commands. Looking at a landing comes before landing.
pub(super) fn steps(success: &Success) -> Vec<String> {
    let Some(job) = &success.job else {
        return Vec::new();
    };
    let stat: Diffstat = part(&success.body, "diffstat").unwrap_or_default();
    let is_live = success.body.contains_key("in_place");
    let mut steps = Vec::new();
    if stat.files > 0 && !is_live {
        steps.push(format!(
            "`crosscheck apply {}` shows what landing it would do",
            job.id
        ));
    }
    if success.body.contains_key("truncated") {
        steps.push(format!(
            "`crosscheck job {} --detail diff` shows the diff",
            job.id
        ));
    }
    if success.meta.thread.is_some() && !is_live {
        steps.push(format!(
            "`{} delegate --resume {} \"...\"` has more done on top of it",
            program(peer_of(&success.meta, Peer::default())),
            job.id
        ));
    }
    steps
}

/// Writes a group: the runs of each task, and what gets in each other's way.
pub(super) fn group(success: &Success, page: &mut Page) {
    page.wrapped(Style::Bold, &success.summary);
    if let Some(job) = &success.job {
        facts(
            page,
            &[
                ("group", Some(job.id.to_string())),
                ("about", Some(job.label.clone())),
                ("state", Some(job.state.as_str().replace('_', " "))),
            ],
        );
    }
    let rows: Vec<Vec<String>> = tasks(success).iter().flat_map(|task| rows_of(task)).collect();
    page.blank();
    table(page, &["TASK", "TRY", "STATE", "JOB", "RESULT"], &rows);
    let overlaps = success.body.get("overlap").and_then(Value::as_array);
    for overlap in overlaps.into_iter().flatten().filter_map(Value::as_object) {
        let names = |name: &str| {
            let items = overlap.get(name).and_then(Value::as_array);
            let items = items.into_iter().flatten().filter_map(Value::as_str);
            items.collect::<Vec<_>>().join(", ")
        };
        let tasks = names("tasks").replace(", ", " and ");
        let (style, told) = match text(overlap, "together") {
            Some("conflicts") => (Style::Red, format!("{tasks} conflict in {}", names("conflicts"))),
            Some("clean") => (
                Style::Yellow,
                format!("{tasks} both change {}, and fit together", names("files")),
            ),
            _ => (Style::Yellow, format!("{tasks} both change {}", names("files"))),
        };
        page.labelled("overlap:", style, &told);
    }
}

fn tasks(success: &Success) -> Vec<&Map<String, Value>> {
    let tasks = success.body.get("tasks").and_then(Value::as_array);
    tasks.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn rows_of(task: &Map<String, Value>) -> Vec<Vec<String>> {
    let attempts = task.get("attempts").and_then(Value::as_array);
    let attempts: Vec<&Map<String, Value>> = attempts
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let winner = text(task, "winner").filter(|_| attempts.len() > 1);
    attempts
        .iter()
        .map(|attempt| {
            let job = text(attempt, "job").unwrap_or_default();
            let mut result = sheet(attempt);
            if winner == Some(job) {
                result.push_str(" (best)");
            }
            vec![
                text(task, "id").unwrap_or_default().to_owned(),
                attempt
                    .get("attempt")
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                text(attempt, "state").unwrap_or_default().replace('_', " "),
                job.to_owned(),
                result,
            ]
        })
        .collect()
}

/// The score of one attempt in a few words.
fn sheet(attempt: &Map<String, Value>) -> String {
    let mut told = Vec::new();
    if let Some(stat) = part::<Diffstat>(attempt, "diffstat") {
        told.push(format!(
            "{} (+{} -{})",
            counted(u64::from(stat.files), "file"),
            stat.added,
            stat.removed
        ));
    }
    let checks = attempt.get("checks").and_then(Value::as_object);
    let count = |name: &str| checks.and_then(|checks| checks.get(name)).and_then(Value::as_u64);
    if let (Some(passed), Some(failed)) = (count("passed"), count("failed"))
        && passed + failed > 0
    {
        told.push(format!(
            "{passed} of {} passed",
            counted(passed + failed, "check")
        ));
    }
    if attempt.get("scope_kept").and_then(Value::as_bool) == Some(false) {
        told.push("out of scope".to_owned());
    }
    if told.is_empty() {
        told.extend(
            text(attempt, "phase")
                .or(text(attempt, "code"))
                .map(str::to_owned),
        );
    }
    told.join(", ")
}

/// Says how to go on with a group.
pub(super) fn steps_of_group(success: &Success) -> Vec<String> {
    let Some(job) = &success.job else {
        return Vec::new();
    };
    if job.state.is_active() {
        return vec![
            format!("`crosscheck job {} --wait-s 600` waits for all of it", job.id),
            format!("`crosscheck cancel {}` ends all of it", job.id),
        ];
    }
    let mut steps: Vec<String> = tasks(success)
        .iter()
        .filter_map(|task| {
            let tie = task.get("tie").and_then(Value::as_array);
            let tied = tie.and_then(|tie| tie.first()?.as_str());
            let best = text(task, "winner").or(tied)?;
            Some(format!(
                "`crosscheck apply {best}` shows what landing {} would do",
                text(task, "id").unwrap_or_default()
            ))
        })
        .collect();
    steps.push("`crosscheck job JOB --detail diff` shows the diff of a run".to_owned());
    steps
}
