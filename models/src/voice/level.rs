//! Level and edges of synthesized speech: how loud, and how much silence before and after.
//!
//! Pure; whole signals only. Active speech is told from pauses by a gate below the loudest window,
//! a plain form of what ITU-T P.56 does with hangover. Deliberately absent: compression.

use std::ops::Range;

/// Level to which active speech is brought, dBFS RMS: what telephone speech is recorded at
/// (ITU-T P.830 asks for -26 dBov of long-term level; a prompt may be a little louder).
pub(super) const ACTIVE_DBFS: f32 = -20.0;
/// Highest sample after normalisation, dBFS: below -1 with room for the codec's own overshoot.
pub(super) const PEAK_DBFS: f32 = -1.2;

/// How far below the loudest window speech is still active, dB.
const GATE_DB: f32 = 25.0;
/// How far below the loudest window an edge begins to be heard, dB. The noise that flite's
/// voices make in their own pauses lies 43 to 75 dB below it, soft first sounds above 36.
const EDGE_DB: f32 = 36.0;

/// Brings active speech to `ACTIVE_DBFS`, less where the peak would pass `PEAK_DBFS`.
pub(super) fn normalise(samples: &mut [f32], rate_hz: u32) {
    let active = active_rms(samples, rate_hz);
    if active <= f32::EPSILON {
        return;
    }
    let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let gain = (amplitude(ACTIVE_DBFS) / active).min(amplitude(PEAK_DBFS) / peak);
    for sample in samples {
        *sample *= gain;
    }
}

/// RMS of the windows that hold speech; 0 where nothing sounds.
pub(super) fn active_rms(samples: &[f32], rate_hz: u32) -> f32 {
    let windows = powers(samples, rate_hz / 50);
    let gate = loudest(&windows) * power_ratio(-GATE_DB);
    let (sum, count) = windows
        .iter()
        .filter(|power| **power >= gate)
        .fold((0.0, 0.0), |(sum, count), power| (sum + power, count + 1.0));
    if count == 0.0 { 0.0 } else { (sum / count).sqrt() }
}

/// The range that is heard, with up to so much silence before and after it, in samples.
pub(super) fn audible(samples: &[f32], rate_hz: u32, before: usize, after: usize) -> Range<usize> {
    let window = (rate_hz / 100) as usize;
    let windows = powers(samples, rate_hz / 100);
    let edge = loudest(&windows) * power_ratio(-EDGE_DB);
    let heard = |power: &f32| *power > edge;
    let (Some(first), Some(last)) =
        (windows.iter().position(heard), windows.iter().rposition(heard))
    else {
        return 0..0;
    };
    let begin = (first * window).saturating_sub(before);
    let end = ((last + 1) * window + after).min(samples.len());
    begin..end
}

/// Mean power of each window.
fn powers(samples: &[f32], window: u32) -> Vec<f32> {
    let mean = |chunk: &[f32]| chunk.iter().map(|s| s * s).sum::<f32>() / chunk.len() as f32;
    samples.chunks(window.max(1) as usize).map(mean).collect()
}

fn loudest(powers: &[f32]) -> f32 {
    powers.iter().copied().fold(0.0, f32::max)
}

fn amplitude(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

fn power_ratio(db: f32) -> f32 {
    10.0_f32.powf(db / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(amplitude: f32, silence: usize, sound: usize) -> Vec<f32> {
        let tone = (0..sound).map(|n| amplitude * (n as f32 * 0.5).sin());
        let quiet = std::iter::repeat_n(0.0, silence);
        quiet.clone().chain(tone).chain(quiet).collect()
    }

    #[test]
    fn quiet_and_loud_speech_come_out_alike() {
        for amplitude in [0.001, 0.02, 0.3, 1.0] {
            let mut samples = burst(amplitude, 8_000, 16_000);
            normalise(&mut samples, 16_000);
            let level = 20.0 * active_rms(&samples, 16_000).log10();
            assert!((level - ACTIVE_DBFS).abs() < 0.2, "{amplitude} came out at {level} dBFS");
        }
    }

    #[test]
    fn a_peak_limits_the_gain() {
        let mut samples = burst(0.01, 100, 16_000);
        samples[5_000] = 0.9;
        normalise(&mut samples, 16_000);
        let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!(peak <= 0.891, "{peak}");
    }

    #[test]
    fn silence_stays_silent_and_has_nothing_audible() {
        let mut samples = vec![0.0; 4_000];
        normalise(&mut samples, 8_000);
        assert!(samples.iter().all(|s| *s == 0.0));
        assert_eq!(audible(&samples, 8_000, 160, 480), 0..0);
        assert_eq!(audible(&[], 8_000, 160, 480), 0..0);
    }

    #[test]
    fn edges_are_kept_to_the_given_lengths() {
        let samples = burst(0.5, 8_000, 16_000);
        let range = audible(&samples, 16_000, 320, 960);
        assert!((8_000 - 320 - 160..=8_000).contains(&range.start), "{range:?}");
        assert!((24_000..=24_000 + 960 + 160).contains(&range.end), "{range:?}");
    }
}
