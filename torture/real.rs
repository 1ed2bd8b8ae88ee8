//! The real codex in a world: it talks to a scripted model on loopback, whose log says what was paid.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crosscheck::domain::fingerprint::sha256_hex;
use crosscheck::model::{Message, ModelServer, RecordedRequest, Reply, Shell, Step, Turn, Usage};
use tokio::runtime::Runtime;

use crate::world::World;

/// A model server with a runtime of its own.
pub struct RealCodex {
    program: PathBuf,
    server: ModelServer,
    // Last, since the server ends in it.
    _runtime: Runtime,
}

impl RealCodex {
    /// Starts the model for one world.
    pub fn new(program: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let server = runtime
            .block_on(ModelServer::start(Arc::new(answer)))
            .expect("loopback has a free port");
        Self {
            program: program.to_owned(),
            server,
            _runtime: runtime,
        }
    }

    /// Makes it the peer of a world.
    pub fn move_in(&self, world: &mut World) {
        world.use_peer(&self.program);
        let home = world.home().join(".codex");
        fs::create_dir_all(&home).expect("a private home can be made");
        let config = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"fake\"\n[analytics]\nenabled = false\n[features]\nplugins = false\n\
             [model_providers.fake]\nname = \"fake\"\nbase_url = \"{}\"\nwire_api = \"responses\"\n\
             request_max_retries = 0\nstream_max_retries = 0\n",
            self.server.base_url()
        );
        fs::write(home.join("config.toml"), config).expect("a private home can be written");
    }

    /// Writes what was paid so far into the ledger: each turn that was asked for, under the job with that prompt.
    pub fn note_paid(&self, world: &World) {
        let folder = world.ledger().join("paid");
        fs::create_dir_all(&folder).expect("the ledger can be written");
        let requests = self.server.requests().into_iter();
        let turns = requests
            .filter(RecordedRequest::is_turn)
            .map(|request| Turn::new(request.body, 1, 1));
        for (number, turn) in turns.enumerate().filter(|(_, turn)| turn.step() == 0) {
            let prompt = turn.last_user_text();
            let asked = |path: &PathBuf| {
                let is_it =
                    fs::read_to_string(path.join("prompt.txt")).is_ok_and(|own| own.trim() == prompt.trim());
                is_it && path.join("peers").exists()
            };
            let Some(job) = world.jobs().into_iter().find(asked) else {
                continue;
            };
            let note = format!(
                "job {}\nprompt {}\n",
                job.display(),
                sha256_hex(prompt.as_bytes())
            );
            fs::write(folder.join(number.to_string()), note).expect("the ledger can be written");
        }
    }
}

/// Says something and is busy for a minute where the scripted peer would be too; else answers at once.
fn answer(turn: &Turn) -> Reply {
    let text = turn.last_user_text();
    if text.contains("step_ms=60000") && turn.step() == 0 {
        return Reply::stream([
            Step::Message(Message::commentary("first words")),
            Step::Shell(Shell::new("sleep 60")),
            Step::Completed(Usage::default()),
        ]);
    }
    Reply::text(format!("answer {}", sha256_hex(text.as_bytes())))
}
