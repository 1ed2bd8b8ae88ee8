//! What the words of a text hint at: which peer, and which of our tools.
//!
//! A guess and never an order. Questions are often worded with the verbs of tasks ("explain how to add a user"), so a guess
//! that would write is told apart from one that is followed: [`Guess::Write`] is asked as a question.

/// What a text seems to want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// An answer.
    Ask,
    /// A review of what has changed.
    Review,
    /// A change of files.
    Write,
}

/// Beginnings of words that hint at codex, with a weight in tenths.
const CODEX: [(&str, i32); 18] = [
    ("fix", 3),
    ("ui", 3),
    ("frontend", 3),
    ("component", 3),
    ("css", 3),
    ("style", 3),
    ("implement", 2),
    ("create", 2),
    ("build", 2),
    ("add", 2),
    ("test", 2),
    ("spec", 2),
    ("script", 2),
    ("automat", 2),
    ("cli", 2),
    ("generate", 2),
    ("rename", 2),
    ("port", 2),
];

/// Beginnings of words that hint at claude, with a weight in tenths.
const CLAUDE: [(&str, i32); 10] = [
    ("architect", 3),
    ("design", 3),
    ("refactor", 2),
    ("explain", 2),
    ("why", 2),
    ("reason", 2),
    ("plan", 2),
    ("strategy", 2),
    ("debug", 2),
    ("security", 2),
];

/// Words with which a question begins. One at the start decides, whatever verbs follow it.
const ASKING: [&str; 24] = [
    "explain",
    "why",
    "how",
    "what",
    "when",
    "where",
    "which",
    "who",
    "is",
    "are",
    "does",
    "do",
    "can",
    "could",
    "should",
    "would",
    "summarize",
    "summarise",
    "describe",
    "analyse",
    "analyze",
    "understand",
    "compare",
    "tell",
];

/// Beginnings of words that ask for a change. Some words of other languages are among them, whole.
const WRITING: [&str; 30] = [
    "fix",
    "chang",
    "implement",
    "write",
    "edit",
    "modif",
    "updat",
    "refactor",
    "patch",
    "add",
    "creat",
    "delet",
    "remov",
    "renam",
    "replac",
    "migrat",
    "generat",
    "build",
    "修复",
    "实现",
    "修改",
    "添加",
    "重构",
    "更新",
    "创建",
    "编写",
    "删除",
    "移除",
    "调整",
    "优化",
];

/// Beginnings of words that ask for a review.
const REVIEWING: [&str; 9] = [
    "review", "audit", "inspect", "check", "critique", "vulnerab", "审查", "检查", "评审",
];

/// Risks: a writing word beside one of them asks for a look first.
const RISKS: [&str; 8] = [
    "risk", "safety", "secur", "vulnerab", "风险", "安全", "漏洞", "隐患",
];

/// Questions of a language that puts no space between words: what a text begins with.
const ASKING_PREFIXES: [&str; 12] = [
    "解释",
    "说明",
    "为什么",
    "怎么",
    "如何",
    "怎样",
    "分析",
    "总结",
    "描述",
    "理解",
    "搞清楚",
    "什么",
];

/// Characters that are looked at. A task says in its first lines what it wants.
const CHARS: usize = 2000;

/// Guesses what a text wants.
pub fn guess(text: &str) -> Guess {
    let words = words(text);
    let whole: String = text.trim_start().chars().take(CHARS).collect();
    let asks = words.first().is_some_and(|word| ASKING.contains(&word.as_str()))
        || ASKING_PREFIXES.iter().any(|prefix| whole.starts_with(prefix))
        || whole.trim_end().ends_with(['?', '？']);
    if asks {
        return Guess::Ask;
    }
    let lower = whole.to_lowercase();
    if lower.contains("find bugs") || lower.contains("look for issues") {
        return Guess::Review;
    }
    // The first of them says what is wanted: "review my changes" and "fix what the review found" have both.
    let first = |known: &[&str]| {
        let found = |start: &&str| {
            if start.is_ascii() {
                words.iter().position(|word| begins(word, start))
            } else {
                whole.find(*start)
            }
        };
        known.iter().filter_map(found).min()
    };
    match (first(&WRITING), first(&REVIEWING)) {
        (Some(writes), Some(reviews)) if reviews < writes => Guess::Review,
        (Some(_), _) if first(&RISKS).is_some() => Guess::Review,
        (Some(_), _) => Guess::Write,
        (None, Some(_)) => Guess::Review,
        (None, None) => Guess::Ask,
    }
}

/// Returns the weights for codex and for claude, in tenths. Each word of the lists counts once.
pub(super) fn weights(text: &str) -> (i32, i32) {
    let words = words(text);
    let sum = |list: &[(&str, i32)]| {
        let found = list
            .iter()
            .filter(|(start, _)| words.iter().any(|word| begins(word, start)));
        found.map(|(_, weight)| *weight).sum::<i32>()
    };
    (sum(&CODEX), sum(&CLAUDE))
}

/// Tells whether a word begins so; a short one must be whole.
fn begins(word: &str, start: &str) -> bool {
    match start.len() {
        ..=3 => word == start,
        _ => word.starts_with(start),
    }
}

fn words(text: &str) -> Vec<String> {
    let beginning: String = text.chars().take(CHARS).collect();
    let split = beginning.split(|c: char| !c.is_alphanumeric());
    split
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_a_question_whatever_verbs_it_has() {
        let check = |text: &str, expected: Guess| assert_eq!(guess(text), expected, "{text}");
        check("Explain how the add-on loader works", Guess::Ask);
        check("How do I fix the build?", Guess::Ask);
        check("the update, is it safe?", Guess::Ask);
        check("如何修复这个错误", Guess::Ask);
        check("解释一下修改", Guess::Ask);
        check("A thought about caches", Guess::Ask);
        check("", Guess::Ask);
        check("Review my changes", Guess::Review);
        check("Fix what the review found", Guess::Write);
        check("Please find bugs in the parser", Guess::Review);
        check("Fix the security holes", Guess::Review);
        check("检查代码", Guess::Review);
        check("Fix the flaky test", Guess::Write);
        check("Please add a flag --quiet", Guess::Write);
        check("修复这个错误", Guess::Write);
        check("Refactoring of the cache", Guess::Write);
        check("The fixture is old", Guess::Ask);
        check("An address book", Guess::Ask);
    }

    proptest! {
        #[test]
        fn what_ends_with_a_question_mark_never_writes(text in "[a-z ]{0,60}") {
            prop_assert_eq!(guess(&format!("{text}?")), Guess::Ask);
        }

        #[test]
        fn every_text_is_guessed(text in any::<String>()) {
            let _ = (guess(&text), weights(&text));
        }
    }
}
