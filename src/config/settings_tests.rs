//! Tests of the settings: which layer wins, and what each mistake is called.

use super::*;
use crate::config::KEYS;

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

#[test]
fn the_environment_outranks_the_file_and_the_file_the_default() {
    let text = "[limits]\nconcurrency = 5\ntimeout_s = 60\n";
    let config = Config::layered(Some(text), &env(&[("CROSSCHECK_LIMITS_CONCURRENCY", "7")])).unwrap();
    assert_eq!(
        config.concurrency,
        Setting {
            value: 7,
            origin: Origin::Environment("CROSSCHECK_LIMITS_CONCURRENCY")
        }
    );
    assert_eq!(
        config.timeout,
        Setting {
            value: Duration::from_secs(60),
            origin: Origin::File
        }
    );
    assert_eq!(config.prompt_bytes.origin, Origin::Default);
}

#[test]
fn a_setting_of_the_plugin_lies_between_the_file_and_the_environment() {
    let plugin = [
        ("CROSSCHECK_PLUGIN_CODEX", "/opt/codex"),
        ("CROSSCHECK_PLUGIN_MODEL", "small"),
        ("CROSSCHECK_PLUGIN_EFFORT", ""),
        ("CROSSCHECK_PLUGIN_CONCURRENCY", "2"),
    ];
    let text = "[peer.codex]\nmodel = 'large'\neffort = 'low'\n";
    let check = |further: &[(&str, &str)], key: &str, expected: (Value, &str)| {
        let config = Config::layered(Some(text), &env(&[&plugin[..], further].concat())).unwrap();
        let rows = config.rows();
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        assert_eq!(
            (&row["value"], row["origin"].as_str().unwrap()),
            (&expected.0, expected.1),
            "{key}"
        );
    };
    check(&[], "peer.codex.bin", (json!("/opt/codex"), "plugin setting"));
    check(&[], "peer.codex.model", (json!("small"), "plugin setting"));
    // Nobody filled it in, so it says nothing.
    check(&[], "peer.codex.effort", (json!("low"), "file"));
    check(&[], "limits.concurrency", (json!(2), "plugin setting"));
    let over = [("CROSSCHECK_PEER_CODEX_MODEL", "own")];
    check(
        &over,
        "peer.codex.model",
        (json!("own"), "environment CROSSCHECK_PEER_CODEX_MODEL"),
    );
}

#[test]
fn what_a_call_names_outranks_what_is_usual() {
    let text = "[peer.codex]\nmodel = 'usual'\neffort = 'low'\n";
    let config = Config::layered(Some(text), &env(&[])).unwrap();
    let asked = Common {
        model: ModelName::try_from("other".to_owned()).ok(),
        ..Common::default()
    };
    assert_eq!(
        config.model(Peer::Codex, &asked).map(String::from).as_deref(),
        Some("other")
    );
    assert_eq!(
        config
            .model(Peer::Codex, &Common::default())
            .map(String::from)
            .as_deref(),
        Some("usual")
    );
    assert_eq!(
        config.effort(Peer::Codex, &asked).map(String::from).as_deref(),
        Some("low")
    );
}

#[test]
fn every_key_is_shown_once_and_in_its_place() {
    let rows = Config::layered(None, &env(&[])).unwrap().rows();
    let shown: Vec<&str> = rows.iter().map(|row| row["key"].as_str().unwrap()).collect();
    let keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(shown, keys);
}

#[test]
fn every_key_can_be_set() {
    let text = "[peer.codex]\nbin = '/bin/codex'\nversions = '>=0.1'\nmodel = 'm'\neffort = 'high'\n\
        [peer.claude]\nbin = '/bin/claude'\nversions = '>=2'\nmodel = 'm'\neffort = 'high'\n\
        [limits]\nconcurrency = 1\ntimeout_s = 10\nbudget_tokens = 1_000\nask_above_tokens = 1000\nprompt_bytes = 10000\nreview_parts = 3\ndepth = 2\n\
        [policy]\nroots = ['/a']\n[paths]\ndeny = ['a']\n[checks]\nonly = ['make']\n\
        [secrets]\nfiles = ['b']\npatterns = ['c+']\n[env]\npass = ['D']\n\
        [allow]\nweb_search = true\nnetwork = true\nin_place = true\n\
        [delegate]\nreuse = ['e']\n[apply]\nconfirm = 'always'\n[runner.cloud]\nenv = 'web'\n[host]\nnotify = false\ngate = 'soft'\n";
    let config = Config::layered(Some(text), &env(&[])).unwrap();
    for row in config.rows() {
        assert_eq!(row["origin"], "file", "{row}");
    }
}

