//! The projection of the spool into SQLite.
//!
//! Reads the spool from the place that the database itself remembers, in batches, each with the
//! new place in one transaction: whatever dies, nothing is lost and nothing is there twice. The
//! database may be slow, full or away; the spool grows meanwhile, and calls never notice. Absent:
//! reading the database (`queries`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::migrate::MigrateError;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::database::{Database, Loss, is_damage, is_lock};
use super::reader::{self, Batch};
use super::record::{Body, ForeignEntry, Record, StoredPacket};
use super::segment::{self, Position};
use crate::timeline::{CallId, Entry, What};

/// Records of one transaction.
const RECORDS_TOGETHER: usize = 4_000;
/// Rows of one INSERT: SQLite takes 32,766 values, and an entry has five.
const ROWS_TOGETHER: usize = 1_000;
/// What is written within this time goes into the database together: a transaction costs more than
/// all that a call has to say in it.
const GATHERED: Duration = Duration::from_millis(250);
/// Time between two attempts at a database that fails.
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// Time between two looks at the database's file while there is nothing to do.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// How far the projection is, for those who ask.
#[derive(Debug, Default)]
pub(super) struct Progress {
    place: Mutex<(Position, Option<String>)>,
    /// Damaged stretches of the spool that were passed over.
    pub damaged: AtomicU64,
    /// Records of an unknown form.
    pub unknown: AtomicU64,
}

impl Progress {
    /// Where the projection is, and why it does not go on, if so.
    pub(super) fn place(&self) -> (Position, Option<String>) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, position: Position, fault: Option<String>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = (position, fault);
    }
}

/// The task that projects.
#[derive(Debug)]
pub(super) struct Projector {
    pub folder: PathBuf,
    pub retain_segments: usize,
    pub database: Database,
    pub written: watch::Receiver<Position>,
    pub progress: Arc<Progress>,
}

/// Why a round of the projection ended.
#[derive(Debug, thiserror::Error)]
enum ProjectionFault {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("database: {0}")]
    Migration(MigrateError),
    #[error(
        "database: it is of another version of Cordboard (migration {0}): start that version, or \
         move cordboard.sqlite away, and another is made from the spool"
    )]
    Foreign(i64),
    #[error("database: its file is gone, or is another one; it is opened anew")]
    Gone,
    #[error("database: its file is damaged")]
    Damaged,
    #[error("spool: {0}")]
    Spool(#[from] std::io::Error),
    #[error("reading the spool was stopped")]
    Stopped(#[from] tokio::task::JoinError),
}

impl From<MigrateError> for ProjectionFault {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::Database(error)
            }
            MigrateError::VersionMissing(version)
            | MigrateError::VersionMismatch(version)
            | MigrateError::Dirty(version) => Self::Foreign(version),
            error => Self::Migration(error),
        }
    }
}

impl ProjectionFault {
    /// What became of the file or of the connections to it, where these are made anew.
    fn loss(&self) -> Option<Loss> {
        match self {
            // Somebody may move it away, as told.
            Self::Gone | Self::Foreign(_) | Self::Migration(_) => Some(Loss::Gone),
            Self::Damaged => Some(Loss::Damaged),
            Self::Database(error) if is_damage(error) => Some(Loss::Damaged),
            Self::Database(error) if is_lock(error) => None,
            // After a full disk a connection may stand in a transaction that never ends.
            Self::Database(_) => Some(Loss::Gone),
            Self::Spool(_) | Self::Stopped(_) => None,
        }
    }
}

impl From<Loss> for ProjectionFault {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Gone => Self::Gone,
            Loss::Damaged => Self::Damaged,
        }
    }
}

