//! What a session of Claude Code pays for a plugin before anybody uses it.
//!
//! Taken from what the real Claude Code sends to its model's API: the first request of a session with the plugin, less that of one
//! without. How the API counts tokens is not public, so they are bytes of JSON divided by four.

use std::path::Path;

use serde_json::{Value, json};

use crate::figure::Figure;
use crate::others;
use crate::support::messages::{Answer, FakeMessages};
use crate::support::peers;
use crate::support::run::finish;
use crate::support::scripts::Scripted;
use crate::table::Row;
use crate::world::{World, program};

/// Bytes of JSON that are counted as one token.
const BYTES_OF_A_TOKEN: f64 = 4.0;
/// Sessions until one has its server in time: a headless one waits two seconds for it, and then begins without.
const TRIES: usize = 4;

/// What a session has besides what Claude Code brings itself.
enum With<'a> {
    Nothing,
    /// Our plugin: server, commands, skill and hooks.
    Plugin,
    /// A server alone, by its command.
    Server(Value, &'a str),
}

/// The bytes of a first request, by where they stand.
#[derive(Clone, Copy)]
struct Paid {
    tools: usize,
    rest: usize,
}

impl Paid {
    fn all(self) -> usize {
        self.tools + self.rest
    }

    fn beyond(self, bare: Self) -> Self {
        Self {
            tools: self.tools.saturating_sub(bare.tools),
            rest: self.rest.saturating_sub(bare.rest),
        }
    }

    fn tokens(self) -> Figure {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a request has far less than 2^52 bytes"
        )]
        Figure::once(self.all() as f64 / BYTES_OF_A_TOKEN, "tokens")
    }

    fn said(self) -> String {
        format!(
            "{} bytes: schemas {}, names and texts {}",
            self.all(),
            self.tools,
            self.rest
        )
    }
}

/// Measures both versions: the newer one defers tools, the older one sends them all to an API that is not its own.
pub(crate) fn measure() -> Vec<Row> {
    let world = World::new(Scripted::well());
    let mut rows = Vec::new();
    let whats = [
        ("context at rest, tools found on demand", peers::claude_newest()),
        ("context at rest, every tool sent", peers::claude_197()),
    ];
    for (what, claude) in whats {
        // The first session of a home differs from all later ones.
        session(&world, &claude, &With::Nothing);
        let Some(bare) = session(&world, &claude, &With::Nothing) else {
            panic!("Claude Code asked no model");
        };
        let Some(ours) = session(&world, &claude, &With::Plugin) else {
            panic!("our server was not there in time");
        };
        let ours = ours.beyond(bare);
        let server = json!({"command": program(), "args": ["serve"]});
        let mut row = Row::new(what, "", &ours.tokens()).remark(&ours.said());
        if let Some(alone) = session(&world, &claude, &With::Server(server, "consult")) {
            let alone = alone.beyond(bare);
            row = row.remark(&format!(
                "of it the server {}, and what the plugin adds to it {}",
                alone.all(),
                ours.all().saturating_sub(alone.all())
            ));
        }
        for other in others::installed() {
            let command = others::configured(other, &world);
            let variables: serde_json::Map<String, Value> = command
                .get_envs()
                .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value?.to_str()?))))
                .collect();
            let server = json!({"command": other.program, "args": [], "env": variables});
            match session(&world, &claude, &With::Server(server, "dry_run")) {
                Some(paid) => {
                    let paid = paid.beyond(bare);
                    let said = format!("{}, its server alone, {}", paid.tokens(), paid.said());
                    row = row.beside(other.name, &said);
                }
                None => row = row.beside(other.name, &"was not there in time"),
            }
        }
        rows.push(row);
    }
    rows
}

/// Runs one session and returns what its first request held; `None` when its server never came in time.
fn session(world: &World, claude: &Path, with: &With<'_>) -> Option<Paid> {
    (0..TRIES).find_map(|_| {
        let api = FakeMessages::start(|_| Answer::text("Hello."));
        let mut command = world.home.claude_command(claude, &api.url());
        command
            .args(["-p", "hi", "--output-format", "json"])
            .env("CROSSCHECK_BIN", program())
            .current_dir(world.home.work());
        let mark = match with {
            With::Nothing => "hi",
            With::Plugin => {
                command.args(["--plugin-dir", env!("CARGO_MANIFEST_DIR")]);
                "mcp__plugin_codex_codex__consult"
            }
            With::Server(server, tool) => {
                let config = json!({"mcpServers": {"codex": server}});
                command.args(["--strict-mcp-config", "--mcp-config", &config.to_string()]);
                tool
            }
        };
        let ended = finish(command, "");
        assert!(ended.status.success(), "{ended:#?}");
        let requests = api.requests();
        let first = requests.first()?;
        let is_there = match with {
            With::Server(..) => {
                let text = first.to_string();
                text.contains("mcp__codex__") && text.contains(mark)
            }
            _ => first.to_string().contains(mark),
        };
        is_there.then(|| Paid {
            tools: first["tools"].to_string().len(),
            rest: first["system"].to_string().len() + first["messages"].to_string().len(),
        })
    })
}
