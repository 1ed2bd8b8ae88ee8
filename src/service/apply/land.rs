//! Landing: what the preview showed, or nothing.

use std::io;

use serde_json::{Value, json};

use crate::config::Confirm;
use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::delegation::Work;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::request::ApplyRequest;
use crate::service::apply::plan::{FileState, Fit, Plan};
use crate::service::apply::preview::{
    block_fault, command, conflict, elsewhere, failed_checks, preview_call, rows,
};
use crate::service::apply::selection::Selected;
use crate::service::apply::subject::{Subject, blocking};
use crate::service::apply::token::token;
use crate::service::call::{Call, Consent};
use crate::service::deliver::object;
use crate::service::reply::{Outcome, Reply};
use crate::state::landing::{self, LandError, Landing};
use crate::sys::{clock, seam};

/// Files named in a question, a message or a fault.
const NAMED: usize = 20;
/// Files of any kind that the question names: a person answers it in a dialog of a few lines, after the preview.
const FILES: usize = 6;

/// What the caller brings along.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    /// From the preview.
    pub(super) token: Option<&'a str>,
    /// Whether it lands although a check failed.
    pub(super) accept_failed_checks: bool,
}

/// Lands.
pub(super) async fn run(subject: Subject, request: &ApplyRequest, wish: &Wish<'_>, call: &Call) -> Outcome {
    if subject.work().is_none_or(Work::is_empty) {
        return Err(subject.refuse(subject.nothing()));
    }
    let (names, asked) = (request.files.clone(), subject.clone());
    let looked = blocking(move || {
        let opened = asked.open()?;
        // What a killed landing left half-way is taken back first, or it would be taken for the user's own edits.
        landing::recover(&asked.folder)?;
        let plan = Plan::of(&asked, &opened, &names)?;
        let token = token(&asked.store, asked.job.id(), &asked.top_level, &plan)?;
        Ok((plan, token))
    });
    let (plan, token) = looked.await.map_err(|fault| subject.refuse(fault))?;
    if plan.fit == Fit::Already {
        return Ok(already(&subject, &plan));
    }
    decide(&subject, request, wish, &plan, &token).map_err(|fault| subject.refuse(fault))?;
    ask(&subject, request, wish, &plan, call)
        .await
        .map_err(|fault| subject.refuse(fault))?;
    seam::point("apply.decided");
    let asked = subject.clone();
    let steps = plan.steps.clone();
    let landing = blocking(move || {
        let now = clock::now_ms();
        let landed = landing::land(&asked.folder, &asked.top_level, asked.job.id(), &steps, now);
        Ok(landed)
    });
    let landing = landing
        .await
        .and_then(|landed| landed.map_err(|error| land_fault(&subject, request, error)))
        .map_err(|fault| subject.refuse(fault))?;
    Ok(landed(&subject, &plan, &landing))
}

/// Decides whether it may land, in the order in which a caller would mend things.
fn decide(
    subject: &Subject,
    request: &ApplyRequest,
    wish: &Wish<'_>,
    plan: &Plan,
    token: &str,
) -> Result<(), Fault> {
    let preview = || json!({"tool": "apply", "arguments": preview_call(subject, request)});
    if let Some(block) = plan.blocks.first() {
        return Err(block_fault(subject, request, plan, block));
    }
    if plan.fit == Fit::Conflicts {
        return Err(conflicts(subject, request, plan));
    }
    let Some(given) = wish.token else {
        return Err(Fault::argument(
            "token",
            "`token` is missing: a result lands only after its preview",
        )
        .hint("make the preview, show it to the user and use its token")
        .call("dry_run", preview()));
    };
    if given != token {
        let message = "nothing was changed: the token is not that of a preview of this result, these files and what is in \
                       them now";
        return Err(Fault::new(FaultCode::ApplyTokenStale, message)
            .field("token")
            .call("dry_run", preview()));
    }
    let failed = failed_checks(subject);
    if !failed.is_empty() && !wish.accept_failed_checks {
        let message = format!(
            "nothing was changed: {} failed: {}",
            counted(failed.len(), "check"),
            failed.join("; ")
        );
        let hint = if subject.result.thread.is_some() {
            "read their output, resume the job to have it go on, or accept the failed checks if the user says so"
        } else {
            // What was done elsewhere, or in a thread that nobody kept, cannot be gone on with.
            "read their output, repeat the call with what is to be better, or accept the failed checks if the user says so"
        };
        return Err(Fault::new(FaultCode::ChecksFailed, message)
            .field("accept_failed_checks")
            .hint(hint)
            .call("job", json!({"id": subject.job.id()})));
    }
    Ok(())
}

