//! What Claude Code is called and what it reads from its environment.

/// The variable that names the program.
pub const PROGRAM_VARIABLE: &str = "CROSSCHECK_CLAUDE_BIN";
/// The program's name on PATH.
pub const PROGRAM: &str = "claude";
/// The variable that says where its files are.
pub const HOME_VARIABLE: &str = "CLAUDE_CONFIG_DIR";
/// Variables of its own that it needs to find its login, its service and its configuration.
///
/// Never among them: `CLAUDECODE` and whatever else says that it runs inside another session.
pub const OWN_VARIABLES: [&str; 19] = [
    HOME_VARIABLE,
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLOUD_ML_REGION",
    "API_TIMEOUT_MS",
];
