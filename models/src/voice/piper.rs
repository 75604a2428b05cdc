//! A Piper voice: an ONNX model run by rten, its phonemes by espeak-ng in a process of its own.
//!
//! A voice is two files, `X.onnx` and its description `X.onnx.json`. A text is cut into sentences,
//! each spoken by itself; the begin of a long one is spoken first, so that it can be played while
//! the rest is made. Words are those of the text as written, and take the time of their phonemes,
//! which the network tells within; of one that does not, every phoneme is taken to last as long,
//! which finds pauses but is some 100 ms off within a clause. No two renderings of a text are
//! alike: the model draws noise. Deliberately absent: any language but English, files of sound, any
//! pool or cache.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cordboard_audio::SampleRate;

use super::sentences::sentences;
use super::sound::{self, BETWEEN_MS, Sound};
use super::words::{Written, written_words};
use crate::speech::{EngineFault, Speech, SpeechRequest, Synthesizer};

mod align;
mod clauses;
mod description;
mod network;
mod phonemizer;
mod sequence;

use clauses::{Clause, Run, runs};
use description::Description;
use network::Network;
use phonemizer::{PhonemeFault, Phonemizer};
use sequence::Sequence;

/// Name in errors.
const ENGINE: &str = "piper";

/// The program that gives phonemes.
pub const ESPEAK: &str = "espeak-ng";

/// Silence between two parts of one sentence at stretch 1, ms: at a mark, and at none.
const AT_MARK_MS: u32 = 120;
const AT_NO_MARK_MS: u32 = 0;

/// Why a Piper voice could not be opened; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PiperError {
    /// The model is not there or cannot be read.
    #[error(
        "the Piper voice {} cannot be read ({why}); run cordboard models pull \
         en_US-joe-medium.onnx, or set models.piper_voice", path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The file is no ONNX model, or not a whole one.
    #[error(
        "{} is no ONNX model, or a broken one ({why}); delete it and run cordboard models pull, or \
         set models.piper_voice", path.display()
    )]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// What rten said.
        why: String,
    },
    /// The model is another one.
    #[error(
        "{} is an ONNX model, but no Piper voice of one speaker, which takes input, input_lengths \
         and scales; set models.piper_voice to one", path.display()
    )]
    Unfit {
        /// Where it is.
        path: PathBuf,
    },
    /// The voice's description is not there or cannot be read.
    #[error(
        "the Piper voice's description {} cannot be read ({why}); it lies beside its model and is \
         published with it: run cordboard models pull, or copy it there", path.display()
    )]
    NoDescription {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The description is not one, or of a voice that cannot be used.
    #[error(
        "{} does not describe a Piper voice that can be used: {why}; take the file that is \
         published with the model, or set models.piper_voice to another voice", path.display()
    )]
    BadDescription {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// espeak-ng does not give phonemes.
    #[error(
        "a Piper voice needs the program {ESPEAK}: {why}; install it (Debian: apt-get install \
         espeak-ng), or set models.voice_engine to \"flite\""
    )]
    NoPhonemes {
        /// What happened.
        why: String,
    },
}

/// A Piper voice, with a thread for its model and a process for its phonemes.
#[derive(Debug)]
pub struct Piper {
    description: Arc<Description>,
    network: Network,
    phonemizer: Phonemizer,
}

impl Piper {
    /// Opens a voice by the path of its model, and tries espeak-ng.
    ///
    /// # Errors
    /// [`PiperError`], whose text says what to do.
    pub fn open(model: &Path) -> Result<Self, PiperError> {
        Self::open_with(model, Path::new(ESPEAK))
    }

    /// The same with espeak-ng under another name or path.
    ///
    /// # Errors
    /// As [`Piper::open`].
    pub fn open_with(model: &Path, espeak: &Path) -> Result<Self, PiperError> {
        let description = look(model)?;
        let voice = description.espeak_voice.clone();
        let mut phonemizer = Phonemizer::new(espeak.to_owned(), voice);
        let why = |fault: PhonemeFault| PiperError::NoPhonemes { why: fault.to_string() };
        phonemizer.phonemes(&["hello".to_owned()]).map_err(why)?;
        let network = Network::open(model)?;
        Ok(Self { description: Arc::new(description), network, phonemizer })
    }

    /// Whether a voice can be expected to open, at the cost of a look at the disk.
    ///
    /// # Errors
    /// What is missing, as [`Piper::open`] would say it.
    pub fn look(model: &Path) -> Result<(), PiperError> {
        look(model)?;
        let folders = std::env::var_os("PATH").unwrap_or_default();
        if std::env::split_paths(&folders).any(|folder| folder.join(ESPEAK).is_file()) {
            return Ok(());
        }
        Err(PiperError::NoPhonemes { why: "it is not installed".to_owned() })
    }

