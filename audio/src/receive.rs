//! The receiving end of a leg: packets in whenever they come, a frame out at every tick.
//!
//! ```text
//! insert ─► jitter buffer ─► decoder ─► concealment ─► decoded samples ─► pull_into, 20 ms each
//! ```
//!
//! Packets of any ptime from 10 to 60 ms are cut to frames here. Delay is corrected in pauses
//! alone: a quiet frame is left out where the play-out is later than it need be, repeated where
//! it is too early. Absent: SSRC and source addresses (the leg's), any clock.

use std::time::Duration;

use crate::jitter::{PACKET_BYTES_MAX, Popped};
use crate::level::level_dbov;
use crate::{
    Codec, Concealer, Decoder, FRAME_SAMPLES_MAX, Frame, Inserted, JitterBuffer, JitterCounters,
    MediaTime, Packet,
};

/// Decoded samples kept: less than two frames, and one packet.
const DECODED_MAX: usize = 2 * FRAME_SAMPLES_MAX + PACKET_BYTES_MAX;
/// Below this a frame is a pause on any line, dBov.
const QUIET_DBOV: f32 = -55.0;
/// A frame is a pause on a noisy line up to so much above the line's noise, dB.
const ABOVE_NOISE_DB: f32 = 4.0;
/// How fast the noise is believed to rise, dB a frame: 1.5 dB a second.
const NOISE_RISE_DB: f32 = 0.03;
/// Quiet frames before the delay is touched, so that no word's end is.
const QUIET_FRAMES: u32 = 4;
/// The play-out may be later than it aims to be by so much before a frame is left out, ms.
const LATER_MS: i64 = 30;
/// The play-out may be earlier by so much before a frame is repeated, ms.
const EARLIER_MS: i64 = 10;
/// Where a frame is left out the sound is faded over, samples.
const SEAM: usize = 40;

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
/// `insert` and `pull_into` allocate nothing; a pull is O(frame), with a pitch search where a
/// loss begins.
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
#[derive(Clone, Debug)]
pub struct Receiver {
    decoder: Decoder,
    jitter: JitterBuffer,
    concealer: Concealer,
    /// Decoded samples that wait for their frame.
    decoded: [f32; DECODED_MAX],
    len: usize,
    /// How many of the waiting samples, from the first, may be made up.
    made_up: usize,
    concealed_samples: u64,
    noise_dbov: f32,
    quiet_frames: u32,
}

