//! Where timelines go.
//!
//! An append-only spool with checksums is the truth, synced every 200 ms; SQLite is a projection of
//! it and may be slow, full or away. Recordings and records of inputs are files of their own. One
//! thread writes all of it; [`Store::append`] may be called from a media worker. Absent: what is
//! worth an entry (the rooms say), and what the entries look like on the wire (`api`).

mod database;
mod disk;
mod inputs;
mod projection;
mod queries;
mod reader;
mod record;
mod recordings;
mod retention;
mod segment;
mod spool;
mod writer;

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use inputs::{InputRecord, Inputs, InputsFault, InputsWriter, read_inputs};
pub use queries::{CallRow, EntryRow, PacketRow, Queries};
pub use record::StoredPacket;
pub use recordings::{RECORDED_FRAME_SAMPLES, Recorded, Recorder};
pub use retention::{Retention, Swept};
pub use segment::Position;

use crate::timeline::{CallId, ContextPacket, Entry, What};
use database::Database;
use projection::{Progress, Projector};
use spool::{Limits, Spool};
use writer::{ENTRY_QUEUE_MAX, Gauges, Message, Writer};

/// What the store is to do, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The folder of everything that is kept.
    pub folder: PathBuf,
    /// Whether calls are recorded.
    pub recording: bool,
    /// Whether the inputs of calls are kept for exact replay.
    pub keep_inputs: bool,
    /// How many projected segments of the spool (64 MiB each) are kept.
    pub retain_segments: usize,
}

/// Why the store does not open, or does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFault {
    /// The folder cannot be used.
    #[error(
        "store folder {folder} cannot be used: {source}; make it one that can be written, or set \
         store.folder to another"
    )]
    Disk {
        /// Which folder.
        folder: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("store folder {folder} is in use by another process")]
    InUse {
        /// Which folder.
        folder: PathBuf,
    },
    /// The database does not answer; timelines wait in the spool.
    #[error("database does not answer")]
    Database(#[from] sqlx::Error),
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// Calls that have begun and not ended.
    pub calls_live: usize,
    /// Bytes of the spool that the database does not have yet.
    pub lag_bytes: u64,
    /// Messages that wait for the writing thread.
    pub queued: usize,
    /// Bytes that wait in memory for the disk.
    pub unwritten_bytes: usize,
    /// Whether the last attempt to write or sync the spool went wrong.
    pub disk_failing: bool,
    /// Such attempts, so far.
    pub disk_failures: u64,
    /// Entries that were lost, so far: too long, or no room while the disk took none.
    pub entries_dropped: u64,
    /// Whether the last attempt to write a recording or inputs went wrong.
    pub media_failing: bool,
    /// Recordings and records of inputs that could not be written, so far.
    pub media_failures: u64,
    /// Damaged stretches of the spool, so far.
    pub damaged: u64,
    /// Records of a form that is not known here, so far.
    pub unknown: u64,
    /// Calls that the last process left in the middle, marked at the start.
    pub broken_off: usize,
    /// Why the database is not written to, if so.
    pub database_fault: Option<String>,
}

impl StoreHealth {
    /// Whether timelines and recordings are kept and can be read.
    #[must_use]
    pub const fn is_well(&self) -> bool {
        !self.disk_failing && !self.media_failing && self.database_fault.is_none()
    }
}

/// Sees entries, as [`Store::observe`] says.
pub type Observer = Box<dyn FnMut(&CallId, &Entry) + Send>;

/// Where timelines go; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: StoreOptions,
    messages: Sender<Message>,
    gauges: Arc<Gauges>,
    /// The context packets of live calls: an agent gets one whatever database and disk do.
    packets: Mutex<HashMap<CallId, Arc<StoredPacket>>>,
    progress: Arc<Progress>,
    written: watch::Receiver<Position>,
    database: Database,
    broken_off: usize,
    /// The day of the last sweep, since 1970 UTC; 0 before the first.
    swept_on: AtomicU64,
    /// Held for as long as the folder is ours.
    _lock: File,
}

