//! Cutting and joining sound at 8 kHz: where speech lies in it, what its room sounds like, joints
//! without clicks, echoes, and the telephone's codec.

use cordboard_audio::codec::g711::{decode_ulaw_into, encode_ulaw_into};
use cordboard_audio::comfort::ComfortNoise;
use cordboard_audio::level::level_dbov;
use cordboard_audio::mix::add_into;

/// Samples a millisecond.
const PER_MS: usize = 8;
/// What the outline of a sound is drawn in: 10 ms.
const STEP: usize = 10 * PER_MS;
/// Joints are faded for 5 ms.
pub(super) const FADE: usize = 5 * PER_MS;
/// A room is never quieter than this, dBov: no line is digital silence.
const QUIETEST_DBOV: f32 = -70.0;
/// Coefficients that describe a room's noise.
const ORDER: usize = 8;

pub(super) const fn samples(ms: u32) -> usize {
    ms as usize * PER_MS
}

pub(super) const fn ms(samples: usize) -> u32 {
    (samples / PER_MS) as u32
}

pub(super) fn gain(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

/// How the level of a sound goes, and which of it is speech.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    levels: Vec<f32>,
    /// Speech is above this, dBov.
    threshold: f32,
    floor: f32,
    peak: f32,
}

impl Outline {
    pub(super) fn of(sound: &[f32]) -> Self {
        let levels: Vec<f32> = sound.chunks_exact(STEP).map(level_dbov).collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f32::total_cmp);
        let at = |part: f32| {
            let index = (sorted.len() as f32 * part) as usize;
            sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(-127.0)
        };
        let (floor, peak) = (at(0.1), at(0.95));
        // A third of the way up from the room to the voice; in a file cut close to the speech,
        // which has no room, well below the voice.
        let threshold = (floor + 0.3 * (peak - floor)).max(peak - 35.0).min(peak - 18.0);
        Self { levels, threshold, floor: floor.min(peak - 30.0).max(QUIETEST_DBOV), peak }
    }

    /// With the threshold of another outline: that of the recording of which this is a part.
    pub(super) fn like(self, whole: &Self) -> Self {
        Self { threshold: whole.threshold, floor: whole.floor, peak: whole.peak, ..self }
    }

    /// With all that is as loud as speech taken for the room: a room tone of it is the voice's.
    pub(super) fn loud(self) -> Self {
        Self { floor: self.peak, ..self }
    }

    /// Stretches above or below the threshold of at least so long: begin and end, samples.
    fn stretches(&self, voiced: bool, raised_db: f32, least_ms: u32) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut begin = None;
        for at in 0..=self.levels.len() {
            let inside = self
                .levels
                .get(at)
                .is_some_and(|level| (*level > self.threshold + raised_db) == voiced);
            match (inside, begin) {
                (true, None) => begin = Some(at),
                (false, Some(from)) => {
                    if (at - from) * STEP >= samples(least_ms) {
                        found.push((from * STEP, at * STEP));
                    }
                    begin = None;
                }
                _ => {}
            }
        }
        found
    }

    /// First and last sample of speech; a click apart from it does not count.
    pub(super) fn speech(&self) -> Option<(usize, usize)> {
        let voiced = self.stretches(true, 0.0, 40);
        Some((voiced.first()?.0, voiced.last()?.1))
    }

    /// Pauses between speech of at least so long.
    pub(super) fn pauses(&self, least_ms: u32) -> Vec<(usize, usize)> {
        let Some((begin, end)) = self.speech() else { return Vec::new() };
        let quiet = self.stretches(false, 0.0, least_ms);
        quiet.into_iter().filter(|(from, to)| *from >= begin && *to <= end).collect()
    }

    /// Dips between words in which a pause may be made: 60 ms and more, not at the edges.
    pub(super) fn dips(&self) -> Vec<(usize, usize)> {
        let Some((begin, end)) = self.speech() else { return Vec::new() };
        let edge = samples(250);
        let quiet = self.stretches(false, 3.0, 60);
        quiet.into_iter().filter(|(from, to)| *from >= begin + edge && *to + edge <= end).collect()
    }

    /// Level of the speech alone, dBov.
    pub(super) fn speech_dbov(&self) -> f32 {
        let power: Vec<f32> = self
            .levels
            .iter()
            .filter(|level| **level > self.threshold)
            .map(|level| 10_f32.powf(level / 10.0))
            .collect();
        if power.is_empty() {
            return self.peak;
        }
        10.0 * (power.iter().sum::<f32>() / power.len() as f32).log10()
    }
}

