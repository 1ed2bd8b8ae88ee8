//! Finds all keywords of all rules in one pass.
//!
//! Following an automaton waits for memory at every byte. A long text is therefore read in several places at once: the
//! lanes do not depend on each other, so one waits while another works. With one lane the pass takes twice as long.

use std::ops::Range;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

/// Places in which a text is read at once.
const LANES: usize = 4;
/// A text shorter than this is read in one place.
const LANED_BYTES: usize = 4096;

/// The keywords, compiled.
#[derive(Debug)]
pub(super) struct Keywords {
    automaton: DFA,
    /// The rule of each keyword.
    owners: Vec<usize>,
}

/// A keyword at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The rule that asked for it.
    pub(super) owner: usize,
    /// Its first byte.
    pub(super) start: usize,
    /// The byte behind its last.
    pub(super) end: usize,
}

impl Keywords {
    /// Compiles keywords with the rules that ask for them. None may be empty.
    pub(super) fn build<'a>(keywords: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let (owners, keywords): (Vec<usize>, Vec<&str>) = keywords.unzip();
        let automaton = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(keywords)
            .expect("the keywords are few and short; a test builds them");
        Self { automaton, owners }
    }

    /// Returns every occurrence that begins in a block of the text, overlapping ones too, nearly in their order.
    pub(super) fn find(&self, text: &[u8], block: Range<usize>) -> Vec<Hit> {
        let length = if block.len() < LANED_BYTES {
            0
        } else {
            block.len() / LANES
        };
        let border = |lane: usize| block.start + lane * length;
        let part = |lane: usize| &text[border(lane)..border(lane + 1)];
        let mut lanes: [Vec<Hit>; LANES] = Default::default();
        let [mut first, mut second, mut third, mut fourth] = [self.start(); LANES];
        let bytes = part(0).iter().zip(part(1)).zip(part(2)).zip(part(3));
        // Spelled out lane by lane: a compiler that is asked for a small program makes a loop over the lanes of it, and
        // that takes more than twice as long.
        for (at, (((one, two), three), four)) in bytes.enumerate() {
            first = self.automaton.next_state(Anchored::No, first, *one);
            second = self.automaton.next_state(Anchored::No, second, *two);
            third = self.automaton.next_state(Anchored::No, third, *three);
            fourth = self.automaton.next_state(Anchored::No, fourth, *four);
            // What is special has the smallest numbers.
            if self
                .automaton
                .is_special(first.min(second).min(third.min(fourth)))
            {
                for (lane, state) in [first, second, third, fourth].into_iter().enumerate() {
                    self.push(&mut lanes[lane], state, border(lane) + at + 1, usize::MAX);
                }
            }
        }
        let states = [first, second, third, fourth];
        // A keyword belongs to the lane in which it begins, so each lane reads on for as long as one may last.
        let reach = self.automaton.max_pattern_len();
        let mut hits = Vec::new();
        for (lane, found) in lanes.into_iter().enumerate() {
            hits.extend(found);
            let from = border(lane + 1);
            let before = if lane + 1 == LANES { block.end } else { from };
            let to = text.len().min(before + reach);
            let mut state = states[lane];
            for (at, byte) in text[from..to].iter().enumerate() {
                state = self.automaton.next_state(Anchored::No, state, *byte);
                if self.automaton.is_special(state) {
                    self.push(&mut hits, state, from + at + 1, before);
                }
            }
        }
        hits
    }

    fn start(&self) -> StateID {
        self.automaton
            .start_state(Anchored::No)
            .expect("the automaton was built for searches that are not anchored")
    }

    /// Adds the keywords that end here and begin before a border.
    fn push(&self, hits: &mut Vec<Hit>, state: StateID, end: usize, before: usize) {
        if !self.automaton.is_match(state) {
            return;
        }
        for index in 0..self.automaton.match_len(state) {
            let pattern = self.automaton.match_pattern(state, index);
            let start = end - self.automaton.pattern_len(pattern);
            if start < before {
                hits.push(Hit {
                    owner: self.owners[pattern.as_usize()],
                    start,
                    end,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Not a multiple of anything in the texts, so borders fall everywhere.
    const BLOCK: usize = 5003;
    const WORDS: [&str; 5] = ["secret", "ecret_key", "key", "sk-", "k"];

    fn keywords() -> Keywords {
        Keywords::build(WORDS.into_iter().enumerate())
    }

    fn naive(text: &str) -> Vec<Hit> {
        let mut hits: Vec<Hit> = WORDS
            .iter()
            .enumerate()
            .flat_map(|(owner, word)| {
                (0..text.len())
                    .filter(move |start| text.as_bytes()[*start..].starts_with(word.as_bytes()))
                    .map(move |start| Hit {
                        owner,
                        start,
                        end: start + word.len(),
                    })
            })
            .collect();
        hits.sort_by_key(|hit| (hit.start, hit.owner));
        hits
    }

    fn found(text: &str) -> Vec<Hit> {
        let keywords = keywords();
        let blocks = (0..text.len()).step_by(BLOCK);
        let mut hits: Vec<Hit> = blocks
            .flat_map(|start| keywords.find(text.as_bytes(), start..text.len().min(start + BLOCK)))
            .collect();
        hits.sort_by_key(|hit| (hit.start, hit.owner));
        hits
    }

    #[test]
    fn keywords_on_the_border_of_two_lanes_are_found_once() {
        for shift in 0..16 {
            let text = "x".repeat(shift) + &"secret_key sk-".repeat(400);
            assert_eq!(found(&text), naive(&text), "{shift}");
        }
    }

    proptest! {
        #[test]
        fn every_keyword_is_found(unit in "(secret|_key|sk-|k|[a-z]{0,3}| ){1,8}", times in 0..1500_usize) {
            let text = unit.repeat(times);
            prop_assert_eq!(found(&text), naive(&text));
        }
    }
}
