//! Loudness of a stretch of samples, on the scale of RFC 6464 §3: decibels relative to overload
//! (dBov), where 0 is the loudest square wave and a full-scale sine is -3.
//!
//! Beside it, how high a sound is ([`tilt_db`]). Absent: any weighting or memory.

/// Quietest level of RFC 6464, dBov; digital silence has it.
pub const FLOOR_DBOV: f32 = -127.0;

/// Sums of squares that are added side by side.
const LANES: usize = 16;

/// Root of the mean square; 0 of an empty slice.
#[must_use]
pub fn rms(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    // Several sums side by side, so that the machine adds them at once.
    let mut lanes = [0.0_f32; LANES];
    let whole = samples.chunks_exact(LANES);
    let rest: f32 = whole.remainder().iter().map(|sample| sample * sample).sum();
    for part in whole {
        for (lane, sample) in lanes.iter_mut().zip(part) {
            *lane += sample * sample;
        }
    }
    ((lanes.iter().sum::<f32>() + rest) / samples.len() as f32).sqrt()
}

/// Level in dBov, [-127, 0].
///
/// # Examples
/// ```
/// assert_eq!(cordboard_audio::level::level_dbov(&[0.5, -0.5]).round(), -6.0);
/// assert_eq!(cordboard_audio::level::level_dbov(&[0.0; 160]), -127.0);
/// ```
#[must_use]
pub fn level_dbov(samples: &[f32]) -> f32 {
    let rms = rms(samples);
    if rms > 0.0 { (20.0 * rms.log10()).clamp(FLOOR_DBOV, 0.0) } else { FLOOR_DBOV }
}

/// How high a sound is: the level of the steps between its samples beside its own, dB; 0 of
/// silence.
///
/// A tone of f Hz at 8 kHz has 20 log10(2 sin(πf/8000)): -14 at 250 Hz, where a hum is, 0 at 1333.
///
/// # Examples
/// ```
/// let tone = |hz: f32| (0..160).map(|n| (n as f32 * hz * 0.000_785_4).sin()).collect::<Vec<_>>();
/// let [hum, hiss] = [250.0, 3_000.0].map(|hz| cordboard_audio::level::tilt_db(&tone(hz)));
/// assert!(hum < -13.0 && hiss > 5.0);
/// ```
#[must_use]
pub fn tilt_db(samples: &[f32]) -> f32 {
    let own: f32 = samples.iter().map(|sample| sample * sample).sum();
    let steps = samples.iter().zip(samples.iter().skip(1)).map(|(one, next)| next - one);
    let steps: f32 = steps.map(|step| step * step).sum();
    if own > 0.0 { 10.0 * (steps / own).max(1e-9).log10() } else { 0.0 }
}

/// Level as the header extension carries it: -dBov, 0 the loudest, 127 silence.
#[must_use]
pub fn level_wire(samples: &[f32]) -> u8 {
    (-level_dbov(samples)).round() as u8
}

/// Samples before the first stretch of so many that is as loud as this, dBov, to an eighth of it;
/// all where none is.
///
/// # Examples
/// ```
/// let sound = [0.0, 0.0, 0.0, 0.0, 0.1, 0.1];
/// assert_eq!(cordboard_audio::level::quiet_before(&sound, 2, -25.0), 3);
/// assert_eq!(cordboard_audio::level::quiet_before(&sound, 2, -22.0), 4);
/// ```
#[must_use]
pub fn quiet_before(samples: &[f32], stretch: usize, dbov: f32) -> usize {
    let stretch = stretch.clamp(1, samples.len().max(1));
    let places = (0..(samples.len() + 1).saturating_sub(stretch)).step_by((stretch / 8).max(1));
    let mut loud = places.filter(|at| level_dbov(&samples[*at..at + stretch]) >= dbov);
    loud.next().unwrap_or(samples.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_is_three_below_overload() {
        let sine: Vec<f32> = (0..8_000).map(|n| (n as f32 * 0.7).sin()).collect();
        assert!((level_dbov(&sine) + 3.01).abs() < 0.02);
        assert_eq!(level_wire(&sine), 3);
    }

    #[test]
    fn the_scale_ends_at_overload_and_at_silence() {
        assert_eq!(level_wire(&[3.0; 10]), 0);
        assert_eq!(level_wire(&[0.0; 10]), 127);
        assert_eq!(level_wire(&[]), 127);
        assert_eq!(level_wire(&[1e-9; 10]), 127);
    }
}
