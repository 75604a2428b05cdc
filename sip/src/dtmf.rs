//! Keys that arrive as telephone events (RFC 4733): one [`Digit`] for each press.
//!
//! ```text
//!  packets of one press, one timestamp:   M ─ · ─ · ─ · ─ E ─ E ─ E
//!  any of them may be missing             └── one Digit, at the first E seen, or 100 ms after
//!                                             the last packet where no E comes through
//! ```
//!
//! The timestamp names the press; marker bits and sequence numbers are not needed. Absent: keys in
//! the sound itself (`cordboard-audio` finds those), and events over 15.

use std::time::Duration;

/// Silence after which a press without an end packet is over.
pub const END_AFTER: Duration = Duration::from_millis(100);
/// Duration at which a long press goes on under a new timestamp (RFC 4733 §2.5.1.3).
const SEGMENT_SAMPLES: u16 = u16::MAX;
/// A timestamp further back than this is a stream begun anew, not a late packet.
const LATE_S: u32 = 8;
/// Clock of the events where nothing else is said.
const CLOCK_HZ: u32 = 8_000;

/// A key of the telephone: `0`-`9`, `*`, `#`, `A`-`D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u8);

impl Key {
    /// From an event number.
    #[must_use]
    pub fn from_event(event: u8) -> Option<Self> {
        (event < 16).then_some(Self(event))
    }

    /// From its sign.
    #[must_use]
    pub fn from_sign(sign: char) -> Option<Self> {
        let upper = sign.to_ascii_uppercase();
        SIGNS.iter().position(|it| *it == upper).and_then(|it| u8::try_from(it).ok()).map(Self)
    }

    /// Its event number (RFC 4733 §3.2, table 3).
    #[must_use]
    pub fn event(self) -> u8 {
        self.0
    }

    /// Its sign.
    #[must_use]
    pub fn sign(self) -> char {
        SIGNS[usize::from(self.0 & 0x0f)]
    }
}

/// In the order of their event numbers.
const SIGNS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// A key pressed and let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// Which.
    pub key: Key,
    /// For how long, as far as the packets that came through say.
    pub duration: Duration,
}

/// A press under way.
#[derive(Clone, Copy, Debug)]
struct Press {
    key: Key,
    timestamp: u32,
    /// Of the segments before this one.
    before_samples: u32,
    samples: u16,
    last_seen: Duration,
}

impl Press {
    fn digit(&self, clock_hz: u32) -> Digit {
        let samples = u64::from(self.before_samples.saturating_add(self.samples.into()));
        let duration = Duration::from_nanos(samples * 1_000_000_000 / u64::from(clock_hz));
        Digit { key: self.key, duration }
    }
}

/// Collects the events of one incoming stream.
///
/// ```
/// use std::time::Duration;
/// use cordboard_sip::dtmf::KeyReceiver;
/// let mut receiver = KeyReceiver::default();
/// let mut keys = String::new();
/// // Only the end of a "5" came through, three times.
/// for _ in 0..3 {
///     receiver.packet(Duration::ZERO, 1000, &[5, 0x8a, 3, 0x20], |it| keys.push(it.key.sign()));
/// }
/// assert_eq!(keys, "5");
/// ```
#[derive(Clone, Debug)]
pub struct KeyReceiver {
    clock_hz: u32,
    press: Option<Press>,
    /// Timestamp of the press that was told last.
    told: Option<u32>,
    ignored: u64,
}

impl Default for KeyReceiver {
    fn default() -> Self {
        Self { clock_hz: CLOCK_HZ, press: None, told: None, ignored: 0 }
    }
}

impl KeyReceiver {
    /// Sets the clock of the events, as it was agreed on; 8 kHz before. A 0 changes nothing.
    pub fn set_clock(&mut self, hz: u32) {
        self.clock_hz = if hz == 0 { self.clock_hz } else { hz };
    }

