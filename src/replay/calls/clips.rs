//! The sound of the turns that went worst, for the page.

use base64::Engine;
use serde::Serialize;

use super::super::script::Act;
use super::score::{Score, TurnKind};
use super::take::Take;

/// So many are kept.
const KEPT: usize = 24;
/// Around a turn, samples at 8 kHz.
const BEFORE: usize = 8_000;
const AFTER: usize = 8_000;
/// The longest clip.
const LONGEST: usize = 8_000 * 15;
/// Points of a drawn waveform.
const POINTS: usize = 600;

/// The worst turns so far.
#[derive(Clone, Debug, Default)]
pub struct Clips {
    worst: Vec<Clip>,
}

/// A turn with its sound.
#[derive(Clone, Debug, Serialize)]
pub struct Clip {
    /// How bad it is, ms.
    pub badness_ms: f64,
    /// The call's number.
    pub call: usize,
    /// The scenario.
    pub scenario: String,
    /// What the caller did.
    pub told: String,
    /// What is bad about it.
    pub why: String,
    /// When it begins in the call, s.
    pub at_s: f64,
    /// How long it is, s.
    pub long_s: f64,
    /// The caller's and the far end's waveforms, as SVG paths 600 wide and 40 high.
    pub near_path: String,
    /// See `near_path`.
    pub far_path: String,
    /// Both sides mixed, a WAV file in base64.
    pub wav: String,
}

impl Clips {
    /// The worst first.
    #[must_use]
    pub fn worst(&self) -> &[Clip] {
        &self.worst
    }

    /// Keeps what of a call is among the worst.
    pub fn consider(&mut self, take: &Take, score: &Score) {
        let mut bad: Vec<(f64, String, String, u32, u32)> = Vec::new();
        for turn in &score.turns {
            let wants = matches!(turn.kind, TurnKind::Words | TurnKind::Keys);
            let (from, to) = (turn.began_ms, turn.ended_ms);
            if let Some(late) = turn.response_ms.filter(|_| wants) {
                let until = to + late as u32;
                let why = format!("answered after {late:.0} ms");
                bad.push((late, turn.told.clone(), why, from, until));
            }
            if let Some(late) = turn.stop_ms.filter(|_| wants) {
                let why = format!("went on for {late:.0} ms under the caller");
                bad.push((late, turn.told.clone(), why, from, from + late as u32));
            }
            if wants && turn.over_far && turn.stop_ms.is_none() {
                let why = "did not stop within 3 s".to_owned();
                bad.push((3_000.0, turn.told.clone(), why, from, to + 3_000));
            }
        }
        if score.dead_air_ms > 0 {
            let (from, long) = (score.dead_air_at_ms, score.dead_air_ms);
            let why = format!("{long} ms of silence");
            bad.push((f64::from(long), "(waits)".to_owned(), why, from, from + long));
        }
        if let Some(fault) = score.faults.first() {
            let end = u32::try_from(score.lasted_ms).unwrap_or(u32::MAX);
            let from = end.saturating_sub(13_000);
            bad.push((1e6, "(the end of the call)".to_owned(), fault.clone(), from, end));
        }
        for (badness_ms, told, why, from_ms, to_ms) in bad {
            let is_full = self.worst.len() >= KEPT;
            if is_full && self.worst.last().is_some_and(|it| it.badness_ms >= badness_ms) {
                continue;
            }
            let at = self.worst.partition_point(|it| it.badness_ms >= badness_ms);
            let clip = clip(take, (badness_ms, told, why), (from_ms, to_ms));
            self.worst.insert(at, clip);
            self.worst.truncate(KEPT);
        }
    }
}

fn clip(
    take: &Take,
    (badness_ms, told, why): (f64, String, String),
    (from_ms, to_ms): (u32, u32),
) -> Clip {
    let from = (from_ms as usize * 8).saturating_sub(BEFORE);
    let to = (to_ms as usize * 8 + AFTER).min(from + LONGEST).max(from + 1);
    let far: Vec<f32> = (from..to)
        .map(|at| f32::from(take.far.samples.get(at).copied().unwrap_or(0)) / 32_768.0)
        .collect();
    let near = near(take, from, to);
    let mixed: Vec<i16> = near
        .iter()
        .zip(&far)
        .map(|(near, far)| ((near + far).clamp(-1.0, 1.0) * 32_767.0) as i16)
        .collect();
    Clip {
        badness_ms,
        call: take.number,
        scenario: take.scenario.name.to_string(),
        told,
        why,
        at_s: from as f64 / 8_000.0,
        long_s: (to - from) as f64 / 8_000.0,
        near_path: path(&near),
        far_path: path(&far),
        wav: base64::engine::general_purpose::STANDARD.encode(wav(&mixed)),
    }
}

/// What the caller said between two samples of the call.
fn near(take: &Take, from: usize, to: usize) -> Vec<f32> {
    let mut sound = vec![0.0; to - from];
    for done in &take.done {
        let Act::Say(samples) = &take.scenario.deeds[done.deed].step.act else { continue };
        let begin = done.began.as_millis() as usize * 8;
        for (at, sample) in (begin..).zip(samples.iter()).filter(|(at, _)| (from..to).contains(at))
        {
            sound[at - from] += sample;
        }
    }
    sound
}

/// The outline of a sound, around the middle of 40.
fn path(samples: &[f32]) -> String {
    use std::fmt::Write;
    let mut path = String::new();
    let part = samples.len().div_ceil(POINTS).max(1);
    for (at, part) in samples.chunks(part).enumerate() {
        let peak = part.iter().fold(0.0_f32, |peak, it| peak.max(it.abs()));
        let half = peak.sqrt() * 19.0;
        let _ = write!(path, "M{at} {:.1}V{:.1}", 20.0 - half, 20.5 + half);
    }
    path
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    samples.iter().for_each(|it| file.extend_from_slice(&it.to_le_bytes()));
    file
}
