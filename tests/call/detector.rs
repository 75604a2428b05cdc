//! What a detector of speech says of the caller, frame by frame: by the level, as it was scripted
//! with what the caller says, or as a real one hears it.
//!
//! A script begins where the sound that it belongs to is first heard, late or in pieces as the line
//! may bring it, and goes on by the tick. Deliberately absent: the sound itself (`handset`).

use std::collections::VecDeque;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_audio::level::rms;
use cordboard_audio::vad::SpeechMeter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Above this something is heard: -34 dBov.
const LOUD_RMS: f32 = 0.02;
/// What should have been over for so long was not heard, or nobody listened.
const ON_THE_WAY: Duration = Duration::from_millis(300);
/// A silence of so many frames is no loss on the way: the sound is over, and so is its script.
const OVER: u32 = 8;

/// Who says what is speech.
#[derive(Debug)]
pub(crate) enum Detector {
    /// Whatever is loud.
    Level,
    /// The script of what is said.
    Scripted(Box<Voicing>),
    /// A real detector.
    Real(SpeechMeter),
}

impl Detector {
    /// The probability that these 20 ms are speech.
    pub(crate) fn hear(&mut self, now: MediaTime, samples: &[f32]) -> f32 {
        let is_loud = rms(samples) > LOUD_RMS;
        match self {
            Self::Level => f32::from(u8::from(is_loud)),
            Self::Scripted(voicing) => voicing.hear(now, is_loud),
            Self::Real(meter) => meter.hear(samples).unwrap_or(0.0),
        }
    }
}

/// Probabilities of speech by script.
#[derive(Debug)]
pub(crate) struct Voicing {
    /// What was said and is not heard yet: since when, and frame by frame.
    said: VecDeque<(MediaTime, VecDeque<f32>)>,
    /// The rest of what is heard.
    heard: VecDeque<f32>,
    /// Silent frames in a row.
    silent: u32,
    dice: StdRng,
}

impl Voicing {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = StdRng::seed_from_u64(seed);
        Self { said: VecDeque::new(), heard: VecDeque::new(), silent: 0, dice }
    }

    /// Takes what is said from then on.
    pub(crate) fn say(&mut self, at: MediaTime, frames: VecDeque<f32>) {
        self.said.push_back((at, frames));
    }

    fn hear(&mut self, now: MediaTime, is_loud: bool) -> f32 {
        self.silent = if is_loud { 0 } else { self.silent + 1 };
        if self.silent >= OVER {
            self.heard.clear();
        }
        if self.heard.is_empty() && is_loud {
            self.begin(now);
        }
        self.heard.pop_front().unwrap_or_else(|| self.dice.random_range(0.0..0.1))
    }

    fn begin(&mut self, now: MediaTime) {
        while let Some((at, frames)) = self.said.pop_front_if(|(at, _)| *at <= now) {
            let lasting = Duration::from_millis(20) * u32::try_from(frames.len()).unwrap_or(0);
            if at + lasting + ON_THE_WAY > now {
                self.heard = frames;
                return;
            }
        }
    }
}

/// Speech of so many frames: it takes a moment to be known for it, dips between syllables, and
/// fades. Short words are voice from their first frame to their last.
pub(crate) fn speech(dice: &mut StdRng, frames: usize) -> VecDeque<f32> {
    let (rise, fade) = if frames < 16 { (0, 0) } else { (2, 3) };
    let mut until_dip = dice.random_range(10..30);
    let mut frame = |n: usize| {
        if n < rise || n + fade >= frames {
            return dice.random_range(0.2..0.6);
        }
        until_dip -= 1;
        if until_dip < 0 && frames >= 16 {
            if until_dip < -dice.random_range(1..4) {
                until_dip = dice.random_range(8..25);
            }
            return dice.random_range(0.05..0.5);
        }
        dice.random_range(0.8..1.0)
    };
    (0..frames).map(&mut frame).collect()
}

/// A sound that no detector takes for speech: a door, a dog, a cough from afar.
pub(crate) fn noise(dice: &mut StdRng, frames: usize) -> VecDeque<f32> {
    (0..frames).map(|_| dice.random_range(0.0..0.33)).collect()
}
