//! The roles of a model: ears, voice, end of turn, and language, which ranks and answers.
//!
//! An engine object belongs to one inference worker at a time; none of these calls may be made on
//! a media worker.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cordboard_audio::SampleRate;

use super::{AnswerEvent, AnswerRequest, Expectation, Hypothesis, Speech, SpeechRequest};

/// Why an engine gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineFault {
    /// The engine is not able to do what was asked for (a rate, a language, a kind of slot).
    #[error("not supported by {engine}: {what}")]
    Unsupported {
        /// Name of the engine.
        engine: &'static str,
        /// What was asked for.
        what: String,
    },
    /// The engine gave up on good input.
    #[error("{engine} gave up: {why}")]
    ModelFailed {
        /// Name of the engine.
        engine: &'static str,
        /// What it said.
        why: String,
    },
    /// The engine takes no more work for now.
    #[error("{engine} takes no more work for {} s", retry_after.as_secs())]
    Busy {
        /// Name of the engine.
        engine: &'static str,
        /// Not to be asked again before.
        retry_after: Duration,
    },
    /// `feed` or `finish` without `begin`.
    #[error("{engine} was not listening")]
    ApiMisuse {
        /// Name of the engine.
        engine: &'static str,
    },
}

/// Ears: turns one utterance at a time into text.
pub trait Recognizer: Send {
    /// Rate at which `feed` wants its samples.
    fn rate(&self) -> SampleRate;

    /// Begins an utterance; what was left of the last one is dropped.
    ///
    /// # Errors
    /// `Unsupported` where the expectation cannot be listened for.
    fn begin(&mut self, expectation: &Expectation) -> Result<(), EngineFault>;

    /// Takes the next samples ([-1, 1] at `rate`) and gives the partial where it changed.
    ///
    /// # Errors
    /// `ApiMisuse` before `begin`; `ModelFailed` where the engine gave up.
    fn feed(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault>;

    /// Whether `feed_wide` is of use to it: its model hears more than a telephone carries.
    fn hears_wide(&self) -> bool {
        false
    }

    /// Takes the next samples at 16 kHz, as `feed` takes those at 8 kHz; in one utterance each may
    /// follow the other.
    ///
    /// # Errors
    /// As `feed`; `Unsupported` where it does not hear wide.
    fn feed_wide(&mut self, _samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let what = "sound at 16 kHz".to_owned();
        Err(EngineFault::Unsupported { engine: "recognizer", what })
    }

    /// Ends the utterance and gives the verdict; an utterance without words has an empty text and
    /// is `Rejected`.
    ///
    /// # Errors
    /// As `feed`.
    fn finish(&mut self) -> Result<Hypothesis, EngineFault>;

    /// Called between utterances, and once before the first: the time to connect again.
    fn rest(&mut self) {}

    /// Set from another thread, it ends what is being worked at: nothing more is wanted of this
    /// utterance. `begin` clears it. For engines of which one step may take long.
    fn stopper(&self) -> Option<Arc<AtomicBool>> {
        None
    }
}

/// Voice: turns text into sound with word times.
pub trait Synthesizer: Send {
    /// Speaks a text, whole.
    ///
    /// # Errors
    /// `ModelFailed` where the engine gave no sound for a text that has words.
    fn speak(&mut self, request: &SpeechRequest) -> Result<Speech, EngineFault>;

    /// Speaks a text and gives its sound in pieces as they are made, each beginning and ending
    /// between words, with the times of its words from its own first sample. Stops where `take`
    /// says that no more is wanted.
    ///
    /// # Errors
    /// As `speak`; the pieces given before are good.
    fn speak_into(
        &mut self,
        request: &SpeechRequest,
        take: &mut dyn FnMut(Speech) -> bool,
    ) -> Result<(), EngineFault> {
        let speech = self.speak(request)?;
        take(speech);
        Ok(())
    }
}

/// What is known of the caller's turn at a pause.
#[derive(Clone, Debug)]
pub struct TurnSoFar<'a> {
    /// Words so far.
    pub hypothesis: Option<&'a Hypothesis>,
    /// What was expected.
    pub expectation: &'a Expectation,
    /// How long the caller has been silent.
    pub silence: Duration,
    /// The last seconds of the turn, [-1, 1], 8 kHz; may be empty where the judge reads text only.
    pub samples: &'a [f32],
}

/// Judges whether a turn is over.
pub trait EndOfTurn: Send {
    /// Probability, 0 to 1, that the caller has finished.
    fn judge(&mut self, turn: &TurnSoFar<'_>) -> f32;
}

/// An intent among which a language model chooses.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Its name in the flow.
    pub name: Arc<str>,
    /// Ways to say it.
    pub examples: Vec<String>,
}

/// An intent with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The intent's name in the flow.
    pub name: Arc<str>,
    /// 0 to 1; what is missing to 1 over all is "none of these".
    pub probability: f32,
}

/// Language: finds what the caller means among what the flow can do.
pub trait LanguageModel: Send {
    /// Ranks the intents for what was said, best first.
    ///
    /// # Errors
    /// `ModelFailed` where the engine gave up.
    fn rank(&mut self, said: &str, intents: &[Intent]) -> Result<Vec<Ranked>, EngineFault>;
}

/// Takes the events of an answer; nothing comes after `Ended` or a fault.
pub type GiveAnswer = Box<dyn FnMut(Result<AnswerEvent, EngineFault>) + Send>;

/// Language: answers a caller in its own words.
pub trait Answerer: Send + Sync {
    /// Begins an answer, whose events come from a thread of the engine's own; dropping what this
    /// gives ends the answer.
    fn answer(&self, request: Arc<AnswerRequest>, give: GiveAnswer) -> Box<dyn Send>;
}
