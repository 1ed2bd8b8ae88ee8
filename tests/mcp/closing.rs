//! How a session ends: what is still answered, and how long it may take.

use std::time::Duration;

use crosscheck::mcp::{Eras, ExitReason, Signal, ending_signals};
use serde_json::json;

use crate::harness::{Host, PATIENCE, tool_call};

/// The grace after the input's end, the one after that, and the scheduler's share on a busy machine.
const ALL_GRACE: Duration = Duration::from_millis(200 + 300 + 400);

fn start_call(host: &mut Host, prompt: &str) {
    host.send(&tool_call(&json!(1), "consult", &json!({"prompt": prompt})).to_string());
    // An answered ping shows that the call was read.
    host.is_well();
}

#[test]
fn an_answer_that_is_nearly_ready_is_written_after_the_input_ended() {
    let mut host = Host::legacy();
    start_call(&mut host, "sleep 100");
    let said = host.hang_up();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["result"]["structuredContent"]["said"], "sleep");
}

#[test]
fn a_waiting_call_is_told_that_the_input_ended() {
    let mut host = Host::legacy();
    start_call(&mut host, "wait");
    host.input = None;
    let (reason, took) = host.ended();
    assert_eq!(reason, ExitReason::InputEnded);
    assert!(took < ALL_GRACE, "{took:?}");
    assert_eq!(host.rest()[0]["result"]["structuredContent"]["said"], "closing");
}

#[test]
fn a_call_that_does_not_listen_is_left_behind() {
    for prompt in ["sleep 20000", "block 3000"] {
        let mut host = Host::legacy();
        start_call(&mut host, prompt);
        host.input = None;
        let (reason, took) = host.ended();
        assert_eq!(reason, ExitReason::InputEnded);
        assert!(took < ALL_GRACE, "{prompt}: {took:?}");
    }
}

#[test]
fn a_signal_ends_the_session_and_waiting_calls_are_answered() {
    let mut host = Host::legacy();
    start_call(&mut host, "wait");
    host.signal.take().unwrap().send(Signal::Interrupt).unwrap();
    let (reason, took) = host.ended();
    assert_eq!(reason, ExitReason::Signalled(Signal::Interrupt));
    assert!(took < ALL_GRACE, "{took:?}");
    assert_eq!(host.rest()[0]["result"]["structuredContent"]["said"], "closing");
}

#[test]
fn a_host_that_goes_before_the_session_is_no_defect() {
    let mut host = Host::silent(Eras::Both);
    assert!(host.hang_up().is_empty());
    let mut host = Host::silent(Eras::Both);
    host.signal.take().unwrap().send(Signal::Terminate).unwrap();
    assert_eq!(host.ended().0, ExitReason::Signalled(Signal::Terminate));
}

#[test]
fn a_host_that_stopped_reading_ends_the_session() {
    let mut host = Host::legacy();
    start_call(&mut host, "wait");
    host.output = None;
    host.send(&tool_call(&json!(2), "status", &json!({})).to_string());
    let (reason, took) = host.ended();
    assert_eq!(reason, ExitReason::OutputClosed);
    assert!(took < ALL_GRACE, "{took:?}");
}

#[tokio::test]
async fn a_real_signal_is_caught() {
    let signalled = ending_signals().unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
    let signal = tokio::time::timeout(PATIENCE, signalled).await.unwrap();
    assert_eq!(signal, Signal::Hangup);
}
