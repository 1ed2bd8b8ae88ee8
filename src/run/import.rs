//! Has codex take over a conversation. Free: codex writes it down as a thread of its own, and asks no model.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::limits;
use crate::domain::request::ThreadId;
use crate::peer::codex::{account, import};
use crate::run::masking::mask;
use crate::run::program::Program;
use crate::sys::process::Running;

/// How long codex may take: it writes one file, and a machine under load takes seconds to start it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that it may say.
const ANSWER_BYTES: u64 = 8 * 1024 * 1024;

/// Hands over the file of a conversation about `directory`, which lies where codex looks below `home`.
///
/// Codex sees `home` as the home folder, so that it finds this one file and none of the person's own conversations; its own
/// folder stays the person's.
pub async fn hand_over(
    program: &Program,
    config: &Config,
    environment: &Environment,
    (home, file): (&Path, &Path),
    directory: &Path,
) -> Result<ThreadId, Fault> {
    let failed = |why: String| {
        Fault::new(
            FaultCode::PeerFailed,
            format!("codex did not take the conversation over: {}", mask(&why)),
        )
    };
    let own = environment
        .path("CODEX_HOME")
        .or_else(|| environment.path("HOME").map(|home| home.join(".codex")))
        .ok_or_else(|| failed("there is no home folder".to_owned()))?;
    let mut invocation = program.invocation(account::arguments(None), Path::new("/"), config, environment);
    invocation.environment = invocation.environment.with("HOME", home).with("CODEX_HOME", own);
    let mut running = Running::start(&invocation).map_err(|error| failed(error.to_string()))?;
    let (stdin, stdout, stderr) = (running.stdin.take(), running.stdout.take(), running.stderr.take());
    let drain = tokio::spawn(async move {
        if let Some(mut stderr) = stderr {
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
    });
    let talk = async {
        let (mut stdin, stdout) = (stdin?, stdout?);
        let request = import::request(file, directory);
        stdin.write_all(request.as_bytes()).await.ok()?;
        let mut lines = BufReader::new(stdout.take(ANSWER_BYTES)).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            if let Some(told) = import::parse(&line) {
                return Some(told);
            }
        }
        None
    };
    let told = tokio::time::timeout(PATIENCE, talk).await;
    // Its input is closed by now, at which it ends by itself; a stuck one is ended.
    if tokio::time::timeout(limits::DRAIN_GRACE, running.wait())
        .await
        .is_err()
    {
        running.terminate().await;
    }
    drain.abort();
    match told {
        Ok(Some(import::Told::Thread(thread))) => Ok(thread),
        Ok(Some(import::Told::Refused(why))) => Err(failed(why)),
        Ok(Some(import::Told::Unknown)) => Err(Fault::new(
            FaultCode::PeerVersionUnsupported,
            format!("codex {} cannot take over a conversation", program.version),
        )
        .hint("update codex with `npm install -g @openai/codex`")),
        Ok(None) => Err(failed("it ended without an answer".to_owned())),
        Err(_) => Err(failed(format!(
            "it did not answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}
