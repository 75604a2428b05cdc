//! Our side of a stream: 20 ms of encoded sound in, packets of the agreed packet time out.
//!
//! ```text
//! 20 ms payload ──► [ 160 | 160 | 160 ] ──► packet of 80 to 480 bytes ──► socket
//!                        keys (RFC 4733) take the place of sound while they last
//! ```
//!
//! Of G.711 and G.722 a byte is a tick of the RTP clock, and packets may have any length; a frame
//! of Opus is a packet by itself and lasts as many ticks as [`Sender::frames_of`] says.
//!
//! Timestamps follow the samples handed in, played or not; sequence numbers follow the packets.
//! Absent: the clock (the caller's tick is the clock) and RTCP.

use crate::rtp::{HEADER_BYTES, Header};

/// Samples, and bytes, of the 20 ms that are handed in at once.
pub const FRAME_SAMPLES: usize = 160;
/// Bytes of 60 ms, the longest packet time.
const MAX_PAYLOAD_BYTES: usize = 480;
/// RFC 4733 §2.5.1.4: the last packet of an event is sent three times in all.
const END_COPIES: usize = 3;
/// RFC 4733 §2.3: volume in -dBm0; -10 dBm0 is what telephones make.
const VOLUME: u8 = 10;

/// A key that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    event: u8,
    payload_type: u8,
    /// Ticks of its clock sent so far.
    elapsed: u16,
    /// Ticks of its clock in all.
    total: u16,
    /// Ticks of the sound's clock that have passed.
    passed: u32,
}

/// Packetizes one outgoing stream.
///
/// ```
/// use cordboard_sip::sender::{FRAME_SAMPLES, Sender};
/// let mut sender = Sender::new(0, 20, 0x1234_5678_9abc);
/// let mut sent = 0;
/// sender.push(&[0xff; FRAME_SAMPLES], |packet| {
///     assert_eq!(packet.len(), 12 + 160);
///     sent += 1;
/// });
/// assert_eq!(sent, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Sender {
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    /// Timestamp of the first sample that waits in `packet`.
    timestamp: u32,
    packet_samples: usize,
    /// Ticks of one frame, where a frame is a packet; none where a byte is a tick.
    frame_ticks: Option<u32>,
    /// Ticks of the keys' clock in a ms.
    key_per_ms: u16,
    waiting: usize,
    marker: bool,
    key: Option<Key>,
    packet: [u8; HEADER_BYTES + MAX_PAYLOAD_BYTES],
}

impl Sender {
    /// Begins a stream. From `seed` come source, first sequence number and first timestamp
    /// (RFC 3550 §5.1 wants them random). `ptime_ms` is held to 10..=60, in steps of 10.
    #[must_use]
    pub fn new(payload_type: u8, ptime_ms: u8, seed: u64) -> Self {
        let mixed = [split_mix(seed), split_mix(seed.wrapping_add(1))];
        Self {
            ssrc: low(mixed[0]),
            payload_type,
            sequence: (mixed[1] >> 48) as u16,
            timestamp: low(mixed[1]),
            packet_samples: packet_samples(ptime_ms),
            frame_ticks: None,
            key_per_ms: 8,
            waiting: 0,
            marker: true,
            key: None,
            packet: [0; HEADER_BYTES + MAX_PAYLOAD_BYTES],
        }
    }

    /// Our source identifier.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Sets the clock of the keys, as it was agreed on; 8 kHz before.
    pub fn keys_at(&mut self, hz: u32) {
        self.key_per_ms = u16::try_from(hz / 1_000).unwrap_or(8).max(1);
    }

    /// From now on each frame handed in is a packet of so many ticks; `None`: a byte is a tick.
    pub fn frames_of(&mut self, ticks: Option<u32>) {
        self.timestamp = self.timestamp();
        self.waiting = 0;
        self.frame_ticks = ticks;
    }