    /// Takes the payload of one telephone-event packet; `digit` is called for each press that is
    /// over by it: at most two, where an end was lost and the next press is in this packet.
    pub fn packet(
        &mut self,
        now: Duration,
        timestamp: u32,
        payload: &[u8],
        mut digit: impl FnMut(Digit),
    ) {
        let Some((&[event, flags, high, low], _)) = payload.split_first_chunk::<4>() else {
            self.ignored += 1;
            return;
        };
        let Some(key) = Key::from_event(event).filter(|_| !self.is_old(timestamp)) else {
            self.ignored += 1;
            return;
        };
        let samples = u16::from_be_bytes([high, low]);
        let mut press = match self.press.take() {
            Some(press) if press.timestamp == timestamp => press,
            Some(press) if continues(&press, key, timestamp) => Press {
                timestamp,
                before_samples: press.before_samples.saturating_add(press.samples.into()),
                samples: 0,
                ..press
            },
            other => {
                if let Some(press) = other {
                    self.tell(&press, &mut digit);
                }
                Press { key, timestamp, before_samples: 0, samples: 0, last_seen: now }
            }
        };
        press.samples = press.samples.max(samples);
        press.last_seen = now;
        if flags & 0x80 != 0 {
            self.tell(&press, &mut digit);
        } else {
            self.press = Some(press);
        }
    }

    /// When [`poll`](Self::poll) has something to say, if no packet comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.press.map(|it| it.last_seen + END_AFTER)
    }

    /// Ends a press whose packets have stopped coming.
    pub fn poll(&mut self, now: Duration) -> Option<Digit> {
        let press = self.press.take_if(|it| now >= it.last_seen + END_AFTER)?;
        let mut ended = None;
        self.tell(&press, &mut |it| ended = Some(it));
        ended
    }

    /// Forgets what was told: another source has another clock.
    pub fn restart(&mut self) {
        self.press = None;
        self.told = None;
    }

    /// Packets that said nothing: too short, no key, or of a press already told.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    fn tell(&mut self, press: &Press, digit: &mut impl FnMut(Digit)) {
        self.told = Some(press.timestamp);
        digit(press.digit(self.clock_hz));
    }

    /// Of the press told last, or late from before it.
    fn is_old(&self, timestamp: u32) -> bool {
        self.told
            .is_some_and(|told| told.wrapping_sub(timestamp) < LATE_S.saturating_mul(self.clock_hz))
    }
}

