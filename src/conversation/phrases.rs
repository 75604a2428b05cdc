//! Phrases that work everywhere, and those that correct what was read back.

use cordboard_models::speech::{Phrase, PhrasePart, SlotKind};

use super::values::number::ordinal_spoken;

/// What a caller may ask for everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// Say it again.
    Repeat,
    /// Say it again, slower, and go on slower.
    Slower,
    /// Say what may be said.
    Help,
    /// A human.
    Agent,
    /// The end.
    Goodbye,
}

/// Tag of phrases that correct a value.
pub(super) const CORRECTION: &str = "correction";
/// Tag of phrases that signal an emergency.
pub(super) const EMERGENCY: &str = "emergency";
/// What begins the tags of intents.
pub(super) const INTENT: &str = "intent:";

const GLOBALS: [(Global, &str, &[&str]); 5] = [
    (
        Global::Repeat,
        "global:repeat",
        &[
            "repeat",
            "repeat that",
            "please repeat that",
            "can you repeat that",
            "could you repeat that",
            "say that again",
            "can you say that again",
            "say it again",
            "once more",
            "pardon",
            "what did you say",
            "i did not hear you",
        ],
    ),
    (
        Global::Slower,
        "global:slower",
        &[
            "slower",
            "slower please",
            "speak slower",
            "speak more slowly",
            "more slowly",
            "please speak slower",
            "can you speak slower",
            "slow down",
            "not so fast",
            "too fast",
            "that was too fast",
        ],
    ),
    (
        Global::Help,
        "global:help",
        &["help", "help me", "i need help", "what can i say", "what can you do", "what can i ask"],
    ),
    (
        Global::Agent,
        "global:agent",
        &[
            "a person",
            "a person please",
            "a real person",
            "a human",
            "a human being",
            "an agent",
            "agent",
            "operator",
            "an operator",
            "representative",
            "a representative",
            "someone real",
            "speak to someone",
            "speak to a person",
            "speak to an agent",
            "talk to someone",
            "talk to a person",
            "i want a person",
            "i want to speak to someone",
            "i want to speak to a person",
            "i want to talk to someone",
            "i want to talk to a person",
            "i would like to speak to someone",
            "i would like to speak to a person",
            "i'd like to speak to a person",
            "can i speak to someone",
            "can i speak to a person",
            "can i talk to a person",
            "let me speak to a person",
            "let me talk to a human",
            "get me a person",
            "put me through to a person",
            "connect me to a person",
            "customer service",
        ],
    ),
    (
        Global::Goodbye,
        "global:goodbye",
        &["goodbye", "bye", "bye bye", "hang up", "thank you goodbye", "thanks bye", "okay bye"],
    ),
];

impl Global {
    /// The global that a tag stands for.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        GLOBALS.iter().find(|(_, known, _)| *known == tag).map(|(global, _, _)| *global)
    }
}

/// The phrases that work everywhere.
pub(super) fn globals() -> impl Iterator<Item = Phrase> {
    GLOBALS.iter().flat_map(|(_, tag, texts)| {
        texts.iter().map(|text| Phrase {
            tag: (*tag).to_owned(),
            parts: vec![PhrasePart::Words((*text).to_owned())],
        })
    })
}

/// Phrases that correct one digit of a value of `length` digits, or give it anew.
pub(super) fn corrections(slot: &str, kind: &SlotKind, length: usize) -> Vec<Phrase> {
    let words = |text: &str| PhrasePart::Words(text.to_owned());
    let value = |name: &str, kind: &SlotKind| PhrasePart::Slot {
        name: name.to_owned(),
        kind: kind.clone(),
    };
    let phrase = |parts| Phrase { tag: CORRECTION.to_owned(), parts };
    let mut phrases = Vec::new();
    for lead in ["no it's", "no it is", "no"] {
        phrases.push(phrase(vec![words(lead), value(slot, kind)]));
    }
    if let SlotKind::Digits { .. } = kind {
        let digit = SlotKind::Digits { min: 1, max: 1 };
        let mut places: Vec<String> = (1..=length)
            .filter_map(|place| u32::try_from(place).ok())
            .map(ordinal_spoken)
            .collect();
        places.push("last".to_owned());
        for place in places {
            for lead in ["no the", "the"] {
                let said = words(&format!("{lead} {place} digit is"));
                phrases.push(phrase(vec![said, value("right", &digit)]));
            }
        }
        for lead in ["it's", "no it's", "no"] {
            let parts =
                vec![words(lead), value("right", &digit), words("not"), value("wrong", &digit)];
            phrases.push(phrase(parts));
        }
    }
    phrases
}
