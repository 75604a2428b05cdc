//! Cordboard: a voice contact centre in one binary.

#![forbid(unsafe_code)]

pub mod call;
pub mod conversation;
pub mod desk;
pub mod escalation;
pub mod timeline;
pub mod turn;
