//! Configurations as people have them.

/// Each with a name, and its text.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("empty", ""),
    ("one line end", "\n"),
    ("blank lines", "\n\n\n"),
    ("blanks and tabs", "  \t \n"),
    ("only comments", "# my settings\n# none yet\n"),
    ("a comment without an end", "# my settings"),
    ("small", "model = \"gpt-5.5\"\n"),
    (
        "no last line end",
        "model = \"gpt-5.5\"\napproval_policy = \"never\"",
    ),
    (
        "carriage returns",
        "model = \"gpt-5.5\"\r\n\r\n[tui]\r\nnotifications = true\r\n",
    ),
    (
        "carriage returns without a last",
        "model = \"gpt-5.5\"\r\n[tui]\r\nnotifications = true",
    ),
    ("a byte order mark", "\u{feff}model = \"gpt-5.5\"\n"),
    (
        "a mark and carriage returns",
        "\u{feff}model = \"gpt-5.5\"\r\n[tui]\r\n",
    ),
    (
        "mixed line ends",
        "model = \"gpt-5.5\"\r\napproval_policy = \"never\"\n\r\n[tui]\n",
    ),
    (
        "trailing blanks",
        "model = \"gpt-5.5\"   \n   \n[tui]   # here\t\n",
    ),
    (
        "comments everywhere",
        "# top\nmodel = \"gpt-5.5\" # side\n\n# before\n[tui] # head\n# inside\nnotifications = true # end\n# last\n",
    ),
    (
        "aligned",
        "model            = \"gpt-5.5\"\napproval_policy  = \"never\"\n",
    ),
    ("no blanks", "model=\"gpt-5.5\"\n[tui]\nnotifications=true\n"),
    (
        "indented tables",
        "[tui]\n  notifications = true\n  [mcp_servers.a]\n    command = \"/bin/true\"\n",
    ),
    (
        "literal strings",
        "model = 'gpt-5.5'\n[mcp_servers.'a']\ncommand = '/bin/true'\nargs = ['-c', 'echo \"x\" # y']\n",
    ),
    (
        "quoted keys",
        "\"model\" = \"gpt-5.5\"\n[\"mcp_servers\".\"a-b\"]\n\"command\" = \"/bin/true\"\n",
    ),
    (
        "a key with a blank",
        "[projects.\"/home/me/my project\"]\ntrust_level = \"trusted\"\n",
    ),
    (
        "keys of other letters",
        "[projects.\"/home/jürgen/プロジェクト\"]\ntrust_level = \"trusted\"\n",
    ),
    (
        "many projects",
        "[projects.\"/a\"]\ntrust_level = \"trusted\"\n\n[projects.\"/b\"]\ntrust_level = \"untrusted\"\n",
    ),
    (
        "dotted keys",
        "tui.notifications = true\nhistory.persistence = \"none\"\n",
    ),
    ("dotted keys with blanks", "tui . notifications = true\n"),
    (
        "dotted servers",
        "mcp_servers.a.command = \"/bin/true\"\nmcp_servers.a.args = [\"x\"]\n",
    ),
    ("a table in braces", "tui = { notifications = true }\n"),
    (
        "a server in braces",
        "[mcp_servers]\na = { command = \"/bin/true\", args = [\"x\"] } # mine\n",
    ),
    (
        "all servers in braces",
        "mcp_servers = { a = { command = \"/bin/true\" } }\nmodel = \"gpt-5.5\"\n",
    ),
    ("no servers in braces", "mcp_servers = {}\n"),
    ("an empty table of servers", "[mcp_servers]\n"),
    ("a server", "[mcp_servers.a]\ncommand = \"/bin/true\"\n"),
    (
        "a server with an environment",
        "[mcp_servers.a]\ncommand = \"/bin/true\"\n\n[mcp_servers.a.env]\nKEY = \"v\"\n",
    ),
    (
        "servers between others",
        "model = \"gpt-5.5\"\n[mcp_servers.a]\ncommand = \"/bin/true\"\n[tui]\nnotifications = true\n[mcp_servers.b]\ncommand = \"/bin/false\"\n",
    ),
    (
        "a server by address",
        "[mcp_servers.docs]\nurl = \"http://127.0.0.1:9/mcp\"\nenabled = false\n",
    ),
    (
        "a name that begins alike",
        "[mcp_servers.claude-code]\ncommand = \"claude\"\nargs = [\"mcp\", \"serve\"]\n",
    ),
    (
        "our header in a comment",
        "# [mcp_servers.claude]\n# command = \"crosscheck\"\nmodel = \"gpt-5.5\"\n",
    ),
    (
        "our header in a text",
        "developer_instructions = \"\"\"\n[mcp_servers.claude]\ncommand = \"x\"\n\"\"\"\n",
    ),
    (
        "a text with quotes",
        "developer_instructions = '''He said \"\"\"no\"\"\" \\ #'''\n",
    ),
    (
        "an array over lines",
        "notify = [\n  \"a\", # first\n\n  \"b\",\n]\n[tui]\n",
    ),
    (
        "arrays of tables",
        "[[hooks.SessionStart]]\n[[hooks.SessionStart.hooks]]\ntype = \"command\"\ncommand = \"true\"\n",
    ),
    (
        "numbers and times",
        "a = 1_000\nb = 0xFF\nc = 1e3\nd = inf\ne = 1979-05-27T07:32:00-08:00\nf = 07:32:00\n",
    ),
    (
        "profiles",
        "profile = \"a\"\n\n[profiles.a]\nmodel = \"gpt-5.5\"\n\n[profiles.\"b c\"]\nmodel = \"x\"\n",
    ),
    (
        "a provider",
        "model_provider = \"p\"\n[model_providers.p]\nname = \"p\"\nbase_url = \"http://127.0.0.1:9/v1\"\nenv_key = \"KEY\"\nquery_params = { v = \"1\" }\n",
    ),
    ("ends in a header", "model = \"gpt-5.5\"\n[tui]"),
];

/// Returns a file of ten thousand lines.
pub(crate) fn huge() -> String {
    let tables = (0..2500)
        .map(|at| format!("[projects.\"/home/me/p{at}\"] # {at}\ntrust_level = \"trusted\"\n\n# the next\n"));
    tables.collect()
}
