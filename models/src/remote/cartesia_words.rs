//! Cuts streamed sound between words, so that what follows a piece can be spoken by another voice.
//!
//! Pure. Sound and word times come in any order; a piece is given out when it ends where a word
//! begins. Pieces grow, so that the first is early and a long text makes few of them.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::SampleRate;

use crate::speech::{Speech, SpokenWord};

/// Length of the first piece at least, ms; each further one is twice as long.
const FIRST_MS: u64 = 240;
/// Length from which pieces grow no more, ms.
const LAST_MS: u64 = 4_000;

/// Sound and words of one text.
#[derive(Debug)]
pub(super) struct Pieces {
    rate: SampleRate,
    /// The text's own words.
    text: Vec<Arc<str>>,
    samples: Vec<f32>,
    /// Begin and end of the words whose times came, from the first sample.
    times: Vec<(Duration, Duration)>,
    /// Words and samples given out.
    given_words: usize,
    given_samples: usize,
    next_ms: u64,
}

impl Pieces {
    pub(super) fn new(text: &str, rate: SampleRate) -> Self {
        Self {
            rate,
            text: text.split_whitespace().map(Arc::from).collect(),
            samples: Vec::new(),
            times: Vec::new(),
            given_words: 0,
            given_samples: 0,
            next_ms: FIRST_MS,
        }
    }

    /// Takes sound; the length of all so far.
    pub(super) fn sound(&mut self, samples: impl Iterator<Item = f32>) -> Duration {
        self.samples.extend(samples);
        self.length(self.samples.len())
    }

    /// Whether no sound has come.
    pub(super) fn is_silent(&self) -> bool {
        self.samples.is_empty()
    }

    /// Takes the times of a word, in the order of the text. Words that the text does not have (the
    /// vendor's reading of a figure) lengthen the one before them.
    pub(super) fn word(&mut self, word: &str, begin: Duration, end: Duration) {
        let begin = self.times.last().map_or(begin, |last| begin.max(last.0));
        let end = end.max(begin);
        let place = self.times.len();
        let ahead = self.text.iter().skip(place).take(4).position(|own| same(own, word));
        match ahead {
            Some(missed) => {
                // The vendor left words out: they are taken to lie at this one's begin.
                self.times.extend(std::iter::repeat_n((begin, begin), missed));
                self.times.push((begin, end));
            }
            None if place == 0 => self.times.push((begin, end)),
            None => {
                if let Some(last) = self.times.last_mut() {
                    last.1 = end;
                }
            }
        }
    }

    /// The next piece, where one is ready that ends between words.
    pub(super) fn next(&mut self) -> Option<Speech> {
        let have = self.length(self.samples.len());
        // A word is whole where the next one's begin is known and its sound has come.
        let known = self.times.len().saturating_sub(1).max(self.given_words);
        let whole = (self.given_words..known)
            .take_while(|word| self.times.get(word + 1).is_some_and(|next| next.0 <= have))
            .count();
        let upto = self.given_words + whole;
        let cut = self.times.get(upto).filter(|_| whole > 0)?.0;
        let given = self.length(self.given_samples);
        if cut.saturating_sub(given) < Duration::from_millis(self.next_ms) {
            return None;
        }
        Some(self.piece(upto, self.place(cut)))
    }

    /// What is left, at the end of all sound. Words whose times never came share what is left.
    pub(super) fn rest(&mut self) -> Option<Speech> {
        let end = self.length(self.samples.len());
        let timed = self.times.len().min(self.text.len());
        let from = self.times.last().map_or(Duration::ZERO, |last| last.1.min(end));
        let letters = |words: &[Arc<str>]| words.iter().map(|w| w.chars().count()).sum::<usize>();
        let all = letters(&self.text[timed..]).max(1) as f64;
        for word in timed..self.text.len() {
            let share = |upto: usize| letters(&self.text[timed..upto]) as f64 / all;
            let at = |share: f64| from + end.saturating_sub(from).mul_f64(share);
            let (begin, end) = (at(share(word)), at(share(word + 1)));
            self.times.push((begin, end));
        }
        let left = self.given_samples < self.samples.len();
        left.then(|| self.piece(self.text.len(), self.samples.len()))
    }

