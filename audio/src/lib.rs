//! Sound for a voice contact centre: frames, codecs, jitter buffer, concealment, voice activity,
//! mixing and play-out.
//!
//! No network, no async, no clock of its own: time is an argument.

#![deny(unsafe_code)]

pub mod codec;
pub mod comfort;
pub mod conceal;
pub mod dtmf;
pub mod echo;
mod frame;
pub mod halfband;
pub mod jitter;
pub mod level;
pub mod mix;
pub mod playout;
pub mod receive;
pub mod resample;
mod shared;
mod time;
mod timescale;
pub mod tone;
pub mod vad;
pub mod wav;

pub use codec::{Codec, Decoder, Encoder};
pub use conceal::Concealer;
pub use frame::{FRAME_MS, FRAME_SAMPLES_MAX, Frame, SampleRate};
pub use jitter::{Inserted, JitterBuffer, JitterCounters, Packet, Popped};
pub use playout::{Clip, PlayWord, Playout, PlayoutError, PlayoutEvent, Stopped};
pub use receive::{Pulled, Receiver};
pub use resample::{Resampler, resample};
pub use shared::SharedSamples;
pub use time::MediaTime;
pub use wav::{StereoWriter, WavError, read_mono, read_stereo};
