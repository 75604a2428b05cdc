//! The judges that the room is measured against: voice activity with a hangover, and Smart Turn
//! asked as pipecat asks it.

use std::collections::HashMap;

use cordboard_models::turn_end::SmartTurn;

use super::room::Said;
use super::score::{FRAME, FRAME_MS};
use crate::turn::Heard;

/// Hangovers of the sweep, ms.
pub(super) const HANGOVERS_MS: [f32; 20] = [
    100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1_000.0, 1_200.0,
    1_400.0, 1_600.0, 1_800.0, 2_000.0, 2_250.0, 2_500.0, 2_750.0, 3_000.0,
];
/// Probabilities above which Smart Turn's answer ends a turn.
pub(super) const THETAS: [f32; 18] = [
    0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.982, 0.985, 0.99,
    0.995,
];
/// Silence after which Smart Turn is asked, and after which the turn ends whatever it said: the
/// defaults of pipecat 1.14 (`VADParams.stop_secs`, `SmartTurnParams.stop_secs`).
const ASKED_MS: u32 = 200;
const TIMEOUT_MS: u32 = 3_000;
/// Sound before the onset that Smart Turn hears too (`SmartTurnParams.pre_speech_ms`).
const BEFORE_MS: u32 = 500;
/// Probabilities at which voice begins and ends, and the least voice that counts.
const ON: f32 = 0.5;
const OFF: f32 = 0.35;
const LEAST_MS: u32 = 100;
/// Voice that stops the assistant where nothing is decided.
const STOP_MS: u32 = 160;

/// Follows voice: since when it has lasted, and how long it has been silent.
#[derive(Debug, Default)]
struct Voice {
    began_ms: Option<u32>,
    voiced_ms: u32,
    last_ms: u32,
}

/// A turn at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    began_ms: u32,
    silence_ms: u32,
    voiced: bool,
}

impl Voice {
    /// Takes a frame; gives the turn where there is one.
    fn hear(&mut self, now_ms: u32, probability: f32) -> Option<Moment> {
        let voiced = probability >= if self.began_ms.is_some() { OFF } else { ON };
        if voiced {
            self.began_ms.get_or_insert(now_ms - FRAME_MS);
            self.voiced_ms += FRAME_MS;
            self.last_ms = now_ms;
        }
        let began_ms = self.began_ms?;
        let silence_ms = now_ms - self.last_ms;
        if self.voiced_ms < LEAST_MS {
            if silence_ms >= STOP_MS {
                *self = Self::default();
            }
            return None;
        }
        Some(Moment { began_ms, silence_ms, voiced })
    }
}

/// Voice activity with a hangover.
#[derive(Debug)]
pub(super) struct Hangover {
    voice: Voice,
    hangover_ms: u32,
    stopped: bool,
}

impl Hangover {
    pub(super) fn new(hangover_ms: f32) -> Self {
        Self { voice: Voice::default(), hangover_ms: hangover_ms as u32, stopped: false }
    }

    /// Takes a frame; voice over the assistant stops it after 160 ms, as it comes.
    pub(super) fn frame(&mut self, now_ms: u32, heard: Heard, speaks: bool) -> Option<Said> {
        let turn = self.voice.hear(now_ms, heard.probability)?;
        if turn.silence_ms >= self.hangover_ms {
            self.voice = Voice::default();
            self.stopped = false;
            return Some(Said::Yielded);
        }
        let stop = speaks && !self.stopped && turn.voiced && now_ms - turn.began_ms >= STOP_MS;
        self.stopped |= stop;
        stop.then_some(Said::Stopped)
    }
}

/// Smart Turn and its answers to one recording: each is given once, at every threshold.
pub(super) struct Smart<'a> {
    model: &'a SmartTurn,
    uplink: &'a [f32],
    answers: HashMap<(u32, u32), f32>,
}

impl<'a> Smart<'a> {
    pub(super) fn new(model: &'a SmartTurn, uplink: &'a [f32]) -> Self {
        Self { model, uplink, answers: HashMap::new() }
    }

    /// Probability that the turn is over.
    pub(super) fn probability(&mut self, began_ms: u32, now_ms: u32) -> f32 {
        let (model, uplink) = (self.model, self.uplink);
        *self.answers.entry((began_ms, now_ms)).or_insert_with(|| {
            let at = |ms: u32| (ms / FRAME_MS) as usize * FRAME;
            let to = at(now_ms).min(uplink.len());
            let from = at(began_ms.saturating_sub(BEFORE_MS)).min(to);
            // What it cannot judge is no end, as in pipecat.
            model.probability(&uplink[from..to]).unwrap_or(0.0)
        })
    }
}

/// Voice activity that asks Smart Turn once in each silence; answers count as there at once.
#[derive(Debug)]
pub(super) struct Asking {
    voice: Voice,
    theta: f32,
}

impl Asking {
    pub(super) fn new(theta: f32) -> Self {
        Self { voice: Voice::default(), theta }
    }

    pub(super) fn frame(
        &mut self,
        now_ms: u32,
        heard: Heard,
        smart: &mut Smart<'_>,
    ) -> Option<Said> {
        let turn = self.voice.hear(now_ms, heard.probability)?;
        let asked = turn.silence_ms == ASKED_MS;
        let over = asked && smart.probability(turn.began_ms, now_ms) > self.theta;
        if !over && turn.silence_ms < TIMEOUT_MS {
            return None;
        }
        self.voice = Voice::default();
        Some(Said::Yielded)
    }
}
