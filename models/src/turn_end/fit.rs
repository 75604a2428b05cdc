//! How far words fill a slot: not at all, in part, enough, or wholly.
//!
//! Pure; lower-case words as a recognizer gives them, figures as words. Looser than a grammar: it
//! is to tell an answer that is over from one that is not, never to find its value. Deliberately
//! absent: checking values (the 31st of February fits).

use crate::speech::SlotKind;
use crate::speech::english::{DIGITS, MONTHS, ORDINALS, TEENS, TENS, WEEKDAYS};

/// How far words fill something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// They do not belong there.
    No,
    /// They begin it, and more must come.
    Begun,
    /// They are enough, and more may come.
    Enough,
    /// They fill it, nothing more can come.
    Whole,
}

/// How far the words fill a slot of a kind.
pub(super) fn slot_fit(kind: &SlotKind, words: &[&str]) -> Fit {
    if words.is_empty() {
        return Fit::Begun;
    }
    match kind {
        SlotKind::Digits { min, max } => digits(words, usize::from(*min), usize::from(*max)),
        SlotKind::Number => number(words),
        SlotKind::Date => date(words),
        SlotKind::Time => time(words),
        SlotKind::Amount => amount(words),
        SlotKind::Name => name(words),
        // A "no" alone is often the beginning of a correction.
        SlotKind::YesNo if matches!(words, ["no" | "nope"]) => Fit::Enough,
        SlotKind::YesNo => best(YES_NO.iter().map(|said| phrase(said, words))),
        SlotKind::Choice(wordings) => {
            best(wordings.iter().map(|wording| phrase(&wording.to_lowercase(), words)))
        }
        SlotKind::Open => Fit::Enough,
    }
}

/// The usual wordings of yes and no.
const YES_NO: [&str; 27] = [
    "yes",
    "yeah",
    "yep",
    "yup",
    "yes please",
    "yes it is",
    "yes that's right",
    "that's right",
    "that's correct",
    "that is correct",
    "correct",
    "right",
    "sure",
    "of course",
    "okay",
    "ok",
    "absolutely",
    "exactly",
    "no",
    "nope",
    "nah",
    "no thanks",
    "no thank you",
    "no it isn't",
    "no that's wrong",
    "that's wrong",
    "not really",
];

/// Ordinals of dates beside the first twenty.
const FURTHER: [&str; 2] = ["thirtieth", "last"];
const SCALES: [&str; 2] = ["hundred", "thousand"];
const MONEY: [&str; 10] =
    ["dollar", "dollars", "cent", "cents", "pound", "pounds", "pence", "euro", "euros", "bucks"];

fn best(fits: impl Iterator<Item = Fit>) -> Fit {
    fits.max().unwrap_or(Fit::No)
}

/// Whole where the words are the wording, begun where they begin it.
fn phrase(wording: &str, words: &[&str]) -> Fit {
    let mut wanted = wording.split_whitespace();
    for word in words {
        if wanted.next() != Some(word) {
            return Fit::No;
        }
    }
    if wanted.next().is_none() { Fit::Whole } else { Fit::Begun }
}

/// Figures that one word stands for: itself, or those of a pair ("twelve", "twenty" "three").
pub(super) fn digit_count(words: &[&str]) -> Option<usize> {
    let mut count = 0;
    let mut times = 1;
    let mut after_tens = false;
    for word in words {
        if after_tens && DIGITS[2..].contains(word) {
            // "twenty three": the tens have counted both figures.
        } else if DIGITS.contains(word) || word.parse::<u8>().is_ok_and(|n| n < 10) {
            count += times;
        } else if TEENS.contains(word) || TENS.contains(word) {
            count += 2 * times;
        } else if *word == "hundred" && count == 1 {
            count += 2;
        } else if matches!(*word, "double" | "triple") {
            times = if *word == "double" { 2 } else { 3 };
            after_tens = false;
            continue;
        } else if *word != "and" {
            return None;
        }
        after_tens = TENS.contains(word);
        times = 1;
    }
    Some(count)
}

