//! Twenty small repositories in five languages, two hundred changes with one defect each, two hundred without any, and
//! twenty that bring all ten defects of a repository at once.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::edits::{Edit, Edited, diff_of};
use crate::kinds::KINDS;
use crate::languages::{LANGUAGES, Language, NOUNS};

/// Repositories.
pub(crate) const REPOSITORIES: usize = 20;
/// Defects of each repository: one of each kind.
pub(crate) const DEFECTS: usize = 10;
/// Functions of a file.
const PER_FILE: usize = 3;
/// The seed of all repositories and changes.
const SEED: u64 = 2_024;

/// A defect that was put into a change.
#[derive(Clone, Debug)]
pub(crate) struct Defect {
    /// Its number over all repositories.
    pub(crate) id: usize,
    /// Index into [`KINDS`].
    pub(crate) kind: usize,
    pub(crate) file: String,
    /// The line of the file after the change that it is told of, 1-based.
    pub(crate) line: u32,
    /// That line and those after it, as far as the diff shows them.
    pub(crate) quote: Vec<String>,
    pub(crate) function: String,
    pub(crate) subject: String,
}

/// A change to be reviewed.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// For the dice.
    pub(crate) number: u64,
    pub(crate) language: &'static str,
    pub(crate) diff: String,
    /// Its files before and after.
    pub(crate) files: Vec<Edited>,
    pub(crate) defects: Vec<Defect>,
    /// Lines of the diff that have no defect, as a reviewer may point at: file, line after the change, text, function.
    pub(crate) places: Vec<Place>,
}

/// A line of the diff.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) text: String,
    pub(crate) function: String,
    /// Whether the change brought it.
    pub(crate) added: bool,
}

/// What a change does with a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It stays as it is.
    Stays,
    /// It becomes wrong.
    Breaks,
    /// It is new, and wrong.
    ArrivesWrong,
    /// It is new, and right.
    ArrivesRight,
}

/// A change with one defect: one of the 200.
pub(crate) fn with_defect(id: usize) -> Case {
    let (repository, kind) = (id / DEFECTS, id % DEFECTS);
    let mut dice = Dice::of(SEED, &[1, id as u64]);
    let fate = if dice.chance(50) {
        Fate::Breaks
    } else {
        Fate::ArrivesWrong
    };
    let fates = BTreeMap::from([(kind, fate)]);
    case(repository, id as u64, &fates, &mut dice)
}

/// A change without a defect: one of the 200. Half of them bring a function that is right.
pub(crate) fn clean(id: usize) -> Case {
    let mut dice = Dice::of(SEED, &[2, id as u64]);
    let mut fates = BTreeMap::new();
    if dice.chance(50) {
        fates.insert(id % DEFECTS, Fate::ArrivesRight);
    }
    case(id / DEFECTS, 1_000 + id as u64, &fates, &mut dice)
}

/// A change with all ten defects of a repository: one of the 20.
pub(crate) fn with_all(repository: usize) -> Case {
    let mut dice = Dice::of(SEED, &[3, repository as u64]);
    let fates = (0..DEFECTS).map(|kind| {
        (
            kind,
            if dice.chance(50) {
                Fate::Breaks
            } else {
                Fate::ArrivesWrong
            },
        )
    });
    let fates = fates.collect();
    case(repository, 2_000 + repository as u64, &fates, &mut dice)
}

/// A function as it is written in a repository.
#[derive(Debug)]
struct Written {
    name: String,
    subject: String,
    right: Vec<String>,
    wrong: Vec<String>,
    /// Where the defect is, as an index into `wrong`.
    truth: usize,
    /// What makes it wrong: edits of `right`.
    edits: Vec<Edit>,
}

