//! Between 8 and 16 kHz for a stream of frames, with a delay of 2.5 ms: a windowed-sinc low-pass
//! with Kaiser's window (J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh
//! window function", ISCAS 1974), of which only what is needed is computed.
//!
//! [`crate::Resampler`] is sharper and four times as late; a voice that is bridged to another
//! cannot wait. Absent: any ratio but two.

use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::{FRAME_SAMPLES_MAX, SampleRate};

/// Taps each side of the middle, and so the delay in samples of 16 kHz.
const HALF_TAPS: usize = 40;
const TAPS: usize = 2 * HALF_TAPS + 1;
/// Middle of the transition band, 860 Hz wide, as a fraction of 16 kHz.
const CUTOFF: f64 = 3_700.0 / 16_000.0;
/// Kaiser's beta for 70 dB: 0.1102 (70 - 8.7).
const BETA: f64 = 6.755;

/// The taps, which sum to one.
static LOW_PASS: LazyLock<[f32; TAPS]> = LazyLock::new(low_pass);

/// Delay of both, in samples of 16 kHz.
pub const DELAY_SAMPLES: usize = HALF_TAPS;

/// From 16 to 8 kHz.
///
/// # Real-time
/// No allocation; 13 000 multiplications a frame.
///
/// # Examples
/// ```
/// let mut halver = cordboard_audio::halfband::Halver::new();
/// let mut narrow = [0.0; 160];
/// assert_eq!(halver.push_into(&[0.5; 320], &mut narrow), 160);
/// assert!((narrow[159] - 0.5).abs() < 0.001);
/// ```
#[derive(Clone, Debug)]
pub struct Halver {
    past: [f32; TAPS - 1],
}

/// From 8 to 16 kHz.
///
/// # Real-time
/// No allocation; 13 000 multiplications a frame.
#[derive(Clone, Debug)]
pub struct Doubler {
    past: [f32; HALF_TAPS],
}

impl Halver {
    /// Makes one that has seen silence.
    #[must_use]
    pub fn new() -> Self {
        LazyLock::force(&LOW_PASS);
        Self { past: [0.0; TAPS - 1] }
    }

    /// Writes half as many samples as it is given, at most a frame of an even number; returns how
    /// many.
    pub fn push_into(&mut self, wide: &[f32], narrow: &mut [f32]) -> usize {
        let mut window = [0.0; TAPS - 1 + FRAME_SAMPLES_MAX];
        let len = wide.len().min(FRAME_SAMPLES_MAX).min(2 * narrow.len());
        window[..TAPS - 1].copy_from_slice(&self.past);
        window[TAPS - 1..][..len].copy_from_slice(&wide[..len]);
        let taps = &*LOW_PASS;
        for (n, out) in narrow[..len / 2].iter_mut().enumerate() {
            let heard = &window[2 * n..][..TAPS];
            *out = heard.iter().zip(taps).map(|(sample, tap)| sample * tap).sum();
        }
        self.past.copy_from_slice(&window[len..][..TAPS - 1]);
        len / 2
    }
}

impl Doubler {
    /// Makes one that has seen silence.
    #[must_use]
    pub fn new() -> Self {
        LazyLock::force(&LOW_PASS);
        Self { past: [0.0; HALF_TAPS] }
    }

    /// Writes twice as many samples as it is given, at most a frame; returns how many.
    pub fn push_into(&mut self, narrow: &[f32], wide: &mut [f32]) -> usize {
        let mut window = [0.0; HALF_TAPS + FRAME_SAMPLES_MAX / 2];
        let len = narrow.len().min(FRAME_SAMPLES_MAX / 2).min(wide.len() / 2);
        window[..HALF_TAPS].copy_from_slice(&self.past);
        window[HALF_TAPS..][..len].copy_from_slice(&narrow[..len]);
        let taps = &*LOW_PASS;
        for (n, pair) in wide[..2 * len].chunks_exact_mut(2).enumerate() {
            let heard = &window[n..=n + HALF_TAPS];
            // Every other sample of the doubled stream is 0: each output needs half of the taps.
            let product = |first: usize| {
                let taps = taps[first..].iter().step_by(2);
                heard.iter().rev().zip(taps).map(|(sample, tap)| 2.0 * sample * tap).sum()
            };
            pair[0] = product(0);
            pair[1] = product(1);
        }
        self.past.copy_from_slice(&window[len..][..HALF_TAPS]);
        2 * len
    }
}

