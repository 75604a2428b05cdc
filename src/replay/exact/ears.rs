//! What was recognized of the caller's sound, and what that makes of another stretch of it.
//!
//! A turn that ends earlier or later than it did is a stretch that nobody recognized as such. Its
//! words are those of the recorded recognitions that lie in it; that a recognizer would have heard
//! the whole like its parts is an assumption, and told.

use std::time::Duration;

use cordboard_models::speech::{Hypothesis, HypothesisKind, Word};

use super::Recorded;
use super::asked::{Asked, Reply};
use crate::call::Input;
use crate::replay::record;

/// Recognitions that begin within this of each other begin with the same voice, ns.
const SAME_NS: u64 = 150_000_000;
/// A recognizer's delay where the record has none, ns.
const DELAY_NS: u64 = 300_000_000;
/// Sound before the first voice and after the last that a recognition is given, ns: where a
/// recognizer gives no times of words, they lie between.
const MARGIN_NS: u64 = 300_000_000;

/// A recorded recognition.
#[derive(Debug)]
struct Part {
    asked: u64,
    begin: u64,
    end: u64,
    finished: Option<u64>,
    /// The verdict, or the last that had been guessed where there was none.
    last: Option<Hypothesis>,
    /// From the end of the sound to the verdict.
    delay: Option<u64>,
    /// What was guessed meanwhile, and when.
    guesses: Vec<(u64, Hypothesis)>,
    words: Vec<Timed>,
}

/// A word and where it lies, ns since the ring.
#[derive(Clone, Debug)]
struct Timed {
    word: Word,
    begin: u64,
    end: u64,
}

impl Timed {
    fn is_within(&self, begin: u64, end: u64) -> bool {
        (begin..=end).contains(&u64::midpoint(self.begin, self.end))
    }
}

/// What becomes of a stretch of sound.
#[derive(Debug)]
pub(super) enum Verdict {
    /// What was said of that recognition then, and as long after its end.
    AsRecorded,
    /// This, so long after its end; and what is assumed by it.
    Made(Hypothesis, u64, &'static str),
}

/// What was recognized in a call.
#[derive(Debug)]
pub(super) struct Ears {
    parts: Vec<Part>,
    usual_delay: u64,
}

impl Ears {
    pub(super) fn of(recorded: &Recorded, asked: &Asked) -> Self {
        let each = asked.heard.iter().map(|heard| {
            let mut part = Part {
                asked: heard.asked,
                begin: heard.question.begin,
                end: heard.question.end,
                finished: heard.question.finished,
                last: None,
                delay: None,
                guesses: Vec::new(),
                words: Vec::new(),
            };
            heard.replies.iter().for_each(|reply| part.take(recorded, *reply));
            part.words = words(&part);
            part
        });
        let parts: Vec<Part> = each.collect();
        let mut delays: Vec<u64> = parts.iter().filter_map(|part| part.delay).collect();
        delays.sort_unstable();
        let usual_delay = delays.get(delays.len() / 2).copied().unwrap_or(DELAY_NS);
        Self { parts, usual_delay }
    }

    /// The recorded recognition that began with the same voice.
    pub(super) fn same(&self, asked: u64) -> Option<usize> {
        let near =
            self.parts.iter().enumerate().map(|(place, part)| (part.asked.abs_diff(asked), place));
        near.min().filter(|(apart, _)| *apart <= SAME_NS).map(|(_, place)| place)
    }

    /// What is guessed from `now` on while a recognition lasts that began at `begin`: what was
    /// guessed in other recorded recognitions than `same`, as far as it lies in this one.
    pub(super) fn guesses(
        &self,
        begin: u64,
        now: u64,
        same: Option<usize>,
    ) -> Vec<(u64, Hypothesis)> {
        let mut found = Vec::new();
        for (place, part) in self.parts.iter().enumerate() {
            if Some(place) == same {
                continue;
            }
            for (key, guess) in part.guesses.iter().filter(|(key, _)| *key > now) {
                let mut known = self.within(begin, part.begin.saturating_sub(1));
                known.extend(timed(guess, part).into_iter().filter(|it| it.begin >= begin));
                if !known.is_empty() {
                    let text = joined(&known, begin, guess.confidence, HypothesisKind::Partial);
                    found.push((*key, text));
                }
            }
        }
        found
    }

