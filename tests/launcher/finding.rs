//! It finds the program, becomes it, and says one useful line when there is none.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::world::{VERSION, World, converse, installed, set_mode, shells, stdout};

#[test]
fn a_missing_program_is_one_line_that_says_what_to_do() {
    let world = World::new();
    world.expect_failure(
        |_| {},
        127,
        &format!(
            "run this once in a terminal: cargo install --locked --path \"{}\"",
            world.path("plugin").display()
        ),
    );
}

#[test]
fn a_hook_without_a_program_is_silent() {
    let world = World::new();
    for shell in shells() {
        for variable in [None, Some(("CROSSCHECK_BIN", "/nowhere"))] {
            let mut command = world.launch(shell);
            command
                .args(["hook", "prompt"])
                .envs(variable)
                .stdin(Stdio::null());
            let output = command.output().expect("the shell starts");
            assert!(output.status.success(), "{shell}: {output:?}");
            assert!(
                output.stdout.is_empty() && output.stderr.is_empty(),
                "{shell}: {output:?}"
            );
        }
    }
}

#[test]
fn a_host_is_told_what_to_do_since_it_hides_what_a_failed_server_prints() {
    let world = World::new();
    let launcher = world.install_launcher("a \"plug\\in\"");
    let lines = [
        r#"{"jsonrpc":"2.0","id":"probe-1","method":"server/discover","params":{"_meta":{"v":"2026-07-28"}}}"#,
        r#"{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}},"jsonrpc":"2.0","id":0}"#,
        r#"{"method":"notifications/initialized","jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0,"id":9}}"#,
        "",
        "no message",
        r#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#,
        r#"{"method":"tools/list","jsonrpc":"2.0","id":2}"#,
        r#"{"method":"tools/call","params":{"name":"status","arguments":{"id":"x"}},"jsonrpc":"2.0","id":"3"}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"status","arguments":{"id":"x"}}}"#,
    ];
    for shell in shells() {
        let mut command = Command::new(shell);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .args([launcher.as_os_str(), "serve".as_ref()]);
        let answers = converse(command, &lines.join("\n"));
        let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
        assert_eq!(
            ids,
            [
                &json!("probe-1"),
                &json!(0),
                &json!(1),
                &json!(2),
                &json!("3"),
                &json!(4)
            ],
            "{shell}"
        );
        assert_eq!(answers[0]["error"]["code"], -32601, "{shell}");
        assert_eq!(answers[1]["result"]["protocolVersion"], "2025-11-25", "{shell}");
        assert_eq!(answers[3]["result"]["tools"][0]["name"], "status", "{shell}");
        for answer in &answers[4..] {
            let shown = &answer["result"]["structuredContent"];
            assert_eq!(shown["ready"], false, "{shell}: {shown}");
            let step = shown["next_steps"][0].as_str().unwrap();
            let root = world.path("a \"plug\\in\"");
            assert!(
                step.contains(&format!("--path \"{}\"", root.display())),
                "{shell}: {step}"
            );
        }
    }
}

#[test]
fn the_places_are_searched_in_their_order() {
    let world = World::new();
    let everywhere = |command: &mut Command| {
        command
            .env("CLAUDE_PLUGIN_DATA", world.path("data"))
            .env("HOME", world.path("home"))
            .env("PATH", format!("{}:/usr/bin:/bin", world.path("path").display()));
    };
    let on_path = world.install_program("path/crosscheck");
    world.expect(everywhere, &on_path);
    let cargo = world.install_program("home/.cargo/bin/crosscheck");
    world.expect(everywhere, &cargo);
    let debug = world.install_program("plugin/target/debug/crosscheck");
    // A target folder counts in a checkout only.
    world.expect(everywhere, &cargo);
    world.write("plugin/Cargo.toml", "", 0o644);
    world.expect(everywhere, &debug);
    let release = world.install_program("plugin/target/release/crosscheck");
    world.expect(everywhere, &release);
    let data = world.install_program(&installed(VERSION));
    world.expect(everywhere, &data);
    let named = world.install_program("named program");
    world.expect(
        |command| {
            everywhere(command);
            command.env("CROSSCHECK_BIN", &named);
        },
        &named,
    );
}

#[test]
fn an_installed_copy_finds_its_data_without_being_told() {
    let world = World::new();
    let launcher = world.install_launcher("plugins/cache/crosscheck/codex/0.1.0");
    let program = world.install_program(&format!(
        "plugins/data/codex-crosscheck/{}",
        installed(VERSION).trim_start_matches("data/")
    ));
    for shell in shells() {
        let output = Command::new(shell)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .args([launcher.as_os_str(), "jobs".as_ref()])
            .output()
            .unwrap();
        assert_eq!(
            stdout(&output),
            format!("{}\njobs\n", program.display()),
            "{shell}: {output:?}"
        );
    }
}

