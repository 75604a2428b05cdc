//! Whether a sentence was said. A recognizer that is weak on open speech, as those of telephones
//! are, tells it all the same: it listens for the sentence alone, and then for what is nearly it.
//!
//! ```text
//! the sentence itself ──── less sure than SURE, or other words ────► not said
//!    │
//! its numbers, days and the like free: what else may stand there? And: with a "not" more or less?
//!    │
//! each of these by itself ──── surer than the sentence ────► that was said instead
//!    └────► said
//! ```
//!
//! Figures, with what passes that should not: `models/examples/said.rs`. Absent: where in a sound
//! the sentence may be; the samples are of it alone.

use super::written::{Figures, spoken};
use crate::speech::english::{DIGITS, MONTHS, ORDINALS, TEENS, TENS, WEEKDAYS};
use crate::speech::{EngineFault, Expectation, Phrase, PhrasePart, Recognizer, SlotKind};

/// From here on the sentence may have been said. Of those of the example's prompts that were, the
/// least sure had 0.55.
const SURE: f32 = 0.5;
/// And its least sure word may have been, from here on: one word is little in the mean of all.
const WORST: f32 = 0.01;
/// A word in so many may be another, where it is no [`Kind`] of its own and no negation.
const WORDS_AN_ERROR: usize = 8;
/// What else a sentence may have been is tried so often at most.
const OTHERS_MAX: usize = 8;
/// What else it may have been has to be so much surer than it, in log odds. With none, four of the
/// example's prompts in flite's voice were not taken for what is as good.
const SURER: f32 = 0.3;
/// Sound that is given at once, samples: 100 ms.
const PIECE: usize = 800;

/// Words that stand for each other in a sentence that is otherwise the same.
const KINDS: [&[&str]; 6] = [
    &WEEKDAYS,
    &MONTHS,
    &ORDINALS,
    &["today", "tomorrow", "yesterday"],
    &["morning", "afternoon", "evening", "night"],
    &["open", "closed"],
];
/// Words after which a "not" turns a sentence round.
const TURNED: [&str; 16] = [
    "is", "are", "am", "was", "were", "will", "would", "can", "could", "should", "do", "does",
    "did", "has", "have", "had",
];
/// Words and their negations in one.
const NEGATED: [(&str, &str); 6] = [
    ("can", "can't"),
    ("do", "don't"),
    ("does", "doesn't"),
    ("is", "isn't"),
    ("are", "aren't"),
    ("will", "won't"),
];

/// A sentence as it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    words: Vec<String>,
}

/// What came of listening for a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it was said.
    pub is_said: bool,
    /// The words that were heard, of those that were listened for.
    pub heard: String,
    /// Probability of these, 0 to 1.
    pub confidence: f32,
    /// Of the least probable word of them.
    pub worst: f32,
}

