//! Sound for a voice contact centre: frames, codecs, jitter buffer, concealment, voice activity,
//! mixing and play-out.
//!
//! No network, no async, no clock of its own: time is an argument.

#![deny(unsafe_code)]

mod frame;
mod time;
pub mod vad;

pub use frame::{FRAME_MS, FRAME_SAMPLES_MAX, Frame, SampleRate};
pub use time::MediaTime;
