//! Keys in the sound itself: the two tones of a telephone's keypad (ITU-T Q.23), found within the
//! tolerances of Q.24.
//!
//! ```text
//! 8 kHz ─► every 5 ms the last 20 ms ─► 8 tones (Goertzel 1958) ─► strongest row and column
//!          ─► are they all there is, on their frequency, alike in level? ─► five times: a key
//! ```
//!
//! A tone's true frequency is what its phase gains between two windows. Speech has tones too, but
//! hardly two of these, alone, on their frequency, for 40 ms. Absent: who may press keys this way
//! (the call's), and any tone but these.

use std::f32::consts::{PI, TAU};

/// Rows and columns of the keypad, Hz (Q.23).
const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const SIGNS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
const RATE_HZ: f32 = 8_000.0;
/// Window, 20 ms, and step, 5 ms.
const WINDOW: usize = 160;
const STEP: usize = 40;
const STEP_MS: u32 = 5;
/// Q.24: a tone off by 1.5 % is one, by 3.5 % is none.
const OFF_MOST: f32 = 0.025;
/// Q.24: the column's tone may be 4 dB louder than the row's, or 8 dB softer; with some room.
const LOUDER_MOST_DB: f32 = 5.5;
const SOFTER_MOST_DB: f32 = 9.5;
/// Least amplitude of a tone: -43 dB of full scale, some 10 dB below Q.24's least level.
const AMPLITUDE_MIN: f32 = 0.007;
/// Least share of all the sound that the two tones are.
const SHARE_MIN: f32 = 0.82;
/// Windows in a row that make a key: a tone of 40 ms. 20 ms of tone make two.
const WINDOWS_MIN: u32 = 5;
/// Windows without it that end it.
const MISSES_MAX: u32 = 3;

/// A key that was pressed and let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// 0-9, *, #, A-D.
    pub sign: char,
    /// For how long its tones sounded, ms.
    pub lasting_ms: u32,
}

/// Finds keys in one stream of 8 kHz.
///
/// # Real-time
/// No allocation; 5 000 multiplications for 20 ms.
#[derive(Clone, Debug)]
pub struct KeyDetector {
    past: [f32; WINDOW],
    /// Samples since the last window.
    since: usize,
    phases: [f32; 8],
    present: Option<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    sign: char,
    windows: u32,
    misses: u32,
}

impl KeyDetector {
    /// Makes one that has heard silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { past: [0.0; WINDOW], since: 0, phases: [0.0; 8], present: None }
    }

    /// Takes the samples that follow, 20 ms or less; gives the key that was let go in them.
    pub fn hear(&mut self, samples: &[f32]) -> Option<Pressed> {
        let mut pressed = None;
        for part in samples.chunks(STEP) {
            self.past.copy_within(part.len().., 0);
            self.past[WINDOW - part.len()..].copy_from_slice(part);
            self.since += part.len();
            if self.since >= STEP {
                let passed = std::mem::take(&mut self.since);
                let key = self.window(passed);
                pressed = self.follow(key).or(pressed);
            }
        }
        pressed
    }

    /// Forgets what it has heard.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// Counts windows with and without a key; gives the key that is over.
    fn follow(&mut self, key: Option<char>) -> Option<Pressed> {
        match (&mut self.present, key) {
            (Some(press), Some(sign)) if press.sign == sign => {
                press.windows += 1 + press.misses;
                press.misses = 0;
                None
            }
            (Some(press), _) if press.windows >= WINDOWS_MIN && press.misses + 1 < MISSES_MAX => {
                press.misses += 1;
                None
            }
            (present, key) => {
                let over = present.take().filter(|press| press.windows >= WINDOWS_MIN);
                *present = key.map(|sign| Press { sign, windows: 1, misses: 0 });
                // A window is there when most of it is: the first and the last reach out of it.
                over.map(|press| Pressed {
                    sign: press.sign,
                    lasting_ms: (press.windows + 1) * STEP_MS,
                })
            }
        }
    }

    /// The key whose tones are all that is in the window.
    fn window(&mut self, passed: usize) -> Option<char> {
        let mut windowed = [0.0; WINDOW];
        let mut energy = 0.0;
        for (n, (out, sample)) in windowed.iter_mut().zip(&self.past).enumerate() {
            *out = sample * 0.5 * (1.0 - ((n as f32 + 0.5) * TAU / WINDOW as f32).cos());
            energy += *out * *out;
        }
        let mut tones = [Tone::default(); 8];
        for (n, hz) in ROWS_HZ.iter().chain(&COLUMNS_HZ).enumerate() {
            let (power, phase) = goertzel(&windowed, *hz);
            let gained = phase - std::mem::replace(&mut self.phases[n], phase);
            tones[n] = Tone::new(power, gained, passed, *hz);
        }
        let strongest = |tones: &[Tone]| {
            (0..tones.len()).max_by(|a, b| tones[*a].power.total_cmp(&tones[*b].power)).unwrap_or(0)
        };
        let (row, column) = (strongest(&tones[..4]), strongest(&tones[4..]));
        let (low, high) = (tones[row], tones[4 + column]);
        let twist_db = 20.0 * (high.amplitude / low.amplitude.max(1e-9)).log10();
        // A tone of this amplitude has this much energy in the window (the window's is 3/8).
        let share = (low.amplitude.powi(2) + high.amplitude.powi(2)) * WINDOW as f32 * 0.1875
            / energy.max(1e-9);
        let is_key = low.off.abs() <= OFF_MOST
            && high.off.abs() <= OFF_MOST
            && low.amplitude.min(high.amplitude) >= AMPLITUDE_MIN
            && (-SOFTER_MOST_DB..=LOUDER_MOST_DB).contains(&twist_db)
            && share >= SHARE_MIN;
        is_key.then_some(SIGNS[row][column])
    }
}