/// The fault of a result that does not fit, with every place.
fn conflicts(subject: &Subject, request: &ApplyRequest, plan: &Plan) -> Fault {
    let told: Vec<String> = plan
        .conflicts
        .iter()
        .take(NAMED)
        .map(|found| {
            let told = object(conflict(found));
            let lines: Vec<String> = found
                .hunks
                .iter()
                .map(|(first, last)| {
                    if first == last {
                        first.to_string()
                    } else {
                        format!("{first}-{last}")
                    }
                })
                .collect();
            let lines = if lines.is_empty() {
                String::new()
            } else {
                match found.hunks.as_slice() {
                    [(first, last)] if first == last => format!(", line {first}"),
                    _ => format!(", lines {}", lines.join(" and ")),
                }
            };
            let text = |name: &str| {
                told.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            format!("{} ({}{lines})", text("path"), text("reason"))
        })
        .collect();
    let message = format!(
        "nothing was changed: {} with the present files: {}",
        counted(plan.conflicts.len(), "conflict"),
        told.join("; ")
    );
    Fault::new(FaultCode::ApplyConflict, message).call(
        "dry_run",
        json!({"tool": "apply", "arguments": preview_call(subject, request)}),
    )
}

/// Asks the person where somebody can be asked. Where nobody can, the host's own permission prompt and the token have to do,
/// unless the user's configuration says otherwise.
async fn ask(
    subject: &Subject,
    request: &ApplyRequest,
    wish: &Wish<'_>,
    plan: &Plan,
    call: &Call,
) -> Result<(), Fault> {
    let why = match &call.approver {
        Some(approver) => match approver.ask(question(subject, plan)).await {
            Consent::Given => return Ok(()),
            Consent::Withheld => "the person who was asked did not agree",
            Consent::Unheard => "nobody answered the question whether it may land",
        },
        None if subject.confirm == Confirm::Always => {
            "the configuration wants a person to be asked, and this host cannot ask"
        }
        None => return Ok(()),
    };
    let command = command(
        subject,
        request,
        wish.accept_failed_checks && !failed_checks(subject).is_empty(),
    );
    Err(Fault::new(
        FaultCode::ApplyNeedsApproval,
        format!("nothing was changed: {why}"),
    )
    .hint(format!("a person can run `{command}` in a terminal")))
}

/// What a person reads before it lands.
fn question(subject: &Subject, plan: &Plan) -> String {
    let size = plan.diffstat;
    let mut lines = vec![
        format!(
            "Put the result of {} job {} into your files?",
            subject.job.spec.peer.name.title(),
            subject.job.id()
        ),
        format!("Task: {}", shown_path(subject.job.spec.label.as_bytes())),
        format!(
            "{} in {}, +{} -{}: {}",
            counted(plan.landing().len(), "file"),
            subject.top_level.display(),
            size.added,
            size.removed,
            shown(&plan.landing(), FILES)
        ),
    ];
    let risky = plan.risky();
    if !risky.is_empty() {
        lines.push(format!(
            "HIGH RISK, look at these first: {}",
            shown(&risky, NAMED)
        ));
    }
    if !plan.elsewhere.is_empty() {
        lines.push(format!(
            "Renamed files that it changes where they are now: {}",
            names(&plan.elsewhere)
        ));
    }
    let failed = failed_checks(subject);
    if !failed.is_empty() {
        lines.push(format!(
            "{} FAILED: {}",
            counted(failed.len(), "check"),
            failed.join("; ")
        ));
    }
    lines.push("It can be undone.".to_owned());
    lines.join("\n")
}

fn already(subject: &Subject, plan: &Plan) -> Reply {
    let id = subject.job.id();
    Reply {
        summary: format!("Nothing was changed: what job {id} did is in the files already."),
        body: object(json!({
            "action": "land", "applies": "already", "landed": false, "files": rows(plan).0, "diffstat": plan.diffstat,
        })),
        next_steps: vec![format!(
            "to take it out again, call apply with id {id} and action undo"
        )],
        ..subject.reply()
    }
}

fn landed(subject: &Subject, plan: &Plan, landing: &Landing) -> Reply {
    let id = subject.job.id();
    let size = plan.diffstat;
    let (rows, more) = rows(plan);
    let merged = plan
        .states
        .iter()
        .filter(|state| **state == FileState::Merged)
        .count();
    let note = match merged {
        0 => String::new(),
        merged => format!(" In {merged} of them your own changes were merged."),
    };
    let mut body = object(json!({
        "action": "land", "applies": "clean", "landed": true, "files": rows, "diffstat": size,
        "changed_paths": landing.sides.len(),
    }));
    if more > 0 {
        body.insert("more_files".to_owned(), more.into());
    }
    if !plan.elsewhere.is_empty() {
        body.insert("also_changes".to_owned(), elsewhere(plan));
    }
    Reply {
        summary: format!(
            "The result of job {id} landed: {}, +{} -{}.{note} The index was not touched.",
            counted(size.files, "file"),
            size.added,
            size.removed
        ),
        body,
        next_steps: vec![
            "look at it with `git diff`".to_owned(),
            format!("to take it out again, call apply with id {id} and action undo"),
        ],
        warnings: left(landing),
        ..subject.reply()
    }
}

/// Warns of files to which somebody wrote while they were exchanged: what they wrote went into the earlier file, which is
/// not in the working tree any more.
pub(super) fn left(landing: &Landing) -> Vec<String> {
    if landing.left.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "somebody wrote to {} of the files while they were exchanged, and what they wrote is not in them now: {}; it is kept \
         below `{}`",
        landing.left.len(),
        names(&landing.left),
        landing.folder.display()
    )]
}

