//! Echo cancelling, where a loudspeaker stands beside the microphone: WebRTC's AEC3 as Rust
//! (sonora), at 16 kHz.
//!
//! ```text
//! what is played ─► hear_played ──┐ (adaptive filter, delay found by itself)
//! the microphone ─► cancel ───────┴─► the microphone without what is played
//! ```
//!
//! What is played is given before the microphone has it, in step with the loudspeaker's clock; the
//! delay between the two is found, up to half a second. What lies below the voice (100 Hz) is taken
//! out, as the filter needs it. Absent: noise suppression and gain control, which voice activity
//! and recognizers do without; any clock.

use sonora::config::EchoCanceller as Aec3;
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::SampleRate;

/// Samples that are taken at once: 10 ms at 16 kHz.
pub const BLOCK_SAMPLES: usize = 160;

/// What comes out is so much later than what goes in: two blocks of the filter, 8 ms.
pub const DELAY_SAMPLES: usize = 128;

/// Takes one loudspeaker's sound out of one microphone's.
///
/// # Real-time
/// Not for a media worker: sonora 0.2 allocates some 35 small pieces for 10 ms.
///
/// # Examples
/// ```
/// use cordboard_audio::echo::{BLOCK_SAMPLES, EchoCanceller};
///
/// let mut canceller = EchoCanceller::new();
/// canceller.hear_played(&[0.1; BLOCK_SAMPLES]);
/// let mut heard = [0.05; BLOCK_SAMPLES];
/// canceller.cancel(&mut heard);
/// ```
pub struct EchoCanceller {
    processing: Box<AudioProcessing>,
}

impl EchoCanceller {
    /// Makes one that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        let config = Config { echo_canceller: Some(Aec3::default()), ..Config::default() };
        let stream = StreamConfig::new(SampleRate::WIDE.hz(), 1);
        let processing = AudioProcessing::builder()
            .config(config)
            .capture_config(stream)
            .render_config(stream)
            .build();
        Self { processing: Box::new(processing) }
    }

    /// Takes 10 ms that the loudspeaker is about to play.
    pub fn hear_played(&mut self, played: &[f32; BLOCK_SAMPLES]) {
        let mut unchanged = [0.0; BLOCK_SAMPLES];
        self.processing
            .process_render_f32(&[played], &mut [&mut unchanged])
            .expect("one channel of 10 ms, as was configured");
    }

    /// Takes the echo out of 10 ms from the microphone, in place.
    pub fn cancel(&mut self, heard: &mut [f32; BLOCK_SAMPLES]) {
        let with_echo = *heard;
        self.processing
            .process_capture_f32(&[&with_echo], &mut [heard])
            .expect("one channel of 10 ms, as was configured");
    }
}

impl Default for EchoCanceller {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for EchoCanceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EchoCanceller").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
