//! Comfort noise (RFC 3389): what is heard while the sender is silent and says how its room sounds.
//!
//! A payload is a level in -dBov and, if the sender likes, reflection coefficients: white noise is
//! sent through the all-pole lattice that they describe, and brought to the level. The noise is
//! drawn from a seed, so that the same packets give the same sound. Absent: making payloads; we
//! send silence as sound.

/// Reflection coefficients taken; RFC 3389 §3.2 lets expect about that many.
const ORDER_MAX: usize = 10;
/// How long one level turns into the next, samples.
const GLIDE: f32 = 160.0;

/// The noise of one leg.
///
/// # Real-time
/// Allocates nothing; O(samples x coefficients).
///
/// # Examples
/// ```
/// use cordboard_audio::comfort::ComfortNoise;
///
/// let mut noise = ComfortNoise::new(7);
/// noise.describe(&[40]); // -40 dBov
/// let mut out = [0.0; 1_600];
/// noise.fill(&mut out);
/// let level = cordboard_audio::level::level_dbov(&out[800..]);
/// assert!((level + 40.0).abs() < 1.5, "{level}");
/// ```
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    seed: u64,
    reflections: [f32; ORDER_MAX],
    order: usize,
    /// RMS of the white noise that comes out at the level wanted, and as it is now.
    wanted: f32,
    gain: f32,
    backward: [f32; ORDER_MAX + 1],
}

impl ComfortNoise {
    /// Makes noise that is silent until it is described.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed: seed ^ 0x9e37_79b9_7f4a_7c15,
            reflections: [0.0; ORDER_MAX],
            order: 0,
            wanted: 0.0,
            gain: 0.0,
            backward: [0.0; ORDER_MAX + 1],
        }
    }

    /// Takes a payload; an empty one says nothing.
    pub fn describe(&mut self, payload: &[u8]) {
        let Some((level, coefficients)) = payload.split_first() else { return };
        self.order = coefficients.len().min(ORDER_MAX);
        // RFC 3389 §3.2: 127 is 0, each step 1/128.
        for (reflection, byte) in self.reflections.iter_mut().zip(coefficients) {
            *reflection = ((f32::from(*byte) - 127.0) / 128.0).clamp(-0.97, 0.97);
        }
        let rms = 10.0_f32.powf(-f32::from(level & 0x7f) / 20.0);
        // The lattice makes white noise louder by 1 / (1 - k^2) in power, at each stage.
        let reflections = &self.reflections[..self.order];
        self.wanted = rms * reflections.iter().map(|k| (1.0 - k * k).sqrt()).product::<f32>();
    }

    /// Fills `out` with noise.
    pub fn fill(&mut self, out: &mut [f32]) {
        for sample in out {
            self.gain += (self.wanted - self.gain) / GLIDE;
            *sample = self.next().clamp(-1.0, 1.0);
        }
    }

    /// Forgets level and spectrum.
    pub fn reset(&mut self) {
        *self = Self { seed: self.seed, ..Self::new(0) };
    }

    fn next(&mut self) -> f32 {
        let mut forward = self.white() * self.gain;
        for stage in (0..self.order).rev() {
            let k = self.reflections[stage];
            forward -= k * self.backward[stage];
            self.backward[stage + 1] = self.backward[stage] + k * forward;
        }
        self.backward[0] = forward;
        forward
    }

    /// Uniform noise of RMS 1 (xorshift64*, Vigna 2016).
    fn white(&mut self) -> f32 {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        let high = (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32;
        (high / (1 << 23) as f32 - 1.0) * 3.0_f32.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::level_dbov;

    fn noise(payload: &[u8], seed: u64) -> Vec<f32> {
        let mut noise = ComfortNoise::new(seed);
        noise.describe(payload);
        let mut out = vec![0.0; 17_600];
        noise.fill(&mut out);
        out[1_600..].to_vec()
    }

    /// Correlation of each sample with the next.
    fn tilt(sound: &[f32]) -> f32 {
        let product: f32 = sound.windows(2).map(|pair| pair[0] * pair[1]).sum();
        product / sound.iter().map(|sample| sample * sample).sum::<f32>()
    }

    #[test]
    fn it_has_the_level_that_was_sent_whatever_its_spectrum() {
        for level in [30_u8, 50, 70] {
            for coefficients in [&[][..], &[17], &[60, 160], &[127; 12]] {
                let payload = [&[level], coefficients].concat();
                let got = level_dbov(&noise(&payload, 3));
                assert!((got + f32::from(level)).abs() < 1.0, "{payload:?}: {got} dBov");
            }
        }
    }

    #[test]
    fn a_negative_first_coefficient_makes_it_dark_and_a_positive_one_bright() {
        // k1 is the negative of the correlation of neighbours.
        assert!((tilt(&noise(&[40, 63], 1)) - 0.5).abs() < 0.05);
        assert!((tilt(&noise(&[40, 191], 1)) + 0.5).abs() < 0.05);
        assert!(tilt(&noise(&[40], 1)).abs() < 0.05);
    }

    #[test]
    fn the_same_seed_gives_the_same_noise_and_another_does_not() {
        assert_eq!(noise(&[50], 9), noise(&[50], 9));
        assert_ne!(noise(&[50], 9), noise(&[50], 10));
    }

    #[test]
    fn without_a_description_it_is_silent() {
        assert!(noise(&[], 1).iter().all(|sample| *sample == 0.0));
    }
}
