//! The floor: when the caller's turn begins, when it ends, and what stops the assistant.
//!
//! ```text
//!            voice            speech_min           silence ≥ pause
//!  Silent ───────────► Onset ───────────► Speaking ───────────────► Silent  (Yielded)
//!    ▲                   │                   ▲ │ voice ▲
//!    └───── silence ─────┘ (Dropped)         └─┴───────┘
//! ```
//!
//! Fed one speech probability a frame. The simple form: a hangover and a pause that depends on
//! what is expected and on a judge; ducking and backchannels are deliberately absent yet.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_models::speech::Expectation;

use super::TurnSettings;

/// Silence within a turn after which the judge is asked, and asked again as often.
const JUDGE_EVERY: Duration = Duration::from_millis(100);
/// Silence that ends an onset which never grew into speech.
const ONSET_GAP: Duration = Duration::from_millis(160);

/// What the floor has to say after a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FloorEvent {
    /// Voice: listen from here (and a little before).
    Onset,
    /// It was a click or a breath.
    Dropped,
    /// It is speech: the caller has the floor.
    Began {
        /// First voice.
        at: MediaTime,
    },
    /// Speech over the assistant has lasted long enough to stop it.
    Interrupting,
    /// The caller pauses: is the turn over?
    Pausing {
        /// For how long now.
        silence: Duration,
    },
    /// The caller's turn is over.
    Yielded {
        /// First voice.
        began: MediaTime,
        /// Last voice.
        ended: MediaTime,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Silent,
    Onset { began: MediaTime, last_voice: MediaTime, voiced: Duration },
    Speaking { began: MediaTime, last_voice: MediaTime, judged: Duration, interrupted: bool },
}

/// Who holds the floor.
#[derive(Debug)]
pub struct Floor {
    settings: TurnSettings,
    expectation: Arc<Expectation>,
    over: f32,
    state: State,
}

impl Floor {
    /// Makes a floor that nobody holds.
    #[must_use]
    pub fn new(settings: TurnSettings) -> Self {
        Self { settings, expectation: Arc::default(), over: 0.0, state: State::Silent }
    }

    /// Says what the caller may say next; it sets the pause that ends the turn.
    pub fn expect(&mut self, expectation: Arc<Expectation>) {
        self.expectation = expectation;
    }

    /// Takes the judge's probability that the turn is over.
    pub const fn judged(&mut self, over: f32) {
        self.over = over;
    }

    /// Takes the speech probability of the 20 ms that end at `now`; `assistant_yields` is whether
    /// the assistant speaks and may be stopped by speech. Gives at most two events.
    pub fn voice(
        &mut self,
        now: MediaTime,
        probability: f32,
        assistant_yields: bool,
    ) -> [Option<FloorEvent>; 2] {
        match self.state {
            State::Silent => [self.silent(now, probability), None],
            State::Onset { began, last_voice, voiced } => {
                self.onset(now, probability, (began, last_voice, voiced))
            }
            State::Speaking { .. } => self.speaking(now, probability, assistant_yields),
        }
    }

    /// Takes the floor away from the caller, as when a human takes over.
    pub const fn clear(&mut self) {
        self.state = State::Silent;
    }

    /// Whether the caller is speaking, an onset included.
    #[must_use]
    pub const fn caller_holds(&self) -> bool {
        !matches!(self.state, State::Silent)
    }

    fn silent(&mut self, now: MediaTime, probability: f32) -> Option<FloorEvent> {
        if probability < self.settings.voice_on {
            return None;
        }
        self.over = 0.0;
        self.state = State::Onset { began: now, last_voice: now, voiced: FRAME };
        Some(FloorEvent::Onset)
    }

    fn onset(
        &mut self,
        now: MediaTime,
        probability: f32,
        (began, last_voice, voiced): (MediaTime, MediaTime, Duration),
    ) -> [Option<FloorEvent>; 2] {
        if probability < self.settings.voice_off {
            if now.since(last_voice) < ONSET_GAP {
                return [None, None];
            }
            self.state = State::Silent;
            return [Some(FloorEvent::Dropped), None];
        }
        let voiced = voiced + FRAME;
        if voiced < self.settings.speech_min {
            self.state = State::Onset { began, last_voice: now, voiced };
            return [None, None];
        }
        self.state =
            State::Speaking { began, last_voice: now, judged: Duration::ZERO, interrupted: false };
        [Some(FloorEvent::Began { at: began }), None]
    }

    fn speaking(
        &mut self,
        now: MediaTime,
        probability: f32,
        assistant_yields: bool,
    ) -> [Option<FloorEvent>; 2] {
        let State::Speaking { began, last_voice, judged, interrupted } = &mut self.state else {
            return [None, None];
        };
        let voiced = probability >= self.settings.voice_off;
        if voiced {
            *last_voice = now;
            *judged = Duration::ZERO;
        }
        // The hangover is no voice: a cough that is over stops nothing.
        let long_enough = voiced && now.since(*began) + FRAME >= self.settings.barge_in;
        let stop = assistant_yields && !*interrupted && long_enough;
        *interrupted |= stop;
        let stop = stop.then_some(FloorEvent::Interrupting);
        let silence = now.since(*last_voice);
        let pause = self.settings.pause.for_turn(&self.expectation, self.over);
        if silence >= pause || now.since(*began) >= self.settings.turn_max {
            let yielded = FloorEvent::Yielded { began: *began, ended: *last_voice };
            self.state = State::Silent;
            return [stop, Some(yielded)];
        }
        let ask = silence >= *judged + JUDGE_EVERY;
        if ask {
            *judged = silence;
        }
        [stop, ask.then_some(FloorEvent::Pausing { silence })]
    }
}

/// Length of the stretch that one probability stands for.
const FRAME: Duration = Duration::from_millis(20);
