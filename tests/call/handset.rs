//! A telephone at the far end of a leg: it sends RTP of a tone while its owner speaks, and keeps
//! what it was sent, tick by tick.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::time::Duration;

use cordboard::call::{EncodedFrame, MediaPacket};
use cordboard_audio::codec::Codec;
use cordboard_audio::codec::g711::{decode_ulaw_into, encode_ulaw_into};
use cordboard_audio::level::rms;
use cordboard_audio::{FRAME_MS, MediaTime};

/// Above this a tick counts as sound: -50 dBov, far below any word and above codec noise.
pub(crate) const SOUND_RMS: f32 = 0.003;
/// Amplitude of its owner's speech, where nobody says.
const SPEECH_AMPLITUDE: f32 = 0.3;

/// One tick as the far end has it.
#[derive(Clone, Debug)]
pub(crate) struct Tick {
    pub(crate) at: MediaTime,
    /// Whether its owner spoke.
    pub(crate) spoke: bool,
    /// Whether its owner pressed a key then: more keys may follow, and nobody has to speak.
    pub(crate) keyed: bool,
    /// How likely this was speech, as the call was told; none where nobody listened.
    pub(crate) voice: f32,
    /// Packets of sound that it was sent; exactly one, while the call is up.
    pub(crate) packets: u32,
    /// The sound of the last of them.
    pub(crate) sound: Vec<f32>,
    pub(crate) debt: Debt,
}

/// Whether a silence would be ours, as the world sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// After the owner's speech.
    Turn,
    /// After anything: a tool or a person is waited for.
    Always,
    /// Not while two people talk.
    Never,
}

impl Tick {
    pub(crate) fn sounds(&self) -> bool {
        rms(&self.sound) > SOUND_RMS
    }

    /// How much of the sound is a sine of so many Hz, as an amplitude.
    pub(crate) fn amplitude_of(&self, hz: f32) -> f32 {
        let step = TAU * hz / 8_000.0;
        let wave = |(n, sample): (usize, &f32)| {
            let angle = n as f32 * step;
            (sample * angle.cos(), sample * angle.sin())
        };
        let parts = self.sound.iter().enumerate().map(wave);
        let (re, im) = parts.fold((0.0, 0.0), |(re, im), (c, s)| (re + c, im + s));
        2.0 * re.hypot(im) / self.sound.len().max(1) as f32
    }
}

/// The telephone.
#[derive(Debug)]
pub(crate) struct Handset {
    /// Pitch of its owner's speech.
    pub(crate) hz: f32,
    /// Amplitude of its owner's speech.
    pub(crate) amplitude: f32,
    /// Whether it sends nothing at all, not even silence.
    pub(crate) muted: bool,
    /// Keys that it was sent.
    pub(crate) digits: Vec<char>,
    pub(crate) ticks: Vec<Tick>,
    speaks_until: MediaTime,
    /// Until when there is a noise about it, which is no speech.
    noise_until: MediaTime,
    /// Recorded speech that is still to be spoken; it goes before the tone.
    recorded: VecDeque<f32>,
    sequence: u16,
    timestamp: u32,
    /// What its packets are known by.
    pub(crate) ssrc: u32,
}

impl Handset {
    pub(crate) fn new(hz: f32) -> Self {
        Self {
            hz,
            amplitude: SPEECH_AMPLITUDE,
            muted: false,
            digits: Vec::new(),
            ticks: Vec::new(),
            speaks_until: MediaTime::ZERO,
            noise_until: MediaTime::ZERO,
            recorded: VecDeque::new(),
            sequence: 65_500,
            timestamp: u32::MAX - 50_000,
            ssrc: 0x00C0_FFEE,
        }
    }

    pub(crate) fn speak(&mut self, now: MediaTime, lasting: Duration) {
        self.speaks_until = now + lasting;
    }

    /// There is a noise about it.
    pub(crate) fn noise(&mut self, now: MediaTime, lasting: Duration) {
        self.noise_until = now + lasting;
    }

    /// Its owner speaks as in a recording of 8 kHz.
    pub(crate) fn speak_recorded(&mut self, samples: &[f32]) {
        self.recorded.extend(samples);
    }

