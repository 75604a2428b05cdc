//! What a recognizer over the network says, in Deepgram's form: words in order of their times, as
//! they are spoken, or nothing.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../models/src/remote/deepgram_wire.rs"]
mod deepgram_wire;

mod speech {
    pub(crate) use cordboard_models::speech::*;
}

use arbitrary::Arbitrary;
use deepgram_wire::Message;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[derive(Arbitrary, Debug)]
enum Said<'a> {
    Anything(&'a str),
    Results { origin_s: f64, start: f64, duration: f64, words: Vec<(&'a str, f64, f64, f32)> },
}

fuzz_target!(|said: Said<'_>| {
    let (text, origin_s) = match said {
        Said::Anything(text) => (text.to_owned(), 1.0),
        Said::Results { origin_s, start, duration, words } => {
            let word = |(word, start, end, confidence): &(&str, f64, f64, f32)| json!({ "word": word, "start": start, "end": end, "confidence": confidence });
            let words: Vec<_> = words.iter().map(word).collect();
            let channel = json!({ "alternatives": [{ "words": words }] });
            let results = json!({
                "type": "Results", "start": start, "duration": duration, "channel": channel,
            });
            (results.to_string(), if origin_s.is_finite() { origin_s.abs() } else { 0.0 })
        }
    };
    let Ok(Message::Results(results)) = serde_json::from_str(&text) else { return };
    assert!(results.end_s() >= results.start || results.duration < 0.0);
    for word in results.words(origin_s) {
        assert!(word.begin <= word.end, "{word:?}");
        assert!((0.0..=1.0).contains(&word.confidence), "{word:?}");
        assert!(!word.text.is_empty() && !word.text.contains(char::is_whitespace), "{word:?}");
        let figures = word.text.chars().all(|it| it.is_ascii_digit());
        assert!(!figures, "figures are words: {word:?}");
    }
});
