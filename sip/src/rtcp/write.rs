//! Writes a compound packet into a buffer that holds any of ours.

use super::MAX_REPORT_BYTES;
use super::reception::{Block, GMIN, Metrics};

/// RFC 3611 §4.7.4 and §4.7.5: not known.
const UNKNOWN: u8 = 127;
/// RFC 3611 §4.7.6: standard concealment, adaptive jitter buffer, its rate not told.
const RECEIVER_CONFIGURATION: u8 = 0b1111_0000;

/// A compound packet in the making.
#[derive(Debug)]
pub(super) struct Writer<'b> {
    out: &'b mut [u8; MAX_REPORT_BYTES],
    len: usize,
    /// Where the packet begun last begins.
    begun: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(out: &'b mut [u8; MAX_REPORT_BYTES]) -> Self {
        Self { out, len: 0, begun: 0 }
    }

    pub(super) fn sender_report(
        &mut self,
        ssrc: u32,
        (ntp, timestamp): (u64, u32),
        (packets, octets): (u32, u32),
    ) {
        self.begin(0, 200);
        self.put(&ssrc.to_be_bytes());
        self.put(&ntp.to_be_bytes());
        for word in [timestamp, packets, octets] {
            self.put(&word.to_be_bytes());
        }
        self.end();
    }

    pub(super) fn receiver_report(&mut self, ssrc: u32) {
        self.begin(0, 201);
        self.put(&ssrc.to_be_bytes());
        self.end();
    }

    /// Puts a block into the report just written, where there is one.
    pub(super) fn block(&mut self, block: Option<Block>) {
        let Some(block) = block else { return };
        self.out[self.begun] |= 1;
        let [_, a, b, c] = block.lost.to_be_bytes();
        self.put(&block.ssrc.to_be_bytes());
        self.put(&[block.fraction_lost, a, b, c]);
        for word in [block.highest, block.jitter, block.last_report, block.delay] {
            self.put(&word.to_be_bytes());
        }
        self.end();
    }

    /// SDES with the one item that must be there.
    pub(super) fn cname(&mut self, ssrc: u32, name: &[u8; 16]) {
        self.begin(1, 202);
        self.put(&ssrc.to_be_bytes());
        self.put(&[1, 16]);
        self.put(name);
        // The end of the items, up to a whole word.
        self.put(&[0; 2]);
        self.end();
    }

    /// XR with a VoIP metrics block (RFC 3611 §4.7).
    pub(super) fn voip_metrics(&mut self, ssrc: u32, metrics: &Metrics) {
        self.begin(0, 207);
        self.put(&ssrc.to_be_bytes());
        self.put(&[7, 0, 0, 8]);
        self.put(&metrics.ssrc.to_be_bytes());
        // What the jitter buffer discards is known to the call, not here: none is told.
        self.put(&[metrics.loss_rate, 0, metrics.burst_density, metrics.gap_density]);
        for half in [metrics.burst_ms, metrics.gap_ms, metrics.rtt_ms, metrics.end_system_ms] {
            self.put(&half.to_be_bytes());
        }
        self.put(&[UNKNOWN, UNKNOWN, UNKNOWN, GMIN]);
        self.put(&[UNKNOWN; 4]);
        self.put(&[RECEIVER_CONFIGURATION, 0]);
        let (nominal, maximum) = (metrics.buffer.nominal_ms, metrics.buffer.maximum_ms);
        for half in [nominal, maximum, maximum] {
            self.put(&half.to_be_bytes());
        }
        self.end();
    }

    pub(super) fn bye(&mut self, ssrc: u32) {
        self.begin(1, 203);
        self.put(&ssrc.to_be_bytes());
        self.end();
    }

    pub(super) fn finished(self) -> usize {
        self.len
    }

    fn begin(&mut self, count: u8, kind: u8) {
        self.begun = self.len;
        self.put(&[0x80 | count, kind, 0, 0]);
    }

    /// Sets the length of the packet begun last: in words, less one.
    fn end(&mut self) {
        let words = u16::try_from((self.len - self.begun) / 4 - 1).unwrap_or(u16::MAX);
        self.out[self.begun + 2..][..2].copy_from_slice(&words.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}
