//! The messages of Deepgram's live recognition, as its reference has them, and what they mean.
//!
//! Pure. Source: developers.deepgram.com, "Live Audio" (`/v1/listen`), "Finalize", "Keyterm".

use std::time::Duration;

use serde::Deserialize;

use crate::speech::english::DIGITS;
use crate::speech::{Expectation, PhrasePart, SlotKind, Word};

/// Key terms that one connection takes (100 by the reference).
const TERMS_MAX: usize = 100;
/// No utterance is longer, s: times beyond it are no times.
const LONGEST_S: f64 = 86_400.0;

/// What the server sends, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Message {
    Results(Results),
    Error {
        #[serde(default)]
        description: Option<String>,
        #[serde(default)]
        message: Option<String>,
    },
    /// Metadata, SpeechStarted, UtteranceEnd, and what may come to be.
    #[serde(other)]
    Other,
}

/// A stretch of the stream and the words in it.
#[derive(Debug, Deserialize)]
pub(super) struct Results {
    /// Begin, s from the connection's first sample.
    pub(super) start: f64,
    /// Length, s.
    pub(super) duration: f64,
    /// Whether its words will not change any more.
    #[serde(default)]
    pub(super) is_final: bool,
    /// Whether it is the answer to a `Finalize`.
    #[serde(default)]
    pub(super) from_finalize: bool,
    channel: Channel,
}

#[derive(Debug, Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
struct Alternative {
    #[serde(default)]
    words: Vec<WireWord>,
}

#[derive(Debug, Deserialize)]
struct WireWord {
    word: String,
    start: f64,
    end: f64,
    confidence: f32,
}

impl Results {
    /// Its words from `origin_s` on, with times from there: lower case, figures as words.
    pub(super) fn words(&self, origin_s: f64) -> Vec<Word> {
        let all = self.channel.alternatives.first().map_or(&[][..], |best| &best.words);
        let ours = all.iter().filter(|word| word.start + 1e-3 >= origin_s);
        ours.flat_map(|word| spoken(word, origin_s)).collect()
    }

    /// End of it, s from the connection's first sample.
    pub(super) fn end_s(&self) -> f64 {
        self.start + self.duration
    }
}

/// The words that a wire word stands for: "7" is "seven", "Order," is "order".
fn spoken(word: &WireWord, origin_s: f64) -> Vec<Word> {
    let time = |s: f64| Duration::from_secs_f64((s - origin_s).clamp(0.0, LONGEST_S));
    let lower = word.word.to_lowercase();
    let parts = lower.split_whitespace().map(|it| it.trim_matches(|c: char| !c.is_alphanumeric()));
    let texts: Vec<String> = parts.filter(|part| !part.is_empty()).flat_map(said).collect();
    let (begin, end) = (time(word.start), time(word.end.max(word.start)));
    let step = (end - begin) / u32::try_from(texts.len().max(1)).unwrap_or(1);
    let place = |(index, text): (usize, String)| {
        let from = begin + step * u32::try_from(index).unwrap_or(0);
        let confidence = word.confidence.clamp(0.0, 1.0);
        Word { text, begin: from, end: from + step, confidence }
    };
    texts.into_iter().enumerate().map(place).collect()
}

/// A word as it is said: figures one by one.
fn said(part: &str) -> Vec<String> {
    if part.bytes().all(|byte| byte.is_ascii_digit()) {
        part.chars().filter_map(|c| c.to_digit(10)).map(digit).collect()
    } else {
        vec![part.to_owned()]
    }
}

fn digit(value: u32) -> String {
    // The list has "oh" behind "zero".
    let place = if value == 0 { 0 } else { value as usize + 1 };
    DIGITS[place].to_owned()
}

