//! Ears: implementations of [`Recognizer`](crate::speech::Recognizer), and what any recognizer
//! that listens by a grammar needs (grammar, dictionary, agreement of partials, confidence).
//!
//! Only `pocketsphinx` and `whisper` know an engine; `ggml` reads files; the rest is pure.

pub mod agreement;
pub mod confidence;
pub mod convert;
pub mod ggml;
pub mod grammar;
pub mod lexicon;
pub mod pocketsphinx;
pub mod said;
pub mod upsample;
#[cfg(feature = "whisper")]
pub mod whisper;
pub mod written;

pub use pocketsphinx::{OpenError, PocketSphinx, SphinxConfig};
#[cfg(feature = "whisper")]
pub use whisper::{Whisper, WhisperConfig, WhisperOpenError};
