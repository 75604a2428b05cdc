//! Files of a model: where they are, whether they are there, and the decoders made of them.

use std::fs;
use std::path::{Path, PathBuf};

use cordboard_audio::SampleRate;

use super::decoder::{Decoder, Setting};
use crate::ears::confidence::Calibration;
use crate::ears::lexicon::Lexicon;

/// Name of the phone loop's search.
const LOOP: &str = "loop";
/// Beam of the phone loop: as recommended for phones by the library's authors.
const LOOP_BEAM: f64 = 1e-20;
/// Weight of the phone language model; the same.
const LOOP_WEIGHT: f64 = 2.0;
/// Name of the language model's search.
const OPEN: &str = "open";

/// Where the files of a model are.
#[derive(Clone, Debug, PartialEq)]
pub struct SphinxConfig {
    /// Folder of the acoustic model; its `feat.params` tells its rate.
    pub acoustic_model: PathBuf,
    /// Pronouncing dictionary in CMUdict's format.
    pub dictionary: PathBuf,
    /// Language model of words, read only when open speech is first expected.
    pub language_model: PathBuf,
    /// Language model of phones, for confidence.
    pub phone_model: PathBuf,
    /// Confidence of this acoustic model, fitted by `examples/calibrate_ears.rs`.
    pub calibration: Calibration,
}

impl SphinxConfig {
    /// The semi-continuous telephone model `hub4wsj_sc_8k` in a folder of the caller's, and the
    /// rest of Debian's: as many digit errors in under half the time.
    #[must_use]
    pub fn telephone(acoustic_model: PathBuf) -> Self {
        Self { acoustic_model, calibration: Calibration::HUB4WSJ_SC_8K, ..Self::debian() }
    }

    /// The files of Debian's package `pocketsphinx-en-us`.
    #[must_use]
    pub fn debian() -> Self {
        let folder = Path::new("/usr/share/pocketsphinx/model/en-us");
        Self {
            acoustic_model: folder.join("en-us"),
            dictionary: folder.join("cmudict-en-us.dict"),
            language_model: folder.join("en-us.lm.bin"),
            phone_model: folder.join("en-us-phone.lm.bin"),
            calibration: Calibration::DEBIAN_EN_US,
        }
    }
}

/// Why a session could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file is not there or cannot be read.
    #[error(
        "{what} {} is not readable ({why}); install Debian's package pocketsphinx-en-us or name \
         another", path.display()
    )]
    Missing {
        /// What the file is.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The library did not take a file.
    #[error(
        "{what} {} was refused by pocketsphinx; it may be of another format or broken",
        path.display()
    )]
    Refused {
        /// What the file is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
}

/// Reads the dictionary.
pub(super) fn lexicon(config: &SphinxConfig) -> Result<Lexicon, OpenError> {
    let path = &config.dictionary;
    let bytes = fs::read(path).map_err(missing("the dictionary", path))?;
    let lexicon = Lexicon::parse(String::from_utf8_lossy(&bytes).into_owned());
    if lexicon.entries() == 0 {
        return Err(OpenError::Refused { what: "the dictionary", path: path.clone() });
    }
    Ok(lexicon)
}

/// Rate that the acoustic model was made for: `-samprate` of its `feat.params`, else narrow where
/// its filters end at 4 kHz.
pub(super) fn rate(config: &SphinxConfig) -> Result<SampleRate, OpenError> {
    let path = config.acoustic_model.join("feat.params");
    let text = fs::read_to_string(&path).map_err(missing("the acoustic model's", &path))?;
    let value = |name: &str| {
        let mut words = text.split_whitespace().skip_while(|word| *word != name);
        words.nth(1).and_then(|value| value.parse::<f32>().ok())
    };
    let narrow = match value("-samprate") {
        Some(rate) => rate < 16_000.0,
        None => value("-upperf").is_some_and(|edge| edge <= 4_000.0),
    };
    Ok(if narrow { SampleRate::NARROW } else { SampleRate::WIDE })
}

/// Opens the decoder that listens by grammars.
pub(super) fn grammar_decoder(config: &SphinxConfig) -> Result<Decoder, OpenError> {
    decoder(config, &[("-bestpath", Setting::Whole(0))])
}

/// Opens the decoder that fits phones to anything.
pub(super) fn phone_decoder(config: &SphinxConfig) -> Result<Decoder, OpenError> {
    let what = "the phone model";
    let path = &config.phone_model;
    fs::File::open(path).map_err(missing(what, path))?;
    let mut decoder = decoder(
        config,
        &[
            ("-beam", Setting::Real(LOOP_BEAM)),
            ("-pbeam", Setting::Real(LOOP_BEAM)),
            ("-lw", Setting::Real(LOOP_WEIGHT)),
            ("-allphone_ci", Setting::Whole(1)),
        ],
    )?;
    if decoder.add_phone_loop(LOOP, path) && decoder.choose(LOOP) {
        return Ok(decoder);
    }
    Err(OpenError::Refused { what, path: path.clone() })
}

/// Opens the decoder that listens by the language model, with the whole dictionary.
pub(super) fn open_decoder(config: &SphinxConfig) -> Result<Decoder, OpenError> {
    let what = "the language model";
    let path = &config.language_model;
    fs::File::open(path).map_err(missing(what, path))?;
    let dictionary = config.dictionary.to_string_lossy();
    let mut decoder = decoder(config, &[("-dict", Setting::Text(&dictionary))])?;
    if decoder.add_language(OPEN, path) && decoder.choose(OPEN) {
        return Ok(decoder);
    }
    Err(OpenError::Refused { what, path: path.clone() })
}

/// Opens a decoder with what all of ours have in common and `more`.
fn decoder(config: &SphinxConfig, more: &[(&str, Setting<'_>)]) -> Result<Decoder, OpenError> {
    let what = "the acoustic model";
    let folder = config.acoustic_model.to_string_lossy();
    for file in ["mdef", "means", "variances", "transition_matrices"] {
        let path = config.acoustic_model.join(file);
        fs::File::open(&path).map_err(missing(what, &path))?;
    }
    let rate = rate(config)?;
    let mut settings = vec![
        ("-hmm", Setting::Text(&folder)),
        ("-samprate", Setting::Real(f64::from(rate.hz()))),
        // The VAD of audio/ has cut already, and word times count from the first sample.
        ("-remove_silence", Setting::Whole(0)),
        // Spliced digits had 27 % errors without the library's noise removal, 32 % with it.
        ("-remove_noise", Setting::Whole(0)),
        ("-pl_window", Setting::Whole(0)),
    ];
    settings.extend_from_slice(more);
    Decoder::open(&settings)
        .ok_or_else(|| OpenError::Refused { what, path: config.acoustic_model.clone() })
}

fn missing(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |why| OpenError::Missing { what, path, why }
}
