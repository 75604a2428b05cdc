//! The record of a call's inputs, from which the call can be replayed exactly.
//!
//! One file a call, `<call>.bin`: eight bytes of name and version, then frames of length and
//! checksum as in the spool. The first frame is the header, the others are inputs in order, the
//! last is empty and says that all of them are there. What header and inputs mean is the shell's
//! affair. It has its own consent: off unless the settings say so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cordboard_audio::MediaTime;
use crossbeam_channel::Sender;

use super::disk::{Disk, DiskFile};
use super::record::{FRAME_HEAD_BYTES, Found, frame_at, seal};
use super::writer::{MEDIA_QUEUE_MAX, Message};
use crate::timeline::CallId;

/// First bytes of every file: name and version of the form.
const INPUTS_HEAD: &[u8; 8] = b"CBINPUT1";
/// Bytes of an input before its own: number, time, kind.
const INPUT_HEAD_BYTES: usize = 17;
/// The longest input (a minute of synthesized sound in `f32` has 4 MB).
const INPUT_BYTES_MAX: usize = 16 << 20;
/// Inputs travel to the writer together: so many bytes of them, or so much time.
const TOGETHER_BYTES: usize = 16 << 10;
const TOGETHER_TIME: Duration = Duration::from_secs(1);

/// One input of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// When it entered.
    pub at: MediaTime,
    /// Which kind of input; the shell's numbering.
    pub kind: u8,
    /// What it was.
    pub bytes: Vec<u8>,
}

/// The worker's end of the record; dropping it without `finish` leaves the record incomplete.
#[derive(Debug)]
pub struct InputsWriter {
    call: CallId,
    sender: Sender<Message>,
    together: Vec<u8>,
    together_since: MediaTime,
    number: u64,
    lost: bool,
    finished: bool,
}

impl InputsWriter {
    pub(super) fn begin(call: CallId, header: &[u8], sender: Sender<Message>) -> Self {
        let mut together = INPUTS_HEAD.to_vec();
        frame_into(&mut together, &[header]);
        let _ = sender.send(Message::InputsBegan { call: call.clone() });
        let together_since = MediaTime::ZERO;
        Self { call, sender, together, together_since, number: 0, lost: false, finished: false }
    }

    /// Takes the next input; `at` never falls.
    ///
    /// # Real-time
    /// Never blocks; copies the bytes, and allocates once for every 16 KiB or second.
    pub fn write(&mut self, at: MediaTime, kind: u8, bytes: &[u8]) {
        if INPUT_HEAD_BYTES + bytes.len() > INPUT_BYTES_MAX {
            self.lost = true;
        } else {
            let number = self.number.to_le_bytes();
            let time = at.as_nanos().to_le_bytes();
            frame_into(&mut self.together, &[&number, &time, &[kind], bytes]);
        }
        self.number += 1;
        let is_due = at.since(self.together_since) >= TOGETHER_TIME;
        if is_due || self.together.len() >= TOGETHER_BYTES {
            self.together_since = at;
            self.send();
        }
    }

    /// Ends the record; true where every input was taken.
    #[must_use]
    pub fn finish(mut self) -> bool {
        self.finished = true;
        !self.lost
    }

    fn send(&mut self) {
        let bytes = std::mem::take(&mut self.together);
        if bytes.is_empty() {
            return;
        }
        if self.sender.len() >= MEDIA_QUEUE_MAX {
            self.lost = true;
        } else {
            let _ = self.sender.send(Message::Inputs { call: self.call.clone(), bytes });
        }
    }
}

impl Drop for InputsWriter {
    fn drop(&mut self) {
        if self.finished && !self.lost {
            frame_into(&mut self.together, &[]);
        }
        self.send();
        let _ = self.sender.send(Message::InputsEnded { call: self.call.clone() });
    }
}

fn frame_into(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    for part in parts {
        out.extend_from_slice(part);
    }
    seal(&mut out[begin..]);
}

/// The writer's end of the record.
pub(super) struct InputsFile {
    file: Box<dyn DiskFile>,
    length: u64,
}

/// Path of a call's record of inputs.
pub(super) fn path(folder: &Path, call: &CallId) -> PathBuf {
    folder.join(format!("{call}.bin"))
}

impl InputsFile {
    pub(super) fn begin(disk: &dyn Disk, folder: &Path, call: &CallId) -> io::Result<Self> {
        Ok(Self { file: disk.create(&path(folder, call))?, length: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Brings what is written to the disk itself.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl std::fmt::Debug for InputsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputsFile").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A record of inputs, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// What the shell wrote first.
    pub header: Vec<u8>,
    /// The inputs in order, as far as they are whole.
    pub records: Vec<InputRecord>,
    /// Whether that is all of them.
    pub complete: bool,
    /// Where they are damaged, a byte of the file; none where they only break off.
    pub damaged_at: Option<usize>,
}

/// Why a record of inputs cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputsFault {
    /// The disk did not give it.
    #[error("record of inputs cannot be read: {path}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// It is of another form, or its header is damaged.
    #[error("{path} is no record of inputs of version 1")]
    Unsupported {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads a record of inputs; damage ends it, and `complete` says so.
///
/// # Errors
/// See [`InputsFault`].
pub fn read_inputs(path: &Path) -> Result<Inputs, InputsFault> {
    let bytes =
        fs::read(path).map_err(|source| InputsFault::Disk { path: path.to_owned(), source })?;
    let unsupported = || InputsFault::Unsupported { path: path.to_owned() };
    if !bytes.starts_with(INPUTS_HEAD) {
        return Err(unsupported());
    }
    let Found::Frame { text, next } = frame_at(&bytes, INPUTS_HEAD.len(), INPUT_BYTES_MAX) else {
        return Err(unsupported());
    };
    let header = text.to_vec();
    let mut inputs = Inputs { header, records: Vec::new(), complete: false, damaged_at: None };
    let mut at = next;
    loop {
        let (text, next) = match frame_at(&bytes, at, INPUT_BYTES_MAX) {
            Found::Frame { text, next } => (text, next),
            Found::Short => return Ok(inputs),
            Found::Damaged => break,
        };
        if text.is_empty() && next == bytes.len() {
            inputs.complete = true;
            return Ok(inputs);
        }
        match input(text) {
            Some((number, record)) if number == inputs.records.len() as u64 => {
                inputs.records.push(record);
            }
            Some(_) | None => break,
        }
        at = next;
    }
    inputs.damaged_at = Some(at);
    Ok(inputs)
}

fn input(text: &[u8]) -> Option<(u64, InputRecord)> {
    let (number, rest) = text.split_first_chunk::<8>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (kind, bytes) = rest.split_first()?;
    let at = MediaTime::from_nanos(u64::from_le_bytes(*time));
    let record = InputRecord { at, kind: *kind, bytes: bytes.to_vec() };
    Some((u64::from_le_bytes(*number), record))
}
