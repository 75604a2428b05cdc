//! Sound for the ears' tests and their calibration: WAV files, flite's voices, the telephone's
//! band and mu-law, and a cut at the bounds of speech.
//!
//! Everything comes out at 8 kHz, as a phone call would have brought it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rate of the telephone, Hz.
pub(crate) const RATE_HZ: u32 = 8_000;

/// Reads a mono or stereo WAV file of 16-bit samples (left side only) as a phone would bring it.
pub(crate) fn read_wav(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    assert_eq!(&bytes[..4], b"RIFF", "{}", path.display());
    let (mut at, mut rate, mut channels) = (12, RATE_HZ, 1_usize);
    while at + 8 <= bytes.len() {
        let length = (word(at + 4) as usize).min(bytes.len() - at - 8);
        match &bytes[at..at + 4] {
            b"fmt " => {
                channels = usize::from(bytes[at + 10]);
                rate = word(at + 12);
            }
            b"data" => {
                let samples: Vec<f32> = bytes[at + 8..at + 8 + length]
                    .chunks_exact(2 * channels)
                    .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
                    .collect();
                return by_phone(&samples, rate);
            }
            _ => {}
        }
        at += 8 + length + length % 2;
    }
    panic!("{} has no samples", path.display());
}

/// Speaks a text with one of flite's voices (Debian package `flite`), as a phone would bring it.
pub(crate) fn flite(voice: &str, text: &str) -> Vec<f32> {
    // Two tests of a process may want the same text at once.
    static SPOKEN: AtomicU32 = AtomicU32::new(0);
    let number = SPOKEN.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ears-{}-{number}.wav", std::process::id()));
    let status = Command::new("flite")
        .args(["-voice", voice, "-t", text, "-o"])
        .arg(&path)
        .status()
        .expect("flite runs; install Debian's package flite");
    assert!(status.success(), "flite -voice {voice} -t {text:?}: {status}");
    let samples = read_wav(&path);
    std::fs::remove_file(&path).expect("flite wrote it");
    samples
}

/// Joins recordings with a pause between them.
pub(crate) fn spliced(parts: &[Vec<f32>], pause_ms: usize) -> Vec<f32> {
    parts.join(&vec![0.0; pause_ms * RATE_HZ as usize / 1_000][..])
}

/// Cuts where speech begins and ends, with 200 ms around it, as the VAD does.
pub(crate) fn cut(samples: &[f32]) -> Vec<f32> {
    let frame = RATE_HZ as usize / 100;
    let levels: Vec<f32> = samples
        .chunks(frame)
        .map(|frame| frame.iter().map(|s| s * s).sum::<f32>() / frame.len() as f32)
        .collect();
    let loudest = levels.iter().copied().fold(0.0, f32::max);
    let is_speech = |level: &f32| *level > loudest * 1e-3;
    let first = levels.iter().position(is_speech).unwrap_or(0);
    let last = levels.iter().rposition(is_speech).unwrap_or(0);
    let from = first.saturating_sub(20) * frame;
    let to = ((last + 21) * frame).min(samples.len());
    samples[from..to].to_vec()
}

/// To 8 kHz (linear interpolation after a low-pass at 3.4 kHz) and through mu-law.
fn by_phone(samples: &[f32], rate_hz: u32) -> Vec<f32> {
    let ratio = f64::from(rate_hz) / f64::from(RATE_HZ);
    let filtered = if rate_hz > RATE_HZ { low_pass(samples, rate_hz) } else { samples.to_vec() };
    let length = (samples.len() as f64 / ratio) as usize;
    (0..length)
        .map(|n| {
            let at = n as f64 * ratio;
            let (whole, part) = (at as usize, at.fract() as f32);
            let here = filtered[whole];
            let next = filtered.get(whole + 1).copied().unwrap_or(here);
            mu_law(here + (next - here) * part)
        })
        .collect()
}

fn low_pass(samples: &[f32], rate_hz: u32) -> Vec<f32> {
    use std::f64::consts::PI;
    const SIDE: i64 = 48;
    let edge = 3_600.0 / f64::from(rate_hz);
    let taps: Vec<f32> = (-SIDE..=SIDE)
        .map(|n| {
            let x = n as f64;
            let sinc = if n == 0 { 2.0 * edge } else { (2.0 * PI * edge * x).sin() / (PI * x) };
            (sinc * (PI * x / (2.0 * (SIDE as f64 + 1.0))).cos().powi(2)) as f32
        })
        .collect();
    let at = |n: i64| usize::try_from(n).ok().and_then(|n| samples.get(n)).copied().unwrap_or(0.0);
    (0..samples.len() as i64)
        .map(|n| (-SIDE..=SIDE).zip(&taps).map(|(k, tap)| tap * at(n + k)).sum())
        .collect()
}

/// A sample after mu-law and back: 255-law of G.711 in its continuous form, 8 bits.
fn mu_law(sample: f32) -> f32 {
    let sample = sample.clamp(-1.0, 1.0);
    let compressed = sample.signum() * (1.0 + 255.0 * sample.abs()).ln() / 256.0_f32.ln();
    let code = (compressed * 127.0).round() / 127.0;
    code.signum() * (256.0_f32.powf(code.abs()) - 1.0) / 255.0
}
