//! Free questions to the peer before anything is paid, and for `status`.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::config::Config;
use crate::domain::environment::Environment;
use crate::domain::fault::{Fault, FaultCode};
use crate::domain::fingerprint::sha256_hex;
use crate::domain::limits;
use crate::domain::tier::Tools;
use crate::peer::account::{Login, Model, Question, Quota};
use crate::peer::checker::WriteAccess;
use crate::peer::interface::Asking;
use crate::peer::replies;
use crate::run::masking::mask;
use crate::run::program::Program;
use crate::state::cache;
use crate::state::store::Store;
use crate::sys::process::{Ended, Running, run_captured};
use crate::sys::{clock, files};

/// How long a working sandbox is believed to work; it changes with the kernel's settings and with containers.
const SANDBOX_AGE: Duration = Duration::from_secs(10 * 60);
/// How long a list of servers is believed while the configuration files are unchanged.
const SERVERS_AGE: Duration = Duration::from_secs(10 * 60);
/// How long an allowance is believed: long enough for a burst of `status` calls.
const QUOTA_AGE: Duration = Duration::from_secs(60);
/// Bytes that a probe may print.
const PROBE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes read of one configuration file, to see whether it changed.
const CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// Asks one peer.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// The peer.
    pub program: &'a Program,
    /// The configuration in force.
    pub config: &'a Config,
    /// Our environment.
    pub environment: &'a Environment,
    /// Where facts are remembered.
    pub store: &'a Store,
}

/// What was found out about the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxState {
    /// Whether commands can run in it.
    pub tools: Tools,
    /// The peer's words when they cannot.
    pub reason: Option<String>,
}

