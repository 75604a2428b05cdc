//! How far words fill a phrase of words and slots.
//!
//! Pure: every way to share the words among the slots is tried, which for a turn's few words is
//! cheap; a turn longer than `WORDS_MAX` fits no phrase.

use super::fit::{Fit, slot_fit};
use crate::speech::PhrasePart;

/// The most words that are tried against a phrase; ours have at most about a dozen.
const WORDS_MAX: usize = 24;

/// How far the words fill the phrase.
pub(super) fn phrase_fit(parts: &[PhrasePart], words: &[&str]) -> Fit {
    if words.len() > WORDS_MAX {
        return Fit::No;
    }
    match parts {
        [] if words.is_empty() => Fit::Whole,
        [] => Fit::No,
        [PhrasePart::Words(wording), rest @ ..] => {
            let mut left = words;
            for expected in wording.split_whitespace() {
                let Some((word, after)) = left.split_first() else { return Fit::Begun };
                if *word != expected {
                    return Fit::No;
                }
                left = after;
            }
            phrase_fit(rest, left)
        }
        [PhrasePart::Slot { kind, .. }] => slot_fit(kind, words),
        [PhrasePart::Slot { kind, .. }, rest @ ..] => {
            if words.is_empty() {
                return Fit::Begun;
            }
            let split = |taken: usize| {
                let (of_slot, after) = words.split_at(taken);
                match slot_fit(kind, of_slot) {
                    Fit::No => Fit::No,
                    Fit::Begun if after.is_empty() => Fit::Begun,
                    Fit::Begun => Fit::No,
                    Fit::Enough | Fit::Whole => phrase_fit(rest, after),
                }
            };
            (1..=words.len()).map(split).max().unwrap_or(Fit::No)
        }
    }
}
