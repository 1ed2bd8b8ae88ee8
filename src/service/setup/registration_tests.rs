//! What goes in comes out, in every spelling, and nothing else moves.

use super::*;
use crate::domain::environment::Environment;
use crate::domain::peer::Peer;
use proptest::prelude::*;

fn entry() -> Entry {
    Entry::installed(
        "/opt/bin/crosscheck".to_owned(),
        Peer::Claude,
        &Environment::default(),
        &[],
    )
}

fn put(text: &str) -> Vec<u8> {
    match put_in(Some(text.as_bytes()), "claude", &entry(), Foreign::Kept) {
        Ok(Outcome::Text(text)) => text,
        other => panic!("{other:?}: {text}"),
    }
}

#[test]
fn what_was_put_in_comes_out_without_a_trace_and_goes_in_once() {
    let check = |text: &str| {
        let new = put(text);
        let said = String::from_utf8(new.clone()).unwrap();
        if !text.contains("mcp_servers = {") {
            assert!(said.starts_with(text), "{said}");
        }
        let again = put_in(Some(&new), "claude", &entry(), Foreign::Kept);
        assert_eq!(again, Ok(Outcome::Same), "{said}");
        let out = take_out(&new, "claude");
        assert_eq!(out, Ok(Outcome::Text(text.as_bytes().to_vec())), "{said}");
    };
    check("");
    check("\n");
    check("\r\n");
    check("\n\n# c");
    check("a = 1");
    check("a = 1\r\nb = 2\r\n");
    check("a = 1\r\nb = 2");
    check("\u{feff}a = 1\n");
    check("\u{feff}");
    check("mcp_servers.x.command = 'y'\n");
    check("mcp_servers = { x = { command = 'y' } }\n[b]\n");
    check("mcp_servers = { x = { command = 'y' }, }\n");
    check("mcp_servers = {}");
    check("[mcp_servers]\n");
    check("[mcp_servers.x]\ncommand = 'y' # [mcp_servers.claude]\n");
    check("a = '''\n[mcp_servers.claude]\n'''\n");
}

#[test]
fn a_file_that_was_made_goes_again() {
    let Ok(Outcome::Text(text)) = put_in(None, "claude", &entry(), Foreign::Kept) else {
        panic!("nothing was made")
    };
    assert_eq!(take_out(&text, "claude"), Ok(Outcome::Gone));
    let more = [text.as_slice(), b"\n[b]\nc = 1\n"].concat();
    let Ok(Outcome::Text(left)) = take_out(&more, "claude") else {
        panic!("it went with what is not ours")
    };
    assert!(String::from_utf8(left).unwrap().ends_with("\n[b]\nc = 1\n"));
}

#[test]
fn what_is_not_ours_stays_unless_the_person_says_so() {
    let check = |text: &str, forced: &str| {
        let foreign = Err(Refused::Foreign("claude".to_owned()));
        assert_eq!(
            put_in(Some(text.as_bytes()), "claude", &entry(), Foreign::Kept),
            foreign,
            "{text}"
        );
        assert_eq!(take_out(text.as_bytes(), "claude"), foreign, "{text}");
        let Ok(Outcome::Text(new)) = put_in(Some(text.as_bytes()), "claude", &entry(), Foreign::Replaced)
        else {
            panic!("{text}")
        };
        let left = take_out(&new, "claude");
        assert_eq!(left, Ok(Outcome::Text(forced.as_bytes().to_vec())), "{text}");
    };
    check(
        "[mcp_servers.claude]\ncommand = 'claude'\nargs = ['mcp', 'serve']\n",
        "",
    );
    check(
        "a = 1\n[mcp_servers.claude]\nurl = 'u'\n[mcp_servers.claude.env]\nA = 'b'\n[c]\n",
        "a = 1\n[c]\n",
    );
    check("mcp_servers.claude.url = 'u'\n[c]\n", "[c]\n");
    check(
        "mcp_servers = { claude = { url = 'u' }, x = { url = 'v' } }\n",
        "mcp_servers = { x = { url = 'v' } }\n",
    );
}

#[test]
fn an_older_entry_of_ours_is_brought_up_to_date_and_keeps_what_was_added() {
    let old = "# mine\n[mcp_servers.claude] # here\ncommand = \"/old/crosscheck\" # old\nargs = [\"serve\", \"--peer\", \
               \"claude\"]\nenabled = true\ntool_timeout_sec = 20000.5\nenv_vars = [\"MINE\"]\n\n\
               [mcp_servers.claude.tools.apply]\napproval_mode = \"approve\"\n";
    let new = String::from_utf8(put(old)).unwrap();
    assert!(new.contains("command = \"/opt/bin/crosscheck\" # old\n"), "{new}");
    assert!(
        new.contains("[mcp_servers.claude] # here\nstartup_timeout_sec = 20\n"),
        "{new}"
    );
    assert!(new.contains("tool_timeout_sec = 20000.5\n"), "{new}");
    assert!(new.contains("env_vars = [\n  \"MINE\", \"XDG_"), "{new}");
    assert!(new.contains("approval_mode = \"approve\""), "{new}");
    let again = put_in(Some(new.as_bytes()), "claude", &entry(), Foreign::Kept);
    assert_eq!(again, Ok(Outcome::Same));
}

