//! Bytes at the SIP door, as a datagram and as a stream.
#![no_main]

use cordboard_sip::endpoint::try_door;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| try_door(bytes));
