//! A private world for one test: homes, configuration, temp and state directories, and a workspace.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The key that the fake provider is called with. Tests look for it where it must not be.
pub(crate) const FAKE_KEY: &str = "sk-test-0123456789abcdefghijklmnop";
/// The key that Claude Code is given.
pub(crate) const ANTHROPIC_KEY: &str = "sk-ant-dummy-0123456789abcdefghij";

/// The directories of one test. They are deleted when it is dropped.
pub(crate) struct Home {
    /// Beside the build, since codex warns about a home under the system's temp directory.
    private: TempDir,
    /// Under the system's temp directory, since the build lies in a git repository and a workspace must not.
    work: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    /// Makes a world whose codex talks to the model at `base_url` and tries nothing twice.
    pub(crate) fn new(base_url: &str) -> Self {
        Self::with_config(base_url, "", "")
    }

    /// Like [`Self::new`], with more lines for codex's configuration: `top` before the first table, `tables` at the end.
    pub(crate) fn with_config(base_url: &str, top: &str, tables: &str) -> Self {
        let provider = format!(
            "name = \"fake\"\nbase_url = \"{base_url}\"\nwire_api = \"responses\"\nenv_key = \"FAKE_KEY\"\n\
             request_max_retries = 0\nstream_max_retries = 0\n"
        );
        Self::with_provider(&provider, top, tables)
    }

    /// Like [`Self::with_config`], with all lines of the table of the provider `fake`.
    pub(crate) fn with_provider(provider: &str, top: &str, tables: &str) -> Self {
        let private = tempfile::Builder::new()
            .prefix("home-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("the target directory is writable");
        let work = tempfile::Builder::new()
            .prefix("work-")
            .tempdir()
            .expect("the temp directory is writable");
        let home = Self {
            private,
            work,
            variables: Vec::new(),
        };
        for directory in [
            home.home(),
            home.codex_home(),
            home.claude_config(),
            home.temp(),
            home.config(),
            home.cache(),
            home.data(),
            home.xdg_state(),
        ] {
            fs::create_dir_all(directory).expect("a private directory can be made");
        }
        let config = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"fake\"\n{top}\n[analytics]\nenabled = false\n\n\
             [features]\nplugins = false\n\n[model_providers.fake]\n{provider}\n{tables}\n"
        );
        fs::write(home.codex_home().join("config.toml"), config).expect("a private directory is writable");
        home
    }

    /// Adds a variable to the environment of every command.
    #[must_use]
    pub(crate) fn with_variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value
            .as_ref()
            .to_str()
            .expect("the tests' values are UTF-8")
            .to_owned();
        self.variables.push((name.to_owned(), value));
        self
    }

    /// Returns a variable that was added.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Makes a world whose codex is logged in with a subscription that the model server at `origin` confirms.
    ///
    /// The login is made of dummy tokens: they never expire and no service accepts them.
    pub(crate) fn logged_in(origin: &str) -> Self {
        let provider = format!("name = \"fake\"\nbase_url = \"{origin}/v1\"\nrequires_openai_auth = true\n");
        let home = Self::with_provider(
            &provider,
            &format!("chatgpt_base_url = \"{origin}/backend-api\"\n"),
            "",
        );
        home.log_in();
        home
    }

    fn log_in(&self) {
        let auth = serde_json::json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "tokens": {
                "id_token": dummy_token(),
                "access_token": dummy_token(),
                "refresh_token": "dummy",
                "account_id": "acct-demo",
            },
            "last_refresh": "2099-01-01T00:00:00Z",
        });
        fs::write(self.codex_home().join("auth.json"), auth.to_string())
            .expect("a private directory is writable");
    }

    /// Returns an empty directory that is in no git repository, with symbolic links resolved.
    pub(crate) fn work(&self) -> PathBuf {
        self.work.path().canonicalize().expect("the workspace exists")
    }

    /// Returns the directory that holds all private ones.
    pub(crate) fn private(&self) -> &Path {
        self.private.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.private().join("home")
    }

    pub(crate) fn codex_home(&self) -> PathBuf {
        self.private().join("codex")
    }

    pub(crate) fn claude_config(&self) -> PathBuf {
        self.private().join("claude")
    }

    pub(crate) fn temp(&self) -> PathBuf {
        self.private().join("tmp")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.private().join("config")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.private().join("cache")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.private().join("data")
    }

    pub(crate) fn xdg_state(&self) -> PathBuf {
        self.private().join("state")
    }

    /// Returns the directory of our own state. It is not made: our binary does that itself.
    pub(crate) fn state(&self) -> PathBuf {
        self.xdg_state().join("crosscheck")
    }

    /// Returns a command in the workspace with exactly the variables of this world.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("HOME", self.home())
            .env("CODEX_HOME", self.codex_home())
            .env("CLAUDE_CONFIG_DIR", self.claude_config())
            .env("TMPDIR", self.temp())
            .env("XDG_CONFIG_HOME", self.config())
            .env("XDG_CACHE_HOME", self.cache())
            .env("XDG_DATA_HOME", self.data())
            .env("XDG_STATE_HOME", self.xdg_state())
            .env("CROSSCHECK_STATE_DIR", self.state())
            .env("FAKE_KEY", FAKE_KEY)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work());
        command
    }

    /// Returns a command for Claude Code whose model is the Messages API at `messages_url`.
    ///
    /// Non-blocking connections are off, since the first request otherwise leaves after two seconds without the tools
    /// of a server that is still starting. Seen with Claude Code 2.1.197.
    pub(crate) fn claude_command(&self, program: impl AsRef<OsStr>, messages_url: &str) -> Command {
        let mut command = self.command(program);
        command
            .env_remove("FAKE_KEY")
            .env("TERM", "xterm")
            .env("ANTHROPIC_API_KEY", ANTHROPIC_KEY)
            .env("ANTHROPIC_BASE_URL", messages_url)
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            // Without this an error is tried again for more than two minutes, even 401. Seen with 2.1.197.
            .env("CLAUDE_CODE_MAX_RETRIES", "0")
            .env("MCP_CONNECTION_NONBLOCKING", "0")
            .env("MCP_CONNECT_TIMEOUT_MS", "60000")
            .env("MCP_TIMEOUT", "60000");
        command
    }
}

/// Returns an unsigned token with the claims that codex reads. Header and claims are JSON in URL-safe base64.
fn dummy_token() -> String {
    let claims = serde_json::json!({
        "exp": 4_102_444_800_u64,
        "email": "nobody@example.invalid",
        "https://api.openai.com/auth": {
            "chatgpt_plan_type": "plus",
            "chatgpt_account_id": "acct-demo",
            "chatgpt_user_id": "user-demo",
        },
    });
    let header = serde_json::json!({"alg": "none", "typ": "JWT"});
    format!(
        "{}.{}.c2ln",
        base64_url(&header.to_string()),
        base64_url(&claims.to_string())
    )
}

fn base64_url(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for position in 0..=group.len() {
            let digit = (bits >> (18 - 6 * position)) & 63;
            encoded.push(char::from(DIGITS[digit as usize]));
        }
    }
    encoded
}
