//! The prompts of a review, one for each part of its change, and the account of what is in them.

use std::fmt::Write;

use crate::config::Config;
use crate::diff::count;
use crate::diff::measure::{Room, Size};
use crate::diff::patch::Patch;
use crate::diff::render::{LEGEND, Run, render_runs};
use crate::diff::sent::SentPatch;
use crate::diff::text::shown_path;
use crate::domain::count::counted;
use crate::domain::coverage::{Coverage, CoverageStatus};
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::fingerprint::sha256_hex;
use crate::domain::job::JobKind;
use crate::domain::limits;
use crate::domain::request::{ReviewRequest, Subject};
use crate::domain::review_plan::{PartPlan, ReviewPlan};
use crate::domain::tier::{Tier, Tools};
use crate::prompt::focus::expand;
use crate::prompt::{
    Fence, OtherParts, Prompt, ReviewParts, ReviewSubject, review as write_prompt, review_schema,
};
use crate::redact::{Further, Redacted, RedactedText, redact_text};
use crate::service::consult::new_fence;
use crate::service::guidance::{self, Guidance};
use crate::service::plan::{Plan, egress_of, label, over_size};
use crate::service::preflight::Preflight;
use crate::service::review::division::{Division, Refused, Rooms, divide, slices};
use crate::service::review::hash::plan_hash;
use crate::service::review::too_large::{narrower, too_many};
use crate::service::review::{most_parts, others};
use crate::service::review_input::ReviewInput;
use crate::service::workspace::Workspace;
use crate::state::record::{EgressFile, Expects};

/// How often a change is divided anew because a prompt came out larger than it was measured: only what looks like our own
/// delimiters grows when it is fenced, and each time the room shrinks by as much as was missing.
const TRIES: u32 = 4;
/// Bytes kept free in a prompt for the numbers of its part.
const MARGIN: usize = 256;
/// Characters of a prompt that must be left for the change when several parts repeat everything else: with less, most of what
/// is paid for would be the repetition.
const ROOM_MIN: usize = 4096;

/// Files named whose hunks were reviewed before.
const BEFORE_NAMED: usize = 50;

/// Everything of the prompts but the change.
struct Frame<'a> {
    is_snippet: bool,
    focus: Option<RedactedText>,
    context: Option<RedactedText>,
    language: Option<RedactedText>,
    instructions: Option<RedactedText>,
    guide: Option<Guidance>,
    target: Redacted<String>,
    tools: Tools,
    fence: &'a Fence,
}

/// What one prompt shows of a change in several parts.
struct Place<'a> {
    /// Its number and how many there are.
    part: (u32, u32),
    files: &'a Redacted<String>,
    names: Option<Redacted<String>>,
}

impl Frame<'_> {
    fn write(
        &self,
        diff: &Redacted<String>,
        omitted: Option<&Redacted<String>>,
        place: Option<&Place<'_>>,
    ) -> Prompt {
        let subject = if self.is_snippet {
            ReviewSubject::Snippet(diff)
        } else {
            ReviewSubject::Change {
                target: &self.target,
                diff,
                legend: LEGEND,
                part: place.map(|place| place.part),
                others: place.map(|place| OtherParts {
                    files: place.files,
                    names: place.names.as_ref(),
                }),
                omitted,
            }
        };
        write_prompt(
            &ReviewParts {
                subject,
                focus: self.focus.as_ref().map(|focus| &focus.text),
                context: self.context.as_ref().map(|context| &context.text),
                guidance: self.guide.as_ref().map(|guide| &guide.text),
                language: self.language.as_ref().map(|language| &language.text),
                instructions: self.instructions.as_ref().map(|told| &told.text),
                tools: self.tools,
            },
            self.fence,
        )
    }

    /// Writes the prompts of a change that was divided.
    fn write_all(&self, division: &Division, share: usize) -> Vec<Prompt> {
        let omitted = omitted(&division.coverage);
        let parts = &division.parts;
        if let [only] = parts.as_slice() {
            return vec![self.write(&shown(&division.patch, only), omitted.as_ref(), None)];
        }
        let files = others::files(&division.patch, parts, share);
        let count = number(parts.len());
        let prompt = |(at, runs): (usize, &Vec<Run>)| {
            let place = Place {
                part: (number(at) + 1, count),
                files: &files,
                names: others::names(&division.patch, parts, at, share),
            };
            self.write(&shown(&division.patch, runs), omitted.as_ref(), Some(&place))
        };
        parts.iter().enumerate().map(prompt).collect()
    }

    fn masked(&self) -> u32 {
        [&self.focus, &self.context, &self.language, &self.instructions]
            .into_iter()
            .flatten()
            .map(|text| text.count)
            .sum::<u32>()
            + self.guide.as_ref().map_or(0, |guide| guide.masked)
    }
}

