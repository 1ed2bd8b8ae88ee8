//! The review that another one follows: what it found, and which hunks it was shown.

mod undone;

use serde_json::json;

use crate::diff::count;
use crate::diff::measure::measure;
use crate::diff::patch::{Content, Patch};
use crate::diff::seen::{Seen, files_left, part};
use crate::diff::sent::SentPatch;
use crate::diff::text::shown_path;
use crate::domain::envelope::Meta;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::finding::Finding;
use crate::domain::job::{JobId, JobKind, JobName};
use crate::domain::limits;
use crate::domain::request::ReviewRequest;
use crate::domain::review_answer::{ReviewAnswer, Target};
use crate::domain::scope::{Revision, Scope};
use crate::domain::standing::Standing;
use crate::domain::tracking::EarlierReview;
use crate::domain::verdict::ReviewStatus;
use crate::redact::Redacted;
use crate::run::reap::reap;
use crate::service::deliver;
use crate::service::group::{self, Found};
use crate::service::plan::Plan;
use crate::service::reply::{Reply, fields};
use crate::service::resume::Continued;
use crate::service::review_input::ReviewInput;
use crate::service::workspace::Workspace;
use crate::standing::follow::{self, follow};
use crate::state::directory::Job;
use crate::state::record::{Answer, Expects};
use crate::state::store::Store;
use crate::sys::files;

/// An earlier review.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    /// Its job.
    id: JobId,
    /// What came of it.
    answer: ReviewAnswer,
    /// What it was shown.
    seen: Seen,
}

/// What a review left that is followed on: what it found, also what was set aside, and what it had left open itself.
pub(super) fn review_of(id: &JobId, answer: &ReviewAnswer) -> EarlierReview {
    let set_aside = answer.suppressed.iter().map(|suppressed| &suppressed.finding);
    let known = answer.baseline.iter().flat_map(|baseline| &baseline.known);
    let carried = answer.findings.iter().chain(set_aside).chain(known).cloned();
    EarlierReview::of(id.to_string(), &answer.findings, answer.since.as_deref()).carrying(carried.collect())
}

impl Earlier {
    /// Finds the review that a call names with `since`. Anything but an ended review with an answer is a fault.
    pub(super) async fn find(name: &JobName, workspace: &Workspace, store: &Store) -> Result<Self, Fault> {
        const FIELD: &str = "options.since";
        let job = match group::find_kind(store, name, workspace, JobKind::Review)
            .map_err(|fault| fault.field(FIELD))?
        {
            Found::Job(job) => *job,
            Found::Group(group) => {
                let message = format!(
                    "{} is a group of delegates, and only a review is followed",
                    group.id
                );
                return Err(Fault::argument(FIELD, message).call("job", json!({})));
            }
        };
        if !matches!(job.spec.expects, Expects::Review { .. }) {
            let message = format!(
                "{} is a {} job, and only a review is followed",
                job.id(),
                job.spec.kind.as_str()
            );
            return Err(Fault::argument(FIELD, message)
                .hint("list the jobs and take the id of a review from there")
                .call("job", json!({})));
        }
        if job.state.is_active() {
            return Err(
                Fault::new(FaultCode::JobNotFinished, "the review to follow is still running")
                    .field(FIELD)
                    .hint("wait for it with job, or cancel it first")
                    .call("job", json!({"id": job.id(), "wait_s": 600})),
            );
        }
        reap(&job.directory).await?;
        Self::read(&job)?.ok_or_else(|| {
            Fault::argument(FIELD, "the review to follow ended without an answer")
                .hint("repeat the call without since, or resume that job")
        })
    }

