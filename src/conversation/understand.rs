//! What an utterance means among what was expected: phrases with slots, and values said alone.
//!
//! A phrase may be said whole, or stand inside a longer sentence of which it makes up at least
//! half. Deliberately absent: statistics; what matches nothing goes to the language model.

use cordboard_models::speech::{Phrase, PhrasePart, SlotKind};
use jiff::civil::DateTime;

use super::values::SlotValue;

/// Words that carry nothing, dropped from utterances and phrases alike.
const FILLERS: [&str; 11] =
    ["um", "uh", "er", "erm", "hmm", "please", "hi", "hello", "well", "so", "just"];
/// Longest utterance that is looked at; the rest of a longer one is a story, not a command.
const MAX_WORDS: usize = 48;
/// Least share of an utterance that a phrase inside it must make up.
const MIN_SHARE: f32 = 0.5;

/// A phrase that was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Match<'p> {
    /// Its tag.
    pub(super) tag: &'p str,
    /// Its slots.
    pub(super) slots: Vec<(String, SlotValue)>,
    /// Whether nothing else was said.
    pub(super) whole: bool,
    /// Share of the utterance that it makes up; above 1 counts literal words.
    share: f32,
}

/// Splits an utterance into lower-case words without punctuation and fillers.
pub(super) fn words(text: &str) -> Vec<String> {
    let all = text.to_lowercase();
    let keep = |letter: char| letter.is_alphanumeric() || matches!(letter, '\'' | '-' | ':');
    let each = all
        .split_whitespace()
        .map(|word| word.replace('\u{2019}', "'").trim_matches(|letter| !keep(letter)).to_owned());
    let all: Vec<String> = each.filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let rest: Vec<String> =
        all.iter().filter(|word| !FILLERS.contains(&word.as_str())).cloned().collect();
    if rest.is_empty() { all } else { rest }
}

/// The best match of an utterance among phrases; `always` are tags that match however little of
/// the utterance they make up.
pub(super) fn phrase<'p>(
    words: &[&str],
    phrases: impl IntoIterator<Item = &'p Phrase>,
    local: DateTime,
    always: &str,
) -> Option<Match<'p>> {
    let found = phrases.into_iter().filter_map(|phrase| {
        let found = within(phrase, words, local)?;
        let enough = found.whole || found.share >= MIN_SHARE || found.tag == always;
        enough.then_some(found)
    });
    found.fold(None, |best: Option<Match<'p>>, next| match best {
        Some(best) if best.share >= next.share => Some(best),
        _ => Some(next),
    })
}

/// A value said alone, or after usual lead-ins ("it's", "my number is").
pub(super) fn value(words: &[&str], kind: &SlotKind, local: DateTime) -> Option<SlotValue> {
    if *kind == SlotKind::Open {
        return SlotValue::parse(kind, words, local);
    }
    let lead_ins = words.iter().take_while(|word| {
        matches!(
            **word,
            "it's"
                | "its"
                | "it"
                | "is"
                | "that's"
                | "that"
                | "the"
                | "my"
                | "number"
                | "order"
                | "on"
                | "at"
                | "for"
                | "i"
                | "think"
                | "said"
                | "okay"
                | "yes"
                | "no"
                | "would"
                | "like"
                | "want"
                | "a"
                | "make"
                | "be"
        )
    });
    // The fewest lead-ins first: "yes" is a value itself, and "a hundred" begins with one.
    (0..=lead_ins.count().min(words.len().saturating_sub(1)))
        .find_map(|from| SlotValue::parse(kind, &words[from..], local))
}

/// Looks for a phrase anywhere in an utterance.
fn within<'p>(phrase: &'p Phrase, words: &[&str], local: DateTime) -> Option<Match<'p>> {
    let parts = stripped(phrase);
    (0..words.len()).find_map(|from| {
        let mut slots = Vec::new();
        let rest = &words[from..];
        // To the end first, so that a slot takes all that it can.
        let length = matched(&parts, rest, local, true, &mut slots).or_else(|| {
            slots.clear();
            matched(&parts, rest, local, false, &mut slots)
        })?;
        let literal: usize = parts
            .iter()
            .map(|part| if let Part::Words(words) = part { words.len() } else { 0 })
            .sum();
        let whole = length == words.len();
        // One word inside a sentence is too little to go by.
        if !whole && length < 2 {
            return None;
        }
        let total = words.len() as f32;
        // Among equals the more literal words win: "no it's {n}" before "{n}".
        let share = length as f32 / total + literal as f32 / total * 0.01;
        Some(Match { tag: &phrase.tag, slots, whole, share })
    })
}

