//! Recordings: one stereo WAV a call, 8 kHz, 16 bit, the caller left and the other side right.
//!
//! The header is refreshed each second, so that the file can be read while the call runs and after
//! a `kill -9`. Until a recording has ended whole, an empty file `<call>.incomplete` stands beside
//! it. Absent: when to record, and the announcement of it (the flow's).

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use hound::{SampleFormat, WavSpec, WavWriter};

use super::writer::{MEDIA_QUEUE_MAX, Message};
use crate::timeline::CallId;

/// Samples of each side in a frame: 20 ms at 8 kHz.
pub const RECORDED_FRAME_SAMPLES: usize = 160;
/// Frames that travel to the writer together: 200 ms, a fifth of what may be lost in a crash.
const FRAMES_TOGETHER: usize = 10;

const SPEC: WavSpec = WavSpec {
    channels: 2,
    sample_rate: 8_000,
    bits_per_sample: 16,
    sample_format: SampleFormat::Int,
};

/// The worker's end of a recording; dropping it ends the recording and marks it incomplete.
#[derive(Debug)]
pub struct Recorder {
    call: CallId,
    sender: Sender<Message>,
    together: Vec<i16>,
    sent_frames: u64,
    lost_frames: u64,
    finished: bool,
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
        Self { call, sender, together, sent_frames: 0, lost_frames: 0, finished: false }
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

    /// Ends the recording.
    #[must_use]
    pub fn finish(mut self) -> Recorded {
        self.send();
        self.finished = true;
        Recorded { length_ms: self.sent_frames * 20, complete: self.lost_frames == 0 }
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
        });
    }
}

/// The writer's end of a recording.
pub(super) struct Recording {
    wav: WavWriter<BufWriter<File>>,
    frames: u64,
    has_gaps: bool,
    marker: PathBuf,
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
    pub(super) fn begin(folder: &Path, call: &CallId) -> hound::Result<Self> {
        fs::create_dir_all(folder)?;
        let marker = marker(folder, call);
        File::create(&marker)?;
        let mut wav = WavWriter::create(path(folder, call), SPEC)?;
        wav.flush()?;
        Ok(Self { wav, frames: 0, has_gaps: false, marker })
    }

    /// Writes frames at their place; those before them that never came become silence.
    pub(super) fn write(&mut self, first_frame: u64, samples: &[i16]) -> hound::Result<()> {
        self.fill_to(first_frame)?;
        let count = u32::try_from(samples.len()).expect("a fifth of a second");
        let mut writer = self.wav.get_i16_writer(count);
        for sample in samples {
            writer.write_sample(*sample);
        }
        writer.flush()?;
        self.frames += (samples.len() / (2 * RECORDED_FRAME_SAMPLES)) as u64;
        Ok(())
    }

    /// Makes the file readable as far as it goes.
    pub(super) fn refresh(&mut self) -> hound::Result<()> {
        self.wav.flush()
    }

    /// Ends the recording at a length.
    pub(super) fn end(mut self, frames: u64, complete: bool) -> hound::Result<()> {
        self.fill_to(frames)?;
        self.wav.finalize()?;
        if complete && !self.has_gaps {
            fs::remove_file(self.marker)?;
        }
        Ok(())
    }

    fn fill_to(&mut self, frames: u64) -> hound::Result<()> {
        while self.frames < frames {
            self.has_gaps = true;
            for _ in 0..2 * RECORDED_FRAME_SAMPLES {
                self.wav.write_sample(0_i16)?;
            }
            self.frames += 1;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("frames", &self.frames).finish_non_exhaustive()
    }
}
