//! The one thread that writes: the spool, the recordings and the records of inputs.
//!
//! Its queue has no bound of its own, since a media worker may neither wait nor lose an entry
//! because a disk is slow for a second; its length is measured instead, and past a limit entries
//! (much later than sound) are dropped and counted by the sender. The thread itself never gives up
//! on an error. Absent: any clock; a ticker wakes it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select, tick};
use tokio::sync::watch;

use super::Observer;
use super::disk::Disk;
use super::inputs::InputsFile;
use super::record::{Body, StoredPacket};
use super::recordings::Recording;
use super::segment::Position;
use super::spool::Spool;
use crate::timeline::{CallId, Entry, What};

/// Messages in the queue from which sound and inputs are dropped: some 60 MB of sound.
pub(super) const MEDIA_QUEUE_MAX: usize = 10_000;
/// Messages in the queue from which entries are dropped too.
pub(super) const ENTRY_QUEUE_MAX: usize = 250_000;
/// How often what is written is synced.
const SYNC_PERIOD: Duration = Duration::from_millis(200);
/// Every which sync the headers of the recordings are refreshed: each second.
const REFRESH_TICKS: u64 = 5;
/// Every which sync the disk is tried where nothing is to be written: each 5 s.
const TRIAL_TICKS: u64 = 25;
/// Recordings, and records of inputs, that are brought to the disk itself at one tick.
const SYNCED_TOGETHER: usize = 64;
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
        /// `RecordingEnded`, to be completed when the file is on the disk itself.
        entry: Option<Box<Entry>>,
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
    pub media_failing: AtomicBool,
    pub media_failures: AtomicU64,
}

/// A recording that has ended and is not yet on the disk itself.
#[derive(Debug)]
pub(super) struct EndedRecording {
    call: CallId,
    recording: Recording,
    frames: u64,
    complete: bool,
    /// What is to come onto the call's timeline after it: its end, and all behind that.
    entries: Vec<Entry>,
}

