//! Sounds made from numbers: the accept tone, the tick of waiting, and music for those on hold.
//!
//! All is within what a telephone carries (300 to 3,400 Hz, but for the lowest notes), and the
//! same arguments give the same sound. Absent: keypad tones.

use std::f32::consts::TAU;
use std::sync::Arc;

use crate::SampleRate;
use crate::level::rms;

/// Loudness of the music, dBov: below speech, so that an announcement stands out.
const MUSIC_DBOV: f32 = -24.0;
/// Length of a bar, s; each has one chord.
const BAR_S: f32 = 2.0;
/// Plucked notes in a bar.
const NOTES_A_BAR: usize = 4;
/// Middle C, Hz.
const C4_HZ: f32 = 261.63;
/// Chords of the eight bars, semitones above middle C: C, A minor, F, G, E minor, A minor, F, G7.
const CHORDS: [[i32; 3]; 8] =
    [[0, 4, 7], [0, 4, 9], [0, 5, 9], [2, 7, 11], [4, 7, 11], [0, 4, 9], [0, 5, 9], [5, 7, 11]];

/// A short friendly tone of 160 ms: it worked, you are on.
///
/// # Examples
/// ```
/// use cordboard_audio::{SampleRate, tone};
///
/// assert_eq!(tone::beep(SampleRate::NARROW).len(), 1_280);
/// ```
#[must_use]
pub fn beep(rate: SampleRate) -> Arc<[f32]> {
    let mut out = vec![0.0; rate.hz() as usize * 160 / 1_000];
    let half = out.len() / 2;
    ring(&mut out[..half], rate, 784.0, 0.25);
    ring(&mut out[half..], rate, 1_047.0, 0.25);
    out.into()
}

/// One second of a soft clock, to be looped while something is looked up.
///
/// # Examples
/// ```
/// use cordboard_audio::{SampleRate, tone};
///
/// assert_eq!(tone::tick(SampleRate::NARROW).len(), 8_000);
/// ```
#[must_use]
pub fn tick(rate: SampleRate) -> Arc<[f32]> {
    let mut out = vec![0.0; rate.hz() as usize];
    let half = out.len() / 2;
    pluck(&mut out, rate, 0, 880.0, 0.16, 0.05);
    pluck(&mut out, rate, half, 660.0, 0.16, 0.05);
    out.into()
}

/// Sixteen seconds of soft music that loops without a seam and is never quiet: chords of held
/// notes under a plucked tune, which the seed chooses.
///
/// # Examples
/// ```
/// use cordboard_audio::{SampleRate, level, tone};
///
/// let music = tone::hold_music(SampleRate::NARROW, 7);
/// assert_eq!(music.len(), 16 * 8_000);
/// assert_eq!(level::level_dbov(&music).round(), -24.0);
/// ```
#[must_use]
pub fn hold_music(rate: SampleRate, seed: u64) -> Arc<[f32]> {
    let bar = (rate.hz() as f32 * BAR_S) as usize;
    let mut out = vec![0.0; bar * CHORDS.len()];
    let mut chance = seed;
    let mut last = 1_usize;
    for (n, chord) in CHORDS.iter().enumerate() {
        for note in chord {
            hold(&mut out, rate, n * bar, bar, note_hz(*note));
        }
        for beat in 0..NOTES_A_BAR {
            // A step up or down, or a stay, among the chord's notes over two octaves.
            chance = next(chance);
            last = (last + (chance >> 33) as usize % 3).saturating_sub(1).min(5);
            let hz = note_hz(chord[last % 3] + 12 * (1 + last as i32 / 3));
            pluck(&mut out, rate, n * bar + beat * bar / NOTES_A_BAR, hz, 0.7, 0.35);
        }
    }
    let gain = 10.0_f32.powf(MUSIC_DBOV / 20.0) / rms(&out);
    out.iter_mut().for_each(|sample| *sample *= gain);
    out.into()
}

/// A sine over the whole slice, rising and falling in 8 ms.
fn ring(out: &mut [f32], rate: SampleRate, hz: f32, loud: f32) {
    let (len, edge) = (out.len(), rate.hz() as f32 * 0.008);
    for (n, sample) in out.iter_mut().enumerate() {
        let rise = (n.min(len - 1 - n) as f32 / edge).min(1.0);
        *sample += loud * smooth(rise) * (TAU * hz * n as f32 / rate.hz() as f32).sin();
    }
}