/// Tells why nothing landed.
fn land_fault(subject: &Subject, request: &ApplyRequest, error: LandError) -> Fault {
    match error {
        LandError::Changed { paths } => {
            let message = format!(
                "nothing was changed: the preview saw other content in {}: {}",
                counted(paths.len(), "file"),
                names(&paths)
            );
            Fault::new(FaultCode::ApplyTokenStale, message).call(
                "dry_run",
                json!({"tool": "apply", "arguments": preview_call(subject, request)}),
            )
        }
        other => disk_fault(subject, other),
    }
}

/// Tells what a landing or an undo met on the disk.
pub(super) fn disk_fault(subject: &Subject, error: LandError) -> Fault {
    match error {
        LandError::Changed { paths } => Fault::new(
            FaultCode::ApplyConflict,
            format!(
                "nothing was changed: there are later changes in {}: {}",
                counted(paths.len(), "file"),
                names(&paths)
            ),
        )
        .hint("look at the files; put them back by hand, or undo your later changes first"),
        LandError::Busy => Fault::new(
            FaultCode::StateUnavailable,
            "nothing was changed: another landing in this repository is under way",
        )
        .hint("repeat the call when it is over, in a few seconds"),
        LandError::Io { source, not_restored } => {
            let code = match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultCode::DiskFull,
                _ => FaultCode::Internal,
            };
            if not_restored.is_empty() {
                let message = format!("a file could not be written, and everything was put back: {source}");
                return Fault::new(code, message)
                    .hint("free some space or make the file writable, then make a new preview");
            }
            let message = format!(
                "a file could not be written ({source}), and {} could not be put back: {}",
                counted(not_restored.len(), "file"),
                names(&not_restored)
            );
            Fault::new(code, message).hint(format!(
                "their earlier bytes are below `{}`; undo the landing when the disk is well",
                subject.folder.landings_path().display()
            ))
        }
        LandError::State(error) => error.into(),
    }
}

/// Names the first `most` of these files.
fn shown(files: &[&Selected], most: usize) -> String {
    let names: Vec<&str> = files
        .iter()
        .take(most)
        .map(|file| file.shown.path.as_str())
        .collect();
    let more = if files.len() > most { ", ..." } else { "" };
    format!("{}{more}", names.join(", "))
}

/// Names files for a message.
pub(super) fn names(paths: &[Vec<u8>]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED).map(|path| shown_path(path)).collect();
    let more = if paths.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobId, WorkspaceHash};
    use crate::state::landing::LandingState;

    #[test]
    fn what_was_written_meanwhile_is_told_with_its_place() {
        let check = |left: &[&str], expected: &[&str]| {
            let landing = Landing {
                folder: "/state/landings/1".into(),
                job: JobId::new(1, WorkspaceHash::of(b"w"), 1),
                top_level: "/work".into(),
                at_ms: 1,
                sides: Vec::new(),
                state: LandingState::Landed,
                left: left.iter().map(|path| path.as_bytes().to_vec()).collect(),
            };
            let told = super::left(&landing);
            assert_eq!(told.is_empty(), expected.is_empty());
            for part in expected {
                assert!(told[0].contains(part), "{told:?}");
            }
        };
        check(&[], &[]);
        check(
            &["a.txt", "b"],
            &["wrote to 2 of", "a.txt, b", "`/state/landings/1`"],
        );
    }
}