/// The thread's own state.
pub(super) struct Writer {
    pub spool: Spool,
    pub disk: Box<dyn Disk>,
    pub recordings_folder: PathBuf,
    pub inputs_folder: PathBuf,
    pub gauges: Arc<Gauges>,
    pub written: watch::Sender<Position>,
    pub recordings: HashMap<CallId, Recording>,
    pub inputs: HashMap<CallId, InputsFile>,
    pub ended_recordings: VecDeque<EndedRecording>,
    pub ended_inputs: VecDeque<InputsFile>,
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
                    self.settle_media(SYNCED_TOGETHER);
                    self.write();
                    self.sync();
                    if ticks.is_multiple_of(REFRESH_TICKS) {
                        self.refresh();
                    }
                    if ticks.is_multiple_of(TRIAL_TICKS) {
                        self.try_disk();
                    }
                }
            }
        }
        self.settle_media(usize::MAX);
        self.write();
        self.sync();
    }

    pub(super) fn take_all(&mut self, first: Message, messages: &Receiver<Message>) {
        let mut waiting = Vec::new();
        for message in std::iter::once(first).chain(messages.try_iter().take(MESSAGES_TOGETHER)) {
            match message {
                Message::Flush { done } => waiting.push(done),
                message => self.take(message),
            }
        }
        if !waiting.is_empty() {
            self.settle_media(usize::MAX);
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

    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Entry { call, entry } => self.take_entry(call, *entry),
            Message::Packet(stored) => self.push(Body::Packet(Arc::unwrap_or_clone(stored))),
            Message::RecordingBegan { call } => {
                let mut recording = Recording::new(&self.recordings_folder, &call);
                let opened = recording.open(&*self.disk);
                recording.is_refused = opened.is_err();
                self.note_media(opened, true);
                self.recordings.insert(call, recording);
            }
            Message::Sound { call, first_frame, samples } => {
                let Some(recording) = self.recordings.get_mut(&call) else { return };
                let written = recording.write(&*self.disk, first_frame, &samples);
                // Each gap counts once, however long it is.
                let counts = !std::mem::replace(&mut recording.is_refused, written.is_err());
                self.note_media(written, counts);
            }
            Message::RecordingEnded { call, frames, complete, entry } => {
                let entries = entry.map(|entry| *entry).into_iter().collect();
                let recording = self.recordings.remove(&call);
                // Without one, nothing was begun: the end says that nothing is there.
                let none = || Recording::new(&self.recordings_folder, &call);
                let recording = recording.unwrap_or_else(none);
                let ended = EndedRecording { call, recording, frames, complete, entries };
                self.ended_recordings.push_back(ended);
            }
            Message::InputsBegan { call } => {
                let begun = InputsFile::begin(&*self.disk, &self.inputs_folder, &call);
                let begun = begun.map(|file| drop(self.inputs.insert(call, file)));
                self.note_media(begun, true);
            }
            Message::Inputs { call, bytes } => {
                let Some(file) = self.inputs.get_mut(&call) else { return };
                let written = file.write(&bytes);
                if written.is_err() {
                    self.inputs.remove(&call);
                }
                self.note_media(written, true);
            }
            Message::InputsEnded { call } => {
                self.ended_inputs.extend(self.inputs.remove(&call));
            }
            Message::Observe(observer) => self.observers.push(observer),
            Message::Live { reply } => {
                let of_files = self.recordings.keys().chain(self.inputs.keys());
                let ended = self.ended_recordings.iter().map(|ended| &ended.call);
                let live = self.spool.live().chain(of_files).chain(ended).cloned().collect();
                let _ = reply.send(live);
            }
            Message::Rotate => {
                self.write();
                let rotated = self.spool.rotate_written();
                self.note_disk(rotated);
            }
            Message::Flush { .. } => {}
        }
    }

    /// Puts an entry on its timeline, behind the end of the call's recording where that is awaited.
    fn take_entry(&mut self, call: CallId, entry: Entry) {
        let mut ended = self.ended_recordings.iter_mut();
        if let Some(ended) = ended.find(|ended| ended.call == call && !ended.entries.is_empty()) {
            ended.entries.push(entry);
            return;
        }
        self.show(&call, &entry);
        self.push(Body::Entry { call, entry });
    }

    /// Brings recordings and inputs that have ended to the disk itself, so many of each at most,
    /// and says on the timelines which of the recordings are whole.
    pub(super) fn settle_media(&mut self, most: usize) {
        for _ in 0..most.min(self.ended_inputs.len()) {
            let Some(mut file) = self.ended_inputs.pop_front() else { break };
            let synced = file.sync();
            self.note_media(synced, true);
        }
        let most = most.min(self.ended_recordings.len());
        let mut settled: Vec<_> = self.ended_recordings.drain(..most).collect();
        for ended in &mut settled {
            let kept = ended.recording.settle(ended.frames, ended.complete);
            let kept = kept.and_then(|is_whole| {
                if is_whole {
                    ended.recording.unmark(&*self.disk)?;
                }
                Ok(is_whole)
            });
            ended.complete = matches!(kept, Ok(true));
            self.note_media(kept.map(drop), !ended.recording.is_refused);
        }
        if settled.iter().any(|ended| ended.complete) {
            let synced = self.disk.sync_folder(&self.recordings_folder);
            let is_synced = synced.is_ok();
            self.note_media(synced, true);
            settled.iter_mut().for_each(|ended| ended.complete &= is_synced);
        }
        for EndedRecording { call, complete: is_whole, entries, .. } in settled {
            for mut entry in entries {
                if let What::RecordingEnded { complete, .. } = &mut entry.what {
                    *complete &= is_whole;
                }
                self.show(&call, &entry);
                self.push(Body::Entry { call: call.clone(), entry });
            }
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
        if self.spool.unwritten_bytes() > 0 {
            let outcome = self.spool.write();
            self.note_disk(outcome);
        }
        self.gauges.unwritten_bytes.store(self.spool.unwritten_bytes(), Relaxed);
        self.written.send_if_modified(|written| {
            let end = self.spool.end();
            std::mem::replace(written, end) != end
        });
    }

    fn sync(&mut self) {
        if let Err(error) = self.spool.sync() {
            self.note_disk(Err(error));
        }
    }

    /// Looks after the files, each second: somebody may have taken them away.
    pub(super) fn refresh(&mut self) {
        match self.spool.mend() {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the spool was gone and has been put back"),
            Err(error) => self.note_disk(Err(error)),
        }
        let mut failed = None;
        for recording in self.recordings.values_mut().filter(|it| !it.is_refused) {
            failed = recording.refresh().err().or(failed);
        }
        if let Some(error) = failed {
            self.note_media(Err(error), true);
        }
        if self.gauges.media_failing.load(Relaxed) {
            self.try_media();
        }
    }

    /// Sees whether the spool could be written, though there may be nothing to write: a full disk
    /// is to be known before the next call.
    fn try_disk(&self) {
        if self.spool.unwritten_bytes() == 0 {
            let outcome = self.spool.trial();
            self.note_disk(outcome);
        }
    }

    /// Sees whether recordings can be written again, though there may be none at present.
    fn try_media(&self) {
        let path = self.recordings_folder.join("trial");
        let tried = self.disk.create(&path).and_then(|mut file| file.write_at(&[0; 4_096], 0));
        let removed = self.disk.remove(&path);
        self.note_media(tried.and(removed), false);
    }

    fn note_disk(&self, outcome: io::Result<()>) {
        let was_failing = self.gauges.disk_failing.swap(outcome.is_err(), Relaxed);
        self.gauges.disk_failures.fetch_add(u64::from(outcome.is_err()), Relaxed);
        match outcome {
            Err(error) if !was_failing => {
                tracing::error!(%error, "the disk takes no timelines; they wait in memory");
            }
            Ok(()) if was_failing => tracing::info!("the disk takes timelines again"),
            Ok(()) | Err(_) => {}
        }
    }

    fn note_media(&self, outcome: io::Result<()>, counts: bool) {
        let was_failing = self.gauges.media_failing.swap(outcome.is_err(), Relaxed);
        let counts = counts && outcome.is_err();
        self.gauges.media_failures.fetch_add(u64::from(counts), Relaxed);
        match outcome {
            Err(error) if !was_failing => {
                tracing::error!(%error, "recordings cannot be written; they will have gaps");
            }
            Ok(()) if was_failing => tracing::info!("recordings can be written again"),
            Ok(()) | Err(_) => {}
        }
    }
}