fn continues(press: &Press, key: Key, timestamp: u32) -> bool {
    press.key == key
        && press.samples == SEGMENT_SAMPLES
        && timestamp == press.timestamp.wrapping_add(u32::from(SEGMENT_SAMPLES))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::Packet;
    use crate::sender::{FRAME_SAMPLES, Sender};

    const MS: Duration = Duration::from_millis(1);

    fn payload(event: u8, end: bool, ms: u16) -> [u8; 4] {
        let [high, low] = (ms * 8).to_be_bytes();
        [event, (u8::from(end) << 7) | 10, high, low]
    }

    fn heard(packets: &[(u32, u32, [u8; 4])]) -> Vec<(char, u128)> {
        let mut receiver = KeyReceiver::default();
        let mut out = Vec::new();
        for (at_ms, timestamp, payload) in packets {
            let now = MS * *at_ms;
            out.extend(receiver.poll(now));
            receiver.packet(now, *timestamp, payload, |it| out.push(it));
        }
        out.extend(receiver.poll(MS * 1_000_000));
        out.iter().map(|it| (it.key.sign(), it.duration.as_millis())).collect()
    }

    #[test]
    fn each_press_is_told_once_whatever_is_lost() {
        let full = |start: u32, at: u32, event| {
            vec![
                (at, start, payload(event, false, 0)),
                (at + 20, start, payload(event, false, 20)),
                (at + 40, start, payload(event, false, 40)),
                (at + 60, start, payload(event, true, 60)),
                (at + 60, start, payload(event, true, 60)),
                (at + 60, start, payload(event, true, 60)),
            ]
        };
        let one = full(800, 0, 7);
        let two = [full(800, 0, 7), full(4000, 200, 7)].concat();
        for (packets, expected) in [
            (one.clone(), vec![('7', 60)]),
            (one[3..].to_vec(), vec![('7', 60)]),
            (one[5..].to_vec(), vec![('7', 60)]),
            (one[..3].to_vec(), vec![('7', 40)]),
            (one[..1].to_vec(), vec![('7', 0)]),
            ([&one[4..], &one[..4]].concat(), vec![('7', 60)]),
            (two.clone(), vec![('7', 60), ('7', 60)]),
            // The first press has lost its end and the second its beginning.
            ([&two[..3], &two[9..]].concat(), vec![('7', 40), ('7', 60)]),
            // A straggler of the first press after the second.
            ([&two[..], &two[3..4]].concat(), vec![('7', 60), ('7', 60)]),
        ] {
            assert_eq!(heard(&packets), expected, "{packets:?}");
        }
    }

    #[test]
    fn events_at_the_clock_of_opus_last_as_long_as_they_did() {
        let mut receiver = KeyReceiver::default();
        receiver.set_clock(48_000);
        let mut heard = Vec::new();
        receiver.packet(MS, 9, &[4, 0x8a, 0x12, 0xc0], |it| heard.push(it));
        assert_eq!(heard, [Digit { key: Key(4), duration: MS * 100 }]);
    }

    #[test]
    fn a_press_told_by_its_silence_is_not_told_again_by_its_end() {
        let packets = [(0, 8, payload(1, false, 20)), (150, 8, payload(1, true, 150))];
        assert_eq!(heard(&packets), [('1', 20)]);
    }

    #[test]
    fn a_press_of_over_eight_seconds_is_one() {
        let max = [3, 10, 0xff, 0xff];
        let packets = [(0, 100, max), (20, 100 + 65_535, payload(3, true, 20))];
        assert_eq!(heard(&packets), [('3', 8211)]);
    }

    #[test]
    fn what_is_no_key_is_counted() {
        let mut receiver = KeyReceiver::default();
        let mut count = 0;
        for bytes in [&[][..], &[5, 0x80], &[16, 0x80, 0, 8], &[255, 0x80, 0, 8]] {
            receiver.packet(MS, 1, bytes, |_| count += 1);
        }
        assert_eq!((count, receiver.ignored()), (0, 4));
    }

    #[test]
    fn signs_and_events_are_the_same_sixteen() {
        for event in 0..16 {
            let key = Key::from_event(event).unwrap();
            assert_eq!(Key::from_sign(key.sign().to_ascii_lowercase()), Some(key));
        }
        assert_eq!((Key::from_event(16), Key::from_sign('x')), (None, None));
    }

    #[test]
    fn a_press_of_more_segments_than_can_be_counted_is_as_long_as_can_be() {
        let (mut receiver, mut told) = (KeyReceiver::default(), Vec::new());
        let held = [5, 10, 0xff, 0xff];
        for segment in 0..=u32::from(u16::MAX) + 2 {
            let timestamp = segment.wrapping_mul(u32::from(SEGMENT_SAMPLES));
            receiver.packet(Duration::ZERO, timestamp, &held, |it| told.push(it));
        }
        told.extend(receiver.poll(END_AFTER));
        let [digit] = told[..] else { panic!("{} presses", told.len()) };
        assert_eq!(digit.duration.as_secs(), u64::from(u32::MAX) / 8_000);
    }

    proptest! {
        #[test]
        fn what_our_sender_keys_is_heard_whichever_packets_arrive(
            keys in proptest::collection::vec(0_u8..16, 1..6), losses: u64,
        ) {
            let mut sender = Sender::new(0, 20, 42);
            let mut receiver = KeyReceiver::default();
            let (mut heard, mut now, mut index) = (Vec::new(), Duration::ZERO, 0);
            for key in &keys {
                sender.key(*key, 101, 100);
                // One packet of each press is let through for certain: its very last.
                let mut sent = Vec::new();
                for _ in 0..8 {
                    sender.push(&[0xff; FRAME_SAMPLES], |it| sent.push(it.to_vec()));
                }
                let sure = sent.iter().rposition(|it| it[1] & 0x7f == 101).unwrap();
                for (place, bytes) in sent.iter().enumerate() {
                    let packet = Packet::parse(bytes).unwrap();
                    index += 1;
                    let kept = place == sure || losses >> (index % 64) & 1 == 0;
                    if packet.payload_type == 101 && kept {
                        let tell = |it: Digit| heard.push(it.key.event());
                        receiver.packet(now, packet.timestamp, packet.payload, tell);
                    }
                    now += MS * 10;
                }
            }
            prop_assert_eq!(heard, keys);
        }

        #[test]
        fn any_packets_are_survived(
            packets in proptest::collection::vec(
                (any::<u32>(), proptest::collection::vec(any::<u8>(), 0..8)), 0..50),
        ) {
            let mut receiver = KeyReceiver::default();
            let mut digits = 0;
            for (index, (timestamp, payload)) in packets.iter().enumerate() {
                receiver.packet(MS * index as u32, *timestamp, payload, |_| digits += 1);
            }
            prop_assert!(digits <= packets.len());
        }
    }
}
