//! From the telephone's 8 kHz to the 16 kHz of most acoustic models, by linear-phase FIR
//! interpolation.
//!
//! Pure. The input's samples stay as they are, each second output sample is new. What the
//! telephone did not carry (4 to 8 kHz) is left empty: with a mirror of the band at -32 dB there
//! the errors on spliced digits rose from 23 to 27 %.

/// Taps on each side of a new sample; 0.02 dB ripple to 3.4 kHz.
const SIDE: usize = 16;

/// Doubles the rate of a signal.
#[derive(Clone, Debug)]
pub struct Upsampler {
    taps: [f32; SIDE],
    /// The last `2 * SIDE` input samples, oldest first.
    past: [f32; 2 * SIDE],
}

impl Upsampler {
    /// Begins in silence.
    #[must_use]
    pub fn new() -> Self {
        Self { taps: taps(), past: [0.0; 2 * SIDE] }
    }

    /// Appends two samples for each of `input` to `output`, 2 ms behind it.
    pub fn upsample_into(&mut self, input: &[f32], output: &mut Vec<f32>) {
        for &sample in input {
            self.past.copy_within(1.., 0);
            self.past[2 * SIDE - 1] = sample;
            let between: f32 = self
                .taps
                .iter()
                .enumerate()
                .map(|(at, tap)| tap * (self.past[SIDE - 1 - at] + self.past[SIDE + at]))
                .sum();
            output.push(self.past[SIDE - 1]);
            output.push(between);
        }
    }
}

impl Default for Upsampler {
    fn default() -> Self {
        Self::new()
    }
}

/// A half-band low-pass: sinc at the half samples under a Hann window, unit gain at 0 Hz.
fn taps() -> [f32; SIDE] {
    use std::f64::consts::PI;
    let raw: [f64; SIDE] = std::array::from_fn(|at| {
        let x = at as f64 + 0.5;
        let window = (PI * x / (2.0 * (SIDE as f64 + 0.5))).cos().powi(2);
        (PI * x).sin() / (PI * x) * window
    });
    let gain = 2.0 * raw.iter().sum::<f64>();
    std::array::from_fn(|at| (raw[at] / gain) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_form_at_twice_the_rate() {
        for hz in [200.0_f64, 1_000.0, 3_000.0, 3_400.0] {
            let tone = |n: usize, rate: f64| (std::f64::consts::TAU * hz * n as f64 / rate).sin();
            let input: Vec<f32> = (0..800).map(|n| tone(n, 8_000.0) as f32).collect();
            let mut output = Vec::new();
            Upsampler::new().upsample_into(&input, &mut output);
            assert_eq!(output.len(), 1_600);
            for (n, sample) in output.iter().enumerate().skip(200) {
                let wanted = tone(n - 2 * SIDE, 16_000.0) as f32;
                assert!((sample - wanted).abs() < 0.02, "{hz} Hz: sample {n}");
            }
        }
    }

    #[test]
    fn pieces_give_the_same_as_the_whole() {
        let input: Vec<f32> = (0..500).map(|n| ((n * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Upsampler::new().upsample_into(&input, &mut whole);
        let mut upsampler = Upsampler::new();
        for piece in input.chunks(7) {
            upsampler.upsample_into(piece, &mut pieces);
        }
        assert_eq!(whole, pieces);
    }
}
