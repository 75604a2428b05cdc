//! Recordings and inputs on a disk that is counted, full, or gone.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::sync::watch;

use super::disk::{Disk, DiskFile, RealDisk};
use super::inputs::read_inputs;
use super::spool::{Limits, Spool};
use super::writer::{Gauges, Message, Writer};
use super::{recordings, recordings_folder};
use crate::timeline::{CallId, Entry, Outcome, What};

/// What the disk was asked to do, and whether it does it.
#[derive(Clone, Default)]
struct Trial {
    done: Arc<Mutex<Vec<String>>>,
    is_full: Arc<AtomicBool>,
    syncs_fail: Arc<AtomicBool>,
}

impl Trial {
    fn note(&self, what: &str, path: &Path) {
        let name = path.file_name().unwrap().to_string_lossy();
        self.done.lock().unwrap().push(format!("{what} {name}"));
    }

    fn check(flag: &AtomicBool) -> io::Result<()> {
        if flag.load(Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// What was done since the last question, but for writing.
    fn done(&self) -> Vec<String> {
        std::mem::take(&mut self.done.lock().unwrap())
    }
}

impl Disk for Trial {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Self::check(&self.is_full)?;
        let file = RealDisk.create(path)?;
        Ok(Box::new(TrialFile { file, path: path.to_owned(), trial: self.clone() }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note("remove", path);
        RealDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.note("sync folder", folder);
        RealDisk.sync_folder(folder)
    }
}

struct TrialFile {
    file: Box<dyn DiskFile>,
    path: std::path::PathBuf,
    trial: Trial,
}

impl DiskFile for TrialFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        Trial::check(&self.trial.is_full)?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.trial.note("sync", &self.path);
        Trial::check(&self.trial.syncs_fail)?;
        self.file.sync()
    }

    fn is_at(&self, path: &Path) -> bool {
        self.file.is_at(path)
    }
}

/// A writer over a trial disk, whose timelines' ends of recordings and calls are noted there too.
fn writer(folder: &Path, trial: &Trial) -> Writer {
    let (spool, _) = Spool::open(&folder.join("spool"), Limits::default()).unwrap();
    let (written, _) = watch::channel(spool.end());
    let seen = trial.clone();
    let observer = move |call: &CallId, entry: &Entry| match entry.what {
        What::RecordingEnded { complete, .. } => {
            seen.note(&format!("complete {complete}"), Path::new(&call.0));
        }
        What::Ended { .. } => seen.note("ended", Path::new(&call.0)),
        _ => {}
    };
    Writer {
        spool,
        disk: Box::new(trial.clone()),
        recordings_folder: recordings_folder(folder),
        inputs_folder: folder.join("inputs"),
        gauges: Arc::new(Gauges::default()),
        written,
        recordings: HashMap::new(),
        inputs: HashMap::new(),
        ended_recordings: VecDeque::new(),
        ended_inputs: VecDeque::new(),
        observers: vec![Box::new(observer)],
    }
}

fn call(name: &str) -> CallId {
    CallId(name.to_owned())
}

fn sound(writer: &mut Writer, name: &str, first_frame: u64) {
    writer.take(Message::Sound { call: call(name), first_frame, samples: vec![7; 320] });
}

/// Ends a recording and its call as a seat does.
fn end(writer: &mut Writer, name: &str, frames: u64) {
    let entry = |what| Box::new(Entry { v: 1, at_ms: 0, what });
    let ended = entry(What::RecordingEnded { length_ms: frames * 20, complete: true });
    let (call, complete) = (call(name), true);
    writer.take(Message::RecordingEnded {
        call: call.clone(),
        frames,
        complete,
        entry: Some(ended),
    });
    let over = What::Ended { outcome: Outcome::Resolved, cause: "bye".into() };
    writer.take(Message::Entry { call, entry: entry(over) });
}

fn samples(folder: &Path, name: &str) -> Vec<i16> {
    let path = recordings::path(&recordings_folder(folder), &call(name));
    hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

#[test]
fn recordings_are_called_complete_after_they_are_on_the_disk_and_in_one_group() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    for name in ["a", "b"] {
        writer.take(Message::RecordingBegan { call: call(name) });
        sound(&mut writer, name, 0);
        end(&mut writer, name, 1);
    }
    assert_eq!(trial.done(), [""; 0], "nothing is claimed before the sync");
    writer.settle_media(64);
    assert_eq!(
        trial.done(),
        [
            "sync a.wav",
            "remove a.incomplete",
            "sync b.wav",
            "remove b.incomplete",
            "sync folder recordings",
            "complete true a",
            "ended a",
            "complete true b",
            "ended b",
        ]
    );
    assert_eq!(samples(folder.path(), "a"), vec![7; 320]);
}

#[test]
fn no_more_than_so_many_are_synced_at_a_tick_and_the_others_at_the_next() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    for name in ["a", "b", "c"] {
        writer.take(Message::RecordingBegan { call: call(name) });
        sound(&mut writer, name, 0);
        end(&mut writer, name, 1);
    }
    let ends = |done: Vec<String>| done.iter().filter(|it| it.starts_with("ended")).count();
    writer.settle_media(2);
    assert_eq!(ends(trial.done()), 2);
    writer.settle_media(2);
    assert_eq!(ends(trial.done()), 1);
}

