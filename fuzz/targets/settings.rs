//! Settings as somebody has written them.
#![no_main]

use cordboard::settings::Settings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(fault) = toml::from_str::<Settings>(text) {
        assert!(!fault.to_string().is_empty());
    }
});
