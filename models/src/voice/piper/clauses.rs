//! A sentence as clauses, each a line for the phonemizer with the mark that ends it, and clauses as
//! runs, each spoken by the model at once.
//!
//! Pure. A phonemizer drops marks, and a model pauses at them: so a clause ends at each mark. A run
//! is a sentence, or a part of a long one that begins and ends between words.

use std::ops::Range;

use super::super::words::{Pause, Written};

/// How long a run may be, in letters as spoken: some 20 s of speech, and few enough for the model,
/// whose work grows with the square.
const RUN_MAX: usize = 300;
/// A sentence longer than this, some 5 s of speech, has its begin spoken first.
const LONG: usize = 75;
/// A first run is at least so long, and lasts at least this share of what is made while it plays.
const FIRST_MIN: usize = 12;
const FIRST_SHARE: usize = 3;
/// Letters that a figure is spoken by, in a number of several ("ninety nine trillion").
const LETTERS_A_FIGURE: usize = 7;

/// What is spoken between two marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clause {
    /// Words for the phonemizer, each with the index of the written word that it belongs to; plain
    /// ASCII letters, figures, and within them `' . , : -`.
    pub(super) spoken: Vec<(usize, String)>,
    /// The mark that ends it.
    pub(super) mark: Option<char>,
}

impl Clause {
    /// What the phonemizer reads: one line.
    pub(super) fn line(&self) -> String {
        let words: Vec<&str> = self.spoken.iter().map(|(_, word)| word.as_str()).collect();
        words.join(" ")
    }

    fn length(&self) -> usize {
        self.spoken.iter().map(|(_, word)| length(word)).sum()
    }
}

/// What the model speaks at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// What is spoken; none where no word has a sound.
    pub(super) clauses: Vec<Clause>,
    /// The written words that it has.
    pub(super) words: Range<usize>,
}

/// The runs of a sentence.
pub(super) fn runs(words: &[Written<'_>]) -> Vec<Run> {
    let clauses = clauses(words);
    let whole: usize = clauses.iter().map(Clause::length).sum();
    let mut runs = Vec::new();
    let (mut first_clause, mut first_word, mut length) = (0, 0, 0);
    for (place, clause) in clauses.iter().enumerate() {
        length += clause.length();
        let Some(next) = clauses.get(place + 1) else { break };
        let next_word = next.spoken.first().map_or(words.len(), |(word, _)| *word);
        let is_between_words = clause.spoken.last().is_some_and(|(word, _)| *word < next_word);
        let is_begin = runs.is_empty()
            && whole > LONG
            && length >= FIRST_MIN
            && FIRST_SHARE * length >= whole - length;
        if is_between_words && (is_begin || length + next.length() > RUN_MAX) {
            let clauses = clauses[first_clause..=place].to_vec();
            runs.push(Run { clauses, words: first_word..next_word });
            (first_clause, first_word, length) = (place + 1, next_word, 0);
        }
    }
    runs.push(Run { clauses: clauses[first_clause..].to_vec(), words: first_word..words.len() });
    runs
}

fn clauses(words: &[Written<'_>]) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mut now = Clause { spoken: Vec::new(), mark: None };
    for (index, word) in words.iter().enumerate() {
        for token in &word.tokens {
            speakable(&token.name, |spoken| now.spoken.push((index, spoken)));
            now.mark = mark(token.pause);
            if now.mark.is_some() {
                clauses
                    .push(std::mem::replace(&mut now, Clause { spoken: Vec::new(), mark: None }));
            }
        }
        let next = words
            .get(index + 1)
            .map_or(0, |next| next.tokens.iter().map(|token| length(&token.name)).sum());
        if now.length() + next > RUN_MAX && !now.spoken.is_empty() {
            clauses.push(std::mem::replace(&mut now, Clause { spoken: Vec::new(), mark: None }));
        }
    }
    if !now.spoken.is_empty() {
        clauses.push(now);
    }
    clauses
}

const fn mark(pause: Pause) -> Option<char> {
    match pause {
        Pause::None => None,
        Pause::Comma => Some(','),
        Pause::Stop => Some('.'),
        Pause::Exclamation => Some('!'),
        Pause::Question => Some('?'),
    }
}

/// What espeak-ng is to read for a token: it says "$12" as two words in the wrong order.
fn speakable(name: &str, mut give: impl FnMut(String)) {
    let Some(amount) = name.strip_prefix('$') else { return give(name.to_owned()) };
    let (whole, cents) = amount.split_once('.').unwrap_or((amount, ""));
    give(whole.to_owned());
    give(if whole == "1" { "dollar" } else { "dollars" }.to_owned());
    let cents = cents.trim_start_matches('0');
    if !cents.is_empty() {
        give(cents.to_owned());
    }
}

fn length(word: &str) -> usize {
    let figures = word.chars().filter(char::is_ascii_digit).count();
    word.len() + figures * (LETTERS_A_FIGURE - 1)
}

#[cfg(test)]
mod tests {
    use super::super::super::words::written_words;
    use super::*;

    /// Lines with their marks, runs apart by " / ".
    fn shown(text: &str) -> String {
        let clause = |it: &Clause| it.line() + &it.mark.map(String::from).unwrap_or_default();
        let run = |it: &Run| it.clauses.iter().map(clause).collect::<Vec<_>>().join(" ");
        runs(&written_words(text)).iter().map(run).collect::<Vec<_>>().join(" / ")
    }

    #[test]
    fn a_clause_ends_at_its_mark_and_amounts_are_read_as_they_are_said() {
        for (text, expected) in [
            ("Hello, this is it.", "Hello, this is it."),
            ("Yes", "Yes"),
            ("It is $12.50, not $1!", "It is 12 dollars 50, not 1 dollar!"),
            ("by 6:30 p.m. today?", "by 6:30 p.m today?"),
            ("yes—no", "yes, no"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn the_begin_of_a_long_sentence_is_spoken_first() {
        let text = "Your parcel is out for delivery today, and the driver will be with you \
                    between two and four, or a little later.";
        let expected = "Your parcel is out for delivery today, / and the driver will be with you \
                        between two and four, or a little later.";
        assert_eq!(shown(text), expected);
        // "Yes," would be over long before the rest is made.
        let text = text.replacen("Your", "Yes, your", 1);
        assert!(shown(&text).starts_with("Yes, your parcel is out for delivery today, / and"));
    }

    #[test]
    fn runs_have_every_word_once_and_end_between_words() {
        for text in [
            "привет",
            "say привет, or добрый день, and then a good deal more of what is English, yes",
            "a,b,c,d",
            &"no end of words ".repeat(40),
            &"99999999999999999999 ".repeat(11),
            &"yes—no".repeat(40),
        ] {
            let words = written_words(text);
            let runs = runs(&words);
            let mut next = 0;
            for run in &runs {
                assert_eq!(run.words.start, next, "{text}");
                next = run.words.end;
                let mut spoken = run.clauses.iter().flat_map(|clause| &clause.spoken);
                assert!(spoken.all(|(word, _)| run.words.contains(word)), "{text}: {run:?}");
                let length: usize = run.clauses.iter().map(Clause::length).sum();
                assert!(length <= RUN_MAX || run.words.len() == 1, "{text}: {length}");
            }
            assert_eq!(next, words.len(), "{text}");
        }
    }
}
