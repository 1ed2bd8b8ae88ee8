//! What the words of a finding say, so that two reviewers' words for one defect can be compared.
//!
//! Words are brought to their stems; words for one kind of defect count as one word, and count more than others, since
//! reviewers agree on the kind of a defect and on little else. Words of the quoted code count little: findings of one place
//! share them whatever they mean. No weight depends on the other findings of a review, so whether two are the same does not
//! change with what else was found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use crate::domain::finding::Finding;
use crate::domain::fingerprint::sha256_hex;

/// Words of a finding that are looked at: a title and the first sentences of a risk.
const WORDS: usize = 80;
/// Shortest word that counts, apart from those of a kind.
const WORD_CHARS: usize = 3;
/// Shortest stem that is left of a word.
const STEM_CHARS: usize = 3;

/// What a word of a title counts in its title.
const TITLE_WEIGHT: f32 = 2.0;
/// What a word of a risk counts.
const RISK_WEIGHT: f32 = 1.0;
/// What a word counts more that names a kind of defect.
const KIND_FACTOR: f32 = 2.0;
/// What a word counts less that every finding may have, or that stands in the quoted code.
const COMMON_FACTOR: f32 = 0.2;
/// What is left of an agreement between findings that name kinds of defects of which none is the same.
const OTHER_KIND: f32 = 0.4;

/// Words that name one kind of defect, a line each.
const KINDS: [&str; 22] = [
    "null nil none undefined npe unwrap dereference deref nullable missing absent",
    "bounds bound index indices fencepost boundary inclusive exclusive overrun off-by-one element",
    "overflow overflows underflow wraparound wrap truncate truncation narrowing saturating cast",
    "injection inject sanitize sanitise escape unescaped interpolate interpolation concatenate untrusted attacker sql xss",
    "traversal symlink dotdot directory outside escape",
    "race concurrent concurrency concurrently atomic lock unlock mutex deadlock thread toctou synchronize simultaneously",
    "leak leaks close closed unclosed release released dispose descriptor cleanup",
    "swallow ignore ignored discard discarded unchecked unhandled suppress silently lost",
    "subtract subtraction minus plus addition operator arithmetic sign sum difference",
    "divide division divisor zero modulo denominator average",
    "secret credential password token hardcoded plaintext apikey",
    "authentication authorization authorize permission privilege unauthenticated login admin",
    "quadratic slow slower performance complexity expensive latency",
    "compatibility breaking incompatible signature caller callers",
    "untested test tests assertion assert coverage",
    "encoding utf unicode ascii decode encode bytes character",
    "timezone utc clock timestamp midnight daylight",
    "dangling lifetime freed use-after-free double-free uaf",
    "infinite endless forever hang hangs terminate recursion",
    "inverted inverse negate negated negation reversed opposite condition comparison flipped",
    "mutable default shared aliasing alias mutated mutate",
    "retry retries timeout backoff idempotent duplicate twice repeated",
];

/// Words that say nothing about which defect it is.
const COMMON: &str = "function method code line value variable return returned result error bug issue wrong incorrect \
    change call called caller input user file data case may might can could will would should must when where which while \
    this that these those with without from into for and the not are has have been being was were its than then there \
    here every each any some all only also instead because since after before new old use used using make made cause \
    crash panic exception throw fail failure failing unexpected behavior behaviour problem possible potential potentially \
    now does always never still even more less same other such";

/// The words of a finding, by hash, in order.
#[derive(Debug)]
pub(super) struct Words {
    title: Bag,
    whole: Bag,
    /// Which kinds of defects are named.
    kinds: u32,
}

impl Words {
    pub(super) fn of(finding: &Finding) -> Self {
        let quoted: Vec<String> = split(&finding.evidence).collect();
        let (mut title, mut whole) = (BTreeMap::new(), BTreeMap::new());
        let mut kinds = 0;
        let titled = split(&finding.title).map(|word| (word, true));
        let told = split(&finding.risk).map(|word| (word, false));
        for (word, is_title) in titled.chain(told).take(WORDS) {
            let stem = stem(&word);
            let kind = known().kinds.get(stem.as_str()).copied();
            if kind.is_none() && word.chars().count() < WORD_CHARS {
                continue;
            }
            let is_common = known().common.contains(stem.as_str());
            let is_quoted = quoted.contains(&word);
            let factor = match kind {
                _ if is_quoted => COMMON_FACTOR,
                Some(kind) => {
                    kinds |= 1 << kind;
                    KIND_FACTOR
                }
                None if is_common => COMMON_FACTOR,
                None => 1.0,
            };
            let name = kind.map_or_else(|| hash(&stem), u64::from);
            let weight = factor * if is_title { TITLE_WEIGHT } else { RISK_WEIGHT };
            let add = |bag: &mut BTreeMap<u64, f32>| {
                let known = bag.entry(name).or_insert(weight);
                *known = known.max(weight);
            };
            add(&mut whole);
            if is_title {
                add(&mut title);
            }
        }
        Self {
            title: Bag::of(title),
            whole: Bag::of(whole),
            kinds,
        }
    }

