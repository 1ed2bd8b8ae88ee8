//! What is known when a job ends, and the record that is made of it.

use serde::Serialize;

use crate::domain::delegation::Work;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::job::JobState;
use crate::domain::limits;
use crate::domain::pass::Pass;
use crate::domain::review_answer::ReviewAnswer;
use crate::domain::time::spoken;
use crate::domain::usage::Usage;
use crate::peer::transcript::{Transcript, truncate};
use crate::run::masking::{mask, masked_text};
use crate::state::directory::RECORD_BYTES;
use crate::state::record::{Answer, CommandRecord, ResultRecord, Spec, VERSION};
use crate::sys::clock;

/// What is known when a job ends, whatever its end.
#[derive(Debug, Default)]
pub struct Remains {
    /// What the peer reported.
    pub transcript: Transcript,
    /// Processes that outlived the run.
    pub leaked: Vec<u32>,
    /// Awake time in milliseconds.
    pub elapsed_ms: u64,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// What a delegate's edits came to.
    pub work: Option<Work>,
    /// The passes of a review that was planned as several.
    pub passes: Vec<Pass>,
    /// What the passes of a review had found that has no answer, merged.
    pub partial_review: Option<Box<ReviewAnswer>>,
    /// The tokens of the run and of its thread, where they are not those of one transcript.
    pub counted: Option<(Option<Usage>, Option<Usage>)>,
}

impl Remains {
    /// Begins with what the caller was told when the job was made.
    pub fn of(spec: &Spec) -> Self {
        Self {
            warnings: spec.warnings.clone(),
            ..Self::default()
        }
    }

    /// Writes the result of a job that has an answer.
    pub fn succeeded(mut self, spec: &Spec, answer: Answer) -> ResultRecord {
        // Taken, not copied: it may have megabytes, and stands in the answer too.
        let raw = self.transcript.last_message.take().map(masked_text);
        let raw = raw.filter(|raw| !is_long_copy(raw, &answer));
        let result = ResultRecord {
            answer: Some(answer),
            raw,
            ..self.record(spec, JobState::Succeeded)
        };
        fit(result, RECORD_BYTES)
    }

    /// Writes the result of a job that has none. What the model had said is kept as the partial answer.
    pub fn failed(mut self, spec: &Spec, state: JobState, mut fault: Fault) -> ResultRecord {
        let partial = self.transcript.last_message.take().map(masked_text);
        if fault.code == FaultCode::BudgetExceeded
            && let (Some(used), Some(budget)) = (self.tokens(spec).0, spec.budget_tokens)
        {
            let used = used.total();
            fault.message = format!("the run was ended: it used {used} tokens, and its budget was {budget}");
        }
        let partial_review = self.partial_review.take();
        let result = ResultRecord {
            fault: Some(fault),
            partial,
            partial_review,
            ..self.record(spec, state)
        };
        fit(result, RECORD_BYTES)
    }

    /// The tokens of the run and of its thread.
    fn tokens(&self, spec: &Spec) -> (Option<Usage>, Option<Usage>) {
        self.counted.unwrap_or_else(|| tokens(spec, &self.transcript))
    }

    /// Adds what codex warned of. Each envelope carries it, so it is kept short; the event log holds all of it.
    fn tell_codex_warnings(&mut self) {
        const TOLD: usize = 5;
        const BYTES: usize = 300;
        let all = &self.transcript.warnings;
        for text in all.iter().take(TOLD) {
            let mut text = mask(text);
            truncate(&mut text, BYTES);
            self.warnings.push(format!("codex warns: {text}"));
        }
        if all.len() > TOLD {
            let more = all.len() - TOLD;
            self.warnings.push(format!(
                "codex gave {more} more warnings; see job with detail=log"
            ));
        }
    }

