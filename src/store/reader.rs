//! Reading the spool: batches for the projection, and the state that a dead process left.
//!
//! Damage is counted and read past; nothing here is fatal but the disk's own errors. Absent:
//! writing, and cutting a torn tail (`spool`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::record::{Body, FRAME_HEAD_BYTES, Found, RECORD_BYTES_MAX, Record, frame_at, resync};
use super::segment::{self, Position, SEGMENT_HEAD};
use super::spool::follow;
use crate::timeline::CallId;

/// How much of a segment is read at once: always more than one whole record.
const CHUNK_BYTES: usize = 2 * RECORD_BYTES_MAX;

/// Some records, and where the next ones begin.
#[derive(Debug)]
pub(super) struct Batch {
    /// The records, in order.
    pub records: Vec<Record>,
    /// Where to read on.
    pub next: Position,
    /// Damaged stretches that were passed over, by their place.
    pub damaged: Vec<Position>,
    /// Records with a right checksum and an unknown form; entries of a call are kept all the same.
    pub unknown: u64,
}

/// Reads at most `records_max` records from `from` on, and none at or after `end`.
///
/// # Errors
/// The disk's own.
pub(super) fn batch(
    folder: &Path,
    from: Position,
    end: Position,
    records_max: usize,
) -> io::Result<Batch> {
    let mut batch = Batch { records: Vec::new(), next: from, damaged: Vec::new(), unknown: 0 };
    loop {
        let length = match fs::metadata(segment::path(folder, batch.next.segment)) {
            Ok(_) if batch.next.segment == end.segment => end.offset,
            Ok(meta) => meta.len(),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => 0,
            Err(fault) => return Err(fault),
        };
        if batch.next.offset < length {
            let bytes = chunk(folder, batch.next, length)?;
            let is_last = batch.next.offset + bytes.len() as u64 == length;
            batch.take(&bytes, is_last, records_max);
            return Ok(batch);
        }
        let after = segment::numbers(folder)?.into_iter().find(|n| *n > batch.next.segment);
        match after {
            Some(number) if number <= end.segment => batch.next = Position::first_of(number),
            _ => return Ok(batch),
        }
    }
}

fn chunk(folder: &Path, from: Position, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(segment::path(folder, from.segment))?;
    file.seek(SeekFrom::Start(from.offset))?;
    let mut bytes = Vec::new();
    file.take((length - from.offset).min(CHUNK_BYTES as u64)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Batch {
    /// Takes the records of a stretch of a segment that begins at `next`.
    fn take(&mut self, bytes: &[u8], is_last: bool, records_max: usize) {
        let begin = self.next;
        let sure = bytes.len().saturating_sub(RECORD_BYTES_MAX + FRAME_HEAD_BYTES);
        let mut at = 0;
        while at < bytes.len() && self.records.len() < records_max {
            match frame_at(bytes, at, RECORD_BYTES_MAX) {
                Found::Frame { text, next } => {
                    match Record::parse(text) {
                        Ok(record) => {
                            self.unknown += u64::from(matches!(record.body, Body::Foreign(_)));
                            self.records.push(record);
                        }
                        Err(_) => self.unknown += 1,
                    }
                    at = next;
                }
                Found::Short if !is_last => break,
                Found::Short | Found::Damaged => match resync(bytes, at) {
                    Some(next) => {
                        self.damaged.push(place(begin, at));
                        at = next;
                    }
                    None if is_last => {
                        self.damaged.push(place(begin, at));
                        at = bytes.len();
                    }
                    // Nothing whole begins before `sure`; behind it, something may that goes on in
                    // the next stretch.
                    None if at < sure => at = sure,
                    None => break,
                },
            }
        }
        self.next.offset = begin.offset + at as u64;
    }
}

const fn place(begin: Position, at: usize) -> Position {
    Position { segment: begin.segment, offset: begin.offset + at as u64 }
}

/// What a dead process left.
#[derive(Debug, Default)]
pub(super) struct LastState {
    /// Calls without an end, with the time of their last entry.
    pub live: BTreeMap<CallId, u64>,
    /// End of the whole records in the last segment, and that segment's length.
    pub tail: Option<(Position, u64)>,
    /// Damaged stretches.
    pub damaged: u64,
}

/// Reads the last segments, back to one whose list of live calls is readable.
///
/// # Errors
/// The disk's own.
pub(super) fn last_state(folder: &Path) -> io::Result<LastState> {
    let mut state = LastState::default();
    let mut unread = Vec::new();
    for number in segment::numbers(folder)?.into_iter().rev() {
        let bytes = fs::read(segment::path(folder, number))?;
        let has_list = matches!(
            frame_at(&bytes, SEGMENT_HEAD.len(), RECORD_BYTES_MAX),
            Found::Frame { text, .. }
                if matches!(Record::parse(text), Ok(Record { body: Body::Live(_), .. }))
        );
        unread.push((number, bytes));
        if has_list {
            break;
        }
    }
    for (number, bytes) in unread.into_iter().rev() {
        state.replay(number, &bytes);
    }
    Ok(state)
}

impl LastState {
    fn replay(&mut self, number: u64, bytes: &[u8]) {
        let mut at = SEGMENT_HEAD.len();
        let mut whole = at.min(bytes.len());
        while at < bytes.len() {
            if let Found::Frame { text, next } = frame_at(bytes, at, RECORD_BYTES_MAX) {
                match Record::parse(text) {
                    Ok(Record { body: Body::Entry { call, entry }, .. }) => {
                        follow(&mut self.live, &call, &entry);
                    }
                    Ok(Record { body: Body::Foreign(entry), .. }) => {
                        if let Some(last_at_ms) = self.live.get_mut(&entry.call) {
                            *last_at_ms = entry.at_ms;
                        }
                    }
                    Ok(Record { body: Body::Live(live), .. }) => {
                        let live = live.into_iter().map(|live| (live.call, live.last_at_ms));
                        self.live = live.collect();
                    }
                    Ok(Record { body: Body::Packet(_), .. }) | Err(_) => {}
                }
                (at, whole) = (next, next);
            } else if let Some(next) = resync(bytes, at) {
                self.damaged += 1;
                at = next;
            } else {
                break;
            }
        }
        let end = Position { segment: number, offset: whole as u64 };
        self.tail = Some((end, bytes.len() as u64));
    }
}
