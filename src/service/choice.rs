//! Closed sets of names, and the nearest one to a name that is in none.

use crate::domain::fault::Fault;

/// Looks a name up. The fault lists what is allowed and never repeats what was written.
pub(crate) fn choose<T: Copy>(
    field: &str,
    text: &str,
    names: &[&'static str],
    values: &[T],
) -> Result<T, Fault> {
    names
        .iter()
        .zip(values)
        .find_map(|(name, value)| (*name == text).then_some(*value))
        .ok_or_else(|| not_one_of(field, text, names))
}

/// Refuses a value of a closed set.
pub(crate) fn not_one_of(field: &str, text: &str, names: &[&'static str]) -> Fault {
    let hint = match nearest(text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of: {}", names.join(", ")),
    };
    Fault::argument(field, format!("`{field}` holds none of its allowed values"))
        .allowing(names.iter().copied())
        .hint(hint)
}

/// Longest argument name repeated in a fault. Names are the caller's own words, but a whole text is no name.
const NAME_CHARS: usize = 40;

/// Longest text compared: no name is longer, and the comparison is quadratic.
const COMPARED_CHARS: usize = 40;

/// Finds the one known name that a typing mistake away: a third of its letters at most.
pub(crate) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text: Vec<char> = text
        .chars()
        .take(COMPARED_CHARS + 1)
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' || c == ' ' { '_' } else { c })
        .collect();
    if text.is_empty() || text.len() > COMPARED_CHARS {
        return None;
    }
    known
        .map(|name| (distance(&text, name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Counts the letters to insert, delete or replace.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Refuses a name that does not exist, with the nearest one that does.
///
/// `prefix` is what stands before the name in a path, such as `options.`.
pub(crate) fn unknown<'a>(
    tool: &str,
    prefix: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Fault {
    if is_approval(name) {
        return Fault::argument(
            format!("{prefix}approval"),
            "`approval` is not taken: a peer that runs for another program never asks",
        )
        .hint("leave it out; consult and review can only read");
    }
    let shown = printable(name);
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{prefix}{near}`?"),
        None if prefix.is_empty() => format!("leave it out; the arguments of {tool} are listed in `allowed`"),
        None => "call status with topic=options for the keys and their meaning".to_owned(),
    };
    Fault::argument(
        format!("{prefix}{shown}"),
        format!("there is no `{prefix}{shown}`"),
    )
    .allowing(known)
    .hint(hint)
}

/// Tells whether a name asks for codex's approval policy, in any of the spellings of its flag and its configuration.
fn is_approval(name: &str) -> bool {
    let name = name.replace('-', "_");
    matches!(
        name.as_str(),
        "approval"
            | "approvals"
            | "approval_policy"
            | "approval_mode"
            | "ask_for_approval"
            | "approvalPolicy"
    )
}

/// Cuts a name down to what can be shown on one line.
fn printable(name: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
    let shown: String = name.chars().take(NAME_CHARS).take_while(fits).collect();
    if shown.is_empty() {
        "that name".to_owned()
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_name_and_another_word_does_not() {
        let known = ["working_tree", "staged", "branch", "commit", "wait_s"];
        let check = |text, expected| assert_eq!(nearest(text, known.into_iter()), expected, "{text}");
        check("working-tree", Some("working_tree"));
        check("Brnach", Some("branch"));
        check("wait", Some("wait_s"));
        check("stage", Some("staged"));
        check("everything", None);
        check("", None);
        check(&"x".repeat(10_000), None);
    }
}
