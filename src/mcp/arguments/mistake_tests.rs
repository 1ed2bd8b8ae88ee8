//! What a mistaken name and an overlong text are answered with.

use serde_json::json;

use super::tests::call;
use super::*;
use crate::domain::fault::FaultCode;

#[test]
fn a_typing_mistake_gets_the_right_name_back() {
    let check = |tool: &str, arguments: Value, hint: &str, allowed: Option<&str>| {
        let fault = call(tool, arguments.clone()).expect_err("a mistake");
        assert_eq!(fault.repair.hint, hint, "{tool} {arguments}");
        if let Some(allowed) = allowed {
            assert!(
                fault.allowed.unwrap().iter().any(|name| name == allowed),
                "{tool} {arguments}"
            );
        }
    };
    check(
        "consult",
        json!({"promt": "p"}),
        "did you mean `prompt`?",
        Some("prompt"),
    );
    check(
        "review",
        json!({"scope": "work-tree"}),
        "did you mean `working_tree`?",
        Some("staged"),
    );
    check(
        "consult",
        json!({"prompt": "p", "options": {"timeout": 60}}),
        "did you mean `options.timeout_s`?",
        Some("ephemeral"),
    );
    check(
        "status",
        json!({"topic": "error"}),
        "did you mean `errors`?",
        Some("quota"),
    );
}

#[test]
fn a_text_over_its_limit_is_too_large() {
    let text = "x".repeat(crate::domain::limits::ARGUMENT_BYTES + 1);
    for (tool, arguments, field) in [
        ("consult", json!({"prompt": text}), "prompt"),
        ("consult", json!({"prompt": "p", "context": text}), "context"),
        ("review", json!({"focus": text}), "focus"),
        ("review", json!({"snippet": text}), "snippet"),
    ] {
        let fault = call(tool, arguments).expect_err("too large");
        assert_eq!(
            (fault.code, fault.field.as_deref()),
            (FaultCode::InputTooLarge, Some(field))
        );
    }
}
