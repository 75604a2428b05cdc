//! Stand-ins that say what they were told to, for tests in virtual time.
//!
//! They hear nothing and have no voice: the recognizer returns texts from a list, the synthesizer
//! plays tones. The product opens them where a setting says "stub", for measuring all the rest, and
//! warns of it. Deliberately absent: any look at the sound itself.

mod judgement;
mod recognizer;
mod synthesizer;

pub use judgement::{ScriptedEndOfTurn, ScriptedLanguageModel};
pub use recognizer::{Line, ScriptedRecognizer};
pub use synthesizer::{LETTER_MS, ScriptedSynthesizer};
