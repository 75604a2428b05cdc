//! End of turn: engines that judge whether a caller has finished.
//!
//! `text` reads the words and what was expected, and weighs the silence by them; `smart` hears the
//! sound, on an inference worker. Deliberately absent: any clock.

mod ends;
mod fit;
mod phrase;
mod smart;
mod text;
mod unfinished;

pub use ends::{fit_ends, log_odds_by};
pub use smart::{SmartTurn, SmartTurnError};
pub use text::TextJudge;
