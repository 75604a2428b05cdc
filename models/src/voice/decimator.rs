//! Halves a rate: a windowed-sinc low-pass, of which only every second output is computed.
//!
//! Pure; whole signals only, as a synthesizer gives them. Kaiser's window and his formula for its
//! length (J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function",
//! ISCAS 1974). Deliberately absent: any ratio but two.

use std::f64::consts::PI;

/// Taps each side of the middle: 70 dB with a transition from 3.4 to 4.0 kHz at 16 kHz need 116.
const HALF_TAPS: usize = 60;
/// Middle of the transition band as a fraction of the input's rate: 3.7 kHz of 16 kHz.
const CUTOFF: f64 = 3_700.0 / 16_000.0;
/// Kaiser's beta for 70 dB: 0.1102 (70 - 8.7).
const BETA: f64 = 6.755;

/// A low-pass whose output has half the rate.
#[derive(Clone, Debug)]
pub(super) struct Decimator {
    taps: Vec<f32>,
}

impl Decimator {
    /// Computes the taps, which sum to one.
    pub(super) fn new() -> Self {
        let middle = HALF_TAPS as f64;
        let raw: Vec<f64> = (0..=2 * HALF_TAPS)
            .map(|index| {
                let from_middle = index as f64 - middle;
                let ratio = from_middle / (middle + 1.0);
                let window = bessel_i0(BETA * (1.0 - ratio * ratio).sqrt()) / bessel_i0(BETA);
                2.0 * CUTOFF * sinc(2.0 * CUTOFF * from_middle) * window
            })
            .collect();
        let sum: f64 = raw.iter().sum();
        Self { taps: raw.iter().map(|tap| (tap / sum) as f32).collect() }
    }

    /// Gives every second sample of the filtered signal, without delay: ceil(n / 2) of n.
    pub(super) fn halve(&self, input: &[f32]) -> Vec<f32> {
        (0..input.len().div_ceil(2))
            .map(|output| {
                let middle = 2 * output;
                let first = middle.saturating_sub(HALF_TAPS);
                let last = (middle + HALF_TAPS).min(input.len() - 1);
                let skipped = HALF_TAPS - (middle - first);
                let heard = &input[first..=last];
                heard.iter().zip(&self.taps[skipped..]).map(|(sample, tap)| sample * tap).sum()
            })
            .collect()
    }
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

    fn tone(hz: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (2.0 * PI * hz * n as f64 / 16_000.0).sin() as f32).collect()
    }

    /// RMS of the middle, in dB against a full-scale sine's.
    fn level_db(samples: &[f32]) -> f64 {
        let middle = &samples[200..samples.len() - 200];
        let power: f64 = middle.iter().map(|s| f64::from(*s).powi(2)).sum();
        10.0 * (2.0 * power / middle.len() as f64 + 1e-20).log10()
    }

    #[test]
    fn speech_passes_and_what_would_alias_does_not() {
        let decimator = Decimator::new();
        for hz in [100.0, 1_000.0, 2_500.0, 3_300.0] {
            let level = level_db(&decimator.halve(&tone(hz, 16_000)));
            assert!(level.abs() < 0.1, "{hz} Hz comes out at {level:.2} dB");
        }
        for hz in [4_050.0, 4_700.0, 6_000.0, 7_900.0] {
            let level = level_db(&decimator.halve(&tone(hz, 16_000)));
            assert!(level < -60.0, "{hz} Hz comes out at {level:.1} dB");
        }
    }

    #[test]
    fn a_click_stays_where_it_was() {
        let decimator = Decimator::new();
        let mut input = vec![0.0; 1_000];
        input[500] = 1.0;
        let output = decimator.halve(&input);
        let loudest = (0..output.len()).max_by(|a, b| output[*a].total_cmp(&output[*b]));
        assert_eq!(loudest, Some(250));
    }

    #[test]
    fn any_length_is_halved_upwards() {
        let decimator = Decimator::new();
        for samples in [0, 1, 2, 3, 59, 60, 61, 120, 121, 122, 1_001] {
            assert_eq!(decimator.halve(&vec![0.5; samples]).len(), samples.div_ceil(2));
        }
    }
}