    /// What is said of a stretch of sound that was begun like `same`.
    pub(super) fn verdict(&self, same: Option<usize>, begin: u64, end: u64) -> Verdict {
        if let Some(part) = same.map(|place| &self.parts[place])
            && part.finished.is_some()
            && (part.end == end || self.holds_all_of(part, begin, end))
        {
            return Verdict::AsRecorded;
        }
        let contributing: Vec<&Part> = self
            .parts
            .iter()
            .filter(|part| part.words.iter().any(|word| word.is_within(begin, end)))
            .collect();
        let words = self.within(begin, end);
        let delay = contributing.last().and_then(|part| part.delay).unwrap_or(self.usual_delay);
        match contributing.as_slice() {
            [part] if part.words.len() == words.len() => {
                let verdict = part.last.clone().unwrap_or_else(nothing);
                Verdict::Made(finished(verdict), delay, MOVED)
            }
            [] => Verdict::Made(nothing(), delay, UNHEARD),
            parts => {
                let sure = parts.iter().filter_map(|part| part.last.as_ref());
                let confidence = sure.map(|last| last.confidence).fold(1.0, f32::min);
                let text = joined(&words, begin, confidence, HypothesisKind::Final);
                Verdict::Made(text, delay, COMPOSED)
            }
        }
    }

    /// What had been guessed of a recognition when it was called off.
    pub(super) fn last_of(&self, place: usize) -> Hypothesis {
        finished(self.parts[place].last.clone().unwrap_or_else(nothing))
    }

    /// Whether a stretch has every word of a recognition, and none of another.
    fn holds_all_of(&self, part: &Part, begin: u64, end: u64) -> bool {
        let all = part.words.iter().all(|word| word.is_within(begin, end));
        all && self.within(begin, end).len() == part.words.len()
    }

