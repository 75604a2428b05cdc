//! A Piper voice's description: the JSON file beside its model, `X.onnx.json`.
//!
//! Pure but for reading the file. Deliberately absent: voices of several speakers, voices that take
//! letters instead of phonemes, and any language but English, for which texts are not prepared.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::PiperError;

/// Rates that a voice may have, Hz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// The most phonemes that a model knows; Piper's have 256.
const IDS_MAX: i64 = 4_096;
/// Before the first phoneme, between two, after the last.
const BEGIN: char = '^';
const PAD: char = '_';
const END: char = '$';

/// What is read of the file.
#[derive(Debug, Deserialize)]
struct File {
    audio: Audio,
    espeak: EspeakVoice,
    inference: Inference,
    #[serde(default)]
    phoneme_type: Option<String>,
    #[serde(default)]
    num_speakers: Option<u32>,
    phoneme_id_map: HashMap<String, Vec<i64>>,
}

#[derive(Debug, Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Debug, Deserialize)]
struct EspeakVoice {
    voice: String,
}

#[derive(Debug, Deserialize)]
struct Inference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

/// A voice as its model wants to be fed.
#[derive(Clone, Debug)]
pub(super) struct Description {
    /// Rate of its sound.
    pub(super) rate_hz: u32,
    /// espeak-ng's voice, of letters, figures and `-`.
    pub(super) espeak_voice: String,
    /// Noise of the sound, length of phonemes, noise of their lengths.
    pub(super) scales: [f32; 3],
    ids: HashMap<char, Vec<i32>>,
}

impl Description {
    /// Where the description of a model lies.
    pub(super) fn path_of(model: &Path) -> PathBuf {
        let mut path = model.as_os_str().to_owned();
        path.push(".json");
        path.into()
    }

    /// Reads the description.
    pub(super) fn read(path: &Path) -> Result<Self, PiperError> {
        let text = std::fs::read_to_string(path)
            .map_err(|why| PiperError::NoDescription { path: path.to_owned(), why })?;
        Self::parse(&text).map_err(|why| PiperError::BadDescription { path: path.to_owned(), why })
    }

    /// Reads a description's text; says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|why| why.to_string())?;
        let rate_hz = file.audio.sample_rate;
        if !RATES_HZ.contains(&rate_hz) {
            return Err(format!("a sample_rate of {rate_hz} Hz"));
        }
        if let Some(kind) = file.phoneme_type.filter(|kind| kind != "espeak") {
            return Err(format!("a phoneme_type of {kind:?}; espeak's alone are known"));
        }
        if let Some(speakers) = file.num_speakers.filter(|speakers| *speakers > 1) {
            return Err(format!("{speakers} speakers; a voice has one"));
        }
        let voice = file.espeak.voice;
        let plain = voice.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !plain || !(voice == "en" || voice.starts_with("en-")) {
            return Err(format!("a voice for {voice:?}; texts are prepared for English alone"));
        }
        let Inference { noise_scale, length_scale, noise_w } = file.inference;
        let scales = [noise_scale, length_scale, noise_w];
        if !scales.iter().all(|scale| (0.0..=10.0).contains(scale)) || length_scale < 0.1 {
            return Err(format!("scales of {scales:?}"));
        }
        let ids = ids(&file.phoneme_id_map)?;
        Ok(Self { rate_hz, espeak_voice: voice, scales, ids })
    }

    /// The ids of a phoneme; none where the voice does not know it.
    pub(super) fn ids_of(&self, phoneme: char) -> &[i32] {
        self.ids.get(&phoneme).map_or(&[], Vec::as_slice)
    }

    /// What is before the first phoneme.
    pub(super) fn begin(&self) -> &[i32] {
        self.ids_of(BEGIN)
    }

    /// What is after each phoneme.
    pub(super) fn pad(&self) -> &[i32] {
        self.ids_of(PAD)
    }

    /// What is after the last phoneme.
    pub(super) fn end(&self) -> &[i32] {
        self.ids_of(END)
    }
}

fn ids(map: &HashMap<String, Vec<i64>>) -> Result<HashMap<char, Vec<i32>>, String> {
    let mut ids = HashMap::with_capacity(map.len());
    for (phoneme, numbers) in map {
        let mut chars = phoneme.chars();
        let (Some(char), None) = (chars.next(), chars.next()) else {
            return Err(format!("{phoneme:?} among phoneme_id_map is not one character"));
        };
        let known = |id: &i64| (0..IDS_MAX).contains(id).then_some(*id as i32);
        let numbers: Option<Vec<i32>> = numbers.iter().map(known).collect();
        ids.insert(char, numbers.ok_or_else(|| format!("ids of {phoneme:?} that no model has"))?);
    }
    for needed in [BEGIN, PAD, END, ' '] {
        if ids.get(&needed).is_none_or(Vec::is_empty) {
            return Err(format!("no id of {needed:?} in phoneme_id_map"));
        }
    }
    Ok(ids)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A small voice's description.
    pub(in super::super) const SMALL: &str = r#"{
        "audio": {"sample_rate": 22050}, "espeak": {"voice": "en-us"}, "num_speakers": 1,
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak", "phoneme_id_map":
        {"_": [0], "^": [1], "$": [2], " ": [3], ".": [10], ",": [8], "a": [14, 15], "b": [16]}}"#;

    #[test]
    fn a_description_says_what_the_model_wants() {
        let small = Description::parse(SMALL).unwrap();
        assert_eq!((small.rate_hz, small.espeak_voice.as_str()), (22_050, "en-us"));
        assert_eq!(small.scales, [0.667, 1.0, 0.8]);
        assert_eq!((small.ids_of('a'), small.ids_of('z')), (&[14, 15][..], &[][..]));
        assert_eq!((small.begin(), small.pad(), small.end()), (&[1][..], &[0][..], &[2][..]));
        let path = Description::path_of(Path::new("voices/joe.onnx"));
        assert_eq!(path, Path::new("voices/joe.onnx.json"));
    }

    #[test]
    fn each_thing_wrong_in_a_description_is_named() {
        for (from, to, named) in [
            ("22050", "7", "7 Hz"),
            ("\"espeak\",", "\"text\",", "phoneme_type"),
            ("\"num_speakers\": 1", "\"num_speakers\": 9", "9 speakers"),
            ("en-us", "de", "English alone"),
            ("en-us", "en-us/../x", "English alone"),
            ("0.667", "-1", "scales"),
            ("\"length_scale\": 1", "\"length_scale\": 0", "scales"),
            ("\"^\": [1],", "", "no id of '^'"),
            ("\"b\": [16]", "\"bb\": [16]", "\"bb\""),
            ("[16]", "[-16]", "ids of \"b\""),
            ("\"audio\"", "\"sound\"", "audio"),
            ("{", "", "line 2"),
        ] {
            let text = SMALL.replacen(from, to, 1);
            assert_ne!(text, SMALL, "{from} is there");
            let why = Description::parse(&text).unwrap_err();
            assert!(why.contains(named), "{to}: {why}");
        }
    }
}
