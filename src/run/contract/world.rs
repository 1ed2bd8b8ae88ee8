//! The world in which a codex is tried: homes, a repository and a configuration that asks for the opposite of every
//! guarantee. All of it lies in one folder, which is deleted with the value.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::domain::environment::Environment;
use crate::peer::codex::servers::toml_string;

/// Begins the names of worlds.
pub(super) const WORLD_PREFIX: &str = "contract-";
/// The model that the configuration names; a run names another one.
pub(super) const CONFIGURED_MODEL: &str = "configured-model";
/// Stands in the repository's guidance for agents.
pub(super) const GUIDANCE_WORD: &str = "cassowary-guidance";
/// Stands in the description of the repository's skill.
pub(super) const SKILL_WORD: &str = "cassowary-skill";
/// Stands in the repository's own configuration of codex.
pub(super) const PROJECT_WORD: &str = "cassowary-project";
/// The MCP servers of the configuration.
pub(super) const SERVERS: [&str; 3] = ["plain", "a.b", "remote"];
/// The MCP server of the repository's own configuration.
pub(super) const PROJECT_SERVER: &str = "project";
/// The path on the model server under which the configuration's remote MCP server would be called.
pub(super) const REMOTE_SERVER_PATH: &str = "/cassowary-server";

/// Names what is written by a command that may write.
pub(super) const WRITER: &str = "writer";

/// One world.
#[derive(Debug)]
pub(super) struct World {
    root: TempDir,
    /// Where it lies, with links resolved: codex looks projects up by this path.
    path: PathBuf,
    nonce: String,
}

impl World {
    /// Makes a world below `scratch` whose configuration names the model server at `origin`.
    pub(super) fn make(scratch: &Path, origin: &str) -> io::Result<Self> {
        let root = tempfile::Builder::new()
            .prefix(WORLD_PREFIX)
            .tempdir_in(scratch)?;
        let path = root.path().canonicalize()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let nonce = name.trim_start_matches(WORLD_PREFIX).to_owned();
        let world = Self { root, path, nonce };
        for folder in [
            world.home(),
            world.codex_home(),
            world.temp(),
            world.state(),
            world.marks(),
        ] {
            fs::create_dir_all(folder)?;
        }
        world.write_configuration(origin)?;
        world.write_repository()?;
        fs::write(world.schema_path(), Self::schema().to_string())?;
        Ok(world)
    }

    /// Ends the world: deletes everything in it.
    pub(super) fn end(self) -> io::Result<()> {
        let _ = fs::remove_file(self.shared_temp_file("first"));
        let _ = fs::remove_file(self.shared_temp_file("resumed"));
        let _ = fs::remove_file(self.shared_temp_file(WRITER));
        self.root.close()
    }

