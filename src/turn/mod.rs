//! The floor: who holds it, and what that means for the conversation.
//!
//! Pure. Voice activity, a pause that depends on what is expected, a decision about speech over the
//! assistant (`overlap` by its sound, `aside` by its words), and an owner of silence. Deliberately
//! absent: what is said and why (`conversation`).

mod aside;
mod ear;
mod echo;
mod event;
mod floor;
mod overlap;
mod settings;
mod silence;
mod tail;
#[cfg(test)]
mod tests;

pub use aside::{Aside, aside};
pub use ear::{Ear, Heard};
pub use echo::Echo;
pub use event::{TurnEvent, Utterance};
pub use floor::{Floor, FloorEvent, FloorEvents, Manner, Meanwhile};
pub use settings::{BargeIn, Pauses, TurnSettings, Verdicts, WORDS_JUDGED_AT};
pub use silence::{Due, FILLER_AFTER, SilenceWatch, TONE_AFTER};
