//! Recordings: one stereo WAV a call, 8 kHz, 16 bit, the caller left and the other side right.
//!
//! The header is refreshed each second, so that the file can be read while the call runs and after
//! a `kill -9`. Until a recording has ended whole and is on the disk itself, an empty file
//! `<call>.incomplete` stands beside it. What the disk refuses is silence in the file; the
//! recording goes on when there is room again. Absent: when to record, and the announcement (the
//! flow's).

use std::io;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;

use super::disk::{Disk, DiskFile};
use super::writer::{MEDIA_QUEUE_MAX, Message};
use crate::timeline::{CallId, Entry};

/// Samples of each side in a frame: 20 ms at 8 kHz.
pub const RECORDED_FRAME_SAMPLES: usize = 160;
/// Frames that travel to the writer together: 200 ms, a fifth of what may be lost in a crash.
const FRAMES_TOGETHER: usize = 10;

/// Bytes of a frame of both sides.
const FRAME_BYTES: u64 = 4 * RECORDED_FRAME_SAMPLES as u64;
/// Bytes of the file before its samples.
const HEADER_BYTES: u64 = 44;

/// The worker's end of a recording; dropping it ends the recording and marks it incomplete.
#[derive(Debug)]
pub struct Recorder {
    call: CallId,
    sender: Sender<Message>,
    together: Vec<i16>,
    sent_frames: u64,
    lost_frames: u64,
    finished: bool,
    entry: Option<Box<Entry>>,
}

/// What became of a recording, for the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Length, ms.
    pub length_ms: u64,
    /// Whether every frame was taken; what could not be taken is silence in the file.
    pub complete: bool,
}

impl Recorder {
    pub(super) fn begin(call: CallId, sender: Sender<Message>) -> Self {
        let _ = sender.send(Message::RecordingBegan { call: call.clone() });
        let together = Vec::with_capacity(FRAMES_TOGETHER * RECORDED_FRAME_SAMPLES * 2);
        Self {
            call,
            sender,
            together,
            sent_frames: 0,
            lost_frames: 0,
            finished: false,
            entry: None,
        }
    }

    /// Takes the next 20 ms of both sides.
    ///
    /// # Real-time
    /// Never blocks; every tenth call hands 6.4 kB over and allocates the next piece.
    pub fn write(
        &mut self,
        left: &[i16; RECORDED_FRAME_SAMPLES],
        right: &[i16; RECORDED_FRAME_SAMPLES],
    ) {
        self.together.extend(left.iter().zip(right).flat_map(|(left, right)| [*left, *right]));
        if self.together.len() >= FRAMES_TOGETHER * RECORDED_FRAME_SAMPLES * 2 {
            self.send();
        }
    }

    /// Length so far, ms.
    #[must_use]
    pub const fn length_ms(&self) -> u64 {
        let frames = self.together.len() / (2 * RECORDED_FRAME_SAMPLES);
        (self.sent_frames + frames as u64) * 20
    }

    /// Ends the recording.
    #[must_use]
    pub fn finish(mut self) -> Recorded {
        self.send();
        self.finished = true;
        Recorded { length_ms: self.sent_frames * 20, complete: self.lost_frames == 0 }
    }

    /// Ends the recording, and puts `RecordingEnded` on the timeline once the file is on the disk
    /// itself; only then is it known whether the recording is complete.
    pub fn finish_with(mut self, entry: Entry) {
        self.entry = Some(Box::new(entry));
        let _ = self.finish();
    }

