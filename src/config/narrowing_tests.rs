//! What a project's file can do, and what it cannot.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::environment::Environment;

fn user(text: &str) -> Config {
    Config::layered(Some(text), &Environment::default()).unwrap()
}

fn narrowed(user: &Config, project: &str) -> (Config, Ignored) {
    user.narrowed(&Narrowing::read(project).unwrap(), Path::new("/top"))
}

#[test]
fn a_project_lowers_limits_and_never_raises_them() {
    let check = |own: &str, project: &str, key: &str, expected: (serde_json::Value, &str)| {
        let (config, _) = narrowed(&user(own), project);
        let rows = config.rows();
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        assert_eq!(
            (row["value"].clone(), row["origin"].as_str().unwrap()),
            expected,
            "{own} {project}"
        );
    };
    let lower = "[limits]\nconcurrency = 2\n";
    check("", lower, "limits.concurrency", (2.into(), "project"));
    check(
        "[limits]\nconcurrency = 1\n",
        lower,
        "limits.concurrency",
        (1.into(), "file"),
    );
    check(
        "",
        "[limits]\nconcurrency = 9\n",
        "limits.concurrency",
        (3.into(), "default"),
    );
    check(
        "",
        "[limits]\nbudget_tokens = 5000\n",
        "limits.budget_tokens",
        (5000.into(), "project"),
    );
    let own = "[limits]\nbudget_tokens = 2000\ntimeout_s = 60\ndepth = 2\n";
    check(
        own,
        "[limits]\nbudget_tokens = 5000\n",
        "limits.budget_tokens",
        (2000.into(), "file"),
    );
    check(
        own,
        "[limits]\ntimeout_s = 61\n",
        "limits.timeout_s",
        (60.into(), "file"),
    );
    check(
        own,
        "[limits]\ntimeout_s = 59\n",
        "limits.timeout_s",
        (59.into(), "project"),
    );
    check(
        own,
        "[limits]\ndepth = 1\n",
        "limits.depth",
        (1.into(), "project"),
    );
}

#[test]
fn a_deadline_between_the_defaults_bounds_what_is_asked() {
    let (config, ignored) = narrowed(&user(""), "[limits]\ntimeout_s = 2400\n");
    let usual = |default: u64| config.usual_timeout(Duration::from_secs(default)).as_secs();
    assert_eq!((usual(1800), usual(3600)), (1800, 2400));
    assert_eq!(config.longest_timeout().unwrap().value.as_secs(), 2400);
    assert_eq!(ignored.count(), 0);
}

#[test]
fn lists_of_what_is_kept_back_add_up_and_lists_of_what_is_admitted_meet() {
    let own = user("[paths]\ndeny = ['a']\n[checks]\nonly = ['make', 'test']\n");
    let project = "[paths]\ndeny = ['b', 'a']\n[checks]\nonly = ['test', 'rm']\n[secrets]\nfiles = ['c']\n";
    let (config, _) = narrowed(&own, project);
    assert_eq!(config.paths_deny.value, ["a", "b"]);
    assert_eq!(config.paths_deny.origin, Origin::FileAndProject);
    assert_eq!(
        config.checks_only.value.as_deref(),
        Some(["test".to_owned()].as_slice())
    );
    assert_eq!(config.secret_files.origin, Origin::Project);
}

#[test]
fn what_would_grant_anything_is_ignored_and_named() {
    let text = "top = 1\n[allow]\nnetwork = true\nin_place = 'x'\nfull_access = true\n[env]\npass = ['AWS']\n\
        [peer.codex]\nbin = '/tmp/evil'\n[apply]\nconfirm = 'host'\n[limits]\nconcurrency = 9\n";
    let own = user("");
    let (config, ignored) = narrowed(&own, text);
    assert_eq!(config, own);
    insta::assert_snapshot!("ignored", serde_json::to_string_pretty(&ignored.listed).unwrap());
    assert_eq!(ignored.more, 0);
}

