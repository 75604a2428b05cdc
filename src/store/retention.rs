//! Retention: what is older than the settings allow is deleted, and nothing of a live call.
//!
//! A call's age is that of its ring, which its name has in it. Absent: when to sweep (`shell`).

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, UNIX_EPOCH};

use crossbeam_channel::bounded;

use super::writer::Message;
use super::{Store, StoreFault, inputs_folder, is_call_id, recordings_folder, segment};
use crate::timeline::CallId;

/// Timelines that are deleted in one transaction: calls must not wait for the database long.
const TOGETHER: u32 = 200;
/// How long the writing thread may take to say which calls are live.
const PATIENCE: Duration = Duration::from_secs(30);
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// After how many days what is deleted; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Timelines and context packets, in the database and in the spool.
    pub timelines_days: u64,
    /// Recordings.
    pub recordings_days: u64,
    /// Records of inputs.
    pub inputs_days: u64,
}

impl Retention {
    /// Whether anything is ever deleted.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.timelines_days > 0 || self.recordings_days > 0 || self.inputs_days > 0
    }
}

/// What a sweep has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Timelines.
    pub timelines: u64,
    /// Recordings.
    pub recordings: u64,
    /// Records of inputs.
    pub inputs: u64,
    /// Segments of the spool.
    pub segments: u64,
}

/// The time before which a ring is too old; none where nothing ever is.
fn cutoff_unix_ms(now_unix_ms: u64, days: u64) -> Option<u64> {
    let age_ms = days.checked_mul(DAY_MS)?;
    (days > 0).then(|| now_unix_ms.saturating_sub(age_ms))
}

/// Whether a call rang before a time.
fn rang_before(call: &str, unix_ms: u64) -> bool {
    is_call_id(call)
        && ulid::Ulid::from_string(call).is_ok_and(|name| name.timestamp_ms() < unix_ms)
}

impl Store {
    /// Deletes what is too old at a wall time.
    ///
    /// A segment of the spool goes when all of it is in the database and its last entry is too old;
    /// each day begins a new one, so that none grows old with young entries in it.
    ///
    /// # Errors
    /// `Database`; files that cannot be deleted are told in the log and tried again next time.
    pub async fn sweep(&self, keep: &Retention, now_unix_ms: u64) -> Result<Swept, StoreFault> {
        let mut swept = Swept::default();
        let Some(live) = self.live_calls().await else {
            tracing::warn!("nothing is deleted: which calls are live is not known");
            return Ok(swept);
        };
        let live = std::sync::Arc::new(live);
        for (what, folder, days, count) in [
            (
                "recording",
                recordings_folder(&self.0.options.folder),
                keep.recordings_days,
                &mut swept.recordings,
            ),
            ("inputs", inputs_folder(&self.0.options.folder), keep.inputs_days, &mut swept.inputs),
        ] {
            let Some(before) = cutoff_unix_ms(now_unix_ms, days) else { continue };
            let live = live.clone();
            let delete = move || delete_files(&folder, what, before, &live);
            *count = tokio::task::spawn_blocking(delete).await.unwrap_or_default();
        }
        if let Some(before) = cutoff_unix_ms(now_unix_ms, keep.timelines_days) {
            swept.segments = self.delete_segments(before, now_unix_ms).await;
            self.delete_damaged(before).await;
            swept.timelines = self.delete_timelines(before, &live).await?;
        }
        Ok(swept)
    }

    async fn live_calls(&self) -> Option<HashSet<CallId>> {
        let (reply, live) = bounded(1);
        self.0.messages.send(Message::Live { reply }).ok()?;
        tokio::task::spawn_blocking(move || live.recv_timeout(PATIENCE).ok()).await.ok()?
    }

