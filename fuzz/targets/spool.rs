//! What stands on a disk after a crash: records of the spool and of a call's inputs, whole, cut and
//! damaged. What is whole is read as it was written, what is not is passed over, and reading ends.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../src/store/record.rs"]
mod record;

mod timeline {
    pub(crate) use cordboard::timeline::*;
}

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use cordboard::store::read_inputs;
use libfuzzer_sys::fuzz_target;
use record::{Body, FRAME_HEAD_BYTES, Found, LiveCall, RECORD_BYTES_MAX, Record};
use timeline::{CallId, Entry, What};

static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("cordboard-fuzz-inputs-{}.bin", std::process::id()))
});

#[derive(Arbitrary, Debug)]
enum Part<'a> {
    /// Bytes as a broken disk leaves them.
    Anything(&'a [u8]),
    /// A frame whose checksum is right, whatever is in it.
    Frame(&'a [u8]),
    Entry {
        call: &'a str,
        at_ms: u64,
        text: &'a str,
    },
    Live(Vec<(&'a str, u64)>),
    /// An input of a call: its kind and bytes.
    Input(u64, u8, &'a [u8]),
}

fuzz_target!(|parts: Vec<Part<'_>>| {
    let (mut spool, mut inputs, mut written) = (Vec::new(), b"CBINPUT1".to_vec(), Vec::new());
    for (seq, part) in parts.iter().take(32).enumerate() {
        let body = match part {
            Part::Anything(bytes) => {
                spool.extend_from_slice(bytes);
                inputs.extend_from_slice(bytes);
                continue;
            }
            Part::Frame(bytes) => {
                frame(&mut spool, &[bytes]);
                frame(&mut inputs, &[bytes]);
                continue;
            }
            Part::Input(at, kind, bytes) => {
                let number = (seq as u64).saturating_sub(1).to_le_bytes();
                frame(&mut inputs, &[&number, &at.to_le_bytes(), &[*kind], bytes]);
                continue;
            }
            Part::Entry { call, at_ms, text } => Body::Entry {
                call: CallId((*call).to_owned()),
                entry: Entry {
                    v: 1,
                    at_ms: *at_ms,
                    what: What::MessageTaken { text: (*text).to_owned() },
                },
            },
            Part::Live(live) => Body::Live(
                live.iter()
                    .map(|(call, at)| LiveCall {
                        call: CallId((*call).to_owned()),
                        last_at_ms: *at,
                    })
                    .collect(),
            ),
        };
        let record = Record { seq: seq as u64, body };
        let begin = spool.len();
        if record.frame_into(&mut spool) {
            written.push((begin, record));
        } else {
            assert_eq!(spool.len(), begin, "a record that is too long leaves no trace");
        }
    }
    for (begin, record) in written {
        let Found::Frame { text, .. } = record::frame_at(&spool, begin, RECORD_BYTES_MAX) else {
            panic!("what was written is found");
        };
        assert_eq!(Record::parse(text).ok().as_ref(), Some(&record));
    }
    walk(&spool);
    fs::write(&*PATH, &inputs).expect("a file of our own");
    if let Ok(read) = read_inputs(&PATH) {
        let bytes: usize =
            read.records.iter().map(|it| it.bytes.len() + FRAME_HEAD_BYTES + 17).sum();
        assert!(bytes <= inputs.len());
    }
});

fn frame(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    record::seal(&mut out[begin..]);
}

/// As a reader goes: from record to record, and over what is damaged.
fn walk(bytes: &[u8]) {
    let mut at = 0;
    while at < bytes.len() {
        let next = match record::frame_at(bytes, at, RECORD_BYTES_MAX) {
            Found::Frame { text, next } => {
                if let Ok(record) = Record::parse(text)
                    && !matches!(record.body, Body::Foreign(_))
                {
                    let mut again = Vec::new();
                    assert!(record.frame_into(&mut again) || text.len() > RECORD_BYTES_MAX / 8);
                }
                next
            }
            Found::Short | Found::Damaged => match record::resync(bytes, at) {
                Some(next) => next,
                None => return,
            },
        };
        assert!(next > at && next <= bytes.len(), "on, and not beyond the end");
        at = next;
    }
}
