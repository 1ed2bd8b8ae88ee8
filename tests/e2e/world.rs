//! A repository with a change in it, and Claude Code with this plugin, in private homes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crosscheck::model::demo::files;
use serde_json::{Value, json};

use crate::support::home::{ANTHROPIC_KEY, FAKE_KEY, Home};
use crate::support::peers;
use crate::support::run::{Finished, finish};
use crate::support::tree::contents;

/// A URL that leads nowhere. Git is told to take a folder instead, so that Claude Code's own way to a git marketplace
/// is taken without a network.
const URL: &str = "https://example.invalid/crosscheck.git";

/// How the plugin gets into Claude Code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `--plugin-dir` for one session.
    PluginDir,
    /// Installed from a marketplace that is a clean clone on this machine.
    FolderMarketplace,
    /// Installed from a marketplace behind a git URL.
    GitMarketplace,
}

/// Everything one session needs. Deleted when it is dropped.
pub(crate) struct World {
    home: Home,
    claude: PathBuf,
    way: Way,
    mode: Option<&'static str>,
    granted: Option<String>,
}

impl World {
    /// Makes a world whose codex talks to the model at `base_url`, with the demo's repository and the plugin.
    pub(crate) fn new(base_url: &str, claude: &Path, way: Way) -> Self {
        let home = Home::new(base_url).with_variable("CROSSCHECK_BIN", env!("CARGO_BIN_EXE_crosscheck"));
        Self::with_home(home, claude, way)
    }

    /// Like [`Self::new`], before the program was built: no place has it yet.
    pub(crate) fn without_program(base_url: &str, claude: &Path, way: Way) -> Self {
        Self::with_home(Home::new(base_url), claude, way)
    }

    /// Makes a world whose codex is `program`, with a repository that is pushed and an environment for its tasks in the cloud.
    pub(crate) fn with_cloud(home: Home, claude: &Path, program: &Path) -> Self {
        let home = home.with_variable("CROSSCHECK_BIN", env!("CARGO_BIN_EXE_crosscheck"));
        let mut world = Self::with_home(home, claude, Way::PluginDir);
        world.home = world.home.with_variable("CROSSCHECK_CODEX_BIN", program);
        world.configure_ourselves("[env]\npass = [\"FAKE_KEY\"]\n[runner.cloud]\nenv = \"env_test\"\n");
        let repository = world.repository();
        let remote = world.home.private().join("remote.git");
        let remote = text(&remote);
        world.git(&repository, &["add", "--all"]);
        world.git(
            &repository,
            &["commit", "--quiet", "--message", "The shop as it is"],
        );
        world.git(&repository, &["init", "--quiet", "--bare", remote]);
        world.git(&repository, &["remote", "add", "origin", remote]);
        world.git(
            &repository,
            &["push", "--quiet", "--set-upstream", "origin", "main"],
        );
        world
    }

    fn with_home(home: Home, claude: &Path, way: Way) -> Self {
        let world = Self {
            home: home.with_variable("CROSSCHECK_CODEX_BIN", peers::codex()),
            claude: claude.to_owned(),
            way,
            mode: None,
            granted: None,
        };
        // The fake provider has a key under a name that no real one uses, so it is passed on like any other.
        let config = world.home.config().join("crosscheck");
        fs::create_dir_all(&config).expect("a private directory can be made");
        fs::write(config.join("config.toml"), "[env]\npass = [\"FAKE_KEY\"]\n")
            .expect("a private directory is writable");
        world.make_repository();
        world.clone_plugin();
        // Most tests are about what a paid call does, and not about who may make one.
        world.choose("autonomy", Some("allow"));
        match way {
            Way::PluginDir => {}
            Way::FolderMarketplace => world.install(text(&world.plugin())),
            Way::GitMarketplace => {
                let instead = format!(
                    "[url \"file://{}\"]\n\tinsteadOf = {URL}\n",
                    world.plugin().display()
                );
                fs::write(world.home.home().join(".gitconfig"), instead)
                    .expect("a private directory is writable");
                world.install(URL);
            }
        }
        world
    }

