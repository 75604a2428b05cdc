//! What can be broken on purpose: `make sim BREAK=overlap`. Only the wiring of these tests reads
//! it; each is something around the call, or a setting of it, and one promise that tells of it.

use std::time::Duration;

use cordboard::call::CallSettings;
use cordboard::turn::{BargeIn, TurnSettings};

use super::super::world::settings;

/// Something that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The judge of speech over the assistant: nothing stops the assistant.
    Overlap,
    /// The detector of speech: who has spoken once speaks for ever.
    Detector,
    /// The voice's word times: all words are at the begin of their line.
    WordTimes,
    /// The way to the company's systems: each act is done twice.
    Effects,
    /// The leg: nobody says that the caller has hung up.
    Hangup,
}

impl Broken {
    pub(crate) const ALL: [Self; 5] =
        [Self::Overlap, Self::Detector, Self::WordTimes, Self::Effects, Self::Hangup];

    /// What it is called, and the promise that tells of it.
    pub(crate) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Overlap => ("overlap", "floor"),
            Self::Detector => ("detector", "silence"),
            Self::WordTimes => ("word-times", "history"),
            Self::Effects => ("effects", "effects"),
            Self::Hangup => ("hangup", "no panic"),
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broken| broken.names().0 == name)
    }
}

/// The settings of a call around which this is broken.
pub(crate) fn settings_of(broken: Option<Broken>) -> CallSettings {
    let never = BargeIn::Cut { after: Duration::from_secs(3_600) };
    let mut settings = settings();
    if broken == Some(Broken::Overlap) {
        settings.turn = TurnSettings { barge_in: never, ..settings.turn };
    }
    settings
}
