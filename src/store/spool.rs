//! The spool's end that is written to: one file, appended to, synced, rotated.
//!
//! What cannot be written (disk full, EIO) is kept in bounded memory and tried again; what does
//! not fit there is dropped and counted. Calls never notice. Absent: the thread and its queue
//! (`writer`), reading (`reader`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::is_at;
use super::reader;
use super::record::{Body, LiveCall, Record};
use super::segment::{self, Position, SEGMENT_HEAD};
use crate::timeline::{CallId, ENTRY_VERSION, Entry, Outcome, What};

/// Limits of a spool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Length from which a segment is followed by another.
    pub segment_bytes: u64,
    /// How much is kept in memory while the disk does not take it.
    pub unwritten_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, unwritten_bytes: 64 << 20 }
    }
}

/// What was found when the spool was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recovered {
    /// Calls that were marked as broken off.
    pub broken_off: usize,
    /// Bytes cut from the end of the last segment.
    pub torn_bytes: u64,
    /// Damaged stretches in the segments that were read.
    pub damaged: u64,
}

/// The end of the spool that is written to.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    limits: Limits,
    file: File,
    /// Where the file ends, as far as it is whole.
    end: Position,
    /// Number of the next record.
    seq: u64,
    /// Framed records that the file does not have yet.
    unwritten: Vec<u8>,
    /// Whether a failed write may have left a part of it after `end`.
    suspect: bool,
    /// Whether the file has no name any more: what is written to it would be lost.
    nameless: bool,
    dirty: bool,
    live: BTreeMap<CallId, u64>,
}

impl Spool {
    /// Opens the folder's spool: cuts a torn tail, begins a new segment, and ends every call that
    /// the last process left in the middle.
    pub(super) fn open(folder: &Path, limits: Limits) -> io::Result<(Self, Recovered)> {
        fs::create_dir_all(folder)?;
        let last = reader::last_state(folder)?;
        if let Some((end, length)) = last.tail
            && end.offset < length
        {
            let file = OpenOptions::new().write(true).open(segment::path(folder, end.segment))?;
            file.set_len(end.offset)?;
            file.sync_data()?;
        }
        let number = segment::numbers(folder)?.last().copied().unwrap_or(0) + 1;
        let (file, end, seq) = begin_segment(folder, number, &last.live)?;
        let mut spool = Self {
            folder: folder.to_owned(),
            limits,
            file,
            end,
            seq,
            unwritten: Vec::new(),
            suspect: false,
            nameless: false,
            dirty: true,
            live: last.live,
        };
        let recovered = Recovered {
            broken_off: spool.live.len(),
            torn_bytes: last.tail.map_or(0, |(end, length)| length.saturating_sub(end.offset)),
            damaged: last.damaged,
        };
        spool.break_off_live();
        spool.write()?;
        spool.sync()?;
        Ok((spool, recovered))
    }

    fn break_off_live(&mut self) {
        for (call, at_ms) in self.live.clone() {
            let cause = "the process died".to_owned();
            let what = What::Ended { outcome: Outcome::BrokenOff, cause };
            self.push(Body::Entry { call, entry: Entry { v: ENTRY_VERSION, at_ms, what } });
        }
    }

    /// Takes a record; false where it was dropped, for its size or for want of memory.
    pub(super) fn push(&mut self, body: Body) -> bool {
        if let Body::Entry { call, entry } = &body {
            self.follow(call, entry);
        }
        let before = self.unwritten.len();
        let record = Record { seq: self.seq, body };
        if !record.frame_into(&mut self.unwritten) {
            return false;
        }
        if self.unwritten.len() > self.limits.unwritten_bytes {
            self.unwritten.truncate(before);
            return false;
        }
        self.seq += 1;
        true
    }