impl Receiver {
    /// Makes one that has received nothing.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            decoder: Decoder::new(codec),
            jitter: JitterBuffer::new(codec),
            concealer: Concealer::new(codec.rate()),
            decoded: [0.0; DECODED_MAX],
            len: 0,
            made_up: 0,
            concealed_samples: 0,
            noise_dbov: QUIET_DBOV,
            quiet_frames: 0,
        }
    }

    /// Takes a packet of this leg's codec.
    pub fn insert(&mut self, packet: Packet<'_>) -> Inserted {
        self.jitter.insert(packet)
    }

    /// Takes note of a packet of the same stream that is no sound: a telephone event, comfort
    /// noise. Its absence is then no loss.
    pub fn pass(&mut self, sequence: u16) {
        self.jitter.pass(sequence);
    }

    /// Fills the frame that is to be played at `now`; called once in each 20 ms.
    pub fn pull_into(&mut self, now: MediaTime, frame: &mut Frame) -> Pulled {
        *frame = Frame::silence(now, self.codec().rate());
        let wanted = frame.samples().len();
        let silent = self.fill(now, wanted);
        let made_up = self.made_up.min(wanted);
        if silent == wanted {
            self.drain(wanted);
            self.quiet_frames = 0;
            return Pulled::Idle;
        }
        frame.samples_mut().copy_from_slice(&self.decoded[..wanted]);
        if !self.correct_delay(now, frame) {
            self.drain(wanted);
        }
        if made_up > 0 { Pulled::Concealed } else { Pulled::Sound }
    }

    /// Begins anew, as for a new SSRC; counters stay.
    pub fn reset(&mut self) {
        self.decoder = Decoder::new(self.codec());
        self.jitter.reset();
        self.concealer.reset();
        self.len = 0;
        self.made_up = 0;
    }

    /// Changes the codec. Where it is another, begins anew and counts anew.
    pub fn set_codec(&mut self, codec: Codec) {
        if codec != self.codec() {
            let concealed_samples = self.concealed_samples;
            *self = Self { concealed_samples, ..Self::new(codec) };
        }
    }

    /// Which codec it receives.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// How much sound was made up, in all.
    #[must_use]
    pub fn concealed(&self) -> Duration {
        let rate_hz = u64::from(self.codec().rate().hz());
        Duration::from_nanos(self.concealed_samples * 1_000_000_000 / rate_hz)
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

    /// Decodes, makes up, or falls silent until a frame is there. Returns `wanted` where all of
    /// it is silence for want of sound, else 0.
    fn fill(&mut self, now: MediaTime, wanted: usize) -> usize {
        while self.len < wanted {
            match self.jitter.pop(now) {
                Popped::Packet { payload, .. } => {
                    let out = &mut self.decoded[self.len..];
                    let decoded = self.decoder.decode_into(payload, out);
                    self.concealer.receive(&mut out[..decoded]);
                    self.len += decoded;
                    if decoded == 0 {
                        break;
                    }
                }
                Popped::Lost { ticks } => self.make_up(ticks),
                Popped::Dry if !self.concealer.is_muted() => self.make_up(wanted - self.len),
                Popped::Dry => {
                    // Muted: the loss goes on, but what comes of it is silence.
                    self.concealer.conceal_into(&mut self.decoded[self.len..wanted]);
                    return self.fall_silent(wanted);
                }
                Popped::Resting => {
                    self.decoded[self.len..wanted].fill(0.0);
                    self.concealer.receive(&mut self.decoded[self.len..wanted]);
                    return self.fall_silent(wanted);
                }
            }
        }
        0
    }

    /// Counts the frame full; returns its silent samples where all of it is.
    const fn fall_silent(&mut self, wanted: usize) -> usize {
        let silent = if self.len == 0 { wanted } else { 0 };
        self.len = wanted;
        silent
    }

    fn make_up(&mut self, samples: usize) {
        let samples = samples.min(DECODED_MAX - self.len);
        self.concealer.conceal_into(&mut self.decoded[self.len..self.len + samples]);
        self.len += samples;
        self.made_up = self.len;
        self.concealed_samples += samples as u64;
    }

    /// In a pause brings the delay nearer to the target; says whether the frame is to be repeated.
    fn correct_delay(&mut self, now: MediaTime, frame: &mut Frame) -> bool {
        let wanted = frame.samples().len();
        if !self.is_quiet(frame) {
            self.quiet_frames = 0;
            return false;
        }
        self.quiet_frames += 1;
        let Some(slack) = self.jitter.slack(now, self.len) else { return false };
        if self.quiet_frames < QUIET_FRAMES {
            return false;
        }
        let ticks_per_ms = i64::from(self.codec().clock_hz()) / 1_000;
        if slack < -EARLIER_MS * ticks_per_ms {
            self.quiet_frames = 0;
            return true;
        }
        if slack > LATER_MS * ticks_per_ms && self.jitter.held() > 0 {
            self.quiet_frames = 0;
            self.drain(wanted);
            self.fill(now, wanted);
            let later = &self.decoded[..wanted];
            for (n, sample) in frame.samples_mut().iter_mut().enumerate() {
                let rise = ((n + 1) as f32 / (SEAM + 1) as f32).min(1.0);
                *sample = *sample * (1.0 - rise) + later[n] * rise;
            }
        }
        false
    }

    fn is_quiet(&mut self, frame: &Frame) -> bool {
        let level = level_dbov(frame.samples());
        self.noise_dbov = level.min(self.noise_dbov + NOISE_RISE_DB).max(QUIET_DBOV);
        level <= QUIET_DBOV.max(self.noise_dbov + ABOVE_NOISE_DB)
    }

    fn drain(&mut self, samples: usize) {
        self.decoded.copy_within(samples..self.len, 0);
        self.len -= samples;
        self.made_up = self.made_up.saturating_sub(samples);
    }
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
