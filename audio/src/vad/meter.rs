//! The meter: 20 ms frames in, the latest probability of speech out.
//!
//! Frames (160 samples) and windows (256 for Silero, 128 for earshot) do not divide each other, so
//! a window's probability stands until the next window is full. A line on which nobody can be heard
//! costs nothing: after a while of it the detector rests. No smoothing here.

use std::fmt;
use std::sync::Arc;

use super::{Earshot, Silero, SileroWeights, Vad};
use crate::level::level_dbov;

/// A line below this carries no voice that anybody would hear, dBov: G.711's own noise and a
/// little more.
const NOBODY_DBOV: f32 = -60.0;
/// Samples of it after which the detector rests: its probability has fallen long before.
const RESTS_AFTER: usize = 4_000;

/// Measures how probably a call's 8 kHz signal holds speech, frame by frame.
///
/// ```
/// use cordboard_audio::vad::SpeechMeter;
///
/// let mut meter = SpeechMeter::earshot();
/// let silence = [0.0_f32; 160];
/// let probability = meter.hear(&silence).expect("a frame is longer than earshot's window");
/// assert!(probability < 0.5);
/// ```
pub struct SpeechMeter {
    vad: Box<dyn Vad>,
    window: Box<[f32]>,
    filled: usize,
    latest: Option<f32>,
    /// Samples for which nobody could be heard.
    empty: usize,
}

impl SpeechMeter {
    /// Makes a meter around a detector.
    #[must_use]
    pub fn new(vad: Box<dyn Vad>) -> Self {
        let window = vec![0.0; vad.window_samples().max(1)].into_boxed_slice();
        Self { vad, window, filled: 0, latest: None, empty: 0 }
    }

    /// Makes a meter that hears with Silero; all calls share the weights.
    #[must_use]
    pub fn silero(weights: Arc<SileroWeights>) -> Self {
        Self::new(Box::new(Silero::new(weights)))
    }

    /// Makes a meter that hears with earshot, which needs no weights.
    #[must_use]
    pub fn earshot() -> Self {
        Self::new(Box::new(Earshot::new()))
    }

    /// Hears a frame of 8 kHz sound, of any length, and returns the probability of speech in the
    /// latest full window; `None` until there was one.
    ///
    /// # Real-time
    /// No allocation, no lock; a frame costs at most the windows that end in it.
    pub fn hear(&mut self, frame: &[f32]) -> Option<f32> {
        let mut rest = frame;
        while !rest.is_empty() {
            let wanted = &mut self.window[self.filled..];
            let (now, later) = rest.split_at(wanted.len().min(rest.len()));
            wanted[..now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
            if self.filled == self.window.len() {
                self.latest = Some(self.judge_window());
                self.filled = 0;
            }
        }
        self.latest
    }

    fn judge_window(&mut self) -> f32 {
        if level_dbov(&self.window) >= NOBODY_DBOV {
            self.empty = 0;
            return self.vad.probability(&self.window);
        }
        let rested = self.empty >= RESTS_AFTER;
        self.empty = self.empty.saturating_add(self.window.len());
        if rested {
            return 0.0;
        }
        if self.empty >= RESTS_AFTER {
            // It begins anew when somebody is heard.
            self.vad.reset();
            return 0.0;
        }
        self.vad.probability(&self.window)
    }

    /// Forgets all that was heard, a window begun included.
    pub fn reset(&mut self) {
        self.vad.reset();
        self.filled = 0;
        self.latest = None;
        self.empty = 0;
    }
}

impl fmt::Debug for SpeechMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechMeter")
            .field("window_samples", &self.window.len())
            .field("filled", &self.filled)
            .field("latest", &self.latest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use proptest::prelude::*;

    use super::*;

    /// Tells each window to the test and answers with the window's first sample.
    struct Told {
        samples: usize,
        windows: Sender<Vec<f32>>,
    }

    impl Vad for Told {
        fn window_samples(&self) -> usize {
            self.samples
        }

        fn probability(&mut self, window: &[f32]) -> f32 {
            self.windows.send(window.to_vec()).expect("the test listens");
            window[0]
        }

        fn reset(&mut self) {}
    }

    #[test]
    fn silero_sized_windows_end_in_five_of_eight_frames() {
        let (windows, told) = channel();
        let mut meter = SpeechMeter::new(Box::new(Told { samples: 256, windows }));
        let fresh: Vec<usize> = (0..8)
            .map(|_| {
                meter.hear(&[0.5; 160]);
                told.try_iter().count()
            })
            .collect();
        assert_eq!(fresh, [0, 1, 0, 1, 1, 0, 1, 1]);
    }

    #[test]
    fn nothing_is_said_before_the_first_window_is_full() {
        let (windows, _told) = channel();
        let mut meter = SpeechMeter::new(Box::new(Told { samples: 256, windows }));
        assert_eq!(meter.hear(&[0.25; 160]), None);
        assert_eq!(meter.hear(&[0.75; 160]), Some(0.25));
        assert_eq!(meter.hear(&[0.75; 160]), Some(0.25));
    }

    #[test]
    fn on_a_line_without_anybody_the_detector_rests_until_somebody_is_heard() {
        let (windows, told) = channel();
        let mut meter = SpeechMeter::new(Box::new(Told { samples: 200, windows }));
        for _ in 0..100 {
            meter.hear(&[0.0005; 200]);
        }
        assert_eq!((told.try_iter().count(), meter.latest), (19, Some(0.0)));
        assert_eq!(meter.hear(&[0.25; 200]), Some(0.25));
        assert_eq!(told.try_iter().count(), 1);
    }

    #[test]
    fn a_reset_drops_the_window_begun() {
        let (windows, told) = channel();
        let mut meter = SpeechMeter::new(Box::new(Told { samples: 256, windows }));
        meter.hear(&[0.25; 255]);
        meter.reset();
        assert_eq!(meter.hear(&[0.75; 255]), None);
        assert_eq!(told.try_iter().count(), 0);
    }

    proptest! {
        #[test]
        fn windows_joined_are_the_frames_joined(
            lengths in proptest::collection::vec(0_usize..700, 0..20),
            samples in 1_usize..400,
        ) {
            let (windows, told) = channel();
            let mut meter = SpeechMeter::new(Box::new(Told { samples, windows }));
            let mut sent = Vec::new();
            for length in lengths {
                let frame: Vec<f32> = (0..length).map(|n| (sent.len() + n) as f32).collect();
                meter.hear(&frame);
                sent.extend(frame);
            }
            let heard: Vec<f32> = told.try_iter().flatten().collect();
            prop_assert_eq!(&heard[..], &sent[..sent.len() / samples * samples]);
        }
    }
}
