//! Starts that fail, and the one sentence that each is told in.

use std::process::{Command, Output, Stdio};

use super::{CORDBOARD, FLOW};

/// Runs the command to its end, where ALSA finds what this file says.
fn talk(alsa: &str, more: &[&str]) -> Output {
    Command::new(CORDBOARD)
        .arg("talk")
        .args(more)
        .env("ALSA_CONFIG_PATH", alsa)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// The only line that a failed start writes.
fn sentence(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[cfg(not(feature = "device"))]
#[test]
fn a_binary_without_the_sound_card_says_how_to_build_one_with_it() {
    let said = sentence(&talk("/dev/null", &["--flow", FLOW]));
    assert!(said.contains("--features device") && said.contains("libasound2-dev"), "{said}");
}

#[cfg(feature = "device")]
#[test]
fn a_machine_without_a_microphone_is_told_in_one_sentence_what_to_do() {
    let said = sentence(&talk("/dev/null", &["--flow", FLOW]));
    assert!(said.starts_with("error: no microphone on this machine: "), "{said}");
    assert!(said.contains("plug one in"), "{said}");
}

#[cfg(feature = "device")]
#[test]
fn without_a_flow_there_is_nobody_to_talk_to() {
    let said = sentence(&talk("/dev/null", &[]));
    assert!(said.contains("--flow FILE"), "{said}");
}
