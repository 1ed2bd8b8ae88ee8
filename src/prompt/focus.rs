//! What a reviewer is told to look for: the caller's own words, or a list that has a name.

use std::borrow::Cow;

/// A focus with a name, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What callers write.
    pub name: &'static str,
    /// What the reviewer is told.
    pub checklist: &'static str,
}

/// The presets, in the order in which they are told.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "security",
        checklist: "Security: input that reaches a command, a query, a path, a template or a format string unescaped; checks of \
            identity or permission that are missing, after the act, or on the wrong object; secrets that are logged, stored or \
            compared in the open; unsafe deserialisation, redirects and fetches to an address of the caller's choice; weak or \
            home-made cryptography and predictable randomness; races between a check and its use; limits that are missing.",
    },
    Preset {
        name: "performance",
        checklist: "Performance: work that grows faster than its input; queries, calls or allocations inside of loops; data that \
            is read or copied whole where a part would do; locks that are held across slow work; caches without a bound or \
            without invalidation; blocking calls on an asynchronous path; indexes that a new query needs and does not have.",
    },
    Preset {
        name: "correctness",
        checklist: "Correctness: wrong results for empty, single, largest, negative, missing and non-ASCII input; off-by-one and \
            overflow; conditions that are inverted or never true; errors that are swallowed or leave half of the work done; \
            state that two callers change at once; resources that are not given back; callers elsewhere that still expect the \
            behaviour before the change.",
    },
    Preset {
        name: "tests",
        checklist: "Tests: behaviour of this change that no test would notice breaking; tests that cannot fail, or that test the \
            double instead of the code; failure paths and borders without a case; sleeps, clocks, order and network that make a \
            test unsteady; expectations that were loosened or removed to let the change pass.",
    },
    Preset {
        name: "api",
        checklist: "Interfaces: changes that break callers in this repository or outside of it: names, signatures, defaults, \
            errors, formats on the wire and on disk, exit codes; versions and migrations that are missing, in both directions; \
            new interfaces that are easy to use wrongly; documentation and examples that no longer say what holds.",
    },
    Preset {
        name: "adversarial",
        checklist: "Assume that the change is wrong and try to break it: hostile and malformed input, failures halfway, retries and \
            repeats, two at once, an old version beside a new one, a full disk, a slow network, a clock that jumps, and each \
            assumption that the code does not check.",
    },
];

/// Returns what a focus stands for: one preset, several with commas, or the words themselves.
pub fn expand(focus: &str) -> Cow<'_, str> {
    let find = |word: &str| PRESETS.iter().find(|preset| preset.name == word.trim());
    let presets: Option<Vec<&Preset>> = focus.split(',').map(find).collect();
    match presets {
        Some(presets) => {
            let mut lists: Vec<&str> = Vec::new();
            for preset in presets {
                if !lists.contains(&preset.checklist) {
                    lists.push(preset.checklist);
                }
            }
            Cow::Owned(lists.join("\n\n"))
        }
        None => Cow::Borrowed(focus),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_stand_for_a_list() {
        for preset in PRESETS {
            assert_eq!(expand(preset.name), preset.checklist);
            assert!(!preset.checklist.contains("  "), "{}", preset.checklist);
        }
        let two = expand("security, tests,security");
        assert!(
            two.starts_with("Security:") && two.contains("\n\nTests:"),
            "{two}"
        );
        assert_eq!(two.matches("Security:").count(), 1);
        for words in [
            "security of the parser",
            "Security",
            "security, the parser",
            "error handling",
            "",
        ] {
            assert_eq!(expand(words), words);
        }
    }
}
