//! What comes in at a browser's media port: nothing unsigned passes for the browser's request, no
//! answer passes that was not asked for, what is signed passes, and nothing is sent to where nobody
//! has signed a request from. Beside it, parts of a description become an offer with their session.
#![no_main]
#![allow(dead_code, reason = "a part of the rooms is used")]

#[path = "../../src/leg/browser/door.rs"]
mod door;
#[path = "../../src/leg/browser/fragment.rs"]
mod fragment;

use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::Arbitrary;
use door::{Admitted, Door, Way};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    /// Anything, from one of a few ports.
    Anything(&'a [u8], u8),
    /// A request that is signed, with anything before the signature, aligned.
    Signed(Vec<[u8; 4]>, u8),
    /// What we send there.
    Sent(&'a [u8]),
    Selected(u8),
    Later(u16),
    Part(&'a str, &'a str),
}

const PWD: &str = "a-secret-of-ours-alone";

fn at(port: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1_000 + u16::from(port % 4)))
}

/// A request with a name of ours, so many attributes of the kind 0x0024, and a signature.
fn signed(values: &[[u8; 4]]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    bytes.extend([7; 12]);
    bytes.extend([0, 6, 0, 8]);
    bytes.extend(b"ours:abc");
    for value in values {
        bytes.extend([0, 0x24, 0, 4]);
        bytes.extend(value);
    }
    let length = u16::try_from(bytes.len() - 20 + 24).expect("few");
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PWD.as_bytes());
    let digest = hmac::sign(&key, &bytes);
    bytes.extend([0, 8, 0, 20]);
    bytes.extend(digest.as_ref());
    bytes
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let (mut door, mut way) = (Door::default(), Way::default());
    door.open(&format!("a=ice-ufrag:ours\r\na=ice-pwd:{PWD}\r\n"));
    let mut now = Duration::ZERO;
    let (mut asked, mut known) = (0_u32, Vec::new());
    for act in acts.into_iter().take(1_000) {
        match act {
            Act::Anything(datagram, port) => {
                let Some(admitted) = door.admit(datagram, at(port), false) else { continue };
                assert_ne!(admitted, Admitted::Check, "nobody has signed it");
                if datagram.len() > 1 && datagram[0] == 1 {
                    assert!(asked > 0, "an answer to nothing");
                    asked -= 1;
                }
                way.inward(now, at(port), admitted);
            }
            Act::Signed(mut values, port) => {
                values.truncate(100);
                let datagram = signed(&values);
                assert_eq!(door.admit(&datagram, at(port), true), Some(Admitted::Check));
                assert_eq!(door.admit(&datagram[..datagram.len() - 4], at(port), true), None);
                way.inward(now, at(port), Admitted::Check);
                known.push(at(port));
            }
            Act::Sent(datagram) => {
                door.sent(datagram);
                asked += u32::from(datagram.starts_with(&[0, 1]));
            }
            Act::Selected(port) => {
                way.select(now, at(port));
                known.push(at(port));
            }
            Act::Later(ms) => now += Duration::from_millis(ms.into()),
            Act::Part(last, part) => {
                let Some(offer) = fragment::offered(last, part) else { continue };
                let named = fragment::value(&offer, "ice-ufrag");
                assert!(named.is_none() || named == fragment::value(part, "ice-ufrag"));
                let _ = fragment::of(&offer);
            }
        }
        for port in 0..4 {
            let to = way.outward(at(port));
            assert!(to == at(port) || known.contains(&to), "sent to a stranger");
        }
    }
});
