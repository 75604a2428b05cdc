//! How many calls a core serves: `make capacity`, as it is built, and its first step alone.

use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_step_of_capacity_is_climbed_and_told() {
    let cordboard = Path::new(env!("CARGO_BIN_EXE_cordboard"));
    let capacity = cordboard.with_file_name("examples").join("capacity");
    assert!(capacity.exists(), "{} is missing: cargo build --examples", capacity.display());
    let mut command = Command::new(capacity);
    command.args(["--codecs", "g722", "--steps", "1", "--cordboard"]).arg(cordboard);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{wrong}");
    // One caller, of whose call nothing failed.
    let step = said.lines().find_map(|line| line.trim().strip_prefix("1 "));
    assert_eq!(step.and_then(|it| it.split_whitespace().next()), Some("0"), "{said}{wrong}");
}
