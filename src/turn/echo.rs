//! The assistant's own voice coming back: noticed by how the caller's side rises and falls with
//! what is played, a while later, and taken out from then on.
//!
//! A canceller costs more than all else that is done with a frame of sound, so that no call has one
//! before an echo is there. It is for the floor and the recognizer; what people hear of each other,
//! and what is recorded, is as it came.

use cordboard_audio::SampleRate;
use cordboard_audio::echo::EchoCanceller;
use cordboard_audio::level::level_dbov;

/// Frames within which an echo returns: 600 ms.
const LAGS: usize = 30;
/// What is quieter is silence to us, dBov: its level says nothing.
const QUIET_DBOV: f32 = -65.0;
/// What is played below this brings no echo that is heard.
const PLAYED_DBOV: f32 = -45.0;
/// The memory of means and products, frames: 4 s.
const MEMORY: f32 = 200.0;
/// So alike, for so many frames of something played, and the one comes from the other.
const ALIKE: f32 = 0.7;
const FRAMES: u32 = 40;
/// Levels must have moved so much to be compared, dB.
const MOVED_DB: f32 = 4.0;

/// Takes the echo out of the caller's side, where there is one.
///
/// # Real-time
/// Some 300 operations a frame while something is played; about 0.1 ms a frame, and some 70 small
/// allocations, from when an echo has been noticed.
#[derive(Debug, Default)]
pub struct Echo {
    likeness: Likeness,
    canceller: Option<Box<EchoCanceller>>,
}

impl Echo {
    /// Takes the echo of what was played out of 20 ms of the caller's side, 8 kHz both, in place;
    /// `played` are the 20 ms that were sent last.
    pub fn take_out(&mut self, uplink: &mut [f32], played: &[f32]) {
        if let Some(canceller) = &mut self.canceller {
            canceller.hear_played(played);
            canceller.cancel(uplink);
            return;
        }
        self.likeness.hear(level_dbov(uplink), level_dbov(played));
        if self.likeness.is_echo() {
            self.canceller = Some(Box::new(EchoCanceller::new(SampleRate::NARROW)));
        }
    }

    /// Whether an echo has been noticed.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.canceller.is_some()
    }
}

/// How the levels of the caller's side follow those of what was played, for each delay.
///
/// Only frames count in which something was played: that both are silent before a prompt and after
/// it says nothing, and who speaks once over a line rises and falls once with it. What is compared
/// is how syllables rise and fall.
#[derive(Debug)]
struct Likeness {
    /// Levels of what was played, the newest at `newest`, dBov.
    played: [f32; LAGS],
    newest: usize,
    delays: [Delay; LAGS],
    /// Frames of something played since the two are alike.
    alike: u32,
}

/// What is known of one delay: means of both levels, dBov, mean squares around them and the mean
/// product, dB², over so many frames.
#[derive(Clone, Copy, Debug, Default)]
struct Delay {
    uplink: (f32, f32),
    downlink: (f32, f32),
    product: f32,
    frames: u32,
}

impl Default for Likeness {
    fn default() -> Self {
        Self { played: [QUIET_DBOV; LAGS], newest: 0, delays: [Delay::default(); LAGS], alike: 0 }
    }
}

impl Likeness {
    fn hear(&mut self, uplink_dbov: f32, played_dbov: f32) {
        self.newest = (self.newest + 1) % LAGS;
        self.played[self.newest] = played_dbov;
        let mut most: f32 = 0.0;
        for (lag, delay) in self.delays.iter_mut().enumerate() {
            let played_dbov = self.played[(self.newest + LAGS - lag) % LAGS];
            if played_dbov > PLAYED_DBOV {
                delay.hear(uplink_dbov.max(QUIET_DBOV), played_dbov);
                most = most.max(delay.coefficient());
            }
        }
        if played_dbov > PLAYED_DBOV {
            self.alike = if most >= ALIKE { self.alike + 1 } else { 0 };
        }
    }

    const fn is_echo(&self) -> bool {
        self.alike >= FRAMES
    }
}

impl Delay {
    fn hear(&mut self, uplink_dbov: f32, played_dbov: f32) {
        self.frames = self.frames.saturating_add(1);
        // The first frames weigh as much as their number: a mean, and then a fading one.
        let weight = 1.0 / (self.frames as f32).min(MEMORY);
        let up = follow(&mut self.uplink, uplink_dbov, weight);
        let down = follow(&mut self.downlink, played_dbov, weight);
        self.product += (up * down - self.product) * weight;
    }