    fn within(&self, begin: u64, end: u64) -> Vec<Timed> {
        let words = self.parts.iter().flat_map(|part| &part.words);
        words.filter(|word| word.is_within(begin, end)).cloned().collect()
    }
}

const MOVED: &str = "a turn that ended at another time was heard as it was then";
const COMPOSED: &str = "a turn that was cut or merged has the words that were heard in its stretch";
const UNHEARD: &str = "speech that was not recognized then was not understood";

impl Part {
    fn take(&mut self, recorded: &Recorded, reply: Reply) {
        let input = &recorded.inputs[reply.number];
        let Ok(Input::Recognized { hypothesis, .. }) = record::decode(input.kind, &input.bytes)
        else {
            return;
        };
        match hypothesis.kind {
            HypothesisKind::Partial => self.guesses.push((reply.key, hypothesis.clone())),
            HypothesisKind::Final | HypothesisKind::Rejected => {
                self.delay = self.finished.map(|finished| reply.key.saturating_sub(finished));
            }
        }
        self.last = Some(hypothesis);
    }
}

fn words(part: &Part) -> Vec<Timed> {
    part.last.as_ref().map(|last| timed(last, part)).unwrap_or_default()
}

/// The words of a hypothesis where they lie; evenly, where nobody said when.
fn timed(hypothesis: &Hypothesis, part: &Part) -> Vec<Timed> {
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    if !hypothesis.words.is_empty() {
        let at = |word: &Word| Timed {
            begin: part.begin.saturating_add(ns(word.begin)),
            end: part.begin.saturating_add(ns(word.end)),
            word: word.clone(),
        };
        return hypothesis.words.iter().map(at).collect();
    }
    let texts: Vec<&str> = hypothesis.text.split_whitespace().collect();
    let begin = part.begin.saturating_add(MARGIN_NS).min(part.end);
    let end = part.end.saturating_sub(MARGIN_NS).max(begin);
    let each = (end - begin) / (texts.len() as u64).max(1);
    let at = |(nth, text): (usize, &str)| {
        let begin = begin + each * nth as u64;
        let (text, confidence) = (text.to_owned(), hypothesis.confidence);
        let word = Word { text, begin: Duration::ZERO, end: Duration::ZERO, confidence };
        Timed { word, begin, end: begin + each }
    };
    texts.into_iter().enumerate().map(at).collect()
}

fn joined(words: &[Timed], begin: u64, confidence: f32, kind: HypothesisKind) -> Hypothesis {
    let texts: Vec<&str> = words.iter().map(|timed| timed.word.text.as_str()).collect();
    let since = |ns: u64| Duration::from_nanos(ns.saturating_sub(begin));
    let word = |timed: &Timed| Word {
        begin: since(timed.begin),
        end: since(timed.end),
        ..timed.word.clone()
    };
    Hypothesis {
        text: texts.join(" "),
        stable_words: words.len(),
        words: words.iter().map(word).collect(),
        confidence,
        kind,
    }
}

/// A guess as a verdict.
fn finished(mut hypothesis: Hypothesis) -> Hypothesis {
    if hypothesis.kind == HypothesisKind::Partial {
        hypothesis.kind = HypothesisKind::Final;
    }
    hypothesis
}

/// No word was understood.
fn nothing() -> Hypothesis {
    Hypothesis {
        text: String::new(),
        words: Vec::new(),
        stable_words: 0,
        confidence: 0.0,
        kind: HypothesisKind::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A recognition of sound from one time to another, ms, with words of 200 ms from 300 ms on.
    fn part(begin_ms: u64, end_ms: u64, words: &[(&str, u64)]) -> Part {
        let each = words.iter().map(|(text, at_ms)| Word {
            text: (*text).to_owned(),
            begin: Duration::from_millis(at_ms - begin_ms),
            end: Duration::from_millis(at_ms + 200 - begin_ms),
            confidence: 0.9,
        });
        let words: Vec<Word> = each.collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let kind = HypothesisKind::Final;
        let stable_words = words.len();
        let last = Hypothesis { text, words, stable_words, confidence: 0.8, kind };
        let mut part = Part {
            asked: (begin_ms + 300) * MS,
            begin: begin_ms * MS,
            end: end_ms * MS,
            finished: Some(end_ms * MS),
            last: Some(last),
            delay: Some(120 * MS),
            guesses: Vec::new(),
            words: Vec::new(),
        };
        part.words = super::words(&part);
        part
    }

    fn made(verdict: Verdict) -> (String, f32, u64) {
        match verdict {
            Verdict::Made(hypothesis, delay, _) => {
                (hypothesis.text, hypothesis.confidence, delay / MS)
            }
            Verdict::AsRecorded => panic!("it is made of the record"),
        }
    }

    fn ears(parts: Vec<Part>) -> Ears {
        Ears { parts, usual_delay: 300 * MS }
    }

    #[test]
    fn the_same_words_in_a_longer_or_shorter_silence_are_what_was_recognized() {
        let ears = ears(vec![part(0, 2_000, &[("yes", 400), ("please", 700)])]);
        assert_eq!(ears.same(350 * MS), Some(0));
        assert_eq!(ears.same(700 * MS), None);
        for end_ms in [1_200, 2_000, 2_700] {
            let verdict = ears.verdict(Some(0), 0, end_ms * MS);
            assert!(matches!(verdict, Verdict::AsRecorded), "{end_ms}");
        }
    }

    #[test]
    fn a_turn_that_is_cut_gives_each_part_its_own_words() {
        let words = [("one", 400), ("two", 700), ("three", 2_400), ("four", 2_700)];
        let ears = ears(vec![part(0, 4_000, &words)]);
        let first = made(ears.verdict(Some(0), 0, 1_500 * MS));
        assert_eq!(first, ("one two".to_owned(), 0.8, 120));
        let second = made(ears.verdict(None, 2_000 * MS, 3_500 * MS));
        assert_eq!(second, ("three four".to_owned(), 0.8, 120));
    }

    #[test]
    fn turns_that_are_merged_have_the_words_of_both() {
        let parts = vec![
            part(0, 1_500, &[("one", 400), ("two", 700)]),
            part(2_000, 3_500, &[("three", 2_400)]),
        ];
        let ears = ears(parts);
        let all = made(ears.verdict(Some(0), 0, 3_500 * MS));
        assert_eq!(all, ("one two three".to_owned(), 0.8, 120));
        let nothing = made(ears.verdict(None, 5_000 * MS, 6_000 * MS));
        assert_eq!(nothing, (String::new(), 0.0, 300));
    }

    #[test]
    fn words_without_times_lie_evenly_in_their_sound() {
        let mut part = part(0, 2_600, &[("one", 400)]);
        part.last = Some(Hypothesis { text: "one two".to_owned(), ..nothing() });
        part.words = words(&part);
        let ears = ears(vec![part]);
        assert_eq!(made(ears.verdict(Some(0), 0, 1_200 * MS)).0, "one");
    }
}