#[test]
fn a_recording_that_does_not_reach_the_disk_is_not_called_complete_and_stays_marked() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    writer.take(Message::RecordingBegan { call: call("a") });
    sound(&mut writer, "a", 0);
    trial.syncs_fail.store(true, Relaxed);
    end(&mut writer, "a", 1);
    writer.settle_media(64);
    assert_eq!(trial.done(), ["sync a.wav", "complete false a", "ended a"]);
    assert!(recordings::marker(&recordings_folder(folder.path()), &call("a")).exists());
    assert!(writer.gauges.media_failing.load(Relaxed));
    assert_eq!(writer.gauges.media_failures.load(Relaxed), 1);
}

#[test]
fn what_a_full_disk_refuses_is_a_gap_of_silence_and_the_recording_goes_on() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    writer.take(Message::RecordingBegan { call: call("a") });
    sound(&mut writer, "a", 0);
    trial.is_full.store(true, Relaxed);
    sound(&mut writer, "a", 1);
    sound(&mut writer, "a", 2);
    // A call that begins while nothing can be written has a file when it can.
    writer.take(Message::RecordingBegan { call: call("b") });
    sound(&mut writer, "b", 0);
    assert!(writer.gauges.media_failing.load(Relaxed));
    trial.is_full.store(false, Relaxed);
    sound(&mut writer, "a", 3);
    sound(&mut writer, "b", 1);
    assert!(!writer.gauges.media_failing.load(Relaxed), "it recovers by itself");
    assert_eq!(writer.gauges.media_failures.load(Relaxed), 2, "one a gap");
    end(&mut writer, "a", 4);
    end(&mut writer, "b", 2);
    writer.settle_media(64);
    let expected = ["sync a.wav", "sync b.wav", "complete false a", "ended a"];
    assert_eq!(trial.done()[..4], expected);
    let silence = vec![0; 320];
    let (full, two) = (vec![7; 320], [&silence[..], &silence[..]].concat());
    assert_eq!(samples(folder.path(), "a"), [&full[..], &two[..], &full[..]].concat());
    assert_eq!(samples(folder.path(), "b"), [silence, full].concat());
}

#[test]
fn a_disk_that_works_again_is_noticed_without_any_call() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    trial.is_full.store(true, Relaxed);
    writer.take(Message::RecordingBegan { call: call("a") });
    end(&mut writer, "a", 0);
    writer.settle_media(64);
    writer.refresh();
    assert!(writer.gauges.media_failing.load(Relaxed));
    trial.is_full.store(false, Relaxed);
    writer.refresh();
    assert!(!writer.gauges.media_failing.load(Relaxed));
    assert_eq!(fs::read_dir(recordings_folder(folder.path())).unwrap().count(), 0);
}

#[test]
fn a_recording_whose_file_was_taken_away_is_not_called_complete() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    writer.take(Message::RecordingBegan { call: call("a") });
    sound(&mut writer, "a", 0);
    fs::remove_dir_all(recordings_folder(folder.path())).unwrap();
    end(&mut writer, "a", 1);
    writer.settle_media(64);
    assert_eq!(trial.done(), ["sync a.wav", "complete false a", "ended a"]);
}

#[test]
fn inputs_are_brought_to_the_disk_at_their_end() {
    let (folder, trial) = (TempDir::new().unwrap(), Trial::default());
    let mut writer = writer(folder.path(), &trial);
    let (sender, messages) = crossbeam_channel::unbounded();
    let inputs = super::InputsWriter::begin(call("a"), b"header", sender);
    assert!(inputs.finish());
    let first = messages.recv().unwrap();
    writer.take_all(first, &messages);
    assert_eq!(trial.done(), [""; 0]);
    writer.settle_media(64);
    assert_eq!(trial.done(), ["sync a.bin"]);
    assert!(read_inputs(&folder.path().join("inputs/a.bin")).unwrap().complete);
}
