//! What the floor tells the conversation.

use std::time::Duration;

use cordboard_audio::MediaTime;

use crate::timeline::Debtor;

/// What happened to the floor.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnEvent {
    /// The caller took the floor.
    CallerBegan,
    /// The caller gave it back, having said this.
    CallerYielded(Utterance),
    /// The caller stopped the assistant. The `PromptEnded` of each prompt that was cut follows.
    Interrupted,
    /// Whoever had to speak did not.
    Silence {
        /// Who owed the sound.
        owed_by: Debtor,
        /// For how long now.
        lasting: Duration,
    },
}

/// What the caller said in one turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Utterance {
    /// Words, lower case; empty where nothing was recognized.
    pub text: String,
    /// Calibrated probability that the text is what was said, 0 to 1.
    pub confidence: f32,
    /// Whether the words were not among the expected.
    pub rejected: bool,
    /// First sound.
    pub began: MediaTime,
    /// Last sound.
    pub ended: MediaTime,
}
