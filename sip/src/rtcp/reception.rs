//! What came of one source: loss and jitter (RFC 3550 appendix A), bursts and gaps (RFC 3611
//! appendix A.2).

use super::BufferDepth;

/// RFC 3611 §4.7.2: so many packets in a row end a burst.
pub(super) const GMIN: u8 = 16;
/// Packet time of bursts and gaps, ms.
const PACKET_MS: f64 = 20.0;

/// One source's packets.
#[derive(Clone, Debug)]
pub(super) struct Reception {
    pub(super) ssrc: u32,
    first: u32,
    /// Highest sequence number with its wraps.
    highest: u32,
    received: u32,
    /// What the last report counted: expected, received.
    reported: (u32, u32),
    transit: u32,
    /// Jitter in 1/16 of the clock's units.
    jitter: u32,
    bursts: Bursts,
}

/// What a report block says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) ssrc: u32,
    pub(super) fraction_lost: u8,
    pub(super) lost: u32,
    pub(super) highest: u32,
    pub(super) jitter: u32,
    pub(super) last_report: u32,
    pub(super) delay: u32,
}

/// What a VoIP metrics block says of it; what we do not know has the RFC's word for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metrics {
    pub(super) ssrc: u32,
    pub(super) loss_rate: u8,
    pub(super) burst_density: u8,
    pub(super) gap_density: u8,
    pub(super) burst_ms: u16,
    pub(super) gap_ms: u16,
    pub(super) rtt_ms: u16,
    pub(super) end_system_ms: u16,
    pub(super) buffer: BufferDepth,
}

impl Reception {
    pub(super) fn new(ssrc: u32, sequence: u16, timestamp: u32, arrival: u32) -> Self {
        let first = u32::from(sequence);
        Self {
            ssrc,
            first,
            highest: first,
            received: 1,
            reported: (0, 0),
            transit: arrival.wrapping_sub(timestamp),
            jitter: 0,
            bursts: Bursts { run: 1, ..Bursts::default() },
        }
    }

    pub(super) fn packet(&mut self, sequence: u16, timestamp: u32, arrival: u32) {
        self.received = self.received.wrapping_add(1);
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if (1..0x8000).contains(&ahead) {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            // A leap is a new beginning at the far side, not a thousand packets lost one by one.
            (1..ahead.min(1_000)).for_each(|_| self.bursts.lost());
            self.bursts.came();
        }
        let transit = arrival.wrapping_sub(timestamp);
        let moved = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        self.transit = transit;
        // Across a jump of the timestamps the difference means nothing.
        if moved < 1 << 20 {
            self.jitter = self.jitter + moved - ((self.jitter + 8) >> 4);
        }
    }

    pub(super) fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.first).wrapping_add(1)
    }

    fn lost(&self) -> u32 {
        self.expected().saturating_sub(self.received)
    }

    /// Says what came since the last block.
    pub(super) fn block(&mut self, (last_report, delay): (u32, u32)) -> Block {
        let expected = self.expected().wrapping_sub(self.reported.0);
        let received = self.received.wrapping_sub(self.reported.1);
        self.reported = (self.expected(), self.received);
        Block {
            ssrc: self.ssrc,
            fraction_lost: share(expected.saturating_sub(received), expected),
            lost: self.lost().min(0x007f_ffff),
            highest: self.highest,
            jitter: self.jitter(),
            last_report,
            delay,
        }
    }

    pub(super) fn metrics(&self, rtt_ms: u32, buffer: BufferDepth) -> Metrics {
        let (burst_density, gap_density, burst_ms, gap_ms) = self.bursts.figures();
        Metrics {
            ssrc: self.ssrc,
            loss_rate: share(self.lost(), self.expected()),
            burst_density,
            gap_density,
            burst_ms,
            gap_ms,
            rtt_ms: u16::try_from(rtt_ms).unwrap_or(u16::MAX),
            // One packet, the buffer, and half a tick.
            end_system_ms: buffer.nominal_ms.saturating_add(30),
            buffer,
        }
    }
}

/// Of 256.
fn share(part: u32, whole: u32) -> u8 {
    let share = (u64::from(part) << 8).checked_div(u64::from(whole)).unwrap_or(0);
    u8::try_from(share).unwrap_or(u8::MAX)
}

/// Transitions between the four states of RFC 3611 appendix A.2: 1 and 4 are received and lost
/// in a gap, 2 and 3 the same in a burst.
#[derive(Clone, Copy, Debug, Default)]
struct Bursts {
    /// Packets received in a row.
    run: u32,
    /// Packets lost in this burst.
    losses: u32,
    c11: u32,
    c13: u32,
    c14: u32,
    c22: u32,
    c23: u32,
    c33: u32,
}

impl Bursts {
    fn came(&mut self) {
        self.run = self.run.saturating_add(1);
    }

    fn lost(&mut self) {
        if self.run >= u32::from(GMIN) {
            if self.losses == 1 {
                self.c14 += 1;
            } else {
                self.c13 += 1;
            }
            self.losses = 1;
            self.c11 = self.c11.saturating_add(self.run);
        } else {
            self.losses = self.losses.saturating_add(1);
            if self.run == 0 {
                self.c33 = self.c33.saturating_add(1);
            } else {
                self.c23 += 1;
                self.c22 = self.c22.saturating_add(self.run - 1);
            }
        }
        self.run = 0;
    }

    /// Densities of bursts and gaps, of 256, and their mean lengths, ms.
    fn figures(&self) -> (u8, u8, u16, u16) {
        let [c11, c13, c14, c22, c23, c33] =
            [self.c11, self.c13, self.c14, self.c22, self.c23, self.c33].map(f64::from);
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let p32 = ratio(c23, c13 + c23 + c33);
        let p23 = if c22 + c23 < 1.0 { 1.0 } else { 1.0 - ratio(c22, c22 + c23) };
        let any = c13 > 0.0;
        let burst_density = if any { 256.0 * ratio(p23, p23 + p32) } else { 0.0 };
        let gap_density = 256.0 * ratio(c14, c11 + c14);
        let total = c11 + c14 + c13 + c22 + c23 + c13 + c23 + c33;
        let gap = ratio((c11 + c14 + c13) * PACKET_MS, c13);
        let burst = (ratio(total * PACKET_MS, c13) - gap).max(0.0);
        // Casts of floats stop at the ends of the smaller type.
        (burst_density as u8, gap_density as u8, burst as u16, gap as u16)
    }
}
