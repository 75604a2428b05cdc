//! Reports on one stream each way (RFC 3550 §6): what we tell the far side, and what it tells us.
//!
//! ```text
//! packets sent, packets received ──► [ SR or RR | SDES CNAME | XR VoIP metrics ]  every 5 s or so
//! their SR ──► LSR, DLSR of our next block        their block about us ──► round trip, loss
//! ```
//!
//! Wall time is asked for once, at the start; from there the media clock counts, so that a clock
//! that jumps cannot bend a round trip. `BYE` is read and means nothing: SIP ends calls, and
//! anybody can write four bytes. Absent: groups of more than two, feedback (RFC 4585).

mod read;
mod reception;
mod write;

use std::time::Duration;

pub use read::{Block, Heard, NotRtcp, is_rtcp};
use reception::Reception;
use write::Writer;

use crate::rtp::Packet;

/// Longest compound packet that we write.
pub const MAX_REPORT_BYTES: usize = 192;
/// RFC 3550 §6.2: never more often than this in the mean, and half of it before the first.
const INTERVAL: Duration = Duration::from_secs(5);
/// RFC 3550 §6.3.1: e - 3/2, by which the draw below comes out too long.
const COMPENSATION: f64 = 1.218_28;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_OF_1970: u64 = 2_208_988_800;

/// How the two ends hear one another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Jitter of what comes (RFC 3550 §6.4.1), ms. Arrivals are known to a tick of 20 ms.
    pub jitter_ms: u32,
    /// Round trip of the last report that came, ms, to a tick.
    pub rtt_ms: Option<u32>,
    /// What the far side lost of ours between its last two reports, 0 to 100.
    pub remote_loss_percent: Option<f32>,
    /// What it lost in all.
    pub remote_lost: Option<u32>,
}

/// Depths of the jitter buffer, for the far side's eyes (RFC 3611 §4.7.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferDepth {
    /// Now, or as set up.
    pub nominal_ms: u16,
    /// The most it may grow to.
    pub maximum_ms: u16,
}

/// Our side of a stream's last packet.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Duration,
    timestamp: u32,
}

/// The reports of one leg.
///
/// ```
/// use std::time::Duration;
/// use cordboard_sip::rtcp::{MAX_REPORT_BYTES, Reports};
/// let mut reports = Reports::new(7, 1, (Duration::ZERO, 1_700_000_000_000));
/// let mut buffer = [0; MAX_REPORT_BYTES];
/// assert_eq!(reports.poll(Duration::from_millis(20), &mut buffer), None);
/// let len = reports.poll(Duration::from_secs(10), &mut buffer).expect("long due");
/// assert!(cordboard_sip::rtcp::is_rtcp(&buffer[..len]));
/// ```
#[derive(Clone, Debug)]
pub struct Reports {
    ssrc: u32,
    clock_rate_hz: u32,
    buffer: BufferDepth,
    random: u64,
    cname: [u8; 16],
    /// NTP time at media time zero, in units of 2^-32 s.
    epoch: u64,
    due: Duration,
    last_sent: Option<Sent>,
    packets: u32,
    octets: u32,
    /// Whether anything was sent since the last report.
    active: bool,
    reception: Option<Reception>,
    /// Middle of the NTP time of their last SR, and when it came.
    their_report: Option<(u32, Duration)>,
    quality: Quality,
}

impl Reports {
    /// Begins for our source at `(now, wall_unix_ms)`. Name and times are drawn from `seed`.
    #[must_use]
    pub fn new(ssrc: u32, seed: u64, (now, wall_unix_ms): (Duration, u64)) -> Self {
        let wall = Duration::from_millis(wall_unix_ms).saturating_sub(now);
        let mut reports = Self {
            ssrc,
            clock_rate_hz: 8_000,
            buffer: BufferDepth::default(),
            random: seed,
            cname: [0; 16],
            epoch: ntp(wall).wrapping_add(NTP_OF_1970 << 32),
            due: now,
            last_sent: None,
            packets: 0,
            octets: 0,
            active: false,
            reception: None,
            their_report: None,
            quality: Quality::default(),
        };
        // RFC 7022 §4.2: a name that is new in each call says nothing of who it is.
        let name = reports.draw();
        for (at, sign) in reports.cname.iter_mut().enumerate() {
            *sign = b"0123456789abcdef"[(name >> (4 * at) & 0x0f) as usize];
        }
        let first = reports.interval() / 2;
        reports.due = now + first;
        reports
    }

    /// Sets the RTP clock of the codec agreed on, both ways; what was received begins anew where
    /// it changes.
    pub fn set_clock_rate(&mut self, clock_rate_hz: u32) {
        if clock_rate_hz != self.clock_rate_hz && clock_rate_hz > 0 {
            self.clock_rate_hz = clock_rate_hz;
            self.reception = None;
        }
    }

    /// Says how deep the jitter buffer is.
    pub fn set_buffer(&mut self, buffer: BufferDepth) {
        self.buffer = buffer;
    }

    /// Notes an RTP packet of ours, plain.
    ///
    /// # Real-time
    /// No allocation, O(1).
    pub fn sent(&mut self, now: Duration, packet: &Packet<'_>) {
        self.last_sent = Some(Sent { at: now, timestamp: packet.timestamp });
        self.packets = self.packets.wrapping_add(1);
        let len = u32::try_from(packet.payload.len()).unwrap_or(0);
        self.octets = self.octets.wrapping_add(len);
        self.active = true;
    }

