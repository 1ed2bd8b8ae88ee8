//! Arguments of `apply`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::request::{APPLY_FILES, ApplyAction, ApplyRequest};
use crate::mcp::arguments::{choice, common, decode, job};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyArguments {
    /// Job id, its beginning, or latest
    id: String,
    /// What to do with its result
    #[schemars(extend("enum" = ApplyAction::NAMES))]
    action: String,
    /// From the preview; land needs it
    token: Option<String>,
    /// Only these, as the preview lists them
    #[schemars(extend("maxItems" = APPLY_FILES))]
    files: Option<Vec<String>>,
    /// Name of the new branch
    branch: Option<String>,
    /// Land although checks failed
    accept_failed_checks: Option<bool>,
    /// Working tree to land in; default its own
    workspace: Option<String>,
}

pub(super) fn parse(arguments: Map<String, Value>) -> Result<ApplyRequest, Fault> {
    let ApplyArguments {
        id,
        action,
        token,
        files,
        branch,
        accept_failed_checks,
        workspace,
    } = decode::decode("apply", arguments)?;
    let action = ApplyAction::named(&action)
        .ok_or_else(|| choice::not_one_of("action", &action, &ApplyAction::NAMES))?;
    let given = [
        ("token", token.is_some()),
        ("branch", branch.is_some()),
        ("accept_failed_checks", accept_failed_checks.is_some()),
        ("files", files.is_some()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| *given) {
        if !action.takes(field) {
            let message = format!("`{field}` means nothing to action {}", action.as_str());
            return Err(Fault::argument(*field, message).hint(format!("leave out `{field}`")));
        }
    }
    let action = match action {
        ApplyAction::Land { .. } => ApplyAction::Land {
            token,
            accept_failed_checks: accept_failed_checks.unwrap_or(false),
        },
        ApplyAction::Branch { .. } => ApplyAction::Branch { name: branch },
        other => other,
    };
    Ok(ApplyRequest {
        name: job::name(&id)?,
        action,
        files: common::paths("files", files.unwrap_or_default(), APPLY_FILES)?,
        workspace: common::workspace(workspace)?,
    })
}

/// Reads the arguments of its preview: a call that says what it would do is previewed all the same, for a preview is what
/// comes before each of them.
pub(super) fn parse_preview(mut arguments: Map<String, Value>) -> Result<ApplyRequest, Fault> {
    arguments
        .entry("action")
        .or_insert_with(|| ApplyAction::NAMES[0].into());
    let request = parse(arguments)?;
    Ok(ApplyRequest {
        action: ApplyAction::Preview,
        ..request
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(arguments: Value) -> Result<ApplyRequest, Option<String>> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        parse(arguments).map_err(|fault| fault.field)
    }

    #[test]
    fn an_argument_belongs_to_its_action() {
        let check = |arguments: Value, expected: Option<&str>| {
            let found = read(arguments.clone()).err().flatten();
            assert_eq!(found.as_deref(), expected, "{arguments}");
        };
        check(json!({"id": "latest", "action": "preview", "files": ["a"]}), None);
        check(json!({"id": "latest", "action": "preview", "token": "t"}), None);
        check(json!({"id": "latest", "action": "branch", "branch": "b"}), None);
        check(json!({"id": "latest", "action": "undo"}), None);
        check(json!({"id": "latest"}), Some("action"));
        check(json!({"action": "land"}), Some("id"));
        check(json!({"id": "latest", "action": "merge"}), Some("action"));
        check(
            json!({"id": "latest", "action": "land", "branch": "b"}),
            Some("branch"),
        );
        check(
            json!({"id": "latest", "action": "undo", "files": ["a"]}),
            Some("files"),
        );
        check(
            json!({"id": "latest", "action": "discard", "token": "t"}),
            Some("token"),
        );
        check(
            json!({"id": "latest", "action": "land", "files": [""]}),
            Some("files[0]"),
        );
        check(
            json!({"id": "latest", "action": "land", "workspace": "w"}),
            Some("workspace"),
        );
    }

    #[test]
    fn a_preview_takes_what_the_landing_will_get() {
        let arguments = json!({"id": "latest", "action": "land", "files": ["a"], "token": "t"});
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        let request = parse_preview(arguments).unwrap();
        assert_eq!(request.action, ApplyAction::Preview);
        assert_eq!(request.files, ["a"]);
    }
}
