//! End of turn: engines that judge whether a caller has finished.
//!
//! `text` is the first of them: it reads the words and what was expected, and weighs the silence by
//! them. Deliberately absent: prosody, which needs the sound, and any clock.

mod fit;
mod phrase;
mod text;

pub use text::TextJudge;
