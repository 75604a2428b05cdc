//! `cordboard call`: a call that the service places.

use std::process::Command;
use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use tempfile::TempDir;

use crate::support::{Companion, PATIENCE, settings, until};

/// Starts `cordboard call` with the short flow.
fn place(folder: &TempDir, uri: &str) -> Companion {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cordboard"));
    command.args(["call", uri, "--route", "short", "-c"]).arg(settings(folder.path(), ""));
    Companion::start(&mut command, &folder.path().join("call.log"))
}

/// Its exit code, and what it said on standard error.
async fn end(mut program: Companion, folder: &TempDir) -> (Option<i32>, String) {
    let status = until("the end of the command", async || program.ended()).await;
    let log = std::fs::read_to_string(folder.path().join("call.log")).unwrap();
    (status.code(), log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placed_call_meets_the_flow_and_ends_well() {
    let folder = TempDir::new().unwrap();
    let mut phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let program = place(&folder, &phone.uri("bob"));
    let hang_up = When::Answered(Duration::from_secs(4));
    let script = Script::new([Step { when: hang_up, act: Act::HangUp }]);
    let played = phone.answer(script, PATIENCE, PATIENCE).await.unwrap();
    let loud = played.far.iter().filter(|sample| sample.abs() > 0.05).count();
    assert!(loud > 2_000, "the assistant is heard");
    assert_eq!(program.said("the call is over: "), "bye");
    let (code, log) = end(program, &folder).await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placed_call_that_reaches_nobody_is_a_failure() {
    let free = crate::support::free_udp_port();
    for (uri, why) in [
        ("sip:bob@192.0.2.1:5060".to_owned(), "not among sip.destinations"),
        ("bob".to_owned(), "the address makes no sense"),
        (format!("sip:bob@127.0.0.1:{free}"), "was not reached"),
    ] {
        let folder = TempDir::new().unwrap();
        let (code, log) = end(place(&folder, &uri), &folder).await;
        assert_eq!(code, Some(1), "{uri}: {log}");
        assert!(log.contains(why) && log.contains("was not reached"), "{uri}: {log}");
    }
}
