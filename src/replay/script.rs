//! What a scripted phone does, and when.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::likeness::{Likeness, Print};

/// A frame whose RMS is above this is speech: -42 dBFS, above comfort noise, below any voice.
const SPEECH_RMS: f32 = 260.0 / 32_768.0;
/// Quiet that ends a stretch of the far end's speech.
const STRETCH_GAP: Duration = Duration::from_millis(300);
const FRAME: Duration = Duration::from_millis(20);

/// When a step is taken; steps are taken in order.
#[derive(Clone, Debug)]
pub enum When {
    /// So long after the answer.
    Answered(Duration),
    /// The far end has spoken since our last step and has then been quiet for so long.
    Quiet(Duration),
    /// So long after the end of our last step, whatever the far end does.
    Waited(Duration),
    /// The far end has been speaking for so long.
    Speaking(Duration),
    /// The far end has said what sounds like this since our last step, and has then been quiet for
    /// so long. Where nothing like it has come within a time, the step is taken then. One that may
    /// be left out is, then, or as soon as one after it is due.
    Says {
        /// How it sounds.
        sound: Arc<Print>,
        /// Quiet after it.
        quiet: Duration,
        /// How long it is waited for.
        within: Duration,
        /// Whether the step may be left out.
        or_not: bool,
    },
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Act {
    /// Say it: 8 kHz, [-1, 1].
    Say(Arc<[f32]>),
    /// Press keys.
    Key(String),
    /// Say nothing for so long, whatever the far end does.
    Stay(Duration),
    /// Hang up.
    HangUp,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub when: When,
    /// What.
    pub act: Act,
}

/// The steps that are left, and what the far end has done since the last one.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: VecDeque<Step>,
    taken: usize,
    elapsed: Duration,
    quiet: Duration,
    speaking: Duration,
    heard: bool,
    /// Since the end of the last step, and what has come since its begin where the next one waits
    /// for words.
    since: Duration,
    said: Likeness,
    stays: Duration,
    idle: Duration,
}

impl Script {
    /// Makes a script of steps.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// How many steps have been taken.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Whether no step is left but such as may be left out and whose time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let spent = |step: &Step| match step.when {
            When::Says { within, or_not: true, .. } => self.since >= within,
            _ => false,
        };
        self.steps.iter().all(spent) && self.stays.is_zero()
    }

    /// How long the far end has been quiet since we have done something.
    #[must_use]
    pub fn quiet_for(&self) -> Duration {
        self.quiet.min(self.idle)
    }

    /// Takes 20 ms of the far end; gives the act that is due, unless `busy` with the last one.
    pub fn hear(&mut self, far: &[f32], busy: bool) -> Option<Act> {
        self.elapsed += FRAME;
        // Words are waited for from the end of our own on.
        self.since = if busy { Duration::ZERO } else { self.since + FRAME };
        if self.next_ones().any(|step| matches!(step.when, When::Says { .. })) {
            self.said.hear(far);
        }
        if is_speech(far) {
            self.heard |= !busy;
            self.speaking += FRAME;
            self.quiet = Duration::ZERO;
        } else {
            self.quiet += FRAME;
            if self.quiet >= STRETCH_GAP {
                self.speaking = Duration::ZERO;
            }
        }
        self.stays = self.stays.saturating_sub(FRAME);
        self.idle = if busy { Duration::ZERO } else { self.idle + FRAME };
        if busy || !self.stays.is_zero() {
            return None;
        }
        let due = self.next_ones().position(|step| self.is_due(&step.when))?;
        self.steps.drain(..due);
        self.taken += due;
        self.heard = false;
        let act = self.next();
        if let Some(Act::Stay(long)) = act {
            self.stays = long;
        }
        act
    }

    fn next(&mut self) -> Option<Act> {
        self.since = Duration::ZERO;
        self.idle = Duration::ZERO;
        self.said = Likeness::default();
        self.taken += 1;
        self.steps.pop_front().map(|step| step.act)
    }

    /// The next step, and those after it as far as the ones before may be left out.
    fn next_ones(&self) -> impl Iterator<Item = &Step> {
        let may_go = |step: &&Step| matches!(step.when, When::Says { or_not: true, .. });
        let must = self.steps.iter().take_while(may_go).count();
        self.steps.iter().take(must + 1)
    }

    fn is_due(&self, when: &When) -> bool {
        match when {
            When::Answered(after) => self.elapsed >= *after,
            When::Quiet(lasting) => self.heard && self.quiet >= *lasting,
            When::Waited(long) => self.idle >= *long,
            When::Speaking(lasting) => self.speaking >= *lasting,
            When::Says { sound, quiet, within, or_not } => {
                let is_late = self.since >= *within;
                // To look takes tens of microseconds a second of sound: not at each tick.
                let looks = self.quiet >= (*quiet).max(STRETCH_GAP)
                    && self.quiet.as_millis().is_multiple_of(100)
                    && !(is_late && *or_not);
                (is_late && !*or_not) || looks && self.said.has_said(sound)
            }
        }
    }
}

/// Whether 20 ms of sound are speech, by level.
pub(super) fn is_speech(samples: &[f32]) -> bool {
    let energy: f32 = samples.iter().map(|sample| sample * sample).sum();
    energy > SPEECH_RMS * SPEECH_RMS * samples.len() as f32
}