impl Default for KeyDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// One of the tones as it is in a window.
#[derive(Clone, Copy, Debug, Default)]
struct Tone {
    power: f32,
    /// How far its frequency is off, as a share of it.
    off: f32,
    amplitude: f32,
}

impl Tone {
    fn new(power: f32, gained: f32, passed: usize, hz: f32) -> Self {
        let turn = gained - TAU * hz * passed as f32 / RATE_HZ;
        let turn = turn - TAU * (turn / TAU).round();
        let off_hz = turn * RATE_HZ / (TAU * passed.max(1) as f32);
        // Off the middle of the window's lobe there is less of it (Hann: sinc x / (1 - x^2)).
        let x = (off_hz * WINDOW as f32 / RATE_HZ).abs().min(0.9);
        let seen = if x < 1e-3 { 1.0 } else { (PI * x).sin() / (PI * x) / (1.0 - x * x) };
        let amplitude = 4.0 * power.sqrt() / WINDOW as f32 / seen;
        Self { power, off: off_hz / hz, amplitude }
    }
}

/// Power and phase, at the begin of the window, of one frequency (G. Goertzel, 1958).
fn goertzel(samples: &[f32], hz: f32) -> (f32, f32) {
    let angle = TAU * hz / RATE_HZ;
    let factor = 2.0 * angle.cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        let next = sample + factor * last - before;
        before = last;
        last = next;
    }
    let (real, imaginary) = (last - before * angle.cos(), before * angle.sin());
    (real * real + imaginary * imaginary, imaginary.atan2(real))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn heard(sound: &[f32]) -> Vec<Pressed> {
        let mut detector = KeyDetector::new();
        sound.chunks(160).filter_map(|frame| detector.hear(frame)).collect()
    }

    fn key(row: usize, column: usize, ms: usize) -> Vec<f32> {
        let tone = |hz: f32, n: usize| (n as f32 * TAU * hz / RATE_HZ).sin() * 0.2;
        let on = (0..8 * ms).map(|n| tone(ROWS_HZ[row], n) + tone(COLUMNS_HZ[column], n));
        on.chain(std::iter::repeat_n(0.0, 400)).collect()
    }

    #[test]
    fn each_key_is_told_once_with_its_length() {
        for (row, signs) in SIGNS.iter().enumerate() {
            for (column, sign) in signs.iter().enumerate() {
                for ms in [45, 100, 600] {
                    let found = heard(&key(row, column, ms));
                    assert_eq!(found.len(), 1, "{sign} of {ms} ms: {found:?}");
                    assert_eq!(found[0].sign, *sign);
                    assert!(found[0].lasting_ms.abs_diff(ms as u32) <= 15, "{ms}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_key_twice_is_two_and_a_dropout_is_none() {
        assert_eq!(heard(&[key(1, 1, 60), key(1, 1, 60)].concat()).len(), 2);
        let mut hole = key(1, 1, 120);
        hole[480..520].fill(0.0);
        assert_eq!(heard(&hole).len(), 1);
    }

    #[test]
    fn the_vectors_are_told_from_what_is_no_key() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = folder.join("../../shared/data/sip/dtmf/inband");
        let Ok(files) = std::fs::read_dir(&folder) else {
            println!("left out: {} is not there", folder.display());
            return;
        };
        let (mut right, mut wrong) = (0, Vec::new());
        for path in files.map(|file| file.unwrap().path()) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|kind| kind != "wav") {
                continue;
            }
            let (sound, _) = crate::read_mono(std::fs::File::open(&path).unwrap()).unwrap();
            let (sign, kind) = name.split_once('_').unwrap();
            let sign = if sign == "star" { "*" } else { sign };
            let sign = if sign == "pound" || sign == "hash" { "#" } else { sign };
            let none = ["freq+3.5pct", "freq-3.5pct", "short_20ms", "minus55"].contains(&kind);
            let wanted = if none { String::new() } else { sign.to_owned() };
            let silence = [0.0; 800];
            let got: String =
                heard(&[&sound[..], &silence].concat()).iter().map(|it| it.sign).collect();
            if got == wanted { right += 1 } else { wrong.push((name, got)) }
        }
        assert!(wrong.is_empty() && right >= 100, "{right} right; wrong: {wrong:?}");
    }

    #[test]
    fn nobody_s_talk_is_a_key() {
        const PARTS: [&str; 9] = [
            "asr8k",
            "asr16k",
            "utterances",
            "conversation",
            "turns",
            "alnum",
            "fsdd8k",
            "calls",
            "vad",
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/audio");
        let (mut seconds, mut keys) = (0.0, Vec::new());
        for part in PARTS {
            let Ok(files) = std::fs::read_dir(folder.join(part)) else {
                println!("left out: {part} is not there");
                continue;
            };
            for path in files.map(|file| file.unwrap().path()) {
                let Ok(file) = std::fs::File::open(&path) else { continue };
                let Ok((sound, rate)) = crate::read_mono(file) else { continue };
                let sound = crate::resample(&sound, rate.hz(), 8_000);
                seconds += sound.len() as f32 / RATE_HZ;
                keys.extend(heard(&sound).iter().map(|it| (path.clone(), it.sign)));
            }
        }
        println!("{:.1} minutes of talk, {} keys", seconds / 60.0, keys.len());
        assert!(keys.is_empty(), "{keys:?}");
    }
}
