//! Packets sealed, then delivered in any order, twice, altered or cut: what is let through is what
//! was sealed, byte by byte, and each packet once.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use cordboard_sip::srtp::{MAX_OVERHEAD_BYTES, MasterKey, Opener, Sealer, Suite};
use libfuzzer_sys::fuzz_target;

const SSRC: u32 = 0xdead_beef;
const MOST: usize = 256;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    /// An RTP packet, so many sequence numbers on.
    Rtp {
        step: u16,
        payload: &'a [u8],
    },
    Rtcp {
        more: &'a [u8],
    },
    /// The packet sealed last, as it is.
    Arrives,
    /// Any packet, again or for the first time.
    Deliver(u8),
    Altered {
        which: u8,
        at: u16,
        with: u8,
    },
    Cut {
        which: u8,
        len: u16,
    },
    Stranger {
        rtcp: bool,
        bytes: &'a [u8],
    },
}

struct Sealed {
    rtcp: bool,
    /// Which packet of the stream it is, the rounds of the sequence number counted.
    index: u64,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

struct Line {
    sealer: Sealer,
    opener: Opener,
    sealed: Vec<Sealed>,
    let_through: BTreeSet<usize>,
    /// Highest index of an RTP packet that was let through.
    highest: Option<u64>,
}

impl Line {
    fn seal(&mut self, rtcp: bool, index: u64, plain: Vec<u8>) {
        if self.sealed.len() >= MOST {
            return;
        }
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + MAX_OVERHEAD_BYTES + 8, 0);
        let len = if rtcp {
            self.sealer.seal_rtcp(&mut buffer, plain.len())
        } else {
            self.sealer.seal_rtp(&mut buffer, plain.len())
        };
        let Ok(len) = len else { return };
        assert!(len > plain.len() && len <= plain.len() + MAX_OVERHEAD_BYTES);
        buffer.truncate(len);
        self.sealed.push(Sealed { rtcp, index, plain, sealed: buffer });
    }

    /// Opens it; whether it was let through.
    fn open(&mut self, rtcp: bool, mut datagram: Vec<u8>) -> bool {
        let opened = if rtcp {
            self.opener.open_rtcp(&mut datagram)
        } else {
            self.opener.open_rtp(&mut datagram)
        };
        let Ok(len) = opened else { return false };
        let plain = &datagram[..len];
        let which = self.sealed.iter().position(|it| it.rtcp == rtcp && it.plain == plain);
        let which = which.expect("what is let through was sealed");
        assert!(self.let_through.insert(which), "each packet once");
        if !rtcp {
            self.highest = self.highest.max(Some(self.sealed[which].index));
        }
        true
    }

    /// Whether the packet sealed last must be let through: it is new, and near enough to what was
    /// for its round to be known.
    fn must_pass(&self) -> bool {
        let Some(it) = self.sealed.last() else { return false };
        let is_new = !self.let_through.contains(&(self.sealed.len() - 1));
        let near = self.highest.is_some_and(|highest| it.index < highest + 0x7000);
        is_new && (it.rtcp || near)
    }
}

fuzz_target!(|input: (u8, u8, Vec<Act<'_>>)| {
    let (suite, mki_bytes, acts) = input;
    let suite = Suite::ALL[usize::from(suite) % Suite::ALL.len()];
    let bytes: Vec<u8> = (1..).take(suite.key_bytes() + suite.salt_bytes()).collect();
    let Ok(key) = MasterKey::from_bytes(suite, &bytes) else { return };
    // What we seal has no identifier: one is only ever asked of the peer's.
    let theirs = key.with_mki_bytes(if mki_bytes > 250 { 4 } else { 0 });
    let (Ok(sealer), Ok(opener)) = (Sealer::new(&key), Opener::new(&theirs)) else { return };
    let mut line =
        Line { sealer, opener, sealed: Vec::new(), let_through: BTreeSet::new(), highest: None };
    let mut index = 65_500_u64;
    let mut number = 0_u32;
    for act in acts {
        let count = line.sealed.len().max(1);
        match act {
            Act::Rtp { step, payload } => {
                index += u64::from(step.max(1));
                number += 1;
                let mut plain = vec![0x80, 0];
                plain.extend((index as u16).to_be_bytes());
                plain.extend(number.to_be_bytes());
                plain.extend(SSRC.to_be_bytes());
                plain.extend(&payload[..payload.len().min(1_400)]);
                plain.push(0xff);
                line.seal(false, index, plain);
            }
            Act::Rtcp { more } => {
                number += 1;
                let mut plain = vec![0x80, 201, 0, 1];
                plain.extend(SSRC.to_be_bytes());
                plain.extend(number.to_be_bytes());
                plain.extend(&more[..more.len().min(1_400)]);
                line.seal(true, 0, plain);
            }
            Act::Arrives => {
                let Some(it) = line.sealed.last() else { continue };
                let (rtcp, datagram) = (it.rtcp, it.sealed.clone());
                let must_pass = mki_bytes <= 250 && line.must_pass();
                assert!(line.open(rtcp, datagram) || !must_pass, "what comes in order passes");
            }
            Act::Deliver(which) => {
                let Some(it) = line.sealed.get(usize::from(which) % count) else { continue };
                let (rtcp, datagram) = (it.rtcp, it.sealed.clone());
                line.open(rtcp, datagram);
            }
            Act::Altered { which, at, with } => {
                let Some(it) = line.sealed.get(usize::from(which) % count) else { continue };
                let (rtcp, mut datagram) = (it.rtcp, it.sealed.clone());
                let at = usize::from(at) % datagram.len();
                datagram[at] ^= with;
                line.open(rtcp, datagram);
            }
            Act::Cut { which, len } => {
                let Some(it) = line.sealed.get(usize::from(which) % count) else { continue };
                let (rtcp, mut datagram) = (it.rtcp, it.sealed.clone());
                datagram.truncate(usize::from(len));
                line.open(rtcp, datagram);
            }
            Act::Stranger { rtcp, bytes } => {
                assert!(!line.open(rtcp, bytes.to_vec()), "a stranger has no key");
            }
        }
    }
});
