//! The first call of who has just cloned: `make demo ONCE=1`, as it is built.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::Companion;

/// Of all that it does, nothing takes longer; the call takes about 70 s.
const SILENCE_MAX: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_plays_to_its_end() {
    let demo = Path::new(env!("CARGO_BIN_EXE_cordboard")).with_file_name("examples").join("demo");
    assert!(demo.exists(), "{} is missing: cargo build --examples", demo.display());
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(demo);
    command.arg("--once").current_dir(env!("CARGO_MANIFEST_DIR"));
    let program = Companion::start(&mut command, log.path());
    let playing = tokio::task::spawn_blocking(move || program.run_out(SILENCE_MAX));
    let (said, ended) = playing.await.unwrap();
    let told = || format!("{}\n{}", said.join("\n"), std::fs::read_to_string(log.path()).unwrap());
    assert!(ended.success(), "{ended:?}\n{}", told());
    assert!(said.iter().any(|line| line == "The call went as it should."), "{}", told());
}
