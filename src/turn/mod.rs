//! The floor: who holds it, and what that means for the conversation.

mod event;

pub use event::{TurnEvent, Utterance};