    /// Returns the schema that an answer is asked to fit.
    pub(super) fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["answer"],
            "properties": {"answer": {"type": "string"}},
        })
    }

    /// Returns the key that the model's service is called with. It is made up and differs from world to world.
    pub(super) fn key(&self) -> String {
        format!("cassowary-key-{}", self.nonce)
    }

    /// Returns all that a run in this world knows of our `environment`: where programs are.
    ///
    /// Calls to anywhere but loopback are sent to the model server, which refuses and remembers them.
    pub(super) fn environment(&self, environment: &Environment, origin: &str) -> Environment {
        let path = environment.get("PATH").unwrap_or_default().to_owned();
        Environment::default()
            .with("PATH", path)
            .with("LANG", "C.UTF-8")
            .with("HOME", self.home())
            .with("CODEX_HOME", self.codex_home())
            .with("TMPDIR", self.temp())
            .with("CODEX_API_KEY", self.key())
            .with("HTTPS_PROXY", origin)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    pub(super) fn codex_home(&self) -> PathBuf {
        self.path.join("codex")
    }

    pub(super) fn temp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Returns the repository, which is also the folder of the runs.
    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Returns the folder of the marks that must not appear.
    pub(super) fn marks(&self) -> PathBuf {
        self.path.join("marks")
    }

    /// Returns a mark.
    pub(super) fn mark(&self, name: &str) -> PathBuf {
        self.marks().join(name)
    }

    pub(super) fn schema_path(&self) -> PathBuf {
        self.path.join("schema.json")
    }

    pub(super) fn last_message_path(&self, run: &str) -> PathBuf {
        self.path.join(format!("last-{run}.txt"))
    }

    /// Returns a file in the folder for temporary files that everybody shares.
    pub(super) fn shared_temp_file(&self, run: &str) -> PathBuf {
        PathBuf::from(format!("/tmp/crosscheck-contract-{}-{run}", self.nonce))
    }

    /// Returns the files that a command of a run tries to write, each with the name of its place.
    pub(super) fn forbidden_files(&self, run: &str) -> [(&'static str, PathBuf); 4] {
        let name = format!("written-{run}");
        [
            ("the workspace", self.work().join(&name)),
            ("the temporary folder", self.temp().join(&name)),
            ("another folder", self.mark(&name)),
            ("/tmp", self.shared_temp_file(run)),
        ]
    }

    /// Returns the file that a command which may write makes in the workspace.
    pub(super) fn allowed_file(&self) -> PathBuf {
        self.work().join(format!("written-{WRITER}"))
    }

    /// Returns the files that a command which may write tries to write all the same, each with the name of its place.
    pub(super) fn files_beyond(&self) -> [(&'static str, PathBuf); 3] {
        let name = format!("written-{WRITER}");
        [
            ("a folder that the configuration adds", self.mark(&name)),
            ("/tmp", self.shared_temp_file(WRITER)),
            ("`.git`", self.work().join(".git").join(&name)),
        ]
    }

    fn write_configuration(&self, origin: &str) -> io::Result<()> {
        let touch = |name: &str| toml_string(&format!("touch {}", shell_quoted(&self.mark(name))));
        let server = |name: &str, mark: &str| {
            format!(
                "[mcp_servers.{}]\ncommand = \"sh\"\nargs = [\"-c\", {}]\n\n",
                toml_string(name),
                touch(mark)
            )
        };
        // Nothing is tried twice: it would only cost time.
        let text = format!(
            "model = \"{CONFIGURED_MODEL}\"\nmodel_provider = \"contract\"\nmodel_reasoning_effort = \"low\"\n\
             web_search = \"live\"\nsandbox_mode = \"danger-full-access\"\nnotify = [\"sh\", \"-c\", {}]\n\n\
             [shell_environment_policy]\ninherit = \"all\"\n\n\
             [sandbox_workspace_write]\nnetwork_access = true\nexclude_slash_tmp = false\nwritable_roots = [{}]\n\n\
             [model_providers.contract]\nname = \"contract\"\nbase_url = \"{origin}/v1\"\nwire_api = \"responses\"\n\
             env_key = \"CODEX_API_KEY\"\nrequest_max_retries = 0\nstream_max_retries = 0\n\n\
             [projects.{}]\ntrust_level = \"trusted\"\n\n{}{}\
             [mcp_servers.{}]\nurl = \"{origin}{REMOTE_SERVER_PATH}\"\n",
            touch("notify"),
            toml_string(&self.marks().to_string_lossy()),
            toml_string(&self.work().to_string_lossy()),
            server(SERVERS[0], "server-plain"),
            server(SERVERS[1], "server-dotted"),
            SERVERS[2]
        );
        fs::write(self.codex_home().join("config.toml"), text)?;
        let rules = self.codex_home().join("rules");
        fs::create_dir_all(&rules)?;
        fs::write(
            rules.join("default.rules"),
            "prefix_rule(pattern=[\"touch\"], decision=\"allow\")\n",
        )?;
        let own = self.work().join(".codex");
        fs::create_dir_all(&own)?;
        fs::write(
            own.join("config.toml"),
            format!(
                "developer_instructions = \"{PROJECT_WORD}\"\n\n{}",
                server(PROJECT_SERVER, "server-project")
            ),
        )
    }

    /// Makes the least that git and codex take for a repository, so that the project's root is known whatever lies around.
    fn write_repository(&self) -> io::Result<()> {
        let work = self.work();
        for folder in [".git/objects", ".git/refs", ".agents/skills/contract"] {
            fs::create_dir_all(work.join(folder))?;
        }
        fs::write(work.join(".git/HEAD"), "ref: refs/heads/main\n")?;
        fs::write(work.join("AGENTS.md"), format!("Always say {GUIDANCE_WORD}.\n"))?;
        fs::write(
            work.join(".agents/skills/contract/SKILL.md"),
            format!("---\nname: contract\ndescription: Use for {SKILL_WORD}.\n---\n\nSay it.\n"),
        )
    }
}

/// Quotes a path for a shell.
pub(super) fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
