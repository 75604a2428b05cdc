//! Speech over the assistant: whether it wants the floor, or is an acknowledgement, a cough, a
//! noise or another voice in the room.
//!
//! Measured from the first frame of speech on; [`Overlap::wants_floor`] is asked after each. Half
//! of callers' acknowledgements are over after 0.35 s and nearly all after half a second, so that
//! what goes on for longer is none. What is shorter must be sure: loud, dense, and of a mouth that
//! moves, which a hum and a cough lack. The weights were fitted to the settings half of the tuning
//! bench (`cordboard replay --turns DIR --half settings --features FILE`; logistic regression of
//! 200 to 320 ms of speech). Deliberately absent: words (`aside`), and what is done about it.

use std::time::Duration;

use cordboard_audio::FRAME_MS;

use super::Heard;

/// No decision is made earlier: 240 ms.
const SOONEST: u32 = 12;
/// So much speech is no acknowledgement any more: 500 ms.
const LONG: u32 = 25;
/// An echo is at least so far below what was played, dB (G.131 has talkers' echo loss far higher;
/// loudspeakers in small rooms come to 15 dB): what is weaker may be one, and stops nothing, until
/// it is known that there is none.
pub(super) const ECHO_LOSS_DB: f32 = 14.0;
/// From here on it is sure enough.
const SURE: f32 = 1.0;

/// What has been heard over the assistant so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Overlap {
    /// Frames since the first, and of these the ones that are speech.
    frames: u32,
    speech: u32,
    energy: f32,
    level_dbov: f32,
    movement: f32,
    voicing: f32,
    voicing_squares: f32,
    played_dbov: f32,
    echoless: bool,
}

impl Overlap {
    /// Takes a frame; `speech` is whether it counts as speech. What comes before it is nothing.
    pub(super) fn hear(&mut self, heard: &Heard, speech: bool) {
        if self.frames == 0 && !speech {
            return;
        }
        self.frames += 1;
        if !speech {
            return;
        }
        let timbre = &heard.timbre;
        self.speech += 1;
        self.energy += 10.0_f32.powf(timbre.level_dbov / 10.0);
        self.level_dbov += timbre.level_dbov;
        self.movement += timbre.movement;
        self.voicing += timbre.voicing;
        self.voicing_squares += timbre.voicing * timbre.voicing;
        (self.played_dbov, self.echoless) = (heard.played_dbov, heard.echoless);
    }

    /// For how long there has been speech.
    pub(super) const fn speech_lasting(&self) -> Duration {
        Duration::from_millis(FRAME_MS * self.speech as u64)
    }

    /// Whether it is weak enough to be the assistant's own voice coming back.
    pub(super) fn may_be_echo(&self) -> bool {
        let level_dbov = 10.0 * (self.energy / self.speech.max(1) as f32).max(1e-13).log10();
        !self.echoless && level_dbov < self.played_dbov - ECHO_LOSS_DB
    }

    /// Whether this is somebody who wants to speak now.
    pub(super) fn wants_floor(&self) -> bool {
        self.speech >= SOONEST && !self.may_be_echo() && (self.speech >= LONG || self.is_sure())
    }

    fn is_sure(&self) -> bool {
        let speech = self.speech as f32;
        let voicing = self.voicing / speech;
        let spread = (self.voicing_squares / speech - voicing * voicing).max(0.0).sqrt();
        let density = speech / self.frames as f32;
        let score = 5.551
            + 0.802 * density
            + 0.261_2 * self.level_dbov / speech
            + 3.47 * spread
            + 1.033 * self.movement / speech;
        score > SURE
    }
}