fn written(language: &Language, kind: usize, noun: &str) -> Written {
    let mut capital = noun.to_owned();
    capital[..1].make_ascii_uppercase();
    let fill = |text: &str| text.replace("{n}", noun).replace("{N}", &capital);
    let (name, subject, text) = language.functions[kind];
    let mut made = Written {
        name: fill(name),
        subject: fill(subject),
        right: Vec::new(),
        wrong: Vec::new(),
        truth: 0,
        edits: Vec::new(),
    };
    let mut truth = None;
    // A place between two lines that stay is one edit, however many lines go and come there.
    let mut open: Option<Edit> = None;
    for line in text.lines() {
        let (marker, code) = line.split_at(1);
        let code = fill(code);
        if matches!(marker, " " | "!") {
            if marker == "!" {
                truth = Some(made.wrong.len());
            }
            made.edits.extend(open.take());
            made.right.push(code.clone());
            made.wrong.push(code);
            continue;
        }
        let at = made.right.len();
        let edit = open.get_or_insert(Edit {
            at,
            gone: 0,
            come: Vec::new(),
        });
        if marker == "-" {
            edit.gone += 1;
            made.right.push(code);
        } else {
            assert_eq!(marker, "+", "{line}");
            edit.come.push(code.clone());
            truth = truth.or(Some(made.wrong.len()));
            made.wrong.push(code);
        }
    }
    made.edits.extend(open);
    made.truth = truth.unwrap();
    made
}

/// A file of a repository as it is put together: lines before, edits, and where functions begin.
#[derive(Default)]
struct Draft {
    old: Vec<String>,
    edits: Vec<Edit>,
}

fn case(repository: usize, number: u64, fates: &BTreeMap<usize, Fate>, dice: &mut Dice) -> Case {
    let language = &LANGUAGES[repository % LANGUAGES.len()];
    let noun = NOUNS[repository];
    let functions: Vec<Written> = (0..DEFECTS).map(|kind| written(language, kind, noun)).collect();
    let mut files = Vec::new();
    for (index, group) in functions.chunks(PER_FILE).enumerate() {
        let mut draft = Draft::default();
        // The text of a repository does not depend on the change.
        let mut fixed = Dice::of(SEED, &[4, repository as u64, index as u64]);
        filler(language, noun, &mut fixed, dice, &mut draft);
        for (at, function) in group.iter().enumerate() {
            let fate = fates
                .get(&(index * PER_FILE + at))
                .copied()
                .unwrap_or(Fate::Stays);
            place(function, fate, &mut draft);
            filler(language, noun, &mut fixed, dice, &mut draft);
        }
        let path = format!("src/{noun}/part{index}.{}", language.extension);
        files.push(Edited::new(path, draft.old, draft.edits));
    }
    let (diff, _) = diff_of(&files);
    let mut defects = Vec::new();
    let mut places = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let new = file.new_lines();
        let members = index * PER_FILE..((index + 1) * PER_FILE).min(DEFECTS);
        for kind in members.clone() {
            let wrong = fates
                .get(&kind)
                .is_some_and(|fate| matches!(fate, Fate::Breaks | Fate::ArrivesWrong));
            if wrong {
                defects.push(defect(repository, kind, &functions[kind], &file.path, &new));
            }
        }
        let names: Vec<&str> = members.map(|kind| functions[kind].name.as_str()).collect();
        places.extend(shown_places(&diff, &file.path, &new, &file.added(), &names));
    }
    places.retain(|place| {
        !defects
            .iter()
            .any(|defect| defect.file == place.file && defect.line.abs_diff(place.line) <= 3)
    });
    Case {
        number,
        language: language.name,
        diff,
        files,
        defects,
        places,
    }
}

fn place(function: &Written, fate: Fate, draft: &mut Draft) {
    let at = draft.old.len();
    match fate {
        Fate::Stays => draft.old.extend(function.right.iter().cloned()),
        Fate::Breaks => {
            draft.old.extend(function.right.iter().cloned());
            let shifted = function.edits.iter().cloned().map(|edit| Edit {
                at: at + edit.at,
                ..edit
            });
            draft.edits.extend(shifted);
        }
        Fate::ArrivesWrong | Fate::ArrivesRight => {
            let lines = if fate == Fate::ArrivesWrong {
                &function.wrong
            } else {
                &function.right
            };
            let come = lines.iter().cloned().chain([String::new()]).collect();
            draft.edits.push(Edit { at, gone: 0, come });
        }
    }
    draft.old.push(String::new());
}

