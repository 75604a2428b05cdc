//! Voice: engines that turn text into sound with a time for every word.
//!
//! `flite` is linked and always there; `piper` runs voices that are published as ONNX. `sentences`
//! cuts a text so that its first sentence can be played while the next is made. Deliberately
//! absent: a cache of prompts and a pool of workers, which are the shell's.

mod decimator;
pub mod flite;
mod level;
pub mod piper;
pub mod sentences;
mod sound;
mod words;

pub use flite::{Flite, OpenError};
pub use piper::{Piper, PiperError};
pub use sentences::sentences;
