//! What 20 ms of one voice are like: how loud, how voiced, at which pitch, and how much the mouth
//! has moved since the last.
//!
//! Pitch is the lag at which the sound of the last 40 ms is most like itself (normalized
//! autocorrelation, as L. R. Rabiner, "On the use of autocorrelation analysis for pitch
//! detection", IEEE ASSP-25, 1977). Movement is the distance of the log area ratios of two
//! successive frames (J. Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63, 1975):
//! a hum, a horn and a line's noise hardly move, speech moves with each sound.
//! Absent: any decision; any rate but 8 kHz.

use crate::level::level_dbov;

/// Samples of a frame at 8 kHz.
const FRAME: usize = 160;
/// What is looked at: this frame and the last.
const WINDOW: usize = 2 * FRAME;
/// Lags of 400 and 60 Hz.
const LAG_MIN: usize = 20;
const LAG_MAX: usize = 133;
/// Coefficients of the mouth's shape.
const ORDER: usize = 8;
/// Below this, dBov, there is nothing to be measured.
const QUIET_DBOV: f32 = -60.0;

/// What a frame is like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timbre {
    /// Level, dBov; that of digital silence is -127.
    pub level_dbov: f32,
    /// How much it is a tone and its overtones, 0 to 1.
    pub voicing: f32,
    /// Pitch, 60 to 400 Hz; 0 where there is nothing to be measured.
    pub pitch_hz: f32,
    /// How far the log area ratios have moved since the frame before.
    pub movement: f32,
}

/// Measures a voice, frame by frame.
///
/// # Real-time
/// No allocation; some 40 000 multiplications a frame, and next to none in silence.
///
/// # Examples
/// ```
/// use cordboard_audio::prosody::Prosody;
///
/// let mut prosody = Prosody::default();
/// let tone: Vec<f32> = (0..320).map(|n| (n as f32 * 0.1).sin() * 0.3).collect();
/// prosody.hear(&tone[..160]);
/// let heard = prosody.hear(&tone[160..]);
/// assert!(heard.voicing > 0.95 && (heard.pitch_hz - 127.0).abs() < 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct Prosody {
    window: [f32; WINDOW],
    /// Log area ratios of the last frame that was loud enough.
    shape: Option<[f32; ORDER]>,
}

impl Default for Prosody {
    fn default() -> Self {
        Self { window: [0.0; WINDOW], shape: None }
    }
}

impl Prosody {
    /// Takes 20 ms at 8 kHz; shorter ones are filled up with silence.
    pub fn hear(&mut self, samples: &[f32]) -> Timbre {
        self.window.copy_within(FRAME.., 0);
        let fresh = &mut self.window[FRAME..];
        fresh.fill(0.0);
        for (to, from) in fresh.iter_mut().zip(samples) {
            *to = *from;
        }
        let level_dbov = level_dbov(&self.window[FRAME..]);
        if level_dbov < QUIET_DBOV {
            self.shape = None;
            return Timbre { level_dbov, ..Timbre::default() };
        }
        let (voicing, pitch_hz) = pitch(&self.window);
        let shape = shape(&self.window);
        let movement = self.shape.map_or(0.0, |before| distance(&before, &shape));
        self.shape = Some(shape);
        Timbre { level_dbov, voicing, pitch_hz, movement }
    }
}

/// How like itself the sound is at its best lag, and the pitch that this is.
fn pitch(window: &[f32; WINDOW]) -> (f32, f32) {
    let mean = window.iter().sum::<f32>() / WINDOW as f32;
    let mut sound = *window;
    sound.iter_mut().for_each(|sample| *sample -= mean);
    let late = &sound[LAG_MAX..];
    let own = dot(late, late);
    let mut likeness = [0.0_f32; LAG_MAX + 1];
    for lag in LAG_MIN..=LAG_MAX {
        let early = &sound[LAG_MAX - lag..WINDOW - lag];
        likeness[lag] = dot(late, early) / (own * dot(early, early)).sqrt().max(1e-9);
    }
    let best = likeness.iter().copied().fold(0.0, f32::max);
    // The shortest lag that is nearly as good: twice the pitch's lag is as like, and no pitch.
    let is_peak = |lag: &usize| {
        let (before, after) = (likeness[lag - 1], likeness.get(lag + 1).copied().unwrap_or(0.0));
        likeness[*lag] >= 0.9 * best && likeness[*lag] >= before && likeness[*lag] >= after
    };
    let lag = (LAG_MIN..=LAG_MAX).find(is_peak).unwrap_or(LAG_MAX);
    (best.clamp(0.0, 1.0), 8_000.0 / lag as f32)
}