    /// Everything but the answer or the reason why there is none.
    fn record(mut self, spec: &Spec, state: JobState) -> ResultRecord {
        self.tell_codex_warnings();
        if self.transcript.cut_from > 0 {
            self.warnings.push(format!(
                "the answer was cut to {} of its {} bytes",
                limits::ANSWER_BYTES,
                self.transcript.cut_from
            ));
        }
        let unread = self.transcript.malformed;
        if unread > 0 {
            self.warnings.push(format!(
                "{unread} lines of {}'s output could not be read",
                spec.peer.name
            ));
        }
        if self.transcript.slept_ms > 0 {
            self.warnings.push(format!(
                "the machine was asleep for {} during the run",
                spoken(self.transcript.slept_ms)
            ));
        }
        if !self.leaked.is_empty() {
            self.warnings.push(format!(
                "{} processes outlived the run: {:?}",
                self.leaked.len(),
                self.leaked
            ));
        }
        let (usage, thread_usage) = self.tokens(spec);
        if let Some(warning) = budget_warning(spec, state, usage, &self.transcript) {
            self.warnings.push(warning);
        }
        ResultRecord {
            version: VERSION,
            state,
            ended_ms: clock::now_ms(),
            elapsed_ms: self.elapsed_ms,
            answer: None,
            fault: None,
            partial: None,
            partial_review: None,
            work: self.work,
            raw: None,
            thread: self.transcript.thread.filter(|_| !spec.ephemeral),
            usage,
            thread_usage,
            cost_usd: self.transcript.cost_usd,
            commands: self
                .transcript
                .commands
                .iter()
                .map(|run| CommandRecord {
                    command: mask(&run.command),
                    exit_code: run.exit_code,
                })
                .collect(),
            more_commands: self.transcript.more_commands,
            leaked: self.leaked,
            warnings: self.warnings,
            passes: self.passes,
        }
    }
}

/// Leaves out of a result what makes it longer than can be read again, and says so. All of it stands in the answer too,
/// or in the event log.
///
/// Only control characters make a result that long: each takes six bytes in JSON. An answer of nothing else, which has
/// at most [`limits::ANSWER_BYTES`], still fits once.
fn fit(mut result: ResultRecord, limit: u64) -> ResultRecord {
    if json_bytes(&result) <= limit {
        return result;
    }
    result.raw = None;
    if result.partial_review.is_some() {
        // The passes themselves hold it.
        result.partial = None;
    }
    let commands = std::mem::take(&mut result.commands).len();
    result.more_commands += u32::try_from(commands).unwrap_or(u32::MAX);
    let mut left_out = "the text as it came and the commands";
    if let Some(Answer::Consult(answer)) = &mut result.answer {
        answer.code.clear();
        left_out = "the text as it came, the commands and the list of code";
    }
    result.warnings.push(format!(
        "the result was too long to be kept without leaving out {left_out}"
    ));
    result
}

/// Counts the bytes of a value as JSON without keeping them.
fn json_bytes(value: &impl Serialize) -> u64 {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => u64::MAX,
    }
}

/// The tokens of this run: the thread's total less what it had before. Unknown when that is unknown.
fn own_usage(spec: &Spec, total: Option<Usage>) -> Option<Usage> {
    match (&spec.resume, spec.usage_before) {
        (None, _) => total,
        (Some(_), Some(before)) => total.map(|total| total.since(before)),
        (Some(_), None) => None,
    }
}

/// The tokens of this run and of its thread: what the last turn told when it was over, or what was counted meanwhile
/// where that is more, as in a run that was ended in the middle of a turn.
pub(in crate::run) fn tokens(spec: &Spec, transcript: &Transcript) -> (Option<Usage>, Option<Usage>) {
    let told = own_usage(spec, transcript.thread_usage);
    match transcript.used {
        Some(used) if told.is_none_or(|told| told.total() < used.total()) => (
            Some(used),
            // The tokens of a thread are known only where those before this run are.
            match (&spec.resume, spec.usage_before) {
                (Some(_), None) => None,
                (_, before) => Some(used.after(before.unwrap_or_default())),
            },
        ),
        _ => (told, transcript.thread_usage),
    }
}

/// Says what became of a budget that did not end its run.
fn budget_warning(
    spec: &Spec,
    state: JobState,
    usage: Option<Usage>,
    transcript: &Transcript,
) -> Option<String> {
    let budget = spec.budget_tokens?;
    let over = usage.map_or(0, Usage::total).saturating_sub(budget);
    if over > 0 && state == JobState::Succeeded {
        return Some(format!(
            "the run exceeded its budget of {budget} tokens by {over}; its answer was complete before that was seen"
        ));
    }
    (transcript.completed_turns > 0 && transcript.used.is_none()).then(|| {
        format!(
            "{} told no tokens while it ran, so the budget could not be kept",
            spec.peer.name
        )
    })
}

/// Bytes of a text that is kept as it came also where the answer is the same text.
const COPY_BYTES: usize = 256 * 1024;

