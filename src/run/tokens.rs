//! The tokens of a run while it runs, from the peer's event stream or from the record that it keeps of its thread.
//!
//! codex prints tokens only when a turn is over, which is too late for a budget. Its record has them after each response
//! of the model. Nothing here may hold up or fail a run: without a record the tokens are unknown until the turn's end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::environment::Environment;
use crate::domain::usage::Usage;
use crate::peer::event::Event;
use crate::peer::interface::Counting;
use crate::peer::records;
use crate::run::shared::Purse;
use crate::run::usage;
use crate::state::record::Spec;
use crate::sys::files;

/// Time between two looks while codex is silent.
const EVERY: Duration = Duration::from_secs(1);
/// Time from an event of codex to the look it causes: several events cause one look, and codex has written by then.
const AFTER_EVENT: Duration = Duration::from_millis(50);
/// How long an overrun is looked at before the run is ended for it, unless it goes on visibly. The overrun may be that of
/// the final response, and its answer, paid for, comes a moment later. Seen with codex-cli 0.169.0: 14 ms.
const GRACE: Duration = Duration::from_secs(1);
/// The same when the last thing that codex said is a deed of the model. What it said before the overrun may still be in
/// the pipe when the overrun is seen; a long answer takes a while.
const DEED_GRACE: Duration = Duration::from_millis(250);
/// Looks for a record that is not there before the run is taken for one without. codex 0.169.0 makes it at once.
const SEARCHES: u32 = 10;
/// Bytes read at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces read in one look; the rest is read in the next one.
const PIECES: usize = 64;

/// Counts the tokens of one job, over all its peers: a repair in the same thread uses the same budget.
pub struct Tokens<'a> {
    spec: &'a Spec,
    environment: &'a Environment,
    /// What the other passes of the job use of the same budget.
    purse: &'a Purse,
    pass: Option<u32>,
    thread: Option<String>,
    record: Option<Record>,
    searches: u32,
    next_look: Option<Instant>,
    used: Option<Usage>,
    /// What the processes before this one have used, where each tells its own tokens.
    earlier: Usage,
    /// The thread's total as codex itself told it at the end of a turn.
    told: Option<Usage>,
    over_since: Option<Instant>,
    /// Whether the last thing heard is a deed of the model, after which it is asked again.
    acted: bool,
}

impl<'a> Tokens<'a> {
    /// Knows nothing yet. `environment` tells where codex keeps its records.
    pub fn of(spec: &'a Spec, environment: &'a Environment, purse: &'a Purse, pass: Option<u32>) -> Self {
        Self {
            spec,
            environment,
            purse,
            pass,
            thread: None,
            record: None,
            searches: 0,
            next_look: None,
            used: None,
            earlier: Usage::default(),
            told: None,
            over_since: None,
            acted: false,
        }
    }

    /// A process begins, which tells its tokens from nothing on.
    pub fn begun(&mut self) {
        if self.counting() == Counting::InStream {
            self.earlier = self.used.unwrap_or_default();
        }
    }

    fn counting(&self) -> Counting {
        self.spec.peer.name.counting()
    }

    /// Hears what the peer reports, and makes tokens that it tells of one process those of the job.
    ///
    /// From the start of codex's thread on there is something to look at.
    pub fn heard(&mut self, event: &mut Event) {
        match event {
            Event::Tokens { used } => {
                *used = used.after(self.earlier);
                self.used = Some(*used);
                self.purse.note(self.pass, *used);
                if self.is_over() {
                    self.over_since.get_or_insert_with(Instant::now);
                    self.next_look = Some(Instant::now() + AFTER_EVENT);
                }
            }
            Event::ThreadStarted { thread }
                if !self.spec.ephemeral && self.counting() == Counting::InRecord =>
            {
                if self.thread.as_ref() != Some(thread) {
                    self.thread = Some(thread.clone());
                    self.record = None;
                }
                self.searches = 0;
                self.next_look = Some(Instant::now() + AFTER_EVENT);
            }
            Event::TurnStarted | Event::Thinking { .. } | Event::Message { .. } => self.acted = false,
            Event::CommandStarted { .. }
            | Event::CommandEnded { .. }
            | Event::FileChanged { .. }
            | Event::ToolCalled { .. } => self.acted = true,
            Event::TurnCompleted { thread_usage } => {
                self.told = (*thread_usage).or(self.told);
                if let Some(told) = self.told_own() {
                    self.purse.note(self.pass, told);
                }
            }
            _ => {}
        }
        self.look_within(AFTER_EVENT);
    }