impl Probe<'_> {
    /// Tells whether the sandbox works. A working one is remembered; a broken one is tried again every time, so that
    /// mending it takes effect at once.
    pub async fn sandbox(&self) -> SandboxState {
        match self.program.peer.read_probe() {
            Some(probe) => self.tried("sandbox", probe, Path::new("/")).await,
            None => SandboxState {
                tools: Tools::Files,
                reason: None,
            },
        }
    }

    /// As [`Self::sandbox`], for a run that may write: tried with the same pins, in an empty folder of ours.
    pub async fn write_sandbox(&self) -> SandboxState {
        let empty = match self.store.folder("empty") {
            Ok(empty) => empty,
            Err(error) => {
                return SandboxState {
                    tools: Tools::None,
                    reason: Some(error.to_string()),
                };
            }
        };
        let access = WriteAccess {
            top: empty.clone(),
            directory: empty.clone(),
            network: false,
        };
        self.tried("write sandbox", access.probe(), &empty).await
    }

    async fn tried(&self, what: &str, probe: Vec<OsString>, directory: &Path) -> SandboxState {
        let key = format!("{what} {} {}", self.program.identity, clock::boot_id());
        if cache::read::<bool>(self.store, &key, SANDBOX_AGE) == Some(true) {
            return SandboxState {
                tools: Tools::Sandboxed,
                reason: None,
            };
        }
        let reason = match self.capture(probe, directory).await {
            Ok((Ended::Exited(0), _, _)) => {
                cache::write(self.store, &key, true);
                return SandboxState {
                    tools: Tools::Sandboxed,
                    reason: None,
                };
            }
            Ok((_, _, stderr)) => last_line(&stderr),
            Err(error) => error,
        };
        SandboxState {
            tools: Tools::None,
            reason: Some(reason),
        }
    }

    /// Returns the user's MCP servers, all of them. They are asked for again when a configuration file changed.
    pub async fn servers(&self, directory: &Path, project: &Path, fresh: bool) -> Result<Vec<String>, Fault> {
        let key = format!(
            "servers {} {}",
            self.program.identity,
            self.configuration_hash(directory)
        );
        if !fresh && let Some(names) = cache::read(self.store, &key, SERVERS_AGE) {
            return Ok(names);
        }
        let question = Question::Configuration {
            directory: directory.to_owned(),
        };
        let told = self.ask(&question, Some(project), limits::PROBE_TIMEOUT).await;
        let names = told.and_then(|configuration| {
            replies::server_names(&configuration).ok_or_else(|| "its answer is not understood".to_owned())
        });
        // Without the names they could not be switched off, and they run outside the sandbox.
        let names = names.map_err(|reason| {
            let peer = self.program.peer;
            let message = format!("{peer} does not tell its configuration: {}", mask(&reason));
            Fault::new(FaultCode::PeerConfigRejected, message)
                .hint(format!(
                "run `{peer} mcp list` to see the error, or repeat the call with options.isolation=ignore_config"
            ))
        })?;
        cache::write(self.store, &key, &names);
        Ok(names)
    }

    /// Tells whether the peer is logged in, as far as it can be told.
    pub async fn login(&self) -> Login {
        let peer = self.program.peer;
        let arguments = peer.login_arguments();
        match self.capture(arguments, Path::new("/")).await {
            Ok((_, stdout, stderr)) => peer.parse_login(
                &String::from_utf8_lossy(&stdout),
                &String::from_utf8_lossy(&stderr),
            ),
            Err(_) => Login::Unknown,
        }
    }

    /// Returns what is left of the account's allowance; `Err` says why it is unknown.
    pub async fn quota(&self, deadline: Duration) -> Result<Quota, String> {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Kept(serde_json::Value);
        let key = format!(
            "quota {} {:?}",
            self.program.identity,
            self.environment.get(self.program.peer.home_variable())
        );
        if let Some(Kept(value)) = cache::read(self.store, &key, QUOTA_AGE)
            && let Some(quota) = replies::quota(&value)
        {
            return Ok(quota);
        }
        let value = self.ask(&Question::Quota, None, deadline).await?;
        let quota = replies::quota(&value).ok_or_else(|| self.not_understood())?;
        cache::write(self.store, &key, Kept(value));
        Ok(quota)
    }

    /// As [`Self::quota`], but never from memory: after a run met the limit, what was true before is not.
    pub async fn fresh_quota(&self, deadline: Duration) -> Result<Quota, String> {
        let value = self.ask(&Question::Quota, None, deadline).await?;
        replies::quota(&value).ok_or_else(|| self.not_understood())
    }

    /// Returns the models that the account may name.
    pub async fn models(&self, deadline: Duration) -> Result<Vec<Model>, String> {
        let value = self.ask(&Question::Models, None, deadline).await?;
        replies::models(&value).ok_or_else(|| self.not_understood())
    }

    fn not_understood(&self) -> String {
        format!("{}'s answer is not understood", self.program.peer)
    }

    /// Asks the peer one free question.
    async fn ask(
        &self,
        question: &Question,
        project: Option<&Path>,
        deadline: Duration,
    ) -> Result<serde_json::Value, String> {
        let (arguments, request) = match self.program.peer.asking(question, project) {
            Asking::Talk { arguments, request } => (arguments, request),
            Asking::Known(answer) => return Ok(answer),
            Asking::Untold(why) => return Err(why.to_owned()),
        };
        let invocation = self
            .program
            .invocation(arguments, Path::new("/"), self.config, self.environment);
        let mut running =
            Running::start(&invocation).map_err(|error| format!("it cannot be started: {error}"))?;
        let (stdin, stdout, stderr) = (running.stdin.take(), running.stdout.take(), running.stderr.take());
        let errors = tokio::spawn(async move {
            let mut text = Vec::new();
            if let Some(stderr) = stderr {
                let _ = stderr.take(PROBE_BYTES as u64).read_to_end(&mut text).await;
            }
            text
        });
        let talk = async {
            let (mut stdin, stdout) = (stdin?, stdout?);
            stdin.write_all(request.as_bytes()).await.ok()?;
            let mut lines = BufReader::new(stdout.take(PROBE_BYTES as u64)).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                if let Some(answer) = replies::answer(&line) {
                    return Some(answer);
                }
            }
            None
        };
        let answer = tokio::time::timeout(deadline, talk).await;
        // Its input is closed by now, at which it ends by itself; a stuck one is ended.
        if tokio::time::timeout(limits::DRAIN_GRACE, running.wait())
            .await
            .is_err()
        {
            running.terminate().await;
        }
        match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let stderr = tokio::time::timeout(limits::DRAIN_GRACE, errors).await;
                Err(last_line(&stderr.ok().and_then(Result::ok).unwrap_or_default()))
            }
            Err(_) => Err(format!("it did not answer within {} ms", deadline.as_millis())),
        }
    }

    async fn capture(
        &self,
        arguments: Vec<OsString>,
        directory: &Path,
    ) -> Result<(Ended, Vec<u8>, Vec<u8>), String> {
        let invocation = self
            .program
            .invocation(arguments, directory, self.config, self.environment);
        run_captured(&invocation, b"", limits::PROBE_TIMEOUT, PROBE_BYTES)
            .await
            .map(|captured| (captured.ended, captured.stdout, captured.stderr))
            .map_err(|error| error.to_string())
    }

    fn configuration_hash(&self, workspace: &Path) -> String {
        let mut all = Vec::new();
        for path in self.program.peer.server_files(self.environment, workspace) {
            all.extend(path.as_os_str().as_encoded_bytes());
            match files::read_bounded_linked(&path, CONFIG_BYTES) {
                Ok(bytes) => all.extend(sha256_hex(&bytes).as_bytes()),
                Err(error) => all.extend(format!("{:?}", error.kind()).as_bytes()),
            }
        }
        sha256_hex(&all)
    }
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it says nothing");
    // It reaches envelopes.
    mask(line).chars().take(200).collect()
}