    fn piece(&mut self, upto_word: usize, upto_sample: usize) -> Speech {
        let origin = self.length(self.given_samples);
        let end = self.length(upto_sample);
        let within = |time: Duration| time.clamp(origin, end.max(origin)) - origin;
        let words = (self.given_words..upto_word.min(self.text.len())).map(|word| {
            let (begin, end) = self.times[word];
            let text = Arc::clone(&self.text[word]);
            SpokenWord { text, begin: within(begin), end: within(end) }
        });
        let words: Arc<[SpokenWord]> = words.collect();
        let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
        let speech = Speech {
            text: Arc::from(texts.join(" ")),
            rate: self.rate,
            samples: self.samples[self.given_samples..upto_sample].into(),
            words,
        };
        self.given_words = upto_word;
        self.given_samples = upto_sample;
        self.next_ms = (self.next_ms * 2).min(LAST_MS);
        speech
    }

    fn length(&self, samples: usize) -> Duration {
        Duration::from_secs_f64(samples as f64 / f64::from(self.rate.hz()))
    }

    fn place(&self, time: Duration) -> usize {
        let sample = (time.as_secs_f64() * f64::from(self.rate.hz())).round() as usize;
        sample.clamp(self.given_samples, self.samples.len())
    }
}

/// Whether two words differ in case and punctuation only.
fn same(own: &str, theirs: &str) -> bool {
    let bare = |word: &str| -> String {
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    bare(own) == bare(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn sound(pieces: &mut Pieces, ms: usize) {
        pieces.sound(std::iter::repeat_n(0.1, ms * 8));
    }

    #[test]
    fn a_piece_ends_where_a_word_begins_and_its_times_are_its_own() {
        let mut pieces = Pieces::new("Hello, good world.", SampleRate::NARROW);
        sound(&mut pieces, 500);
        assert!(pieces.next().is_none(), "no times yet");
        pieces.word("Hello", MS(0), MS(280));
        pieces.word("good", MS(300), MS(480));
        let first = pieces.next().expect("the first word is whole");
        assert_eq!((&*first.text, first.samples.len()), ("Hello,", 2_400));
        assert!(pieces.next().is_none());
        sound(&mut pieces, 500);
        pieces.word("world", MS(600), MS(900));
        assert!(pieces.next().is_none(), "the second piece is longer");
        let rest = pieces.rest().expect("the rest");
        assert_eq!(rest.samples.len(), 5_600);
        assert_eq!((&*rest.words[0].text, rest.words[0].begin), ("good", MS(0)));
        assert_eq!((&*rest.words[1].text, rest.words[1].begin), ("world.", MS(300)));
        assert!(pieces.rest().is_none());
    }

    #[test]
    fn words_that_the_vendor_reads_otherwise_keep_the_texts_own() {
        let mut pieces = Pieces::new("It costs $5 today", SampleRate::NARROW);
        sound(&mut pieces, 1_000);
        for (word, begin) in [("It", 0), ("costs", 200), ("five", 400), ("dollars", 500)] {
            pieces.word(word, MS(begin), MS(begin + 90));
        }
        pieces.word("today", MS(700), MS(990));
        let mut words = Vec::new();
        while let Some(piece) = pieces.next().or_else(|| pieces.rest()) {
            words.extend(piece.words.iter().map(|word| word.text.to_string()));
        }
        assert_eq!(words, ["It", "costs", "$5", "today"]);
    }

    #[test]
    fn without_any_times_words_share_the_sound_by_their_letters() {
        let mut pieces = Pieces::new("one three", SampleRate::NARROW);
        sound(&mut pieces, 800);
        let speech = pieces.rest().expect("the whole");
        assert_eq!(speech.words.len(), 2);
        assert_eq!(speech.words[1].begin, MS(300));
        assert_eq!(speech.words[1].end, MS(800));
    }
}
