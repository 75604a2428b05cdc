//! How long to wait, and how sure to be.

use std::time::Duration;

use cordboard_models::speech::{Expectation, SlotKind};

/// The settings of the floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TurnSettings {
    /// Speech probability above which a frame counts as voice while the caller was silent.
    pub voice_on: f32,
    /// Speech probability below which a frame counts as silence while the caller was speaking.
    pub voice_off: f32,
    /// Voice shorter than this is a click or a breath, and no turn.
    pub speech_min: Duration,
    /// What speech over the assistant does.
    pub barge_in: BargeIn,
    /// The pause that ends a turn where nothing hints at its end.
    pub pause: Pauses,
    /// Silence after a question before the caller is asked again.
    pub no_input: Duration,
    /// The longest turn; what comes after is a new one.
    pub turn_max: Duration,
    /// Whether there is a judge by sound to be asked.
    pub judges_sound: bool,
    /// Whether the answer is begun while the end of the turn is only likely.
    pub eager: bool,
    /// Whether the assistant's own voice is taken out of the caller's side where it comes back.
    pub cancels_echo: bool,
}

/// The silence as of which words are judged: one that says nothing by itself. What the silence
/// says is the floor's to know.
pub const WORDS_JUDGED_AT: Duration = Duration::from_millis(700);

/// Probabilities, so judged, from which on the words are enough, and below which they are not: five
/// of six digits, "would you".
const SURE: f32 = 0.9;
const OPEN: f32 = 0.3;
/// And from which on they are a sentence that ends.
const ENDS: f32 = 0.6;

/// Probabilities of the judge by sound, in the same way; in open talk, where a turn may go on after
/// every sentence, it must be surer. Chosen on the settings half of the tuning bench.
const SOUNDS_OVER: f32 = 0.5;
const SOUNDS_OVER_IN_TALK: f32 = 0.9;
const SOUNDS_OPEN: f32 = 0.3;

/// How much longer than a caller's own pause the next may be.
const OWN_AGAIN: f32 = 1.2;

/// What judges think of a turn that has paused: the probability that it is over, 0 to 1, where one
/// knows enough to give it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// By its words and what was expected.
    pub words: Option<f32>,
    /// By how it sounds.
    pub sound: Option<f32>,
}

impl Verdicts {
    /// Whether the words are enough.
    #[must_use]
    pub fn suffice(self) -> bool {
        self.words.is_some_and(|over| over >= SURE)
    }

    /// Whether the words leave open if the turn is over.
    #[must_use]
    pub fn leave_open(self) -> bool {
        self.words.is_none_or(|over| (OPEN..SURE).contains(&over))
    }
}

/// What speech over the assistant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BargeIn {
    /// It lowers the assistant's voice after so much speech, until it is known what it is: what
    /// wants the floor stops the assistant, what does not lets its voice rise again.
    Decide {
        /// Speech over the assistant before its voice is lowered.
        duck: Duration,
    },
    /// So much of it stops the assistant, whatever it is.
    Cut {
        /// Speech over the assistant before it stops.
        after: Duration,
    },
}

impl Default for BargeIn {
    fn default() -> Self {
        Self::Decide { duck: Duration::from_millis(40) }
    }
}

/// Pauses that end a turn, by what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The shortest: the turn sounds as if it were over.
    pub least: Duration,
    /// The words are enough.
    pub sure: Duration,
    /// In open talk: the words may be all, and sound so, or they end as a sentence does.
    pub likely: Duration,
    /// The words may be all, and do not sound so.
    pub doubtful: Duration,
    /// The longest: the judge thinks that it is not. With recognition and voice behind it the
    /// answer must still come within 3 s; 95 of 100 pauses between groups of digits are shorter.
    pub begun: Duration,
    /// After a yes or a no.
    pub yes_no: Duration,
    /// After a phrase.
    pub phrase: Duration,
    /// Between groups of digits: Harper Valley's callers pause 0.5 to 2.2 s there.
    pub digits: Duration,
    /// In open talk.
    pub open: Duration,
    /// Where nothing particular is expected.
    pub other: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            least: Duration::from_millis(120),
            sure: Duration::from_millis(300),
            likely: Duration::from_millis(700),
            doubtful: Duration::from_millis(1_400),
            begun: Duration::from_millis(2_500),
            yes_no: Duration::from_millis(400),
            phrase: Duration::from_millis(700),
            digits: Duration::from_millis(1_400),
            open: Duration::from_millis(1_000),
            other: Duration::from_millis(700),
        }
    }
}

impl Default for TurnSettings {
    fn default() -> Self {
        Self {
            voice_on: 0.5,
            voice_off: 0.35,
            speech_min: Duration::from_millis(100),
            barge_in: BargeIn::default(),
            pause: Pauses::default(),
            no_input: Duration::from_millis(6_000),
            turn_max: Duration::from_secs(30),
            judges_sound: false,
            eager: true,
            cancels_echo: true,
        }
    }
}

impl Pauses {
    /// The pause that ends a turn in which `expectation` was to be answered, by what judges think
    /// of it. In open talk it is not enough that a turn sounds as if it were over: the words must
    /// be known too, which takes a recognizer longer than the shortest pause. Where no judge is
    /// sure, a caller who has paused for `own` before may do so again.
    #[must_use]
    pub fn needed(&self, expectation: &Expectation, verdicts: Verdicts, own: Duration) -> Duration {
        let (usual, talk) = (self.usual(expectation), is_open(expectation));
        let usual = usual.max(own.mul_f32(OWN_AGAIN).min(self.begun));
        let sounds_over = if talk { SOUNDS_OVER_IN_TALK } else { SOUNDS_OVER };
        match verdicts {
            Verdicts { words: Some(over), .. } if over >= SURE => self.sure.min(usual),
            Verdicts { words: Some(over), sound } if over < OPEN => match sound {
                // A word too many may have been recognized.
                Some(over) if over >= SOUNDS_OVER_IN_TALK => self.doubtful.max(usual),
                _ => self.begun.max(usual),
            },
            Verdicts { words: Some(over), .. } if talk && over >= ENDS => self.likely.min(usual),
            Verdicts { sound: Some(over), words } if over >= sounds_over => match (talk, words) {
                (false, _) => self.least.min(usual),
                (true, Some(_)) => self.likely.min(usual),
                (true, None) => usual,
            },
            Verdicts { sound: Some(over), .. } if over < SOUNDS_OPEN => self.doubtful.max(usual),
            Verdicts { .. } => usual,
        }
    }

    /// The pause that ends a turn in which `expectation` was to be answered, where no judge knows.
    #[must_use]
    pub fn usual(&self, expectation: &Expectation) -> Duration {
        let by_kind = expectation.kinds.iter().map(|kind| match kind {
            SlotKind::Digits { .. } => self.digits,
            SlotKind::YesNo | SlotKind::Choice(_) => self.yes_no,
            SlotKind::Open => self.open,
            SlotKind::Number
            | SlotKind::Date
            | SlotKind::Time
            | SlotKind::Amount
            | SlotKind::Name => self.phrase,
        });
        let open = expectation.open.then_some(self.open);
        let nothing = if expectation.phrases.is_empty() { self.other } else { self.phrase };
        by_kind.chain(open).max().unwrap_or(nothing)
    }
}

/// Whether anything may be said.
fn is_open(expectation: &Expectation) -> bool {
    expectation.open || expectation.kinds.contains(&SlotKind::Open)
}
