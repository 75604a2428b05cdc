//! What a recognizer believes was said.

use std::time::Duration;

/// What a recognizer believes was said, while it is being said or after.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The words, lower case, joined by single spaces; digits as words ("one two three").
    pub text: String,
    /// Each word with its time from the first sample fed, and its confidence.
    pub words: Vec<Word>,
    /// How many of the words will not change any more.
    pub stable_words: usize,
    /// Probability, 0 to 1, that the text is what was said; calibrated, not the engine's own.
    pub confidence: f32,
    /// Whether it may still grow.
    pub kind: HypothesisKind,
}

/// Whether a hypothesis may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HypothesisKind {
    /// The caller is still talking.
    Partial,
    /// The utterance is over.
    Final,
    /// The utterance is over and was not what was expected; `text` is the nearest guess.
    Rejected,
}

/// A word, where it was, and how sure it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The word, lower case.
    pub text: String,
    /// Begin, from the first sample fed.
    pub begin: Duration,
    /// End, from the first sample fed.
    pub end: Duration,
    /// 0 to 1.
    pub confidence: f32,
}
