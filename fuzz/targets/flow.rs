//! Flows as somebody has written them: read, or refused with its faults.
#![no_main]

use std::collections::BTreeMap;

use cordboard::conversation::Flow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(faults) = Flow::parse(text, "flow.yaml", &BTreeMap::new()) {
        assert!(!faults.is_empty());
        faults.iter().for_each(|it| assert!(!it.to_string().is_empty()));
    }
});
