//! Voice activity: how probably a telephone signal holds speech, window by window.
//!
//! Two detectors stand behind [`Vad`]: [`Silero`], the better one, which needs its weights, and
//! [`Earshot`], which needs none. [`SpeechMeter`] cuts 20 ms frames into a detector's windows.
//! Thresholds, hang-over and the choice of a turn's end are the turn room's and absent here; so
//! are files and downloads: weights arrive as bytes.

mod earshot;
mod meter;
mod silero;

pub use earshot::Earshot;
pub use meter::SpeechMeter;
pub use silero::{Silero, SileroWeights, WeightsError};

/// A detector of speech in 8 kHz sound, one per call.
///
/// # Real-time
/// `probability` neither allocates nor locks.
pub trait Vad: Send {
    /// Length of the windows that the detector hears, in samples at 8 kHz.
    fn window_samples(&self) -> usize;

    /// Hears the next window and returns the probability, of [0, 1], that it holds speech.
    ///
    /// `window` holds `window_samples` samples of [-1, 1]. A shorter one is filled up with silence,
    /// a longer one cut; a sample that is no finite number counts as silence, so that one bad
    /// sample cannot spoil what the detector remembers.
    fn probability(&mut self, window: &[f32]) -> f32;

    /// Forgets all that was heard.
    fn reset(&mut self);
}

/// Brings a sample into [-limit, limit]; what is no finite number becomes silence.
fn tame(sample: f32, limit: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-limit, limit) } else { 0.0 }
}