    /// Writes what is not written; on an error all of it is kept, and the file is as it was.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        if self.nameless {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the spool's folder is gone"));
        }
        if self.suspect {
            self.file.set_len(self.end.offset)?;
            self.file.seek(SeekFrom::Start(self.end.offset))?;
        }
        self.suspect = true;
        self.file.write_all(&self.unwritten)?;
        self.suspect = false;
        self.end.offset += self.unwritten.len() as u64;
        self.dirty = true;
        self.unwritten.clear();
        self.unwritten.shrink_to(1 << 20);
        if self.end.offset >= self.limits.segment_bytes {
            self.rotate()?;
        }
        Ok(())
    }

    /// Brings what is written to the disk itself.
    ///
    /// Linux may report a failed sync once and forget it, so a failure is counted by the caller
    /// and the data is not claimed to be safe; there is nothing else left to do.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Puts the segment back where somebody has taken file or folder away: all of it is still to be
    /// read from the open file. True where that was needed.
    pub(super) fn mend(&mut self) -> io::Result<bool> {
        let path = segment::path(&self.folder, self.end.segment);
        if is_at(&self.file, &path) {
            self.nameless = false;
            return Ok(false);
        }
        self.nameless = true;
        let length = usize::try_from(self.end.offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, 0)?;
        fs::create_dir_all(&self.folder)?;
        self.file = new_segment(&self.folder, self.end.segment, &bytes)?;
        (self.nameless, self.suspect, self.dirty) = (false, false, false);
        Ok(true)
    }

    /// Writes and deletes a small file in the folder.
    pub(super) fn trial(&self) -> io::Result<()> {
        let path = self.folder.join("trial");
        let written = fs::write(&path, [0; 4_096]);
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    /// Where the file ends.
    pub(super) const fn end(&self) -> Position {
        self.end
    }

    /// Calls that have begun and not ended.
    pub(super) fn live_calls(&self) -> usize {
        self.live.len()
    }

    /// The calls that have begun and not ended.
    pub(super) fn live(&self) -> impl Iterator<Item = &CallId> {
        self.live.keys()
    }

    /// Begins a new segment, where all of this one is written.
    pub(super) fn rotate_written(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() { self.rotate() } else { Ok(()) }
    }

    /// Bytes that wait in memory for the disk.
    pub(super) const fn unwritten_bytes(&self) -> usize {
        self.unwritten.len()
    }

    /// Puts another file in place of the spool's, to see what a failing disk does.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        let (file, end, seq) = begin_segment(&self.folder, self.end.segment + 1, &self.live)?;
        (self.file, self.end, self.seq) = (file, end, seq);
        Ok(())
    }

    fn follow(&mut self, call: &CallId, entry: &Entry) {
        follow(&mut self.live, call, entry);
    }
}

/// Keeps the table of live calls as an entry asks.
pub(super) fn follow(live: &mut BTreeMap<CallId, u64>, call: &CallId, entry: &Entry) {
    match entry.what {
        What::Rang { .. } => {
            live.insert(call.clone(), entry.at_ms);
        }
        What::Ended { .. } => {
            live.remove(call);
        }
        _ => {
            if let Some(last_at_ms) = live.get_mut(call) {
                *last_at_ms = entry.at_ms;
            }
        }
    }
}

/// Makes a segment with the list of live calls in it, whole or not at all.
fn begin_segment(
    folder: &Path,
    number: u64,
    live: &BTreeMap<CallId, u64>,
) -> io::Result<(File, Position, u64)> {
    // The number of the segment is in the upper half, so that numbers grow whatever was torn.
    let seq = number << 32;
    let live = live
        .iter()
        .map(|(call, last_at_ms)| LiveCall { call: call.clone(), last_at_ms: *last_at_ms })
        .collect();
    let mut bytes = SEGMENT_HEAD.to_vec();
    if !(Record { seq, body: Body::Live(live) }).frame_into(&mut bytes) {
        return Err(io::Error::other("list of live calls over 1 MiB"));
    }
    let file = new_segment(folder, number, &bytes)?;
    let end = Position { segment: number, offset: bytes.len() as u64 };
    Ok((file, end, seq + 1))
}

/// Makes a segment's file with these bytes in it, whole or not at all; more is written behind them.
fn new_segment(folder: &Path, number: u64, bytes: &[u8]) -> io::Result<File> {
    let (unfinished, path) = (folder.join("next.tmp"), segment::path(folder, number));
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(true).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}
