//! From the spool into the database.

use std::fs;

use cordboard::store::Store;
use cordboard::timeline::{Entry, What};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Running, call, ended, entry, eventually, options, rang};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_call_can_be_read_while_it_runs_and_after() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    let queries = running.store.queries();
    running.store.append(&call(1), &rang(1));
    running.store.append(&call(1), &entry(800, What::Answered));
    let row = eventually("the call is there", async || {
        queries.call(&call(1)).await.ok().flatten().filter(|row| row.answered_unix_ms.is_some())
    })
    .await;
    assert_eq!(row.answered_unix_ms, Some(row.started_unix_ms + 800));
    assert_eq!((row.ended_unix_ms, row.outcome), (None, None));
    assert_eq!(running.store.health().calls_live, 1);

    let spoke = What::CallerSpoke {
        text: "where is my parcel".into(),
        confidence: 0.8,
        rejected: false,
        began_ms: 900,
        ended_ms: 2_000,
    };
    running.store.append(&call(1), &entry(2_500, spoke.clone()));
    running.store.append(&call(1), &ended(5_000));
    running.caught_up().await;
    let row = queries.call(&call(1)).await.unwrap().unwrap();
    assert_eq!(row.ended_unix_ms, Some(row.started_unix_ms + 5_000));
    assert_eq!(row.outcome.as_deref(), Some("resolved"));
    assert_eq!(running.store.health().calls_live, 0);
    let entries = queries.timeline(&call(1), -1, 10).await.unwrap();
    assert!(entries[2].json.contains("\"confidence\":0.8,"), "{}", entries[2].json);
    let entries: Vec<Entry> =
        entries.iter().map(|row| serde_json::from_str(&row.json).unwrap()).collect();
    let answered = entry(800, What::Answered);
    assert_eq!(entries, [rang(1), answered, entry(2_500, spoke), ended(5_000)]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_entries_are_projected_each_once() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    for number in 0..1_000 {
        running.store.append(&call(number), &rang(number));
        for step in 1..99 {
            let what = What::Keyed {
                role: cordboard::timeline::LegRole::Caller,
                digit: '5',
                duration_ms: 100,
            };
            running.store.append(&call(number), &entry(step * 20, what));
        }
        running.store.append(&call(number), &ended(2_000));
    }
    running.caught_up().await;
    let health = running.store.health();
    assert_eq!((health.entries_dropped, health.damaged, health.unknown), (0, 0, 0));
    assert_eq!(health.calls_live, 0);
    let (entries, calls) = counts(folder.path()).await;
    assert_eq!((entries, calls), (100_000, 1_000));
    running.stop().await;

    // And no second time after a restart.
    let running = Running::open(folder.path()).await;
    running.caught_up().await;
    assert_eq!(counts(folder.path()).await, (100_000, 1_000));
    assert_eq!(running.store.health().broken_off, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_calls_follow_each_other_without_gap_or_repetition() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    for number in 0..25 {
        running.store.append(&call(number), &rang(number));
    }
    running.caught_up().await;
    let queries = running.store.queries();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = queries.calls(10, before.as_ref()).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(cordboard::timeline::CallId(last.id.clone()));
        seen.extend(page.into_iter().map(|row| row.id));
    }
    let expected: Vec<_> = (0..25).rev().map(|number| call(number).0).collect();
    assert_eq!(seen, expected);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_locked_entries_go_on_and_come_in_after() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    running.store.append(&call(1), &rang(1));
    running.caught_up().await;
    let mut other = connect(folder.path()).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    for step in 1..1_000 {
        running.store.append(&call(1), &entry(step, What::Answered));
    }
    assert!(running.store.flush(std::time::Duration::from_secs(60)));
    eventually("the lock is noticed", async || running.store.health().database_fault).await;
    let health = running.store.health();
    assert!(health.lag_bytes > 0 && !health.is_well());
    assert_eq!((health.entries_dropped, health.disk_failures), (0, 0));
    // What is committed can still be read.
    assert!(running.store.queries().call(&call(1)).await.unwrap().is_some());

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    running.caught_up().await;
    assert!(running.store.health().is_well());
    assert_eq!(counts(folder.path()).await, (1_000, 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_entries_go_on_and_come_in_when_it_is_there() {
    let folder = TempDir::new().unwrap();
    // A folder where the file should be: SQLite cannot open it.
    let database = folder.path().join("cordboard.sqlite");
    fs::create_dir_all(&database).unwrap();
    let running = Running::open(folder.path()).await;
    running.store.append(&call(1), &rang(1));
    running.store.append(&call(1), &ended(10));
    eventually("the fault is noticed", async || running.store.health().database_fault).await;
    assert!(running.store.queries().call(&call(1)).await.is_err());

    fs::remove_dir(&database).unwrap();
    running.caught_up().await;
    eventually("it is well again", async || running.store.health().is_well().then_some(())).await;
    assert_eq!(counts(folder.path()).await, (2, 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_database_is_made_anew_from_the_spool() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    for number in 0..50 {
        running.store.append(&call(number), &rang(number));
        running.store.append(&call(number), &ended(10));
    }
    running.stop().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("cordboard.sqlite{suffix}")));
    }
    let running = Running::open(folder.path()).await;
    running.caught_up().await;
    assert_eq!(counts(folder.path()).await, (100, 50));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_older_than_its_spool_takes_the_new_spool_too() {
    let folder = TempDir::new().unwrap();
    for number in 0..3 {
        let running = Running::open(folder.path()).await;
        running.store.append(&call(number), &rang(number));
        running.store.append(&call(number), &ended(10));
        running.stop().await;
    }
    fs::remove_dir_all(folder.path().join("spool")).unwrap();
    let running = Running::open(folder.path()).await;
    running.store.append(&call(3), &rang(3));
    running.store.append(&call(3), &ended(10));
    running.caught_up().await;
    assert_eq!(counts(folder.path()).await, (8, 4));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_ahead_of_a_torn_spool_gets_the_rest_of_the_call() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    running.store.append(&call(1), &rang(1));
    running.store.append(&call(1), &entry(20, What::Answered));
    running.store.append(&call(1), &entry(40, What::RecordingBegan));
    running.stop().await;
    // A power cut took the end of the spool, and the database had synced it.
    let segment = folder.path().join("spool/0000000001.spool");
    let length = fs::metadata(&segment).unwrap().len();
    fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(length - 9).unwrap();

    let running = Running::open(folder.path()).await;
    running.caught_up().await;
    let row = running.store.queries().call(&call(1)).await.unwrap().unwrap();
    assert_eq!(row.outcome.as_deref(), Some("broken_off"));
    assert_eq!(counts(folder.path()).await, (4, 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_one_store_s_alone() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    let second = Store::open(options(folder.path())).await;
    let fault = second.unwrap_err().to_string();
    assert!(fault.contains("in use"), "{fault}");
    running.stop().await;
}

async fn connect(folder: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("cordboard.sqlite"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn counts(folder: &std::path::Path) -> (i64, i64) {
    let mut connection = connect(folder).await;
    let sql = "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM calls)";
    sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap()
}
