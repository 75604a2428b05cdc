//! When a side was to be heard: levels of 10 ms, and spans of speech.

use std::ops::Range;

/// Samples of a level, and its length, ms.
pub(super) const STEP_SAMPLES: usize = 80;
pub(super) const STEP_MS: u32 = 10;
/// From here on it is a voice, dBFS: above comfort noise, below any voice (as `script` has it).
pub(super) const SPEECH_DB: f32 = -42.0;
/// From here on something is to be heard: tones, music, a voice that is lowered.
const SOUND_DB: f32 = -60.0;
/// A pause this short is within a word, steps.
const JOINED: usize = 20;
/// What is shorter is a click, steps.
const LEAST: usize = 4;

/// Levels of a sound, dBFS, each of 10 ms.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels(pub(super) Vec<f32>);

impl Levels {
    pub(super) fn of(samples: &[i16]) -> Self {
        Self(samples.chunks(STEP_SAMPLES).map(level_db).collect())
    }

    /// The level at a step; silence where there is none.
    pub(super) fn at(&self, step: usize) -> f32 {
        self.0.get(step).copied().unwrap_or(f32::NEG_INFINITY)
    }

    /// Spans of speech, in steps.
    pub(super) fn speech(&self) -> Vec<Range<usize>> {
        self.spans(SPEECH_DB)
    }

    /// Spans in which anything is to be heard, in steps.
    pub(super) fn sound(&self) -> Vec<Range<usize>> {
        self.spans(SOUND_DB)
    }

    fn spans(&self, threshold_db: f32) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        for (step, level) in self.0.iter().enumerate() {
            if *level < threshold_db {
                continue;
            }
            match spans.last_mut().filter(|last| step - last.end < JOINED) {
                Some(last) => last.end = step + 1,
                None => spans.push(step..step + 1),
            }
        }
        spans.retain(|span| span.len() >= LEAST);
        spans
    }
}

fn level_db(samples: &[i16]) -> f32 {
    let sum: f64 = samples.iter().map(|it| f64::from(*it) * f64::from(*it)).sum();
    let power = sum / samples.len().max(1) as f64 / (32_768.0 * 32_768.0);
    (10.0 * (power + 1e-12).log10()) as f32
}