    /// Lets every session run in this permission mode.
    #[must_use]
    pub(crate) fn with_mode(mut self, mode: &'static str) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Lets every session use this tool as if the person's settings granted it.
    #[must_use]
    pub(crate) fn with_granted(mut self, tool: String) -> Self {
        self.granted = Some(tool);
        self
    }

    /// Returns the root of the repository that is reviewed.
    pub(crate) fn repository(&self) -> PathBuf {
        self.home.work().join("shop")
    }

    /// Returns every file of this world with a hash of what it holds, but for those of the plugin's clone.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let places = [self.home.private().to_owned(), self.repository()];
        places.iter().flat_map(|place| contents(place)).collect()
    }

    /// Returns the home folder that every process of this world has.
    pub(crate) fn home_folder(&self) -> PathBuf {
        self.home.home()
    }

    /// Returns the directory of our own state.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.state()
    }

    /// Puts a script in the place of cargo, where rustup has it.
    pub(crate) fn put_cargo(&self, script: &str) {
        let file = self.home.home().join(".cargo/bin/cargo");
        make_parent(&file);
        fs::write(&file, script).expect("a private directory is writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    }

    /// Returns where the plugin installs its program, when it is loaded from a folder.
    pub(crate) fn installed_program(&self) -> PathBuf {
        let version = env!("CARGO_PKG_VERSION");
        self.home
            .claude_config()
            .join(format!("plugins/data/codex-inline/bin/{version}-1/crosscheck"))
    }

    /// Returns where the plugin from our marketplace installs its program of this version.
    pub(crate) fn program_of(&self, version: &str) -> PathBuf {
        self.home.claude_config().join(format!(
            "plugins/data/codex-crosscheck/bin/{version}-1/crosscheck"
        ))
    }

    /// Returns the clean clone from which the plugin is taken.
    pub(crate) fn plugin(&self) -> PathBuf {
        self.home.work().join("a clean clone")
    }

    /// Runs Claude Code in the repository.
    fn claude(&self, messages_url: &str, arguments: &[&str]) -> Finished {
        finish(self.plain_command(messages_url, arguments), "")
    }

    fn plain_command(&self, messages_url: &str, arguments: &[&str]) -> Command {
        let mut command = self.home.claude_command(&self.claude, messages_url);
        command
            .current_dir(self.repository())
            .env("FAKE_KEY", FAKE_KEY)
            .args(arguments);
        if self.way == Way::PluginDir {
            command.arg("--plugin-dir").arg(self.plugin());
        }
        command
    }

    /// Returns a command for a session in which every tool of ours is allowed.
    pub(crate) fn claude_command(&self, messages_url: &str, arguments: &[&str]) -> Command {
        let mut command = self.plain_command(messages_url, arguments);
        command.args(["--allowedTools", "mcp__plugin_codex_codex"]);
        command
    }

    /// Returns the same for a session in a terminal, which `script` of util-linux makes, in a project that the person
    /// trusts and after every first question was answered.
    pub(crate) fn claude_in_a_terminal(&self, messages_url: &str) -> Command {
        let seen = json!({
            "hasCompletedOnboarding": true,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [&ANTHROPIC_KEY[ANTHROPIC_KEY.len() - 20..]], "rejected": []},
            "projects": {text(&self.repository()): {"hasTrustDialogAccepted": true}},
        });
        fs::write(self.home.claude_config().join(".claude.json"), seen.to_string())
            .expect("a private directory is writable");
        let session = self.claude_command(messages_url, &[]);
        let words = std::iter::once(session.get_program()).chain(session.get_args());
        let quoted: Vec<String> = words
            .map(|word| format!("'{}'", word.to_str().expect("the tests' paths are UTF-8")))
            .collect();
        let line = format!("stty cols 150 rows 45; exec {}", quoted.join(" "));
        let mut command = self.home.claude_command("script", messages_url);
        command
            .current_dir(self.repository())
            .env("FAKE_KEY", FAKE_KEY)
            .env("SHELL", "/bin/sh")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command
    }

    /// Replaces our own configuration.
    pub(crate) fn configure_ourselves(&self, text: &str) {
        let file = self.home.config().join("crosscheck/config.toml");
        fs::write(file, text).expect("a private directory is writable");
    }

    /// Lets the person have chosen this for the plugin in their own settings, or nothing.
    pub(crate) fn choose(&self, name: &str, value: Option<&str>) {
        let path = self.home.claude_config().join("settings.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
        let mut settings: Value = serde_json::from_str(&text).expect("settings are JSON");
        // The name of a plugin that is loaded from a folder, and of one from our marketplace.
        for plugin in ["codex@inline", "codex@crosscheck"] {
            settings["pluginConfigs"][plugin]["options"][name] = json!(value);
            if value.is_none() {
                let options = settings["pluginConfigs"][plugin]["options"].as_object_mut();
                drop(options.and_then(|options| options.remove(name)));
            }
        }
        fs::write(path, settings.to_string()).expect("a private directory is writable");
    }

    /// Sets an option of the installed plugin.
    pub(crate) fn configure(&self, option: &str) {
        self.manage(&["install", "codex@crosscheck", "--config", option]);
    }

    /// Writes settings of Claude Code that the project brings with it.
    pub(crate) fn bring_settings(&self, settings: &Value) {
        let folder = self.repository().join(".claude");
        fs::create_dir_all(&folder).expect("a private directory can be made");
        fs::write(folder.join("settings.json"), settings.to_string())
            .expect("a private directory is writable");
    }

    /// Runs a headless session in which a person types `text`.
    pub(crate) fn session(&self, messages_url: &str, text: &str) -> Finished {
        let mut arguments = vec!["-p", text, "--output-format", "stream-json", "--verbose"];
        if let Some(mode) = self.mode {
            arguments.extend(["--permission-mode", mode]);
        }
        if let Some(tool) = &self.granted {
            arguments.extend(["--allowedTools", tool]);
        }
        self.claude(messages_url, &arguments)
    }

    /// The same with further words on the command line.
    pub(crate) fn session_with(&self, messages_url: &str, text: &str, further: &[&str]) -> Finished {
        let arguments = [
            &["-p", text, "--output-format", "stream-json", "--verbose"],
            further,
        ]
        .concat();
        self.claude(messages_url, &arguments)
    }

    /// Runs Claude Code's set-up alone, which asks no model.
    pub(crate) fn set_up(&self) -> Finished {
        self.claude("http://127.0.0.1:9", &["--init-only"])
    }

    /// Returns where Claude Code says that the installed plugin lies.
    pub(crate) fn installed_at(&self) -> PathBuf {
        let listed = self.claude("http://127.0.0.1:9", &["plugin", "list", "--json"]);
        let plugins: Value =
            serde_json::from_str(&listed.stdout).unwrap_or_else(|error| panic!("{error}: {listed:#?}"));
        assert_eq!(plugins[0]["id"], "codex@crosscheck", "{plugins:#}");
        assert_eq!(plugins[0]["enabled"], true, "{plugins:#}");
        PathBuf::from(
            plugins[0]["installPath"]
                .as_str()
                .expect("an installed plugin has a place"),
        )
    }

    /// Returns everything about the repository that a review must not change.
    pub(crate) fn state_of_the_repository(&self) -> String {
        let repository = self.repository();
        let mut state = String::new();
        for arguments in [
            &[
                "status",
                "--porcelain=v2",
                "--branch",
                "--untracked-files=all",
                "--ignored",
            ][..],
            &["for-each-ref"],
            &["stash", "list"],
            &["diff"],
            &["worktree", "list"],
        ] {
            state.push_str(&self.git(&repository, arguments));
        }
        state
    }

    /// Returns the line of the working tree that a finding points at.
    pub(crate) fn line_of(&self, finding: &Value) -> String {
        let file = finding["file"].as_str().unwrap_or_else(|| panic!("{finding:#}"));
        let line = finding["line"].as_u64().unwrap_or_else(|| panic!("{finding:#}"));
        let text = fs::read_to_string(self.repository().join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let before = usize::try_from(line - 1).expect("a line number fits");
        text.lines().nth(before).unwrap_or_default().to_owned()
    }

    /// Makes the demo's repository, its change not staged.
    fn make_repository(&self) {
        let repository = self.repository();
        fs::create_dir(&repository).expect("a private directory can be made");
        self.git(&repository, &["init", "--quiet", "--initial-branch=main"]);
        for file in files() {
            write(&repository, file.path, file.before);
        }
        self.git(&repository, &["add", "--all"]);
        self.git(
            &repository,
            &["commit", "--quiet", "--message", "The shop as it was"],
        );
        for file in files() {
            write(&repository, file.path, file.after);
        }
    }

    /// Makes what a clean clone of this repository would be after a commit of its present state.
    fn clone_plugin(&self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .expect("git is installed");
        assert!(listed.status.success(), "{listed:?}");
        let clone = self.plugin();
        fs::create_dir(&clone).expect("a private directory can be made");
        let names = String::from_utf8(listed.stdout).expect("our file names are UTF-8");
        for name in names
            .split_terminator('\0')
            .filter(|name| root.join(name).is_file())
        {
            let copy = clone.join(name);
            make_parent(&copy);
            fs::copy(root.join(name), copy).expect("a private directory is writable");
        }
        self.git(&clone, &["init", "--quiet", "--initial-branch=main"]);
        self.git(&clone, &["add", "--all"]);
        self.git(
            &clone,
            &["commit", "--quiet", "--message", "Everything that is tracked"],
        );
    }

    fn install(&self, marketplace: &str) {
        self.manage(&["marketplace", "add", marketplace]);
        self.manage(&["install", "codex@crosscheck"]);
    }

    /// Runs `claude plugin` with these arguments; it must succeed.
    pub(crate) fn manage(&self, arguments: &[&str]) {
        let whole = [&["plugin"], arguments].concat();
        let finished = self.claude("http://127.0.0.1:9", &whole);
        assert!(finished.status.success(), "{arguments:?}: {finished:#?}");
    }

    /// Makes a marketplace `other` with a plugin of our name, which has a command `review`, and returns its folder.
    pub(crate) fn make_namesake(&self) -> PathBuf {
        let place = self.home.work().join("other marketplace");
        let marketplace = json!({"name": "other", "owner": {"name": "Nobody"}, "metadata": {"description": "Another one."},
            "plugins": [{"name": "codex", "source": "./codex", "description": "Another one."}]});
        let plugin = json!({"name": "codex", "version": "1.0.0", "description": "Another one.", "author": {"name": "Nobody"}});
        let command = "---\ndescription: Another one.\n---\nThe words of the other plugin.\n";
        for (path, text) in [
            (".claude-plugin/marketplace.json", marketplace.to_string()),
            ("codex/.claude-plugin/plugin.json", plugin.to_string()),
            ("codex/commands/review.md", command.to_owned()),
        ] {
            write(&place, path, Some(&text));
        }
        place
    }

    /// Runs our program in a terminal in the repository; it must succeed.
    pub(crate) fn terminal(&self, arguments: &[&str]) -> String {
        let mut command = self.home.command(env!("CARGO_BIN_EXE_crosscheck"));
        command
            .current_dir(self.repository())
            .env("FAKE_KEY", FAKE_KEY)
            .args(arguments);
        let finished = finish(command, "");
        assert!(finished.status.success(), "{arguments:?}: {finished:#?}");
        finished.stdout
    }

    /// Runs git in a folder; it must succeed.
    pub(crate) fn git(&self, directory: &Path, arguments: &[&str]) -> String {
        let mut command = self.home.command("git");
        command
            .current_dir(directory)
            .args([
                "-c",
                "user.name=Nobody",
                "-c",
                "user.email=nobody@example.invalid",
            ])
            .args(arguments);
        let finished = finish(command, "");
        assert!(finished.status.success(), "{arguments:?}: {finished:#?}");
        finished.stdout
    }
}

fn write(root: &Path, path: &str, text: Option<&str>) {
    let file = root.join(path);
    match text {
        Some(text) => {
            make_parent(&file);
            fs::write(file, text).expect("a private directory is writable");
        }
        // A file that the change deletes, or that was not there before it.
        None => drop(fs::remove_file(file)),
    }
}

fn make_parent(file: &Path) {
    let parent = file.parent().expect("a file lies in a folder");
    fs::create_dir_all(parent).expect("a private directory can be made");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the tests' paths are UTF-8")
}
