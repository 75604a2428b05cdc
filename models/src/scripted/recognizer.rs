//! A recognizer that returns the next text of its script for every utterance.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::SampleRate;

use crate::speech::{EngineFault, Expectation, Hypothesis, HypothesisKind, Recognizer, Word};

const ENGINE: &str = "scripted";

/// What one utterance is said to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The words, lower case; none means that nothing was understood.
    pub text: Arc<str>,
    /// Samples to be fed before the first word is heard.
    pub delay_samples: usize,
    /// Samples that each word takes; 0 gives all of them at once.
    pub word_samples: usize,
    /// Confidence of the final hypothesis.
    pub confidence: f32,
}

impl Line {
    /// A line heard with certainty, its first word after `delay_samples` and a word every 300 ms
    /// of 8 kHz after that.
    #[must_use]
    pub fn new(text: &str, delay_samples: usize) -> Self {
        Self { text: Arc::from(text), delay_samples, word_samples: 2_400, confidence: 1.0 }
    }
}

/// Returns one line of its script for each utterance; after the last one nothing is understood.
///
/// ```
/// use cordboard_models::scripted::{Line, ScriptedRecognizer};
/// use cordboard_models::speech::{Expectation, Recognizer};
/// let mut ears = ScriptedRecognizer::new([Line::new("where is my order", 800)]);
/// ears.begin(&Expectation::default()).unwrap();
/// assert_eq!(ears.feed(&[0.0; 799]).unwrap(), None);
/// assert_eq!(ears.feed(&[0.0; 1]).unwrap().unwrap().text, "where");
/// assert_eq!(ears.finish().unwrap().text, "where is my order");
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScriptedRecognizer {
    script: VecDeque<Line>,
    /// What is heard when the script is over.
    then: Option<Line>,
    state: State,
    /// What each `begin` was given, for the test to look at; of an endless script nothing.
    expected: Vec<Expectation>,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Idle,
    Listening {
        line: Option<Line>,
        fed_samples: usize,
        told_words: usize,
    },
}

impl ScriptedRecognizer {
    /// Makes a recognizer with its script.
    pub fn new(script: impl IntoIterator<Item = Line>) -> Self {
        Self { script: script.into_iter().collect(), ..Self::default() }
    }

    /// Makes a recognizer that hears the same in whatever is said.
    #[must_use]
    pub fn always(line: Line) -> Self {
        Self { then: Some(line), ..Self::default() }
    }

    /// Every expectation that an utterance was begun with, in order.
    #[must_use]
    pub fn expected(&self) -> &[Expectation] {
        &self.expected
    }
}

impl Recognizer for ScriptedRecognizer {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, expectation: &Expectation) -> Result<(), EngineFault> {
        if self.then.is_none() {
            self.expected.push(expectation.clone());
        }
        let line = self.script.pop_front().or_else(|| self.then.clone());
        self.state = State::Listening { line, fed_samples: 0, told_words: 0 };
        Ok(())
    }

    fn feed(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let State::Listening { line, fed_samples, told_words } = &mut self.state else {
            return Err(EngineFault::ApiMisuse { engine: ENGINE });
        };
        *fed_samples += samples.len();
        let Some(line) = line else { return Ok(None) };
        let words = words_of(line);
        let heard = |word: &&Word| word.begin <= length_of(*fed_samples);
        let count = words.iter().take_while(heard).count();
        if count == *told_words {
            return Ok(None);
        }
        *told_words = count;
        Ok(Some(hypothesis(line, words[..count].to_vec(), HypothesisKind::Partial)))
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        let State::Listening { line, .. } = std::mem::take(&mut self.state) else {
            return Err(EngineFault::ApiMisuse { engine: ENGINE });
        };
        let line = line.unwrap_or_else(|| Line::new("", 0));
        let words = words_of(&line);
        let understood = !words.is_empty();
        let kind = if understood { HypothesisKind::Final } else { HypothesisKind::Rejected };
        Ok(hypothesis(&line, words, kind))
    }
}

fn length_of(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(SampleRate::NARROW.hz()))
}

fn words_of(line: &Line) -> Vec<Word> {
    let word = |(index, text): (usize, &str)| Word {
        text: text.to_owned(),
        begin: length_of(line.delay_samples + index * line.word_samples),
        end: length_of(line.delay_samples + (index + 1) * line.word_samples),
        confidence: line.confidence,
    };
    line.text.split_whitespace().enumerate().map(word).collect()
}

fn hypothesis(line: &Line, words: Vec<Word>, kind: HypothesisKind) -> Hypothesis {
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let stable_words = words.len();
    let confidence = if words.is_empty() { 0.0 } else { line.confidence };
    Hypothesis { text, words, stable_words, confidence, kind }
}
