//! What the answer of `status` comes to, as findings.

use serde_json::{Map, Value};

use crate::domain::environment::Environment;
use crate::domain::fault::FaultCode;
use crate::domain::peer::Peer;
use crate::service::doctor::finding::Finding;
use crate::service::reply::Reply;

/// Reads the overview of this peer.
pub(super) fn findings(overview: &Reply, peer: Peer, environment: &Environment) -> Vec<Finding> {
    let body = &overview.body;
    let none = Map::new();
    let part = |name: &str| body.get(name).and_then(Value::as_object).unwrap_or(&none);
    let first_fix = || overview.next_steps.first().cloned().unwrap_or_default();
    if text(part("config"), "error").is_some() {
        return vec![Finding::broken("config", overview.summary.clone(), first_fix())];
    }
    let blocks = |name: &str| {
        let names = body.get("blocked_by").and_then(Value::as_array);
        names.into_iter().flatten().any(|blocked| *blocked == name)
    };
    let mut findings = program(part(peer.as_str()), peer, environment, &first_fix());
    let git = part("git");
    findings.push(match text(git, "version") {
        Some(version) => Finding::ready(
            "git",
            format!(
                "{version} at {}; {}",
                text(git, "path").unwrap_or_default(),
                repository(git)
            ),
        ),
        None => Finding::broken(
            "git",
            text(git, "error").unwrap_or("not found"),
            FaultCode::GitFailed.hint(),
        ),
    });
    let state = part("state");
    let says = format!(
        "{}; {}",
        text(state, "directory").unwrap_or_default(),
        kept(state)
    );
    findings.push(if blocks("state") {
        Finding::broken("state", says, first_fix())
    } else if let Some(aside) = state.get("quarantine") {
        let fix = format!(
            "look at {}: damaged records lie there for a week",
            aside["directory"]
        );
        Finding::attention("state", says, fix)
    } else {
        Finding::ready("state", says)
    });
    if blocks("project") {
        findings.push(Finding::broken(
            "project",
            "the project's `.crosscheck/config.toml` stops paid calls",
            "`crosscheck config check` lists what is wrong in it",
        ));
    } else {
        findings.push(Finding::ready("config", "the settings are valid"));
    }
    findings
}

fn program(about: &Map<String, Value>, peer: Peer, environment: &Environment, fix: &str) -> Vec<Finding> {
    let name = peer.as_str();
    let Some(version) = text(about, "version") else {
        let says =
            text(about, "error").map_or_else(|| format!("the {peer} program is not found"), str::to_owned);
        return vec![Finding::broken(name, says, fix)];
    };
    let says = format!("{version} at {}", text(about, "path").unwrap_or_default());
    let range = text(about, "range").unwrap_or_default();
    let program = match text(about, "supported") {
        Some("no") => Finding::broken(
            name,
            format!("{says}, which is older than the supported versions ({range})"),
            peer.hint(FaultCode::PeerVersionUnsupported),
        ),
        Some("untested") => Finding::attention(
            name,
            format!("{says}, which is newer than the tested versions ({range})"),
            "the check `contract` below says whether it honours what is relied on",
        ),
        _ => Finding::ready(name, says),
    };
    let sandbox = match about.get("sandbox") {
        Some(Value::String(_)) if peer.runs_commands() => {
            Finding::ready("sandbox", format!("{peer}'s commands run in its sandbox"))
        }
        Some(Value::String(said)) => Finding::ready("sandbox", said.clone()),
        broken => {
            let why = broken
                .and_then(|broken| broken["broken"].as_str())
                .unwrap_or("it does not work");
            let says = format!("{why}: consult and review run without a shell, and delegate is refused");
            Finding::attention("sandbox", says, FaultCode::SandboxUnavailable.hint())
        }
    };
    vec![program, login(about, peer, environment), sandbox]
}

fn login(about: &Map<String, Value>, peer: Peer, environment: &Environment) -> Finding {
    const WHAT: &str = "login";
    let (own, ignored) = peer.key_variables();
    let ignored = ignored.filter(|name| environment.get(name).is_some());
    match (text(about, "login"), ignored) {
        (Some("chat_gpt"), _) => {
            Finding::ready(WHAT, format!("with a ChatGPT account; {}", allowance(about)))
        }
        (Some("claude_ai"), _) => {
            Finding::ready(WHAT, format!("with a Claude account; {}", allowance(about)))
        }
        (Some("api_key"), _) => Finding::ready(WHAT, "with an API key; it is checked when a run begins"),
        _ if environment.get(own).is_some() => {
            Finding::ready(WHAT, format!("with {own}; it is checked when a run begins"))
        }
        (Some("logged_out"), Some(name)) => Finding::attention(
            WHAT,
            format!("{peer} is not signed in, and it does not read {name}, which is set"),
            peer.sign_in(),
        ),
        (Some("logged_out"), None) => Finding::attention(
            WHAT,
            format!("{peer} says that it is not signed in; a provider of your own may do without"),
            peer.sign_in(),
        ),
        _ => Finding::attention(
            WHAT,
            format!("it cannot be told how {peer} is signed in"),
            peer.sign_in(),
        ),
    }
}