enum Part<'p> {
    Words(Vec<&'p str>),
    Slot(&'p str, &'p SlotKind),
}

/// The parts of a phrase without fillers.
fn stripped(phrase: &Phrase) -> Vec<Part<'_>> {
    let parts = phrase.parts.iter().map(|part| match part {
        PhrasePart::Words(text) => {
            let words: Vec<&str> = text.split(' ').collect();
            let rest: Vec<&str> =
                words.iter().copied().filter(|word| !FILLERS.contains(word)).collect();
            Part::Words(if rest.is_empty() { words } else { rest })
        }
        PhrasePart::Slot { name, kind } => Part::Slot(name, kind),
    });
    parts.collect()
}

/// Matches parts from the first word on; gives how many words they take.
fn matched(
    parts: &[Part<'_>],
    words: &[&str],
    local: DateTime,
    to_end: bool,
    slots: &mut Vec<(String, SlotValue)>,
) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else {
        return (!to_end || words.is_empty()).then_some(0);
    };
    match part {
        Part::Words(wanted) => {
            let tail = words.strip_prefix(wanted.as_slice())?;
            Some(wanted.len() + matched(rest, tail, local, to_end, slots)?)
        }
        Part::Slot(name, kind) => (1..=words.len()).rev().find_map(|length| {
            let value = SlotValue::parse(kind, &words[..length], local)?;
            let kept = slots.len();
            slots.push(((*name).to_owned(), value));
            let tail = matched(rest, &words[length..], local, to_end, slots);
            if tail.is_none() {
                slots.truncate(kept);
            }
            Some(length + tail?)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn phrases() -> Vec<Phrase> {
        let order =
            PhrasePart::Slot { name: "n".to_owned(), kind: SlotKind::Digits { min: 6, max: 6 } };
        let plain = |tag: &str, text: &str| Phrase {
            tag: tag.to_owned(),
            parts: vec![PhrasePart::Words(text.to_owned())],
        };
        let with_order = Phrase {
            tag: "order".to_owned(),
            parts: vec![PhrasePart::Words("where is my order".to_owned()), order],
        };
        vec![
            plain("order", "where is my order"),
            with_order,
            plain("agent", "a person"),
            plain("emergency", "there is a fire"),
        ]
    }

    #[test]
    fn phrases_are_found_whole_and_within() {
        for (said, tag, number) in [
            ("Where is my order?", Some("order"), None),
            (
                "um hello where is my order one two three four five six please",
                Some("order"),
                Some("123456"),
            ),
            ("i wonder where is my order", Some("order"), None),
            ("a person stole my parcel yesterday", None, None),
            (
                "my neighbour says that over there there is a fire in the yard",
                Some("emergency"),
                None,
            ),
            ("banana", None, None),
        ] {
            let list = words(said);
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            let all = phrases();
            let found = phrase(&list, &all, date(2026, 11, 21).at(12, 0, 0, 0), "emergency");
            assert_eq!(found.as_ref().map(|found| found.tag), tag, "{said}");
            let value = found.and_then(|found| found.slots.first().map(|(_, value)| value.text()));
            assert_eq!(value.as_deref(), number, "{said}");
        }
    }

    #[test]
    fn lead_ins_before_a_value_are_dropped() {
        let local = date(2026, 11, 21).at(12, 0, 0, 0);
        for (said, kind, text) in [
            ("it's one two three", SlotKind::Digits { min: 3, max: 3 }, Some("123")),
            ("my order number is one two three", SlotKind::Digits { min: 3, max: 3 }, Some("123")),
            ("yes", SlotKind::YesNo, Some("yes")),
            ("on tuesday", SlotKind::Date, Some("2026-11-24")),
            ("it's", SlotKind::Number, None),
        ] {
            let words: Vec<&str> = said.split(' ').collect();
            assert_eq!(value(&words, &kind, local).map(|value| value.text()).as_deref(), text);
        }
    }
}
