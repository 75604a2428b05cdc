//! What humans of ours say, and when a caller heard them first.
//!
//! The words are known by their sound (`likeness`), as what a far end says is. A sentence counts
//! where all of it came: one whose begin was lost as the caller was joined is not heard, and the
//! next one is, a few seconds later.

use std::fmt;
use std::sync::Arc;

use super::super::super::likeness::Print;
use super::super::studio::{SoundFault, Studio};

/// A voice that is no caller's where a scenario names none, nor the assistant's.
const HUMANS_VOICE: &str = "awb";
/// First of all. The parts are found by themselves.
const GREETING: [&str; 2] = ["Hello, this is the human desk.", "What can I do for you today?"];
/// In turn, as long as the call lasts.
const SENTENCES: [&str; 3] = [
    "I am still here, and I am listening to you.",
    "Please go on, I am writing this down.",
    "Just a moment, I am looking at your papers.",
];

/// All that they say.
#[derive(Clone)]
pub struct HumanWords {
    pub(super) greeting: Arc<[f32]>,
    pub(super) sentences: Vec<Arc<[f32]>>,
    prints: Vec<Print>,
}

impl fmt::Debug for HumanWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HumanWords").field("prints", &self.prints.len()).finish_non_exhaustive()
    }
}

impl HumanWords {
    /// Has a studio speak them.
    ///
    /// # Errors
    /// [`SoundFault`] where the voice is not here.
    pub fn spoken(studio: &mut Studio) -> Result<Self, SoundFault> {
        let mut say = |parts: &[&str]| studio.say(HUMANS_VOICE, 1.0, parts);
        let [first, second] = GREETING;
        let greeting = say(&[first, "200ms", second])?;
        let sentences = SENTENCES.iter().map(|it| say(&[it])).collect::<Result<Vec<_>, _>>()?;
        let parts = GREETING.iter().map(|it| say(&[it])).collect::<Result<Vec<_>, _>>()?;
        let prints = sentences.iter().chain(&parts).map(|it| Print::of(it)).collect();
        Ok(Self { greeting, sentences, prints })
    }

    /// When the first of them begins in what came, ms; 8 kHz.
    #[must_use]
    pub fn first_in(&self, samples: &[i16]) -> Option<usize> {
        let samples: Vec<f32> = samples.iter().map(|it| f32::from(*it) / 32_768.0).collect();
        let heard = Print::of(&samples);
        let mut first: Option<usize> = None;
        for print in &self.prints {
            // What is looked for may have come twice, and the best place be the later one.
            let mut before = first.map_or_else(|| heard.clone(), |it| heard.before(it));
            while let Some(found) = print.found_in(&before).filter(|it| it.is_it()) {
                first = Some(found.at_ms);
                before = heard.before(found.at_ms);
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sounds: &[&[f32]]) -> Vec<i16> {
        let mut samples = vec![0.0; 8_000];
        for sound in sounds {
            samples.extend(sound.iter().map(|it| it * 0.4));
            samples.extend([0.0; 4_000]);
        }
        samples.iter().map(|it| (it * 32_767.0) as i16).collect()
    }

    #[test]
    fn the_first_of_a_humans_words_is_found_whichever_it_is_and_nobody_elses() {
        let mut studio = Studio::default();
        let words = HumanWords::spoken(&mut studio).unwrap();
        let other = studio.say("slt", 1.0, &["How can I help you?"]).unwrap();
        let same_voice = studio.say(HUMANS_VOICE, 1.0, &["Where is my order, please?"]).unwrap();
        let [two, three] = [&*words.sentences[1], &*words.sentences[2]];
        assert_eq!(words.first_in(&line(&[&other, &same_voice])), None);
        let before = (8_000 + other.len() + 4_000) / 8;
        for sounds in [
            [&*other, &words.greeting, two, three],
            [&*other, two, three, two],
            // The greeting's begin is lost; its second part is whole.
            [&*other, &words.greeting[6_000..], two, three],
        ] {
            let found = words.first_in(&line(&sounds)).unwrap();
            let lost = if sounds[1].len() + 6_000 == words.greeting.len() { 1_700 } else { 100 };
            assert!(found.abs_diff(before) < lost, "{found}, not {before}");
        }
        assert_eq!(words.first_in(&[]), None);
    }
}
