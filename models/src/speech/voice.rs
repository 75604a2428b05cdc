//! What a synthesizer is asked for, and what it gives.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::{SampleRate, SharedSamples};

/// A sentence to be spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechRequest {
    /// What to say, plain text with punctuation.
    pub text: Arc<str>,
    /// The rate that the samples shall have.
    pub rate: SampleRate,
    /// Length of the speech against normal: 1.3 is slower, 0.9 faster.
    pub stretch: f32,
}

/// Speech, with a time for every word of it.
#[derive(Clone, Debug)]
pub struct Speech {
    /// What was spoken.
    pub text: Arc<str>,
    /// Rate of the samples.
    pub rate: SampleRate,
    /// The sound, mono, [-1, 1].
    pub samples: SharedSamples,
    /// Every word of the text in order, with its time from the first sample.
    pub words: Arc<[SpokenWord]>,
}

/// A word of synthesized speech and where it lies in the sound.
#[derive(Clone, Debug, PartialEq)]
pub struct SpokenWord {
    /// The word as the text has it.
    pub text: Arc<str>,
    /// Begin, from the first sample.
    pub begin: Duration,
    /// End, from the first sample.
    pub end: Duration,
}

impl Speech {
    /// Length of the sound.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate.hz()))
    }
}
