//! The packet jitter buffer: takes RTP packets as the network brings them, gives them in order, at
//! their time. Stands before the decoder.
//!
//! ```text
//!            first packet            its time has come
//!  (vacant) ─────────────► Fresh ───────────────────────► Playing ──┐ packet, or a hole
//!                                                          │  ▲  ▲──┘ between packets: Lost
//!                            nothing held: the network late│  │
//!                                  ┌───────────── Dry ◄────┤  │ time of the next packet
//!                                  └─────────────────────►─┼──┤
//!                       timestamps leap, sequence does not:│  │
//!                       the sender was silent ── Resting ◄─┘  │
//!                                  └─────────────────────►────┘
//! ```
//!
//! Sequence and timestamp are extended over their wraps (RFC 3550 A.1). A packet far off the
//! stream is believed when it bears the marker, continues the sequence, or when a second follows
//! it in sequence (A.1's probation); then the buffer begins anew and counts a resync. While it is
//! dry the play-out position stands still, so that late speech is played late and not lost; what
//! the wait added is taken back in pauses, see [`JitterBuffer::slack`].
//!
//! A sender that falls silent says so by comfort noise ([`JitterBuffer::pass`]) or by a packet of
//! Opus's DTX: the buffer rests then, and what does not come is not lost.
//!
//! Absent: decoding, SSRC (a new one is a [`JitterBuffer::reset`]), and any clock.

mod lateness;
mod slots;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::lateness::{Lateness, TARGET_MAX_MS};
use self::slots::{Content, Entry, Slots};
use self::stream::{Phase, Place, Stream};
use crate::{Codec, MediaTime};

/// Packets held at most; the oldest is discarded for one more.
pub const SLOTS: usize = 64;
/// Sound held at most, ms: the longest target and one packet of 60 ms. Beyond it the oldest is
/// discarded.
const DEPTH_MAX_MS: i64 = TARGET_MAX_MS + 60;

/// An RTP packet of sound as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp of the first sample.
    pub timestamp: u32,
    /// Marker bit: a talk spurt begins here (RFC 3551 §4.1).
    pub marker: bool,
    /// The encoded sound.
    pub payload: &'a [u8],
    /// When it arrived.
    pub arrived: MediaTime,
}

/// What became of a packet that was inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// Waits for its time.
    Kept,
    /// Waits for its time, the first of a stream begun anew.
    Resynced,
    /// Had come before.
    Duplicate,
    /// Its time is over.
    Late,
    /// Empty, too long, or of no stream that is believed in.
    Refused,
}

/// What the buffer has for the player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popped<'a> {
    /// The next packet.
    Packet {
        /// RTP sequence number.
        sequence: u16,
        /// RTP timestamp, extended over wraps.
        timestamp: i64,
        /// The encoded sound.
        payload: &'a [u8],
    },
    /// A hole before the next packet: so many ticks are to be made up, then pop again.
    Lost {
        /// Length of it, in ticks of the RTP clock; not 0.
        ticks: usize,
        /// The packet after it, where the hole ends with this stretch: it may repeat what is lost.
        successor: Option<&'a [u8]>,
    },
    /// The network is late: make up what is missing of this frame, pop again at the next tick.
    Dry,
    /// The sender is silent, or has not begun.
    Resting,
}

/// What the buffer has seen. Of what was received, all was played, late, a duplicate, refused,
/// discarded, or is still held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Packets inserted, whatever became of them.
    pub received: u64,
    /// Packets given to the decoder.
    pub played: u64,
    /// Packets whose time was over when they came.
    pub late: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that had come before.
    pub duplicate: u64,
    /// Packets that were empty, too long, or of no stream believed in.
    pub refused: u64,
    /// Packets thrown away unplayed: too many waiting, or the stream began anew.
    pub discarded: u64,
    /// How often the stream began anew in its middle.
    pub resyncs: u64,
}

