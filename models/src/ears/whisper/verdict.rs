//! From Whisper's tokens to spoken words with times and confidence. Pure.

use std::time::Duration;

use crate::ears::grammar::HESITATIONS;
use crate::ears::written::{Figures, spoken};
use crate::speech::Word;

/// A token of text: its bytes, its time and its probability.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) text: Vec<u8>,
    pub(super) begin_cs: i64,
    pub(super) end_cs: i64,
    pub(super) probability: f32,
}

/// What speaks for and against a decode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certainty {
    /// Mean natural logarithm of the tokens' probabilities.
    pub mean: f32,
    /// The least of them.
    pub worst: f32,
    /// Tokens of text.
    pub tokens: u32,
}

impl Certainty {
    pub(super) fn of(tokens: &[Token]) -> Self {
        let logs = tokens.iter().map(|token| token.probability.clamp(1e-6, 1.0).ln());
        let (sum, worst) =
            logs.fold((0.0, 0.0_f32), |(sum, worst), log| (sum + log, worst.min(log)));
        let mean = sum / tokens.len().max(1) as f32;
        Self { mean, worst, tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX) }
    }

    /// Probability, 0 to 1, that the words are what was said.
    #[must_use]
    pub fn probability(&self) -> f32 {
        if self.tokens == 0 {
            return 0.0;
        }
        let sum = BIAS + MEAN * self.mean + WORST * self.worst;
        1.0 / (1.0 + (-sum).exp())
    }
}

/// The words of a decode, those that mean nothing left out.
pub(super) fn words(tokens: &[Token], figures: Figures) -> Vec<Word> {
    let mut written: Vec<&[Token]> = Vec::new();
    let mut from = 0;
    for at in 1..=tokens.len() {
        if at == tokens.len() || tokens[at].text.first() == Some(&b' ') {
            written.push(&tokens[from..at]);
            from = at;
        }
    }
    let mut is_aside = false;
    written
        .into_iter()
        .filter(|tokens| !tokens.is_empty())
        .flat_map(|tokens| {
            let text = tokens.iter().flat_map(|token| token.text.clone()).collect::<Vec<_>>();
            let text = String::from_utf8_lossy(&text).into_owned();
            // "(dramatic music)" and "[BLANK_AUDIO]" tell what is no speech.
            is_aside |= text.trim_start().starts_with(['(', '[']);
            let is_kept = !is_aside;
            is_aside &= !text.contains([')', ']']);
            if is_kept { said(&text, tokens, figures) } else { Vec::new() }
        })
        .filter(|word| !HESITATIONS.contains(&word.text.as_str()))
        .collect()
}

/// The spoken words of a written one share its time.
fn said(text: &str, tokens: &[Token], figures: Figures) -> Vec<Word> {
    let words = spoken(text, figures);
    let at = |time_cs: i64| Duration::from_millis(10 * u64::try_from(time_cs).unwrap_or(0));
    let begin = at(tokens.first().map_or(0, |token| token.begin_cs));
    let end = at(tokens.last().map_or(0, |token| token.end_cs)).max(begin);
    let share = (end - begin) / u32::try_from(words.len().max(1)).unwrap_or(u32::MAX);
    let confidence = Certainty::of(tokens).mean.exp();
    (0..)
        .zip(words)
        .map(|(at, text)| {
            let begin = begin + share * at;
            Word { text, begin, end: begin + share, confidence }
        })
        .collect()
}

/// Constant term of the confidence.
const BIAS: f32 = 2.0;
/// Weight of the mean.
const MEAN: f32 = 3.0;
/// Weight of the worst.
const WORST: f32 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[(&str, f32)]) -> Vec<Token> {
        (0..)
            .zip(texts)
            .map(|(at, (text, probability))| Token {
                text: text.as_bytes().to_vec(),
                begin_cs: 20 * at,
                end_cs: 20 * (at + 1),
                probability: *probability,
            })
            .collect()
    }

    fn text(words: &[Word]) -> String {
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tokens_are_joined_to_words_and_figures_are_read() {
        let tokens = tokens(&[(" Or", 0.9), ("der", 0.8), (" 12", 0.9), ("3", 0.9), (".", 0.5)]);
        let words = words(&tokens, Figures::OneByOne);
        assert_eq!(text(&words), "order one two three");
        assert_eq!((words[0].begin, words[0].end), (ms(0), ms(400)));
        assert_eq!((words[1].begin, words[3].end), (ms(400), ms(1_000)));
        assert!((words[0].confidence - (0.9_f32 * 0.8).sqrt()).abs() < 1e-5);
    }

    #[test]
    fn asides_and_hesitations_are_left_out() {
        let tokens = tokens(&[
            (" (", 0.9),
            ("music", 0.9),
            (" playing", 0.9),
            (")", 0.9),
            (" Um", 0.9),
            (",", 0.9),
            (" yes", 0.9),
            (" [", 0.9),
            ("BLANK_AUDIO]", 0.9),
        ]);
        assert_eq!(text(&words(&tokens, Figures::Cardinal)), "yes");
    }

    #[test]
    fn confidence_falls_with_each_doubt_and_is_nothing_without_words() {
        let sure = Certainty::of(&tokens(&[(" yes", 0.95), (" please", 0.95)]));
        let doubtful = Certainty::of(&tokens(&[(" yes", 0.95), (" please", 0.2)]));
        assert!(sure.probability() > doubtful.probability() + 0.1);
        assert_eq!(Certainty::of(&[]).probability().to_bits(), 0);
        assert!(words(&[], Figures::Cardinal).is_empty());
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
}