    /// Reads a job's review; `None` where it has no answer.
    pub(super) fn read(job: &Job) -> Result<Option<Self>, Fault> {
        let Some(result) = job.directory.read_result()? else {
            return Ok(None);
        };
        let Some(Answer::Review(answer)) = result.answer else {
            return Ok(None);
        };
        // A change that is not there any more was simply not seen: all of the present one is sent.
        let bytes = files::read_bounded(&job.directory.change_path(), limits::CHANGE_BYTES);
        let sent = bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice::<SentPatch>(&bytes).ok());
        let seen = match sent {
            Some(sent) if answer.review_status == ReviewStatus::Completed => {
                shown(&Patch::from(sent), &answer)
            }
            _ => Seen::default(),
        };
        Ok(Some(Self {
            id: job.id().clone(),
            answer: *answer,
            seen,
        }))
    }

    /// Takes out of a change what this review was shown and nobody changed since.
    ///
    /// Every hunk stays accounted for: it is counted as reviewed before, in a change that is whole only if that review was.
    /// Where nothing is left the change stays as it is, and only its coverage says so.
    pub(super) fn narrow(&self, input: &mut ReviewInput) -> Narrowed {
        let places = self.seen.places(input.patch.get());
        let hunks = u32::try_from(places.len()).unwrap_or(u32::MAX);
        // A change without its lines is far too large, and only told so.
        if hunks == 0 || !input.lines_known {
            return Narrowed::New;
        }
        let is_all = hunks >= input.coverage.hunks.sent;
        let was_whole = self.answer.coverage.shows_its_hunks_whole();
        input.coverage.reviewed_before(hunks, was_whole);
        if is_all {
            return Narrowed::Unchanged;
        }
        let places: Vec<(u32, u32)> = places.into_iter().collect();
        let kept = files_left(input.patch.get(), &places);
        let before = input.patch.derive_with((places.clone(), true), part);
        input.patch = input.patch.derive_with((places, false), part);
        input.sizes = measure(input.patch.get());
        input.aside = kept.into_iter().map(|file| input.aside[file]).collect();
        input.before = Some(before);
        Narrowed::Narrower
    }

    /// Answers a review of which nothing is new, without a run: what was found is still open.
    pub(super) fn unchanged(
        &self,
        input: ReviewInput,
        undone: Vec<String>,
        standing: Standing,
    ) -> (ReviewAnswer, Vec<String>) {
        let standing = Standing {
            fresh_files: Some(0),
            ..standing
        };
        let root = input.repo_root.to_string_lossy();
        let review = EarlierReview {
            undone,
            ..review_of(&self.id, &self.answer)
        };
        let follow::Followed { settled, since } = follow(
            input.patch.get(),
            &root,
            Some(&review),
            Some(&standing),
            Vec::new(),
            &[],
        );
        let status = input.coverage.status;
        let (verdict, confidence) = settled.judge(self.answer.verdict, self.answer.confidence, status);
        let mut findings = settled.findings;
        findings.sort_by(Finding::worst_first);
        let answer = ReviewAnswer {
            target: input.target,
            score: None,
            verdict,
            confidence,
            review_status: self.answer.review_status,
            findings,
            since,
            suppressed: settled.suppressed,
            baseline: settled.baseline,
            coverage: input.coverage,
            overview: String::new(),
            questions: Vec::new(),
            assumptions: Vec::new(),
            refuted: Vec::new(),
            examination: None,
        };
        (answer, settled.warnings)
    }
}

/// Which change a call means that follows a review and names none: that review's own, as it is now. `None` where the work
/// that goes on is not to be told from it.
pub(super) fn scope_of(target: &Target) -> Option<Scope> {
    match target.scope.as_str() {
        "branch" | "working_tree" => {
            let base = Revision::parse(target.base_oid.as_deref()?).ok()?;
            let name = target.base_name.as_deref();
            let name = name.and_then(|name| Revision::parse(name).ok());
            Some(Scope::Onward { base, name })
        }
        "staged" => Some(Scope::Staged),
        _ => None,
    }
}

/// How much of a change an earlier review was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Narrowed {
    /// All of it.
    New,
    /// A part, which is what the change is now.
    Narrower,
    /// Nothing.
    Unchanged,
}

/// What of a kept change was really looked at. Where parts of it were not, and nobody can tell which, nothing was.
fn shown(patch: &Patch, answer: &ReviewAnswer) -> Seen {
    let coverage = &answer.coverage;
    let examined = coverage.hunks.sent + coverage.hunks.reviewed_before;
    let is_shown = |patch: &Patch| -> u32 {
        let files = patch.files.iter().filter(|file| match &file.content {
            Content::Text(_) => true,
            // The record keeps the modes of what was shown alone.
            _ => file.new_mode.is_some() || file.old_mode.is_some(),
        });
        files.map(count::hunks).sum()
    };
    if is_shown(patch) <= examined {
        return Seen::of(patch);
    }
    let left_out: Vec<&str> = coverage
        .omitted
        .iter()
        .map(|omission| omission.path.as_str())
        .collect();
    let mut kept = patch.clone();
    kept.files
        .retain(|file| !left_out.contains(&shown_path(&file.new_path).as_str()));
    if coverage.omitted_more == 0 && is_shown(&kept) <= examined {
        Seen::of(&kept)
    } else {
        Seen::default()
    }
}

/// Tells whether a call that goes on in a thread asks something new of the whole change: then all of it is sent again.
pub(super) fn asks_anew(request: &ReviewRequest) -> bool {
    request.focus.is_some() || request.common.options.instructions.is_some()
}

