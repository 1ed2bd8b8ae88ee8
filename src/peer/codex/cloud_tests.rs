//! What codex cloud prints, as it was recorded, and what it is read as.

use super::*;
use proptest::prelude::*;

const URL: &str = "https://chatgpt.com/codex/tasks/task_e_1";

fn printed<'a>(code: i32, stdout: &'a str, stderr: &'a str) -> Printed<'a> {
    Printed {
        end: End::Exited(code),
        stdout: stdout.as_bytes(),
        stderr: stderr.as_bytes(),
    }
}

fn task() -> TaskId {
    "task_e_1".parse().unwrap()
}

/// An error as codex tells an answer of HTTP.
fn http(call: &str, method: &str, status: &str, body: &str) -> String {
    format!(
        "WARNING: something before\nError: http error: {call} failed: {method} https://chatgpt.com/backend-api/wham/tasks \
         failed: {status}; content-type=application/json; body={body}\n"
    )
}

#[test]
fn no_command_applies_anything_and_no_value_is_taken_for_a_flag() {
    let text = |arguments: Vec<OsString>| -> Vec<String> {
        arguments
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect()
    };
    assert_eq!(
        text(submit_arguments("--env", "-b", 3)),
        ["cloud", "exec", "--env=--env", "--branch=-b", "--attempts=3", "-"]
    );
    assert_eq!(
        text(status_arguments(&task())),
        ["cloud", "status", "--", "task_e_1"]
    );
    assert_eq!(
        text(diff_arguments(&task(), 2)),
        ["cloud", "diff", "--attempt=2", "--", "task_e_1"]
    );
    assert_eq!(
        text(list_arguments(Some("e"), 99, Some("c"))),
        ["cloud", "list", "--json", "--limit=20", "--env=e", "--cursor=c"]
    );
}

#[test]
fn a_state_is_read_from_the_words_and_not_from_the_exit_code() {
    use TaskStatus::{Applied, Error, Pending, Ready};
    let check = |code: i32, stdout: &str, expected: TaskStatus| {
        assert_eq!(
            parse_status(printed(code, stdout, "")),
            Ok(expected),
            "{stdout:?}"
        );
    };
    check(0, "[READY] Fix it\nlabel  •  21m ago\n+1/-0 • 1 file\n", Ready);
    check(1, "[PENDING] Fix it\nlabel  •  just now\nno diff\n", Pending);
    check(1, "[ERROR] Fix it\nlabel  •  1h ago\n", Error);
    check(0, "[APPLIED] Fix it\n", Applied);
    // A title says what it likes, and counts are no part of what is read.
    check(1, "[PENDING] [READY] +99/-99\n+1/-0 • 7 files\n", Pending);
    check(0, "\n[READY]\n", Ready);
}

#[test]
fn what_is_no_state_is_trouble_of_a_known_kind_and_never_a_body() {
    use TroubleKind::{Gone, Refused, SignedOut, Unanswered, Unreadable};
    let page = "<!doctype html><html><body>Error: canary\nError: canary</body></html>";
    let check = |code: i32, stdout: &str, stderr: &str, expected: TroubleKind| {
        let trouble = parse_status(printed(code, stdout, stderr)).unwrap_err();
        assert_eq!(trouble.kind, expected, "{stderr:?}: {trouble:?}");
        assert!(
            !trouble.said.contains("canary") && !trouble.said.contains("html"),
            "{trouble:?}"
        );
        assert!(!trouble.said.is_empty() && trouble.said.chars().count() <= SAID_CHARS);
    };
    let details = "get_task_details";
    check(
        1,
        "",
        "Not signed in. Please run 'codex login' to sign in with ChatGPT, then re-run 'codex cloud'.\n",
        SignedOut,
    );
    check(1, "", &http(details, "GET", "401 Unauthorized", "{}"), SignedOut);
    check(1, "", &http(details, "GET", "403 Forbidden", page), Refused);
    check(
        1,
        "",
        &http(details, "GET", "404 Not Found", "{\"detail\":\"canary\"}"),
        Gone,
    );
    check(
        1,
        "",
        &http(details, "GET", "500 Internal Server Error", page),
        Unanswered,
    );
    check(
        1,
        "",
        &http(details, "GET", "429 Too Many Requests", "canary"),
        Unanswered,
    );
    check(
        1,
        "",
        "Error: http error: get_task_details failed: error sending request for url (https://chatgpt.com/x)\n",
        Unanswered,
    );
    check(1, "", "", Unreadable);
    check(0, page, "", Unreadable);
    check(0, "READY Fix it\n", "", Unreadable);
    check(0, "[REA", "", Unreadable);
    check(0, "[DONE] Fix it\n", "", Unreadable);
    // Digits in an id, or in a body that a page repeats, are no status.
    check(1, "", "Error: task_e_6840130401ff failed: 404\n", Unanswered);
}

