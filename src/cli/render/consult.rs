//! The answer of a consult: the peer's text on stdout as it is, the rest around it.

use crate::cli::next_call::{peer_of, program, quoted};
use crate::cli::render::page::{Page, Style};
use crate::cli::render::{review, truncated};
use crate::domain::answer::{ConsultAnswer, PlanReport};
use crate::domain::envelope::Success;
use crate::domain::peer::Peer;

/// Writes the answer.
pub(super) fn render(success: &Success, answer: &ConsultAnswer, page: &mut Page, notes: &mut Page) {
    page.block("", &answer.answer);
    for block in &answer.code {
        // The code usually stands in the answer already.
        if answer.answer.contains(block.text.trim()) {
            continue;
        }
        page.blank();
        let name = block.path.as_deref().unwrap_or(&block.language);
        page.styled(Style::Dim, &format!("--- {name}"));
        page.block("", &block.text);
    }
    if let Some(report) = &answer.report {
        let PlanReport {
            missing_tasks,
            dependency_issues,
            parallelization,
            test_gaps,
            risks,
            splits,
        } = report;
        lists(
            &[
                ("missing tasks", missing_tasks),
                ("wrong order or missing needs", dependency_issues),
                ("can go side by side", parallelization),
                ("not noticed by any test", test_gaps),
                ("risks", risks),
                ("too large to judge", splits),
            ],
            page,
        );
    }
    lists(
        &[
            ("questions", &answer.questions),
            ("taken for granted", &answer.assumptions),
        ],
        page,
    );
    truncated(&success.body, page);
    let spent = review::spent(success);
    notes.wrapped(Style::Dim, spent.trim_start_matches([',', ' ']));
}

/// Writes named lists; an empty one is left out.
pub(super) fn lists(lists: &[(&str, &Vec<String>)], page: &mut Page) {
    for (name, items) in lists.iter().filter(|(_, items)| !items.is_empty()) {
        page.blank();
        page.styled(Style::Bold, &format!("{name}:"));
        for item in *items {
            page.indented("  ", "-", Style::Plain, item);
        }
    }
}

/// Says what to do next, in commands.
pub(super) fn steps(success: &Success) -> Vec<String> {
    let Some(job) = &success.job else {
        return Vec::new();
    };
    vec![format!(
        "`{} consult --resume {} \"...\"` asks more in the same thread; check its claims before you act",
        program(peer_of(&success.meta, Peer::default())),
        quoted(job.id.as_str())
    )]
}
