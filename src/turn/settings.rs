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
}

/// Probabilities from which on a judge is sure that a turn is over, and below which it thinks that
/// it is not. Chosen on the settings half of the tuning bench: at 0.9 no group of digits is cut.
const SURE: f32 = 0.9;
const EVEN: f32 = 0.5;

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
        Self::Decide { duck: Duration::from_millis(60) }
    }
}

/// Pauses that end a turn, by what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The shortest: the judge is sure that the turn is over.
    pub sure: Duration,
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
            sure: Duration::from_millis(300),
            begun: Duration::from_millis(2_200),
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
        }
    }
}

impl Pauses {
    /// The pause that ends a turn which `usual` would end: a judge that knows enough gives `over`,
    /// the probability that the turn is over. `waits` is whether `usual` has passed already, and
    /// the judge did not think so then: one that gets surer with the silence alone has learnt
    /// nothing.
    #[must_use]
    pub fn needed(&self, usual: Duration, over: Option<f32>, waits: bool) -> Duration {
        match over {
            Some(over) if over >= SURE => self.sure.min(usual),
            // Five of six digits: the sixth will come.
            Some(over) if over < EVEN => self.begun.max(usual),
            Some(_) | None if waits => self.begun.max(usual),
            Some(_) | None => usual,
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