    /// Notes an RTP packet of theirs that the latch accepted. A new source begins anew.
    ///
    /// # Real-time
    /// No allocation, O(1).
    pub fn received(&mut self, now: Duration, packet: &Packet<'_>) {
        let arrival = units(now, self.clock_rate_hz);
        match self.reception.as_mut().filter(|it| it.ssrc == packet.ssrc) {
            Some(reception) => reception.packet(packet.sequence, packet.timestamp, arrival),
            None => {
                let (sequence, timestamp) = (packet.sequence, packet.timestamp);
                let begun = Reception::new(packet.ssrc, sequence, timestamp, arrival);
                self.reception = Some(begun);
            }
        }
    }

    /// Reads a compound packet of theirs, plain.
    ///
    /// # Errors
    /// [`NotRtcp`]; nothing has changed then.
    ///
    /// # Real-time
    /// No allocation, linear in the packet.
    pub fn heard(&mut self, now: Duration, datagram: &[u8]) -> Result<Heard, NotRtcp> {
        let heard = read::read(datagram, self.ssrc)?;
        if let Some(ntp) = heard.sender_report {
            self.their_report = Some((middle(ntp), now));
        }
        if let Some(block) = heard.about_us {
            self.quality.remote_loss_percent = Some(f32::from(block.fraction_lost) / 2.56);
            self.quality.remote_lost = Some(block.lost);
            // RFC 3550 §6.4.1: A - LSR - DLSR, all in 1/65536 s; a lie may come out negative.
            let at = middle(self.ntp(now));
            let trip = at.wrapping_sub(block.last_report).wrapping_sub(block.delay);
            if block.last_report != 0 && trip < 60 << 16 {
                self.quality.rtt_ms = Some(millis(trip));
            }
        }
        Ok(heard)
    }

    /// Writes a report into `out` where one is due, and draws when the next is; gives its length.
    ///
    /// # Real-time
    /// No allocation.
    pub fn poll(&mut self, now: Duration, out: &mut [u8; MAX_REPORT_BYTES]) -> Option<usize> {
        if now < self.due {
            return None;
        }
        self.due = now + self.interval();
        let len = self.write(now, out).finished();
        self.active = false;
        Some(len)
    }

    /// Writes the last report, with `BYE`; gives its length.
    pub fn goodbye(&mut self, now: Duration, out: &mut [u8; MAX_REPORT_BYTES]) -> usize {
        let ssrc = self.ssrc;
        let mut writer = self.write(now, out);
        writer.bye(ssrc);
        writer.finished()
    }

    /// How the two ends hear one another, so far.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let jitter = self.reception.as_ref().map_or(0, Reception::jitter);
        let jitter_ms = u64::from(jitter) * 1_000 / u64::from(self.clock_rate_hz);
        Quality { jitter_ms: u32::try_from(jitter_ms).unwrap_or(u32::MAX), ..self.quality }
    }

    fn write<'b>(&mut self, now: Duration, out: &'b mut [u8; MAX_REPORT_BYTES]) -> Writer<'b> {
        let ntp = self.ntp(now);
        let last = self.their_report.map_or((0, 0), |(ntp, at)| {
            // DLSR in 1/65536 s.
            (ntp, middle(self::ntp(now.saturating_sub(at))))
        });
        let mut writer = Writer::new(out);
        let block = self.reception.as_mut().map(|it| it.block(last));
        match self.last_sent.filter(|_| self.active) {
            Some(sent) => {
                // The same instant on both clocks (RFC 3550 §6.4.1).
                let since = units(now.saturating_sub(sent.at), self.clock_rate_hz);
                let timestamp = sent.timestamp.wrapping_add(since);
                writer.sender_report(self.ssrc, (ntp, timestamp), (self.packets, self.octets));
            }
            None => writer.receiver_report(self.ssrc),
        }
        writer.block(block);
        writer.cname(self.ssrc, &self.cname);
        if let Some(reception) = &self.reception {
            let rtt_ms = self.quality.rtt_ms.unwrap_or(0);
            let metrics = reception.metrics(rtt_ms, self.buffer);
            writer.voip_metrics(self.ssrc, &metrics);
        }
        writer
    }

    fn ntp(&self, now: Duration) -> u64 {
        self.epoch.wrapping_add(ntp(now))
    }

    /// RFC 3550 §6.3.1: half to one and a half of the interval, evenly.
    fn interval(&mut self) -> Duration {
        let share = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        INTERVAL.mul_f64((0.5 + share) / COMPENSATION)
    }

    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(1);
        crate::sender::split_mix(self.random)
    }
}

/// A span in units of 2^-32 s.
fn ntp(span: Duration) -> u64 {
    (span.as_secs() << 32) | ((u64::from(span.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The middle 32 of 64 bits: units of 1/65536 s.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16 & u64::from(u32::MAX)) as u32
}

fn millis(units: u32) -> u32 {
    u32::try_from((u64::from(units) * 1_000) >> 16).unwrap_or(u32::MAX)
}

/// A span in ticks of the RTP clock, modulo 2^32 as timestamps are.
fn units(span: Duration, clock_rate_hz: u32) -> u32 {
    let ticks = span.as_micros() * u128::from(clock_rate_hz) / 1_000_000;
    (ticks & u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests;
