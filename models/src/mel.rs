//! Whisper's features: the log of 80 mel bands, 100 times a second, of sound at 16 kHz.
//!
//! Pure. Computed in f64, as the reference does.
//!
//! # Source
//! `WhisperFeatureExtractor` of Hugging Face's transformers; Slaney's mel scale and area
//! normalization as in librosa.

use std::f64::consts::PI;

use realfft::RealFftPlanner;

/// Rate of the sound, Hz.
pub const RATE_HZ: usize = 16_000;
/// Samples between two frames: 10 ms.
pub const HOP: usize = 160;
/// Samples of a window: 25 ms.
const WINDOW: usize = 400;
/// Bins of its spectrum.
pub const BINS: usize = WINDOW / 2 + 1;
/// The least power of a band.
const FLOOR: f64 = 1e-10;
/// How far below the loudest band a band may be, in tens of dB.
const RANGE: f64 = 8.0;

/// The bank of triangular filters, band by band, [`BINS`] weights each.
#[must_use]
pub fn filters(bands: usize) -> Vec<f64> {
    let top = to_mel(RATE_HZ as f64 / 2.0);
    let edges: Vec<f64> =
        (0..bands + 2).map(|n| to_hz(top * n as f64 / (bands + 1) as f64)).collect();
    let mut bank = Vec::with_capacity(bands * BINS);
    for edge in edges.windows(3) {
        let area = 2.0 / (edge[2] - edge[0]);
        for bin in 0..BINS {
            let hz = (bin * RATE_HZ) as f64 / WINDOW as f64;
            let rising = (hz - edge[0]) / (edge[1] - edge[0]);
            let falling = (edge[2] - hz) / (edge[2] - edge[1]);
            bank.push(rising.min(falling).max(0.0) * area);
        }
    }
    bank
}

/// The same, each filter with its first bin and from there those that weigh anything.
struct Bank(Vec<(usize, Vec<f64>)>);

impl Bank {
    fn new(bands: usize) -> Self {
        let filters = filters(bands);
        let narrow = filters.chunks_exact(BINS).map(|filter| {
            let first = filter.iter().position(|weight| *weight > 0.0).unwrap_or(0);
            let last = filter.iter().rposition(|weight| *weight > 0.0).map_or(first, |at| at + 1);
            (first, filter[first..last].to_vec())
        });
        Self(narrow.collect())
    }
}

/// Log mel features of a sound, band by band, one frame for each [`HOP`] samples.
#[must_use]
pub fn log_mel(samples: &[f64], bands: usize) -> Vec<f32> {
    let frames = samples.len() / HOP;
    let bank = Bank::new(bands);
    let window: Vec<f64> =
        (0..WINDOW).map(|n| 0.5 - 0.5 * (2.0 * PI * n as f64 / WINDOW as f64).cos()).collect();
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(WINDOW);
    let (mut sound, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
    let mut logs = vec![0.0; bands * frames];
    let mut loudest = f64::MIN;
    let mut power = [0.0; BINS];
    for frame in 0..frames {
        for (n, (into, weight)) in sound.iter_mut().zip(&window).enumerate() {
            *into = weight * reflected(samples, (frame * HOP + n) as i64 - (WINDOW / 2) as i64);
        }
        fft.process(&mut sound, &mut spectrum).expect("vectors of the lengths that it made");
        for (into, bin) in power.iter_mut().zip(&spectrum) {
            *into = bin.norm_sqr();
        }
        for (band, (first, weights)) in bank.0.iter().enumerate() {
            let sum: f64 = weights.iter().zip(&power[*first..]).map(|(w, power)| w * power).sum();
            let log = sum.max(FLOOR).log10();
            loudest = loudest.max(log);
            logs[band * frames + frame] = log;
        }
    }
    logs.into_iter().map(|log| ((log.max(loudest - RANGE) + 4.0) / 4.0) as f32).collect()
}

/// A sample; before the begin and after the end the sound is mirrored.
fn reflected(samples: &[f64], at: i64) -> f64 {
    let last = samples.len() as i64 - 1;
    let at = at.abs();
    let at = if at > last { 2 * last - at } else { at };
    usize::try_from(at).ok().and_then(|at| samples.get(at)).copied().unwrap_or(0.0)
}

fn to_mel(hz: f64) -> f64 {
    if hz < 1_000.0 { 3.0 * hz / 200.0 } else { 15.0 + (hz / 1_000.0).ln() * 27.0 / 6.4_f64.ln() }
}

fn to_hz(mel: f64) -> f64 {
    if mel < 15.0 {
        200.0 * mel / 3.0
    } else {
        1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_loudest_in_its_own_band() {
        let tone: Vec<f64> =
            (0..RATE_HZ).map(|n| (2.0 * PI * 1_000.0 * n as f64 / RATE_HZ as f64).sin()).collect();
        let features = log_mel(&tone, 80);
        assert_eq!(features.len(), 80 * 100);
        let at_half = |band: usize| features[band * 100 + 50];
        let loudest = (0..80).max_by(|&a, &b| at_half(a).total_cmp(&at_half(b))).unwrap();
        // 1 kHz is 15 mel of 45.245, of 81 steps.
        assert!((25..=27).contains(&loudest), "{loudest}");
    }

    #[test]
    fn silence_and_nothing_have_features() {
        assert!(log_mel(&[0.0; 1_600], 80).iter().all(|feature| feature.is_finite()));
        assert!(log_mel(&[], 80).is_empty());
    }
}
