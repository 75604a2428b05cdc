//! What the floor hears of the caller's side in 20 ms: how likely it is speech, what it is like,
//! and how it compares to what the caller is played.
//!
//! While the assistant is heard, a caller mostly listens; what comes then is the line, the room,
//! and the assistant's own voice coming back. Their usual level is learnt, and what hardly rises
//! above it is no voice, whatever it sounds like. Deliberately absent: taking an echo out.

use std::time::Duration;

use cordboard_audio::level::{self, FLOOR_DBOV, level_dbov, tilt_db};

use super::overlap::ECHO_LOSS_DB;

/// Frames for which what was played may still come back: 600 ms.
const RETURNING: usize = 30;
/// What is played below this is not heard at the far end, dBov.
const PLAYED_DBOV: f32 = -50.0;
/// A voice is at least so far above what usually comes while the assistant is heard, dB.
const ABOVE_USUAL_DB: f32 = 6.0;
/// How fast the usual level is learnt, dB a frame: over the first half second, and then.
const FIRST: Pace = Pace { rise_db: 2.0, fall_db: 0.1 };
const LATER: Pace = Pace { rise_db: 0.12, fall_db: 0.1 };
const FIRST_FRAMES: u32 = 25;
/// A line is hardly quieter, dBov; one that says nothing at all is not learnt from.
const LINE_DBOV: f32 = -65.0;
/// And hardly louder: what is, in the first frame that is heard of a caller, may be a word.
const LOUD_LINE_DBOV: f32 = -45.0;
/// Where for a second of it what comes is usually so far below what is played, there is no echo.
const KNOWN_FRAMES: u32 = 50;
const ECHOLESS_DB: f32 = 38.0;
/// Whoever is so far below their own loudest has fallen silent, dB; it is forgotten so fast, dB a
/// frame.
const HUSHED_DB: f32 = 28.0;
/// If speech is probable for longer than a detector lags, what was so loud was not the caller's
/// voice, a bang say.
const HUSHED_FRAMES: u32 = 10;
const LOUDEST_FALL_DB: f32 = 0.02;
/// A frame is looked through for its loudest and its last voice in steps of so many samples: 10 ms,
/// no less than a low voice's pitch period.
const STEP_SAMPLES: usize = 80;
const STEP: Duration = Duration::from_millis(10);
/// A step is at most so much louder than its frame: all there is may be in it.
const STEP_IS_LOUDER_DB: f32 = 3.1;
/// Below this probability of speech nothing is measured, nor where nobody speaks over anything.
const PERHAPS: f32 = 0.1;

/// 20 ms of the caller's side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Probability of speech; none where it is the line, the room or an echo.
    pub probability: f32,
    /// Level, dBov.
    pub level_dbov: f32,
    /// How high it sounds, dB (`audio/level`); measured where somebody speaks over what is played.
    pub tilt_db: f32,
    /// Level of what was played over the last 600 ms, dBov.
    pub played_dbov: f32,
    /// Whether it is known by now that nothing of what is played comes back.
    pub echoless: bool,
    /// Whether the caller has fallen silent though speech is still probable: a detector of speech
    /// takes 100 ms to notice.
    pub hushed: bool,
    /// Up to where in these 20 ms the caller, or a hiss that is hardly a voice, was to be heard:
    /// all that is far below their loudest is silence, and so is an echo.
    pub heard: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    rise_db: f32,
    fall_db: f32,
}

/// Listens to a caller beside what the caller is played.
///
/// # Real-time
/// No allocation; next to nothing while the caller's side is silent.
#[derive(Debug)]
pub struct Ear {
    /// Mean squares of the frames played last, the oldest at `next`.
    played: [f32; RETURNING],
    next: usize,
    /// What usually comes while something is played, dBov, and for how many frames it was learnt.
    usual_dbov: Option<f32>,
    learnt: u32,
    /// The loudest that the caller has been of late, dBov, and frames of probable speech since that
    /// are far below it.
    loudest_dbov: f32,
    hushed: u32,
}

impl Default for Ear {
    fn default() -> Self {
        Self {
            played: [0.0; RETURNING],
            next: 0,
            usual_dbov: None,
            learnt: 0,
            loudest_dbov: FLOOR_DBOV,
            hushed: 0,
        }
    }
}

