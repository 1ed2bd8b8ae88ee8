//! The prompt of a review.

use crate::domain::tier::Tools;
use crate::prompt::consult::{GUIDANCE, limits};
use crate::prompt::fence::Fence;
use crate::prompt::text::{Builder, Prompt};
use crate::redact::Redacted;

/// What is reviewed.
#[derive(Clone, Copy, Debug)]
pub enum ReviewSubject<'a> {
    /// A change.
    Change {
        /// What it is: scope, revisions, number of files.
        target: &'a Redacted<String>,
        /// The rendered diff.
        diff: &'a Redacted<String>,
        /// How to read the rendered diff, in words of the renderer.
        legend: &'static str,
        /// Which part of how many, both counted from 1, when the change did not fit one prompt.
        part: Option<(u32, u32)>,
        /// What the other parts hold, when there are some.
        others: Option<OtherParts<'a>>,
        /// What of the change is not shown, in words for the reviewer.
        omitted: Option<&'a Redacted<String>>,
    },
    /// Code that the caller gave.
    Snippet(&'a Redacted<String>),
}

/// What the reader of one part is told of the others.
#[derive(Clone, Copy, Debug)]
pub struct OtherParts<'a> {
    /// All files of the change with their sizes and parts.
    pub files: &'a Redacted<String>,
    /// Names that the other parts touch.
    pub names: Option<&'a Redacted<String>>,
}

/// What a review is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReviewParts<'a> {
    /// What is reviewed.
    pub subject: ReviewSubject<'a>,
    /// What to look for; the caller's own words.
    pub focus: Option<&'a Redacted<String>>,
    /// What the author meant.
    pub context: Option<&'a Redacted<String>>,
    /// The project's own guidance for agents.
    pub guidance: Option<&'a Redacted<String>>,
    /// The language to answer in.
    pub language: Option<&'a Redacted<String>>,
    /// More instructions of the caller.
    pub instructions: Option<&'a Redacted<String>>,
    /// Whether the peer can run commands.
    pub tools: Tools,
}

/// Writes the prompt of a review.
pub fn review(parts: &ReviewParts<'_>, fence: &Fence) -> Prompt {
    let mut prompt = Builder::new(fence);
    prompt
        .say(role(parts.subject))
        .say(limits(parts.tools))
        .explain_fence();
    prompt.say(RULES).say(place(parts.subject)).say(SEVERITIES);
    if let Some(guidance) = parts.guidance {
        prompt.data(GUIDANCE, "guidance", guidance);
    }
    if let Some(context) = parts.context {
        prompt.data(
            "What the author meant, as the caller tells it:",
            "context",
            context,
        );
    }
    match parts.subject {
        ReviewSubject::Change {
            target,
            diff,
            legend,
            part,
            others,
            omitted,
        } => {
            prompt.data("What is reviewed:", "target", target);
            if let Some((part, parts)) = part {
                prompt.say_part(part, parts);
            }
            if let Some(others) = others {
                prompt.data(
                    "All files of the change, with the bytes of their lines:",
                    "files",
                    others.files,
                );
                if let Some(names) = others.names {
                    prompt.data("Names that the other parts touch:", "names", names);
                }
            }
            if let Some(omitted) = omitted {
                prompt.data("Part of the change, but not shown to you:", "omitted", omitted);
            }
            prompt.say(legend).data("The change:", "diff", diff);
        }
        ReviewSubject::Snippet(code) => {
            prompt.data("The code:", "snippet", code);
        }
    }
    if let Some(focus) = parts.focus {
        prompt.section("Look first for", focus);
    }
    if let Some(instructions) = parts.instructions {
        prompt.section("Further instructions of the caller", instructions);
    }
    if let Some(language) = parts.language {
        prompt.section("Language of the answer", language);
    }
    prompt.say(SHAPE);
    prompt.finish()
}

fn role(subject: ReviewSubject<'_>) -> &'static str {
    match subject {
        ReviewSubject::Change { .. } => {
            "You review a change that another coding agent or a person made. Report only defects that this change introduces \
             or exposes; what was wrong before and is untouched is not yours to report."
        }
        ReviewSubject::Snippet(_) => {
            "You review a piece of code that another coding agent or a person wrote. Report only defects of this code."
        }
    }
}

const RULES: &str = "A finding is a defect that you can name: the input or state that triggers it and what then goes wrong. \
Check each one against the code around it before you report it. No praise, no summary of the change, no wishes of style \
unless they are marked `nit`. One finding per defect. If there is none, `findings` is empty; that is a good answer.";

fn place(subject: ReviewSubject<'_>) -> &'static str {
    match subject {
        ReviewSubject::Change { .. } => {
            "Each finding names its true place: `file` as the diff names it, `line` as the diff numbers it, and `side`: `new` \
             for added and unchanged lines, `old` for removed ones. `evidence` quotes one line of the diff verbatim, without \
             its number and sign. If you are not sure of the line, give null instead of a guess, but always quote."
        }
        ReviewSubject::Snippet(_) => {
            "Each finding names its place: `file` is `snippet`, `line` counts the lines of the code from 1, `side` is `new`. \
             `evidence` quotes one line of the code verbatim. If you are not sure of the line, give null instead of a guess, \
             but always quote."
        }
    }
}

const SEVERITIES: &str = "Severities: `critical` is data loss, a security hole or a crash for everybody; `high` is wrong in \
a case that will happen; `medium` is wrong in a case that can happen; `low` is small or unlikely; `nit` is taste. \
`verdict`: `fail` when something must be changed before this goes on, `concerns` when something should be looked at, `pass` \
when nothing speaks against it. `confidence` says how sure you are of the verdict given what you could see. `score` is your \
overall mark from 0 to 100, or null. `confidence` of a finding says how sure you are of that one.";

const SHAPE: &str = "Answer with one JSON object that follows the given schema, and nothing else. `summary` is one or two \
sentences. `risk` says what goes wrong and when, `recommendation` what to do, both short. Put what you need to know into \
`questions` and what you took for granted or did not check into `assumptions`.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::redact_text;

    fn check(name: &str, subject: ReviewSubject<'_>, more: Option<&Redacted<String>>, tools: Tools) {
        let parts = ReviewParts {
            subject,
            focus: more,
            context: more,
            guidance: more,
            language: more,
            instructions: more,
            tools,
        };
        let fence = Fence::new("0f1e2d3c4b5a6978").unwrap();
        insta::assert_snapshot!(name, review(&parts, &fence).as_str());
    }

    #[test]
    fn prompts_of_a_review() {
        let target = redact_text("working tree against HEAD, 1 file");
        let diff = redact_text("src/a.rs\n   1   1   fn a() {\n       2 +     b();\n");
        let more = redact_text("Words of the caller.");
        let change = |part: Option<(u32, u32)>, omitted| ReviewSubject::Change {
            target: &target,
            diff: &diff,
            legend: "Lines begin with their old and new number.",
            part,
            others: part.map(|_| OtherParts {
                files: &target,
                names: Some(&more),
            }),
            omitted,
        };
        check("review_change", change(None, None), None, Tools::Sandboxed);
        check(
            "review_part",
            change(Some((2, 3)), Some(&more)),
            Some(&more),
            Tools::None,
        );
        check(
            "review_snippet",
            ReviewSubject::Snippet(&diff),
            None,
            Tools::Sandboxed,
        );
    }
}
