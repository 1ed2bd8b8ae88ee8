//! Tests of reading answers.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::prompt::schema::{consult_schema, review_schema};

fn finding() -> Value {
    json!({
        "severity": "High", "title": " Lock is lost ", "file": "src/a.rs", "line": "12", "end_line": null,
        "side": "new", "evidence": "drop(lock);", "risk": "two writers", "recommendation": "keep it",
    })
}

fn review(findings: &[Value]) -> Value {
    json!({
        "summary": "One defect.", "verdict": "fail", "confidence": "high", "score": 40, "findings": findings,
        "questions": ["why?", " "], "assumptions": [],
    })
}

fn claim() -> Claim {
    Claim {
        severity: Severity::High,
        title: "Lock is lost".into(),
        file: "src/a.rs".into(),
        line: 12,
        end_line: None,
        side: Side::New,
        evidence: "drop(lock);".into(),
        risk: "two writers".into(),
        recommendation: "keep it".into(),
        confidence: None,
    }
}

fn raw() -> RawReview {
    RawReview {
        summary: "One defect.".into(),
        verdict: Verdict::Fail,
        confidence: Confidence::High,
        score: Some(40),
        claims: vec![claim()],
        malformed: 0,
        surplus: 0,
        questions: vec!["why?".into()],
        assumptions: vec![],
    }
}

#[test]
fn a_review_is_read() {
    let check = |text: &str| assert_eq!(parse_review(text), Ok(raw()), "{text}");
    let text = review(&[finding()]).to_string();
    check(&text);
    check(&format!("\u{feff}\n{text}\n"));
    check(&format!("```json\n{text}\n```"));
    check(&format!("```\n{text}\n```\n"));
    check(&format!(
        "Here is my review:\n```json\n{text}\n```\nHope it helps!"
    ));
    check(&format!("Here is my review:\n\n{text}\n\nThat is all."));
    // Which of two is meant nobody knows.
    for text in [
        format!("{text}\n{text}"),
        format!("I read fn a() {{}} first.\n{text}"),
    ] {
        let read = parse_review(&text);
        assert!(matches!(read, Err(AnswerError::NotJson { .. })), "{read:?}");
    }
}

#[test]
fn a_broken_finding_is_dropped_and_counted() {
    let mut broken = finding();
    broken["severity"] = json!("bad");
    let text = review(&[json!(1), finding(), broken]).to_string();
    assert_eq!(
        parse_review(&text),
        Ok(RawReview {
            malformed: 2,
            ..raw()
        })
    );
    let many = review(&vec![finding(); limits::FINDINGS + 3]).to_string();
    let many = parse_review(&many).unwrap();
    assert_eq!((many.claims.len(), many.surplus), (limits::FINDINGS, 3));
}

#[test]
fn lines_are_read_in_every_spelling() {
    let check = |line: Value, end: Value, expected: (u32, Option<u32>)| {
        let mut finding = finding();
        finding["line"] = line;
        finding["end_line"] = end;
        let claim = parse_claim(&finding).unwrap();
        assert_eq!((claim.line, claim.end_line), expected);
    };
    check(json!(3), json!(5), (3, Some(5)));
    check(json!(3.0), json!("5"), (3, Some(5)));
    check(json!(null), json!(5), (0, None));
    check(json!(-1), json!(null), (0, None));
    check(json!("twelve"), json!(2), (0, None));
    check(json!(7), json!(7), (7, None));
    check(json!(7), json!(2), (7, None));
}

#[test]
fn an_error_names_the_place() {
    let check = |text: &str, expected: &str| {
        assert_eq!(parse_review(text).unwrap_err().to_string(), expected, "{text}");
    };
    let without = |name: &str| {
        let mut review = review(&[]);
        review.as_object_mut().unwrap().shift_remove(name);
        review.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut review = review(&[]);
        review[name] = value;
        review.to_string()
    };
    check(" \n", "it is empty");
    check("Here it is.", "it is not one JSON object (line 1, column 1)");
    check("{} and more {}", "it is not one JSON object (line 1, column 4)");
    check("[]", "it is not one JSON object (line 1, column 1)");
    check(&without("summary"), "`summary` is missing");
    check(&without("findings"), "`findings` is missing");
    check(
        &with("verdict", json!("maybe")),
        "`verdict` is not one of pass, concerns, fail",
    );
    check(
        &with("verdict", json!("unknown")),
        "`verdict` is not one of pass, concerns, fail",
    );
    check(&with("confidence", json!(1)), "`confidence` is not a string");
    check(
        &with("questions", json!(["a", 1])),
        "`questions[1]` is not a string",
    );
    check(&with("findings", json!({})), "`findings` is not a list");
    check(
        &review(&[json!({})]).to_string(),
        "`findings[0]` is not a finding with severity, title and file",
    );
    let large = " ".repeat(limits::ANSWER_BYTES + 1);
    assert!(matches!(parse_review(&large), Err(AnswerError::TooLarge { .. })));
    let many = format!("{{\"findings\":[{}[]]}}", "[],".repeat(1_000_000));
    assert_eq!(parse_review(&many), Err(AnswerError::TooMany));
    let words = format!("{{\"summary\":\"{}\"}}", ",[{\\\"".repeat(300_000));
    assert!(!matches!(parse_review(&words), Err(AnswerError::TooMany)));
}