impl Sentence {
    /// Of a text as it is written: figures are said one by one or as numbers, as a voice does.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let words = text.split_whitespace().flat_map(|it| spoken(it, Figures::Cardinal));
        Self { words: words.collect() }
    }

    /// Its words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether it was said in this sound (8 kHz, [-1, 1]), which has nothing else in it.
    ///
    /// # Errors
    /// Where the recognizer cannot listen for one of its words, or gave up.
    pub fn judge(
        &self,
        ears: &mut dyn Recognizer,
        samples: &[f32],
    ) -> Result<Verdict, EngineFault> {
        let itself = hear(ears, words(&self.words), samples)?;
        let is_sure = itself.confidence >= SURE && itself.worst >= WORST;
        if !(is_sure && self.is(&itself.words)) {
            return Ok(itself.verdict(false));
        }
        let (mut surest, mut least) = (None, itself.log_odds() + SURER);
        for other in self.others(ears, samples)? {
            let other = hear(ears, words(&other), samples)?;
            if other.log_odds() > least {
                least = other.log_odds();
                surest = Some(other);
            }
        }
        Ok(surest.map_or_else(|| itself.verdict(true), |other| other.verdict(false)))
    }

    /// Whether these words are it, but for one in [`WORDS_AN_ERROR`] of no consequence.
    fn is(&self, heard: &[String]) -> bool {
        let weighty = |words: &[String]| {
            let kept = words.iter().filter(|it| is_number(it) || kind(it).is_some() || negates(it));
            kept.cloned().collect::<Vec<_>>()
        };
        let errors = distance(&self.words, heard);
        errors * WORDS_AN_ERROR <= self.words.len() && weighty(&self.words) == weighty(heard)
    }

    /// Sentences that are nearly it and may have been said instead.
    fn others(
        &self,
        ears: &mut dyn Recognizer,
        samples: &[f32],
    ) -> Result<Vec<Vec<String>>, EngineFault> {
        let mut others = self.turned_round();
        let free = self.free();
        if free.iter().any(|part| matches!(part, PhrasePart::Slot { .. })) {
            let heard = hear(ears, free, samples)?.words;
            if heard.len() == self.words.len() {
                let pairs = self.words.iter().zip(&heard).enumerate();
                let differ = pairs.filter(|(_, (own, heard))| own != heard);
                others.extend(differ.map(|(at, (_, heard))| self.with(at, &[heard])));
            } else if !heard.is_empty() {
                others.push(heard);
            }
        }
        others.truncate(OTHERS_MAX);
        Ok(others)
    }

    /// With a negation more, or less.
    fn turned_round(&self) -> Vec<Vec<String>> {
        let mut turned = Vec::new();
        for (at, word) in self.words.iter().enumerate() {
            let next = self.words.get(at + 1).map(String::as_str);
            if word == "not" {
                turned.push(self.with(at, &[]));
            } else if let Some((plain, _)) = NEGATED.iter().find(|(_, it)| it == word) {
                turned.push(self.with(at, &[plain]));
            } else if TURNED.contains(&word.as_str()) && next != Some("not") {
                turned.push(self.with(at, &[word, "not"]));
                let negated = NEGATED.iter().find(|(it, _)| it == word);
                turned.extend(negated.map(|(_, it)| self.with(at, &[it])));
            }
        }
        turned
    }

    /// With other words for one of its own.
    fn with(&self, at: usize, others: &[&str]) -> Vec<String> {
        let others = others.iter().map(|it| (*it).to_owned());
        let (before, after) = (&self.words[..at], &self.words[at + 1..]);
        before.iter().cloned().chain(others).chain(after.iter().cloned()).collect()
    }

    /// Any number, day or month where it has one.
    fn free(&self) -> Vec<PhrasePart> {
        let mut parts = Vec::new();
        let mut rest = &self.words[..];
        while let Some(word) = rest.first() {
            let is_digit = |it: &&String| DIGITS.contains(&it.as_str());
            let digits = rest.iter().take_while(is_digit).count();
            let count = u8::try_from(digits).unwrap_or(u8::MAX);
            let slot = |kind| PhrasePart::Slot { name: "free".to_owned(), kind };
            let choice = |among: &mut dyn Iterator<Item = &str>| {
                slot(SlotKind::Choice(among.map(str::to_owned).collect()))
            };
            parts.push(match kind(word) {
                _ if count > 0 => slot(SlotKind::Digits { min: count, max: count }),
                _ if is_number(word) => choice(&mut TEENS.iter().chain(&TENS).copied()),
                Some(kind) => choice(&mut kind.iter().copied()),
                None => PhrasePart::Words(word.clone()),
            });
            rest = &rest[usize::from(count).max(1)..];
        }
        parts
    }
}

fn is_number(word: &str) -> bool {
    DIGITS.contains(&word) || TEENS.contains(&word) || TENS.contains(&word)
}

fn kind(word: &str) -> Option<&'static [&'static str]> {
    KINDS.into_iter().find(|it| it.contains(&word))
}

fn negates(word: &str) -> bool {
    word == "not" || word == "no" || word == "never" || word.ends_with("n't")
}

