//! Engines over the network against local servers that speak the real protocols, and break them.

mod cartesia;
mod chat;
mod deepgram;
mod support;
