//! What the model is fed: the ids of a run's phonemes, and which word each is of.
//!
//! Pure. The form is Piper's: a begin, each phoneme and a pad after it, an end; the mark of a
//! clause is a phoneme too, and a space comes before the next clause.

use std::ops::Range;

use super::description::Description;

/// Ids with the word of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// What the model is fed.
    pub(super) ids: Vec<i32>,
    words: Vec<Option<usize>>,
}

impl Sequence {
    /// Begins one.
    pub(super) fn new(voice: &Description) -> Self {
        let mut sequence = Self { ids: Vec::new(), words: Vec::new() };
        sequence.push(voice.begin(), None);
        sequence.push(voice.pad(), None);
        sequence
    }

    /// Adds a phoneme; one that the voice does not know is left out.
    pub(super) fn phoneme(&mut self, voice: &Description, phoneme: char, word: Option<usize>) {
        for id in voice.ids_of(phoneme) {
            self.push(&[*id], word);
            self.push(voice.pad(), word);
        }
    }

    /// Ends it.
    pub(super) fn end(&mut self, voice: &Description) {
        self.push(voice.end(), None);
    }

    /// Begin and end of each of so many words, s, given how long each id lasts, in any unit, and
    /// how long all last, s; none for a word without a sound.
    pub(super) fn times(&self, lengths: &[f32], words: Range<usize>, whole_s: f32) -> Times {
        let sum: f32 = lengths.iter().sum();
        let unit_s = if sum > 0.0 { whole_s / sum } else { 0.0 };
        let mut times: Times = vec![None; words.len()];
        let mut now_s = 0.0;
        for (length, word) in lengths.iter().zip(&self.words) {
            let end_s = now_s + length * unit_s;
            let place = word.and_then(|word| word.checked_sub(words.start));
            if let Some(time) = place.and_then(|place| times.get_mut(place)) {
                let begin_s = time.map_or(now_s, |(begin_s, _)| begin_s);
                *time = Some((begin_s, end_s));
            }
            now_s = end_s;
        }
        times
    }

    fn push(&mut self, ids: &[i32], word: Option<usize>) {
        self.ids.extend(ids);
        self.words.extend(ids.iter().map(|_| word));
    }
}

/// Begin and end of each word, s.
pub(super) type Times = Vec<Option<(f32, f32)>>;

#[cfg(test)]
mod tests {
    use super::super::description::tests::SMALL;
    use super::*;

    #[test]
    fn phonemes_have_pads_between_and_words_the_time_of_theirs() {
        let voice = Description::parse(SMALL).unwrap();
        let mut sequence = Sequence::new(&voice);
        sequence.phoneme(&voice, 'a', Some(4));
        sequence.phoneme(&voice, '?', Some(4));
        sequence.phoneme(&voice, ' ', None);
        sequence.phoneme(&voice, 'b', Some(6));
        sequence.end(&voice);
        assert_eq!(sequence.ids, [1, 0, 14, 0, 15, 0, 3, 0, 16, 0, 2]);
        let times = sequence.times(&[2.0; 11], 4..7, 1.1);
        let near = |time: Option<(f32, f32)>, begin: f32, end: f32| {
            let (b, e) = time.unwrap();
            (b - begin).abs() < 1e-5 && (e - end).abs() < 1e-5
        };
        assert!(near(times[0], 0.2, 0.6) && times[1].is_none() && near(times[2], 0.8, 1.0));
    }
}