    /// Timestamp of the next sample to be handed in.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp.wrapping_add(self.waiting as u32)
    }

    /// Ticks of what is handed in at once, of so many bytes.
    fn ticks(&self, bytes: usize) -> u32 {
        self.frame_ticks.unwrap_or(bytes as u32)
    }

    /// Whether a key is still being sent.
    #[must_use]
    pub fn is_keying(&self) -> bool {
        self.key.is_some()
    }

    /// Takes over what a later negotiation agreed on; the stream goes on. What waits is dropped.
    pub fn renegotiate(&mut self, payload_type: u8, ptime_ms: u8) {
        self.timestamp = self.timestamp();
        self.waiting = 0;
        self.payload_type = payload_type;
        self.packet_samples = packet_samples(ptime_ms);
    }

    /// Hands in the next 20 ms of sound and sends as many packets as that makes: two of 10 ms, one
    /// of 20 ms, every third time of 60 ms. While a key lasts, one packet of it is sent instead.
    ///
    /// # Real-time
    /// No allocation, no lock.
    pub fn push(&mut self, payload: &[u8], mut send: impl FnMut(&[u8])) {
        if self.key.is_some() {
            self.key_step(self.ticks(payload.len()), &mut send);
            return;
        }
        if let Some(ticks) = self.frame_ticks {
            let len = payload.len().min(MAX_PAYLOAD_BYTES);
            self.packet[HEADER_BYTES..][..len].copy_from_slice(&payload[..len]);
            self.send_packet(len, ticks, &mut send);
            return;
        }
        let mut rest = payload;
        while !rest.is_empty() {
            let taken = rest.len().min(self.packet_samples - self.waiting);
            let (now, later) = rest.split_at(taken);
            let at = HEADER_BYTES + self.waiting;
            self.packet[at..at + taken].copy_from_slice(now);
            self.waiting += taken;
            rest = later;
            if self.waiting == self.packet_samples {
                self.flush(&mut send);
            }
        }
    }

    /// Passes over a frame of so many bytes that is not sent.
    pub fn skip_frame(&mut self, bytes: usize) {
        self.skip(self.ticks(bytes));
    }

    /// Passes over time in which nothing is sent: a late tick, a hold. What waits is dropped; the
    /// next packet is marked as the start of a stretch (RFC 3551 §4.1).
    pub fn skip(&mut self, samples: u32) {
        self.timestamp = self.timestamp().wrapping_add(samples);
        self.waiting = 0;
        self.marker = true;
    }

    /// Begins a key (RFC 4733): `event` 0 to 15, lasting `duration_ms` from the next [`push`] on,
    /// at most what one event can say: 8 s, at the clock of Opus 1.3 s. Whatever key is under way
    /// is cut.
    ///
    /// [`push`]: Self::push
    pub fn key(&mut self, event: u8, payload_type: u8, duration_ms: u16) {
        self.timestamp = self.timestamp();
        self.waiting = 0;
        self.marker = true;
        let total = duration_ms.clamp(40, 8000).saturating_mul(self.key_per_ms);
        self.key = Some(Key { event: event & 0x0f, payload_type, elapsed: 0, total, passed: 0 });
    }

    fn flush(&mut self, send: &mut impl FnMut(&[u8])) {
        let bytes = std::mem::take(&mut self.waiting);
        self.send_packet(bytes, bytes as u32, send);
    }

    fn send_packet(&mut self, bytes: usize, ticks: u32, send: &mut impl FnMut(&[u8])) {
        let header = Header {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.packet[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
        send(&self.packet[..HEADER_BYTES + bytes]);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.marker = false;
    }

    /// All packets of an event carry its start as timestamp (RFC 4733 §2.5.1.2).
    fn key_step(&mut self, ticks: u32, send: &mut impl FnMut(&[u8])) {
        let Some(mut key) = self.key else { return };
        key.passed = key.passed.wrapping_add(ticks);
        // A frame is 20 ms; of the other codecs a tick is an eighth of a ms.
        let eighths = self.frame_ticks.map_or(ticks, |_| 160);
        let step = eighths.saturating_mul(u32::from(self.key_per_ms)) / 8;
        let step = u16::try_from(step).unwrap_or(u16::MAX);
        key.elapsed = key.elapsed.saturating_add(step).min(key.total);
        let ended = key.elapsed == key.total;
        for _ in 0..if ended { END_COPIES } else { 1 } {
            let header = Header {
                marker: self.marker,
                payload_type: key.payload_type,
                sequence: self.sequence,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
            };
            let [high, low] = key.elapsed.to_be_bytes();
            self.packet[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
            let body = [key.event, (u8::from(ended) << 7) | VOLUME, high, low];
            self.packet[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&body);
            send(&self.packet[..HEADER_BYTES + 4]);
            self.sequence = self.sequence.wrapping_add(1);
            self.marker = false;
        }
        if ended {
            self.skip(key.passed);
        }
        self.key = (!ended).then_some(key);
    }
}

fn packet_samples(ptime_ms: u8) -> usize {
    usize::from(ptime_ms.clamp(10, 60) / 10 * 10) * 8
}

/// The lower half.
fn low(wide: u64) -> u32 {
    (wide & u64::from(u32::MAX)) as u32
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads neighbouring seeds apart.
pub(crate) fn split_mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::Packet;

    /// `(marker, payload type, sequence, timestamp, payload bytes)` relative to the first.
    fn sent(sender: &mut Sender, frames: usize) -> Vec<(bool, u8, u16, u32, usize)> {
        let (sequence, timestamp) = (sender.sequence, sender.timestamp());
        let mut out = Vec::new();
        for _ in 0..frames {
            sender.push(&[0xff; FRAME_SAMPLES], |bytes| {
                let it = Packet::parse(bytes).unwrap();
                let (sequence, timestamp) =
                    (it.sequence.wrapping_sub(sequence), it.timestamp.wrapping_sub(timestamp));
                out.push((it.marker, it.payload_type, sequence, timestamp, it.payload.len()));
            });
        }
        out
    }

    #[test]
    fn twenty_milliseconds_become_packets_of_each_packet_time() {
        for (ptime_ms, frames, expected) in [
            (10, 1, vec![(true, 0, 0, 0, 80), (false, 0, 1, 80, 80)]),
            (20, 2, vec![(true, 0, 0, 0, 160), (false, 0, 1, 160, 160)]),
            (30, 3, vec![(true, 0, 0, 0, 240), (false, 0, 1, 240, 240)]),
            (40, 4, vec![(true, 0, 0, 0, 320), (false, 0, 1, 320, 320)]),
            (60, 5, vec![(true, 0, 0, 0, 480)]),
        ] {
            assert_eq!(sent(&mut Sender::new(0, ptime_ms, 1), frames), expected, "{ptime_ms}");
        }
    }

    #[test]
    fn a_gap_moves_the_timestamp_and_marks_the_next_packet() {
        let mut sender = Sender::new(8, 20, 9);
        let before = sender.timestamp();
        assert!(sent(&mut sender, 1)[0].0);
        sender.skip(320);
        assert_eq!(sender.timestamp().wrapping_sub(before), 480);
        assert_eq!(sent(&mut sender, 1), [(true, 8, 0, 0, 160)]);
        assert_eq!(sent(&mut sender, 1), [(false, 8, 0, 0, 160)]);
    }

    #[test]
    fn a_frame_of_opus_is_a_packet_and_steps_by_its_clock() {
        let mut sender = Sender::new(111, 60, 1);
        sender.frames_of(Some(960));
        let begin = sender.timestamp();
        let mut sent = Vec::new();
        for bytes in [40, 1, 77] {
            sender.push(&[7; 80][..bytes], |packet| {
                let it = Packet::parse(packet).unwrap();
                sent.push((it.timestamp.wrapping_sub(begin), it.payload.len()));
            });
        }
        sender.skip_frame(33);
        assert_eq!(sent, [(0, 40), (960, 1), (1_920, 77)]);
        assert_eq!(sender.timestamp().wrapping_sub(begin), 3_840);
        // 60 ms of a key: three frames of the same clock.
        sender.keys_at(48_000);
        sender.key(5, 110, 60);
        let mut last = [0; 4];
        for _ in 0..3 {
            sender.push(&[7; 40], |packet| {
                last.copy_from_slice(Packet::parse(packet).unwrap().payload);
            });
        }
        assert_eq!(last, [5, 0x80 | VOLUME, 0x0b, 0x40], "ended after 2880 ticks");
        assert!(!sender.is_keying());
    }

    #[test]
    fn a_key_takes_the_place_of_sound_and_ends_three_times() {
        let mut sender = Sender::new(0, 20, 3);
        sender.key(5, 101, 60);
        assert!(sender.is_keying());
        let packets = sent(&mut sender, 4);
        let keys: Vec<_> = packets.iter().filter(|it| it.1 == 101).collect();
        assert_eq!(keys.len(), 2 + END_COPIES);
        assert!(keys.iter().all(|it| it.3 == 0), "one timestamp for the event: {keys:?}");
        assert_eq!(keys.iter().filter(|it| it.0).count(), 1);
        assert_eq!(packets.last(), Some(&(true, 0, 5, 480, 160)), "sound goes on after the key");
    }

    proptest! {
        #[test]
        fn no_sample_is_lost_or_doubled(
            ptime_ms in 0_u8..80, frames in proptest::collection::vec(0_usize..200, 0..40),
            seed: u64,
        ) {
            let mut sender = Sender::new(0, ptime_ms, seed);
            let mut next = sender.timestamp();
            let (mut handed, mut got) = (0, 0);
            for samples in frames {
                handed += samples;
                sender.push(&vec![1; samples], |bytes| {
                    let packet = Packet::parse(bytes).unwrap();
                    assert_eq!(packet.timestamp, next);
                    next = next.wrapping_add(packet.payload.len() as u32);
                    got += packet.payload.len();
                });
            }
            prop_assert!(handed - got < 480);
            prop_assert_eq!(handed - got, sender.waiting);
        }
    }
}