    /// Another one that shares the weights, for another thread.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            description: Arc::clone(&self.description),
            network: self.network.another(),
            phonemizer: self.phonemizer.another(),
        }
    }

    /// The phonemes of a run as the model takes them.
    fn sequence(&mut self, clauses: &[Clause]) -> Result<Sequence, EngineFault> {
        let voice = &self.description;
        let mut sequence = Sequence::new(voice);
        for (place, clause) in clauses.iter().enumerate() {
            let alone = clause.spoken.iter().map(|(_, word)| word.clone());
            let lines: Vec<String> = std::iter::once(clause.line()).chain(alone).collect();
            let gave_up = |fault: PhonemeFault| failed(fault.to_string());
            let phonemes = self.phonemizer.phonemes(&lines).map_err(gave_up)?;
            let Some((whole, alone)) = phonemes.split_first() else { continue };
            let words = align::words_of(whole, alone).into_iter();
            let words = words.map(|word| Some(clause.spoken.get(word?)?.0));
            for (phoneme, word) in whole.chars().zip(words) {
                sequence.phoneme(voice, phoneme, word);
            }
            let is_last = place + 1 == clauses.len();
            if let Some(mark) = clause.mark.or(if is_last { Some('.') } else { None }) {
                sequence.phoneme(voice, mark, None);
            }
            if !is_last {
                sequence.phoneme(voice, ' ', None);
            }
        }
        sequence.end(voice);
        Ok(sequence)
    }

    fn run(&mut self, run: &Run, rate: SampleRate, stretch: f32) -> Result<Sound, EngineFault> {
        if run.clauses.is_empty() {
            return Ok(Sound::silent(rate, run.words.len()));
        }
        let sequence = self.sequence(&run.clauses)?;
        let [noise, length, length_noise] = self.description.scales;
        let scales = [noise, length * stretch, length_noise];
        let sounding = self.network.speak(&sequence.ids, scales).map_err(failed)?;
        let own_hz = self.description.rate_hz;
        let whole_s = sounding.samples.len() as f32 / own_hz as f32;
        let lengths = sounding.lengths.unwrap_or_else(|| vec![1.0; sequence.ids.len()]);
        let times = sequence.times(&lengths, run.words.clone(), whole_s);
        let samples = cordboard_audio::resample(&sounding.samples, own_hz, rate.hz());
        Ok(Sound { rate_hz: rate.hz(), samples, times }.trimmed())
    }

    /// Speaks one sentence, part by part, until no more is wanted; whether it is.
    fn sentence(
        &mut self,
        words: &[Written<'_>],
        request: &SpeechRequest,
        take: &mut dyn FnMut(Sound, &[Written<'_>]) -> bool,
    ) -> Result<bool, EngineFault> {
        let runs = runs(words);
        for (place, run) in runs.iter().enumerate() {
            let mut sound = self.run(run, request.rate, request.stretch)?;
            if place + 1 < runs.len() && !sound.samples.is_empty() {
                let is_at_mark = run.clauses.last().is_some_and(|clause| clause.mark.is_some());
                let pause_ms = if is_at_mark { AT_MARK_MS } else { AT_NO_MARK_MS };
                sound.rest(pause_ms, request.stretch);
            }
            if !take(sound, &words[run.words.clone()]) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Synthesizer for Piper {
    /// Speaks a text, whole; a text without words gives empty speech.
    ///
    /// Level and edges are flite's; a word without a sound of its own has an empty stretch.
    ///
    /// # Errors
    /// `Unsupported` for a text of over `TEXT_MAX_CHARS`, a stretch outside `STRETCH_RANGE`, or
    /// one whose words all have letters that the voice does not know; `ModelFailed` where espeak-ng
    /// or the model gave up.
    fn speak(&mut self, request: &SpeechRequest) -> Result<Speech, EngineFault> {
        sound::check(ENGINE, request)?;
        let mut whole = Sound::silent(request.rate, 0);
        let mut written: Vec<&str> = Vec::new();
        for sentence in sentences(&request.text) {
            let words = written_words(sentence);
            written.extend(words.iter().map(|word| word.text));
            let mut spoken = Sound::silent(request.rate, 0);
            self.sentence(&words, request, &mut |sound, _| {
                spoken.append(sound, 0, request.stretch);
                true
            })?;
            whole.append(spoken, BETWEEN_MS, request.stretch);
        }
        if whole.samples.is_empty() && !written.is_empty() {
            return Err(unknown_letters());
        }
        Ok(whole.speech(Arc::clone(&request.text), request.rate, &written))
    }

    /// As `speak`, a piece a sentence, a long sentence in two or more.
    fn speak_into(
        &mut self,
        request: &SpeechRequest,
        take: &mut dyn FnMut(Speech) -> bool,
    ) -> Result<(), EngineFault> {
        sound::check(ENGINE, request)?;
        let (mut is_heard, mut has_words) = (false, false);
        for sentence in sentences(&request.text) {
            let words = written_words(sentence);
            has_words |= !words.is_empty();
            let goes_on = self.sentence(&words, request, &mut |sound, words| {
                if sound.samples.is_empty() {
                    return true;
                }
                is_heard = true;
                let written: Vec<&str> = words.iter().map(|word| word.text).collect();
                take(sound.speech(Arc::from(written.join(" ")), request.rate, &written))
            })?;
            if !goes_on {
                return Ok(());
            }
        }
        if has_words && !is_heard { Err(unknown_letters()) } else { Ok(()) }
    }
}

/// The description of a model that is there.
fn look(model: &Path) -> Result<Description, PiperError> {
    let missing = |why| PiperError::Missing { path: model.to_owned(), why };
    let found = std::fs::metadata(model).map_err(missing)?;
    if !found.is_file() {
        return Err(missing(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")));
    }
    Description::read(&Description::path_of(model))
}

fn failed(why: String) -> EngineFault {
    EngineFault::ModelFailed { engine: ENGINE, why }
}

fn unknown_letters() -> EngineFault {
    let what = "a text of letters that are not Latin".to_owned();
    EngineFault::Unsupported { engine: ENGINE, what }
}
