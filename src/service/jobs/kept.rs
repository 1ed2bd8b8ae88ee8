//! What a job keeps beside its record: its change, its diff, its log, each cut to what an answer holds.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::diff::patch::Patch;
use crate::diff::render::{LEGEND, render};
use crate::diff::sent::SentPatch;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::time::rfc3339;
use crate::domain::visible::make_visible;
use crate::peer::transcript::truncate;
use crate::service::deliver::{self, object};
use crate::service::reply::{Outcome, Reply, fields};
use crate::service::shown;
use crate::state::directory::Job;
use crate::state::events::{self, Entry};
use crate::state::record::Expects;
use crate::sys::files;

/// Bytes of a long text in a detailed answer; the file holds all of it.
const TEXT_BYTES: usize = 16 * 1024;

pub(super) fn shorten(text: &mut String) {
    let whole = text.len();
    if whole > TEXT_BYTES {
        truncate(text, TEXT_BYTES);
        let left = whole - text.len();
        let _ = write!(text, "\n[{left} bytes left out; the file holds all of it]");
    }
}

/// The change that a review looked at, or the one that a delegate made.
pub(super) fn diff(job: &Job) -> Outcome {
    match &job.spec.expects {
        Expects::Delegate { .. } => patch(job),
        Expects::Consult { .. } | Expects::Review { .. } => change(job),
    }
}

/// What a delegate changed, for people: secrets masked, and no more than an answer holds.
fn patch(job: &Job) -> Outcome {
    let result = job.directory.read_result().map_err(Fault::from)?;
    let Some(work) = result.as_ref().and_then(|result| result.work.as_ref()) else {
        let (code, message) = if result.is_some() {
            (FaultCode::InvalidArguments, "the job left nothing in the files")
        } else {
            (
                FaultCode::JobNotFinished,
                "the job's result is read when it is over",
            )
        };
        return Err(Fault::new(code, message)
            .field("detail")
            .call("job", json!({"id": job.id(), "wait_s": 600}))
            .into());
    };
    let path = job.directory.patch_path();
    let mut text = deliver::delegate::patch_head(&path, 4 * TEXT_BYTES as u64).unwrap_or_default();
    let is_cut = work.diff_bytes > TEXT_BYTES as u64;
    if text.len() > TEXT_BYTES {
        truncate(&mut text, TEXT_BYTES);
    }
    let mut body = object(json!({
        "diff": text,
        "diff_bytes": work.diff_bytes,
        "diff_sha256": work.diff_sha256,
        "diffstat": work.diffstat,
    }));
    if is_cut {
        body.insert(
            "truncated".to_owned(),
            json!({"whole": work.diff_bytes, "file": path.display().to_string()}),
        );
    }
    Ok(Reply {
        summary: format!(
            "What delegate job {} changed: {}; secrets are masked here and nowhere else.",
            job.id(),
            deliver::delegate::change(work)
        ),
        body,
        meta: deliver::meta(&job.spec, None),
        ..Reply::default()
    })
}

/// The change as the reviewer saw it.
fn change(job: &Job) -> Outcome {
    let path = job.directory.change_path();
    let bytes = files::read_bounded(&path, limits::CHANGE_BYTES).map_err(|_| {
        Fault::new(
            FaultCode::InvalidArguments,
            "the job has no change: only reviews and delegates have one",
        )
        .field("detail")
    })?;
    let sent: SentPatch = serde_json::from_slice(&bytes)
        .map_err(|_| Fault::new(FaultCode::StateUnavailable, "the job's change is damaged"))?;
    let mut text = render(&Patch::from(sent)).text;
    let whole = text.len();
    shorten(&mut text);
    let mut body = object(json!({"diff": text, "diff_bytes": whole, "legend": LEGEND}));
    if whole > TEXT_BYTES {
        body.insert(
            "truncated".to_owned(),
            json!({"whole": whole, "file": path.display().to_string()}),
        );
    }
    Ok(Reply {
        summary: format!("The change as review job {} saw it, secrets masked.", job.id()),
        job: Some(deliver::view(job, None)).filter(|_| job.state.is_active()),
        body,
        meta: deliver::meta(&job.spec, None),
        ..Reply::default()
    })
}

pub(super) fn log(job: &Job, tail: usize) -> Reply {
    let mut body = Map::new();
    insert_events(&mut body, job, tail, limits::INLINE_BYTES / 2);
    let mut stderr = files::read_bounded(&job.directory.stderr_path(), 2 * limits::PEER_STDERR_BYTES as u64)
        .map(|bytes| make_visible(&String::from_utf8_lossy(&bytes)).into_owned())
        .unwrap_or_default();
    shorten(&mut stderr);
    body.insert("stderr".to_owned(), stderr.into());
    Reply {
        summary: format!("The last events of job {} ({}).", job.id(), job.state.as_str()),
        job: Some(deliver::view(job, None)).filter(|_| job.state.is_active()),
        body,
        meta: deliver::meta(&job.spec, None),
        ..Reply::default()
    }
}

/// Adds the last events that fit `room` bytes, and how many of the wanted ones do not.
pub(super) fn insert_events(body: &mut Map<String, Value>, job: &Job, tail: usize, room: usize) {
    let newest = events::newest(&job.directory.events_path());
    let wanted = newest.take(tail).map(|entry| event_row(&entry));
    let (mut rows, more) = fitting(wanted, room);
    rows.reverse();
    body.insert("events".to_owned(), rows.into());
    if more > 0 {
        body.insert("events_more".to_owned(), more.into());
    }
}

/// Takes rows until `room` bytes are full; returns them and how many were left.
pub(super) fn fitting(mut rows: impl Iterator<Item = Value>, room: usize) -> (Vec<Value>, usize) {
    let (mut kept, mut used) = (Vec::new(), 0);
    while let Some(row) = rows.next() {
        used += shown::json_bytes(&row) + 1;
        if used > room {
            return (kept, 1 + rows.count());
        }
        kept.push(row);
    }
    (kept, 0)
}

/// One event in an envelope: its texts are cut to a few lines, the log file holds them whole.
fn event_row(entry: &Entry) -> Value {
    const BYTES: usize = 400;
    let mut event = entry.event.clone();
    event.map_texts(&mut |text| truncate(text, BYTES));
    let mut row = fields(&event);
    row.shift_insert(0, "at".to_owned(), rfc3339(entry.at_ms).into());
    if let Some(pass) = entry.pass {
        row.shift_insert(1, "pass".to_owned(), pass.into());
    }
    Value::Object(row)
}
