//! The voice of Debian's flite, linked: no download, every word with its time.
//!
//! A text is cut into sentences, each spoken by itself and laid one after the other. Words are
//! those of the text as written: flite may say "6:30" as two words, their time is that of "6:30".
//! Figures to be read one by one are written so by the caller ("1 2 3 4 5 6"). Deliberately
//! absent: flite's own reading of text, files and sound output; any pool or cache.

use std::sync::Arc;

use cordboard_audio::SampleRate;

use super::decimator::Decimator;
use super::sentences::sentences;
use super::sound::{self, BETWEEN_MS, Sound};
use super::words::{Token, Written, written_words};
use crate::speech::{EngineFault, Speech, SpeechRequest, Synthesizer};

pub use super::sound::{STRETCH_RANGE, TEXT_MAX_CHARS};

mod ffi;

use ffi::{Voice, VoiceName};

/// Name in errors.
const ENGINE: &str = "flite";

/// The voice that is used where none is named.
pub const DEFAULT_VOICE: &str = "slt";

/// Every voice by name, the default first.
pub const VOICES: [&str; 4] = [DEFAULT_VOICE, "rms", "awb", "kal16"];

/// Why a voice could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no voice of this name.
    #[error("unknown voice `{name}`: allowed are {}", VOICES.join(", "))]
    UnknownVoice {
        /// What was asked for.
        name: String,
    },
    /// The library did not give the voice.
    #[error("flite did not register its voice `{name}`: reinstall the package libflite1")]
    NotRegistered {
        /// What was asked for.
        name: String,
    },
}

/// A voice of flite. Several may speak at once on several threads.
#[derive(Clone, Debug)]
pub struct Flite {
    voice: Voice,
    decimator: Arc<Decimator>,
}

impl Flite {
    /// Opens a voice by its name, one of `VOICES`.
    ///
    /// # Errors
    /// `UnknownVoice` names those that there are.
    ///
    /// ```
    /// use cordboard_models::voice::Flite;
    /// assert!(Flite::open("slt").is_ok());
    /// let error = Flite::open("hal").unwrap_err().to_string();
    /// assert_eq!(error, "unknown voice `hal`: allowed are slt, rms, awb, kal16");
    /// ```
    pub fn open(name: &str) -> Result<Self, OpenError> {
        let voice_name = match name {
            "slt" => VoiceName::Slt,
            "rms" => VoiceName::Rms,
            "awb" => VoiceName::Awb,
            "kal16" => VoiceName::Kal16,
            _ => return Err(OpenError::UnknownVoice { name: name.to_owned() }),
        };
        let voice = Voice::register(voice_name)
            .ok_or_else(|| OpenError::NotRegistered { name: name.to_owned() })?;
        Ok(Self { voice, decimator: Arc::new(Decimator::new()) })
    }

    /// Speaks one sentence.
    fn sentence(
        &self,
        words: &[Written<'_>],
        rate: SampleRate,
        stretch: f32,
    ) -> Result<Sound, EngineFault> {
        let tokens: Vec<&Token> = words.iter().flat_map(|word| &word.tokens).collect();
        if tokens.is_empty() {
            return Ok(Sound::silent(rate, words.len()));
        }
        let gave_up = |why: &str| EngineFault::ModelFailed { engine: ENGINE, why: why.to_owned() };
        let utterance = self
            .voice
            .speak(&tokens, stretch)
            .ok_or_else(|| gave_up("no utterance for a text that has words"))?;
        let (rate_hz, samples) =
            utterance.sound().ok_or_else(|| gave_up("no sound for a text that has words"))?;
        let samples: Vec<f32> = samples.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        let spans = utterance.spans();
        if spans.len() != tokens.len() {
            return Err(gave_up("tokens were lost"));
        }
        // A diphone voice's sound is not quite as long as its segments say.
        let length_s = samples.len() as f32 / rate_hz as f32;
        let scale = utterance.end_s().filter(|end| *end > 0.0).map_or(1.0, |end| length_s / end);
        let mut spans = spans.into_iter();
        let times = words
            .iter()
            .map(|word| {
                let of_word = spans.by_ref().take(word.tokens.len()).flatten();
                let whole = of_word.reduce(|a, b| ffi::Span { end_s: b.end_s, ..a })?;
                Some((whole.begin_s * scale, whole.end_s * scale))
            })
            .collect();
        let samples = self.at_rate(samples, rate_hz, rate)?;
        Ok(Sound { rate_hz: rate.hz(), samples, times }.trimmed())
    }

    fn at_rate(
        &self,
        samples: Vec<f32>,
        own_hz: u32,
        rate: SampleRate,
    ) -> Result<Vec<f32>, EngineFault> {
        if own_hz == rate.hz() {
            Ok(samples)
        } else if own_hz == 2 * rate.hz() {
            Ok(self.decimator.halve(&samples))
        } else {
            let what = format!("{} Hz from a voice of {own_hz} Hz", rate.hz());
            Err(EngineFault::Unsupported { engine: ENGINE, what })
        }
    }
}

impl Synthesizer for Flite {
    /// Speaks a text, whole; a text without words gives empty speech.
    ///
    /// Level is about -20 dBFS with peaks below -1; silence before is at most 20 ms, after at most
    /// 60 ms. A word without a sound of its own (foreign letters) has an empty stretch.
    ///
    /// # Errors
    /// `Unsupported` for a text of over `TEXT_MAX_CHARS`, a stretch outside `STRETCH_RANGE`, or
    /// one whose words all have letters that the voice does not know.
    fn speak(&mut self, request: &SpeechRequest) -> Result<Speech, EngineFault> {
        sound::check(ENGINE, request)?;
        let mut whole = Sound::silent(request.rate, 0);
        let mut written: Vec<&str> = Vec::new();
        for sentence in sentences(&request.text) {
            let words = written_words(sentence);
            written.extend(words.iter().map(|word| word.text));
            let sentence = self.sentence(&words, request.rate, request.stretch)?;
            whole.append(sentence, BETWEEN_MS, request.stretch);
        }
        if whole.samples.is_empty() && !written.is_empty() {
            let what = "a text of letters that are not Latin".to_owned();
            return Err(EngineFault::Unsupported { engine: ENGINE, what });
        }
        Ok(whole.speech(Arc::clone(&request.text), request.rate, &written))
    }
}