fn digits(words: &[&str], min: usize, max: usize) -> Fit {
    let hanging = words.last().is_some_and(|w| matches!(*w, "double" | "triple" | "and"));
    match digit_count(words) {
        None => Fit::No,
        Some(count) if count > max => Fit::No,
        Some(count) if count < min || hanging => Fit::Begun,
        Some(count) if count == max => Fit::Whole,
        Some(_) => Fit::Enough,
    }
}

fn is_number_word(word: &str) -> bool {
    DIGITS.contains(&word)
        || TEENS.contains(&word)
        || TENS.contains(&word)
        || SCALES.contains(&word)
        || word.bytes().all(|b| b.is_ascii_digit())
}

fn number(words: &[&str]) -> Fit {
    let belongs = |w: &&str| is_number_word(w) || matches!(*w, "a" | "and" | "point");
    if !words.iter().all(belongs) {
        return Fit::No;
    }
    match words.last() {
        Some(&("a" | "and" | "point")) => Fit::Begun,
        _ => Fit::Enough,
    }
}

fn date(words: &[&str]) -> Fit {
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let glue = ["the", "of", "on", "this", "next", "last", "coming", "and"];
    let near = ["today", "tomorrow", "yesterday", "week", "day", "after"];
    let belongs = |w: &&str| {
        is_number_word(w)
            || [&ORDINALS[..], &FURTHER[..], &MONTHS[..], &WEEKDAYS[..], &glue[..], &near[..]]
                .iter()
                .any(|list| list.contains(w))
    };
    if !words.iter().all(belongs) {
        return Fit::No;
    }
    let hanging = words.last().is_some_and(|w| glue.contains(w) || matches!(*w, "day" | "after"));
    let day = has(&ORDINALS) || has(&FURTHER) || words.iter().any(|word| is_number_word(word));
    if hanging {
        Fit::Begun
    } else if has(&near) || (has(&MONTHS) && day) {
        Fit::Whole
    } else if has(&WEEKDAYS) || day {
        Fit::Enough
    } else {
        Fit::Begun
    }
}

fn time(words: &[&str]) -> Fit {
    let glue = ["half", "quarter", "past", "to", "at", "around", "about", "in", "the", "till"];
    let ends = ["pm", "am", "p.m.", "a.m.", "o'clock", "noon", "midnight", "morning", "afternoon"];
    let ends_more = ["evening", "tonight", "night", "m"];
    let is_end = |w: &str| ends.contains(&w) || ends_more.contains(&w);
    let half_end = |w: &str| matches!(w, "p" | "a");
    let belongs = |w: &&str| is_number_word(w) || glue.contains(w) || is_end(w) || half_end(w);
    if !words.iter().all(belongs) {
        return Fit::No;
    }
    match words {
        [.., last] if is_end(last) => Fit::Whole,
        [.., last] if glue.contains(last) || half_end(last) => Fit::Begun,
        [.., "past" | "to", _] => Fit::Whole,
        _ => Fit::Enough,
    }
}

fn amount(words: &[&str]) -> Fit {
    let belongs = |w: &&str| {
        is_number_word(w) || MONEY.contains(w) || matches!(*w, "and" | "a" | "point" | "half")
    };
    if !words.iter().all(belongs) {
        return Fit::No;
    }
    match words {
        [.., "and" | "a" | "point"] => Fit::Begun,
        [.., "cent" | "cents" | "pence"] => Fit::Whole,
        [before @ .., _] if before.iter().any(|w| MONEY.contains(w)) => Fit::Whole,
        [.., last] if MONEY.contains(last) => Fit::Enough,
        _ => Fit::Begun,
    }
}

/// Words that are in no name.
const NO_NAMES: [&str; 34] = [
    "and", "or", "but", "so", "because", "if", "that", "which", "the", "a", "an", "my", "your",
    "to", "of", "for", "with", "from", "at", "on", "in", "about", "is", "are", "was", "it's",
    "i'm", "i", "number", "then", "when", "where", "what", "would",
];

fn name(words: &[&str]) -> Fit {
    if words.iter().any(|word| NO_NAMES.contains(word)) {
        return Fit::No;
    }
    match words.len() {
        1 => Fit::Enough,
        2 | 3 => Fit::Whole,
        _ => Fit::No,
    }
}
