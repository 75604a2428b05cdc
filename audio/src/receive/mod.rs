//! The receiving end of a leg: packets in whenever they come, a frame out at every tick.
//!
//! ```text
//! insert ─► jitter buffer ─► decoder ─► concealment ─► decoded samples ─► pull_into, 20 ms each
//!                                                      shortened, lengthened
//! ```
//!
//! Packets of any ptime are cut to frames here. Where the play-out is later than it need be, a
//! period of the sound is left out, where it is too early one is repeated: in pauses freely, in
//! speech only where neighbouring periods are alike. Absent: SSRC and source addresses (the
//! leg's), any clock.

mod line;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::line::Line;
use crate::comfort::ComfortNoise;
use crate::jitter::Popped;
use crate::level::level_dbov;
use crate::{
    Codec, FRAME_SAMPLES_MAX, Frame, Inserted, JitterBuffer, JitterCounters, MediaTime, Packet,
    timescale,
};

/// Longest packet, decoded: 120 ms at 16 kHz.
const PACKET_SAMPLES_MAX: usize = 1_920;
/// Decoded samples kept: two frames, a packet, and what a period that is repeated adds.
const DECODED_MAX: usize = 3 * FRAME_SAMPLES_MAX + PACKET_SAMPLES_MAX;
/// Below this a frame is a pause on any line, dBov.
const QUIET_DBOV: f32 = -55.0;
/// A frame is a pause on a noisy line up to so much above the line's noise, dB.
const ABOVE_NOISE_DB: f32 = 4.0;
/// How fast the noise is believed to rise, dB a frame: 1.5 dB a second.
const NOISE_RISE_DB: f32 = 0.03;
/// Quiet frames before a pause is a pause, so that no word's end is touched.
const QUIET_FRAMES: u32 = 4;
/// The play-out may be later than it aims to be by so much; it begins up to a tick late.
const LATER_MS: i64 = 12;
/// How far beyond its aim an early play-out is moved, so that it need not be moved again soon. It
/// may not be early at all: a frame may need a packet that begins in its middle.
const BEYOND_MS: u64 = 5;
/// How alike two periods of speech are before one is left out or repeated.
const ALIKE: f32 = 0.85;
/// And how alike where the play-out is far off.
const ALIKE_FAR_OFF: f32 = 0.6;
/// From here on the play-out is far off, ms.
const FAR_OFF_MS: i64 = 60;
/// Frames of speech between two changes of its length, and where the play-out is far off.
const SPACING: u32 = 5;
const SPACING_FAR_OFF: u32 = 2;
/// What comfort noise is drawn from: nobody hears two legs' noise in one ear.
const NOISE_SEED: u64 = 1;

/// What a pulled frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Sound that was received.
    Sound,
    /// Sound of which at least a part is made up for what did not come.
    Concealed,
    /// Silence: the sender is silent, has not begun, or has long stopped.
    Idle,
}

/// The receiving end of one leg.
///
/// # Real-time
/// `insert` and `pull_into` allocate nothing, but where a codec is met for the first time; a pull
/// is O(frame), with a search for the pitch where a loss begins or the length is changed.
///
/// # Examples
/// ```
/// use cordboard_audio::{Codec, Frame, MediaTime, Packet, Pulled, Receiver, SampleRate};
///
/// let mut receiver = Receiver::new(Codec::Pcmu);
/// let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
/// let mut sounded = 0;
/// for n in 0..10_u16 {
///     let now = MediaTime::from_millis(20 * u64::from(n));
///     let (timestamp, payload) = (160 * u32::from(n), &[0x90; 160]);
///     receiver.insert(Packet { sequence: n, timestamp, marker: n == 0, payload, arrived: now });
///     sounded += u32::from(receiver.pull_into(now, &mut frame) == Pulled::Sound);
/// }
/// assert_eq!(sounded, 8); // All but the first 40 ms, which fill the buffer.
/// ```
#[derive(Debug)]
pub struct Receiver {
    codec: Codec,
    /// One for each codec met, so that to go back to one costs nothing.
    lines: [Option<Line>; Codec::ALL.len()],
    jitter: JitterBuffer,
    /// The noise of the sender's room, and the sequence number from which on it holds.
    noise: ComfortNoise,
    noise_from: Option<u16>,
    /// Decoded samples that wait for their frame.
    decoded: [f32; DECODED_MAX],
    len: usize,
    /// How many of the waiting samples, from the first, may be made up.
    made_up: usize,
    concealed: Duration,
    floor_dbov: f32,
    quiet_frames: u32,
    /// Frames since the length was changed.
    unchanged: u32,
}

