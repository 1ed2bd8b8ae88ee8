//! A codex of the tests' own: a shell script that says what it is told to, for what the real one says on no day.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::scripts::Scripted;
use crate::world::World;

/// The lines of a run that opens.
pub(crate) const OPENED: &str = r#"{"type":"thread.started","thread_id":"019a0000-0000-7000-8000-000000000000"}
{"type":"turn.started"}"#;
/// The line of an answer.
pub(crate) const SAID: &str =
    r#"{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"Paid for."}}"#;
/// The line of a turn that is over.
pub(crate) const DONE: &str =
    r#"{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":5}}"#;

/// A world whose codex is a shell script. `body` runs once the prompt was read, which lies in the file `prompt` of the
/// workspace; `open` and `say` print what an ordinary run begins and goes on with, and `file` is the place of `-o`.
pub(crate) fn world(body: &str) -> World {
    let world = World::new(Scripted::well());
    let program = world.home.private().join("hostile-codex");
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in\n--version) echo codex-cli 0.169.0; exit 0;;\nsandbox) exit 0;;\nexec) ;;\n\
         *) exit 1;;\nesac\nfile=; was=; for word; do [ \"$was\" = -o ] && file=$word; was=$word; done\n\
         cat > \"$PWD/prompt\"\nsay() {{ cat <<'END'\n{OPENED}\n{SAID}\n{DONE}\nEND\n}}\n\
         open() {{ cat <<'END'\n{OPENED}\nEND\n}}\ndone_() {{ cat <<'END'\n{DONE}\nEND\n}}\n{body}\n"
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let World { model, home } = world;
    let home = home.with_variable("CROSSCHECK_CODEX_BIN", program);
    World { model, home }
}

/// A consult that asks codex nothing but the answer.
pub(crate) fn question() -> Value {
    json!({"prompt": "x", "options": {"isolation": "ignore_config"}})
}
