//! Inputs of a call as a record has them: read, or refused; what was read is written as it was.
#![no_main]

use cordboard::replay::record::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: (u8, &[u8])| {
    let (kind, bytes) = record;
    if let Ok(input) = decode(kind, bytes) {
        let (kind, bytes) = encode(&input);
        let again = decode(kind, &bytes).expect("what we write can be read");
        assert_eq!(encode(&again), (kind, bytes));
    }
});
