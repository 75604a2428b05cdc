//! Files of sound from elsewhere.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drop(cordboard_audio::read_mono(bytes)));
