//! The floor: when the caller's turn begins, when it ends, and what becomes of speech over the
//! assistant.
//!
//! ```text
//!            voice            speech_min           silence ≥ pause
//!  Silent ───────────► Onset ───────────► Speaking ───────────────► Silent  (Yielded)
//!    ▲                   │                   ▲ │ voice ▲
//!    └───── silence ─────┘ (Dropped)         └─┴───────┘
//! ```
//!
//! and beside it, while the assistant speaks and yields to speech:
//!
//! ```text
//!            voice ≥ duck            it wants the floor
//!  nothing ──────────────► Ducking ─────────────────────► Interrupting
//!                             │ silence, or the turn ends
//!                             └──────────────────────────► Released
//! ```
//!
//! Fed what the ear has heard of every 20 ms.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{Expectation, SlotKind};

use super::overlap::Overlap;
use super::tail::Tail;
use super::{BargeIn, Heard, TurnSettings, Verdicts};

/// Silence within a turn after which the judges are asked first, and how often then.
const JUDGE_FROM: Duration = Duration::from_millis(20);
const JUDGE_EVERY: Duration = Duration::from_millis(100);
/// From this probability of speech on a pause is the closure of a "p" or a "t", hardly more.
const SURELY_VOICE: f32 = 0.98;
/// Voice that ends a pause: a click in it is none.
const RESUMES: Duration = Duration::from_millis(60);
/// Silence that ends an onset which never grew into speech.
const ONSET_GAP: Duration = Duration::from_millis(160);
/// Silence after which what was ducked for rises again.
const RELEASE_GAP: Duration = Duration::from_millis(240);
/// A silence in a turn is a pause from here on, and so much of the longest is remembered at the
/// next.
const PAUSE_FROM: Duration = Duration::from_millis(300);
const REMEMBERED: f32 = 0.8;
/// Who goes on so soon after the floor was taken had not ended; who speaks later waits for us.
const GOES_ON_WITHIN: Duration = Duration::from_millis(500);
/// An interruption that has lasted no longer is taken for its begin.
const BRIEF: Duration = Duration::from_millis(700);
/// Length of the stretch that one frame stands for.
const FRAME: Duration = Duration::from_millis(20);

/// What the assistant does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// It is silent.
    Listens,
    /// It speaks, and speech does not stop it.
    Insists,
    /// It speaks, and yields to speech.
    Yields,
}

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
    /// Somebody speaks over the assistant; what it is will be seen. Until then it is to be quieter.
    Ducking,
    /// What it was ducked for is over and was no interruption: the level returns.
    Released,
    /// Speech over the assistant wants the floor: it is to stop.
    Interrupting,
    /// The caller pauses: is the turn over?
    Pausing,
    /// The caller goes on: whatever was asked of the pause is not wanted any more.
    Resumed,
    /// The caller's turn is over.
    Yielded {
        /// First voice.
        began: MediaTime,
        /// Last voice.
        ended: MediaTime,
        /// How it stood to the assistant's speech.
        manner: Manner,
    },
}

/// How a turn stood to the assistant's speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A turn of its own: after the assistant, or it has stopped the assistant.
    Turn,
    /// Over the assistant, which was not stopped by it.
    Aside,
    /// As `Aside`, and weak enough to be the assistant's own voice coming back.
    Faint,
}

/// At most so many come of one frame.
pub type FloorEvents = [Option<FloorEvent>; 3];

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Silent,
    Onset {
        began: MediaTime,
        last_voice: MediaTime,
        voiced: Duration,
    },
    Speaking {
        began: MediaTime,
        last_voice: MediaTime,
        /// Voice since the last frame without.
        voiced: Duration,
        /// Silence at which the judges were asked last.
        judged: Duration,
    },
}

/// What has become of the speech over the assistant in the present turn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Over {
    overlap: Overlap,
    /// Since its last frame.
    silence: Duration,
    /// Speech before that, and whether all of it may have been an echo.
    past: Duration,
    loud: bool,
    ducked: bool,
    /// Whether it has stopped the assistant, and whether the assistant has not begun anew since.
    interrupted: bool,
    stopped: bool,
    /// Voice while the assistant was silent: then it is a turn like any other.
    alone: Duration,
}

/// Who holds the floor.
#[derive(Debug)]
pub struct Floor {
    settings: TurnSettings,
    expectation: Arc<Expectation>,
    verdicts: Verdicts,
    /// The longest pause of late after which the caller went on.
    own_pause: Duration,
    /// Where the last turn ended, and when the floor was taken for it, while nothing has been said
    /// since.
    unanswered: Option<(MediaTime, MediaTime)>,
    state: State,
    tail: Tail,
    talk_over: Over,
}

impl Floor {
    /// Makes a floor that nobody holds.
    #[must_use]
    pub fn new(settings: TurnSettings) -> Self {
        Self {
            settings,
            expectation: Arc::default(),
            verdicts: Verdicts::default(),
            own_pause: Duration::ZERO,
            unanswered: None,
            state: State::Silent,
            tail: Tail::default(),
            talk_over: Over::default(),
        }
    }

