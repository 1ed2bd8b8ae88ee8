//! The server's own responses: everything but an answer of the model.

use serde_json::{Value, json};

use crate::model::http::Head;
use crate::model::reply::HttpReply;
use crate::model::script::{Quota, Window};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The model's next output.
    Responses,
    /// An upgrade to a WebSocket, which is refused so that the peer goes on over HTTP.
    WebSocket,
    /// Whether anybody is there.
    Probe,
    /// The list of models.
    Models,
    /// The accounts of a login.
    Accounts,
    /// The quota of a plan.
    Usage,
    /// A new access token.
    Token,
    /// Something else.
    Unknown,
}

/// Tells what a request asks for. Paths are matched by their ends, because peers prefix them with their base URL.
pub fn route(head: &Head) -> Route {
    let path = head.path();
    let upgrade = head
        .header("upgrade")
        .is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    match head.method.as_str() {
        "POST" if path.ends_with("/responses") => Route::Responses,
        "POST" if path.ends_with("/oauth/token") => Route::Token,
        "HEAD" => Route::Probe,
        "GET" if upgrade => Route::WebSocket,
        "GET" if path.ends_with("/models") => Route::Models,
        "GET" if path.ends_with("/wham/accounts/check") => Route::Accounts,
        "GET" if path.ends_with("/wham/usage") => Route::Usage,
        _ => Route::Unknown,
    }
}

/// Returns the response to a request that is not one for an answer, at `now_s` seconds since the epoch.
pub fn respond(route: Route, quota: &Quota, now_s: u64) -> HttpReply {
    match route {
        Route::Probe => HttpReply {
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        },
        // Any other status makes codex try again for six seconds. Seen with codex-cli 0.169.0.
        Route::WebSocket => {
            HttpReply::error(426, "no websocket here", &[]).with_header("connection", "close")
        }
        Route::Models => HttpReply::json(200, &json!({"object": "list", "data": [], "models": []})),
        Route::Accounts => HttpReply::json(200, &accounts(quota)),
        Route::Usage => HttpReply::json(200, &usage(quota, now_s)),
        Route::Token => HttpReply::json(
            401,
            &json!({"error": {"code": "refresh_token_expired", "message": "the refresh token has expired"}}),
        ),
        Route::Responses | Route::Unknown => HttpReply::error(404, "no such path", &[]),
    }
}

/// Returns the one account of the dummy login.
fn accounts(quota: &Quota) -> Value {
    json!({
        "accounts": [{
            "id": "acct-demo",
            "name": null,
            "structure": "personal",
            "plan_type": quota.plan,
            // The name of the service itself: codex 0.169.0 takes it as the account's home and does not call it
            // as long as its configured base URL points here.
            "workspace_backend_origin": "https://chatgpt.com",
            "account_routing_override": "NO_CONSTRAINT",
        }],
        "account_ordering": ["acct-demo"],
        "default_account_id": "acct-demo",
    })
}

fn usage(quota: &Quota, now_s: u64) -> Value {
    let window = |window: &Window| {
        json!({
            "used_percent": window.used_percent,
            "limit_window_seconds": window.length_s,
            "reset_after_seconds": window.resets_in_s,
            "reset_at": now_s.saturating_add(window.resets_in_s),
        })
    };
    let reached = quota.primary.used_percent >= 100 || quota.secondary.used_percent >= 100;
    json!({
        "user_id": "user-demo",
        "account_id": "acct-demo",
        "plan_type": quota.plan,
        "credits": null,
        "rate_limit": {
            "allowed": !reached,
            "limit_reached": reached,
            "primary_window": window(&quota.primary),
            "secondary_window": window(&quota.secondary),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::parse_head;

    #[test]
    fn requests_are_told_apart_by_method_and_end_of_path() {
        let check = |request: &str, expected: Route| {
            let text = format!("{request} HTTP/1.1\r\n\r\n");
            let (head, _) = parse_head(text.replace(" + ", " HTTP/1.1\r\n").as_bytes())
                .unwrap()
                .unwrap();
            assert_eq!(route(&head), expected, "{request}");
        };
        check("POST /v1/responses", Route::Responses);
        check("POST /backend-api/codex/responses?x=1", Route::Responses);
        check("GET /v1/responses", Route::Unknown);
        check("GET /v1/models?client_version=0.169.0", Route::Models);
        check("GET /backend-api/wham/usage", Route::Usage);
        check("GET /backend-api/wham/accounts/check", Route::Accounts);
        check("POST /oauth/token", Route::Token);
        check("HEAD /", Route::Probe);
        check("POST /backend-api/ps/mcp", Route::Unknown);
        let upgrade = b"GET /v1/responses HTTP/1.1\r\nUpgrade: WebSocket\r\n\r\n";
        assert_eq!(route(&parse_head(upgrade).unwrap().unwrap().0), Route::WebSocket);
    }

    #[test]
    fn the_quota_is_reported_with_its_reset_time() {
        let mut quota = Quota::default();
        quota.primary.used_percent = 100;
        let body: Value = serde_json::from_str(&respond(Route::Usage, &quota, 1_000).body).unwrap();
        assert_eq!(body["rate_limit"]["allowed"], json!(false));
        assert_eq!(body["rate_limit"]["primary_window"]["reset_at"], json!(8_200));
        assert_eq!(body["rate_limit"]["secondary_window"]["used_percent"], json!(5));
    }

    #[test]
    fn what_is_not_known_is_not_found() {
        for route in [Route::Unknown, Route::Responses] {
            assert_eq!(respond(route, &Quota::default(), 0).status, 404);
        }
        assert_eq!(respond(Route::WebSocket, &Quota::default(), 0).status, 426);
        assert_eq!(respond(Route::Token, &Quota::default(), 0).status, 401);
    }
}
