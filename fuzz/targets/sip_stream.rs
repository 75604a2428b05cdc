//! Bytes of a SIP stream, in pieces of any length: messages are cut off where they end, the same
//! ones whatever the pieces, and what they are and say can be told.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../sip/src/endpoint/wire.rs"]
mod wire;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wire::{Cut, MOST_BODY_BYTES, MOST_HEADER_BYTES};

#[derive(Arbitrary, Debug)]
enum Part<'a> {
    Anything(&'a [u8]),
    /// A request with a body, and so many bytes more or less said of it.
    Request {
        field: &'a str,
        body: &'a [u8],
        odd: i8,
    },
}

fuzz_target!(|input: (Vec<Part<'_>>, Vec<u8>)| {
    let (parts, pieces) = input;
    let bytes = parts.iter().take(8).fold(Vec::new(), |mut bytes, part| {
        match part {
            Part::Anything(more) => bytes.extend_from_slice(more),
            Part::Request { field, body, odd } => {
                let length = body.len() as i64 + i64::from(*odd).clamp(-2, 2);
                let head = format!(
                    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\n\
                     X: {field}\r\nContent-Length: {length}\r\n\r\n"
                );
                bytes.extend_from_slice(head.as_bytes());
                bytes.extend_from_slice(body);
            }
        }
        bytes
    });
    let whole = cut_all(&bytes, &[]);
    assert_eq!(cut_all(&bytes, &pieces), whole, "the pieces do not matter");
    for message in whole {
        wire::inspect(&bytes[message.clone()]);
        if let Some(answer) = wire::farewell(&bytes[message], 400) {
            let end = wire::header_end(&answer).expect("an answer is whole");
            assert!(answer.starts_with(b"SIP/2.0 400 ") && end <= answer.len());
        }
    }
});

/// The messages, as a reader finds them to whom the bytes come in these pieces.
fn cut_all(bytes: &[u8], pieces: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut messages, mut begin, mut came) = (Vec::new(), 0, 0);
    let mut pieces = pieces.iter().map(|it| usize::from(*it) + 1);
    // What has been looked at of the message in hand, and how much of it there must be.
    let (mut seen, mut wanted) = (0, 0);
    loop {
        let waiting = &bytes[begin..came];
        let length = if waiting.is_empty() || waiting.len() < wanted {
            0
        } else {
            match wire::cut(waiting, seen) {
                Cut::More => {
                    assert!(waiting.len() <= MOST_HEADER_BYTES);
                    (seen, wanted) = (waiting.len(), 0);
                    0
                }
                Cut::Begun(length) => {
                    assert!(length > waiting.len());
                    assert!(length <= MOST_HEADER_BYTES + MOST_BODY_BYTES);
                    wanted = length;
                    0
                }
                Cut::Blank(length) => length,
                Cut::Message(length) => {
                    messages.push(begin..begin + length);
                    length
                }
                Cut::Lost(code) => {
                    assert!((400..600).contains(&code));
                    return messages;
                }
            }
        };
        if length > 0 {
            begin += length;
            (seen, wanted) = (0, 0);
        } else if came < bytes.len() {
            came = (came + pieces.next().unwrap_or(bytes.len())).min(bytes.len());
        } else {
            return messages;
        }
    }
}
