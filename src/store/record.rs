//! One record of the spool: its JSON, and the frame of length and checksum around it.
//!
//! On the disk a record is `len: u32 LE, crc32: u32 LE, json`. The checksum covers the length as
//! well as the text, so that a stretch of zeros (what a power cut may leave) is no record. The text
//! always begins with `{"seq":`, which is how a reader finds its way back after damage. Absent:
//! files and positions (`spool`, `reader`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::timeline::{CallId, ContextPacket, Entry};

/// Bytes of a frame before its text.
pub(super) const FRAME_HEAD_BYTES: usize = 8;
/// The longest text of a record; a context packet of a call of two hours has some 100 KiB.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 20;
/// How every text begins.
const TEXT_BEGIN: &[u8] = b"{\"seq\":";

/// One record of the spool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// Number of the record; grows through the whole spool, and so within every call.
    pub seq: u64,
    /// What it says.
    pub body: Body,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// Something happened in a call.
    Entry {
        /// The call.
        call: CallId,
        /// What happened.
        entry: Entry,
    },
    /// Something of a kind that is not known here happened in a call: another version wrote it.
    Foreign(ForeignEntry),
    /// A context packet was made.
    Packet(StoredPacket),
    /// The calls that were live when the segment began: always a segment's first record.
    Live(Vec<LiveCall>),
}

/// An entry of a kind or version that is not known here, kept as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForeignEntry {
    /// The call.
    pub call: CallId,
    /// Milliseconds since the ring.
    pub at_ms: u64,
    /// What happened, by name.
    pub what: String,
    /// All of the entry.
    pub json: String,
}

/// A context packet and the fingerprint of the token that opens it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPacket {
    /// The call.
    pub call: CallId,
    /// SHA-256 of the token, hexadecimal; the token itself is never kept.
    pub token_hash: String,
    /// The packet.
    pub packet: ContextPacket,
}

/// A call that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LiveCall {
    /// The call.
    pub call: CallId,
    /// Time of its last entry, ms since its ring.
    pub last_at_ms: u64,
}

/// A record that cannot be read, though its checksum is right.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordFault {
    /// It is not JSON, or has entries of a version that is not known here.
    #[error("record is not of a known form")]
    Unknown(#[from] serde_json::Error),
    /// It has none of the known parts.
    #[error("record {seq} says nothing")]
    Empty {
        /// Its number.
        seq: u64,
    },
}

/// The JSON of a record, to be written. `seq` stands first: see [`TEXT_BEGIN`].
#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'a CallId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<&'a Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<&'a ContextPacket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a [LiveCall]>,
}

/// The JSON of a record, as read.
#[derive(Deserialize)]
struct Read {
    seq: u64,
    call: Option<CallId>,
    entry: Option<Entry>,
    packet: Option<ContextPacket>,
    token_hash: Option<String>,
    live: Option<Vec<LiveCall>>,
}

/// The JSON of an entry that another version wrote: only what all versions have is asked of it.
#[derive(Deserialize)]
struct ReadForeign {
    seq: u64,
    call: CallId,
    entry: Value,
}

impl Record {
    /// Adds the framed record to `out`; false, and nothing added, where it is over the limit.
    pub(super) fn frame_into(&self, out: &mut Vec<u8>) -> bool {
        let mut written = Written {
            seq: self.seq,
            call: None,
            entry: None,
            packet: None,
            token_hash: None,
            live: None,
        };
        match &self.body {
            Body::Entry { call, entry } => {
                written.call = Some(call);
                written.entry = Some(entry);
            }
            Body::Packet(stored) => {
                written.call = Some(&stored.call);
                written.packet = Some(&stored.packet);
                written.token_hash = Some(&stored.token_hash);
            }
            Body::Live(live) => written.live = Some(live),
            // These are read, and never written.
            Body::Foreign(_) => return false,
        }
        let begin = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        let fits = serde_json::to_writer(&mut *out, &written).is_ok()
            && out.len() - begin - FRAME_HEAD_BYTES <= RECORD_BYTES_MAX;
        if fits {
            seal(&mut out[begin..]);
        } else {
            out.truncate(begin);
        }
        fits
    }

    /// Reads the text of a record.
    pub(super) fn parse(text: &[u8]) -> Result<Self, RecordFault> {
        let read: Read = match serde_json::from_slice(text) {
            Ok(read) => read,
            Err(fault) => return Self::parse_foreign(text).ok_or(RecordFault::Unknown(fault)),
        };
        let body = match read {
            Read { call: Some(call), entry: Some(entry), .. } => Body::Entry { call, entry },
            Read { call: Some(call), packet: Some(packet), token_hash, .. } => {
                let token_hash = token_hash.unwrap_or_default();
                Body::Packet(StoredPacket { call, token_hash, packet })
            }
            Read { live: Some(live), .. } => Body::Live(live),
            Read { seq, .. } => return Err(RecordFault::Empty { seq }),
        };
        Ok(Self { seq: read.seq, body })
    }

