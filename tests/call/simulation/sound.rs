//! Something like speech, for callers whom a real detector hears: syllables of a buzz with two
//! resonances, and breath, at 8 kHz.

use std::f32::consts::TAU;

use rand::Rng;
use rand::rngs::StdRng;

const RATE_HZ: f32 = 8_000.0;
/// Length of a syllable, samples: 150 ms.
const SYLLABLE: usize = 1_200;
/// How sharp the resonances are: the radius of their poles.
const RADIUS: f32 = 0.95;
/// How fast the loudness follows, a sample.
const FOLLOWS: f32 = 0.006;
/// What it comes to at its loudest.
const PEAK: f32 = 0.5;

/// So many samples of it.
pub(crate) fn speech(dice: &mut StdRng, pitch_hz: f32, samples: usize) -> Vec<f32> {
    let (mut phase, mut pitch, mut formants) = (0.0_f32, pitch_hz, [700.0_f32, 1_800.0]);
    let (mut memory, mut loud, mut goal) = ([[0.0_f32; 2]; 2], 0.0_f32, 1.0_f32);
    let mut out = Vec::with_capacity(samples);
    for n in 0..samples {
        if n % SYLLABLE == 0 {
            pitch = pitch_hz * dice.random_range(0.8..1.2);
            formants = [dice.random_range(300.0..800.0), dice.random_range(1_100.0..2_300.0)];
            goal = if dice.random_bool(0.85) { dice.random_range(0.5..1.0) } else { 0.1 };
        }
        loud += (goal - loud) * FOLLOWS;
        phase = (phase + pitch / RATE_HZ).fract();
        let breath = 0.1 * dice.random_range(-1.0..1.0);
        let source = if phase < 0.1 { 1.0 } else { -0.1 } + breath;
        let mut sum = 0.0;
        for (memory, hz) in memory.iter_mut().zip(formants) {
            let turn = 2.0 * RADIUS * (TAU * hz / RATE_HZ).cos();
            let sound = source + turn * memory[0] - RADIUS * RADIUS * memory[1];
            *memory = [sound, memory[0]];
            sum += sound;
        }
        out.push(sum * loud);
    }
    let peak = out.iter().fold(f32::MIN_POSITIVE, |peak, sample| sample.abs().max(peak));
    out.iter_mut().for_each(|sample| *sample *= PEAK / peak);
    out
}