    fn send(&mut self) {
        let capacity = self.together.capacity();
        let samples = std::mem::replace(&mut self.together, Vec::with_capacity(capacity));
        let frames = (samples.len() / (2 * RECORDED_FRAME_SAMPLES)) as u64;
        let first_frame = self.sent_frames;
        self.sent_frames += frames;
        if frames == 0 {
            return;
        }
        if self.sender.len() >= MEDIA_QUEUE_MAX {
            self.lost_frames += frames;
        } else {
            let call = self.call.clone();
            let _ = self.sender.send(Message::Sound { call, first_frame, samples });
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.send();
        let _ = self.sender.send(Message::RecordingEnded {
            call: self.call.clone(),
            frames: self.sent_frames,
            complete: self.finished && self.lost_frames == 0,
            entry: self.entry.take(),
        });
    }
}

/// The writer's end of a recording.
pub(super) struct Recording {
    path: PathBuf,
    marker: PathBuf,
    /// None until the disk gives one.
    file: Option<Box<dyn DiskFile>>,
    /// Frames up to the end of what was written.
    frames: u64,
    has_gaps: bool,
    /// Whether the disk refused the last that was to be written.
    pub(super) is_refused: bool,
}

/// Path of a call's recording.
pub(super) fn path(folder: &Path, call: &CallId) -> PathBuf {
    folder.join(format!("{call}.wav"))
}

/// Path of the mark that a recording is not whole.
pub(super) fn marker(folder: &Path, call: &CallId) -> PathBuf {
    folder.join(format!("{call}.incomplete"))
}

impl Recording {
    /// A recording that has no file yet.
    pub(super) fn new(folder: &Path, call: &CallId) -> Self {
        Self {
            path: path(folder, call),
            marker: marker(folder, call),
            file: None,
            frames: 0,
            has_gaps: false,
            is_refused: false,
        }
    }

    /// Makes the file, and the mark beside it first.
    pub(super) fn open(&mut self, disk: &dyn Disk) -> io::Result<()> {
        disk.create(&self.marker)?;
        let mut file = disk.create(&self.path)?;
        file.write_at(&header(0), 0)?;
        self.file = Some(file);
        Ok(())
    }

    /// Writes frames at their place; those before them that never came are silence. After an error
    /// the recording has a gap, and may be written on.
    pub(super) fn write(
        &mut self,
        disk: &dyn Disk,
        first_frame: u64,
        samples: &[i16],
    ) -> io::Result<()> {
        let written = self.put(disk, first_frame, samples);
        self.has_gaps |= written.is_err();
        written
    }

    fn put(&mut self, disk: &dyn Disk, first_frame: u64, samples: &[i16]) -> io::Result<()> {
        if self.file.is_none() {
            self.open(disk)?;
        }
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        file.write_at(&bytes, HEADER_BYTES + first_frame * FRAME_BYTES)?;
        self.has_gaps |= first_frame != self.frames;
        self.frames = first_frame + bytes.len() as u64 / FRAME_BYTES;
        Ok(())
    }

    /// Makes the file readable as far as it goes.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let header = header(self.frames);
        self.file.as_mut().map_or(Ok(()), |file| file.write_at(&header, 0))
    }

    /// Ends the recording at a length: writes what is left and brings it to the disk itself. True
    /// where all of it is there, but for the mark, which is still to go.
    pub(super) fn settle(&mut self, frames: u64, complete: bool) -> io::Result<bool> {
        self.refresh()?;
        let no_file = || io::Error::new(io::ErrorKind::NotFound, "the recording has no file");
        let file = self.file.as_mut().ok_or_else(no_file)?;
        file.sync()?;
        let is_whole = complete && !self.has_gaps && self.frames == frames;
        Ok(is_whole && file.is_at(&self.path))
    }

    /// Takes the mark away that the recording is not whole.
    pub(super) fn unmark(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.remove(&self.marker)
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("frames", &self.frames).finish_non_exhaustive()
    }
}

/// Header of a WAV of so many frames: PCM, two channels, 8 kHz, 16 bit.
fn header(frames: u64) -> [u8; HEADER_BYTES as usize] {
    let data = u32::try_from(frames * FRAME_BYTES).unwrap_or(u32::MAX - 36);
    let mut header = *b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x02\0\
        \x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data....";
    header[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    header[40..44].copy_from_slice(&data.to_le_bytes());
    header
}