impl Receiver {
    /// Makes one that has received nothing.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        let mut receiver = Self {
            codec,
            lines: [None, None, None, None],
            jitter: JitterBuffer::new(codec),
            noise: ComfortNoise::new(NOISE_SEED),
            noise_from: None,
            decoded: [0.0; DECODED_MAX],
            len: 0,
            made_up: 0,
            concealed: Duration::ZERO,
            floor_dbov: QUIET_DBOV,
            quiet_frames: 0,
            unchanged: 0,
        };
        receiver.prepare(codec);
        receiver
    }

    /// Makes what a codec needs before its first packet comes.
    pub fn prepare(&mut self, codec: Codec) {
        self.lines[codec as usize].get_or_insert_with(|| Line::new(codec));
    }

    /// Takes a packet of this leg's codec.
    pub fn insert(&mut self, packet: Packet<'_>) -> Inserted {
        self.jitter.insert(packet)
    }

    /// Takes note of a packet of the same stream that is no sound, a telephone event. Its absence
    /// is then no loss.
    pub fn pass(&mut self, sequence: u16) {
        self.jitter.pass(sequence);
    }

    /// Takes a packet of comfort noise (RFC 3389): from its place on, until sound follows, the
    /// sender is silent and its room sounds like this.
    pub fn comfort(&mut self, sequence: u16, payload: &[u8]) {
        self.jitter.pass(sequence);
        self.noise.describe(payload);
        self.noise_from = Some(sequence);
    }

    /// Fills the frame that is to be played at `now`; called once in each 20 ms.
    pub fn pull_into(&mut self, now: MediaTime, frame: &mut Frame) -> Pulled {
        *frame = Frame::silence(now, self.codec.rate());
        let wanted = frame.samples().len();
        let filled = self.fill(now, wanted);
        if filled == Filled::Silence {
            self.quiet_frames = 0;
        } else {
            self.correct_delay(now, wanted);
        }
        let made_up = self.made_up.min(wanted);
        frame.samples_mut().copy_from_slice(&self.decoded[..wanted]);
        self.drain(wanted);
        match filled {
            Filled::Silence => Pulled::Idle,
            Filled::Sound if made_up > 0 => Pulled::Concealed,
            Filled::Sound => Pulled::Sound,
        }
    }

    /// Begins anew, as for a new SSRC; counters stay.
    pub fn reset(&mut self) {
        self.jitter.reset();
        self.line().reset();
        self.noise.reset();
        self.noise_from = None;
        self.len = 0;
        self.made_up = 0;
    }

    /// Changes the codec. Where it is another, begins anew; counters stay.
    pub fn set_codec(&mut self, codec: Codec) {
        if codec != self.codec {
            self.codec = codec;
            self.prepare(codec);
            self.jitter.set_codec(codec);
            self.reset();
        }
    }

    /// Which codec it receives.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// How much sound was made up, in all.
    #[must_use]
    pub const fn concealed(&self) -> Duration {
        self.concealed
    }

    /// What the jitter buffer has seen.
    #[must_use]
    pub const fn counters(&self) -> JitterCounters {
        self.jitter.counters()
    }

    /// The jitter buffer, for its depth, target and jitter.
    #[must_use]
    pub const fn jitter(&self) -> &JitterBuffer {
        &self.jitter
    }

    /// By how much the play-out is later (or, negative, earlier) than it aims to be, ms; none
    /// while it rests.
    #[must_use]
    pub fn later_ms(&self, now: MediaTime) -> Option<i64> {
        let slack = self.jitter.slack(now, self.codec.ticks_in(self.len))?;
        Some(slack * 1_000 / i64::from(self.codec.clock_hz()))
    }

    /// How old the sound is that is handed out now: from when its packet would have come had the
    /// network been even, to its play-out; none while it rests.
    #[must_use]
    pub fn delay(&self, now: MediaTime) -> Option<Duration> {
        let later_ms = self.later_ms(now)?;
        let aimed_ms = i64::try_from(self.jitter.target().as_millis()).ok()?;
        Some(Duration::from_millis(u64::try_from(aimed_ms + later_ms).unwrap_or(0)))
    }

    /// Decodes, makes up, or falls silent until so many samples are there.
    fn fill(&mut self, now: MediaTime, wanted: usize) -> Filled {
        let line = self.lines[self.codec as usize].get_or_insert_with(|| Line::new(self.codec));
        while self.len < wanted {
            let room = &mut self.decoded[self.len..];
            let mut made = 0;
            match self.jitter.pop(now) {
                Popped::Packet { sequence, payload, .. } => {
                    let decoded = line.receive(payload, room);
                    self.noise_from.take_if(|from| (sequence.wrapping_sub(*from) as i16) > 0);
                    self.len += decoded;
                    if decoded == 0 {
                        // No packet of this codec after all: as good as lost.
                        made = line.make_up(wanted - self.len, None, room);
                    }
                }
                Popped::Lost { ticks, successor } => {
                    made = line.make_up(self.codec.samples_in(ticks), successor, room);
                }
                Popped::Dry if !line.is_spent() && !line.is_silent() => {
                    made = line.make_up(wanted - self.len, None, room);
                }
                Popped::Dry | Popped::Resting => {
                    let silent = self.len == 0;
                    let noise = self.noise_from.map(|_| &mut self.noise);
                    self.len += line.rest(wanted - self.len, noise, room);
                    return if silent { Filled::Silence } else { Filled::Sound };
                }
            }
            if made > 0 {
                self.len += made;
                self.made_up = self.len;
                let rate_hz = u64::from(self.codec.rate().hz());
                self.concealed += Duration::from_nanos(made as u64 * 1_000_000_000 / rate_hz);
            }
        }
        Filled::Sound
    }

    /// Brings the delay nearer to what is aimed at, by a period of the sound at most.
    fn correct_delay(&mut self, now: MediaTime, wanted: usize) {
        self.unchanged = self.unchanged.saturating_add(1);
        let pause = self.is_pause(wanted);
        let Some(later_ms) = self.later_ms(now) else { return };
        if (0..=LATER_MS).contains(&later_ms) {
            return;
        }
        let far_off = later_ms.abs() >= FAR_OFF_MS;
        let (alike, spacing) = match (pause, far_off) {
            (true, _) => (-1.0, 1),
            (false, true) => (ALIKE_FAR_OFF, SPACING_FAR_OFF),
            (false, false) => (ALIKE, SPACING),
        };
        if self.unchanged < spacing {
            return;
        }
        let rate = self.codec.rate();
        let beyond_ms = if later_ms < 0 { BEYOND_MS } else { 0 };
        let most_ms = (later_ms.unsigned_abs() + beyond_ms) as usize;
        let most = most_ms * rate.hz() as usize / 1_000;
        let changed = if later_ms > 0 {
            self.shorten(now, wanted, most, alike)
        } else {
            self.lengthen(most, alike)
        };
        if changed {
            self.unchanged = 0;
        }
    }

    fn shorten(&mut self, now: MediaTime, wanted: usize, most: usize, alike: f32) -> bool {
        if self.jitter.held() == 0 {
            return false;
        }
        // Of what is held alone: nothing is made up for it.
        while self.len < 2 * wanted && self.jitter.held() > 0 {
            self.fill(now, self.len + 1);
        }
        let sound = &mut self.decoded[..self.len];
        let found = timescale::period(sound, self.codec.rate(), most, alike);
        let Some(period) = found.filter(|period| self.len >= wanted + period) else { return false };
        self.len -= timescale::shorten(sound, period);
        self.made_up = self.made_up.saturating_sub(period);
        true
    }

    fn lengthen(&mut self, most: usize, alike: f32) -> bool {
        let sound = &self.decoded[..self.len];
        let found = timescale::period(sound, self.codec.rate(), most, alike);
        let Some(period) = found.filter(|period| self.len + period <= DECODED_MAX) else {
            return false;
        };
        let sound = &mut self.decoded[..self.len + period];
        self.len += timescale::lengthen(sound, self.len, period);
        self.made_up += if self.made_up > 0 { period } else { 0 };
        true
    }

    /// Whether the first `wanted` samples, and those of the last frames, are a pause.
    fn is_pause(&mut self, wanted: usize) -> bool {
        let level = level_dbov(&self.decoded[..wanted]);
        self.floor_dbov = level.min(self.floor_dbov + NOISE_RISE_DB).max(QUIET_DBOV);
        let quiet = level <= QUIET_DBOV.max(self.floor_dbov + ABOVE_NOISE_DB);
        self.quiet_frames = if quiet { self.quiet_frames + 1 } else { 0 };
        self.quiet_frames >= QUIET_FRAMES
    }

    fn line(&mut self) -> &mut Line {
        let codec = self.codec;
        self.lines[codec as usize].get_or_insert_with(|| Line::new(codec))
    }

    fn drain(&mut self, samples: usize) {
        self.decoded.copy_within(samples..self.len, 0);
        self.len -= samples;
        self.made_up = self.made_up.saturating_sub(samples);
    }
}

/// What the samples that were asked for are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// Received or made up.
    Sound,
    /// None was there: silence, or the noise of the sender's room.
    Silence,
}
