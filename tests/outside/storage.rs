//! Disk and database fail under a service that answers the phone: calls go on, and what was written
//! about them is there afterwards.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cordboard::clock;
use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Caller, Serving, failed_start, settings, told, until};

/// With these a caller who says nothing is not hung up on before the test has done its work.
const PATIENT: &str = "[turn]\nno_input_ms = 60000";

/// A call that is answered and hears the greeting, whatever else happens.
async fn greeted(service: &Serving, name: &str) -> Caller {
    let caller = Caller::ring(service, "short", name).await;
    until("a greeting", async || {
        (caller.packets().iter().filter(|it| it.is_loud).count() > 50).then_some(())
    })
    .await;
    caller
}

/// The whole timeline of a caller's call, once it is over.
async fn story(service: &Serving, name: &str) -> Vec<Value> {
    let call = service.api.ended_call_of(name).await;
    service.api.timeline(call["id"].as_str().unwrap()).await
}

fn whats(story: &[Value]) -> Vec<&str> {
    story.iter().map(|it| it["what"].as_str().unwrap()).collect()
}

/// Waits until the database has all that is in the spool.
async fn reconciled(service: &Serving) {
    until("the database has everything", async || {
        let health = service.api.get("/healthz").await;
        let done = health["spool_lag_bytes"] == 0 && health["database_fault"].is_null();
        done.then_some(())
    })
    .await;
    let health = service.api.get("/healthz").await;
    assert_eq!(
        (&health["entries_dropped"], &health["status"]),
        (&0.into(), &"ok".into()),
        "{health}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_locked_replaced_by_garbage_and_deleted_costs_no_call_and_no_entry() {
    let service = Serving::start(PATIENT);
    let database = service.folder().path().join("data/cordboard.sqlite");
    let began = clock::monotonic();
    let mut through = greeted(&service, "through").await;
    service.api.call_of("through").await;

    let options = SqliteConnectOptions::new().filename(&database);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    greeted(&service, "locked").await.hang_up().await;
    until("the lock is noticed", async || {
        service.api.get("/healthz").await["database_fault"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(service.status("/readyz").await, 200, "calls do not need the database");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let first = story(&service, "locked").await;
    reconciled(&service).await;

    let garbage = database.with_extension("garbage");
    fs::write(&garbage, [0xa5; 65_536]).unwrap();
    fs::rename(&garbage, &database).unwrap();
    greeted(&service, "garbage").await.hang_up().await;
    let second = story(&service, "garbage").await;
    assert_eq!(story(&service, "locked").await, first, "made anew from the spool");
    assert!(database.with_extension("sqlite.damaged").exists());

    fs::remove_file(&database).unwrap();
    greeted(&service, "gone").await.hang_up().await;
    story(&service, "gone").await;
    assert_eq!(story(&service, "garbage").await, second);

    // The folder itself, with the spool in it.
    fs::remove_dir_all(database.parent().unwrap()).unwrap();
    greeted(&service, "bare").await.hang_up().await;
    for name in ["locked", "garbage", "gone", "bare"] {
        let story = story(&service, name).await;
        assert_eq!((whats(&story)[0], *whats(&story).last().unwrap()), ("rang", "ended"), "{name}");
    }
    assert!(!through.is_hung_up());
    through.hang_up().await;
    assert!(whats(&story(&service, "through").await).contains(&"answered"));
    told("database locked, garbage, gone", "the talk as ever", through.gaps_ms(began).1);
    reconciled(&service).await;
}

/// A small file system in a folder's `data`.
struct Small(PathBuf);

impl Small {
    /// None, with a line that says so, where none may be mounted.
    fn mount(folder: &Path) -> Option<Self> {
        let path = folder.join("data");
        fs::create_dir_all(&path).unwrap();
        let words = ["-t", "tmpfs", "-o", "size=2m", "tmpfs"];
        let mounted = Command::new("mount").args(words).arg(&path).output();
        let mounted = mounted.is_ok_and(|it| it.status.success());
        if !mounted {
            eprintln!("skipped: no small file system may be mounted; be root");
        }
        mounted.then_some(Self(path))
    }

    /// Writes until nothing more can be written.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        while file.write_all(&[0; 1]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_calls_go_on_and_the_recording_is_said_to_be_incomplete() {
    let folder = Arc::new(TempDir::new().unwrap());
    let Some(disk) = Small::mount(folder.path()) else { return };
    let changes = format!("[store]\nrecording = true\n{PATIENT}");
    let mut service = Serving::start_in(folder.clone(), &changes);
    let began = clock::monotonic();
    let mut caller = Caller::ring(&service, "parcel", "recorded").await;
    let id = service.api.call_of("recorded").await["id"].as_str().unwrap().to_owned();
    service.api.entry(&id, |it| it["what"] == "recording_began").await;
    disk.fill();
    let full = clock::monotonic();
    until("the alarm", async || (service.status("/readyz").await == 503).then_some(())).await;
    eprintln!("unready {} ms after the disk was full", (clock::monotonic() - full).as_millis());
    until("the recording's alarm", async || {
        let page = service.api.text("/metrics").await;
        (page.contains("cordboard_store_media_failing 1\n")
            && page.contains("cordboard_store_disk_failing 1\n"))
        .then_some(())
    })
    .await;
    assert!(service.log().contains("recordings cannot be written"), "{}", service.log());
    greeted(&service, "meanwhile").await.hang_up().await;
    disk.empty();
    until("ready again", async || (service.status("/readyz").await == 200).then_some(())).await;
    assert!(!caller.is_hung_up());
    caller.hang_up().await;
    told("disk full", "the talk as ever", caller.gaps_ms(began).1);
    let first = story(&service, "recorded").await;
    let ended = first.iter().find(|it| it["what"] == "recording_ended");
    let ended = ended.unwrap_or_else(|| panic!("{:?}", whats(&first)));
    assert_eq!(ended["complete"], false, "{ended}");
    let meanwhile = story(&service, "meanwhile").await;
    assert_eq!((whats(&meanwhile)[0], *whats(&meanwhile).last().unwrap()), ("rang", "ended"));
    reconciled(&service).await;
    service.signal("TERM");
    assert_eq!(service.exit().await.code(), Some(0));
    drop(service);

    // The database is only a copy: made anew, it says the same.
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::remove_file(disk.0.join(format!("cordboard.sqlite{suffix}"))));
    }
    let service = Serving::start_in(folder, "");
    assert_eq!(story(&service, "recorded").await, first);
    let health = service.api.get("/healthz").await;
    assert_eq!((&health["damaged"], &health["unknown"]), (&0.into(), &0.into()), "{health}");
    drop(service);
    drop(disk);
}

#[test]
fn a_store_that_cannot_be_written_at_the_start_is_refused_in_one_sentence() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = Small::mount(folder.path()) else { return };
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status();
    assert!(remounted.unwrap().success());
    let output = failed_start(&settings(folder.path(), ""));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot be used") && said.contains("set store.folder"), "{said}");
}