impl Store {
    /// Opens the folder: cuts what a crash tore, marks calls that it broke off, starts the thread.
    ///
    /// The database is not touched: [`Store::project`] does that.
    ///
    /// # Errors
    /// `Disk` and `InUse`.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreFault> {
        let folder = options.folder.clone();
        let opened = tokio::task::spawn_blocking(move || open_folder(&folder));
        let (lock, spool, recovered) = opened
            .await
            .unwrap_or_else(|fault| Err(io::Error::other(fault)))
            .map_err(|source| match source.kind() {
                io::ErrorKind::WouldBlock => StoreFault::InUse { folder: options.folder.clone() },
                _ => StoreFault::Disk { folder: options.folder.clone(), source },
            })?;
        let progress = Progress::default();
        progress.damaged.store(recovered.damaged, Relaxed);
        let (messages, receiver) = unbounded();
        let (written_sender, written) = watch::channel(spool.end());
        let shared = Shared {
            messages,
            gauges: Arc::default(),
            packets: Mutex::default(),
            progress: Arc::new(progress),
            written,
            database: Database::new(&options.folder),
            broken_off: recovered.broken_off,
            swept_on: AtomicU64::new(0),
            _lock: lock,
            options,
        };
        shared
            .start(spool, written_sender, receiver)
            .map_err(|source| StoreFault::Disk { folder: shared.options.folder.clone(), source })?;
        Ok(Self(Arc::new(shared)))
    }

    /// Puts an entry on a call's timeline.
    ///
    /// # Real-time
    /// Does no I/O, and waits for nobody; copies the entry into the thread's queue. The last entry
    /// takes a lock that is held for the length of a table's look-up.
    pub fn append(&self, call: &CallId, entry: &Entry) {
        if matches!(entry.what, What::Ended { .. }) {
            self.packets().remove(call);
        }
        self.send(Message::Entry { call: call.clone(), entry: Box::new(entry.clone()) });
    }

    /// Lets somebody see every entry from now on, in order, on the writing thread: it must be
    /// quick, and may not wait. One that panics is dropped.
    pub fn observe(&self, observer: Observer) {
        self.send(Message::Observe(observer));
    }

    /// Keeps a context packet, to be opened with `token` while the call lives and shortly
    /// after. The call's last entry lets go of it, so it comes before that.
    ///
    /// # Real-time
    /// As the last [`Store::append`]; hashes the token.
    pub fn keep_packet(&self, call: &CallId, packet: &ContextPacket, token: &str) {
        let (call, packet) = (call.clone(), packet.clone());
        let stored = Arc::new(StoredPacket { call, token_hash: token_hash(token), packet });
        self.packets().insert(stored.call.clone(), Arc::clone(&stored));
        self.send(Message::Packet(stored));
    }

    /// Begins the recording of a call; none where the settings say so or the name is no ULID.
    #[must_use]
    pub fn recorder(&self, call: &CallId) -> Option<Recorder> {
        let wanted = self.0.options.recording && is_call_id(&call.0);
        wanted.then(|| Recorder::begin(call.clone(), self.0.messages.clone()))
    }

    /// Begins the record of a call's inputs; none where the settings say so or the name is no ULID.
    /// Where there is none, nothing is asked for its header.
    #[must_use]
    pub fn inputs(&self, call: &CallId, header: impl FnOnce() -> Vec<u8>) -> Option<InputsWriter> {
        let wanted = self.0.options.keep_inputs && is_call_id(&call.0);
        wanted.then(|| InputsWriter::begin(call.clone(), &header(), self.0.messages.clone()))
    }

    /// Projects the spool into the database until told to stop, and then what is still to be done.
    pub async fn project(self, stop: CancellationToken) {
        let projector = Projector {
            folder: self.spool_folder(),
            retain_segments: self.0.options.retain_segments,
            database: self.0.database.clone(),
            written: self.0.written.clone(),
            progress: Arc::clone(&self.0.progress),
        };
        projector.run(stop).await;
    }

    /// Waits until all that was sent before is on the disk; false where that took too long.
    #[must_use]
    pub fn flush(&self, within: Duration) -> bool {
        let (done, wait) = bounded(1);
        self.0.messages.send(Message::Flush { done }).is_ok() && wait.recv_timeout(within).is_ok()
    }

    /// Questions to the database.
    #[must_use]
    pub fn queries(&self) -> Queries {
        Queries::new(self.0.database.pool())
    }

    /// The context packet of a live call, without the database.
    #[must_use]
    pub fn live_packet(&self, call: &CallId) -> Option<Arc<StoredPacket>> {
        self.packets().get(call).cloned()
    }

    /// Path of a call's recording, which may not exist, and whether it is whole.
    ///
    /// None where the name is no ULID: nothing else may become a path.
    #[must_use]
    pub fn recording(&self, call: &CallId) -> Option<(PathBuf, bool)> {
        let folder = recordings_folder(&self.0.options.folder);
        is_call_id(&call.0).then(|| {
            let whole = !recordings::marker(&folder, call).exists();
            (recordings::path(&folder, call), whole)
        })
    }

    /// Path of a call's record of inputs, which may not exist; none where the name is no ULID.
    #[must_use]
    pub fn inputs_path(&self, call: &CallId) -> Option<PathBuf> {
        let folder = inputs_folder(&self.0.options.folder);
        is_call_id(&call.0).then(|| inputs::path(&folder, call))
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> StoreHealth {
        let shared = &self.0;
        let (place, database_fault) = shared.progress.place();
        let written = *shared.written.borrow();
        StoreHealth {
            calls_live: shared.gauges.calls_live.load(Relaxed),
            lag_bytes: segment::bytes_between(&self.spool_folder(), place, written),
            queued: shared.messages.len(),
            unwritten_bytes: shared.gauges.unwritten_bytes.load(Relaxed),
            disk_failing: shared.gauges.disk_failing.load(Relaxed),
            disk_failures: shared.gauges.disk_failures.load(Relaxed),
            entries_dropped: shared.gauges.entries_dropped.load(Relaxed),
            media_failing: shared.gauges.media_failing.load(Relaxed),
            media_failures: shared.gauges.media_failures.load(Relaxed),
            damaged: shared.progress.damaged.load(Relaxed),
            unknown: shared.progress.unknown.load(Relaxed),
            broken_off: shared.broken_off,
            database_fault,
        }
    }

    fn send(&self, message: Message) {
        let is_full = self.0.messages.len() >= ENTRY_QUEUE_MAX;
        if is_full || self.0.messages.send(message).is_err() {
            self.0.gauges.entries_dropped.fetch_add(1, Relaxed);
        }
    }

    fn packets(&self) -> MutexGuard<'_, HashMap<CallId, Arc<StoredPacket>>> {
        // A table is whole after any panic between two operations on it.
        self.0.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spool_folder(&self) -> PathBuf {
        spool_folder(&self.0.options.folder)
    }
}

