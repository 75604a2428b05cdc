//! Cordboard: a voice contact centre in one binary.
//!
//! ARCHITECTURE.md is the map: the rooms, what each may know, and the way of one frame of sound
//! and of one escalation through them.

#![forbid(unsafe_code)]

pub mod api;
pub mod call;
pub mod cli;
pub mod clock;
pub mod conversation;
pub mod desk;
pub mod escalation;
mod leg;
pub mod replay;
pub mod settings;
pub mod shell;
pub mod store;
pub mod timeline;
pub mod turn;
