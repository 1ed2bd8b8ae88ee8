//! The demo's model.

use serde_json::{Value, json};

use super::added::{AddedLine, parse_added};
use super::defects::{DEFECTS, Defect};
use crate::model::reply::{Message, Reply, Shell, Step, Usage};
use crate::model::schema_instance::{fit, instance};
use crate::model::script::Script;
use crate::model::sse::ShellTool;
use crate::model::turn::Turn;

const INTRODUCTION: &str = "I am the demo model: I run on this machine, I cost nothing and I understand nothing. \
    I know the three defects of the demo repository and report those that I see in a review. \
    Connect a real peer to get a real opinion: `crosscheck status` says what is missing.";

/// Looks at the directory once when it may, and then answers: a review with the defects that it sees, the smallest
/// instance of any other schema, or a text that says what it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct DemoScript;

impl Script for DemoScript {
    fn reply(&self, turn: &Turn) -> Reply {
        // The command changes nothing. It lets a newcomer see how a run reports what its peer does.
        if turn.step() == 0 && ShellTool::offered(turn).is_some() {
            return Reply::stream([
                Step::Message(Message::commentary("I look at the files first.")),
                Step::Shell(Shell::new("ls")),
                Step::Completed(Usage::default()),
            ]);
        }
        match turn.schema() {
            Some(schema) if is_review(schema) => {
                Reply::text(fit(schema, &review(&turn.last_user_text())).to_string())
            }
            Some(schema) if has_property(schema, "verdicts") => {
                Reply::text(fit(schema, &check(&turn.last_user_text())).to_string())
            }
            Some(schema) => Reply::text(instance(schema).to_string()),
            None => Reply::text(INTRODUCTION),
        }
    }
}

fn is_review(schema: &Value) -> bool {
    has_property(schema, "findings") && has_property(schema, "verdict")
}

fn has_property(schema: &Value, name: &str) -> bool {
    schema
        .get("properties")
        .is_some_and(|properties| properties.get(name).is_some())
}

/// Says of each finding in the prompt whether it is one of the demo's own defects, which is all that it can tell.
fn check(prompt: &str) -> Value {
    let findings = prompt
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|finding| finding.get("id").is_some() && finding.get("evidence").is_some());
    let verdicts: Vec<Value> = findings
        .map(|finding| {
            let quoted = finding["evidence"].as_str().unwrap_or_default().trim();
            let is_own = DEFECTS.iter().any(|defect| defect.code.contains(&quoted));
            let (verdict, reason) = if is_own {
                ("confirmed", "The quoted line is one of the demo's defects; nothing around it guards it.")
            } else {
                ("undecided", "The demo model knows the demo's defects alone.")
            };
            json!({"id": finding["id"], "verdict": verdict, "reason": reason, "command": null, "in_base": false})
        })
        .collect();
    json!({ "verdicts": verdicts })
}

/// Reviews the rendered change in `prompt`.
fn review(prompt: &str) -> Value {
    let added = parse_added(prompt);
    let findings: Vec<Value> = DEFECTS
        .iter()
        .flat_map(|defect| findings(defect, &added))
        .collect();
    if findings.is_empty() {
        return json!({
            "summary": "The demo model sees none of the defects that it knows. It knows only those of the demo.",
            "verdict": "pass",
            "confidence": "low",
            "score": null,
            "findings": [],
            "questions": [],
            "assumptions": ["The demo model reads no code but the demo's."],
        });
    }
    let count = findings.len();
    let word = if count == 1 { "defect" } else { "defects" };
    json!({
        "summary": format!("The change brings {count} {word} that would reach customers."),
        "verdict": "fail",
        "confidence": "high",
        "score": 100_usize.saturating_sub(25 * count),
        "findings": findings,
        "questions": ["Was the query changed for a reason other than the new limit?"],
        "assumptions": ["Page numbers begin at 1, as the function's own text says."],
    })
}

/// Returns one finding for each place where the defective lines stand.
fn findings<'a>(defect: &'a Defect, added: &'a [AddedLine<'a>]) -> impl Iterator<Item = Value> + 'a {
    added
        .windows(defect.code.len())
        .filter(|lines| is_at(defect, lines))
        .filter_map(|lines| {
            let (first, last) = (lines.first()?, lines.last()?);
            Some(json!({
                "severity": defect.severity,
                "title": defect.title,
                "file": first.file,
                "line": first.line,
                "end_line": if lines.len() > 1 { json!(last.line) } else { Value::Null },
                "side": "new",
                "evidence": first.text.trim(),
                "risk": defect.risk,
                "recommendation": defect.recommendation,
                "confidence": "high",
            }))
        })
}

