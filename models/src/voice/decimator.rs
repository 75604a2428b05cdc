//! Halves a rate: a windowed-sinc low-pass, of which only every second output is computed.
//!
//! Pure; whole signals only, as a synthesizer gives them, and without delay: sharper than what a
//! stream of frames is halved with. Deliberately absent: any ratio but two.

use cordboard_audio::halfband::low_pass;

/// Taps each side of the middle: 70 dB with a transition from 3.4 to 4.0 kHz at 16 kHz need 116.
const HALF_TAPS: usize = 60;
const TAPS: usize = 2 * HALF_TAPS + 1;

/// A low-pass whose output has half the rate.
#[derive(Clone, Debug)]
pub(super) struct Decimator {
    taps: [f32; TAPS],
}

impl Decimator {
    /// Computes the taps.
    pub(super) fn new() -> Self {
        Self { taps: low_pass() }
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

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

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