    fn parse_foreign(text: &[u8]) -> Option<Self> {
        let ReadForeign { seq, call, entry } = serde_json::from_slice(text).ok()?;
        let at_ms = entry["at_ms"].as_u64()?;
        let what = entry["what"].as_str()?.to_owned();
        let foreign = ForeignEntry { call, at_ms, what, json: entry.to_string() };
        Some(Self { seq, body: Body::Foreign(foreign) })
    }
}

/// Fills in length and checksum of a frame whose text is in place.
pub(super) fn seal(frame: &mut [u8]) {
    let (head, text) = frame.split_at_mut(FRAME_HEAD_BYTES);
    let length = u32::try_from(text.len()).expect("bounded by the callers, far below 4 GiB");
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&checksum(length, text).to_le_bytes());
}

fn checksum(length: u32, text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(text);
    hasher.finalize()
}

/// What stands at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A frame whose checksum is right.
    Frame {
        /// Its text.
        text: &'a [u8],
        /// Where the next one begins.
        next: usize,
    },
    /// The bytes end before the frame does, or before its length is known.
    Short,
    /// The length or the checksum is wrong.
    Damaged,
}

/// Looks at the frame that begins at `at`, of at most `text_bytes_max`.
pub(super) fn frame_at(bytes: &[u8], at: usize, text_bytes_max: usize) -> Found<'_> {
    let rest = &bytes[at.min(bytes.len())..];
    let Some((head, rest)) = rest.split_first_chunk::<FRAME_HEAD_BYTES>() else {
        return Found::Short;
    };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let expected = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let text_bytes = length as usize;
    if text_bytes > text_bytes_max {
        return Found::Damaged;
    }
    let Some(text) = rest.get(..text_bytes) else {
        return Found::Short;
    };
    if checksum(length, text) == expected {
        Found::Frame { text, next: at + FRAME_HEAD_BYTES + text_bytes }
    } else {
        Found::Damaged
    }
}

/// Finds the next whole record of the spool after damage at `at`.
pub(super) fn resync(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    while from + FRAME_HEAD_BYTES + TEXT_BEGIN.len() <= bytes.len() {
        let found = bytes[from + FRAME_HEAD_BYTES..]
            .windows(TEXT_BEGIN.len())
            .position(|window| window == TEXT_BEGIN)?;
        let begin = from + found;
        if matches!(frame_at(bytes, begin, RECORD_BYTES_MAX), Found::Frame { .. }) {
            return Some(begin);
        }
        from = begin + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::What;

    fn record(seq: u64) -> Record {
        let entry = Entry { v: 1, at_ms: seq * 20, what: What::Answered };
        Record { seq, body: Body::Entry { call: CallId("01".into()), entry } }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for body in [
            record(1).body,
            Body::Live(vec![LiveCall { call: CallId("01".into()), last_at_ms: 7 }]),
        ] {
            let record = Record { seq: 1 << 40, body };
            let mut bytes = Vec::new();
            assert!(record.frame_into(&mut bytes));
            let Found::Frame { text, next } = frame_at(&bytes, 0, RECORD_BYTES_MAX) else {
                panic!("the frame is not found");
            };
            assert_eq!(next, bytes.len());
            assert_eq!(Record::parse(text).unwrap(), record);
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_detected() {
        let mut bytes = Vec::new();
        record(3).frame_into(&mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = frame_at(&damaged, 0, RECORD_BYTES_MAX);
            assert!(!matches!(found, Found::Frame { .. }), "bit {bit} was not noticed");
        }
    }

    #[test]
    fn zeros_are_not_a_record() {
        assert_eq!(frame_at(&[0; 64], 0, RECORD_BYTES_MAX), Found::Damaged);
    }

    #[test]
    fn the_next_whole_record_is_found_after_damage() {
        let mut bytes = Vec::new();
        record(1).frame_into(&mut bytes);
        let second = bytes.len();
        record(2).frame_into(&mut bytes);
        for at in 0..second {
            assert_eq!(resync(&bytes, at), Some(second), "from {at}");
        }
        assert_eq!(resync(&bytes, second), None);
    }

    #[test]
    fn a_text_over_the_limit_is_refused_and_leaves_no_trace() {
        let text = "x".repeat(RECORD_BYTES_MAX);
        let entry = Entry { v: 1, at_ms: 0, what: What::MessageTaken { text } };
        let record = Record { seq: 1, body: Body::Entry { call: CallId("01".into()), entry } };
        let mut bytes = vec![7];
        assert!(!record.frame_into(&mut bytes));
        assert_eq!(bytes, [7]);
    }
}
