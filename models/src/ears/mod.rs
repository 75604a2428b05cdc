//! Ears: implementations of [`Recognizer`](crate::speech::Recognizer), and what any recognizer
//! that listens by a grammar needs (grammar, dictionary, agreement of partials, confidence).
//!
//! Only `pocketsphinx` knows an engine; the rest is pure.

pub mod agreement;
pub mod confidence;
pub mod grammar;
pub mod lexicon;
pub mod pocketsphinx;
pub mod upsample;

pub use pocketsphinx::{OpenError, PocketSphinx, SphinxConfig};
