//! A made-up telephone signal, the same on every machine: silence, a hum, a vowel, noise, both.

use std::f32::consts::TAU;

const RATE_HZ: f32 = 8_000.0;
/// Samples of one part of the signal: half a second.
const PART: usize = 4_000;

/// Five parts, each half a second: silence, a 400 Hz tone, a sung vowel, noise, vowel and noise.
pub(crate) fn made_up() -> Vec<f32> {
    let mut noise = Noise(20_260_721);
    let mut vowel = Vowel::default();
    let mut signal = vec![0.0; PART];
    signal.extend((0..PART).map(|n| 0.2 * (TAU * 400.0 * n as f32 / RATE_HZ).sin()));
    signal.extend((0..PART).map(|n| vowel.sample(n)));
    signal.extend((0..PART).map(|_| 0.1 * noise.sample()));
    signal.extend((0..PART).map(|n| vowel.sample(n) + 0.03 * noise.sample()));
    signal
}

/// Numbers of [-1, 1] from a linear congruential generator (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    fn sample(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// Pulses of a gliding pitch through three resonators at the formants of "ah".
#[derive(Default)]
struct Vowel {
    phase: f32,
    formants: [[f32; 2]; 3],
}

impl Vowel {
    fn sample(&mut self, n: usize) -> f32 {
        let seconds = n as f32 / RATE_HZ;
        self.phase += (120.0 + 25.0 * (TAU * 2.0 * seconds).sin()) / RATE_HZ;
        let pulse = if self.phase >= 1.0 { 1.0 } else { 0.0 };
        self.phase = self.phase.fract();
        let loudness = 0.5 - 0.5 * (TAU * 4.0 * seconds).cos();
        let centres_hz = [730.0, 1_090.0, 2_440.0];
        let mut sum = 0.0;
        for (past, hz) in self.formants.iter_mut().zip(centres_hz) {
            let radius = 0.97_f32;
            let now = pulse + 2.0 * radius * (TAU * hz / RATE_HZ).cos() * past[0]
                - radius * radius * past[1];
            *past = [now, past[0]];
            sum += now;
        }
        (0.12 * loudness * sum).clamp(-1.0, 1.0)
    }
}
