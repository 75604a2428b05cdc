//! The first call of who has just cloned: `make demo ONCE=1`, as it is built.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::support::Companion;

/// Of all that it does, nothing takes longer; the call takes about 70 s.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Plays it once: what it said and logged, and how it ended.
async fn play() -> (Vec<String>, String, ExitStatus) {
    let demo = Path::new(env!("CARGO_BIN_EXE_cordboard")).with_file_name("examples").join("demo");
    assert!(demo.exists(), "{} is missing: cargo build --examples", demo.display());
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(demo);
    command.arg("--once").current_dir(env!("CARGO_MANIFEST_DIR"));
    let program = Companion::start(&mut command, log.path());
    let playing = tokio::task::spawn_blocking(move || program.run_out(SILENCE_MAX));
    let (said, ended) = playing.await.unwrap();
    (said, std::fs::read_to_string(log.path()).unwrap(), ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_plays_to_its_end() {
    let (mut said, mut log, mut ended) = play().await;
    if said.iter().any(|line| line.starts_with("the demo did not go as it should")) {
        // Its caller is recorded and goes by the clock: a machine that stands still spoils it.
        eprintln!("{}\n{log}\nonce more", said.join("\n"));
        (said, log, ended) = play().await;
    }
    let said = said.join("\n");
    assert!(ended.success(), "{ended:?}\n{said}\n{log}");
    assert!(said.lines().any(|line| line == "The call went as it should."), "{said}\n{log}");
}
