//! A pronouncing dictionary in the format of CMUdict, and a guess for the words that it lacks.
//!
//! Pure: the text of the dictionary is an argument. The guess is a few dozen letter-to-sound rules
//! of our own, good enough to tell a company's name from the other words of a grammar.

use std::fmt;

/// A word for which there is no pronunciation, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no pronunciation for the word {word:?}; use letters and apostrophes only, figures in words"
)]
pub struct UnknownWord {
    /// The word as the expectation has it.
    pub word: String,
}

/// A pronouncing dictionary.
pub struct Lexicon {
    text: String,
    /// Begin of each line in `text`, ordered by word.
    lines: Vec<u32>,
}

impl Lexicon {
    /// Reads a dictionary: a word, white space, and its phones on each line; a second
    /// pronunciation's word ends in "(2)".
    #[must_use]
    pub fn parse(text: String) -> Self {
        let mut lines = Vec::new();
        let mut begin = 0;
        for line in text.split_inclusive('\n') {
            if !line.trim().is_empty() {
                // A dictionary over 4 GiB is none; its end is not found then.
                lines.extend(u32::try_from(begin).ok());
            }
            begin += line.len();
        }
        lines.sort_by_key(|&line| entry(&text, line).0);
        Self { text, lines }
    }

    /// Entries, second pronunciations included.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.lines.len()
    }

    /// Whether the dictionary itself has the word.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        self.listed(word).next().is_some()
    }

    /// All pronunciations of a word: those of the dictionary, else the guess.
    ///
    /// # Errors
    /// `UnknownWord` where the dictionary lacks it and it is no string of letters.
    pub fn pronunciations(&self, word: &str) -> Result<Vec<String>, UnknownWord> {
        let listed: Vec<String> = self.listed(word).map(str::to_owned).collect();
        if !listed.is_empty() {
            return Ok(listed);
        }
        guess(word).map(|phones| vec![phones]).ok_or_else(|| UnknownWord { word: word.to_owned() })
    }

    fn listed(&self, word: &str) -> impl Iterator<Item = &str> {
        let from = self.lines.partition_point(|&line| entry(&self.text, line).0 < word);
        let word = word.to_owned();
        self.lines[from..]
            .iter()
            .map(|&line| entry(&self.text, line))
            .take_while(move |(listed, _)| **listed == *word)
            .map(|(_, phones)| phones)
    }
}

impl fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lexicon").field("entries", &self.entries()).finish_non_exhaustive()
    }
}

/// The word, without the number of its pronunciation, and the phones of a line.
fn entry(text: &str, line: u32) -> (&str, &str) {
    let line = &text[line as usize..];
    let line = line.split('\n').next().unwrap_or(line).trim();
    let (word, phones) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word.split_once('(').map_or(word, |(word, _)| word), phones.trim())
}

/// Letters, longest first, and the phones that they mostly stand for.
const SOUNDS: [(&str, &str); 72] = [
    ("tion", "SH AH N"),
    ("sion", "ZH AH N"),
    ("ough", "AO"),
    ("augh", "AO"),
    ("eigh", "EY"),
    ("igh", "AY"),
    ("tch", "CH"),
    ("dge", "JH"),
    ("sch", "SH"),
    ("air", "EH R"),
    ("ear", "IH R"),
    ("eer", "IH R"),
    ("our", "AW R"),
    ("oor", "AO R"),
    ("ch", "CH"),
    ("ck", "K"),
    ("gh", "G"),
    ("kn", "N"),
    ("ng", "NG"),
    ("ph", "F"),
    ("qu", "K W"),
    ("sh", "SH"),
    ("th", "TH"),
    ("wh", "W"),
    ("wr", "R"),
    ("ai", "EY"),
    ("ay", "EY"),
    ("au", "AO"),
    ("aw", "AO"),
    ("ea", "IY"),
    ("ee", "IY"),
    ("ei", "EY"),
    ("eu", "Y UW"),
    ("ew", "UW"),
    ("ey", "IY"),
    ("ie", "IY"),
    ("oa", "OW"),
    ("oi", "OY"),
    ("oy", "OY"),
    ("oo", "UW"),
    ("ou", "AW"),
    ("ow", "OW"),
    ("ue", "UW"),
    ("ui", "UW"),
    ("ar", "AA R"),
    ("er", "ER"),
    ("ir", "ER"),
    ("or", "AO R"),
    ("ur", "ER"),
    ("a", "AE"),
    ("b", "B"),
    ("c", "K"),
    ("d", "D"),
    ("e", "EH"),
    ("f", "F"),
    ("g", "G"),
    ("h", "HH"),
    ("i", "IH"),
    ("j", "JH"),
    ("k", "K"),
    ("l", "L"),
    ("m", "M"),
    ("n", "N"),
    ("o", "AA"),
    ("p", "P"),
    ("r", "R"),
    ("s", "S"),
    ("t", "T"),
    ("u", "AH"),
    ("v", "V"),
    ("w", "W"),
    ("z", "Z"),
];

