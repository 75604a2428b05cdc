//! Echo cancelling, where a loudspeaker stands beside the microphone: WebRTC's AEC3 as Rust
//! (sonora), at 8 or 16 kHz.
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

/// Blocks that are taken at once, in a second: 10 ms each.
const BLOCKS_A_SECOND: usize = 100;

/// Samples that are taken at once at 16 kHz: 10 ms.
pub const BLOCK_SAMPLES: usize = 160;

/// What comes out at 16 kHz is so much later than what goes in: two blocks of the filter, 8 ms.
pub const DELAY_SAMPLES: usize = 128;

/// Takes one loudspeaker's sound out of one microphone's.
///
/// # Real-time
/// sonora 0.2 allocates some 35 small pieces for 10 ms.
///
/// # Examples
/// ```
/// use cordboard_audio::SampleRate;
/// use cordboard_audio::echo::{BLOCK_SAMPLES, EchoCanceller};
///
/// let mut canceller = EchoCanceller::new(SampleRate::WIDE);
/// canceller.hear_played(&[0.1; BLOCK_SAMPLES]);
/// let mut heard = [0.05; BLOCK_SAMPLES];
/// canceller.cancel(&mut heard);
/// ```
pub struct EchoCanceller {
    processing: Box<AudioProcessing>,
    block: usize,
}

impl EchoCanceller {
    /// Makes one that has heard nothing.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        let config = Config { echo_canceller: Some(Aec3::default()), ..Config::default() };
        let stream = StreamConfig::new(rate.hz(), 1);
        let processing = AudioProcessing::builder()
            .config(config)
            .capture_config(stream)
            .render_config(stream)
            .build();
        let block = rate.hz() as usize / BLOCKS_A_SECOND;
        Self { processing: Box::new(processing), block }
    }

    /// Takes what the loudspeaker is about to play, in whole blocks of 10 ms; what is more than
    /// whole is left out.
    pub fn hear_played(&mut self, played: &[f32]) {
        let mut unchanged = [0.0; BLOCK_SAMPLES];
        for block in played.chunks_exact(self.block) {
            self.processing
                .process_render_f32(&[block], &mut [&mut unchanged[..self.block]])
                .expect("one channel of 10 ms, as was configured");
        }
    }

    /// Takes the echo out of what the microphone brings, in place, in whole blocks of 10 ms; what
    /// is more than whole stays as it is.
    pub fn cancel(&mut self, heard: &mut [f32]) {
        let mut with_echo = [0.0; BLOCK_SAMPLES];
        for block in heard.chunks_exact_mut(self.block) {
            let with_echo = &mut with_echo[..block.len()];
            with_echo.copy_from_slice(block);
            self.processing
                .process_capture_f32(&[with_echo], &mut [block])
                .expect("one channel of 10 ms, as was configured");
        }
    }
}

impl std::fmt::Debug for EchoCanceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EchoCanceller").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
