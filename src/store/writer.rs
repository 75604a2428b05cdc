//! The one thread that writes: the spool, the recordings and the records of inputs.
//!
//! Its queue has no bound of its own, since a media worker may neither wait nor lose an entry
//! because a disk is slow for a second; its length is measured instead, and past a limit entries
//! (much later than sound) are dropped and counted by the sender. The thread itself never gives up
//! on an error. Absent: any clock; a ticker wakes it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select, tick};
use tokio::sync::watch;

use super::Observer;
use super::inputs::InputsFile;
use super::record::{Body, StoredPacket};
use super::recordings::Recording;
use super::segment::Position;
use super::spool::Spool;
use crate::timeline::{CallId, Entry};

/// Messages in the queue from which sound and inputs are dropped: some 60 MB of sound.
pub(super) const MEDIA_QUEUE_MAX: usize = 10_000;
/// Messages in the queue from which entries are dropped too.
pub(super) const ENTRY_QUEUE_MAX: usize = 250_000;
/// How often what is written is synced.
const SYNC_PERIOD: Duration = Duration::from_millis(200);
/// Every which sync the headers of the recordings are refreshed: each second.
const REFRESH_TICKS: u64 = 5;
/// Messages that are taken before they are written.
const MESSAGES_TOGETHER: usize = 1_024;

/// What the thread is told.
pub(super) enum Message {
    Entry {
        call: CallId,
        entry: Box<Entry>,
    },
    Packet(Arc<StoredPacket>),
    RecordingBegan {
        call: CallId,
    },
    Sound {
        call: CallId,
        first_frame: u64,
        samples: Vec<i16>,
    },
    RecordingEnded {
        call: CallId,
        frames: u64,
        complete: bool,
    },
    InputsBegan {
        call: CallId,
    },
    Inputs {
        call: CallId,
        bytes: Vec<u8>,
    },
    InputsEnded {
        call: CallId,
    },
    Flush {
        done: Sender<()>,
    },
    Observe(Observer),
    /// Which calls are live, or are being recorded.
    Live {
        reply: Sender<HashSet<CallId>>,
    },
    /// A new segment of the spool.
    Rotate,
}

/// What went wrong so far, and how things stand; shared by the thread and its askers.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pub calls_live: AtomicUsize,
    pub unwritten_bytes: AtomicUsize,
    pub disk_failing: AtomicBool,
    pub disk_failures: AtomicU64,
    pub entries_dropped: AtomicU64,
    pub media_failures: AtomicU64,
}

/// The thread's own state.
pub(super) struct Writer {
    pub spool: Spool,
    pub recordings_folder: PathBuf,
    pub inputs_folder: PathBuf,
    pub gauges: Arc<Gauges>,
    pub written: watch::Sender<Position>,
    pub recordings: HashMap<CallId, Recording>,
    pub inputs: HashMap<CallId, InputsFile>,
    pub observers: Vec<Observer>,
}

impl Writer {
    /// Runs until the last sender is gone.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let ticker = tick(SYNC_PERIOD);
        let mut ticks = 0_u64;
        loop {
            select! {
                recv(messages) -> message => match message {
                    Ok(message) => self.take_all(message, messages),
                    Err(_) => break,
                },
                recv(ticker) -> _ => {
                    ticks += 1;
                    self.write();
                    self.sync();
                    if ticks.is_multiple_of(REFRESH_TICKS) {
                        self.refresh();
                    }
                }
            }
        }
        self.write();
        self.sync();
    }

    fn take_all(&mut self, first: Message, messages: &Receiver<Message>) {
        let mut waiting = Vec::new();
        for message in std::iter::once(first).chain(messages.try_iter().take(MESSAGES_TOGETHER)) {
            match message {
                Message::Flush { done } => waiting.push(done),
                message => self.take(message),
            }
        }
        self.write();
        if !waiting.is_empty() {
            self.sync();
            self.refresh();
        }
        for done in waiting {
            let _ = done.send(());
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Entry { call, entry } => {
                self.show(&call, &entry);
                self.push(Body::Entry { call, entry: *entry });
            }
            Message::Packet(stored) => self.push(Body::Packet(Arc::unwrap_or_clone(stored))),
            Message::RecordingBegan { call } => {
                let begun = Recording::begin(&self.recordings_folder, &call).ok();
                self.count_media(begun.is_some());
                self.recordings.extend(begun.map(|recording| (call, recording)));
            }
            Message::Sound { call, first_frame, samples } => {
                let Some(recording) = self.recordings.get_mut(&call) else { return };
                let written = recording.write(first_frame, &samples).is_ok();
                self.count_media(written);
                if !written {
                    self.recordings.remove(&call);
                }
            }
            Message::RecordingEnded { call, frames, complete } => {
                let Some(recording) = self.recordings.remove(&call) else { return };
                let ended = recording.end(frames, complete).is_ok();
                self.count_media(ended);
            }
            Message::InputsBegan { call } => {
                let begun = InputsFile::begin(&self.inputs_folder, &call).ok();
                self.count_media(begun.is_some());
                self.inputs.extend(begun.map(|file| (call, file)));
            }
            Message::Inputs { call, bytes } => {
                let Some(file) = self.inputs.get_mut(&call) else { return };
                let written = file.write(&bytes).is_ok();
                self.count_media(written);
                if !written {
                    self.inputs.remove(&call);
                }
            }
            Message::InputsEnded { call } => {
                self.inputs.remove(&call);
            }
            Message::Observe(observer) => self.observers.push(observer),
            Message::Live { reply } => {
                let of_files = self.recordings.keys().chain(self.inputs.keys());
                let live = self.spool.live().chain(of_files).cloned().collect();
                let _ = reply.send(live);
            }
            Message::Rotate => {
                self.write();
                let rotated = self.spool.rotate_written();
                self.note_disk(rotated.is_ok());
            }
            Message::Flush { .. } => {}
        }
    }

    /// Shows an entry to the observers; one that panics sees no more.
    fn show(&mut self, call: &CallId, entry: &Entry) {
        self.observers.retain_mut(|observer| {
            let seen = catch_unwind(AssertUnwindSafe(|| observer(call, entry)));
            if seen.is_err() {
                tracing::error!("an observer of timelines panicked; it sees no more");
            }
            seen.is_ok()
        });
    }

    fn push(&mut self, body: Body) {
        if !self.spool.push(body) {
            self.gauges.entries_dropped.fetch_add(1, Relaxed);
        }
        self.gauges.calls_live.store(self.spool.live_calls(), Relaxed);
    }

    fn write(&mut self) {
        let outcome = self.spool.write();
        self.note_disk(outcome.is_ok());
        self.gauges.unwritten_bytes.store(self.spool.unwritten_bytes(), Relaxed);
        self.written.send_if_modified(|written| {
            let end = self.spool.end();
            std::mem::replace(written, end) != end
        });
    }

    fn sync(&mut self) {
        if self.spool.sync().is_err() {
            self.note_disk(false);
        }
    }

    fn refresh(&mut self) {
        let mut failures = 0;
        for recording in self.recordings.values_mut() {
            failures += u64::from(recording.refresh().is_err());
        }
        self.gauges.media_failures.fetch_add(failures, Relaxed);
    }

    fn note_disk(&self, works: bool) {
        self.gauges.disk_failing.store(!works, Relaxed);
        self.gauges.disk_failures.fetch_add(u64::from(!works), Relaxed);
    }

    fn count_media(&self, works: bool) {
        self.gauges.media_failures.fetch_add(u64::from(!works), Relaxed);
    }
}