/// Tells whether a long text stands in the answer as it came: then a second copy is room and memory for nothing.
fn is_long_copy(raw: &str, answer: &Answer) -> bool {
    let Answer::Consult(answer) = answer else {
        return false;
    };
    raw.len() > COPY_BYTES && answer.answer == raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::answer::{CodeBlock, ConsultAnswer};
    use crate::domain::job::{JobId, WorkspaceHash};
    use crate::state::directory::JobDirectory;

    fn usage(input: u64) -> Usage {
        Usage {
            input,
            ..Usage::default()
        }
    }

    /// A run that continues a thread which had used 100 tokens before.
    fn spec() -> Spec {
        let thread = "019a0000-0000-7000-8000-000000000000".to_owned();
        Spec {
            budget_tokens: Some(50),
            resume: Some(thread.try_into().unwrap()),
            usage_before: Some(usage(100)),
            ..crate::state::record::tests::spec(&JobId::new(1, WorkspaceHash::of(b"w"), 1))
        }
    }

    #[test]
    fn the_larger_count_is_the_true_one() {
        let check = |thread: Option<u64>, used: Option<u64>, expected: Option<(u64, u64)>| {
            let transcript = Transcript {
                thread_usage: thread.map(usage),
                used: used.map(usage),
                ..Transcript::default()
            };
            let (run, thread) = tokens(&spec(), &transcript);
            assert_eq!(
                run.zip(thread),
                expected.map(|(run, thread)| (usage(run), usage(thread)))
            );
        };
        check(None, None, None);
        check(Some(130), None, Some((30, 130)));
        check(None, Some(30), Some((30, 130)));
        check(Some(130), Some(30), Some((30, 130)));
        // A first turn that was completed, and a second one that was ended.
        check(Some(130), Some(70), Some((70, 170)));
        check(Some(170), Some(30), Some((70, 170)));
    }

    #[test]
    fn a_budget_that_ended_no_run_is_spoken_of_where_it_matters() {
        let check = |state: JobState, run: u64, counted: bool, expected: Option<&str>| {
            let transcript = Transcript {
                completed_turns: 1,
                used: counted.then(|| usage(run)),
                ..Transcript::default()
            };
            let warning = budget_warning(&spec(), state, Some(usage(run)), &transcript);
            match expected {
                None => assert_eq!(warning, None),
                Some(part) => assert!(
                    warning.as_deref().is_some_and(|text| text.contains(part)),
                    "{warning:?}"
                ),
            }
        };
        check(JobState::Succeeded, 50, true, None);
        check(
            JobState::Succeeded,
            51,
            true,
            Some("its budget of 50 tokens by 1"),
        );
        check(JobState::Failed, 51, true, None);
        check(JobState::Succeeded, 50, false, Some("could not be kept"));
    }

    fn result(text: &str) -> ResultRecord {
        ResultRecord {
            version: VERSION,
            state: JobState::Succeeded,
            ended_ms: 1,
            elapsed_ms: 1,
            answer: Some(Answer::Consult(ConsultAnswer {
                answer: text.to_owned(),
                code: vec![CodeBlock {
                    language: "text".into(),
                    path: None,
                    text: text.to_owned(),
                }],
                report: None,
                questions: Vec::new(),
                assumptions: Vec::new(),
            })),
            fault: None,
            work: None,
            partial: None,
            partial_review: None,
            raw: Some(text.to_owned()),
            thread: None,
            usage: None,
            thread_usage: None,
            cost_usd: None,
            commands: vec![CommandRecord {
                command: "ls".into(),
                exit_code: Some(0),
            }],
            more_commands: 1,
            leaked: Vec::new(),
            warnings: Vec::new(),
            passes: Vec::new(),
        }
    }

    #[test]
    fn the_longest_answer_can_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let directory = JobDirectory::at(dir.path());
        let text = "\u{1}".repeat(limits::ANSWER_BYTES);
        let fitting = fit(result(&text), RECORD_BYTES);
        directory.write_result(&fitting).unwrap();
        let read = directory.read_result().unwrap().unwrap();
        let Some(Answer::Consult(answer)) = &read.answer else {
            panic!("no answer");
        };
        assert_eq!(answer.answer.len(), limits::ANSWER_BYTES);
        assert_eq!((read.commands.len(), read.more_commands), (0, 2));
        assert!(read.warnings[0].contains("too long"));
    }

    #[test]
    fn a_usual_result_is_kept_whole() {
        let usual = result("```\nan answer\n```");
        assert_eq!(fit(usual.clone(), RECORD_BYTES), usual);
        assert_eq!(
            json_bytes(&usual),
            serde_json::to_vec(&usual).unwrap().len() as u64
        );
    }
}