/// The noise of a room, as the quiet parts of a recording have it.
#[derive(Clone, Debug)]
pub(super) struct RoomTone(Vec<u8>);

impl RoomTone {
    pub(super) fn of(sound: &[f32], outline: &Outline) -> Self {
        let mut correlation = [0.0_f32; ORDER + 1];
        let quiet = sound
            .chunks_exact(STEP)
            .zip(&outline.levels)
            .filter(|(_, level)| (**level - outline.floor) <= 3.0 && **level > -90.0)
            .take(200);
        for (step, _) in quiet {
            for (lag, sum) in correlation.iter_mut().enumerate() {
                *sum += step.iter().zip(&step[lag..]).map(|(a, b)| a * b).sum::<f32>();
            }
        }
        let mut payload = vec![(-outline.floor).round().clamp(0.0, 127.0) as u8];
        payload.extend(reflections(&correlation).map(|k| (k * 128.0 + 127.0).round() as u8));
        Self(payload)
    }

    /// A line without any room: white, at this level.
    pub(super) fn line(dbov: f32) -> Self {
        Self(vec![(-dbov).round().clamp(0.0, 127.0) as u8])
    }

    /// So many samples of it.
    pub(super) fn noise(&self, length: usize, seed: u64) -> Vec<f32> {
        let mut noise = ComfortNoise::new(seed);
        noise.describe(&self.0);
        // It glides in from silence: what comes before it is steady is thrown away.
        let mut sound = vec![0.0; length + samples(150)];
        noise.fill(&mut sound);
        sound.split_off(samples(150))
    }
}

/// Reflection coefficients by the recursion of Levinson and Durbin.
fn reflections(correlation: &[f32; ORDER + 1]) -> [f32; ORDER] {
    let mut found = [0.0; ORDER];
    let mut filter = [0.0_f32; ORDER + 1];
    // White at -40 dB below it: a recording that was cut in frequency stays within bounds.
    let mut error = correlation[0] * 1.000_1;
    filter[0] = 1.0;
    for order in 1..=ORDER {
        if error <= 1e-12 {
            break;
        }
        let sum: f32 = (0..order).map(|lag| filter[lag] * correlation[order - lag]).sum();
        let k = (-sum / error).clamp(-0.95, 0.95);
        let before = filter;
        for lag in 1..=order {
            filter[lag] = before[lag] + k * before[order - lag];
        }
        error *= 1.0 - k * k;
        found[order - 1] = k;
    }
    found
}

/// Sound that grows by pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Canvas {
    pub(super) sound: Vec<f32>,
}

impl Canvas {
    /// Appends, faded into what is there; gives where the piece's first sample lies.
    pub(super) fn join(&mut self, piece: &[f32]) -> usize {
        let fade = FADE.min(piece.len()).min(self.sound.len());
        let from = self.sound.len() - fade;
        for (at, new) in piece[..fade].iter().enumerate() {
            let part = (at + 1) as f32 / (fade + 1) as f32;
            let old = &mut self.sound[from + at];
            *old = *old * (1.0 - part) + new * part;
        }
        self.sound.extend_from_slice(&piece[fade..]);
        from
    }

    /// Adds onto what is there.
    pub(super) fn add(&mut self, piece: &[f32], at: usize, gain: f32) {
        let at = at.min(self.sound.len());
        add_into(&mut self.sound[at..], piece, gain);
    }
}

/// Fades both ends, so that a piece can be added without a click.
pub(super) fn soften(piece: &mut [f32]) {
    let fade = FADE.min(piece.len() / 2);
    let length = piece.len();
    for at in 0..fade {
        let part = at as f32 / fade as f32;
        piece[at] *= part;
        piece[length - 1 - at] *= part;
    }
}

