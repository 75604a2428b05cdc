//! Weights and what is told of them: an ONNX file, a CTranslate2 file, the manifest, a dictionary.
//! Each is read whole or refused.
#![no_main]

use cordboard_audio::vad::SileroWeights;
use cordboard_models::ears::convert::whisper;
use cordboard_models::ears::lexicon::Lexicon;
use cordboard_models::manifest::{Manifest, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, bytes) = input;
    let text = String::from_utf8_lossy(bytes);
    match kind % 4 {
        0 => assert!(SileroWeights::from_onnx(bytes).is_err(), "all of it has two megabytes"),
        1 => {
            // The name and version of the format are hard to guess.
            let begin = b"\x06\x00\x00\x00\x0b\x00WhisperSpec\x03\x00\x00\x00";
            for model in [bytes.to_vec(), [&begin[..], bytes].concat()] {
                let fault = whisper(&model, &text).expect_err("all of it has many megabytes");
                assert!(!fault.to_string().is_empty());
            }
        }
        2 => {
            let Ok(manifest) = Manifest::parse(&text) else { return };
            for entry in &manifest.weights {
                assert!(manifest.entry(&entry.name).is_some());
                assert!(check(bytes, entry).is_err(), "nothing has its own digest in it");
            }
        }
        _ => dictionary(&text),
    }
});

fn dictionary(text: &str) {
    let lexicon = Lexicon::parse(text.to_owned());
    assert!(lexicon.entries() <= text.lines().count());
    let words = text.lines().filter_map(|line| line.split_whitespace().next());
    for word in words.chain(["hello", "o'neill", "", "7", "\u{e9}"]) {
        match lexicon.pronunciations(word) {
            Ok(all) => assert!(!all.is_empty(), "{word:?}"),
            Err(unknown) => assert!(!lexicon.contains(word) && unknown.word == word),
        }
    }
}