fn shown(patch: &Redacted<Patch>, runs: &[Run]) -> Redacted<String> {
    patch.derive_with(runs, render_runs)
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Writes the prompts and accounts for them.
pub(super) fn write(
    request: &ReviewRequest,
    workspace: Workspace,
    input: ReviewInput,
    preflight: &Preflight,
    config: &Config,
    further: &Further,
) -> Result<Plan, Fault> {
    let directory = workspace.root.clone();
    let (guide, mut warnings) = guidance::for_review(
        preflight.program.peer,
        &input.repo_root,
        &directory,
        further,
        &input.base,
    );
    let counted_text = |text: &Option<String>| text.as_deref().map(|text| further.redact_counted(text));
    let options = &request.common.options;
    let fence = new_fence()?;
    let frame = Frame {
        is_snippet: matches!(request.subject, Subject::Snippet(_)),
        focus: counted_text(&request.focus.as_deref().map(|focus| expand(focus).into_owned())),
        context: counted_text(&request.context),
        language: counted_text(&options.language),
        instructions: counted_text(&options.told()),
        guide,
        target: redact_text(&describe(&input)),
        tools: preflight.tools,
        fence: &fence,
    };
    let (division, prompts) = divided(request, &input, &frame, config)?;
    let redaction = &division.coverage.redaction;
    let masks = redaction.count + frame.masked();
    warnings.extend(kept_from_reader(&division, masks));
    let mut files = EgressFile::of_change(division.patch.get());
    files.extend(frame.guide.as_ref().map(Guidance::accounted));
    let label = match &request.focus {
        Some(focus) => label(&format!(
            "{}: {}",
            input.target.scope,
            redact_text(focus).as_str()
        )),
        None => label(&format!("{}, {} files", input.target.scope, input.target.files)),
    };
    let hash = plan_hash(
        &prompts,
        &fence,
        request.depth,
        &request.common,
        preflight,
        config,
    );
    let parts = prompts.iter().zip(&division.parts);
    let plan = ReviewPlan {
        depth: request.depth,
        parts: parts
            .map(|(prompt, runs)| PartPlan {
                slices: slices(division.patch.get(), runs),
                prompt_bytes: prompt.as_str().len(),
                prompt_sha256: sha256_hex(prompt.as_str().as_bytes()),
            })
            .collect(),
        hash,
        language: frame.language.as_ref().map(|told| told.text.get().clone()),
    };
    debug_assert_eq!(
        plan.parts.iter().map(PartPlan::hunks).sum::<u32>(),
        division.coverage.hunks.sent,
        "every hunk that is sent is in one part"
    );
    let egress = egress_of(
        &prompts,
        plan.depth.looks() as usize,
        files,
        redaction.withheld.clone(),
        masks,
    );
    let mut prompts = prompts.into_iter();
    let Some(prompt) = prompts.next() else {
        return Err(Fault::new(
            FaultCode::Internal,
            "a review was planned without a part",
        ));
    };
    Ok(Plan {
        kind: JobKind::Review,
        tier: Tier::Review,
        label,
        workspace,
        directory,
        repo_root: Some(input.repo_root),
        schema: Some(review_schema()),
        egress,
        change: Some(SentPatch::from(division.patch.get())),
        expects: Expects::Review {
            target: Box::new(input.target),
            coverage: Box::new(division.coverage),
            earlier: None,
            standing: None,
            plan: Some(Box::new(plan)),
        },
        prompt,
        parts: prompts.collect(),
        warnings,
    })
}

/// Says what of a change the reader is not shown.
fn kept_from_reader(division: &Division, masks: u32) -> Vec<String> {
    let mut warnings = Vec::new();
    let coverage = &division.coverage;
    if !coverage.redaction.withheld.is_empty() {
        warnings.push(format!(
            "withheld as secret: {}",
            coverage.redaction.withheld.join(", ")
        ));
    }
    if division.generated > 0 {
        warnings.push(format!(
            "{} left out, since the change has more parts with them than may run unasked; a review without them is a partial \
             one, and naming them in paths, or a larger options.max_parts, reviews them",
            counted(number(division.generated), "generated or vendored file")
        ));
    }
    if masks > 0 {
        warnings.push(format!(
            "{masks} values that look like secrets were masked before anything was sent"
        ));
    }
    if coverage.status == CoverageStatus::Partial && coverage.hunks.omitted == 0 {
        let why = if coverage.hunks.reviewed_before > 0 {
            "the project's own patterns masked values of this change, or the review that this one follows was a partial one, so \
             this one counts as a partial one"
        } else {
            "the project's own patterns masked values of this change, so the review counts as a partial one"
        };
        warnings.push(why.to_owned());
    }
    warnings
}

/// Divides the change, and writes the prompts that fit.
fn divided(
    request: &ReviewRequest,
    input: &ReviewInput,
    frame: &Frame<'_>,
    config: &Config,
) -> Result<(Division, Vec<Prompt>), Fault> {
    let limit = Room::new(config.prompt_bytes.value, limits::PROMPT_CHARS);
    let empty = frame.write(&Redacted::literal(""), omitted(&input.coverage).as_ref(), None);
    let mut whole = limit.beside(Size::of(empty.as_str()));
    let share = limit.weight() / 100 * limits::OTHER_PARTS_SHARE;
    let most = if frame.is_snippet {
        1
    } else {
        most_parts(&request.common.options, config)
    };
    let mut told = over_size(empty.as_str(), config);
    for _ in 0..TRIES {
        let taken = number(2 * share + MARGIN);
        let part = whole.beside(Size {
            bytes: taken,
            chars: taken,
        });
        let is_tight = part.weight() < ROOM_MIN.min(limit.weight() / 2);
        if told.is_some() && is_tight {
            break;
        }
        let division = match divide(input, Rooms { whole, part }, most) {
            Ok(division) => division,
            Err(Refused::Parts(needs)) if !frame.is_snippet && !is_tight => {
                return Err(too_many(needs, request, input, config));
            }
            Err(_) => break,
        };
        if division.parts.len() > 1 && is_tight {
            break;
        }
        let prompts = frame.write_all(&division, share);
        let over = prompts.iter().filter_map(|prompt| {
            let message = over_size(prompt.as_str(), config)?;
            Some((limit.weigh(Size::of(prompt.as_str())), message))
        });
        let Some((weight, message)) = over.max() else {
            return Ok((division, prompts));
        };
        told = Some(message);
        // What is too much, and a little more.
        whole = whole.hundredths(
            (limit.weight() * 100 / weight.max(1))
                .saturating_sub(2)
                .clamp(1, 98),
        );
    }
    let message = told.unwrap_or_else(|| {
        format!(
            "the change has lines that fit no prompt beside the rest of it; the limit of a prompt is {} bytes and {} characters",
            config.prompt_bytes.value,
            limits::PROMPT_CHARS
        )
    });
    Err(narrower(message, request, input, config))
}

fn describe(input: &ReviewInput) -> String {
    let target = &input.target;
    let mut text = format!("scope {}, {} files", target.scope, target.files);
    let ends = [("from", &target.base_oid), ("to", &target.head_oid)];
    for (word, oid) in ends
        .iter()
        .filter_map(|(word, oid)| oid.as_ref().map(|oid| (word, oid)))
    {
        let _ = write!(text, ", {word} {oid}");
    }
    if let Some(base) = &input.target.base_name {
        let _ = write!(text, ", compared with {base}");
    }
    if !target.paths.is_empty() {
        let _ = write!(text, ", only {} paths", target.paths.len());
    }
    if target.scope == "job" {
        text.push_str(
            "; it is a proposal of another agent: the files of the workspace are as they were before it",
        );
    }
    if let Some(before) = &input.before {
        let files = &before.get().files;
        let hunks = counted(count::total_hunks(before.get()), "hunk");
        let named: Vec<String> = files
            .iter()
            .take(BEFORE_NAMED)
            .map(|file| shown_path(&file.new_path))
            .collect();
        let _ = write!(
            text,
            "; besides, {hunks} in {} were reviewed before, are unchanged since and not shown: {}",
            counted(number(files.len()), "file"),
            named.join(", ")
        );
    }
    text
}

fn omitted(coverage: &Coverage) -> Option<Redacted<String>> {
    if coverage.omitted.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = coverage
        .omitted
        .iter()
        .map(|omission| {
            let reason = serde_json::to_value(omission.reason).ok();
            format!(
                "{} ({})",
                omission.path,
                reason.as_ref().and_then(|r| r.as_str()).unwrap_or_default()
            )
        })
        .collect();
    if coverage.omitted_more > 0 {
        lines.push(format!("and {} more", coverage.omitted_more));
    }
    Some(redact_text(&lines.join("\n")))
}