/// The log area ratios of the mouth that made this sound.
fn shape(window: &[f32; WINDOW]) -> [f32; ORDER] {
    let mut sound = [0.0; WINDOW];
    let hann = |n: usize| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos();
    for n in 1..WINDOW {
        sound[n] = (window[n] - 0.9 * window[n - 1]) * hann(n);
    }
    let mut likeness = [0.0; ORDER + 1];
    for (lag, value) in likeness.iter_mut().enumerate() {
        *value = dot(&sound[lag..], &sound[..WINDOW - lag]);
    }
    // A little white noise keeps the recursion from dividing by nothing.
    likeness[0] = likeness[0] * 1.000_1 + 1e-9;
    log_area_ratios(&likeness)
}

/// Levinson's recursion.
fn log_area_ratios(likeness: &[f32; ORDER + 1]) -> [f32; ORDER] {
    let mut predictor = [0.0_f32; ORDER + 1];
    let mut ratios = [0.0; ORDER];
    let mut error = likeness[0];
    for step in 1..=ORDER {
        let known: f32 = (1..step).map(|n| predictor[n] * likeness[step - n]).sum();
        let reflection = ((likeness[step] - known) / error).clamp(-0.999, 0.999);
        let before = predictor;
        for n in 1..step {
            predictor[n] = before[n] - reflection * before[step - n];
        }
        predictor[step] = reflection;
        error *= 1.0 - reflection * reflection;
        ratios[step - 1] = ((1.0 + reflection) / (1.0 - reflection)).ln();
    }
    ratios
}

fn distance(one: &[f32; ORDER], other: &[f32; ORDER]) -> f32 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f32>().sqrt()
}

/// Sum of products, in eight parts so that it is done eight at a time.
pub(crate) fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut parts = [0.0_f32; 8];
    let (ones, others) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (ones, others) in ones.zip(others) {
        for (part, (a, b)) in parts.iter_mut().zip(ones.iter().zip(others)) {
            *part += a * b;
        }
    }
    parts.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(sound: impl Fn(usize) -> f32) -> Vec<Timbre> {
        let mut prosody = Prosody::default();
        let samples: Vec<f32> = (0..1_600).map(sound).collect();
        samples.chunks(160).map(|frame| prosody.hear(frame)).collect()
    }

    /// A buzz of so many Hz through one resonance, as a voice makes a vowel.
    fn vowel(n: usize, hz: usize, formant_hz: f32) -> f32 {
        let since = n % (8_000 / hz);
        let phase = std::f32::consts::TAU * formant_hz * since as f32 / 8_000.0;
        0.3 * (-(since as f32) / 20.0).exp() * phase.cos()
    }

    fn noise(n: usize) -> f32 {
        let n = (n as u32).wrapping_add(0x9E37_79B9);
        let n = (n ^ (n >> 16)).wrapping_mul(0x7FEB_352D);
        let n = (n ^ (n >> 15)).wrapping_mul(0x846C_A68B);
        ((n ^ (n >> 16)) >> 8) as f32 / 8_388_608.0 - 1.0
    }

    #[test]
    fn the_pitch_of_a_buzz_is_found_over_the_whole_range_and_not_its_half() {
        for hz in [80, 100, 125, 160, 200, 250, 320] {
            let frame = heard(|n| vowel(n, hz, 700.0))[6];
            assert!((frame.pitch_hz - hz as f32).abs() < 0.05 * hz as f32, "{hz}: {frame:?}");
            assert!(frame.voicing > 0.9, "{hz}: {frame:?}");
        }
    }

    #[test]
    fn noise_has_no_voice_and_silence_has_nothing() {
        let frames = heard(|n| 0.1 * noise(n));
        assert!(frames[2..].iter().all(|frame| frame.voicing < 0.5), "{frames:?}");
        let silent = heard(|_| 0.0)[5];
        assert_eq!((silent.voicing, silent.pitch_hz, silent.movement), (0.0, 0.0, 0.0));
        assert_eq!(silent.level_dbov, -127.0);
    }

    #[test]
    fn a_mouth_that_moves_is_told_from_one_that_does_not() {
        let still = heard(|n| vowel(n, 125, 500.0));
        let moved = heard(|n| vowel(n, 125, if (n / 320) % 2 == 0 { 400.0 } else { 1_500.0 }));
        let movement =
            |frames: &[Timbre]| frames[3..].iter().map(|frame| frame.movement).sum::<f32>() / 7.0;
        assert!(movement(&moved) > 5.0 * movement(&still).max(0.05), "{moved:?} {still:?}");
    }
}