    async fn delete_timelines(
        &self,
        before_unix_ms: u64,
        live: &HashSet<CallId>,
    ) -> Result<u64, StoreFault> {
        // Names sort by the time of the ring.
        let mut after = String::new();
        let before = ulid::Ulid::from_parts(before_unix_ms, 0).to_string();
        let pool = self.0.database.pool();
        let mut deleted = 0;
        loop {
            let rows: Vec<(String,)> = sqlx::query_as(
                "SELECT id FROM calls WHERE id > ? AND id < ? AND ended_unix_ms IS NOT NULL \
                 ORDER BY id LIMIT ?",
            )
            .bind(&after)
            .bind(&before)
            .bind(TOGETHER)
            .fetch_all(&pool)
            .await?;
            let Some((last,)) = rows.last() else { break };
            after.clone_from(last);
            let mut transaction = pool.begin().await?;
            let gone: Vec<_> =
                rows.into_iter().map(|row| CallId(row.0)).filter(|it| !live.contains(it)).collect();
            for call in &gone {
                for sql in [
                    "DELETE FROM entries WHERE call = ?",
                    "DELETE FROM packets WHERE call = ?",
                    "DELETE FROM calls WHERE id = ?",
                ] {
                    sqlx::query(sql).bind(&call.0).execute(&mut *transaction).await?;
                }
            }
            transaction.commit().await?;
            for call in &gone {
                tracing::info!(%call, "timeline deleted for its age");
            }
            deleted += gone.len() as u64;
        }
        if deleted > 0 {
            // What was deleted is not to live on in the database's log.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await?;
        }
        Ok(deleted)
    }

    /// Deletes a damaged database that was set aside: it has timelines in it, too.
    async fn delete_damaged(&self, before_unix_ms: u64) {
        let aside = self.0.database.aside();
        let delete = move || {
            written_before(&aside, before_unix_ms).is_ok_and(|is_old| is_old && delete_file(&aside))
        };
        let _ = tokio::task::spawn_blocking(delete).await;
    }

    /// Deletes segments that are in the database whole and were last written before a time.
    async fn delete_segments(&self, before_unix_ms: u64, now_unix_ms: u64) -> u64 {
        let today = now_unix_ms / DAY_MS;
        let last = self.0.swept_on.swap(today, Relaxed);
        if last != 0 && last != today {
            let _ = self.0.messages.send(Message::Rotate);
        }
        let (folder, (place, _)) = (self.spool_folder(), self.0.progress.place());
        let delete = move || {
            let numbers = segment::numbers(&folder).unwrap_or_default();
            let before = numbers.into_iter().filter(|number| *number < place.segment);
            let old = before.map(|number| segment::path(&folder, number));
            let old = old.filter(|path| written_before(path, before_unix_ms).unwrap_or(false));
            old.filter(delete_file).count() as u64
        };
        tokio::task::spawn_blocking(delete).await.unwrap_or_default()
    }
}

fn written_before(path: &Path, unix_ms: u64) -> io::Result<bool> {
    let written = fs::metadata(path)?.modified()?;
    Ok(written < UNIX_EPOCH + Duration::from_millis(unix_ms))
}

/// Deletes the files of calls that rang before a time; gives how many calls had some.
fn delete_files(folder: &Path, what: &str, before_unix_ms: u64, live: &HashSet<CallId>) -> u64 {
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    let mut gone = HashSet::new();
    for path in files.filter_map(|file| Some(file.ok()?.path())) {
        let Some(call) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let call = CallId(call.to_owned());
        let is_old = rang_before(&call.0, before_unix_ms) && !live.contains(&call);
        if is_old && delete_file(&path) && gone.insert(call.clone()) {
            tracing::info!(%call, what, "deleted for its age");
        }
    }
    gone.len() as u64
}

fn delete_file(path: &PathBuf) -> bool {
    let deleted = fs::remove_file(path);
    if let Err(error) = &deleted {
        tracing::warn!(path = %path.display(), %error, "an old file cannot be deleted");
    }
    deleted.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_too_old_when_its_ring_is_and_nothing_else_ever_is() {
        let now_unix_ms = 1_700_000_000_000;
        let before = cutoff_unix_ms(now_unix_ms, 30).unwrap();
        let call = |unix_ms: u64| ulid::Ulid::from_parts(unix_ms, 7).to_string();
        let age_ms = 30 * DAY_MS;
        assert!(rang_before(&call(now_unix_ms - age_ms - 1), before));
        assert!(!rang_before(&call(now_unix_ms - age_ms), before));
        assert!(!rang_before("notes", before), "what is no call is not ours to delete");
        assert_eq!(cutoff_unix_ms(now_unix_ms, 0), None, "0 keeps for ever");
        assert_eq!(cutoff_unix_ms(5, 30), Some(0), "a clock before 1970 deletes nothing");
    }
}