/// The jitter buffer of one leg.
///
/// # Real-time
/// `insert` and `pop` allocate nothing; each is O(packets held).
///
/// # Examples
/// ```
/// use cordboard_audio::{Codec, JitterBuffer, MediaTime, Packet, Popped};
///
/// let mut buffer = JitterBuffer::new(Codec::Pcmu);
/// let arrived = MediaTime::from_millis(5);
/// let payload = &[0xff; 160];
/// buffer.insert(Packet { sequence: 7, timestamp: 160, marker: true, payload, arrived });
/// assert_eq!(buffer.pop(MediaTime::from_millis(20)), Popped::Resting);
/// let next = Popped::Packet { sequence: 7, timestamp: 160, payload };
/// assert_eq!(buffer.pop(MediaTime::from_millis(60)), next);
/// assert_eq!(buffer.counters().played, 1);
/// ```
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    codec: Codec,
    slots: Slots,
    lateness: Lateness,
    stream: Option<Stream>,
    /// The sequence number that would prove the packet refused last to be of a new stream.
    suspect: Option<u16>,
    counters: JitterCounters,
}

impl JitterBuffer {
    /// Makes an empty buffer for packets of this codec.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            slots: Slots::new(codec.payload_bytes_usual()),
            lateness: Lateness::new(codec.clock_hz()),
            stream: None,
            suspect: None,
            counters: JitterCounters::default(),
        }
    }

    /// Takes a packet in.
    pub fn insert(&mut self, packet: Packet<'_>) -> Inserted {
        self.counters.received += 1;
        let inserted = self.place(&packet);
        match inserted {
            Inserted::Kept | Inserted::Resynced => {}
            Inserted::Duplicate => self.counters.duplicate += 1,
            Inserted::Late => self.counters.late += 1,
            Inserted::Refused => self.counters.refused += 1,
        }
        inserted
    }

    /// Takes note of a packet of the stream that is no sound (a telephone event, comfort noise):
    /// its sequence number is not lost, and after it the sender is silent, not late.
    pub fn pass(&mut self, sequence: u16) {
        let Some(stream) = &mut self.stream else { return };
        let Some(sequence) = stream.extend_sequence(sequence) else { return };
        if sequence < stream.next || self.slots.at(sequence).is_some() {
            return;
        }
        self.make_room(sequence);
        let entry = Entry { content: Content::Other, sequence, timestamp: 0, len: 0, ticks: 0 };
        self.slots.put(entry, &[]);
        if let Some(stream) = &mut self.stream {
            stream.highest = stream.highest.max(sequence);
        }
    }

    /// Gives what is to be played at `now`; called again and again while a frame lacks samples.
    pub fn pop(&mut self, now: MediaTime) -> Popped<'_> {
        self.trim();
        let Some(stream) = &mut self.stream else { return Popped::Resting };
        while let Some(Entry { content: Content::Other, .. }) = self.slots.at(stream.next) {
            self.slots.take(stream.next);
            stream.step(true);
            stream.rest();
        }
        let Some(head) = self.slots.first_sound(stream.next) else {
            return match stream.phase {
                Phase::Fresh | Phase::Resting => Popped::Resting,
                Phase::Playing { .. } | Phase::Dry => {
                    stream.phase = Phase::Dry;
                    Popped::Dry
                }
            };
        };
        let present = ticks(now, self.codec);
        let due = present >= self.lateness.due(head.timestamp);
        match stream.phase {
            Phase::Fresh | Phase::Resting if !due => return Popped::Resting,
            Phase::Dry if !due => return Popped::Dry,
            Phase::Fresh | Phase::Resting | Phase::Dry => {}
            Phase::Playing { play, made_up, ticks_each } => {
                let hole = head.timestamp - play;
                let ours = absent(&self.slots, stream.next, head.sequence) * ticks_each - made_up;
                if hole > 0 && ours > 0 {
                    if present + ticks_of_ms(20, self.codec) <= self.lateness.due(play) {
                        // A frame sooner than is aimed at: what is missing may still come.
                        return Popped::Dry;
                    }
                    let longest = ticks_of_ms(20, self.codec).max(ticks_each);
                    let made = hole.min(ours).min(longest);
                    stream.phase =
                        Phase::Playing { play: play + made, made_up: made_up + made, ticks_each };
                    let successor = (made == hole).then(|| self.slots.payload(&head));
                    return Popped::Lost { ticks: made as usize, successor };
                }
                if hole > 0 && !due {
                    stream.phase = Phase::Resting;
                    return Popped::Resting;
                }
            }
        }
        self.play(head)
    }

    /// Begins anew, as for a new SSRC; counters and the measured jitter stay.
    pub fn reset(&mut self) {
        self.counters.discarded += self.slots.sounds() as u64;
        self.slots.clear();
        self.stream = None;
        self.suspect = None;
        self.lateness.rebase();
    }

    /// Begins anew for packets of this codec; counters stay.
    pub fn set_codec(&mut self, codec: Codec) {
        self.reset();
        self.codec = codec;
        self.lateness = Lateness::new(codec.clock_hz());
    }

    /// What it has seen.
    #[must_use]
    pub const fn counters(&self) -> JitterCounters {
        self.counters
    }

    /// Sound held, from the begin of the oldest packet to the end of the newest.
    #[must_use]
    pub fn depth(&self) -> Duration {
        self.duration(self.depth_ticks())
    }

    /// Delay that the buffer aims at.
    #[must_use]
    pub fn target(&self) -> Duration {
        self.duration(self.lateness.target())
    }

    /// Interarrival jitter of RFC 3550 §6.4.1.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.duration(self.lateness.jitter() as i64)
    }

    /// Packets held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.slots.sounds()
    }

    /// By how many ticks the play-out is later (or, negative, earlier) than it aims to be, with
    /// `pending` decoded samples not played yet; none unless it is playing. A player makes use of
    /// it in pauses: skips where it is later, repeats where it is earlier.
    #[must_use]
    pub fn slack(&self, now: MediaTime, pending: usize) -> Option<i64> {
        let Phase::Playing { play, .. } = self.stream.as_ref()?.phase else { return None };
        Some(ticks(now, self.codec) - self.lateness.due(play - pending as i64))
    }

    fn place(&mut self, packet: &Packet<'_>) -> Inserted {
        let too_long = packet.payload.len() > self.codec.payload_bytes_max();
        if too_long || self.codec.ticks_of(packet.payload) == 0 {
            return Inserted::Refused;
        }
        let arrived = ticks(packet.arrived, self.codec);
        let Some(stream) = &self.stream else {
            self.begin(packet, arrived);
            return Inserted::Kept;
        };
        let proven = self.suspect == Some(packet.sequence);
        match stream.place(packet, arrived, ticks_of_ms(1_000, self.codec)) {
            Place::Here { sequence, timestamp } => {
                self.suspect = None;
                self.keep(packet, arrived, sequence, timestamp)
            }
            Place::Continued => self.resync(packet, arrived),
            Place::Strange if packet.marker || proven => self.resync(packet, arrived),
            Place::Strange => {
                self.suspect = Some(packet.sequence.wrapping_add(1));
                Inserted::Refused
            }
        }
    }

    fn resync(&mut self, packet: &Packet<'_>, arrived: i64) -> Inserted {
        self.reset();
        self.counters.resyncs += 1;
        self.begin(packet, arrived);
        Inserted::Resynced
    }

    fn begin(&mut self, packet: &Packet<'_>, arrived: i64) {
        let stream = Stream::begin(packet, arrived);
        let (sequence, timestamp) = (stream.next, stream.highest_timestamp);
        self.stream = Some(stream);
        self.lateness.observe(arrived, timestamp);
        self.store(packet, sequence, timestamp);
    }

    fn keep(
        &mut self,
        packet: &Packet<'_>,
        arrived: i64,
        sequence: i64,
        timestamp: i64,
    ) -> Inserted {
        let Some(stream) = &mut self.stream else { return Inserted::Refused };
        if self.slots.at(sequence).is_some() || stream.has_had(sequence) {
            return Inserted::Duplicate;
        }
        self.lateness.observe(arrived, timestamp);
        if sequence < stream.next && !stream.begins_earlier(sequence) {
            self.counters.lost -= u64::from(stream.comes_after_all(sequence));
            return Inserted::Late;
        }
        if matches!(stream.phase, Phase::Playing { play, .. } if timestamp < play) {
            self.make_room(sequence);
            let late = Entry { content: Content::Late, sequence, timestamp, len: 0, ticks: 0 };
            self.slots.put(late, &[]);
            return Inserted::Late;
        }
        stream.saw(sequence, timestamp, arrived);
        self.make_room(sequence);
        self.store(packet, sequence, timestamp);
        Inserted::Kept
    }

    fn store(&mut self, packet: &Packet<'_>, sequence: i64, timestamp: i64) {
        let len = packet.payload.len();
        let ticks = self.codec.ticks_of(packet.payload) as i64;
        let entry = Entry { content: Content::Sound, sequence, timestamp, len, ticks };
        self.slots.put(entry, packet.payload);
    }

    fn play(&mut self, head: Entry) -> Popped<'_> {
        self.advance_to(head.sequence);
        if let Some(stream) = &mut self.stream {
            self.slots.take(head.sequence);
            stream.step(true);
            let ticks_each = head.ticks;
            let play = head.timestamp + ticks_each;
            stream.phase = if self.codec.is_silent(self.slots.payload(&head)) {
                Phase::Resting
            } else {
                Phase::Playing { play, made_up: 0, ticks_each }
            };
        }
        self.counters.played += 1;
        Popped::Packet {
            sequence: head.sequence as u16,
            timestamp: head.timestamp,
            payload: self.slots.payload(&head),
        }
    }

    /// Moves on to a sequence number; what is held before it is discarded, what is not is lost.
    fn advance_to(&mut self, sequence: i64) {
        let Some(stream) = &mut self.stream else { return };
        if sequence - stream.next > 2 * SLOTS as i64 {
            // Nothing lies further ahead than the slots reach: the rest of the way is all lost.
            let reach = stream.next + SLOTS as i64;
            self.counters.lost += (sequence - SLOTS as i64 - reach) as u64;
            self.advance_to(reach);
            if let Some(stream) = &mut self.stream {
                stream.leap(sequence - SLOTS as i64);
            }
        }
        let Some(stream) = &mut self.stream else { return };
        while stream.next < sequence {
            let entry = self.slots.take(stream.next);
            match entry.map(|entry| entry.content) {
                Some(Content::Sound) => self.counters.discarded += 1,
                Some(Content::Late | Content::Other) => {}
                None => self.counters.lost += 1,
            }
            stream.step(entry.is_some());
        }
    }

    /// Makes the slots reach up to a sequence number, discarding the oldest where they do not.
    fn make_room(&mut self, sequence: i64) {
        let Some(stream) = &mut self.stream else { return };
        if sequence - stream.next >= SLOTS as i64 {
            stream.stumble();
            self.advance_to(sequence - SLOTS as i64 + 1);
        }
    }

    /// Discards the oldest while more is held than may ever be waited for.
    fn trim(&mut self) {
        if self.depth_ticks() <= ticks_of_ms(DEPTH_MAX_MS, self.codec) {
            return;
        }
        while self.slots.sounds() > 1 && self.depth_ticks() > ticks_of_ms(TARGET_MAX_MS, self.codec)
        {
            let Some(stream) = &mut self.stream else { return };
            let Some(head) = self.slots.first_sound(stream.next) else { return };
            stream.stumble();
            self.advance_to(head.sequence + 1);
        }
    }

    fn depth_ticks(&self) -> i64 {
        let Some(stream) = &self.stream else { return 0 };
        let Some(head) = self.slots.first_sound(stream.next) else { return 0 };
        let newest = self.slots.at(stream.highest_sound).unwrap_or(&head);
        let end = newest.timestamp + newest.ticks;
        end - head.timestamp
    }

    fn duration(&self, ticks: i64) -> Duration {
        let ticks = u64::try_from(ticks).unwrap_or(0);
        Duration::from_nanos(ticks * 1_000_000_000 / u64::from(self.codec.clock_hz()))
    }
}

/// Sequence numbers in [from, to) whose sound is missing.
fn absent(slots: &Slots, from: i64, to: i64) -> i64 {
    let other = |sequence| slots.at(sequence).is_some_and(|it| it.content == Content::Other);
    (from..to).filter(|sequence| !other(*sequence)).count() as i64
}

fn ticks(at: MediaTime, codec: Codec) -> i64 {
    let nanos = u128::from(at.as_nanos());
    (nanos * u128::from(codec.clock_hz()) / 1_000_000_000) as i64
}

fn ticks_of_ms(ms: i64, codec: Codec) -> i64 {
    ms * i64::from(codec.clock_hz()) / 1_000
}