#[test]
fn what_was_meant_to_narrow_and_cannot_be_read_is_an_error() {
    let check = |text: &str, key: Option<&str>| {
        let problems = Narrowing::read(text).unwrap_err();
        assert_eq!(problems[0].key.as_deref(), key, "{text}");
    };
    check("[secrets]\npatterns = ['(']\n", Some("secrets.patterns"));
    check("[paths]\ndeny = 'a'\n", Some("paths.deny"));
    check("[limits]\nconcurrency = 0\n", Some("limits.concurrency"));
    check("[policy]\nroots = ['/etc']\n", Some("policy.roots"));
    check("[policy]\nroots = ['../x']\n", Some("policy.roots"));
    check("no toml", None);
}

#[test]
fn what_is_ignored_is_told_once_and_within_bounds() {
    let lines: Vec<String> = (0..5_000).map(|at| format!("k{at} = 1")).collect();
    let narrowing = Narrowing::read(&lines.join("\n")).unwrap();
    assert_eq!(narrowing.ignored.listed.len(), Ignored::LISTED);
    assert!(narrowing.ignored.more > 0);
    assert_eq!(Narrowing::read("").unwrap().ignored.count(), 0);
}

/// A key with a value, mostly a right one.
fn entry() -> impl Strategy<Value = (&'static str, String)> {
    fn of(
        key: &'static str,
        value: impl Strategy<Value = impl std::fmt::Debug + 'static> + 'static,
    ) -> BoxedStrategy<(&'static str, String)> {
        value.prop_map(move |value| (key, format!("{value:?}"))).boxed()
    }
    let names = || prop::collection::vec("[a-c]|\\*\\.[ab]", 0..3);
    prop_oneof![
        of("limits.concurrency", 1_u64..11),
        of(
            "limits.timeout_s",
            prop_oneof![10_u64..100, 1_000_u64..4_000, 3_000_u64..14_401]
        ),
        of(
            "limits.budget_tokens",
            prop_oneof![1_000_u64..3_000, 2_000_u64..100_000_001]
        ),
        of("limits.ask_above_tokens", 1_000_u64..3_000),
        of("limits.prompt_bytes", 10_000_u64..2_097_153),
        of("limits.review_parts", 1_u64..65),
        of("limits.depth", 1_u64..3),
        of("limits.concurrency", Just(99)),
        of("paths.deny", names()),
        of("secrets.files", names()),
        of("secrets.patterns", prop::collection::vec("[a-c]+", 0..3)),
        of("checks.only", prop::collection::vec("[ab]", 0..3)),
        of("policy.roots", prop::collection::vec("[ab]", 0..3)),
        of("policy.roots", prop::collection::vec("/[ab]", 0..3)),
        of("allow.network", any::<bool>()),
        of("allow.web_search", any::<bool>()),
        of("allow.in_place", any::<bool>()),
        of("env.pass", Just(["SECRET"])),
        of("apply.confirm", prop_oneof![Just("host"), Just("always")]),
        of("delegate.reuse", Just(["x"])),
        of("host.notify", any::<bool>()),
        of("host.gate", prop_oneof![Just("off"), Just("hard")]),
        of("peer.codex.bin", Just("/x")),
        of("peer.codex.versions", Just(">=0.1")),
    ]
}

fn file() -> impl Strategy<Value = String> {
    prop::collection::btree_map(entry(), Just(()), 0..8).prop_map(|entries| {
        let one_each: std::collections::BTreeMap<&str, String> = entries.into_keys().collect();
        let lines: Vec<String> = one_each
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        lines.join("\n")
    })
}

