//! The border types of speech and the five traits, free of any engine.
//!
//! The pure rooms of the product know this module and nothing else of the crate. Deliberately
//! absent: clocks, I/O, weights, vendors.

mod answer;
pub mod english;
mod expectation;
mod hypothesis;
mod traits;
mod voice;

pub use answer::{AnswerEvent, AnswerRequest, AnswerTurn, OfferedTool, ToolCall};
pub use expectation::{Expectation, Phrase, PhrasePart, SlotKind};
pub use hypothesis::{Hypothesis, HypothesisKind, Word};
pub use traits::{
    Answerer, EndOfTurn, EngineFault, GiveAnswer, Intent, LanguageModel, Ranked, Recognizer,
    Synthesizer, TurnSoFar,
};
pub use voice::{Speech, SpeechRequest, SpokenWord};