impl Projector {
    /// Runs until told to stop, and then until it has caught up or failed.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while let Err(fault) = self.follow(&stop).await {
            let (position, _) = self.progress.place();
            self.progress.set(position, Some(fault.to_string()));
            tracing::warn!(%fault, "timelines wait in the spool");
            if let Some(loss) = fault.loss() {
                self.database.renew(loss).await;
            }
            if tokio::time::timeout(RETRY_PERIOD, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken) -> Result<(), ProjectionFault> {
        sqlx::migrate!().run(&self.database.pool()).await?;
        self.database.remember();
        let mut position = self.starting_place().await?;
        let mut looks = tokio::time::interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let end = *self.written.borrow_and_update();
            let batch = self.read(position, end).await?;
            if batch.next != position {
                self.apply(&batch).await?;
                self.retire(position, batch.next).await?;
                position = batch.next;
            }
            self.progress.set(position, None);
            if position >= end {
                tokio::select! {
                    changed = self.written.changed() => if changed.is_err() { return Ok(()) },
                    () = stop.cancelled() => if *self.written.borrow() == end { return Ok(()) },
                    _ = looks.tick() => {}
                }
                // Who stops is not kept waiting.
                drop(tokio::time::timeout(GATHERED, stop.cancelled()).await);
            }
        }
    }

    /// The remembered place, or an earlier one where the spool is not what it was.
    async fn starting_place(&self) -> Result<Position, ProjectionFault> {
        let sql = "SELECT segment, offset FROM projected";
        let (segment, offset): (i64, i64) =
            sqlx::query_as(sql).fetch_one(&self.database.pool()).await?;
        let place = Position { segment: unsigned(segment), offset: unsigned(offset) };
        let end = *self.written.borrow();
        if place.segment > end.segment {
            return Ok(Position::default());
        }
        let length = std::fs::metadata(segment::path(&self.folder, place.segment));
        let is_beyond = length.is_ok_and(|meta| meta.len() < place.offset);
        Ok(if is_beyond { Position::first_of(place.segment) } else { place })
    }

    /// Reads on, where the database's file is still there and still one.
    async fn read(&self, from: Position, end: Position) -> Result<Batch, ProjectionFault> {
        let (database, folder) = (self.database.clone(), self.folder.clone());
        let read = move || match database.loss() {
            Some(loss) => Err(ProjectionFault::from(loss)),
            None => Ok(reader::batch(&folder, from, end, RECORDS_TOGETHER)?),
        };
        let batch = tokio::task::spawn_blocking(read).await??;
        for place in &batch.damaged {
            let call = batch.records.last().and_then(|record| record.call().map(CallId::to_string));
            tracing::warn!(?place, ?call, "damaged stretch of the spool passed over");
        }
        self.progress.damaged.fetch_add(batch.damaged.len() as u64, Relaxed);
        self.progress.unknown.fetch_add(batch.unknown, Relaxed);
        Ok(batch)
    }

    async fn apply(&self, batch: &Batch) -> Result<(), ProjectionFault> {
        let mut transaction = self.database.pool().begin().await?;
        insert_entries(&mut transaction, &batch.records).await?;
        for record in &batch.records {
            match &record.body {
                Body::Entry { call, entry } => {
                    update_call(&mut transaction, call, entry).await?;
                }
                Body::Packet(stored) => {
                    insert_packet(&mut transaction, record.seq, stored).await?;
                }
                // What it means is not known here; it is kept for who knows.
                Body::Foreign(_) | Body::Live(_) => {}
            }
        }
        sqlx::query("UPDATE projected SET segment = ?, offset = ?")
            .bind(signed(batch.next.segment))
            .bind(signed(batch.next.offset))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes old segments when a new one is begun.
    async fn retire(&self, from: Position, to: Position) -> Result<(), ProjectionFault> {
        if from.segment != to.segment {
            let (folder, retain) = (self.folder.clone(), self.retain_segments);
            let delete = move || segment::delete_before(&folder, to.segment, retain);
            tokio::task::spawn_blocking(delete).await??;
        }
        Ok(())
    }
}

impl Record {
    /// The call that the record is about.
    pub(super) const fn call(&self) -> Option<&CallId> {
        match &self.body {
            Body::Entry { call, .. }
            | Body::Foreign(ForeignEntry { call, .. })
            | Body::Packet(StoredPacket { call, .. }) => Some(call),
            Body::Live(_) => None,
        }
    }
}