    /// Says what the caller may say next; it sets the pause that ends the turn.
    pub fn expect(&mut self, expectation: Arc<Expectation>) {
        self.expectation = expectation;
    }

    /// Takes the probability that the turn is over, by its words.
    pub const fn judged(&mut self, over: f32) {
        self.verdicts.words = Some(over);
    }

    /// Takes the same by the sound of the turn up to the present pause; the turn may be over at
    /// once, which is told as after a frame.
    pub fn sound_judged(&mut self, now: MediaTime, over: f32) -> FloorEvents {
        self.verdicts.sound = Some(over);
        let State::Speaking { began, last_voice, voiced, .. } = self.state else {
            return FloorEvents::default();
        };
        let pause = self.pause_needed();
        if now.since(last_voice) < pause || !voiced.is_zero() {
            return FloorEvents::default();
        }
        self.state = State::Silent;
        let (ended, manner) = (self.tail.end(last_voice), Manner::Turn);
        self.ended(now, [Some(FloorEvent::Yielded { began, ended, manner }), None], None)
    }

    /// Whether the words are not enough to say that the turn is over, and its sound may tell:
    /// digits are said in groups, each of which sounds like the last. Words that seem begun may be
    /// wrong.
    #[must_use]
    pub fn wants_sound(&self) -> bool {
        let digits = |kind: &SlotKind| matches!(kind, SlotKind::Digits { .. });
        !self.verdicts.suffice() && !self.expectation.kinds.iter().any(digits)
    }

    /// Takes the 20 ms that end at `now`, and what the assistant does meanwhile.
    pub fn hear(&mut self, now: MediaTime, heard: &Heard, meanwhile: Meanwhile) -> FloorEvents {
        let was_silent = self.state == State::Silent;
        self.unanswered = self.unanswered.filter(|_| meanwhile == Meanwhile::Listens);
        let own = match self.state {
            State::Silent => [self.silent(now, heard.probability), None],
            State::Onset { began, last_voice, voiced } => {
                [self.onset(now, heard.probability, (began, last_voice, voiced)), None]
            }
            State::Speaking { .. } => self.speaking(now, heard),
        };
        if was_silent {
            self.talk_over = Over::default();
        }
        let over = self.talk_over(heard, meanwhile);
        if self.state == State::Silent {
            return self.ended(now, own, over);
        }
        [own[0], over, own[1]]
    }

    /// Takes the floor away from the caller, as when a human takes over.
    pub fn clear(&mut self) {
        self.state = State::Silent;
        self.talk_over = Over::default();
    }

    /// The first voice of the turn that is being spoken.
    #[must_use]
    pub const fn began(&self) -> Option<MediaTime> {
        match self.state {
            State::Speaking { began, .. } => Some(began),
            State::Silent | State::Onset { .. } => None,
        }
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
        self.verdicts = Verdicts::default();
        self.state = State::Onset { began: now, last_voice: now, voiced: FRAME };
        Some(FloorEvent::Onset)
    }

    fn onset(
        &mut self,
        now: MediaTime,
        probability: f32,
        (began, last_voice, voiced): (MediaTime, MediaTime, Duration),
    ) -> Option<FloorEvent> {
        if probability < self.settings.voice_off {
            if now.since(last_voice) < ONSET_GAP {
                return None;
            }
            self.state = State::Silent;
            return Some(FloorEvent::Dropped);
        }
        let voiced = voiced + FRAME;
        if voiced < self.settings.speech_min {
            self.state = State::Onset { began, last_voice: now, voiced };
            return None;
        }
        if let Some((ended, taken)) = self.unanswered.take()
            && began.since(taken) < GOES_ON_WITHIN
        {
            self.paused(began.since(ended));
        }
        let (last_voice, judged) = (now, Duration::ZERO);
        self.tail.voice(last_voice);
        self.state = State::Speaking { began, last_voice, voiced, judged };
        Some(FloorEvent::Began { at: began })
    }

    fn speaking(&mut self, now: MediaTime, heard: &Heard) -> [Option<FloorEvent>; 2] {
        let voice = heard.probability >= self.settings.voice_off && !heard.hushed;
        let resumed = self.follow(now, voice, heard.heard);
        let pause = self.pause_needed();
        let State::Speaking { began, last_voice, judged, .. } = &mut self.state else {
            return [None, None];
        };
        let silence = now.since(*last_voice);
        // Who makes a sound may be going on.
        let is_over = silence >= pause && !voice;
        if is_over || now.since(*began) >= self.settings.turn_max {
            let (began, ended) = (*began, self.tail.end(*last_voice));
            self.state = State::Silent;
            return [Some(FloorEvent::Yielded { began, ended, manner: Manner::Turn }), None];
        }
        let ask = if judged.is_zero() { JUDGE_FROM } else { *judged + JUDGE_EVERY };
        let ask = !voice && silence >= ask && heard.probability < SURELY_VOICE;
        if ask {
            *judged = silence;
        }
        [None, ask.then_some(FloorEvent::Pausing).or(resumed)]
    }