/// Says in what a configuration admits more than another.
fn wider(narrow: &Config, plain: &Config) -> Option<&'static str> {
    let fewer = |narrow: &[String], plain: &[String]| plain.iter().any(|entry| !narrow.contains(entry));
    let asks = [1_u64, 10, 60, 1800, 1801, 3600, 14_400].map(Duration::from_secs);
    let refuses =
        |config: &Config, ask: Duration| config.longest_timeout().is_some_and(|most| ask > most.value);
    let budget = |config: &Config| config.budget_tokens.value.unwrap_or(u64::MAX);
    let more_checks = match (&narrow.checks_only.value, &plain.checks_only.value) {
        (None, Some(_)) => true,
        (Some(narrow), Some(plain)) => fewer(plain, narrow),
        (_, None) => false,
    };
    let defaults = [limits::TIMEOUT_DEFAULT, limits::DELEGATE_TIMEOUT_DEFAULT];
    let checks = [
        ("concurrency", narrow.concurrency.value > plain.concurrency.value),
        (
            "prompt_bytes",
            narrow.prompt_bytes.value > plain.prompt_bytes.value,
        ),
        ("depth", narrow.depth.value > plain.depth.value),
        (
            "review_parts",
            narrow.review_parts.value > plain.review_parts.value
                || narrow.review_parts_most.is_none() && plain.review_parts_most.is_some(),
        ),
        ("budget_tokens", budget(narrow) > budget(plain)),
        (
            "usual timeout",
            defaults
                .iter()
                .any(|ask| narrow.usual_timeout(*ask) > plain.usual_timeout(*ask)),
        ),
        (
            "longest timeout",
            asks.iter()
                .any(|ask| refuses(plain, *ask) && !refuses(narrow, *ask)),
        ),
        ("roots", narrow.roots != plain.roots),
        (
            "project roots",
            narrow
                .project_roots
                .value
                .iter()
                .any(|root| !root.starts_with("/top")),
        ),
        ("deny", fewer(&narrow.paths_deny.value, &plain.paths_deny.value)),
        (
            "files",
            fewer(&narrow.secret_files.value, &plain.secret_files.value),
        ),
        (
            "patterns",
            fewer(&narrow.secret_patterns.value, &plain.secret_patterns.value),
        ),
        ("checks", more_checks),
        ("env", narrow.env_pass != plain.env_pass),
        ("web_search", narrow.allow_web_search != plain.allow_web_search),
        ("network", narrow.allow_network != plain.allow_network),
        ("in_place", narrow.allow_in_place != plain.allow_in_place),
        ("reuse", narrow.reuse != plain.reuse),
        ("confirm", narrow.confirm != plain.confirm),
        ("notify", narrow.notify != plain.notify),
        ("ask", narrow.ask_above_tokens != plain.ask_above_tokens),
        ("gate", narrow.gate != plain.gate),
        ("bin", narrow.codex_bin != plain.codex_bin),
        ("versions", narrow.codex_versions != plain.codex_versions),
    ];
    checks.iter().find(|(_, wider)| *wider).map(|(name, _)| *name)
}

#[test]
fn the_check_of_what_is_wider_can_fail() {
    let wide = user("limits.concurrency = 9\nlimits.timeout_s = 100\n");
    assert_eq!(wider(&wide, &user("")), Some("concurrency"));
    assert_eq!(
        wider(&user(""), &user("limits.timeout_s = 60\n")),
        Some("usual timeout")
    );
    assert_eq!(wider(&user(""), &user("checks.only = []\n")), Some("checks"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_project_file_never_widens(own in file(), project in file()) {
        // Files with mistakes are refused before anything is decided by them.
        let Ok(plain) = Config::layered(Some(&own), &Environment::default()) else { return Ok(()) };
        let Ok(narrowing) = Narrowing::read(&project) else { return Ok(()) };
        let (narrow, _) = plain.narrowed(&narrowing, Path::new("/top"));
        prop_assert_eq!(wider(&narrow, &plain), None);
        let (again, _) = narrow.narrowed(&narrowing, Path::new("/top"));
        prop_assert_eq!(wider(&again, &narrow), None);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}|[a-z.=\\[\\]{}'\"# \n0-9]{0,80}") {
        let _ = Narrowing::read(&text);
    }
}