/// The name of what an entry says.
#[derive(Deserialize)]
struct Named {
    what: String,
}

/// An entry as its row has it.
struct Row<'r> {
    call: &'r CallId,
    seq: u64,
    at_ms: u64,
    what: String,
    json: String,
}

impl<'r> Row<'r> {
    /// The row of a record; none where it is no entry.
    fn of(record: &'r Record) -> Option<Self> {
        let seq = record.seq;
        match &record.body {
            Body::Entry { call, entry } => {
                // As text at once: a `serde_json::Value` would make 0.800000011920929 of 0.8_f32.
                let json = serde_json::to_string(entry).unwrap_or_default();
                let what = serde_json::from_str::<Named>(&json).map(|named| named.what);
                let what = what.unwrap_or_default();
                Some(Self { call, seq, at_ms: entry.at_ms, what, json })
            }
            Body::Foreign(ForeignEntry { call, at_ms, what, json }) => {
                Some(Self { call, seq, at_ms: *at_ms, what: what.clone(), json: json.clone() })
            }
            Body::Packet(_) | Body::Live(_) => None,
        }
    }
}

async fn insert_entries(
    connection: &mut SqliteConnection,
    records: &[Record],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = records.iter().filter_map(Row::of).collect();
    for rows in rows.chunks(ROWS_TOGETHER) {
        let sql = "INSERT OR IGNORE INTO entries (call, seq, at_ms, what, json) ";
        let mut insert = QueryBuilder::<Sqlite>::new(sql);
        insert.push_values(rows, |mut values, row| {
            values
                .push_bind(row.call.0.clone())
                .push_bind(signed(row.seq))
                .push_bind(signed(row.at_ms))
                .push_bind(row.what.clone())
                .push_bind(row.json.clone());
        });
        // Not kept prepared: every number of rows is another statement.
        insert.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn update_call(
    connection: &mut SqliteConnection,
    call: &CallId,
    entry: &Entry,
) -> Result<(), sqlx::Error> {
    let at_ms = signed(entry.at_ms);
    let update = match &entry.what {
        What::Rang { from, to, leg, wall_unix_ms, build, flow, flow_version, .. } => sqlx::query(
            "INSERT OR IGNORE INTO calls (id, from_address, to_address, leg, flow, flow_version, \
             build, started_unix_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&call.0)
        .bind(from)
        .bind(to)
        .bind(name_of(leg))
        .bind(flow)
        .bind(flow_version)
        .bind(build)
        .bind(signed(*wall_unix_ms)),
        What::Answered => sqlx::query(
            "UPDATE calls SET answered_unix_ms = started_unix_ms + ? \
             WHERE id = ? AND answered_unix_ms IS NULL",
        )
        .bind(at_ms)
        .bind(&call.0),
        What::Bridged { agent } => {
            sqlx::query("UPDATE calls SET agent = ? WHERE id = ?").bind(agent).bind(&call.0)
        }
        What::Ended { outcome, cause } => sqlx::query(
            "UPDATE calls SET ended_unix_ms = started_unix_ms + ?, outcome = ?, cause = ? \
             WHERE id = ?",
        )
        .bind(at_ms)
        .bind(name_of(outcome))
        .bind(cause)
        .bind(&call.0),
        _ => return Ok(()),
    };
    update.execute(connection).await?;
    Ok(())
}

async fn insert_packet(
    connection: &mut SqliteConnection,
    seq: u64,
    stored: &StoredPacket,
) -> Result<(), sqlx::Error> {
    let json = serde_json::to_string(&stored.packet).unwrap_or_default();
    sqlx::query(
        "INSERT OR REPLACE INTO packets (id, call, seq, token_hash, json) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&stored.packet.packet_id)
    .bind(&stored.call.0)
    .bind(signed(seq))
    .bind(&stored.token_hash)
    .bind(json)
    .execute(connection)
    .await?;
    Ok(())
}

/// The wire name of a plain enum's variant.
fn name_of<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// SQLite has signed numbers only; ours are far below the bound.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way back from [`signed`].
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