impl Default for Halver {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Doubler {
    fn default() -> Self {
        Self::new()
    }
}

/// Samples that a frame of this rate has after it was doubled or halved to 8 or 16 kHz.
const _: () = assert!(SampleRate::WIDE.frame_samples() == 2 * SampleRate::NARROW.frame_samples());

/// The taps of the low-pass, `2 n + 1` of them for a band that falls off the sharper the more there
/// are; they sum to one.
///
/// # Examples
/// ```
/// let taps = cordboard_audio::halfband::low_pass::<121>();
/// assert!((taps.iter().sum::<f32>() - 1.0).abs() < 1e-5);
/// assert_eq!(taps[0], taps[120]);
/// ```
#[must_use]
pub fn low_pass<const TAPS: usize>() -> [f32; TAPS] {
    let middle = (TAPS / 2) as f64;
    let raw = std::array::from_fn::<f64, TAPS, _>(|index| {
        let from_middle = index as f64 - middle;
        let ratio = from_middle / (middle + 1.0);
        let window = bessel_i0(BETA * (1.0 - ratio * ratio).sqrt()) / bessel_i0(BETA);
        2.0 * CUTOFF * sinc(2.0 * CUTOFF * from_middle) * window
    });
    let sum: f64 = raw.iter().sum();
    raw.map(|tap| (tap / sum) as f32)
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Modified Bessel function of the first kind, order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        let factor = x / (2.0 * f64::from(k));
        term *= factor * factor;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::rms;

    fn sine(hz: f32, rate: SampleRate) -> Vec<f32> {
        let step = std::f32::consts::TAU * hz / rate.hz() as f32;
        (0..rate.hz()).map(|n| (n as f32 * step).sin() * 0.5).collect()
    }

    fn halved(wide: &[f32]) -> Vec<f32> {
        let mut halver = Halver::new();
        let mut out = vec![0.0; wide.len() / 2];
        for (wide, narrow) in wide.chunks(320).zip(out.chunks_mut(160)) {
            assert_eq!(halver.push_into(wide, narrow), narrow.len());
        }
        out
    }

    fn doubled(narrow: &[f32]) -> Vec<f32> {
        let mut doubler = Doubler::new();
        let mut out = vec![0.0; narrow.len() * 2];
        for (narrow, wide) in narrow.chunks(160).zip(out.chunks_mut(320)) {
            assert_eq!(doubler.push_into(narrow, wide), wide.len());
        }
        out
    }

    fn off(got: &[f32], goal: &[f32], delay: usize) -> f32 {
        let off: Vec<f32> = got[delay..].iter().zip(goal).map(|(a, b)| a - b).collect();
        rms(&off[500..])
    }

    #[test]
    fn speech_passes_both_ways_two_and_a_half_ms_late() {
        for hz in [100.0, 700.0, 1_900.0, 3_000.0] {
            let (narrow, wide) = (sine(hz, SampleRate::NARROW), sine(hz, SampleRate::WIDE));
            let down = off(&halved(&wide), &narrow, DELAY_SAMPLES / 2);
            let up = off(&doubled(&narrow), &wide, DELAY_SAMPLES);
            assert!(down < 0.003 && up < 0.003, "{hz} Hz: {down} down, {up} up");
        }
    }

    #[test]
    fn what_has_no_place_is_taken_out() {
        for hz in [4_300.0, 5_000.0, 7_000.0] {
            let level = rms(&halved(&sine(hz, SampleRate::WIDE))[200..]);
            assert!(level < 0.001, "{hz} Hz: {level}");
        }
        // Doubling 1 kHz leaves no image at 7 kHz.
        let wide = doubled(&sine(1_000.0, SampleRate::NARROW));
        assert!(off(&wide, &sine(1_000.0, SampleRate::WIDE), DELAY_SAMPLES) < 0.002);
    }

    #[test]
    fn down_after_up_is_the_same_sound() {
        let narrow = sine(440.0, SampleRate::NARROW);
        assert!(off(&halved(&doubled(&narrow)), &narrow, DELAY_SAMPLES) < 0.003);
    }
}
