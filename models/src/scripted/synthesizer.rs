//! A synthesizer that plays a tone for every word, as long as the word is long.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use crate::speech::{EngineFault, Speech, SpeechRequest, SpokenWord, Synthesizer};

/// Length of a letter at stretch 1, ms.
pub const LETTER_MS: u64 = 60;
/// Silence between words at stretch 1, ms.
const GAP_MS: u64 = 40;
/// Amplitude of the tone: -20 dBFS RMS.
const AMPLITUDE: f32 = 0.141;

/// Plays a burst of tone for each word, `LETTER_MS` a letter, with exact word times.
///
/// Each word's tone has a pitch of its own, so that a test can tell words in the sound.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use cordboard_audio::SampleRate;
/// use cordboard_models::scripted::ScriptedSynthesizer;
/// use cordboard_models::speech::{SpeechRequest, Synthesizer};
/// let request =
///     SpeechRequest { text: Arc::from("one two"), rate: SampleRate::NARROW, stretch: 1.0 };
/// let speech = ScriptedSynthesizer.speak(&request).unwrap();
/// assert_eq!(speech.words[1].begin, Duration::from_millis(220));
/// assert_eq!(speech.duration(), Duration::from_millis(400));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ScriptedSynthesizer;

impl Synthesizer for ScriptedSynthesizer {
    fn speak(&mut self, request: &SpeechRequest) -> Result<Speech, EngineFault> {
        let per_ms = request.rate.hz() as usize / 1_000;
        let stretched = |ms: u64| (ms as f32 * request.stretch.max(0.1)) as u64;
        let mut samples = Vec::new();
        let mut words = Vec::new();
        let mut at_ms = 0;
        for (index, text) in request.text.split_whitespace().enumerate() {
            if index > 0 {
                at_ms += stretched(GAP_MS);
                samples.resize(at_ms as usize * per_ms, 0.0);
            }
            let begin = Duration::from_millis(at_ms);
            at_ms += stretched(LETTER_MS) * text.chars().count() as u64;
            let hz = 300.0 + 50.0 * (index % 20) as f32;
            let first = samples.len();
            let step = TAU * hz / request.rate.hz() as f32;
            let tone = |n: usize| AMPLITUDE * ((n - first) as f32 * step).sin();
            samples.extend((first..at_ms as usize * per_ms).map(tone));
            let end = Duration::from_millis(at_ms);
            words.push(SpokenWord { text: Arc::from(text), begin, end });
        }
        Ok(Speech {
            text: Arc::clone(&request.text),
            rate: request.rate,
            samples: samples.into(),
            words: words.into(),
        })
    }
}
