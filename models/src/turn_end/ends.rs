//! Whether English words may be all that a caller wants to say: by the last of them, the first and
//! how many they are.
//!
//! A linear model of hashed features, as in J. Attenberg et al., "Feature hashing for large scale
//! multitask learning" (ICML 2009), fitted by `examples/fit_ends.rs` to 35,000 requests and turns
//! of open corpora, cut off after each of their words: BANKING77 (CC BY 4.0), CLINC150 (CC BY 3.0),
//! Taskmaster (CC BY 4.0), restaurant8k (CC BY 4.0) and the Gridspace-Stanford Harper Valley calls
//! (Apache 2.0). Of a tenth held back an end and another place are told apart in 92 of 100 pairs.
//! Deliberately absent: grammar, what was asked (`text`), and what it sounds like (`smart`).

use crate::speech::english::{DIGITS, TEENS, TENS};

/// Buckets that features are hashed into.
const BUCKETS: usize = 8_192;
/// A weight of one, as it is kept.
const ONE: f32 = 16.0;
/// Features of words, and the one that all have.
const FEATURES: usize = 10;
/// Words that are counted, for most features and for the first two.
const COUNTED: usize = 8;
/// Rounds of fitting, their pace, and how weights are drawn to nothing.
const ROUNDS: u32 = 6;
const PACE: f32 = 0.15;
const DRAW: f32 = 2e-7;

/// The weights that are shipped.
static BUILTIN: &[u8; BUCKETS] = include_bytes!("ends.bin");

/// The log odds that nothing more is said after these words, lower case; above zero it is rather
/// the end. Places in the midst of a turn were counted for less than their number.
pub(super) fn log_odds(words: &[&str]) -> f32 {
    log_odds_by(BUILTIN, words)
}

/// The same by other weights, as `fit_ends` makes them.
#[must_use]
pub fn log_odds_by(weights: &[u8], words: &[&str]) -> f32 {
    let weight = |bucket: usize| weights.get(bucket).map_or(0.0, |it| f32::from(it.cast_signed()));
    features(words).map(weight).iter().sum::<f32>() / ONE
}

/// Fits the weights to texts, each of sentences of words in lower case; a byte a bucket, signed.
///
/// Texts count as often as they come, and in their order.
#[must_use]
pub fn fit_ends(texts: &[Vec<Vec<&str>>]) -> Vec<u8> {
    let (mut weights, mut squares) = (vec![0.0_f32; BUCKETS], vec![1e-3_f32; BUCKETS]);
    for _ in 0..ROUNDS {
        for words in texts.iter().flatten() {
            let others = 1.0 / (words.len().max(2) as f32 - 1.0).sqrt();
            for length in 1..=words.len() {
                let is_end = length == words.len();
                let counts = if is_end { 1.0 } else { others };
                let at = features(&words[..length]);
                let odds: f32 = at.iter().map(|bucket| weights[*bucket]).sum();
                let wanted = if is_end { 1.0 } else { 0.0 };
                let slope = counts * (1.0 / (1.0 + (-odds).exp()) - wanted);
                for bucket in at {
                    let slope = slope + DRAW * ONE * weights[bucket];
                    squares[bucket] += slope * slope;
                    weights[bucket] -= PACE * slope / squares[bucket].sqrt();
                }
            }
        }
    }
    let kept = |weight: &f32| (weight * ONE).round().clamp(-127.0, 127.0) as i8;
    weights.iter().map(|weight| kept(weight).cast_unsigned()).collect()
}

/// The buckets of what is looked at.
fn features(words: &[&str]) -> [usize; FEATURES] {
    let from_end = |back: usize| match words.len().checked_sub(back) {
        Some(at) => plain(words[at]),
        None => "<",
    };
    let (last, before, third) = (from_end(1), from_end(2), from_end(3));
    let first = words.first().map_or("<", |word| plain(word));
    let second = words.get(1).map_or("<", |word| plain(word));
    let count = u8::try_from(words.len().min(COUNTED)).unwrap_or(0);
    let few = [count.min(4), count.min(6)];
    [
        bucket(0, &[]),
        bucket(1, &[last]),
        bucket(2, &[before, last]),
        bucket(3, &[third, before, last]),
        bucket(4, &[ending(last, 2)]),
        bucket(5, &[ending(last, 3)]),
        bucket(6, &[before]),
        bucket(7 + 16 * count, &[]),
        bucket(8 + 16 * few[0], &[first]),
        bucket(9 + 16 * few[1], &[first, second]),
    ]
}

/// Every number is as good as another.
fn plain(word: &str) -> &str {
    let is_number = [&DIGITS[..], &TEENS, &TENS].iter().any(|list| list.contains(&word))
        || word.starts_with(|first: char| first.is_ascii_digit());
    if is_number { "#" } else { word }
}

/// The last letters of a word.
fn ending(word: &str, letters: usize) -> &str {
    let from = word.char_indices().rev().nth(letters - 1).map_or(0, |(at, _)| at);
    &word[from..]
}

/// FNV-1a (draft-eastlake-fnv) of the kind of a feature and its words.
fn bucket(kind: u8, words: &[&str]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut take = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    take(kind);
    for word in words {
        word.bytes().for_each(&mut take);
        take(b' ');
    }
    // The low bits alone are the weakest.
    (hash ^ (hash >> 15)) as usize % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odds(text: &str) -> f32 {
        log_odds(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn what_callers_say_is_more_likely_over_at_its_end_than_before() {
        for (part, whole) in [
            ("can you help me with", "can you help me with my order"),
            ("i'd like to change the", "i'd like to change the address"),
            ("i want to know where", "i want to know where my parcel is"),
            ("when will my", "when will my parcel arrive"),
            ("i have not got", "i have not got my parcel yet"),
        ] {
            assert!(odds(part) + 1.5 < odds(whole), "{part}: {} {}", odds(part), odds(whole));
        }
    }

    #[test]
    fn weights_are_learnt_from_what_ends_where() {
        let text = |text: &'static str| vec![text.split(' ').collect::<Vec<_>>()];
        let texts: Vec<_> =
            (0..50).flat_map(|_| [text("ring the bell"), text("the lost key")]).collect();
        let weights = fit_ends(&texts);
        let odds = |words: &[&str]| {
            let of = features(words).map(|bucket| i32::from(weights[bucket].cast_signed()));
            of.iter().sum::<i32>()
        };
        assert!(odds(&["ring", "the", "bell"]) > 0 && odds(&["the", "lost", "key"]) > 0);
        assert!(odds(&["ring", "the"]) < 0 && odds(&["the", "lost"]) < 0);
    }
}
