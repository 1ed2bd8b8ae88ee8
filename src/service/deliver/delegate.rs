//! What came of a delegate: the diff first, the peer's own words last.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::domain::answer::DelegateAnswer;
use crate::domain::count::counted;
use crate::domain::delegation::{CheckOutcome, Place, Work};
use crate::domain::time::spoken;
use crate::redact::{files::is_secret_path, redact_text};
use crate::service::context::Service;
use crate::service::deliver::room::{ROOM, json_bytes, shorten_lists, truncated};
use crate::service::deliver::standing::{self, Applies};
use crate::service::reply::fields;
use crate::state::directory::Job;
use crate::state::record::{Expects, ResultRecord};
use crate::state::store::Store;
use crate::sys::files;

/// Bytes of a patch that is shown with the result; a longer one is asked for.
const INLINE_DIFF_BYTES: u64 = 8 * 1024;
/// Changed files that stay in an envelope which is too long.
const CHANGED_KEPT: usize = 50;
/// Bytes kept of each tail of a check in an envelope that is too long.
const TAIL_BYTES: usize = 1000;

/// What a look at the disk adds to the record of a delegate.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    applies: Option<Applies>,
    diff: Option<String>,
}

/// Takes the look. For another job there is nothing to see.
pub(super) async fn standing(service: &Service, store: &Store, job: &Job, result: &ResultRecord) -> Standing {
    let small = result
        .work
        .as_ref()
        .filter(|work| !work.is_empty() && work.diff_bytes <= INLINE_DIFF_BYTES);
    Standing {
        applies: standing::look(service, store, job, result).await,
        diff: small.and_then(|_| shown_patch(&job.directory.patch_path(), INLINE_DIFF_BYTES)),
    }
}

/// Reads a patch for people: secrets masked, and the content of files that are secret by their name left out. What lands is
/// never read from this.
pub fn shown_patch(path: &Path, at_most: u64) -> Option<String> {
    let bytes = files::read_bounded(path, at_most).ok()?;
    Some(shown(&String::from_utf8_lossy(&bytes)))
}

/// Reads the beginning of a patch for people, as [`shown_patch`] reads a small one.
pub fn patch_head(path: &Path, bytes: u64) -> Option<String> {
    let mut head = Vec::new();
    files::open_regular(path)
        .ok()?
        .take(bytes)
        .read_to_end(&mut head)
        .ok()?;
    // Half a line may hold half a secret, which no rule recognises.
    let whole = head
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let cut = u64::try_from(head.len()).is_ok_and(|read| read >= bytes);
    let head = if cut { &head[..whole] } else { &head[..] };
    Some(shown(&String::from_utf8_lossy(head)))
}

fn shown(patch: &str) -> String {
    const FILE: &str = "diff --git ";
    let mut kept = String::with_capacity(patch.len());
    let mut is_withheld = false;
    for line in patch.split_inclusive('\n') {
        if let Some(names) = line.strip_prefix(FILE) {
            let names = names.trim_end();
            let both = names.rsplit_once(" b/").or_else(|| names.rsplit_once(" \"b/"));
            let (old, new) = both.unwrap_or((names, names));
            // Also what was a secret under its old name.
            is_withheld = [old, new]
                .iter()
                .any(|name| is_secret_path(name.trim_matches('"').as_bytes()));
            kept.push_str(line);
            if is_withheld {
                kept.push_str("[withheld: this file is a secret by its name]\n");
            }
        } else if !is_withheld {
            kept.push_str(line);
        }
    }
    redact_text(&kept).as_str().to_owned()
}

/// Says what there is to look at.
pub(super) fn summary(job: &Job, result: &ResultRecord, standing: &Standing) -> String {
    let (peer, took) = (job.spec.peer.name, spoken(result.elapsed_ms));
    let Some(work) = &result.work else {
        return format!("{peer} answered in {took}, and what it left in the files could not be read.");
    };
    if work.is_empty() {
        return format!(
            "{peer} changed nothing in {took} ({}). Read its report.",
            job.spec.label
        );
    }
    let mut text = format!("{peer} changed {} in {took}", change(work));
    if let Some(problems) = problems(work) {
        let _ = write!(text, "; {problems}");
    }
    text.push_str(if is_live(job) {
        "; it edited your own files."
    } else {
        whereabouts(standing.applies == Some(Applies::Clean))
    });
    text
}