impl Shared {
    fn start(
        &self,
        spool: Spool,
        written: watch::Sender<Position>,
        messages: Receiver<Message>,
    ) -> io::Result<()> {
        let writer = Writer {
            spool,
            disk: Box::new(disk::RealDisk),
            recordings_folder: recordings_folder(&self.options.folder),
            inputs_folder: inputs_folder(&self.options.folder),
            gauges: Arc::clone(&self.gauges),
            written,
            recordings: HashMap::new(),
            inputs: HashMap::new(),
            ended_recordings: VecDeque::new(),
            ended_inputs: VecDeque::new(),
            observers: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("store".to_owned());
        thread.spawn(move || writer.run(&messages))?;
        Ok(())
    }
}

/// Whether a name is one that a call can have: a ULID in its one spelling.
#[must_use]
pub fn is_call_id(name: &str) -> bool {
    ulid::Ulid::from_string(name).is_ok_and(|ulid| ulid.to_string() == name)
}

/// SHA-256 of a context packet's token, hexadecimal.
#[must_use]
pub fn token_hash(token: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(token.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn open_folder(folder: &Path) -> io::Result<(File, Spool, spool::Recovered)> {
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.try_lock().map_err(io::Error::from)?;
    let (spool, recovered) = Spool::open(&spool_folder(folder), Limits::default())?;
    Ok((lock, spool, recovered))
}

fn spool_folder(folder: &Path) -> PathBuf {
    folder.join("spool")
}

fn recordings_folder(folder: &Path) -> PathBuf {
    folder.join("recordings")
}

fn inputs_folder(folder: &Path) -> PathBuf {
    folder.join("inputs")
}

/// Path of a call's record of inputs in the folder of a store, which need not be open; none where
/// the name is no ULID.
#[must_use]
pub fn inputs_of(folder: &Path, call: &CallId) -> Option<PathBuf> {
    is_call_id(&call.0).then(|| inputs::path(&inputs_folder(folder), call))
}

/// Path of a call's recording in the folder of a store, which need not be open; none where the name
/// is no ULID.
#[must_use]
pub fn recording_of(folder: &Path, call: &CallId) -> Option<PathBuf> {
    is_call_id(&call.0).then(|| recordings::path(&recordings_folder(folder), call))
}

/// The calls whose inputs are kept in the folder of a store, the oldest first.
///
/// # Errors
/// What the disk says; a folder that is not there has none.
pub fn calls_with_inputs(folder: &Path) -> io::Result<Vec<CallId>> {
    let entries = match fs::read_dir(inputs_folder(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut calls = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let call = name.to_str().and_then(|name| name.strip_suffix(".bin"));
        calls.extend(call.filter(|call| is_call_id(call)).map(|call| CallId(call.to_owned())));
    }
    calls.sort();
    Ok(calls)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer_tests;