fn is_at(defect: &Defect, lines: &[AddedLine<'_>]) -> bool {
    let in_file = |line: &AddedLine<'_>| {
        // The demo repository may be reviewed as a folder of a larger one.
        line.file
            .strip_suffix(defect.path)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let follow = lines
        .windows(2)
        .all(|pair| pair[0].file == pair[1].file && pair[0].line + 1 == pair[1].line);
    follow
        && lines
            .iter()
            .zip(defect.code)
            .all(|(line, code)| in_file(line) && line.text.trim() == *code)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::diff::parse::parse_patch;
    use crate::diff::render::{LEGEND, render};
    use crate::domain::tier::Tools;
    use crate::model::demo::files;
    use crate::prompt::{Fence, ReviewParts, ReviewSubject};
    use crate::redact::{redact_patch, redact_text};

    #[test]
    fn the_check_confirms_what_it_knows_and_nothing_else() {
        let known = DEFECTS[0].code[0];
        let prompt = format!(
            "words\n{}\n{}\n",
            json!({"id": "aa", "evidence": format!("  {known}")}),
            json!({"id": "bb", "evidence": "let x = 1;"})
        );
        let said = check(&prompt);
        let words: Vec<&Value> = said["verdicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["verdict"])
            .collect();
        assert_eq!(words, ["confirmed", "undecided"]);
        let schema = crate::prompt::verify_schema();
        assert!(jsonschema::is_valid(&schema, &fit(&schema, &said)));
    }

    fn schema() -> Value {
        crate::prompt::review_schema()
    }

    /// Returns a diff that replaces every file of the demo as a whole, as git would write it.
    fn whole_diff() -> String {
        let mut diff = String::new();
        for file in files().iter().filter(|file| file.before != file.after) {
            let [old, new] = [file.before, file.after].map(Option::unwrap_or_default);
            let path = file.path;
            let _ = writeln!(diff, "diff --git a/{path} b/{path}");
            let _ = match (file.before, file.after) {
                (None, _) => writeln!(diff, "new file mode 100644\n--- /dev/null\n+++ b/{path}"),
                (_, None) => writeln!(diff, "deleted file mode 100644\n--- a/{path}\n+++ /dev/null"),
                _ => writeln!(diff, "--- a/{path}\n+++ b/{path}"),
            };
            let range = |text: &str| format!("{},{}", u8::from(!text.is_empty()), text.lines().count());
            let _ = writeln!(diff, "@@ -{} +{} @@", range(old), range(new));
            for (mark, text) in [('-', old), ('+', new)] {
                for line in text.lines() {
                    let _ = writeln!(diff, "{mark}{line}");
                }
            }
        }
        diff
    }

    /// Writes the prompt in which a review of this diff would reach the model.
    fn prompt(diff: &str) -> String {
        let patch = parse_patch(diff.as_bytes()).unwrap();
        let rendered = redact_patch(patch).patch.derive(|patch| render(patch).text);
        let parts = ReviewParts {
            subject: ReviewSubject::Change {
                target: &redact_text("the working tree against HEAD"),
                diff: &rendered,
                legend: LEGEND,
                part: None,
                others: None,
                omitted: None,
            },
            focus: Some(&redact_text("+1|start = number * size")),
            context: None,
            guidance: None,
            language: None,
            instructions: None,
            tools: Tools::Sandboxed,
        };
        let fence = Fence::new("0f1e2d3c4b5a6978").unwrap();
        crate::prompt::review(&parts, &fence).as_str().to_owned()
    }

    fn turn(prompt: &str, tools: &Value, schema: Option<&Value>) -> Turn {
        let format = schema.map(|schema| json!({"format": {"type": "json_schema", "schema": schema}}));
        let input = json!([{"role": "user", "content": prompt}]);
        Turn::new(json!({"input": input, "tools": tools, "text": format}), 1, 1)
    }

    fn answer(turn: &Turn) -> String {
        let Reply::Stream { steps, .. } = DemoScript.reply(turn) else {
            panic!("the demo streams")
        };
        let Step::Message(message) = &steps[0] else {
            panic!("the demo answers with a message")
        };
        message.text.clone()
    }

    #[test]
    fn the_three_defects_are_found_at_their_true_lines() {
        let turn = turn(&prompt(&whole_diff()), &json!([]), Some(&schema()));
        let review: Value = serde_json::from_str(&answer(&turn)).unwrap();
        assert!(jsonschema::is_valid(&schema(), &review), "{review:#}");
        assert_eq!(review["verdict"], json!("fail"));
        let findings = review["findings"].as_array().unwrap();
        assert_eq!(findings.len(), DEFECTS.len());
        for finding in findings {
            let file = files().iter().find(|file| file.path == finding["file"]).unwrap();
            let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
            assert_eq!(
                file.after.unwrap().lines().nth(line - 1).unwrap().trim(),
                finding["evidence"]
            );
            assert!(
                !file
                    .before
                    .unwrap()
                    .contains(finding["evidence"].as_str().unwrap())
            );
        }
    }

    #[test]
    fn a_defect_that_is_not_in_the_prompt_is_not_reported() {
        let all = whole_diff();
        let (without_orders, _) = all.split_once("diff --git a/shop/orders.py").unwrap();
        let check = |prompt: &str, expected: (&str, usize)| {
            let review: Value =
                serde_json::from_str(&answer(&turn(prompt, &json!([]), Some(&schema())))).unwrap();
            let found = (
                review["verdict"].as_str().unwrap(),
                review["findings"].as_array().unwrap().len(),
            );
            assert_eq!(found, expected);
        };
        check(&prompt(without_orders), ("fail", 2));
        let page = without_orders.replace("start = number * size", "start = 0");
        check(&prompt(&page), ("fail", 1));
        // Code outside the rendered change is not part of it.
        check(&all, ("pass", 0));
        check("nothing", ("pass", 0));
    }

    #[test]
    fn other_requests_get_an_instance_or_the_introduction() {
        let other = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}});
        assert_eq!(answer(&turn("hello", &json!([]), Some(&other))), "{\"ok\":true}");
        assert_eq!(answer(&turn("hello", &json!([]), None)), INTRODUCTION);
    }

    #[test]
    fn one_command_is_run_where_there_is_a_shell() {
        let turn = turn("hello", &json!([{"name": "exec_command"}]), Some(&schema()));
        let Reply::Stream { steps, .. } = DemoScript.reply(&turn) else {
            panic!("the demo streams")
        };
        assert_eq!(steps[1], Step::Shell(Shell::new("ls")));
    }
}
