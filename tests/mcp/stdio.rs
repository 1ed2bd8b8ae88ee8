//! Standard input and output belong to the protocol, shown in a process of its own.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Set in the child that this test starts of itself.
const CHILD: &str = "CROSSCHECK_TEST_STDIO_CHILD";

#[test]
fn a_stray_print_never_reaches_the_protocol() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "stdio::a_stray_print_never_reaches_the_protocol",
            "--nocapture",
        ])
        .env_clear()
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    run.stdin.take().unwrap().write_all(b"question").unwrap();
    let output = run.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.ends_with("<answer to question>"), "{stdout}");
    assert!(!stdout.contains("stray"), "{stdout}");
    assert!(
        stderr.contains("stray print") && stderr.contains("stray child"),
        "{stderr}"
    );
}

fn child() {
    let (mut reader, mut writer) = crosscheck::mcp::claim_stdio().unwrap();
    #[expect(clippy::print_stdout, reason = "the stray print is what this test is about")]
    {
        println!("stray print");
    }
    // A child that inherits everything: it reads nothing, and its words go to the log.
    let status = Command::new("/bin/sh")
        .args(["-c", "cat; echo stray child"])
        .status()
        .unwrap();
    assert!(status.success());
    let mut question = String::new();
    reader.read_to_string(&mut question).unwrap();
    write!(writer, "<answer to {question}>").unwrap();
}
