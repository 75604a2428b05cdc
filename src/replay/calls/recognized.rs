//! What the far end said, recognized again: for far ends whose voice is not here.
//!
//! After the call each sentence that is owed is listened for in the stretches of the far end's
//! speech that are about as long as it, in order, from where the last one ended. Absent: how a
//! recognizer tells a sentence from others, which is `cordboard_models::ears::said`.

use std::ops::Range;

use cordboard_models::ears::said::{Sentence, Verdict};
use cordboard_models::speech::{EngineFault, Recognizer};

use super::levels::{Levels, STEP_MS, STEP_SAMPLES};
use super::score::Score;
use super::take::Take;

/// Letters that voices say in a second, the slowest and the quickest. flite's and Piper's say 12
/// to 21.
const SLOWEST_LETTERS_A_S: usize = 7;
const QUICKEST_LETTERS_A_S: usize = 28;
/// Silence that is heard before and behind a stretch, steps.
const AROUND: usize = 20;
/// Stretches that a sentence may be of, at most, and places that are looked at for it.
const STRETCHES_MAX: usize = 6;
const PLACES_MAX: usize = 60;

/// Listens to calls that are over.
pub struct Listener(Box<dyn Recognizer>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

impl Listener {
    /// One that hears by this recognizer.
    #[must_use]
    pub fn new(ears: Box<dyn Recognizer>) -> Self {
        Self(ears)
    }

    /// Judges what was to be said, where nobody could tell by its sound.
    pub(super) fn judge(&mut self, take: &Take, score: &mut Score) {
        if !take.ending.is_a_call() || score.said.iter().all(|it| it.heard.is_some()) {
            return;
        }
        let stretches = Levels::of(&take.far.samples).speech();
        let mut from = 0;
        for said in score.said.iter_mut().filter(|it| it.heard.is_none()) {
            let sentence = Sentence::new(&said.words);
            match self.find(&sentence, &take.far.samples, &stretches[from.min(stretches.len())..]) {
                Ok(found) => {
                    let is_said = found.as_ref().is_some_and(|(verdict, _)| verdict.is_said);
                    said.heard = Some(is_said);
                    if let Some((verdict, count)) = found {
                        from += if is_said { count } else { 0 };
                        (said.recognized, said.confidence) =
                            (Some(verdict.heard), Some(verdict.confidence));
                    }
                    score.faults.extend((!is_said).then(|| said.fault()));
                }
                Err(why) => {
                    score.faults.push(format!("`{}` was not listened for: {why}", said.words));
                }
            }
        }
    }

    /// The first place at which a sentence was said, with the number of the stretch that it ends
    /// before; else what is most like it.
    fn find(
        &mut self,
        sentence: &Sentence,
        samples: &[i16],
        stretches: &[Range<usize>],
    ) -> Result<Option<(Verdict, usize)>, EngineFault> {
        let mut best: Option<(Verdict, usize)> = None;
        for (span, end) in places(sentence, stretches).into_iter().take(PLACES_MAX) {
            // Another run may begin where the one found does, not behind it.
            if best.as_ref().is_some_and(|(it, next)| it.is_said && end.begin + 1 >= *next) {
                break;
            }
            let verdict = sentence.judge(self.0.as_mut(), &sound(samples, &span))?;
            let is_better = best.as_ref().is_none_or(|(it, _)| {
                (verdict.is_said, verdict.confidence) > (it.is_said, it.confidence)
            });
            if is_better {
                best = Some((verdict, end.next));
            }
        }
        Ok(best)
    }
}

/// The numbers of a place's first stretch, and of the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretches {
    begin: usize,
    next: usize,
}

/// Runs of stretches that are about as long as a sentence takes, the earliest first, in steps.
fn places(sentence: &Sentence, stretches: &[Range<usize>]) -> Vec<(Range<usize>, Stretches)> {
    let letters: usize = sentence.words().iter().map(|it| it.chars().count() + 1).sum();
    let steps = |a_second: usize| letters * 1_000 / a_second / STEP_MS as usize;
    let (shortest, longest) = (steps(QUICKEST_LETTERS_A_S), steps(SLOWEST_LETTERS_A_S));
    let mut places = Vec::new();
    for (begin, first) in stretches.iter().enumerate() {
        for (at, last) in stretches.iter().enumerate().skip(begin).take(STRETCHES_MAX) {
            let long = last.end - first.start;
            if (shortest..=longest).contains(&long) {
                places.push((first.start..last.end, Stretches { begin, next: at + 1 }));
            }
        }
    }
    places
}

/// The sound of a place, with a little around it.
fn sound(samples: &[i16], span: &Range<usize>) -> Vec<f32> {
    let begin = span.start.saturating_sub(AROUND) * STEP_SAMPLES;
    let end = ((span.end + AROUND) * STEP_SAMPLES).min(samples.len());
    samples[begin.min(end)..end].iter().map(|it| f32::from(*it) / 32_768.0).collect()
}

#[cfg(test)]
#[path = "recognized_tests.rs"]
mod tests;