    /// The correlation of both levels, where it says something.
    fn coefficient(&self) -> f32 {
        let (up, down) = (self.uplink.1.sqrt(), self.downlink.1.sqrt());
        if self.frames < FRAMES || up < MOVED_DB || down < MOVED_DB {
            return 0.0;
        }
        self.product / (up * down)
    }
}

/// Takes a value into a mean and the square around it; gives how far it is off the mean.
fn follow((mean, square): &mut (f32, f32), value: f32, weight: f32) -> f32 {
    let off = value - *mean;
    *mean += off * weight;
    *square += (off * off - *square) * weight;
    off
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that is loud and soft by syllables, 20 ms frames; the same for the same seed.
    fn voice(seed: u32, frames: usize) -> Vec<[f32; 160]> {
        let mut state = seed;
        let mut draw = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32
        };
        let (mut loud, mut goal) = (0.0, 0.0);
        let frame = |n: usize| {
            if n.is_multiple_of(7) {
                goal = if draw() > 0.4 { 0.02 + 0.2 * draw() } else { 0.0 };
            }
            loud += (goal - loud) * 0.5;
            std::array::from_fn(|_| loud * (2.0 * draw() - 1.0))
        };
        (0..frames).map(frame).collect()
    }

    fn energy(frame: &[f32]) -> f32 {
        frame.iter().map(|sample| sample * sample).sum()
    }

    /// What of `near` and an echo of `played`, so much later and softer, is left: the energy of
    /// each, and whether an echo was noticed.
    fn left(
        played: &[[f32; 160]],
        near: &[[f32; 160]],
        late: usize,
        gain: f32,
        from: usize,
    ) -> (f32, f32, bool) {
        let mut echo = Echo::default();
        let (mut before, mut after) = (0.0, 0.0);
        for (n, near) in near.iter().enumerate() {
            let back = n.checked_sub(late).map_or([0.0; 160], |n| played[n]);
            let mut uplink: [f32; 160] = std::array::from_fn(|at| near[at] + gain * back[at]);
            let with = energy(&uplink);
            let last = n.checked_sub(1).map_or([0.0; 160], |n| played[n]);
            echo.take_out(&mut uplink, &last);
            if n >= from {
                before += with;
                after += energy(&uplink);
            }
        }
        (before, after, echo.is_there())
    }

    #[test]
    fn the_assistants_voice_back_at_15_db_after_200_ms_is_noticed_and_taken_out() {
        let (played, silence) = (voice(3, 500), vec![[0.0; 160]; 500]);
        let (before, after, noticed) = left(&played, &silence, 10, 0.178, 250);
        assert!(noticed);
        let erle_db = 10.0 * (before / after).log10();
        assert!(erle_db > 20.0, "{erle_db} dB");
    }

    #[test]
    fn a_caller_who_speaks_over_the_assistant_is_no_echo_and_loses_nothing() {
        for seed in 1..20 {
            let (played, near) = (voice(seed, 500), voice(seed + 100, 500));
            let (before, after, noticed) = left(&played, &near, 0, 0.0, 0);
            assert!(!noticed, "seed {seed}");
            assert_eq!(before, after, "as it came");
        }
    }

    #[test]
    fn who_speaks_once_over_a_line_as_long_as_it_is_no_echo() {
        let burst = |from: usize, to: usize| -> Vec<[f32; 160]> {
            let level = |n: usize| if (from..to).contains(&n) { 0.1 } else { 0.0 };
            (0..400).map(|n| [level(n); 160]).collect()
        };
        for late in [3, 10, 25] {
            let (played, near) = (burst(50, 150), burst(50 + late, 150 + late));
            let (before, after, noticed) = left(&played, &near, 0, 0.0, 0);
            assert!(!noticed, "{late} frames later");
            assert_eq!(before, after);
        }
    }

    #[test]
    fn a_caller_who_speaks_over_the_echo_is_kept() {
        let (played, mut near) = (voice(3, 600), vec![[0.0; 160]; 300]);
        near.extend(voice(77, 300));
        let (before, after, _) = left(&played, &near, 10, 0.178, 300);
        let kept_db = 10.0 * (after / before).log10();
        assert!(kept_db > -6.0, "{kept_db} dB");
    }
}
