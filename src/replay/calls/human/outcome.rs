//! Whether a caller came to hear a human, and when.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::super::levels::STEP_MS;
use super::super::take::Take;

/// Whether a caller came to hear a human.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Human {
    /// One was heard.
    Heard {
        /// When their first words began, from the answer on, ms.
        at_ms: f64,
        /// How long after the caller's last words or keys before, ms; none where there were none.
        wait_ms: Option<f64>,
    },
    /// None was.
    NotHeard,
    /// One was owed, and the run had no phone of a human.
    NotScored,
}

impl Human {
    /// When, from the answer on, ms.
    #[must_use]
    pub const fn at_ms(self) -> Option<f64> {
        match self {
            Self::Heard { at_ms, .. } => Some(at_ms),
            Self::NotHeard | Self::NotScored => None,
        }
    }

    /// How long after the caller's last words, ms.
    #[must_use]
    pub const fn wait_ms(self) -> Option<f64> {
        match self {
            Self::Heard { wait_ms, .. } => wait_ms,
            Self::NotHeard | Self::NotScored => None,
        }
    }
}

/// What came of it; none where no human is owed and none could have been heard. `near` are the
/// steps in which the caller was to be heard.
pub(in super::super) fn outcome(take: &Take, near: &[Option<Range<usize>>]) -> Option<Human> {
    take.answered_after?;
    let Some(words) = &take.human else {
        return take.scenario.expect.human.map(|_| Human::NotScored);
    };
    let Some(at_ms) = words.first_in(&take.far.samples) else { return Some(Human::NotHeard) };
    let step = at_ms / STEP_MS as usize;
    let spoke = near.iter().flatten().map(|it| it.end).filter(|end| *end <= step).max();
    let wait_ms = spoke.map(|end| ((step - end) * STEP_MS as usize) as f64);
    Some(Human::Heard { at_ms: at_ms as f64, wait_ms })
}

/// What is wrong with it, where the scenario is owed a human.
pub(in super::super) fn fault(take: &Take, human: Option<Human>) -> Option<String> {
    let within = take.scenario.expect.human?.within;
    match human? {
        Human::NotScored => None,
        Human::Heard { at_ms, .. } => {
            let most = within.filter(|it| at_ms > it.as_secs_f64() * 1e3)?;
            let (at_s, most_s) = (at_ms / 1e3, most.as_secs_f64());
            Some(format!("the human was heard after {at_s:.1} s, not within {most_s} s"))
        }
        Human::NotHeard => Some(match &take.referred {
            Some(to) => {
                format!("no human was heard: it asked for a transfer to {to}, not followed")
            }
            None => "no human was heard".to_owned(),
        }),
    }
}
