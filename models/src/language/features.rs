//! What of a sentence is compared: its words by their stems, pairs of them, and parts of words.
//!
//! Pure; English. Deliberately absent: weights by rarity, which belong to a book of examples.

/// What kind of thing a feature is; it decides how much it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word that says what a sentence is about.
    Content,
    /// A word, or two, that most sentences have.
    Common,
    /// Two words next to each other, at least one of content.
    Pair,
    /// Four letters of a content word.
    Part,
}

/// A feature of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// All features of a sentence, repeated where they come twice.
pub(super) fn features(sentence: &str) -> Vec<Feature> {
    let words = stems(sentence);
    let mut all = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let kind = if COMMON.contains(&word.as_str()) { Kind::Common } else { Kind::Content };
        all.push(Feature { text: word.clone(), kind });
        if let Some(next) = words.get(index + 1) {
            let empty = kind == Kind::Common && COMMON.contains(&next.as_str());
            let kind = if empty { Kind::Common } else { Kind::Pair };
            all.push(Feature { text: format!("{word} {next}"), kind });
        }
        if kind == Kind::Content {
            all.extend(parts(word));
        }
    }
    all
}

/// Runs of four letters, the word's edges marked; a short word is its own only part.
fn parts(word: &str) -> impl Iterator<Item = Feature> {
    let marked: Vec<char> = format!("^{word}$").chars().collect();
    let text = |run: &[char]| run.iter().collect::<String>();
    let runs: Vec<String> = marked.windows(4).map(text).collect();
    runs.into_iter().map(|text| Feature { text, kind: Kind::Part })
}

/// The stems of the words; numbers and placeholders ("{order_number}") are all one word, "#".
fn stems(sentence: &str) -> Vec<String> {
    let lower = sentence.to_lowercase().replace(['\'', '’'], "");
    let mut stems: Vec<String> = Vec::new();
    let mut in_slot = false;
    for piece in lower.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        let is_number = word.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(&word);
        if is_number && !in_slot {
            if stems.last().is_none_or(|last| last != NUMBER) {
                stems.push(NUMBER.to_owned());
            }
        } else if !word.is_empty() && !in_slot {
            stems.push(stem(word));
        }
        in_slot = match piece.chars().last() {
            Some('{') => true,
            Some('}') => false,
            _ => in_slot,
        };
    }
    stems
}

/// Every number.
const NUMBER: &str = "#";

const NUMBERS: [&str; 21] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "twenty", "thirty", "forty", "fifty", "sixty", "hundred", "thousand", "oh",
];

/// Cuts the endings that English puts on nouns and verbs; rough, and the same for all texts.
fn stem(word: &str) -> String {
    let irregular = IRREGULAR.iter().find(|(form, _)| *form == word);
    let word = irregular.map_or(word, |(_, regular)| regular);
    let mut stem = word;
    for (ending, least) in [("ings", 3), ("ing", 3), ("ies", 2), ("ied", 2), ("ed", 3), ("es", 3)] {
        if let Some(rest) = word.strip_suffix(ending).filter(|rest| rest.len() >= least) {
            stem = rest;
            break;
        }
    }
    if stem == word && !word.ends_with("ss") && word.len() > 3 {
        stem = word.strip_suffix('s').unwrap_or(word);
    }
    // "stopped" and "stop", "arrive" and "arriving", "delivery" and "deliveries".
    let stem = stem.strip_suffix(['e', 'y', 'i']).filter(|rest| rest.len() >= 3).unwrap_or(stem);
    let mut chars: Vec<char> = stem.chars().collect();
    if let [_, _, .., before, last] = chars.as_slice()
        && before == last
        && !"aeiouls".contains(*last)
    {
        chars.pop();
    }
    chars.into_iter().collect()
}

/// Forms that no ending tells.
const IRREGULAR: [(&str, &str); 23] = [
    ("was", "is"),
    ("were", "is"),
    ("are", "is"),
    ("am", "is"),
    ("been", "is"),
    ("be", "is"),
    ("has", "have"),
    ("had", "have"),
    ("did", "do"),
    ("does", "do"),
    ("got", "get"),
    ("lost", "lose"),
    ("sent", "send"),
    ("paid", "pay"),
    ("bought", "buy"),
    ("made", "make"),
    ("said", "say"),
    ("told", "tell"),
    ("spoke", "speak"),
    ("went", "go"),
    ("came", "come"),
    ("took", "take"),
    ("broke", "break"),
];

/// Stems of words that most sentences have, whatever they are about.
const COMMON: [&str; 78] = [
    "a", "an", "the", "and", "or", "but", "if", "so", "as", "at", "by", "for", "from", "in",
    "into", "of", "on", "to", "with", "i", "im", "id", "ive", "ill", "me", "my", "mine", "we",
    "our", "us", "you", "your", "it", "its", "he", "she", "they", "them", "this", "that", "thi",
    "there", "is", "do", "have", "can", "could", "would", "will", "should", "may", "please",
    "pleas", "thank", "hi", "hello", "hey", "yes", "yeah", "ok", "okay", "well", "just", "some",
    "any", "what", "whats", "how", "want", "need", "like", "know", "tell", "get", "let", "about",
    "whi", "wh",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_its_stem() {
        let table: [&[&str]; 9] = [
            &["arrive", "arrived", "arriving", "arrives"],
            &["delivery", "deliveries"],
            &["order", "orders", "ordered", "ordering"],
            &["cancel", "cancels", "canceling"],
            &["stop", "stopped", "stopping", "stops"],
            &["change", "changes", "changed", "changing"],
            &["lost", "lose"],
            &["address", "addresses"],
            &["is", "are", "was"],
        ];
        for forms in table {
            let all: Vec<String> = forms.iter().map(|form| stem(form)).collect();
            assert!(all.iter().all(|stem| *stem == all[0]), "{forms:?}: {all:?}");
        }
    }

    #[test]
    fn a_number_is_one_word_and_a_slot_is_none() {
        assert_eq!(stems("Order 123-456?"), ["order", "#"]);
        assert_eq!(stems("order one two three"), ["order", "#"]);
        assert_eq!(stems("order {order_number} please"), ["order", "pleas"]);
        assert_eq!(stems(" ...!"), Vec::<String>::new());
    }
}