fn words(words: &[String]) -> Vec<PhrasePart> {
    vec![PhrasePart::Words(words.join(" "))]
}

/// What was heard.
struct Heard {
    /// In normal form.
    words: Vec<String>,
    confidence: f32,
    worst: f32,
}

impl Heard {
    fn log_odds(&self) -> f32 {
        let probability = self.confidence.clamp(1e-4, 1.0 - 1e-4);
        (probability / (1.0 - probability)).ln()
    }

    fn verdict(&self, is_said: bool) -> Verdict {
        let Self { confidence, worst, .. } = *self;
        Verdict { is_said, heard: self.words.join(" "), confidence, worst }
    }
}

/// What is heard where these parts alone are listened for.
fn hear(
    ears: &mut dyn Recognizer,
    parts: Vec<PhrasePart>,
    samples: &[f32],
) -> Result<Heard, EngineFault> {
    let phrases = vec![Phrase { tag: "said".to_owned(), parts }];
    ears.begin(&Expectation { phrases, ..Expectation::default() })?;
    for piece in samples.chunks(PIECE) {
        ears.feed(piece)?;
    }
    let heard = ears.finish()?;
    let worst = heard.words.iter().map(|it| it.confidence).fold(1.0, f32::min);
    Ok(Heard { words: normal(&heard.text), confidence: heard.confidence, worst })
}

/// "double three oh" is "three three zero".
fn normal(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut times = 1;
    for word in text.split_whitespace() {
        match word {
            "double" => times = 2,
            "triple" => times = 3,
            _ => {
                let word = if word == "oh" { "zero" } else { word };
                words.extend(std::iter::repeat_n(word.to_owned(), times));
                times = 1;
            }
        }
    }
    words
}

/// Words to be put in, left out or changed (Levenshtein 1966).
fn distance(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (at, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (to, other) in heard.iter().enumerate() {
            let changed = diagonal + usize::from(word != other);
            diagonal = row[to + 1];
            row[to + 1] = changed.min(row[to] + 1).min(diagonal + 1);
        }
    }
    row[heard.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_its_words_but_for_one_that_does_not_matter() {
        let sentence = Sentence::new("Order 1 2 3 is out for delivery, it comes by six on Sunday.");
        let is = |text: &str| sentence.is(&normal(text));
        assert!(is("order one two three is out for delivery it comes by six on sunday"));
        assert!(is("order one two three is out of delivery it comes by six on sunday"));
        for other in [
            "order one two three is out of delivery it came by six on sunday",
            "order one two four is out for delivery it comes by six on sunday",
            "order one two three is out for delivery it comes by six on monday",
            "order one two three is not out for delivery it comes by six on sunday",
            "",
        ] {
            assert!(!is(other), "{other}");
        }
        assert_eq!(normal("double three oh").join(" "), "three three zero");
    }

    #[test]
    fn what_a_sentence_may_have_been_instead_has_a_negation_more_or_less() {
        let turned = |text: &str| {
            let turned = Sentence::new(text).turned_round();
            turned.iter().map(|it| it.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(turned("It is changed."), ["it is not changed", "it isn't changed"]);
        assert_eq!(turned("I can't hear you."), ["i can hear you"]);
        assert_eq!(turned("We are not open."), ["we are open"]);
        assert_eq!(turned("Goodbye."), Vec::<String>::new());
    }

    #[test]
    fn numbers_days_and_parts_of_it_are_free() {
        let free = Sentence::new("Order 1 2 3, Monday at twelve in the evening").free();
        let slots = free.iter().filter(|it| matches!(it, PhrasePart::Slot { .. })).count();
        let is_three = |it: &PhrasePart| {
            matches!(it, PhrasePart::Slot { kind: SlotKind::Digits { min: 3, max: 3 }, .. })
        };
        assert_eq!((slots, free.iter().filter(|it| is_three(it)).count()), (4, 1));
    }
}
