//! What the caller may say, as a finite-state grammar: an [`Expectation`] becomes a [`Rule`], a
//! rule becomes a [`Net`], and a net prints itself as the text form that sphinxbase reads.
//!
//! Not JSGF, as PocketSphinx copies a JSGF rule for each mention: six digits with "double three"
//! and "twelve thirty four" are 7 states here and thousands there. Pure: no engine, no dictionary.

mod net;
mod spoken;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::speech::{Expectation, Phrase, PhrasePart, SlotKind};

pub use net::{Net, PHONE_MARK, PHONES};

/// Words that callers put around what they want to say and that mean nothing; they are understood
/// and left out of a hypothesis.
pub const HESITATIONS: [&str; 4] = ["um", "uh", "er", "hmm"];

/// Before what is wanted.
const OPENERS: [&str; 5] = ["hi", "hello", "well", "so", "sorry"];

/// Before what is wanted, where it is no answer itself.
const ASSENTS: [&str; 3] = ["yes", "yeah", "okay"];

/// After it.
const CLOSERS: [&str; 3] = ["please", "thanks", "thank you"];

/// Before a value that is said alone.
const CARRIERS: [&str; 8] = [
    "it's",
    "it is",
    "that's",
    "the number is",
    "my number is",
    "order number",
    "number",
    "my order number is",
];

/// How much less likely an opener, closer or carrier phrase is than none. At 0.02 and more,
/// spliced digits had 2 % more errors: a misheard "three" is a fine "please".
const AROUND: f32 = 0.001;

/// A rule of a grammar.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// One word.
    Word(Cow<'static, str>),
    /// All of these in order.
    Sequence(Vec<Self>),
    /// One of these.
    OneOf(Vec<Self>),
    /// This, with a probability below 1, or nothing.
    Maybe(f32, Box<Self>),
    /// This, with a probability below 1 against its alternatives.
    Rare(f32, Box<Self>),
    /// So many digits, in any usual grouping.
    Digits {
        /// How many at least.
        min: u8,
        /// How many at most.
        max: u8,
    },
    /// Any sounds at all, for the words that no grammar has.
    Anything,
}

impl Rule {
    /// Makes the words of a text a sequence.
    #[must_use]
    pub fn words(text: &str) -> Self {
        Self::Sequence(
            text.split_whitespace().map(|word| Self::Word(word.to_lowercase().into())).collect(),
        )
    }

    /// Makes each text an alternative.
    fn any<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::OneOf(texts.into_iter().map(Self::words).collect())
    }

    /// Makes this optional.
    fn maybe(self, probability: f32) -> Self {
        Self::Maybe(probability, Box::new(self))
    }
}

/// The rule of all that is expected; `None` where only open speech is.
#[must_use]
pub fn rule(expectation: &Expectation) -> Option<Rule> {
    let mut choices = Vec::new();
    for kind in &expectation.kinds {
        match kind {
            SlotKind::Open => {}
            SlotKind::YesNo | SlotKind::Choice(_) => choices.push(value(kind)),
            _ => choices.push(Rule::Sequence(vec![Rule::any(CARRIERS).maybe(AROUND), value(kind)])),
        }
    }
    choices.extend(expectation.phrases.iter().map(phrase).filter(|rule| !is_empty(rule)));
    if choices.is_empty() {
        return None;
    }
    let mut before = vec![Rule::any(HESITATIONS), Rule::any(OPENERS)];
    if !expectation.kinds.contains(&SlotKind::YesNo) {
        before.push(Rule::any(ASSENTS));
    }
    Some(Rule::Sequence(vec![
        Rule::OneOf(before).maybe(AROUND),
        Rule::OneOf(choices),
        Rule::any(CLOSERS).maybe(AROUND),
    ]))
}

/// Whether words are welcome that no grammar has.
#[must_use]
pub fn is_open(expectation: &Expectation) -> bool {
    expectation.open || expectation.kinds.contains(&SlotKind::Open)
}

fn phrase(phrase: &Phrase) -> Rule {
    Rule::Sequence(
        phrase
            .parts
            .iter()
            .map(|part| match part {
                PhrasePart::Words(words) => Rule::words(words),
                PhrasePart::Slot { kind, .. } => value(kind),
            })
            .collect(),
    )
}

fn value(kind: &SlotKind) -> Rule {
    match kind {
        SlotKind::Digits { min, max } => Rule::Digits { min: *min, max: *max },
        SlotKind::Number => spoken::number(),
        SlotKind::Date => spoken::date(),
        SlotKind::Time => spoken::time(),
        SlotKind::Amount => spoken::amount(),
        SlotKind::Name => spoken::name(),
        SlotKind::YesNo => spoken::yes_no(),
        SlotKind::Choice(wordings) => Rule::any(wordings.iter().map(String::as_str)),
        SlotKind::Open => Rule::Anything,
    }
}

/// Whether a rule is satisfied by nothing only.
fn is_empty(rule: &Rule) -> bool {
    match rule {
        Rule::Word(_) | Rule::Anything => false,
        Rule::Sequence(rules) | Rule::OneOf(rules) => rules.iter().all(is_empty),
        Rule::Maybe(_, rule) | Rule::Rare(_, rule) => is_empty(rule),
        Rule::Digits { max, .. } => *max == 0,
    }
}