/// A vowel letter before one consonant and a silent "e".
const LONG: [(char, &str); 6] =
    [('a', "EY"), ('e', "IY"), ('i', "AY"), ('o', "OW"), ('u', "UW"), ('y', "AY")];

/// Guesses the phones of a word from its letters; `None` where they are not a to z.
fn guess(word: &str) -> Option<String> {
    let letters: String = word.chars().filter(|&c| c != '\'' && c != '-').collect();
    if letters.is_empty() || !letters.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let mut phones: Vec<&str> = Vec::new();
    let mut rest = letters.as_str();
    while let Some(first) = rest.chars().next() {
        let (phone, taken) = sound(rest, first, phones.is_empty());
        if !phone.is_empty() {
            phones.push(phone);
        }
        rest = &rest[taken..];
    }
    Some(phones.join(" ")).filter(|phones| !phones.is_empty())
}

/// The phones at the head of the rest of a word, and how many letters they take.
fn sound(rest: &str, first: char, at_begin: bool) -> (&'static str, usize) {
    let next = rest.chars().nth(1);
    let is_vowel = |c: char| "aeiouy".contains(c);
    let long = LONG.iter().find(|(vowel, _)| *vowel == first);
    let silent_e = rest.len() == 3 && rest.ends_with('e') && next.is_some_and(|c| !is_vowel(c));
    if let (Some(&(_, phone)), true) = (long, silent_e) {
        return (phone, 1);
    }
    match (first, next) {
        ('e', None) if !at_begin => return ("", 1),
        ('y', Some(_)) if at_begin => return ("Y", 1),
        ('y', _) => return ("IY", 1),
        ('o', None) => return ("OW", 1),
        ('x', _) if at_begin => return ("Z", 1),
        ('x', _) => return ("K S", 1),
        ('q', Some(c)) if c != 'u' => return ("K", 1),
        ('q', None) => return ("K", 1),
        ('c', Some('e' | 'i' | 'y')) => return ("S", 1),
        ('g', Some('e' | 'i' | 'y')) => return ("JH", 1),
        (_, Some(c)) if c == first && !is_vowel(c) => return ("", 1),
        _ => {}
    }
    SOUNDS
        .iter()
        .find(|(letters, _)| rest.starts_with(letters))
        .map_or(("", 1), |(letters, phones)| (phones, letters.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DICTIONARY: &str = "\
zero Z IH R OW
zero(2)\tZ IY R OW
zeros Z IH R OW Z

one W AH N
";

    #[test]
    fn every_pronunciation_of_a_word_is_found_and_no_other_words() {
        let lexicon = Lexicon::parse(DICTIONARY.into());
        assert_eq!(lexicon.entries(), 4);
        assert_eq!(lexicon.pronunciations("zero").unwrap(), ["Z IH R OW", "Z IY R OW"]);
        assert_eq!(lexicon.pronunciations("one").unwrap(), ["W AH N"]);
        assert!(!lexicon.contains("zer"));
    }

    #[test]
    fn a_word_that_is_not_listed_is_spelt_out() {
        let lexicon = Lexicon::parse(String::new());
        for (word, phones) in [
            ("northline", "N AO R TH L AY N"),
            ("parcel", "P AA R S EH L"),
            ("shack", "SH AE K"),
            ("bunny", "B AH N IY"),
            ("quix", "K W IH K S"),
        ] {
            assert_eq!(lexicon.pronunciations(word).unwrap(), [phones], "{word}");
        }
    }

    #[test]
    fn a_word_of_figures_is_refused_by_name() {
        let lexicon = Lexicon::parse(DICTIONARY.into());
        for word in ["24h", "!", "naïve", ""] {
            let refused = lexicon.pronunciations(word).unwrap_err();
            assert_eq!(refused, UnknownWord { word: word.into() });
        }
    }

    proptest::proptest! {
        #[test]
        fn any_string_of_letters_has_phones_of_the_models(word in "[a-z]{1,12}") {
            let lexicon = Lexicon::parse(String::new());
            if let Ok(said) = lexicon.pronunciations(&word) {
                for phone in said[0].split(' ') {
                    proptest::prop_assert!(super::super::grammar::PHONES.contains(&phone));
                }
            }
        }
    }
}