/// What a room with this response makes of a sound, as loud as the sound, from the direct sound on.
pub(super) fn echo(sound: &[f32], response: &[f32]) -> Vec<f32> {
    let loudest = response.iter().map(|tap| tap.abs()).fold(0.0, f32::max);
    let first = response.iter().position(|tap| tap.abs() >= loudest * 0.5).unwrap_or(0);
    // A quarter of a second holds all that is within 40 dB in these rooms.
    let taps = &response[first..response.len().min(first + samples(250))];
    let energy: f32 = taps.iter().map(|tap| tap * tap).sum();
    let scale = if energy > 0.0 { energy.sqrt().recip() } else { 0.0 };
    let mut made = vec![0.0; sound.len()];
    for (delay, tap) in taps.iter().enumerate() {
        // A tap that is 60 dB below the loudest adds nothing that μ-law keeps.
        if tap.abs() > loudest * 0.001 && delay < made.len() {
            add_into(&mut made[delay..], sound, tap * scale);
        }
    }
    made
}

/// Through G.711 μ-law and back, filled up to whole frames of 20 ms.
pub(super) fn telephone(sound: &[f32]) -> Vec<f32> {
    let length = sound.len().next_multiple_of(samples(20));
    let mut filled = sound.to_vec();
    filled.resize(length, 0.0);
    let mut bytes = vec![0; length];
    encode_ulaw_into(&filled, &mut bytes);
    decode_ulaw_into(&bytes, &mut filled);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(length_ms: u32, level: f32) -> Vec<f32> {
        (0..samples(length_ms)).map(|n| (n as f32 * 0.3).sin() * level).collect()
    }

    #[test]
    fn speech_pauses_and_dips_are_where_the_level_says() {
        let mut sound = tone(400, 0.0005);
        for (voice, quiet) in [(600, 80), (500, 300), (700, 500)] {
            sound.extend(tone(voice, 0.2));
            sound.extend(tone(quiet, 0.0005));
        }
        let outline = Outline::of(&sound);
        assert_eq!(outline.speech(), Some((samples(400), samples(2_580))));
        assert_eq!(outline.pauses(150), [(samples(1_580), samples(1_880))]);
        assert_eq!(outline.dips()[0], (samples(1_000), samples(1_080)));
        assert!((outline.speech_dbov() + 17.0).abs() < 0.3, "{}", outline.speech_dbov());
    }

    #[test]
    fn a_rooms_noise_has_its_level_and_its_tilt() {
        // Dark noise with a word in it.
        let mut dark = Vec::new();
        let (mut last, mut draw) = (0.0, super::super::draw::Draw::new(1, "room"));
        for _ in 0..16_000 {
            last = 0.9 * last + 0.001 * draw.between(-1.0, 1.0) as f32;
            dark.push(last);
        }
        let level = level_dbov(&dark);
        dark.extend(tone(500, 0.3));
        let made = RoomTone::of(&dark, &Outline::of(&dark)).noise(8_000, 5);
        assert!((level_dbov(&made) - level).abs() < 3.0, "{} {level}", level_dbov(&made));
        let power: f32 = made.iter().map(|s| s * s).sum();
        let tilt = made.windows(2).map(|pair| pair[0] * pair[1]).sum::<f32>() / power;
        assert!((tilt - 0.9).abs() < 0.08, "{tilt}");
    }

    #[test]
    fn pieces_join_without_a_step_and_say_where_they_lie() {
        let mut canvas = Canvas::default();
        assert_eq!(canvas.join(&[0.5; 400]), 0);
        assert_eq!(canvas.join(&[-0.5; 400]), 360);
        let step = canvas.sound.windows(2).map(|pair| (pair[0] - pair[1]).abs());
        assert!(step.fold(0.0, f32::max) < 0.03);
        assert_eq!(canvas.sound.len(), 760);
    }

    #[test]
    fn an_echo_is_as_loud_as_its_sound() {
        let sound = tone(500, 0.1);
        let mut response = vec![0.0; 400];
        response.extend([0.9, 0.0, -0.3, 0.2]);
        let made = echo(&sound, &response);
        assert!((level_dbov(&made) - level_dbov(&sound)).abs() < 3.0);
    }
}