#[test]
fn an_address_is_only_one_on_a_whole_line_of_its_own() {
    let check = |text: &str, expected: bool| {
        assert_eq!(parse_task_url(text.as_bytes()).is_some(), expected, "{text:?}");
    };
    check(&format!("{URL}\n"), true);
    check(&format!("a note\n{URL}\n\n"), true);
    check(URL, false);
    check("", false);
    check("https://example.invalid/codex/tasks/task_e_1\n", false);
    check(&format!("see {URL}\n"), false);
    check(&format!("{URL}?x=1\n"), false);
    check(&format!("{URL}/../x\n"), false);
}

#[test]
fn only_what_certainly_was_not_sent_counts_as_not_sent() {
    #[derive(Debug, PartialEq)]
    enum Became {
        Task,
        NotSent(TroubleKind),
        Unknown,
    }
    let check = |code: i32, stdout: &str, stderr: &str, expected: Became| {
        let became = match parse_submitted(printed(code, stdout, stderr)) {
            Submitted::Task(_) => Became::Task,
            Submitted::NotSent(trouble) => Became::NotSent(trouble.kind),
            Submitted::Unknown(_) => Became::Unknown,
        };
        assert_eq!(became, expected, "{stdout:?} {stderr:?}");
    };
    let created = "create_task";
    check(0, &format!("{URL}\n"), "", Became::Task);
    // It was made, whatever went wrong afterwards.
    check(101, &format!("{URL}\n"), "Error: canary\n", Became::Task);
    check(
        1,
        "",
        "Not signed in. Please run 'codex login' to sign in with ChatGPT, then re-run 'codex cloud'.\n",
        Became::NotSent(TroubleKind::SignedOut),
    );
    for line in [
        "Error: environment 'nope' not found; run `codex cloud` to list available environments\n",
        "Error: no cloud environments are available for this workspace\n",
        "Error: environment label 'web' is ambiguous; run `codex cloud` to pick the desired environment id\n",
    ] {
        check(1, "", line, Became::NotSent(TroubleKind::NoEnvironment));
    }
    check(
        1,
        "",
        &http(created, "POST", "401 Unauthorized", "x"),
        Became::NotSent(TroubleKind::SignedOut),
    );
    check(
        1,
        "",
        &http(created, "POST", "422 Unprocessable Entity", "x"),
        Became::NotSent(TroubleKind::Unanswered),
    );
    check(
        1,
        "",
        "Error: http error: list_environments failed: GET https://chatgpt.com/backend-api/wham/environments failed: 503 \
         Service Unavailable\n",
        Became::NotSent(TroubleKind::Unanswered),
    );
    check(
        2,
        "",
        "error: unexpected argument '--branch' found\n",
        Became::NotSent(TroubleKind::Unanswered),
    );
    // The service may have it, and may have it not.
    check(
        1,
        "",
        &http(created, "POST", "500 Internal Server Error", "x"),
        Became::Unknown,
    );
    check(
        1,
        "",
        &http(created, "POST", "504 Gateway Timeout", "x"),
        Became::Unknown,
    );
    check(
        1,
        "",
        &http(created, "POST", "408 Request Timeout", "x"),
        Became::Unknown,
    );
    check(
        1,
        "",
        "Error: http error: create_task failed: error sending request for url (https://chatgpt.com/x)\n",
        Became::Unknown,
    );
    check(0, "", "", Became::Unknown);
    check(0, "https://chatgpt.com/codex/tas", "", Became::Unknown);
    check(101, "", "thread 'main' panicked\n", Became::Unknown);
}