/// A plucked string: quick attack, a decay of `decay_s` to a twentieth; runs round the loop's end.
fn pluck(out: &mut [f32], rate: SampleRate, begin: usize, hz: f32, decay_s: f32, loud: f32) {
    let (len, rate_hz) = (out.len(), rate.hz() as f32);
    let length = ((decay_s * 2.0 * rate_hz) as usize).min(len);
    for n in 0..length {
        let time = n as f32 / rate_hz;
        let decay = (-3.0 * time / decay_s).exp() * smooth(((length - n) as f32 / 400.0).min(1.0));
        let rise = smooth((time / 0.006).min(1.0));
        let wave = (TAU * hz * time).sin() + 0.3 * (TAU * 2.0 * hz * time).sin() * decay;
        out[(begin + n) % len] += loud * rise * decay * wave;
    }
}

/// A held note of a bar's length that swells in over 0.2 s and falls into the next bar as long;
/// runs round the loop's end.
fn hold(out: &mut [f32], rate: SampleRate, begin: usize, bar: usize, hz: f32) {
    let (len, rate_hz) = (out.len(), rate.hz() as f32);
    let edge = (0.2 * rate_hz) as usize;
    for n in 0..bar + edge {
        let time = n as f32 / rate_hz;
        let swell = smooth((n.min(bar + edge - n) as f32 / edge as f32).min(1.0));
        // Two voices a little apart beat slowly; the octave makes small speakers carry it.
        let wave = (TAU * hz * time).sin()
            + 0.6 * (TAU * hz * 1.002 * time).sin()
            + 0.3 * (TAU * 2.0 * hz * time).sin();
        out[(begin + n) % len] += 0.2 * swell * wave;
    }
}

fn note_hz(semitones: i32) -> f32 {
    C4_HZ * 2.0_f32.powf(semitones as f32 / 12.0)
}

/// 0 to 1 without a corner.
fn smooth(x: f32) -> f32 {
    x * x * (3.0 - 2.0 * x)
}

/// Next number of a linear congruential generator (Knuth, MMIX).
const fn next(chance: u64) -> u64 {
    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::level_dbov;

    /// Longest stretch below -45 dBov, ms, the loop played twice.
    fn longest_quiet_ms(sound: &[f32]) -> usize {
        let twice = [sound, sound].concat();
        let mut longest = 0;
        let mut quiet = 0;
        for window in twice.chunks(80) {
            quiet = if level_dbov(window) < -45.0 { quiet + 10 } else { 0 };
            longest = longest.max(quiet);
        }
        longest
    }

    #[test]
    fn music_is_never_quiet_nor_loud_whatever_the_seed() {
        for seed in 0..8 {
            let music = hold_music(SampleRate::NARROW, seed);
            assert_eq!(longest_quiet_ms(&music), 0, "seed {seed}");
            assert!((level_dbov(&music) - MUSIC_DBOV).abs() < 0.1);
            assert!(music.iter().all(|sample| sample.abs() < 0.5), "seed {seed} peaks");
        }
    }

    #[test]
    fn the_loop_has_no_seam() {
        let music = hold_music(SampleRate::NARROW, 3);
        let steepest = music.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        let seam = (music[0] - music[music.len() - 1]).abs();
        assert!(seam <= steepest, "{seam} against {steepest}");
    }

    #[test]
    fn a_seed_chooses_the_tune_and_gives_it_again() {
        let music = |seed| hold_music(SampleRate::NARROW, seed);
        assert_eq!(music(1), music(1));
        assert_ne!(music(1), music(2));
    }

    #[test]
    fn the_beep_begins_and_ends_at_rest() {
        let beep = beep(SampleRate::WIDE);
        assert_eq!(beep.len(), 2_560);
        assert!(beep[0].abs() < 0.01 && beep[2_559].abs() < 0.01);
        assert!((-22.0..-12.0).contains(&level_dbov(&beep)), "{}", level_dbov(&beep));
    }

    #[test]
    fn the_tick_is_soft_and_never_away_for_long() {
        let tick = tick(SampleRate::NARROW);
        assert_eq!(tick.len(), 8_000);
        assert!(longest_quiet_ms(&tick) <= 400, "{} ms", longest_quiet_ms(&tick));
        assert!(level_dbov(&tick) < -30.0);
    }
}
