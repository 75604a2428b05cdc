//! Speech over the assistant: whether it wants the floor, or is an acknowledgement, a cough, a
//! noise or another voice in the room.
//!
//! Measured from the first frame of speech on; [`Overlap::wants_floor`] is asked after each. The
//! detector of speech is surer of who wants to be heard than of a murmur, a cough or a crowd, and
//! who wants to be heard is louder: what is very sure and loud stops the assistant after 160 ms,
//! what is less so must go on for longer. A hum does not, however sure and loud: what is said with
//! the mouth shut is no word. Half of callers' acknowledgements are over after 0.35 s and nearly
//! all after half a second, so that what is still there then is none.
//!
//! The weights were chosen on the settings half of the tuning bench, made with four seeds
//! (`cordboard replay --turns DIR --half settings --features FILE`): level counts for so much that
//! acknowledgements and crowds stop the assistant about as often as by the rule before, which took
//! 0.52 s in the median for who is to stop it (this one 0.32 s). How sure is sure enough was set
//! by the side-by-side bench's callers: all but one in twenty are to stop it within 0.3 s.
//! Deliberately absent: words (`aside`), and what is done about it.

use std::time::Duration;

use cordboard_audio::FRAME_MS;

use super::Heard;

/// No decision is made earlier: 160 ms.
const SOONEST: u32 = 8;
/// So much speech is no acknowledgement any more: 600 ms.
const LONG: u32 = 30;
/// An echo is at least so far below what was played, dB (G.131 has talkers' echo loss far higher;
/// loudspeakers in small rooms come to 15 dB): what is weaker may be one, and stops nothing, until
/// it is known that there is none.
pub(super) const ECHO_LOSS_DB: f32 = 14.0;
/// What is not so high is a hum, dB: of the settings half's hums 19 of 20 are below, of its speech
/// hardly any.
const HUM_DB: f32 = -12.0;
/// Of the detector's probability the last 80 ms count most: a voice's first windows are half
/// silence, and where they lie is chance.
const LATELY: f32 = 0.25;
/// What is above a usual voice's level, dBov, by a decibel, and a frame of speech, count as so much
/// probability.
const USUAL_DBOV: f32 = -26.0;
const PER_DB: f32 = 0.04;
const PER_FRAME: f32 = 0.006;
/// From here on it is sure enough.
const SURE: f32 = 0.96;

/// What has been heard over the assistant so far: of the frames that are speech, sums of the level
/// and the tilt, and the probability of late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Overlap {
    speech: u32,
    energy: f32,
    probability: f32,
    level_dbov: f32,
    tilt_db: f32,
    played_dbov: f32,
    echoless: bool,
}

impl Overlap {
    /// Takes a frame that is speech.
    pub(super) fn hear(&mut self, heard: &Heard) {
        let probability = heard.probability;
        let before = if self.speech == 0 { probability } else { self.probability };
        self.probability = before + LATELY * (probability - before);
        self.speech += 1;
        self.energy += 10.0_f32.powf(heard.level_dbov / 10.0);
        self.level_dbov += heard.level_dbov;
        self.tilt_db += heard.tilt_db;
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
        let above_db = self.level_dbov / speech - USUAL_DBOV;
        let sure = self.probability + PER_DB * above_db + PER_FRAME * speech;
        self.tilt_db / speech > HUM_DB && sure > SURE
    }
}