impl Ear {
    /// Takes 20 ms at 8 kHz of what comes, the 20 ms that were sent last, and the probability that
    /// speech comes.
    pub fn hear(&mut self, uplink: &[f32], downlink: &[f32], probability: f32) -> Heard {
        let level_dbov = level_dbov(uplink);
        let played_dbov = self.played(downlink);
        let usual_dbov =
            *self.usual_dbov.get_or_insert_with(|| level_dbov.clamp(LINE_DBOV, LOUD_LINE_DBOV));
        let heard_there = played_dbov > PLAYED_DBOV;
        let above = level_dbov >= usual_dbov + ABOVE_USUAL_DB;
        if heard_there {
            self.learn(level_dbov);
        }
        let probability = if heard_there && !above { 0.0 } else { probability };
        let tilt_db = if probability >= PERHAPS && heard_there { tilt_db(uplink) } else { 0.0 };
        let echoless = self.learnt >= KNOWN_FRAMES && usual_dbov < played_dbov - ECHOLESS_DB;
        let hushed = self.hushed(uplink, level_dbov, probability);
        let comes_back = heard_there && !above;
        let heard = if comes_back { Duration::ZERO } else { self.heard(uplink, level_dbov) };
        Heard { probability, level_dbov, tilt_db, played_dbov, echoless, hushed, heard }
    }

    /// Up to the last step that is not far below the caller's loudest.
    fn heard(&self, uplink: &[f32], all_dbov: f32) -> Duration {
        let floor_dbov = self.loudest_dbov - HUSHED_DB;
        if all_dbov < floor_dbov - STEP_IS_LOUDER_DB {
            return Duration::ZERO;
        }
        let last = uplink.chunks(STEP_SAMPLES).rposition(|step| level_dbov(step) >= floor_dbov);
        last.map_or(Duration::ZERO, |last| STEP * u32::try_from(last + 1).unwrap_or(0))
    }

    fn hushed(&mut self, uplink: &[f32], level_dbov: f32, probability: f32) -> bool {
        self.loudest_dbov = (self.loudest_dbov - LOUDEST_FALL_DB).max(FLOOR_DBOV);
        if probability >= PERHAPS {
            let steps = uplink.chunks(STEP_SAMPLES).map(level::level_dbov);
            self.loudest_dbov = steps.fold(self.loudest_dbov, f32::max);
        }
        if level_dbov >= self.loudest_dbov - HUSHED_DB || probability < PERHAPS {
            self.hushed = 0;
            return level_dbov < self.loudest_dbov - HUSHED_DB;
        }
        self.hushed += 1;
        if self.hushed > HUSHED_FRAMES {
            (self.loudest_dbov, self.hushed) = (level_dbov, 0);
        }
        self.hushed > 0
    }

    /// Takes what is played; its level over the last 600 ms.
    fn played(&mut self, downlink: &[f32]) -> f32 {
        let energy: f32 = downlink.iter().map(|sample| sample * sample).sum();
        self.played[self.next] = energy / downlink.len().max(1) as f32;
        self.next = (self.next + 1) % RETURNING;
        dbov(self.played.iter().sum::<f32>() / RETURNING as f32)
    }

    /// What is too loud for an echo is learnt slowly from the first frame on: it may well be the
    /// caller's first words.
    fn learn(&mut self, level_dbov: f32) {
        // At the begin of a prompt the last 600 ms are mostly of the time before it.
        let sounding = self.played.iter().filter(|energy| **energy > 0.0).count().max(1);
        let mean = self.played.iter().sum::<f32>() / sounding as f32;
        let may_be_echo = level_dbov < dbov(mean) - ECHO_LOSS_DB;
        let pace = if may_be_echo && self.learnt < FIRST_FRAMES { FIRST } else { LATER };
        self.learnt = self.learnt.saturating_add(1);
        let usual = self.usual_dbov.get_or_insert(level_dbov);
        *usual += (level_dbov.max(LINE_DBOV) - *usual).clamp(-pace.fall_db, pace.rise_db);
    }
}

