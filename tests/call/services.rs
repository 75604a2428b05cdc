//! Ears, judge, voice and tools by script: what each answers, after how long, or that it does not.

use std::collections::VecDeque;

use cordboard::conversation::ToolOutcome;
use cordboard::timeline::ToolVerdict;
use cordboard_models::speech::{
    AnswerEvent, AnswerRequest, AnswerTurn, Hypothesis, HypothesisKind, Word,
};
use serde_json::{Value, json};

/// How a recognizer behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ears {
    /// Gives the next line of the script so long after the end of the speech.
    Answer { after_ms: u64 },
    /// No session is free.
    Full,
    /// Gives up so long after the end of the speech.
    GiveUp { after_ms: u64 },
    /// Says nothing, ever.
    Dead,
}

/// How a synthesizer behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mouth {
    /// Speaks after so long.
    Speak { after_ms: u64 },
    /// Refuses after so long.
    Refuse { after_ms: u64 },
    /// Speaks, but refuses what contains this.
    RefuseOnly { what: &'static str },
    /// Speaks so many words of each line, and stops in the middle of it.
    Break { after_words: usize },
    /// Says nothing, ever.
    Dead,
}

/// How a judge of turns behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Judge {
    /// Says at once that the turn is over, this likely.
    Says(f32),
    /// Says so later.
    Late { after_ms: u64, probability: f32 },
    /// Says nothing, ever.
    Silent,
}

/// Parts of an answer, each so long after the request; or why there is none.
pub(crate) type Answer = Vec<(u64, Result<AnswerEvent, String>)>;

/// A language model by script: answer by answer; it never says anything where none is left.
#[derive(Debug, Default)]
pub(crate) struct Model(pub(crate) VecDeque<Answer>);

impl Model {
    pub(crate) fn answer(&mut self, _: &AnswerRequest) -> Answer {
        self.0.pop_front().unwrap_or_default()
    }
}

/// How a tool answers.
#[derive(Clone, Debug)]
pub(crate) struct ToolLine {
    /// After how long; none for never.
    pub(crate) after_ms: Option<u64>,
    pub(crate) outcome: ToolOutcome,
}

impl ToolLine {
    /// The order is out for delivery.
    pub(crate) fn found(after_ms: u64) -> Self {
        let result = json!({
            "order_number": "123456",
            "status": "out_for_delivery",
            "expected": "six this evening",
        });
        Self::of(after_ms, ToolVerdict::Done, result)
    }

    pub(crate) fn fails(after_ms: u64) -> Self {
        Self::of(after_ms, ToolVerdict::Unreachable, Value::Null)
    }

    /// Answers with what its schema does not allow.
    pub(crate) fn garbage(after_ms: u64) -> Self {
        Self::of(after_ms, ToolVerdict::Malformed, Value::Null)
    }

    pub(crate) fn never() -> Self {
        Self { after_ms: None, ..Self::fails(0) }
    }

    fn of(after_ms: u64, verdict: ToolVerdict, result: Value) -> Self {
        let outcome = ToolOutcome { verdict, result, took_ms: after_ms };
        Self { after_ms: Some(after_ms), outcome }
    }
}

/// What the recognizer will give, utterance by utterance.
#[derive(Debug, Default)]
pub(crate) struct Script(VecDeque<(String, f32)>);

impl Script {
    pub(crate) fn push(&mut self, text: &str, confidence: f32) {
        self.0.push_back((text.to_owned(), confidence));
    }

    /// The verdict on the utterance that has ended; nothing was understood where none is left.
    pub(crate) fn verdict(&mut self) -> Hypothesis {
        let (text, confidence) = self.0.pop_front().unwrap_or_default();
        let kind = match text.is_empty() {
            true => HypothesisKind::Rejected,
            false => HypothesisKind::Final,
        };
        hypothesis(&text, confidence, kind)
    }

    /// What is guessed while the caller still speaks: the first words, so many of them.
    pub(crate) fn partial(&self, words: usize) -> Option<Hypothesis> {
        let (text, confidence) = self.0.front()?;
        let first: Vec<&str> = text.split(' ').take(words).collect();
        Some(hypothesis(&first.join(" "), *confidence, HypothesisKind::Partial))
    }

    /// Whether the model is asked on a part of what is being said.
    pub(crate) fn is_guess(&self, request: &AnswerRequest) -> bool {
        let said = request.turns.last().and_then(|turn| match turn {
            AnswerTurn::Caller(said) => Some(said),
            AnswerTurn::Assistant(_) | AnswerTurn::Data(_) | AnswerTurn::Tool { .. } => None,
        });
        self.0.front().zip(said).is_some_and(|((text, _), said)| text != said)
    }
}

fn hypothesis(text: &str, confidence: f32, kind: HypothesisKind) -> Hypothesis {
    let ms = |n: usize| std::time::Duration::from_millis(200 * n as u64);
    let word = |(n, text): (usize, &str)| Word {
        text: text.to_owned(),
        begin: ms(n),
        end: ms(n + 1),
        confidence,
    };
    let words: Vec<Word> = text.split_whitespace().enumerate().map(word).collect();
    Hypothesis { text: text.to_owned(), stable_words: words.len(), words, confidence, kind }
}