    /// Waits until it is time for a look; for ever when there is nothing to look at. Safe to drop and call again.
    pub async fn due(&self) {
        match self.next_look {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Reads what codex has added to its record. Returns the tokens of this job so far if they have grown.
    pub fn look(&mut self) -> Option<Usage> {
        let Some(thread) = self.thread.as_deref() else {
            // There is nothing to read; whether the run is over its budget is asked for again while it is.
            self.next_look = self
                .over_since
                .filter(|_| !self.are_spent())
                .map(|_| Instant::now() + AFTER_EVENT);
            return None;
        };
        if self.record.is_none() {
            if self.searches >= SEARCHES {
                self.next_look = None;
                return None;
            }
            self.searches += 1;
            let path = usage::find_record(self.environment, thread);
            self.record = path.and_then(|path| Record::open(&path));
        }
        self.next_look = Some(Instant::now() + EVERY);
        let grown = self.count();
        if self.is_over() {
            self.over_since.get_or_insert_with(Instant::now);
            if !self.are_spent() {
                self.look_within(AFTER_EVENT);
            }
        }
        grown
    }

    /// Tells whether the job has used more than its budget.
    pub fn is_over(&self) -> bool {
        let others = self.purse.of_others(self.pass);
        [self.used, self.told_own()]
            .into_iter()
            .flatten()
            .chain([Usage::default()])
            .any(|used| is_over(self.spec, used.after(others)))
    }

    /// What this pass used of its thread, as codex itself told it.
    fn told_own(&self) -> Option<Usage> {
        let told = self.told.zip(self.before());
        told.map(|(total, before)| total.since(before))
    }

    /// Tells whether the run must end for want of tokens: it has used too many, and it is not just giving its answer.
    pub fn are_spent(&self) -> bool {
        let patience = if self.acted { DEED_GRACE } else { GRACE };
        self.over_since.is_some_and(|since| since.elapsed() >= patience)
    }

    fn look_within(&mut self, time: Duration) {
        self.next_look = self.next_look.map(|at| at.min(Instant::now() + time));
    }

    fn count(&mut self) -> Option<Usage> {
        let total = self.record.as_mut()?.newest_total()?;
        let used = total.since(self.before()?);
        if used.total() <= self.used.map_or(0, Usage::total) {
            return None;
        }
        self.used = Some(used);
        self.purse.note(self.pass, used);
        self.used
    }

    /// What the thread had used before this job: nothing, unless it is the one that was to be continued.
    fn before(&self) -> Option<Usage> {
        match &self.spec.resume {
            Some(asked) if self.spec.fork || self.thread.as_deref() == Some(asked.as_str()) => {
                self.spec.usage_before
            }
            _ => Some(Usage::default()),
        }
    }
}

/// Tells whether so many tokens are more than a job's budget.
fn is_over(spec: &Spec, used: Usage) -> bool {
    spec.budget_tokens.is_some_and(|budget| used.total() > budget)
}

/// The record of a thread, read to `offset`.
struct Record {
    file: File,
    offset: u64,
    /// Whether `offset` lies in a line whose beginning was not kept.
    inside_line: bool,
}

impl Record {
    /// Opens a record near its end: all that matters of an old one is its last total.
    fn open(path: &Path) -> Option<Self> {
        let file = files::open_regular(path).ok()?;
        let offset = file.metadata().ok()?.len().saturating_sub(usage::TAIL_BYTES);
        Some(Self {
            file,
            offset,
            inside_line: offset > 0,
        })
    }

    /// Returns the last total among the lines that came since the last time. A line that is not ended yet is left for
    /// the next time, unless it is longer than a piece: no counter is.
    fn newest_total(&mut self) -> Option<Usage> {
        let mut newest = None;
        let mut piece = Vec::new();
        for _ in 0..PIECES {
            // Nothing new is by far the most frequent answer, and costs no buffer.
            if self.file.metadata().ok()?.len() <= self.offset {
                break;
            }
            piece.resize(PIECE_BYTES, 0);
            let read = self.file.read_at(&mut piece, self.offset).unwrap_or(0);
            let Some(end) = piece[..read].iter().rposition(|byte| *byte == b'\n') else {
                if read < PIECE_BYTES {
                    break;
                }
                self.inside_line = true;
                self.offset += read as u64;
                continue;
            };
            let lines = piece[..end]
                .split(|byte| *byte == b'\n')
                .skip(usize::from(self.inside_line));
            newest = records::last_total(lines).or(newest);
            self.inside_line = false;
            self.offset += end as u64 + 1;
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    fn line(input: u64) -> String {
        format!(
            "{{\"type\":\"token_usage_record\",\"payload\":{{\"thread_token_usage\":{{\"input_tokens\":{input},\"output_tokens\":1}}}}}}\n"
        )
    }

    fn growing() -> (tempfile::NamedTempFile, Record) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let record = Record::open(file.path()).unwrap();
        (file, record)
    }

    fn input(usage: Option<Usage>) -> Option<u64> {
        usage.map(|usage| usage.input)
    }

    #[test]
    fn a_torn_line_is_read_when_it_is_whole() {
        let (mut file, mut record) = growing();
        let text = line(7);
        file.write_all(&text.as_bytes()[..20]).unwrap();
        assert_eq!(record.newest_total(), None);
        file.write_all(&text.as_bytes()[20..]).unwrap();
        assert_eq!(input(record.newest_total()), Some(7));
        assert_eq!(record.newest_total(), None);
    }

    #[test]
    fn a_line_that_is_longer_than_a_piece_hides_no_other() {
        let (mut file, mut record) = growing();
        file.write_all(&vec![b'x'; 3 * PIECE_BYTES + 1]).unwrap();
        assert_eq!(record.newest_total(), None);
        file.write_all(b"\n").unwrap();
        file.write_all(line(8).as_bytes()).unwrap();
        assert_eq!(input(record.newest_total()), Some(8));
    }

    #[test]
    fn an_old_record_is_read_from_near_its_end() {
        let (mut file, _) = growing();
        let filler = format!("{}\n", "x".repeat(99));
        file.write_all(line(1).as_bytes()).unwrap();
        for _ in 0..usage::TAIL_BYTES / 100 {
            file.write_all(filler.as_bytes()).unwrap();
        }
        assert_eq!(Record::open(file.path()).unwrap().newest_total(), None);
        file.write_all(line(2).as_bytes()).unwrap();
        let mut record = Record::open(file.path()).unwrap();
        assert_eq!(input(record.newest_total()), Some(2));
    }

    proptest! {
        #[test]
        fn however_a_record_grows_its_last_total_is_found(
            counts in prop::collection::vec(1u64..1000, 1..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let text = counts.iter().map(|count| line(*count)).collect::<Vec<_>>().join("{}\n");
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut file, mut record) = growing();
            let (mut begun, mut last) = (0, None);
            for cut in cuts {
                file.write_all(&text.as_bytes()[begun..cut]).unwrap();
                begun = cut;
                last = record.newest_total().or(last);
            }
            prop_assert_eq!(input(last), counts.last().copied());
        }
    }
}