    /// Follows the voice of who speaks; says where a pause is over that was asked about.
    /// `heard` is how much of these 20 ms is to be heard.
    fn follow(&mut self, now: MediaTime, voice: bool, heard: Duration) -> Option<FloorEvent> {
        let State::Speaking { last_voice, voiced, judged, .. } = &mut self.state else {
            return None;
        };
        *voiced = if voice { *voiced + FRAME } else { Duration::ZERO };
        // The frame before was voice as well, be it only at its begin.
        let goes_on = *voiced >= RESUMES || now.since(*last_voice) < 2 * FRAME;
        if !voice || !goes_on {
            self.tail.sound(now - FRAME, heard);
            return None;
        }
        let pause = now.since(*last_voice).saturating_sub(*voiced);
        *last_voice = if heard.is_zero() { now } else { now - FRAME + heard };
        self.tail.voice(*last_voice);
        let was_judged = !std::mem::take(judged).is_zero();
        // What was heard of a pause says nothing of the next one.
        self.verdicts.sound = None;
        // A pause that the words explain, between groups of digits say, is not the caller's manner.
        if self.wants_sound() && self.verdicts.leave_open() {
            self.paused(pause);
        }
        was_judged.then_some(FloorEvent::Resumed)
    }

    /// The pause that ends the turn as it stands.
    fn pause_needed(&self) -> Duration {
        let needed = self.settings.pause.needed(&self.expectation, self.verdicts, self.own_pause);
        let is_brief = match self.state {
            State::Speaking { began, last_voice, .. } => last_voice.since(began) < BRIEF,
            State::Silent | State::Onset { .. } => false,
        };
        // "Wait -": whoever has just stopped the assistant has more to say.
        if self.talk_over.interrupted && is_brief {
            return needed.max(self.settings.pause.sure);
        }
        needed
    }

    /// Learns that the caller has gone on after such a pause.
    fn paused(&mut self, pause: Duration) {
        if pause >= PAUSE_FROM {
            self.own_pause = self.own_pause.mul_f32(REMEMBERED).max(pause);
        }
    }

    /// What the speech over the assistant comes to.
    fn talk_over(&mut self, heard: &Heard, meanwhile: Meanwhile) -> Option<FloorEvent> {
        if self.state == State::Silent {
            return None;
        }
        let over = &mut self.talk_over;
        let speech = heard.probability >= self.settings.voice_off;
        over.silence = if speech { Duration::ZERO } else { over.silence + FRAME };
        if meanwhile == Meanwhile::Listens {
            // What begins now, a late answer say, begins over who has the floor.
            over.stopped = false;
            over.alone += if speech { FRAME } else { Duration::ZERO };
        } else {
            if speech {
                over.overlap.hear(heard);
                over.loud |= !over.overlap.may_be_echo();
            }
        }
        if over.silence >= RELEASE_GAP {
            // What comes next is something else.
            over.past += std::mem::take(&mut over.overlap).speech_lasting();
            return std::mem::take(&mut over.ducked).then_some(FloorEvent::Released);
        }
        if meanwhile != Meanwhile::Yields || over.stopped {
            // It has come to its end by itself.
            return std::mem::take(&mut over.ducked).then_some(FloorEvent::Released);
        }
        // The hangover is no voice: a cough that is over stops nothing.
        if !speech {
            return None;
        }
        let lasting = over.overlap.speech_lasting();
        let wants_floor = match self.settings.barge_in {
            BargeIn::Cut { after } => lasting >= after,
            BargeIn::Decide { .. } => over.overlap.wants_floor(),
        };
        if wants_floor {
            (over.interrupted, over.stopped, over.ducked) = (true, true, false);
            return Some(FloorEvent::Interrupting);
        }
        match self.settings.barge_in {
            BargeIn::Decide { duck } if lasting >= duck && !over.ducked => {
                over.ducked = !over.overlap.may_be_echo();
                over.ducked.then_some(FloorEvent::Ducking)
            }
            BargeIn::Decide { .. } | BargeIn::Cut { .. } => None,
        }
    }

    /// The turn, or what looked like one, has ended with this frame.
    fn ended(
        &mut self,
        now: MediaTime,
        own: [Option<FloorEvent>; 2],
        event: Option<FloorEvent>,
    ) -> FloorEvents {
        let talk_over = std::mem::take(&mut self.talk_over);
        let released = talk_over.ducked.then_some(FloorEvent::Released).or(event);
        let over = talk_over.past + talk_over.overlap.speech_lasting();
        let own_turn =
            over.is_zero() || talk_over.interrupted || talk_over.alone >= self.settings.speech_min;
        let manner = match (own_turn, talk_over.loud) {
            (true, _) => Manner::Turn,
            (false, true) => Manner::Aside,
            (false, false) => Manner::Faint,
        };
        let own = own.map(|event| match event {
            Some(FloorEvent::Yielded { began, ended, .. }) => {
                self.unanswered = Some((ended, now));
                Some(FloorEvent::Yielded { began, ended, manner })
            }
            other => other,
        });
        [released, own[0], own[1]]
    }
}