/// Lines between functions; some of them are changed without any harm.
fn filler(language: &Language, noun: &str, fixed: &mut Dice, dice: &mut Dice, draft: &mut Draft) {
    const SAID: [&str; 6] = [
        "keeps its place when the list is sorted",
        "is read once and then kept",
        "may be empty, which is no error",
        "has a name that is unique in its region",
        "is written by one owner at a time",
        "is counted in whole units",
    ];
    for _ in 0..fixed.between(6, 24) {
        let at = draft.old.len();
        let (said, value) = (*fixed.pick(&SAID), fixed.below(900));
        let line = |value: usize| match fixed_form(value) {
            0 => format!("{} {noun} {value} {said}.", language.comment),
            1 => format!(
                "{} See the note {value} on how a {noun} {said}.",
                language.comment
            ),
            _ => format!("{}_LIMIT_{value} = {value}", noun.to_uppercase()),
        };
        draft.old.push(line(value));
        if dice.chance(4) {
            let come = vec![line(value + 3)];
            draft.edits.push(Edit { at, gone: 1, come });
        }
    }
    draft.old.push(String::new());
}

fn fixed_form(value: usize) -> usize {
    value % 3
}

fn defect(repository: usize, kind: usize, function: &Written, file: &str, new: &[String]) -> Defect {
    let head = new
        .windows(function.wrong.len())
        .position(|window| window == function.wrong.as_slice())
        .unwrap();
    let quote = function.wrong[function.truth..].iter().take(3).cloned().collect();
    Defect {
        id: repository * DEFECTS + kind,
        kind,
        file: file.to_owned(),
        line: u32::try_from(head + function.truth + 1).unwrap(),
        quote,
        function: function.name.clone(),
        subject: function.subject.clone(),
    }
}

/// Returns the lines of a file that the diff shows on the new side, with the function that stands above each.
fn shown_places(diff: &str, path: &str, new: &[String], added: &[usize], names: &[&str]) -> Vec<Place> {
    let head = format!("+++ b/{path}\n");
    let Some((_, rest)) = diff.split_once(&head) else {
        return Vec::new();
    };
    let body = rest.split("diff --git ").next().unwrap_or(rest);
    let mut places = Vec::new();
    for header in body.lines().filter_map(|line| line.strip_prefix("@@ -")) {
        let range = header.split_once(" +").unwrap().1.split(' ').next().unwrap();
        let (first, count) = range.split_once(',').unwrap();
        let (first, count): (usize, usize) = (first.parse().unwrap(), count.parse().unwrap());
        for number in first..first + count {
            let text = &new[number - 1];
            if text.chars().filter(|c| c.is_alphanumeric()).count() < 6 {
                continue;
            }
            let above = new[..number].iter().rev();
            let function = above
                .clone()
                .find_map(|line| names.iter().find(|name| line.contains(&format!("{name}("))));
            places.push(Place {
                file: path.to_owned(),
                line: u32::try_from(number).unwrap(),
                text: text.clone(),
                function: function.map_or_else(|| "this part".to_owned(), |name| (*name).to_owned()),
                added: added.contains(&number),
            });
        }
    }
    places
}

#[test]
fn the_set_is_what_it_says() {
    use crosscheck::diff::parse::parse_patch;
    let mut languages = BTreeMap::new();
    for id in 0..REPOSITORIES * DEFECTS {
        let case = with_defect(id);
        let [defect] = case.defects.as_slice() else {
            panic!("{case:#?}")
        };
        assert_eq!((defect.id, defect.kind), (id, id % DEFECTS));
        assert!(
            KINDS[defect.kind]
                .titles
                .iter()
                .all(|title| title.contains("{f}") || title.contains("{v}"))
        );
        assert!(parse_patch(case.diff.as_bytes()).is_ok());
        // The line that is told stands in the diff.
        assert!(case.diff.contains(&format!("{}\n", defect.quote[0])), "{case:#?}");
        *languages.entry(case.language).or_insert(0) += 1;
    }
    assert_eq!(languages.len(), 5);
    assert!(languages.values().all(|&count| count == 40), "{languages:?}");
    let changed = (0..REPOSITORIES * DEFECTS)
        .filter(|&id| !clean(id).diff.is_empty())
        .count();
    assert_eq!(changed, REPOSITORIES * DEFECTS, "a clean change must be a change");
    assert!((0..REPOSITORIES).all(|repository| with_all(repository).defects.len() == DEFECTS));
}
