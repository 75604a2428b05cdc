//! From the engine's best paths to words and evidence. Pure.

use std::time::Duration;

use super::decoder::Segment;
use crate::ears::confidence::{Calibration, Evidence};
use crate::ears::grammar::{HESITATIONS, PHONE_MARK, PHONES};
use crate::speech::{Hypothesis, HypothesisKind, Word};

/// Frames of the engine, 10 ms.
const FRAME: Duration = Duration::from_millis(10);

/// Acoustic score of a phone loop, that any stretch of an utterance can be compared with.
#[derive(Debug)]
pub(super) struct PhoneLoop {
    /// Score of all frames before each frame.
    before: Vec<f64>,
    /// Frames that are speech.
    speech_frames: u32,
}

impl PhoneLoop {
    /// Reads the best path of a phone loop.
    pub(super) fn new(phones: &[Segment]) -> Self {
        let mut before = vec![0.0];
        let mut sum = 0.0;
        for phone in phones {
            let share = phone.acoustic as f64 / f64::from(frames(phone));
            while before.len() <= phone.last as usize + 1 {
                sum += share;
                before.push(sum);
            }
        }
        let is_speech = |phone: &&Segment| PHONES.contains(&phone.word.as_str());
        let speech_frames = phones.iter().filter(is_speech).map(frames).sum();
        Self { before, speech_frames }
    }

    /// Frames that it takes for speech.
    pub(super) fn speech_frames(&self) -> u32 {
        self.speech_frames
    }

    /// How much worse, per frame, a word explains its stretch; 0 is as well.
    fn difference(&self, word: &Segment) -> f64 {
        let at = |frame: u32| self.before[(frame as usize).min(self.before.len() - 1)];
        let score = at(word.last + 1) - at(word.first);
        (word.acoustic as f64 - score) / f64::from(frames(word))
    }

    /// Compares a path of words with the loop.
    ///
    /// `whole` says whether the path reaches the end of its grammar.
    pub(super) fn weigh(&self, path: &[Segment], whole: bool) -> Evidence {
        let (mut sum, mut worst, mut speech_frames, mut words) = (0.0, 0.0_f64, 0, 0);
        let mut overall = 0.0;
        for word in path {
            let difference = self.difference(word);
            overall += difference * f64::from(frames(word));
            if !is_word(&word.word) {
                continue;
            }
            sum += difference * f64::from(frames(word));
            worst = worst.min(difference);
            speech_frames += frames(word);
            words += 1;
        }
        Evidence {
            per_frame: (sum / f64::from(speech_frames.max(1))) as f32,
            worst_word: worst as f32,
            overall: (overall / f64::from(path.iter().map(frames).sum::<u32>().max(1))) as f32,
            speech_frames,
            loop_frames: self.speech_frames,
            words,
            whole,
        }
    }

    /// Gives each word of a path the confidence that it would have alone.
    pub(super) fn judged(&self, path: &[Segment], calibration: &Calibration) -> Vec<Word> {
        words(path, |segment| calibration.probability(&self.weigh_alone(segment)))
    }

    fn weigh_alone(&self, word: &Segment) -> Evidence {
        let mut evidence = self.weigh(std::slice::from_ref(word), true);
        evidence.loop_frames = evidence.speech_frames;
        evidence
    }
}

/// The words of a path that is not yet whole, all of the same confidence.
pub(super) fn unsettled(path: &[Segment], confidence: f32) -> Vec<Word> {
    words(path, |_| confidence)
}

/// A hypothesis of these words.
pub(super) fn hypothesis(words: Vec<Word>, confidence: f32, kind: HypothesisKind) -> Hypothesis {
    Hypothesis { text: text(&words), stable_words: words.len(), words, confidence, kind }
}

/// The words of a path, without silence, hesitations and the stand-ins of unknown words.
fn words(path: &[Segment], confidence: impl Fn(&Segment) -> f32) -> Vec<Word> {
    path.iter()
        .filter(|segment| is_word(&segment.word) && !segment.word.starts_with(PHONE_MARK))
        .map(|segment| Word {
            text: base(&segment.word).to_owned(),
            begin: FRAME * segment.first,
            end: FRAME * (segment.last + 1),
            confidence: confidence(segment),
        })
        .filter(|word| !HESITATIONS.contains(&word.text.as_str()))
        .collect()
}

fn text(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// The word without the number of its pronunciation.
fn base(word: &str) -> &str {
    word.split_once('(').map_or(word, |(word, _)| word)
}

fn frames(segment: &Segment) -> u32 {
    segment.last.saturating_sub(segment.first) + 1
}

/// Whether a segment is a word, and no silence, noise or mark of the engine ("<sil>", "[NOISE]").
fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.starts_with(['<', '[', '+', '('])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(word: &str, first: u32, last: u32, per_frame: i64) -> Segment {
        let acoustic = per_frame * i64::from(last - first + 1);
        Segment { word: word.into(), first, last, acoustic }
    }

    fn phones() -> PhoneLoop {
        PhoneLoop::new(&[
            segment("SIL", 0, 9, -5),
            segment("W", 10, 19, -10),
            segment("AH", 20, 29, -20),
            segment("+NSN+", 30, 39, -5),
        ])
    }

    #[test]
    fn a_path_as_good_as_the_loop_differs_by_nothing() {
        let path = [segment("<sil>", 0, 9, -7), segment("one(2)", 10, 29, -15)];
        let evidence = phones().weigh(&path, true);
        assert_eq!((evidence.per_frame, evidence.worst_word), (0.0, 0.0));
        assert_eq!((evidence.speech_frames, evidence.loop_frames, evidence.words), (20, 20, 1));
    }

    #[test]
    fn the_worst_word_is_found_and_the_mean_is_by_frames() {
        let path = [segment("one", 10, 19, -10), segment("two", 20, 39, -50)];
        let evidence = phones().weigh(&path, true);
        assert_eq!(evidence.worst_word, -37.5);
        assert_eq!(evidence.per_frame, -25.0);
    }

    #[test]
    fn words_come_without_silence_hesitations_and_marks() {
        let path = [
            segment("<sil>", 0, 9, 0),
            segment("um", 10, 14, 0),
            segment("zero(2)", 15, 19, 0),
            segment("%aa", 20, 24, 0),
            segment("[NOISE]", 25, 29, 0),
        ];
        let words = unsettled(&path, 0.5);
        assert_eq!(text(&words), "zero");
        assert_eq!(words[0].begin, Duration::from_millis(150));
        assert_eq!(words[0].end, Duration::from_millis(200));
    }

    #[test]
    fn a_path_past_the_end_of_the_loop_is_still_compared() {
        let evidence = PhoneLoop::new(&[]).weigh(&[segment("one", 0, 9, -10)], true);
        assert_eq!(evidence.per_frame, -10.0);
    }
}
