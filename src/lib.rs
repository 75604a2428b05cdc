//! Cordboard: a voice contact centre in one binary.

#![forbid(unsafe_code)]

pub mod api;
pub mod call;
pub mod conversation;
pub mod desk;
pub mod escalation;
pub mod settings;
pub mod store;
pub mod timeline;
pub mod turn;
