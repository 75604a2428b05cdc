//! `cordboard talk` as a process: without the feature `device` one sentence, with it a whole call
//! on a sound card that ALSA's own `file` plug makes of two named pipes.

#[cfg(feature = "device")]
mod card;
mod starts;

const CORDBOARD: &str = env!("CARGO_BIN_EXE_cordboard");
const FLOW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/talk/parcel.yaml");
