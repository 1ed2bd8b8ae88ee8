//! Gathers what several passes left into what one job leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::domain::limits;
use crate::domain::pass::Pass;
use crate::domain::usage::Usage;
use crate::peer::event::Event;
use crate::peer::transcript::{Transcript, truncate};
use crate::run::remains::Remains;
use crate::run::review::early::partial_review;
use crate::run::review::pass::Ended;
use crate::state::directory::JobDirectory;
use crate::state::events::Entry;
use crate::state::passes;
use crate::state::record::Spec;

/// Bytes of what several passes said that are repeated in a result beside its answer.
const COPY_BYTES: usize = 256 * 1024;

/// Which words of passes stand in the result of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Those of all passes, unless they are long: there is an answer, and their records hold them.
    IfShort,
    /// Those of all passes: there is no answer that says the same.
    Always,
}

/// What passes left besides their answers.
#[derive(Debug, Default)]
pub(super) struct Left(Vec<(Pass, Remains, bool)>);

impl Left {
    /// Takes what a pass left and returns its answer, or why there is none.
    pub(super) fn take<T>(&mut self, ended: Ended<T>) -> (Pass, Result<T, super::pass::Failure>) {
        let answered = ended.outcome.is_ok();
        self.0.push((ended.pass.clone(), ended.remains, answered));
        (ended.pass, ended.outcome)
    }

    /// Adds all of it to what the job leaves. The thread is that of the first pass which answered: whoever goes on with the
    /// job goes on with it. Each pass has a record with its own, and with what it said, which is read back from there.
    pub(super) fn give_to(mut self, directory: &JobDirectory, told: Told, remains: &mut Remains) {
        self.0.sort_by_key(|(pass, ..)| pass.number);
        let first = self.0.iter().position(|(.., answered)| *answered);
        let with_thread = || self.0.iter().position(|(pass, ..)| pass.thread.is_some());
        let first = first.or_else(with_thread).unwrap_or(0);
        let several = self.0.len() > 1;
        let text = joined(self.0.iter_mut().filter_map(|(pass, left, _)| {
            let kept = || passes::read_one(directory, pass.number)?.text;
            let text = left.transcript.last_message.take().or_else(kept)?;
            Some((name(pass), text))
        }));
        let is_told = |text: &String| told == Told::Always || !several || text.len() <= COPY_BYTES;
        let text = text.filter(is_told);
        let usage = sum(self.0.iter().filter_map(|(pass, ..)| pass.usage));
        let mut thread_usage = None;
        let mut whole: Option<Transcript> = None;
        let mut beside = Vec::new();
        for (index, (pass, left, _)) in self.0.into_iter().enumerate() {
            remains.leaked.extend(left.leaked);
            for warning in left.warnings {
                if !remains.warnings.contains(&warning) {
                    remains.warnings.push(warning);
                }
            }
            remains.passes.push(pass);
            if index == first {
                thread_usage = left.counted.and_then(|(_, thread)| thread);
                whole = Some(left.transcript);
            } else {
                beside.push(left.transcript);
            }
        }
        let mut whole = whole.unwrap_or_default();
        for other in beside {
            whole.add_beside(other);
        }
        whole.last_message = text;
        remains.transcript = whole;
        remains.counted = Some((usage, thread_usage));
    }
}

/// Collects from the disk what the passes of a job left whose worker died: of those that ended their records, of the
/// others what the event log has. What the records say is merged too.
pub fn salvaged(directory: &JobDirectory, spec: &Spec, entries: &[Entry], remains: &mut Remains) {
    let mut by_pass: BTreeMap<u32, Transcript> = BTreeMap::new();
    let mut used = None;
    for entry in entries {
        if let Event::Tokens { used: of_job } = entry.event {
            // The log has the tokens of all passes together.
            used = Some(of_job);
        } else {
            let transcript = by_pass.entry(entry.pass.unwrap_or(1)).or_default();
            transcript.push(&entry.event);
        }
    }
    let ended: BTreeMap<u32, Pass> = passes::each(directory)
        .map(|record| (record.pass.number, record.pass))
        .collect();
    let known = sum(ended.values().filter_map(|pass| pass.usage));
    let numbers: BTreeSet<u32> = by_pass.keys().chain(ended.keys()).copied().collect();
    let text = joined(numbers.into_iter().filter_map(|number| {
        let kept = ended.get(&number).and_then(|pass| {
            let text = passes::read_one(directory, number)?.text?;
            Some((name(pass), text))
        });
        kept.or_else(|| {
            let text = by_pass.get_mut(&number)?.last_message.take()?;
            Some((format!("pass {number}, not over"), text))
        })
    }));
    let mut transcripts = by_pass.into_values();
    let mut whole = transcripts.next().unwrap_or_default();
    for other in transcripts {
        whole.add_beside(other);
    }
    whole.last_message = text;
    if !ended.is_empty() {
        remains.warnings.push(format!(
            "{} of the review's passes had ended; what they said is kept",
            ended.len()
        ));
    }
    remains.counted = Some((used.or(known), whole.thread_usage));
    remains.passes = ended.into_values().collect();
    remains.partial_review = partial_review(directory, spec);
    remains.transcript = whole;
}

fn name(pass: &Pass) -> String {
    format!("pass {} ({})", pass.number, pass.purpose.spoken())
}

/// Puts the texts of several passes into one, each under its name; a single one stays as it came. What is beyond the bound
/// of an answer stands in the records of the passes.
fn joined(mut texts: impl Iterator<Item = (String, String)>) -> Option<String> {
    let (name, only) = texts.next()?;
    let Some(second) = texts.next() else {
        return Some(only);
    };
    let mut whole = String::new();
    for (name, text) in [(name, only), second].into_iter().chain(texts) {
        let _ = writeln!(whole, "--- {name} ---\n{text}");
        if whole.len() > limits::ANSWER_BYTES {
            break;
        }
    }
    truncate(&mut whole, limits::ANSWER_BYTES);
    Some(whole)
}

fn sum(usages: impl Iterator<Item = Usage>) -> Option<Usage> {
    usages.reduce(|sum, used| used.after(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_one_pass_stay_as_they_came() {
        let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(joined([].into_iter()), None);
        let one = text("pass 1", "{\"a\":1}");
        assert_eq!(joined([one.clone()].into_iter()).as_deref(), Some("{\"a\":1}"));
        let both = joined([one, text("pass 2", "{}")].into_iter());
        assert_eq!(
            both.as_deref(),
            Some("--- pass 1 ---\n{\"a\":1}\n--- pass 2 ---\n{}\n")
        );
    }
}