fn allowance(about: &Map<String, Value>) -> String {
    let used = about
        .get("quota")
        .and_then(|quota| quota["windows"][0]["used_percent"].as_u64());
    match used {
        Some(percent) => format!("{percent} percent of the current allowance is used"),
        None => "the allowance is unknown".to_owned(),
    }
}

fn repository(git: &Map<String, Value>) -> String {
    match git.get("repository") {
        Some(Value::String(root)) => format!("the repository is {root}"),
        Some(other) => other["none"].as_str().unwrap_or("no repository here").to_owned(),
        None => "no repository here".to_owned(),
    }
}

fn kept(state: &Map<String, Value>) -> String {
    let number = |name: &str| state.get(name).and_then(Value::as_u64).unwrap_or(0);
    format!(
        "{} jobs active, {} results unread, {} MB free",
        number("active_jobs"),
        number("unread_results"),
        number("free_bytes") / 1_000_000
    )
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::deliver::object;
    use crate::service::doctor::finding::Health;
    use serde_json::json;

    fn states(body: Value, variables: &[&str]) -> Vec<(&'static str, Health)> {
        let overview = Reply {
            summary: "Not ready.".to_owned(),
            body: object(body),
            next_steps: vec!["do this".to_owned()],
            ..Reply::default()
        };
        let environment: Environment = variables
            .iter()
            .map(|name| ((*name).into(), "x".into()))
            .collect();
        let found = findings(&overview, Peer::Codex, &environment);
        assert!(
            found
                .iter()
                .all(|finding| finding.fix.is_some() == (finding.health != Health::Ready)),
            "{found:?}"
        );
        found
            .into_iter()
            .map(|finding| (finding.name, finding.health))
            .collect()
    }

    fn whole(login: &str, sandbox: &Value, supported: &str) -> Value {
        json!({
            "codex": {"found": true, "path": "/c", "version": "0.169.0", "supported": supported, "login": login,
                "sandbox": sandbox, "quota": {"unknown": "x"}},
            "git": {"path": "/g", "version": "2.47.3", "repository": null},
            "state": {"directory": "/s", "free_bytes": 5, "active_jobs": 0, "unread_results": 0},
            "config": {"changed": []}, "ready": true, "blocked_by": [],
        })
    }

    #[test]
    fn everything_that_is_not_ready_has_one_thing_to_do() {
        use Health::{Attention, Broken, Ready};
        let check = |body: Value, variables: &[&str], name: &str, expected: Health| {
            let found = states(body.clone(), variables);
            let health = found
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, health)| *health);
            assert_eq!(health, Some(expected), "{name} {body:#}");
        };
        check(whole("chat_gpt", &json!("works"), "yes"), &[], "login", Ready);
        check(
            whole("logged_out", &json!("works"), "yes"),
            &[],
            "login",
            Attention,
        );
        check(
            whole("logged_out", &json!("works"), "yes"),
            &["OPENAI_API_KEY"],
            "login",
            Attention,
        );
        check(
            whole("logged_out", &json!("works"), "yes"),
            &["CODEX_API_KEY"],
            "login",
            Ready,
        );
        check(
            whole("api_key", &json!({"broken": "no user namespaces"}), "yes"),
            &[],
            "sandbox",
            Attention,
        );
        check(
            whole("api_key", &json!("works"), "untested"),
            &[],
            "codex",
            Attention,
        );
        check(whole("api_key", &json!("works"), "no"), &[], "codex", Broken);
        check(
            json!({"codex": {"found": false, "error": "not there"}, "blocked_by": ["codex"]}),
            &[],
            "codex",
            Broken,
        );
        let logged_out = json!({"found": true, "path": "/c", "version": "2.1.329", "supported": "yes",
            "login": "logged_out", "sandbox": "not needed: no command is run"});
        let overview = Reply {
            body: object(json!({"claude": logged_out, "blocked_by": []})),
            ..Reply::default()
        };
        let environment = [("ANTHROPIC_API_KEY".into(), "x".into())].into_iter().collect();
        for (environment, login) in [(environment, Ready), (Environment::default(), Attention)] {
            let found = findings(&overview, Peer::Claude, &environment);
            let found: Vec<_> = found.iter().take(3).map(|one| (one.name, one.health)).collect();
            assert_eq!(found, [("claude", Ready), ("login", login), ("sandbox", Ready)]);
        }
        check(
            json!({"git": {"error": "no git"}, "blocked_by": ["git"]}),
            &[],
            "git",
            Broken,
        );
        check(json!({"blocked_by": ["state", "project"]}), &[], "state", Broken);
        check(
            json!({"blocked_by": ["state", "project"]}),
            &[],
            "project",
            Broken,
        );
        check(
            json!({"config": {"valid": false, "error": "line 2"}}),
            &[],
            "config",
            Broken,
        );
    }
}
