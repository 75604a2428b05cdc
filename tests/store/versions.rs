//! Databases of other versions, and files that are none any more.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use cordboard::timeline::What;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Running, call, ended, entry, eventually, rang};

async fn change(folder: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("cordboard.sqlite"))
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Puts a call's begin and end on its timeline.
fn put(running: &Running, number: u32) {
    running.store.append(&call(number), &rang(number));
    running.store.append(&call(number), &entry(20, What::Answered));
    running.store.append(&call(number), &ended(40));
}

async fn entries(running: &Running, number: u32) -> usize {
    running.store.queries().timeline(&call(number), -1, 100).await.map_or(0, |rows| rows.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_version_is_left_alone_and_the_fault_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let running = Running::open(folder.path()).await;
    put(&running, 1);
    running.caught_up().await;
    running.stop().await;
    change(
        folder.path(),
        "INSERT INTO _sqlx_migrations VALUES (9999, 'later', '2030-01-01', true, x'00', 1)",
    )
    .await;
    let running = Running::open(folder.path()).await;
    put(&running, 2);
    let fault =
        eventually("the fault", async || running.store.health().database_fault.clone()).await;
    let expected = "another version of Cordboard (migration 9999): start that version, or move \
                    cordboard.sqlite away";
    assert!(fault.contains(expected), "{fault}");
    assert!(running.store.flush(std::time::Duration::from_secs(60)));
    assert_eq!(running.store.health().entries_dropped, 0);
    // As told: moved away while we run.
    for suffix in ["", "-wal", "-shm"] {
        let path = folder.path().join(format!("cordboard.sqlite{suffix}"));
        drop(fs::rename(&path, folder.path().join(format!("later.sqlite{suffix}"))));
    }
    running.caught_up().await;
    eventually("both calls", async || {
        (entries(&running, 1).await == 3 && entries(&running, 2).await == 3).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_from_before_the_first_migration_is_brought_up() {
    let folder = TempDir::new().unwrap();
    change(folder.path(), "CREATE TABLE notes (text TEXT)").await;
    let running = Running::open(folder.path()).await;
    put(&running, 1);
    running.caught_up().await;
    assert_eq!(entries(&running, 1).await, 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_written_over_while_it_is_open_is_made_anew_from_the_spool() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("cordboard.sqlite");
    let running = Running::open(folder.path()).await;
    put(&running, 1);
    running.caught_up().await;
    let mut file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[0x5a; 12_000]).unwrap();
    put(&running, 2);
    eventually("it is set aside", async || {
        database.with_extension("sqlite.damaged").exists().then_some(())
    })
    .await;
    eventually("both calls", async || {
        (entries(&running, 1).await == 3 && entries(&running, 2).await == 3).then_some(())
    })
    .await;
    running.caught_up().await;
    eventually("it is well", async || running.store.health().is_well().then_some(())).await;
    running.stop().await;
}