#[test]
fn arguments_pass_through_as_they_are() {
    let world = World::new();
    let program = world.install_program("program");
    for shell in shells() {
        let output = world
            .launch(shell)
            .env("CROSSCHECK_BIN", &program)
            .args(["review", "", "a  b", "*", "$HOME", "--", "-n", "it's"])
            .output()
            .unwrap();
        let expected = format!("{}\nreview\n\na  b\n*\n$HOME\n--\n-n\nit's\n", program.display());
        assert_eq!(stdout(&output), expected, "{shell}");
    }
}

#[test]
fn it_never_finds_itself() {
    let world = World::new();
    let launcher = world.path("plugin/bin/crosscheck");
    set_mode(&launcher, 0o755);
    fs::create_dir_all(world.path("links")).unwrap();
    symlink(&launcher, world.path("links/crosscheck")).unwrap();
    // Another copy, as a second marketplace would install it, finds this one on PATH and the other way round.
    let copy = world.install_launcher("copy");
    set_mode(&copy, 0o755);
    let path = ["plugin/bin", "links", "copy/bin"].map(|folder| world.path(folder).display().to_string());
    let path = format!("{}:/usr/bin:/bin", path.join(":"));
    world.expect_failure(
        |command| {
            command.env("PATH", &path);
        },
        127,
        "not built yet",
    );
    world.expect_failure(
        |command| {
            command.env("CROSSCHECK_BIN", &launcher);
        },
        126,
        "CROSSCHECK_BIN names this launcher",
    );
    world.expect_failure(
        |command| {
            command.env("CROSSCHECK_BIN", &copy);
        },
        126,
        "CROSSCHECK_BIN names this launcher",
    );
    // Behind both stands the program.
    let program = world.install_program("last/crosscheck");
    let path = format!("{path}:{}", world.path("last").display());
    world.expect(
        |command| {
            command.env("PATH", &path);
        },
        &program,
    );
}

#[test]
fn a_link_to_it_finds_the_plugin() {
    let world = World::new();
    let launcher = world.path("plugin/bin/crosscheck");
    set_mode(&launcher, 0o755);
    world.write("plugin/Cargo.toml", "", 0o644);
    let program = world.install_program("plugin/target/release/crosscheck");
    fs::create_dir_all(world.path("links")).unwrap();
    symlink("../plugin/bin/crosscheck", world.path("links/crosscheck")).unwrap();
    let output = Command::new(world.path("links/crosscheck"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .arg("status")
        .output()
        .unwrap();
    assert_eq!(
        stdout(&output),
        format!("{}\nstatus\n", program.display()),
        "{output:?}"
    );
}

#[test]
fn a_program_that_was_named_is_not_replaced_by_another() {
    let world = World::new();
    world.install_program("path/crosscheck");
    let plain = world.write("plain", "no program", 0o644);
    for named in [plain, world.path("absent"), world.path("plugin")] {
        world.expect_failure(
            |command| {
                command
                    .env("CROSSCHECK_BIN", &named)
                    .env("PATH", format!("{}:/usr/bin:/bin", world.path("path").display()));
            },
            126,
            "CROSSCHECK_BIN is not an executable file",
        );
    }
}

#[test]
fn a_program_of_the_project_is_not_run() {
    let world = World::new();
    world.install_program("crosscheck");
    world.install_program("tools/crosscheck");
    // The launcher is started in the folder that holds both.
    for path in [
        ":/usr/bin:/bin",
        "/usr/bin:/bin:",
        ".:/usr/bin:/bin",
        "tools:/usr/bin:/bin",
        "/usr/bin::/bin",
    ] {
        world.expect_failure(
            |command| {
                command.env("PATH", path);
            },
            127,
            "not built yet",
        );
    }
}

#[test]
fn native_windows_is_told_to_use_wsl() {
    let world = World::new();
    for system in ["MINGW64_NT-10.0", "MSYS_NT-10.0", "CYGWIN_NT-10.0"] {
        world.write("fake/uname", &format!("#!/bin/sh\necho {system}\n"), 0o755);
        let path = format!("{}:/usr/bin:/bin", world.path("fake").display());
        world.expect_failure(
            |command| {
                command.env("PATH", &path);
            },
            126,
            "inside WSL",
        );
        // A program that is there does not change that.
        let program = world.install_program("program");
        world.expect_failure(
            |command| {
                command
                    .env("PATH", &path)
                    .env("OS", "Windows_NT")
                    .env("CROSSCHECK_BIN", &program);
            },
            126,
            "native Windows is not supported",
        );
    }
}
