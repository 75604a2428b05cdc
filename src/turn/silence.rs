//! The owner of silence: knows who owes the next sound, and since when.
//!
//! Nobody waits more than 3 s in silence that does not explain itself: the assistant's debt is
//! called in early enough that a sound begins before that; the caller's after the question's
//! patience. A bridge or music is sound, and nobody owes any.

use std::time::Duration;

use cordboard_audio::MediaTime;

use crate::timeline::Debtor;

/// Silence of the assistant after which it is asked for a word: the answer to it must be on its
/// way within 3 s of the caller's last sound, with room for a synthesis.
pub const FILLER_AFTER: Duration = Duration::from_millis(1_600);
/// Silence of the assistant after which a tone is played without asking anyone.
pub const TONE_AFTER: Duration = Duration::from_millis(2_500);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The assistant should say why it takes so long.
    Filler(Duration),
    /// Nothing came: make any sound now.
    Tone(Duration),
    /// The caller should be asked again.
    Prompting(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Somebody speaks, or music plays.
    Sounding,
    /// The caller waits since.
    Assistant { since: MediaTime, asked: bool },
    /// The caller was asked and is silent since.
    Caller { since: MediaTime },
}

/// Watches one caller's silence.
#[derive(Debug)]
pub struct SilenceWatch {
    no_input: Duration,
    state: State,
}

impl SilenceWatch {
    /// Makes a watch; `no_input` is the patience with a caller who says nothing.
    #[must_use]
    pub const fn new(no_input: Duration) -> Self {
        Self { no_input, state: State::Sounding }
    }

    /// Somebody makes a sound.
    pub const fn sounding(&mut self) {
        self.state = State::Sounding;
    }

    /// Nobody makes a sound, since then; `debtor` has to. A debt that changes hands in the
    /// silence begins anew, now.
    pub const fn quiet(&mut self, now: MediaTime, since: MediaTime, debtor: Debtor) {
        self.state = match (debtor, self.state) {
            (Debtor::Assistant, State::Sounding) => State::Assistant { since, asked: false },
            (Debtor::Caller, State::Sounding) => State::Caller { since },
            (Debtor::Assistant, State::Caller { .. }) => {
                State::Assistant { since: now, asked: false }
            }
            (Debtor::Caller, State::Assistant { .. }) => State::Caller { since: now },
            (Debtor::Assistant, same @ State::Assistant { .. })
            | (Debtor::Caller, same @ State::Caller { .. }) => same,
        };
    }

    /// There is nothing to explain yet: the filler is due again at once.
    pub const fn defer(&mut self) {
        if let State::Assistant { asked, .. } = &mut self.state {
            *asked = false;
        }
    }

    /// What is due now, each debt once.
    pub fn due(&mut self, now: MediaTime) -> Option<Due> {
        match &mut self.state {
            State::Sounding => None,
            State::Assistant { since, asked } => {
                let lasting = now.since(*since);
                if lasting >= TONE_AFTER {
                    self.state = State::Assistant { since: now, asked: false };
                    return Some(Due::Tone(lasting));
                }
                let ask = !*asked && lasting >= FILLER_AFTER;
                *asked |= ask;
                ask.then_some(Due::Filler(lasting))
            }
            State::Caller { since } => {
                let lasting = now.since(*since);
                if lasting < self.no_input {
                    return None;
                }
                self.state = State::Caller { since: now };
                Some(Due::Prompting(lasting))
            }
        }
    }
}
