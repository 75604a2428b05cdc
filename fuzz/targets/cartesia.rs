//! What a voice over the network sends, in Cartesia's form: sound and times in any order. All of
//! the sound comes out once, in order, and every word of the text with a place in it.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../models/src/remote/cartesia_wire.rs"]
mod cartesia_wire;
#[path = "../../models/src/remote/cartesia_words.rs"]
mod cartesia_words;
#[path = "../../models/src/remote/fault.rs"]
mod fault;

mod speech {
    pub(crate) use cordboard_models::speech::*;
}

use std::time::Duration;

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cartesia_wire::{Progress, progress};
use cartesia_words::Pieces;
use cordboard_audio::SampleRate;
use cordboard_models::remote::Secret;
use fault::RemoteFault;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use speech::Speech;

const CONTEXT: &str = "cordboard-1";

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Anything(&'a str),
    /// So many times 10 ms of sound.
    Sound(u8),
    /// Words of the text, or others, with times in 10 ms.
    Times(Vec<(u8, u16, u16)>),
    OddTimes(&'a str, f64, f64),
    Error(Option<u16>, &'a str),
    Done,
}

fuzz_target!(|input: (&str, Vec<Act<'_>>)| {
    let (text, acts) = input;
    let rate = SampleRate::NARROW;
    let own: Vec<&str> = text.split_whitespace().collect();
    let mut pieces = Pieces::new(text, rate);
    let key = Secret::new("sk-key");
    let (mut came, mut parts) = (0, Vec::new());
    for act in acts.into_iter().take(128) {
        let message = match act {
            Act::Anything(text) => text.to_owned(),
            Act::Sound(length) => {
                let data = STANDARD.encode(vec![1; usize::from(length) * 160]);
                json!({ "type": "chunk", "context_id": CONTEXT, "data": data }).to_string()
            }
            Act::Times(words) => {
                let word = |at: u8| own.get(usize::from(at)).copied().unwrap_or("other");
                let times = json!({
                    "words": words.iter().map(|it| word(it.0)).collect::<Vec<_>>(),
                    "start": words.iter().map(|it| f64::from(it.1) / 100.0).collect::<Vec<_>>(),
                    "end": words.iter().map(|it| f64::from(it.2) / 100.0).collect::<Vec<_>>(),
                });
                timestamps(&times)
            }
            Act::OddTimes(word, start, end) => {
                timestamps(&json!({ "words": [word], "start": [start], "end": [end] }))
            }
            Act::Error(status, words) => {
                let words = format!("{words} sk-key {words}");
                json!({ "type": "error", "status_code": status, "message": words }).to_string()
            }
            Act::Done => json!({ "type": "done", "context_id": CONTEXT }).to_string(),
        };
        match progress(&message, CONTEXT, key.as_ref(), &mut pieces) {
            Ok(Progress::Nothing) => {}
            Ok(Progress::Grown) => parts.extend(pieces.next()),
            Ok(Progress::Done) => break,
            Err(fault) => {
                assert!(!fault.to_string().contains("sk-key"), "no text holds a key");
                return;
            }
        }
        came = came.max(parts.len());
    }
    parts.extend(pieces.rest());
    check(&own, &parts, &mut pieces);
});

fn timestamps(times: &serde_json::Value) -> String {
    json!({ "type": "timestamps", "context_id": CONTEXT, "word_timestamps": times }).to_string()
}

fn check(own: &[&str], parts: &[Speech], pieces: &mut Pieces) {
    let rate = SampleRate::NARROW;
    for part in parts {
        let length = part.samples.len() as f64 / f64::from(rate.hz());
        let length = Duration::from_secs_f64(length) + Duration::from_micros(200);
        assert!(part.words.iter().all(|it| it.begin <= it.end && it.end <= length), "{part:?}");
        assert!(part.words.is_sorted_by_key(|it| it.begin), "{part:?}");
    }
    let given: usize = parts.iter().map(|it| it.samples.len()).sum();
    let all = pieces.sound(std::iter::empty());
    assert_eq!(all, Duration::from_secs_f64(given as f64 / f64::from(rate.hz())), "all comes out");
    let said: Vec<&str> = parts.iter().flat_map(|it| it.words.iter()).map(|it| &*it.text).collect();
    assert!(own.starts_with(&said), "words of the text in order: {said:?}");
    if !parts.is_empty() && given > 0 {
        assert!(said.len() == own.len() || pieces.rest().is_none());
    }
}
