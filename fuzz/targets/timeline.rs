//! Entries of timelines and context packets, as they come back from a disk or another program:
//! what was read is written as it was.
#![no_main]

use cordboard::timeline::{ContextPacket, Entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes) {
        let text = serde_json::to_string(&entry).expect("an entry can be written");
        let again: Entry = serde_json::from_str(&text).expect("what we write can be read");
        assert_eq!(serde_json::to_string(&again).ok(), Some(text));
    }
    if let Ok(packet) = serde_json::from_slice::<ContextPacket>(bytes) {
        let text = serde_json::to_string(&packet).expect("a packet can be written");
        serde_json::from_str::<ContextPacket>(&text).expect("what we write can be read");
    }
});