#[test]
fn a_plugin_of_ours_is_seen() {
    let check = |text: &str, expected: bool| assert_eq!(has_plugin(text.as_bytes()), expected, "{text}");
    check("[plugins.\"claude@crosscheck\"]\nenabled = true\n", true);
    check("plugins.\"claude@crosscheck\" = { enabled = true }", true);
    check("[plugins.\"claude@crosscheck\"]\nenabled = false\n", false);
    check("[plugins.\"claude@other\"]\nenabled = true\n", false);
    check("a =", false);
}

#[test]
fn a_value_in_the_entry_stands_for_the_name_of_its_variable() {
    let mut text = String::from_utf8(put("")).unwrap();
    text = text.replace(" \"XDG_STATE_HOME\",", "");
    text.push_str("[mcp_servers.claude.env]\nXDG_STATE_HOME = \"/s\"\n");
    let same = put_in(Some(text.as_bytes()), "claude", &entry(), Foreign::Kept);
    assert_eq!(same, Ok(Outcome::Same));
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let check = |text: &str, expected: Refused| {
        let put = put_in(Some(text.as_bytes()), "claude", &entry(), Foreign::Replaced);
        assert_eq!(put, Err(expected), "{text}");
    };
    let odd = Refused::Odd("mcp_servers");
    check("mcp_servers = 1", odd.clone());
    check("[[mcp_servers]]", odd.clone());
    check("mcp_servers = { claude.url = 'u' }", odd);
    check("a = ", Refused::Unreadable(Unreadable::Syntax { line: 1 }));
}

/// A document of real shapes: tables, dotted keys, arrays of tables, inline tables, comments, in either line end.
fn documents() -> impl Strategy<Value = String> {
    let key = prop_oneof!["[a-z]{1,3}", "\"[a-zäé .#]{1,4}\"", "'[a-z\\[\\]]{1,3}'"];
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("\"a \\\" # b\"".to_owned()),
        Just("'c:\\d'".to_owned()),
        Just("[ 1, # x\n 2,\n]".to_owned()),
        Just("\"\"\"\n[mcp_servers.claude]\n\"\"\"".to_owned()),
        Just("{ a = 1, b = { c = 'd' } }".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
    ];
    let line = prop_oneof![
        3 => (key.clone(), value.clone()).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => (key.clone(), key.clone(), value).prop_map(|(a, b, value)| format!("{a} . {b}={value} # c")),
        1 => Just(String::new()),
        1 => Just("  # a comment".to_owned()),
        1 => key.clone().prop_map(|key| format!("[{key}]")),
        1 => key.clone().prop_map(|key| format!("[[{key}]]")),
        2 => (key.clone()).prop_map(|key| format!("[mcp_servers.{key}]\ncommand = 'x'")),
    ];
    let lines = proptest::collection::vec(line, 0..12);
    (lines, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(lines, crlf, end, mark)| {
        let mut text = lines.join("\n");
        if end {
            text.push('\n');
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if mark { format!("\u{feff}{text}") } else { text }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_document_takes_the_entry_and_gives_it_back(text in documents()) {
        // Most of those with the same key twice are none.
        prop_assume!(Document::parse(text.as_bytes()).is_ok());
        match put_in(Some(text.as_bytes()), "claude", &entry(), Foreign::Kept) {
            Ok(Outcome::Text(new)) => {
                prop_assert_eq!(
                    put_in(Some(&new), "claude", &entry(), Foreign::Kept),
                    Ok(Outcome::Same)
                );
                prop_assert_eq!(take_out(&new, "claude"), Ok(Outcome::Text(text.into_bytes())));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn what_gives_way_goes_alone(text in documents(), at_end in any::<bool>()) {
        let foreign = "[mcp_servers.claude]\nurl = 'u' # theirs\n[mcp_servers.claude.env]\nA = 'b'\n";
        let text = text.trim_start_matches('\u{feff}').replace('\r', "");
        let (before, after) = if at_end { (format!("{text}\n"), String::new()) } else {
            (String::new(), format!("[last]\n{text}"))
        };
        let whole = format!("{before}{foreign}{after}");
        prop_assume!(Document::parse(whole.as_bytes()).is_ok());
        let Ok(Outcome::Text(new)) = put_in(Some(whole.as_bytes()), "claude", &entry(), Foreign::Replaced) else {
            return Err(TestCaseError::fail(whole));
        };
        let left = format!("{before}{after}").into_bytes();
        prop_assert_eq!(take_out(&new, "claude"), Ok(Outcome::Text(left)));
    }

    #[test]
    fn no_bytes_stop_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = put_in(Some(&bytes), "claude", &entry(), Foreign::Replaced);
        let _ = take_out(&bytes, "claude");
    }
}