    pub(crate) fn is_speaking(&self, now: MediaTime) -> bool {
        now < self.speaks_until || !self.recorded.is_empty()
    }

    /// Begins a tick; gives the payload of the packet that it sends.
    pub(crate) fn begin_tick(&mut self, now: MediaTime, debt: Debt) -> Option<[u8; 160]> {
        let spoke = self.is_speaking(now) && !self.muted;
        self.ticks.push(Tick {
            at: now,
            spoke,
            keyed: false,
            voice: 0.0,
            packets: 0,
            sound: vec![],
            debt,
        });
        self.send(now)
    }

    /// The payload of the packet that it sends now.
    pub(crate) fn send(&mut self, now: MediaTime) -> Option<[u8; 160]> {
        let sounds = self.is_speaking(now) || now < self.noise_until;
        let first = self.timestamp.wrapping_add(160);
        self.timestamp = first;
        self.sequence = self.sequence.wrapping_add(1);
        if self.muted {
            return None;
        }
        let step = TAU * self.hz / 8_000.0;
        let sample = |n: u32| match sounds {
            true => self.amplitude * ((first.wrapping_add(n) % 8_000) as f32 * step).sin(),
            false => 0.0,
        };
        let samples: Vec<f32> = match self.recorded.is_empty() {
            true => (0..160).map(sample).collect(),
            false => (0..160).map(|_| self.recorded.pop_front().unwrap_or(0.0)).collect(),
        };
        let mut payload = [0; 160];
        encode_ulaw_into(&samples, &mut payload);
        Some(payload)
    }

    /// The packet with that payload.
    pub(crate) fn packet<'a>(&self, payload: &'a [u8]) -> MediaPacket<'a> {
        MediaPacket {
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: false,
            ssrc: self.ssrc,
            codec: Codec::Pcmu,
            payload,
        }
    }

    /// Takes what it was sent.
    pub(crate) fn hear(&mut self, frame: &EncodedFrame) {
        let tick = self.ticks.last_mut().expect("sound is sent at ticks alone");
        tick.packets += 1;
        tick.sound = vec![0.0; 160];
        assert_eq!(frame.len, 160, "20 ms of G.711");
        decode_ulaw_into(&frame.payload[..frame.len], &mut tick.sound);
    }

    /// The ticks from a time on, up to another.
    pub(crate) fn between(&self, from: MediaTime, to: MediaTime) -> impl Iterator<Item = &Tick> {
        self.ticks.iter().filter(move |tick| tick.at >= from && tick.at < to)
    }

    /// End of the last sound that it was sent before a time, to the sample.
    pub(crate) fn last_sound(&self, before: MediaTime) -> Option<MediaTime> {
        let earlier = self.ticks.iter().rev().filter(|tick| tick.at < before && tick.sounds());
        let last = earlier.into_iter().next()?;
        let loud = |sample: &f32| sample.abs() > SOUND_RMS;
        let samples = last.sound.iter().rposition(loud)? as u64 + 1;
        Some(last.at + Duration::from_micros(samples * 125))
    }

    /// Every stretch in which its owner waits and hears nothing: from the end of the own speech,
    /// or from the end of what was heard while something was still owed, to the next sound.
    pub(crate) fn waits(&self) -> Vec<(MediaTime, Duration)> {
        let mut found = Vec::new();
        let mut since: Option<MediaTime> = None;
        for tick in &self.ticks {
            let end = tick.at + Duration::from_millis(FRAME_MS);
            if tick.debt == Debt::Never || (tick.keyed && tick.debt == Debt::Turn) {
                since = None;
            } else if tick.spoke {
                since = Some(end);
            } else if tick.sounds() {
                found.extend(since.map(|from| (from, tick.at.since(from))));
                since = (tick.debt == Debt::Always).then_some(end);
            } else if tick.debt == Debt::Always && since.is_none() {
                since = Some(tick.at);
            }
        }
        let last = self.ticks.last().map_or(MediaTime::ZERO, |tick| tick.at);
        found.extend(since.map(|from| (from, last.since(from))));
        found
    }

    /// The longest of them.
    pub(crate) fn dead_air(&self) -> (MediaTime, Duration) {
        let longest = self.waits().into_iter().max_by_key(|(_, lasting)| *lasting);
        longest.unwrap_or_default()
    }
}
