//! What a scripted phone does, and when.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A frame whose RMS is above this is speech: -42 dBFS, above comfort noise, below any voice.
const SPEECH_RMS: f32 = 260.0 / 32_768.0;
/// Quiet that ends a stretch of the far end's speech.
const STRETCH_GAP: Duration = Duration::from_millis(300);
const FRAME: Duration = Duration::from_millis(20);

/// When a step is taken; steps are taken in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the answer.
    Answered(Duration),
    /// The far end has spoken since our last step and has then been quiet for so long.
    Quiet(Duration),
    /// The far end has been speaking for so long.
    Speaking(Duration),
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Act {
    /// Say it: 8 kHz, [-1, 1].
    Say(Arc<[f32]>),
    /// Press keys.
    Key(String),
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
    elapsed: Duration,
    quiet: Duration,
    speaking: Duration,
    heard: bool,
}

impl Script {
    /// Makes a script of steps.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// Takes 20 ms of the far end; gives the act that is due, unless `busy` with the last one.
    pub fn hear(&mut self, far: &[f32], busy: bool) -> Option<Act> {
        self.elapsed += FRAME;
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
        if busy {
            return None;
        }
        let due = match self.steps.front()?.when {
            When::Answered(after) => self.elapsed >= after,
            When::Quiet(lasting) => self.heard && self.quiet >= lasting,
            When::Speaking(lasting) => self.speaking >= lasting,
        };
        if !due {
            return None;
        }
        self.heard = false;
        self.steps.pop_front().map(|step| step.act)
    }
}

/// Whether 20 ms of sound are speech, by level.
pub(super) fn is_speech(samples: &[f32]) -> bool {
    let energy: f32 = samples.iter().map(|sample| sample * sample).sum();
    energy > SPEECH_RMS * SPEECH_RMS * samples.len() as f32
}
