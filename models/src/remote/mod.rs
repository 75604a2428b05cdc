//! Engines over the network, in the wire forms of vendors in wide use; any host that speaks the
//! same form is reached by its address.
//!
//! `deepgram` is a recognizer over WebSocket, `cartesia` a voice over WebSocket, `chat` a language
//! model over server-sent events in OpenAI's form; `ranking` chooses intents with it, `answering`
//! lets it answer. Sockets live on a runtime of their own (`network`), so that the blocking traits
//! of `speech` never drive one. Every wait has a limit; a key is a [`Secret`] and goes over TLS or
//! loopback only.
//! Deliberately absent: choosing among engines and trying the next, which is the shell's.

mod address;
mod answering;
mod cartesia;
mod cartesia_wire;
mod cartesia_words;
mod chat;
mod chat_wire;
mod deepgram;
mod deepgram_wire;
mod fault;
mod network;
mod ranking;
mod secret;
mod socket;

pub use address::{Address, AddressFault, Scheme};
pub use answering::RemoteAnswers;
pub use cartesia::{Cartesia, CartesiaConfig};
pub use chat::{Chat, ChatConfig, ChatLimits};
pub use chat_wire::{
    ChatEvent, ChatMessage, ChatRequest, ChatRole, FinishReason, ToolChoice, ToolSpec, Usage,
};
pub use deepgram::{Deepgram, DeepgramConfig};
pub use fault::RemoteFault;
pub use network::Network;
pub use ranking::RemoteRanking;
pub use secret::Secret;

pub use crate::speech::ToolCall;