/// Level of a mean square.
fn dbov(mean_square: f32) -> f32 {
    if mean_square > 0.0 { (10.0 * mean_square.log10()).max(FLOOR_DBOV) } else { FLOOR_DBOV }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of such a level, dBov.
    fn tone(level_dbov: f32) -> Vec<f32> {
        let amplitude = 10.0_f32.powf((level_dbov + 3.01) / 20.0);
        (0..160).map(|n| amplitude * (n as f32 * std::f32::consts::TAU / 40.0).sin()).collect()
    }

    /// The last of so many frames of these levels.
    fn heard(ear: &mut Ear, frames: u32, uplink_dbov: f32, downlink_dbov: f32) -> Heard {
        let (uplink, downlink) = (tone(uplink_dbov), tone(downlink_dbov));
        let hear = |_| ear.hear(&uplink, &downlink, 0.9);
        (0..frames).map(hear).last().unwrap_or_default()
    }

    #[test]
    fn what_usually_comes_while_the_assistant_is_heard_is_no_voice_and_what_is_louder_is() {
        let mut ear = Ear::default();
        heard(&mut ear, 10, -60.0, -20.0);
        heard(&mut ear, 100, -35.0, -20.0);
        assert_eq!(heard(&mut ear, 1, -35.0, -20.0).probability, 0.0, "the echo is known");
        let caller = heard(&mut ear, 1, -24.0, -20.0);
        assert_eq!(caller.probability, 0.9);
        assert!((caller.level_dbov + 24.0).abs() < 0.5);
        assert!((caller.played_dbov + 20.0).abs() < 0.5);
    }

    #[test]
    fn a_voice_from_the_first_frame_of_a_prompt_on_is_heard_where_the_line_was_quiet() {
        let mut ear = Ear::default();
        heard(&mut ear, 50, -60.0, -20.0);
        for frame in 0..25 {
            assert_eq!(heard(&mut ear, 1, -26.0, -20.0).probability, 0.9, "frame {frame}");
        }
    }

    #[test]
    fn who_is_speaking_already_when_first_heard_is_not_taken_for_the_line() {
        let mut ear = Ear::default();
        heard(&mut ear, 3, -22.0, -127.0);
        for frame in 0..50 {
            assert_eq!(heard(&mut ear, 1, -24.0, -20.0).probability, 0.9, "frame {frame}");
        }
    }

    #[test]
    fn a_voice_that_ends_within_a_frame_ended_then() {
        let mut ear = Ear::default();
        assert_eq!(heard(&mut ear, 10, -20.0, -127.0).heard, Duration::from_millis(20));
        let (mut frame, silence) = (tone(-20.0), tone(-127.0));
        for samples in [130, 100, 30] {
            frame[samples..].fill(1e-5);
            let heard = ear.hear(&frame, &silence, 0.9).heard;
            let last_voice = Duration::from_micros(samples as u64 * 125);
            assert!(heard >= last_voice && heard < last_voice + STEP, "{samples}: {heard:?}");
        }
        assert_eq!(ear.hear(&silence, &silence, 0.02).heard, Duration::ZERO);
    }

    #[test]
    fn a_bang_makes_nobody_silent_for_long() {
        let mut ear = Ear::default();
        heard(&mut ear, 5, -6.0, -127.0);
        let hushed = (0..50).filter(|_| heard(&mut ear, 1, -45.0, -127.0).hushed).count();
        assert_eq!(hushed, 10);
    }

    #[test]
    fn the_first_words_of_a_call_are_no_echo_however_soon_they_come() {
        let mut ear = Ear::default();
        heard(&mut ear, 2, -62.0, -20.0);
        for frame in 0..75 {
            let voice = heard(&mut ear, 1, -27.0, -20.0);
            assert_eq!(voice.probability, 0.9, "frame {frame}");
        }
    }

    #[test]
    fn a_line_that_stays_quiet_while_the_assistant_is_heard_is_known_to_have_no_echo() {
        let mut ear = Ear::default();
        assert!(!heard(&mut ear, 40, -62.0, -20.0).echoless, "too soon");
        assert!(heard(&mut ear, 40, -62.0, -20.0).echoless);
        let mut ear = Ear::default();
        assert!(!heard(&mut ear, 200, -48.0, -20.0).echoless);
    }

    #[test]
    fn where_nothing_is_played_the_level_decides_nothing() {
        let mut ear = Ear::default();
        heard(&mut ear, 100, -35.0, -20.0);
        heard(&mut ear, RETURNING as u32, -70.0, -127.0);
        assert_eq!(heard(&mut ear, 1, -40.0, -127.0).probability, 0.9);
    }
}