/// Which review a call follows, if any: the one that it names, or the one whose thread it goes on in.
#[derive(Debug)]
pub(super) struct Followed {
    /// The review, with what it was shown.
    earlier: Option<Earlier>,
    /// What is tracked where its record cannot be read any more.
    tracked: Option<Box<EarlierReview>>,
    /// What it looked at.
    target: Option<Box<Target>>,
    /// Whether what it was shown is taken out of the change.
    narrows: bool,
    /// Findings of it that the change brought and has no more.
    undone: Vec<String>,
    /// Whether it was named for that: then only what is new is sent, whatever is asked.
    is_named: bool,
}

impl Followed {
    /// Finds it.
    pub(super) async fn of(
        request: &ReviewRequest,
        continued: Option<&Continued>,
        workspace: &Workspace,
        store: &Store,
    ) -> Result<Self, Fault> {
        if let Some(name) = &request.common.options.since {
            if request.common.resume.is_some() {
                return Err(Fault::argument(
                    "options.since",
                    "`options.since` begins a new thread, and `resume` goes on in one: both name what to follow",
                )
                .hint("leave out one of them"));
            }
            let earlier = Earlier::find(name, workspace, store).await?;
            return Ok(Self {
                tracked: None,
                target: Some(Box::new(earlier.answer.target.clone())),
                earlier: Some(earlier),
                narrows: true,
                undone: Vec::new(),
                is_named: true,
            });
        }
        let tracked = continued.and_then(|continued| continued.review.clone());
        let id = tracked
            .as_ref()
            .and_then(|review| review.job.parse::<JobId>().ok());
        let earlier = match id {
            Some(id) => Earlier::read(&store.read(&id)?)?,
            None => None,
        };
        Ok(Self {
            earlier,
            tracked,
            target: continued.and_then(|continued| continued.target.clone()),
            narrows: !asks_anew(request),
            undone: Vec::new(),
            is_named: false,
        })
    }

    /// What that review looked at, also where it has no answer.
    pub(super) fn target(&self) -> Option<&Target> {
        self.target.as_deref()
    }

    /// Takes out of the input what was reviewed before. Returns the answer where nothing is left to review.
    pub(super) fn narrow(
        &mut self,
        request: &ReviewRequest,
        input: &mut ReviewInput,
        standing: &Standing,
        told: &[String],
        workspace: &Workspace,
    ) -> Option<Reply> {
        let earlier = self.earlier.as_ref()?;
        self.undone = earlier.undone(request, input);
        if !self.narrows {
            return None;
        }
        let before = input.coverage.clone();
        if earlier.narrow(input) != Narrowed::Unchanged {
            return None;
        }
        if !self.is_named && request.context.is_some() {
            // Whoever goes on in a thread with words of his own wants them heard.
            input.coverage = before;
            return None;
        }
        let repo_root = input.repo_root.display().to_string();
        let (answer, warnings) = earlier.unchanged(input.clone(), self.undone.clone(), standing.clone());
        Some(Reply {
            summary: format!(
                "Nothing new to review since {}: not run, nothing was paid. {}",
                earlier.id,
                deliver::review::summary(&answer)
            ),
            body: fields(&answer),
            next_steps: vec![
                "change something, or pass a focus to have all of it looked at again".to_owned(),
            ],
            warnings: told.iter().cloned().chain(warnings).collect(),
            meta: Meta {
                workspace: Some(workspace.root.display().to_string()),
                workspace_source: Some(workspace.source),
                repo_root: Some(repo_root),
                ..Meta::default()
            },
            ..Reply::default()
        })
    }

    /// Writes into a plan what its job is to know: the review that it follows, what stands before it, and the whole change,
    /// of which the prompts show the fresh part alone.
    pub(super) fn note(&self, plan: &mut Plan, standing: Standing, before: Option<&Redacted<Patch>>) {
        let review = match &self.earlier {
            Some(earlier) => Some(Box::new(EarlierReview {
                undone: self.undone.clone(),
                ..review_of(&earlier.id, &earlier.answer)
            })),
            None => self.tracked.clone(),
        };
        let fresh_files = match (&mut plan.change, before) {
            (Some(change), Some(before)) => Some(change.join(before.get())),
            _ => None,
        };
        if let Expects::Review {
            earlier,
            standing: stands,
            ..
        } = &mut plan.expects
        {
            *earlier = review;
            *stands = Some(Box::new(Standing {
                fresh_files,
                ..standing
            }));
        }
    }
}
