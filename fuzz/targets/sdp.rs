//! Session descriptions: read within the limits, or refused.
#![no_main]

use cordboard_sip::sdp::{Description, MAX_FORMATS, MAX_SECTIONS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(read) = Description::parse(text) {
        assert!(read.sections.len() <= MAX_SECTIONS);
        assert!(read.sections.iter().all(|it| it.formats.len() <= MAX_FORMATS));
    }
});