#[test]
fn mistakes_are_named_without_their_values() {
    let check = |text: &str, part: &str| {
        let fault = Config::layered(Some(text), &env(&[])).unwrap_err();
        assert_eq!(fault.code, FaultCode::ConfigInvalid);
        assert!(fault.message.contains(part), "{}", fault.message);
        assert!(!fault.message.contains("s3cret"), "{}", fault.message);
    };
    check(
        "[limits]\nconcurency = 5\n",
        "line 2: `limits.concurency` is no key",
    );
    check(
        "[limits]\nconcurency = 5\n",
        "the keys here are concurrency, timeout_s",
    );
    check("[limits]\nconcurrency = 'sk-s3cret'\n", "line 2");
    check("[limits]\nconcurrency = 99\n", "1 to 10");
    check("[limits]\nconcurrency = -1\n", "1 to 10");
    check("[limits]\nbudget_tokens = 999\n", "1000 to 100000000");
    check("[policy]\nroots = ['relative/s3cret']\n", "absolute");
    check("[secrets]\npatterns = ['s3cret(']\n", "regular expressions");
    check("[paths]\ndeny = ['../s3cret']\n", "globs");
    check("[env]\npass = ['s3cret=1']\n", "names of variables");
    check("limits = 's3cret'\n", "must be a table");
    check("'limits.depth' = 2\n", "is no key");
    check("nonsense s3cret", "line 1");
    check("[limits]\ndepth = 3\n[allow]\ninherit = true\n", "and 1 more");
}

#[test]
fn every_mistake_has_its_line_and_the_keys_that_are_right() {
    let text =
        "top = 1\n[limits]\ndepth = 9\nwait = 1\n[allow]\nfull = true\nnetwork = 'yes'\n[\"a\\u001b[31m\"]\n";
    insta::assert_snapshot!("problems", serde_json::to_string_pretty(&problems(text)).unwrap());
}

#[test]
fn a_variable_that_does_not_parse_is_named() {
    let check = |name: &str, value: &str| {
        let fault = Config::layered(None, &env(&[(name, value)])).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some(name), "{value}");
        assert!(!fault.message.contains(value), "{}", fault.message);
    };
    check("CROSSCHECK_LIMITS_TIMEOUT_S", "soon");
    check("CROSSCHECK_LIMITS_TIMEOUT_S", "99999");
    check("CROSSCHECK_LIMITS_CONCURRENCY", "0");
    check("CROSSCHECK_PEER_CODEX_VERSIONS", "newest");
    check("CROSSCHECK_PEER_CODEX_MODEL", "-m s3cret");
    check("CROSSCHECK_PLUGIN_CODEX", "bin/codex");
    check("CROSSCHECK_PLUGIN_CONCURRENCY", "11");
}

#[test]
fn nothing_dangerous_comes_from_the_environment() {
    // A host can be told by a repository what to put there.
    let names = [
        "ALLOW_NETWORK",
        "ALLOW_WEB_SEARCH",
        "ALLOW_IN_PLACE",
        "ENV_PASS",
        "LIMITS_DEPTH",
    ];
    for name in names {
        let name = format!("CROSSCHECK_{name}");
        let config = Config::layered(None, &env(&[(&name, "true")])).unwrap();
        assert_eq!(config, Config::layered(None, &env(&[])).unwrap(), "{name}");
    }
}

#[test]
fn a_text_of_deep_nesting_or_many_mistakes_ends_soon() {
    let deep = format!("a = {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(problems(&deep).len(), 1);
    let dotted = format!("{}x = 1\n", "a.".repeat(10_000));
    assert!(!problems(&dotted).is_empty());
    let many: Vec<String> = (0..20_000).map(|at| format!("k{at} = 1")).collect();
    assert!(problems(&many.join("\n")).len() <= 50);
}
