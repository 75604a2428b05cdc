//! What is too old is deleted, at wall times of the test's own; nothing of a live call is.

use cordboard::store::{Retention, Swept};
use cordboard::timeline::{CallId, ContextPacket, Links, PACKET_VERSION, Trigger, What};
use tempfile::TempDir;

use crate::support::{Running, ended, rang};

const DAY_MS: u64 = 86_400_000;
const NOW_UNIX_MS: u64 = 1_800_000_000_000;

/// A call that rang so many days ago.
fn call(days: u64, number: u128) -> CallId {
    CallId(ulid::Ulid::from_parts(NOW_UNIX_MS - days * DAY_MS, number).to_string())
}

/// A recording, a record of inputs and a timeline of a call.
fn keep(running: &Running, call: &CallId, is_over: bool) {
    running.store.append(call, &rang(1));
    let mut recorder = running.store.recorder(call).unwrap();
    (0..20).for_each(|_| recorder.write(&[1; 160], &[2; 160]));
    let inputs = running.store.inputs(call, || b"header".to_vec()).unwrap();
    if is_over {
        assert!(recorder.finish().complete && inputs.finish());
        running.store.append(call, &ended(900));
    } else {
        // Held for as long as the process, as a live call's are.
        std::mem::forget((recorder, inputs));
    }
}

/// Whether timeline, recording and inputs are there.
async fn kept(running: &Running, call: &CallId) -> (bool, bool, bool) {
    let row = running.store.queries().call(call).await.unwrap();
    let recording = running.store.recording(call).unwrap().0.exists();
    (row.is_some(), recording, running.store.inputs_path(call).unwrap().exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_is_deleted_after_its_own_days_and_nothing_of_a_live_call() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    let (old, middle, young, live) = (call(40, 1), call(20, 2), call(1, 3), call(90, 4));
    for call in [&old, &middle, &young] {
        keep(&running, call, true);
    }
    keep(&running, &live, false);
    running.caught_up().await;

    let never = Retention::default();
    assert_eq!(running.store.sweep(&never, NOW_UNIX_MS).await.unwrap(), Swept::default());
    let keep = Retention { timelines_days: 30, recordings_days: 10, inputs_days: 2 };
    let swept = running.store.sweep(&keep, NOW_UNIX_MS).await.unwrap();
    assert_eq!(swept, Swept { timelines: 1, recordings: 2, inputs: 2, segments: 0 });
    assert_eq!(kept(&running, &old).await, (false, false, false));
    assert_eq!(kept(&running, &middle).await, (true, false, false));
    assert_eq!(kept(&running, &young).await, (true, true, true));
    assert_eq!(kept(&running, &live).await, (true, true, true));
    let entries = running.store.queries().timeline(&old, -1, 10).await.unwrap();
    assert!(entries.is_empty(), "{entries:?}");

    let again = running.store.sweep(&keep, NOW_UNIX_MS).await.unwrap();
    assert_eq!(again, Swept::default(), "once is enough");
    let later = running.store.sweep(&keep, NOW_UNIX_MS + 15 * DAY_MS).await.unwrap();
    assert_eq!((later.timelines, later.recordings, later.inputs), (1, 1, 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_in_no_file_of_the_store_any_more() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    let canary = "sip:canary-90210@127.0.0.1";
    let old = call(400, 1);
    let mut first = rang(1);
    if let What::Rang { from, .. } = &mut first.what {
        canary.clone_into(from);
    }
    running.store.append(&old, &first);
    running.store.keep_packet(&old, &packet(&old, canary), "secret");
    running.store.append(&old, &ended(900));
    running.caught_up().await;
    running.stop().await;
    // A start begins a new segment; the old one was last written now, by the disk's own clock.
    let running = Running::open(folder.path()).await;
    running.store.append(&call(0, 2), &rang(2));
    running.caught_up().await;
    // A damaged database that was set aside has it, too.
    let aside = folder.path().join("cordboard.sqlite.damaged");
    std::fs::copy(folder.path().join("cordboard.sqlite"), &aside).unwrap();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&aside)
        .and_then(|mut file| std::io::Write::write_all(&mut file, canary.as_bytes()))
        .unwrap();
    assert!(files_with(folder.path(), canary).len() >= 3, "spool and databases have it");

    let keep = Retention { timelines_days: 30, ..Retention::default() };
    let later_unix_ms = cordboard::clock::wall_unix_ms() + 31 * DAY_MS;
    let swept = running.store.sweep(&keep, later_unix_ms).await.unwrap();
    assert!(swept.timelines >= 1 && swept.segments >= 1, "{swept:?}");
    assert_eq!(files_with(folder.path(), canary), Vec::<String>::new());
    running.stop().await;
}

fn packet(call: &CallId, caller: &str) -> ContextPacket {
    ContextPacket {
        version: PACKET_VERSION,
        packet_id: "packet-1".into(),
        call_id: call.0.clone(),
        caller: caller.into(),
        stated_issue: String::new(),
        intent: None,
        confidence: 0.0,
        slots: Vec::new(),
        actions: Vec::new(),
        resolved: Vec::new(),
        unresolved: Vec::new(),
        trigger: Trigger::Asked,
        reason: String::new(),
        transcript: Vec::new(),
        links: Links::default(),
    }
}

/// Files below a folder that have a text in them.
fn files_with(folder: &std::path::Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