/// Says where a result is. That nothing of it landed is said only when the files were seen as they were before it: it may
/// have landed, and somebody may have changed them.
pub fn whereabouts(are_files_untouched: bool) -> &'static str {
    if are_files_untouched {
        "; nothing of it is in your files yet."
    } else {
        "; its preview tells how it fits your files as they are now."
    }
}

/// Says how large a change is: `3 files (+10 -2)`.
pub fn change(work: &Work) -> String {
    let stat = work.diffstat;
    let mut text = format!(
        "{} (+{} -{}",
        counted(stat.files, "file"),
        stat.added,
        stat.removed
    );
    if stat.binary > 0 {
        let _ = write!(text, ", {} binary", stat.binary);
    }
    text.push(')');
    text
}

/// Says what is wrong with a result before anybody reads it; `None` when nothing is.
pub fn problems(work: &Work) -> Option<String> {
    let mut told = Vec::new();
    if work
        .setup
        .as_ref()
        .is_some_and(|setup| setup.exit_code != Some(0))
    {
        told.push("the setup failed".to_owned());
    }
    let failed = work.checks.iter().filter(|check| !has_passed(check)).count();
    if failed > 0 {
        told.push(format!(
            "{failed} of {} failed",
            counted_checks(work.checks.len())
        ));
    }
    let outside = work.scope.outside.len() + work.scope.more_outside as usize;
    if outside > 0 {
        told.push(format!("{outside} changed outside the allowed paths"));
    }
    if let Some(most) = work.scope.over_max_files {
        told.push(format!("more than {most} files changed"));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

fn counted_checks(count: usize) -> String {
    counted(count, "check")
}

fn has_passed(check: &CheckOutcome) -> bool {
    check.exit_code == Some(0)
}

fn is_live(job: &Job) -> bool {
    matches!(&job.spec.expects, Expects::Delegate { delegation } if delegation.place == Place::Live)
}

/// The fields of a delegate that fit an envelope.
pub(super) fn body(
    job: &Job,
    answer: &DelegateAnswer,
    result: &ResultRecord,
    standing: Standing,
) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(work) = &result.work {
        if let Some(applies) = standing.applies {
            body.insert("applies".to_owned(), json!(applies));
        }
        body.extend(work_fields(work));
        if let Some(diff) = standing.diff {
            body.insert("diff".to_owned(), diff.into());
        } else if !work.is_empty() {
            let whole = usize::try_from(work.diff_bytes).unwrap_or(usize::MAX);
            body.insert(
                "truncated".to_owned(),
                truncated(whole, &job.directory.patch_path()),
            );
        }
    }
    if is_live(job) {
        body.insert("in_place".to_owned(), true.into());
    }
    body.extend(fields(answer));
    if json_bytes(&body) > ROOM {
        fit(&mut body);
        let file = job.directory.result_path();
        body.insert("shortened".to_owned(), file.display().to_string().into());
    }
    body
}

/// The facts about a result, without ids that mean nothing outside our store.
fn work_fields(work: &Work) -> Map<String, Value> {
    let mut told = fields(work);
    told.remove("commit");
    told.remove("tree");
    told
}

/// Cuts the lists of a body that is too long: the files and tails first, the report last.
fn fit(body: &mut Map<String, Value>) {
    if let Some(Value::Array(changed)) = body.get_mut("changed")
        && changed.len() > CHANGED_KEPT
    {
        let more = changed.len() - CHANGED_KEPT;
        changed.truncate(CHANGED_KEPT);
        let before = body.get("more_changed").and_then(Value::as_u64).unwrap_or(0);
        body.insert("more_changed".to_owned(), (before + more as u64).into());
    }
    if let Some(Value::Array(checks)) = body.get_mut("checks") {
        for check in checks {
            if let Some(Value::String(tail)) = check.get_mut("tail") {
                // The end of what a check prints says why it failed.
                let cut = tail.len().saturating_sub(TAIL_BYTES);
                let cut = (cut..=tail.len()).find(|at| tail.is_char_boundary(*at));
                *tail = tail[cut.unwrap_or(0)..].to_owned();
            }
        }
    }
    shorten_lists(body, ROOM);
}

/// Says how to go on. Landing is never the first step: its preview is.
pub(super) fn steps(job: &Job, result: &ResultRecord) -> Vec<String> {
    let id = job.id();
    let mut steps = Vec::new();
    if let Some(work) = result.work.as_ref().filter(|work| !work.is_empty()) {
        if !is_live(job) {
            steps.push(format!(
                "call dry_run with tool apply and arguments {{\"id\": \"{id}\"}} to see what landing it would do"
            ));
        }
        if work.diff_bytes > INLINE_DIFF_BYTES {
            steps.push(format!("call job with id {id} and detail diff to read the diff"));
        }
        if work.has_failed_checks() {
            steps.push("look at the tails in checks: they say what failed".to_owned());
        }
    }
    if result.thread.is_some() && !is_live(job) {
        steps.push(format!(
            "to have more done in the same worktree and thread, call delegate with resume {id}"
        ));
    }
    steps
}

/// Says what a run that failed left in the files; `None` when it left nothing.
pub fn kept(job: &Job, result: &ResultRecord) -> Option<String> {
    let work = result.work.as_ref().filter(|work| !work.is_empty())?;
    Some(format!(
        "{} that it had changed are kept: read them with job {} and detail=diff",
        change(work),
        job.id()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delegation::{Diffstat, ScopeReport};

    fn check(exit_code: Option<i32>) -> CheckOutcome {
        CheckOutcome {
            command: "make".to_owned(),
            exit_code,
            ms: 1,
            tail: String::new(),
        }
    }

    #[test]
    fn what_is_wrong_with_a_result_is_said_in_one_line() {
        let told = |checks: &[Option<i32>], outside: &[&str], over_max_files| {
            problems(&Work {
                checks: checks.iter().copied().map(check).collect(),
                scope: ScopeReport {
                    outside: outside.iter().map(|path| (*path).to_owned()).collect(),
                    over_max_files,
                    ..ScopeReport::default()
                },
                ..Work::default()
            })
        };
        assert_eq!(told(&[], &[], None), None);
        assert_eq!(told(&[Some(0)], &[], None), None);
        assert_eq!(
            told(&[Some(0), Some(1), None], &[], None).as_deref(),
            Some("2 of 3 checks failed")
        );
        assert_eq!(
            told(&[Some(1)], &["a"], Some(3)).as_deref(),
            Some("1 of 1 check failed; 1 changed outside the allowed paths; more than 3 files changed")
        );
    }

    #[test]
    fn a_change_is_told_with_its_size() {
        let work = Work {
            diffstat: Diffstat {
                files: 3,
                added: 10,
                removed: 2,
                binary: 1,
            },
            ..Work::default()
        };
        assert_eq!(change(&work), "3 files (+10 -2, 1 binary)");
    }

    #[test]
    fn a_shown_patch_holds_no_secret_file_and_no_secret() {
        // Put together here, so that this file itself holds nothing that looks like one.
        let token = ["ghp", "_x7Kq2Zr9Lm4Vt8Nb3Wy6Hd1Jf5Gs0Pc7Ra2Q"].concat();
        let patch = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n\
                     diff --git a/.env b/.env\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-A=canary\n+A=canary2\n\
                     diff --git \"a/o\\303\\266/.env\" \"b/o\\303\\266/.env\"\n+B=canary\n\
                     diff --git a/b.txt b/b.txt\n+TOKEN\n";
        let text = shown(&patch.replace("TOKEN", &token));
        assert!(text.contains("+new\n") && text.contains("b/b.txt"), "{text}");
        assert!(!text.contains("canary") && !text.contains("ghp_x7Kq"), "{text}");
        assert_eq!(text.matches("[withheld").count(), 2, "{text}");
    }

    #[test]
    fn a_long_result_fits_an_envelope() {
        let work = Work {
            changed: (0..200)
                .map(|at| crate::domain::delegation::ChangedFile {
                    path: format!("{}/{at}", "deep/".repeat(30)),
                    from: None,
                    kind: crate::domain::delegation::FileChange::Added,
                    mode: None,
                    risk: None,
                    refused: None,
                })
                .collect(),
            checks: (0..10)
                .map(|_| CheckOutcome {
                    tail: "line é\n".repeat(500),
                    ..check(Some(1))
                })
                .collect(),
            ..Work::default()
        };
        let mut body = work_fields(&work);
        body.insert("report".to_owned(), "word ".repeat(2000).into());
        fit(&mut body);
        assert!(json_bytes(&body) <= ROOM, "{}", json_bytes(&body));
        assert_eq!(body["more_changed"], 150);
    }
}
