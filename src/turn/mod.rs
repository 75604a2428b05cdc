//! The floor: who holds it, and what that means for the conversation.
//!
//! Pure. The simple form: voice activity, a pause that depends on what is expected, and an owner
//! of silence. Deliberately absent: what is said and why (`conversation`).

mod event;
mod floor;
mod settings;
mod silence;
#[cfg(test)]
mod tests;

pub use event::{TurnEvent, Utterance};
pub use floor::{Floor, FloorEvent};
pub use settings::{Pauses, TurnSettings};
pub use silence::{Due, FILLER_AFTER, SilenceWatch, TONE_AFTER};
