//! The files of a spool: their names, their order and the positions in them.
//!
//! A spool is a folder of segments, `0000000001.spool` and up. Every start of the process and every
//! 64 MiB begin a new one, so that no number is ever given twice. Absent: what is in the records.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// First bytes of every segment: name and version of the form.
pub(super) const SEGMENT_HEAD: &[u8; 8] = b"CBSPOOL1";

/// A place in the spool, between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment, from 1; 0 is before all of them.
    pub segment: u64,
    /// Bytes from the begin of the segment.
    pub offset: u64,
}

impl Position {
    /// The place of a segment's first record.
    pub(super) const fn first_of(segment: u64) -> Self {
        Self { segment, offset: SEGMENT_HEAD.len() as u64 }
    }
}

/// Path of a segment.
pub(super) fn path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:010}.spool"))
}

/// Numbers of all segments in the folder, oldest first.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(folder)? {
        let name = file?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".spool"));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Bytes between two places; what stands in segments that are gone counts nothing.
pub(super) fn bytes_between(folder: &Path, from: Position, to: Position) -> u64 {
    if from >= to {
        return 0;
    }
    if from.segment == to.segment {
        return to.offset - from.offset;
    }
    let length = |segment| fs::metadata(path(folder, segment)).map_or(0, |meta| meta.len());
    let whole: u64 = (from.segment + 1..to.segment).map(length).sum();
    length(from.segment).saturating_sub(from.offset) + whole + to.offset
}

/// Deletes the oldest segments before `segment`, all but `retain` of them.
pub(super) fn delete_before(folder: &Path, segment: u64, retain: usize) -> io::Result<usize> {
    let mut before = numbers(folder)?;
    before.retain(|number| *number < segment);
    let surplus = before.len().saturating_sub(retain);
    for number in &before[..surplus] {
        fs::remove_file(path(folder, *number))?;
    }
    Ok(surplus)
}