    /// Returns how much two findings' words agree, from 0 to 1: by their titles alone or with what they say of the risk,
    /// whichever is more, since one reviewer puts into the title what another one explains below.
    pub(super) fn agreement(&self, other: &Self) -> f32 {
        let shared = self
            .title
            .shared(&other.title)
            .max(self.whole.shared(&other.whole));
        if self.kinds != 0 && other.kinds != 0 && self.kinds & other.kinds == 0 {
            shared * OTHER_KIND
        } else {
            shared
        }
    }
}

/// Words with what they count.
#[derive(Debug, Default)]
struct Bag {
    words: Vec<(u64, f32)>,
    sum: f32,
}

impl Bag {
    fn of(words: BTreeMap<u64, f32>) -> Self {
        let words: Vec<(u64, f32)> = words.into_iter().collect();
        let sum = words.iter().map(|(_, weight)| weight).sum();
        Self { words, sum }
    }

    /// Returns twice what both have over what each has.
    fn shared(&self, other: &Self) -> f32 {
        if self.sum + other.sum <= 0.0 {
            return 0.0;
        }
        let (mut one, mut two) = (self.words.iter().peekable(), other.words.iter().peekable());
        let mut both = 0.0;
        while let (Some((a, weight)), Some((b, other))) = (one.peek(), two.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(one.next()),
                std::cmp::Ordering::Greater => drop(two.next()),
                std::cmp::Ordering::Equal => {
                    both += weight.min(*other);
                    one.next();
                    two.next();
                }
            }
        }
        2.0 * both / (self.sum + other.sum)
    }
}

/// The lists above as they are looked up.
struct Known {
    kinds: HashMap<String, u32>,
    common: HashSet<String>,
}

fn known() -> &'static Known {
    static KNOWN: LazyLock<Known> = LazyLock::new(|| {
        let kinds = KINDS.iter().zip(0..).flat_map(|(line, kind)| {
            let words = line.split_whitespace();
            words.map(move |word| (stem(word), kind))
        });
        let mut by_word = HashMap::new();
        for (word, kind) in kinds {
            // A word of two kinds is one of the first.
            by_word.entry(word).or_insert(kind);
        }
        Known {
            kinds: by_word,
            common: COMMON.split_whitespace().map(stem).collect(),
        }
    });
    &KNOWN
}

/// Returns the words of a text in lower case. A hyphen joins words that are one only where the lists know it so.
fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let words = text.split(move |c: char| !is_part(c));
    words
        .flat_map(|word| {
            let word = word.trim_matches(['-', '_']).to_lowercase();
            if word.contains('-') && !KNOWN_COMPOUNDS.contains(&word.as_str()) {
                word.split('-').map(str::to_owned).collect()
            } else {
                vec![word]
            }
        })
        .filter(|word| !word.is_empty())
}

/// Words with a hyphen that are one word.
const KNOWN_COMPOUNDS: [&str; 3] = ["off-by-one", "use-after-free", "double-free"];

/// Cuts off what English appends to a word. Wrong stems do no harm as long as they are the same for the same word.
fn stem(word: &str) -> String {
    const ENDINGS: [&str; 16] = [
        "ations", "ation", "ingly", "ions", "ion", "ings", "ing", "ers", "ed", "es", "er", "ly", "al", "ive",
        "s", "e",
    ];
    if !word.is_ascii() || word.contains('_') || word.chars().any(|c| c.is_ascii_digit()) {
        return word.to_owned();
    }
    for ending in ENDINGS {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= STEM_CHARS
            && !(ending == "s" && stem.ends_with('s'))
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

/// Returns a number for a text, the same in every process.
pub(super) fn hash(text: &str) -> u64 {
    // Numbers below this are those of the kinds.
    let digest = sha256_hex(text.as_bytes());
    u64::from_str_radix(&digest[..16], 16).unwrap_or_default() | (1 << 32)
}
