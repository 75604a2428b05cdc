//! What a start finds after the process was killed.
//!
//! The kill is a real one: this test's own binary is run again as a child that keeps a store, and
//! the child gets SIGKILL in the middle of its call.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use cordboard::store::{Store, read_inputs};
use cordboard::timeline::{Entry, Outcome, What};
use cordboard_audio::MediaTime;
use tempfile::TempDir;

use crate::support::{Running, call, ended, entry, options, rang};

const CHILD: &str = "CORDBOARD_TEST_STORE_CHILD";
const ENTRIES: u64 = 500;

/// Not a test of its own: the child's part, idle unless told its folder.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = Store::open(options(folder.as_ref())).await.unwrap();
    store.append(&call(1), &rang(1));
    store.append(&call(1), &ended(100));
    store.append(&call(2), &rang(2));
    let mut recorder = store.recorder(&call(2)).unwrap();
    let mut inputs = store.inputs(&call(2), || b"header".to_vec()).unwrap();
    for step in 1..=ENTRIES {
        store.append(&call(2), &entry(step * 20, What::Answered));
        recorder.write(&[1; 160], &[-1; 160]);
        inputs.write(MediaTime::from_millis(step * 20), 1, &[7; 32]);
    }
    assert!(store.flush(Duration::from_secs(60)));
    eprintln!("written");
    // Until killed; an orphan reads the end of its input and goes.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_all_is_there_and_the_call_is_broken_off() {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "restart::child_that_is_killed", "--nocapture"])
        .env(CHILD, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let was_written = lines.map_while(Result::ok).any(|line| line.contains("written"));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(was_written);
    assert_eq!(status.signal(), Some(9));

    let running = Running::open(folder.path()).await;
    assert_eq!(running.store.health().broken_off, 1);
    running.caught_up().await;
    let queries = running.store.queries();
    let first = queries.call(&call(1)).await.unwrap().unwrap();
    assert_eq!(first.outcome.as_deref(), Some("resolved"));
    let second = queries.call(&call(2)).await.unwrap().unwrap();
    assert_eq!(second.outcome.as_deref(), Some("broken_off"));
    assert_eq!(second.ended_unix_ms, Some(second.started_unix_ms + ENTRIES as i64 * 20));
    let entries = queries.timeline(&call(2), -1, 1_000).await.unwrap();
    assert_eq!(entries.len() as u64, ENTRIES + 2);
    let last: Entry = serde_json::from_str(&entries.last().unwrap().json).unwrap();
    assert!(matches!(last.what, What::Ended { outcome: Outcome::BrokenOff, .. }));

    let (path, is_complete) = running.store.recording(&call(2)).unwrap();
    assert!(!is_complete);
    assert_eq!(u64::from(hound::WavReader::open(path).unwrap().duration()), ENTRIES * 160);
    let inputs = read_inputs(&running.store.inputs_path(&call(2)).unwrap()).unwrap();
    assert_eq!(inputs.header, b"header");
    assert!(!inputs.complete);
    // Inputs travel in pieces of 200 ms: no more than that is missing.
    assert!(inputs.records.len() as u64 >= ENTRIES - 10, "{}", inputs.records.len());
    running.stop().await;
}