/// Words and phrases that the recognizer shall lean to, from what may be said.
pub(super) fn key_terms(expectation: &Expectation) -> Vec<String> {
    let choices = expectation.kinds.iter().filter_map(|kind| match kind {
        SlotKind::Choice(wordings) => Some(wordings.iter().map(String::as_str)),
        SlotKind::Digits { .. }
        | SlotKind::Number
        | SlotKind::Date
        | SlotKind::Time
        | SlotKind::Amount
        | SlotKind::Name
        | SlotKind::YesNo
        | SlotKind::Open => None,
    });
    let parts = expectation.phrases.iter().flat_map(|phrase| &phrase.parts);
    let words = parts.filter_map(|part| match part {
        PhrasePart::Words(words) => Some(words.as_str()),
        PhrasePart::Slot { .. } => None,
    });
    let mut terms: Vec<String> = Vec::new();
    for term in choices.flatten().chain(words) {
        let term = term.trim();
        if !term.is_empty() && terms.len() < TERMS_MAX && !terms.iter().any(|known| known == term) {
            terms.push(term.to_owned());
        }
    }
    terms
}

/// Adds the terms that are not among them; whether any was added. Where there is no room, the
/// oldest make place.
pub(super) fn add_terms(terms: &mut Vec<String>, more: Vec<String>) -> bool {
    let known = terms.len();
    for term in more {
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    let added = terms.len() > known;
    terms.drain(..terms.len().saturating_sub(TERMS_MAX));
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_in_lower_case_with_figures_as_words_and_times_from_the_utterance() {
        let text = r#"{"type":"Results","start":2.0,"duration":1.0,"is_final":true,"channel":{
            "alternatives":[{"transcript":"Order 40","confidence":0.9,"words":[
            {"word":"late","start":1.5,"end":1.9,"confidence":0.9},
            {"word":"Order,","start":2.5,"end":2.75,"confidence":0.9},
            {"word":"40","start":3.0,"end":3.5,"confidence":0.8}]}]}}"#;
        let Message::Results(results) = serde_json::from_str(text).unwrap() else { panic!() };
        let words = results.words(2.0);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["order", "four", "zero"]);
        assert_eq!(words[0].begin, Duration::from_millis(500));
        assert_eq!(words[2].begin, Duration::from_millis(1_250));
    }

    #[test]
    fn figures_are_words_in_whatever_company_they_come() {
        for (word, said) in [("40 50", "four zero five zero"), ("Flat 7,", "flat seven")] {
            let wire = WireWord { word: word.to_owned(), start: 0.0, end: 1.0, confidence: 0.9 };
            let words = spoken(&wire, 0.0);
            let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(texts.join(" "), said);
            assert!(words.is_sorted_by(|one, next| one.end <= next.begin));
        }
    }

    #[test]
    fn times_that_no_clock_has_are_no_times() {
        let text = r#"{"type":"Results","start":0.0,"duration":1.0,"channel":{"alternatives":[{
            "words":[{"word":"now","start":1.0e19,"end":1.9e19,"confidence":0.9},
            {"word":"12","start":0.5,"end":1.0e300,"confidence":0.9}]}]}}"#;
        let Message::Results(results) = serde_json::from_str(text).unwrap() else { panic!() };
        let words = results.words(0.0);
        assert_eq!(words.len(), 3);
        assert!(words.iter().all(|word| word.begin <= word.end), "{words:?}");
    }

    #[test]
    fn key_terms_are_choices_and_phrases_once_each_and_make_room_for_new_ones() {
        let words = |text: &str| PhrasePart::Words(text.to_owned());
        let expectation = Expectation {
            kinds: vec![SlotKind::Choice(vec!["red".into(), "blue".into()]), SlotKind::YesNo],
            phrases: vec![crate::speech::Phrase {
                tag: "a".into(),
                parts: vec![words("red"), words("where is my parcel")],
            }],
            open: false,
        };
        assert_eq!(key_terms(&expectation), ["red", "blue", "where is my parcel"]);
        let mut terms: Vec<String> = (0..TERMS_MAX).map(|n| n.to_string()).collect();
        assert!(add_terms(&mut terms, vec!["new".into()]));
        assert!(!add_terms(&mut terms, vec!["new".into()]));
        assert_eq!((terms.len(), terms.last().map(String::as_str)), (TERMS_MAX, Some("new")));
    }
}
