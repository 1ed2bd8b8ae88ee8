//! How many cheap calls a second a server answers when many are in flight.

use std::time::Instant;

use serde_json::json;

use crate::figure::Figure;
use crate::host::Host;
use crate::support::home::Home;
use crate::table::Row;
use crate::world::program;

/// Calls that are unanswered at any time.
const IN_FLIGHT: usize = 64;
/// Calls of one round; a round takes some tenths of a second.
const CALLS: usize = 16 * 1024;
/// Rounds, after one that warms up.
const ROUNDS: usize = 5;

/// Measures `status topic=errors`.
pub(crate) fn measure() -> Vec<Row> {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut command = home.command(program());
    command.arg("serve");
    let mut host = Host::start(command);
    host.call_ok("status", &json!({"topic": "errors"}));
    round(&mut host);
    let rates = (0..ROUNDS).map(|_| round(&mut host)).collect();
    let figure = Figure::of(rates, "calls/s");
    vec![Row::new(
        "64 calls of `status topic=errors` in flight",
        "50,000 calls/s",
        &figure,
    )]
}

/// Returns the calls a second of one round.
#[expect(clippy::cast_precision_loss, reason = "the count is far below 2^52")]
fn round(host: &mut Host) -> f64 {
    let call = |id: usize| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{{"name":"status","arguments":{{"topic":"errors"}}}}}}"#,
            1_000_000 + id
        ) + "\n"
    };
    let begun = Instant::now();
    let first: String = (0..IN_FLIGHT).map(call).collect();
    host.send_bytes(first.as_bytes());
    let (mut sent, mut answered) = (IN_FLIGHT, 0);
    while answered < CALLS {
        // Whatever is there already is taken before more is sent, as a busy host does.
        let mut more = String::new();
        loop {
            let line = host.read_line();
            assert!(line.contains(r#""ok":true"#), "{line}");
            answered += 1;
            if sent < CALLS {
                more += &call(sent);
                sent += 1;
            }
            if !host.has_line() {
                break;
            }
        }
        host.send_bytes(more.as_bytes());
    }
    CALLS as f64 / begun.elapsed().as_secs_f64()
}
