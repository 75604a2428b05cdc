//! Ears, voice and judgement: the border types and traits of speech (`speech`), and the engines
//! that implement them, one folder a role, one file an implementation.

#![deny(unsafe_code)]

pub mod ears;
pub mod language;
pub mod manifest;
pub mod mel;
pub mod remote;
pub mod scripted;
pub mod speech;
pub mod turn_end;
pub mod voice;