#[test]
fn a_diff_is_one_only_if_it_begins_as_one() {
    let diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b\n";
    assert_eq!(
        parse_diff(printed(0, diff, "")),
        Ok(Fetched::Diff(diff.as_bytes().to_vec()))
    );
    let none = parse_diff(printed(
        1,
        "",
        "Error: No diff available for task task_e_1; it may still be running.\n",
    ));
    assert!(matches!(none, Ok(Fetched::None(_))), "{none:?}");
    let absent = parse_diff(printed(
        1,
        "",
        "Error: Attempt 4 not available; only 2 attempt(s) found\n",
    ));
    assert!(matches!(absent, Ok(Fetched::NoSuchAttempt(_))), "{absent:?}");
    let check = |code: i32, stdout: &str, stderr: &str, expected: TroubleKind| {
        let trouble = parse_diff(printed(code, stdout, stderr)).unwrap_err();
        assert_eq!(trouble.kind, expected, "{stdout:?} {stderr:?}");
    };
    check(1, diff, "", TroubleKind::Unreadable);
    check(0, "<html>", "", TroubleKind::Unreadable);
    check(0, "", "", TroubleKind::Unreadable);
    check(
        1,
        "",
        &http("get_task_details", "GET", "404 Not Found", ""),
        TroubleKind::Gone,
    );
}

#[test]
fn a_list_is_read_as_far_as_it_can_be() {
    let json = r#"{"tasks":[
        {"id":"task_e_1","url":"u","title":"t","status":"ready","environment_id":"e1","environment_label":"web",
         "summary":{"files_changed":-1,"lines_added":"many"},"attempt_total":2},
        {"id":"../x","status":"ready"}, {"id":"task_e_2","status":"exploded"}, 7,
        {"id":"task_e_3","status":"pending"}],"cursor":"next"}"#;
    let page = parse_list(printed(0, json, "")).unwrap();
    let read: Vec<(&str, TaskStatus)> = page
        .tasks
        .iter()
        .map(|listed| (listed.task.as_str(), listed.status))
        .collect();
    assert_eq!(
        read,
        [("task_e_1", TaskStatus::Ready), ("task_e_3", TaskStatus::Pending)]
    );
    assert_eq!(
        page.tasks[0].environment,
        (Some("e1".to_owned()), Some("web".to_owned()))
    );
    assert_eq!(page.cursor.as_deref(), Some("next"));
    for cut in [&json[..json.len() - 3], "", "[]", "{\"tasks\":{}}", "<html>"] {
        assert!(parse_list(printed(0, cut, "")).is_err(), "{cut}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_printed_makes_a_reader_fail(code in -1i32..256, out in any::<Vec<u8>>(), err in any::<Vec<u8>>()) {
        let printed = Printed { end: End::Exited(code), stdout: &out, stderr: &err };
        let _ = (parse_status(printed), parse_submitted(printed), parse_diff(printed), parse_list(printed));
    }

    #[test]
    fn a_cut_answer_never_names_another_task(id in "[a-z0-9_]{1,40}", at in 0usize..100) {
        let whole = format!("{TASK_URL}{id}\n");
        let cut = &whole.as_bytes()[..at.min(whole.len())];
        let found = parse_task_url(cut);
        prop_assert!(found.is_none() || cut.len() == whole.len());
    }
}
