//! `[[remote.…]]`: engines over the network, each tried before those of this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cordboard_models::remote::{Address, Scheme};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::parse;

/// Engines over the network, each kind in order of preference; this machine's come last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteSettings {
    /// Recognizers.
    #[serde(rename = "recognizer")]
    pub recognizers: Vec<RemoteRecognizer>,
    /// Voices.
    #[serde(rename = "voice")]
    pub voices: Vec<RemoteVoice>,
    /// Language models.
    #[serde(rename = "language")]
    pub languages: Vec<RemoteLanguage>,
}

impl RemoteSettings {
    /// Whether anything is reached over the network at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.recognizers.is_empty() && self.voices.is_empty() && self.languages.is_empty()
    }
}

/// The wire form of a recognizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecognizerForm {
    /// Deepgram's live recognition.
    Deepgram,
}

/// The wire form of a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiceForm {
    /// Cartesia's voices.
    Cartesia,
}

/// The wire form of a language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LanguageForm {
    /// OpenAI's chat completions.
    Openai,
}

/// `[[remote.recognizer]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteRecognizer {
    /// Its wire form.
    pub form: RecognizerForm,
    /// Where it is.
    #[serde(deserialize_with = "socket")]
    pub url: Address,
    /// Variable of the environment that holds the key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// File that holds the key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The model; the form's own where it is not set.
    #[serde(default)]
    pub model: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A verdict comes within so long after the caller's last word, or another engine is asked.
    #[serde(default = "verdict_ms", deserialize_with = "parse::within::<_, 100, 2_000>")]
    pub verdict_ms: u64,
}

const fn verdict_ms() -> u64 {
    700
}

/// `[[remote.voice]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteVoice {
    /// Its wire form.
    pub form: VoiceForm,
    /// Where it is.
    #[serde(deserialize_with = "socket")]
    pub url: Address,
    /// Variable of the environment that holds the key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// File that holds the key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The model; the form's own where it is not set.
    #[serde(default)]
    pub model: Option<String>,
    /// The vendor's name of the voice.
    #[serde(deserialize_with = "parse::name")]
    pub speaker: String,
    /// Language of the texts.
    #[serde(default = "language", deserialize_with = "parse::name")]
    pub language: String,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Where no sound comes for so long, another engine goes on.
    #[serde(default = "stall_ms", deserialize_with = "parse::within::<_, 100, 5_000>")]
    pub stall_ms: u64,
}

fn language() -> String {
    "en".to_owned()
}

const fn stall_ms() -> u64 {
    500
}

/// `[[remote.language]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteLanguage {
    /// Its wire form.
    pub form: LanguageForm,
    /// Begin of its URLs.
    #[serde(deserialize_with = "http")]
    pub url: Address,
    /// Variable of the environment that holds the key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// File that holds the key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The model.
    #[serde(deserialize_with = "parse::name")]
    pub model: String,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What a caller wants is ranked within so long, or another engine is asked.
    #[serde(default = "rank_ms", deserialize_with = "parse::within::<_, 100, 2_300>")]
    pub rank_ms: u64,
    /// An answer to a caller begins within so long, or another engine is asked.
    #[serde(default = "answer_first_ms", deserialize_with = "parse::within::<_, 100, 2_000>")]
    pub answer_first_ms: u64,
}

const fn rank_ms() -> u64 {
    1_500
}

const fn answer_first_ms() -> u64 {
    900
}

fn socket<'de, D: Deserializer<'de>>(de: D) -> Result<Address, D::Error> {
    address(de, Scheme::WebSocket, "wss://host/path, or ws:// to a loopback address")
}

fn http<'de, D: Deserializer<'de>>(de: D) -> Result<Address, D::Error> {
    address(de, Scheme::Http, "https://host/path, or http:// to a loopback address")
}

fn address<'de, D>(de: D, scheme: Scheme, allowed: &'static str) -> Result<Address, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    Address::parse(&text, scheme).map_err(|_| D::Error::custom(allowed))
}