#[test]
fn a_score_out_of_range_is_no_score() {
    for score in [json!(101), json!(-1), json!(null), json!("good")] {
        let mut value = review(&[]);
        value["score"] = score;
        assert_eq!(parse_review(&value.to_string()).unwrap().score, None);
    }
}

#[test]
fn a_plan_report_is_read() {
    let text = json!({
        "answer": "Mostly fine.", "missing_tasks": ["migrate"], "dependency_issues": [], "parallelization": ["a, b"],
        "test_gaps": [], "risks": ["lock"], "splits": null, "questions": [], "assumptions": ["one host"], "more": 1,
    });
    let expected = ConsultAnswer {
        answer: "Mostly fine.".into(),
        code: vec![],
        report: Some(PlanReport {
            missing_tasks: vec!["migrate".into()],
            parallelization: vec!["a, b".into()],
            risks: vec!["lock".into()],
            ..PlanReport::default()
        }),
        questions: vec![],
        assumptions: vec!["one host".into()],
    };
    assert_eq!(
        parse_consult(ConsultKind::ReviewPlan, &text.to_string()),
        Ok(expected)
    );
}

#[test]
fn written_code_is_read() {
    let text = json!({
        "answer": "Here.", "questions": [], "assumptions": [],
        "code": [{"language": "Rust", "path": null, "text": "fn a() {}\n"}, {"language": "", "text": "x"}],
    });
    let answer = parse_consult(ConsultKind::WriteCode, &text.to_string()).unwrap();
    let block = |language: &str, text: &str| CodeBlock {
        language: language.into(),
        path: None,
        text: text.into(),
    };
    assert_eq!(answer.code, [block("rust", "fn a() {}\n"), block("text", "x")]);
    let error = parse_consult(ConsultKind::WriteCode, "{\"answer\":\"\",\"code\":[{}]}");
    assert_eq!(error, Err(missing("code[0].text")));
}

#[test]
fn free_text_is_taken_as_it_is() {
    let text = "Use a lock.\n```rust\nlock();\n```\n";
    let answer = parse_consult(ConsultKind::Answer, text).unwrap();
    assert_eq!(answer.answer, text);
    assert_eq!(answer.code[0].text, "lock();\n");
    assert_eq!(
        parse_consult(ConsultKind::Challenge, " \n"),
        Err(AnswerError::Empty)
    );
}

#[test]
fn what_follows_the_schema_is_readable() {
    let mut exact = review(&[finding()]);
    exact["findings"][0]["severity"] = json!("high");
    exact["findings"][0]["line"] = json!(12);
    exact["findings"][0]["confidence"] = json!(null);
    assert!(jsonschema::is_valid(&review_schema(), &exact));
    assert_eq!(parse_review(&exact.to_string()), Ok(raw()));
    // A finding's own confidence is kept where it is a word that we know, and missed by nobody where it is not.
    for (word, expected) in [(" High", Some(Confidence::High)), ("very", None)] {
        exact["findings"][0]["confidence"] = json!(word);
        let read = parse_review(&exact.to_string()).unwrap();
        assert_eq!(read.claims[0].confidence, expected);
    }
    assert!(consult_schema(ConsultKind::WriteCode).is_some());
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(pass|HIGH|12|nit|[a-z]{0,4})".prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("summary"),
        Just("verdict"),
        Just("confidence"),
        Just("findings"),
        Just("answer"),
        Just("code"),
        Just("text"),
        Just("line"),
        Just("severity"),
        Just("title"),
        Just("file"),
        Just("risks"),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..8).prop_map(|pairs| {
                Value::Object(
                    pairs
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_can_be_read_or_refused(text in "\\PC{0,60}") {
        for name in ConsultKind::NAMES {
            let kind: ConsultKind = serde_json::from_value(name.into()).unwrap();
            let _ = parse_consult(kind, &text);
        }
        let _ = parse_review(&text);
    }

    #[test]
    fn any_json_can_be_read_or_refused(value in json_value()) {
        let text = value.to_string();
        let _ = parse_review(&text);
        let _ = parse_consult(ConsultKind::ReviewPlan, &text);
        let _ = parse_consult(ConsultKind::WriteCode, &text);
    }
}
